package starter_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"

	"lumaflow/internal/paid"
	"lumaflow/starter"
	"lumaflow/test/startertest"
	"lumaflow/workflows"
)

// A job is submitted again only if none of its runs has paid for a task that may
// still have a video.
func TestSubmitReadsAllRuns(t *testing.T) {
	overdue := paid.Facts{TaskID: "t", PaidOpen: true, Next: "lumaflow submit --task-id t"}
	lost := paid.Facts{PaidOpen: true, Next: "lumaflow submit --task-id TASKID"}
	const nothing = ""
	tests := []struct {
		name string
		runs func(*startertest.Temporal)
		// next is the command in the error; empty means that the job starts again.
		next string
	}{
		{"one run", func(*startertest.Temporal) {}, nothing},
		{"overdue", func(f *startertest.Temporal) {
			endedRun(f, statusFailed, workflows.ResultOverdue, overdue)
		}, "lumaflow submit --task-id t"},
		{"overdue, before two others", func(f *startertest.Temporal) {
			endedRun(f, statusFailed, workflows.InvalidRequest, paid.Facts{})
			endedRun(f, statusFailed, workflows.ResultOverdue, overdue)
		}, "lumaflow submit --task-id t"},
		{"terminated with a task", func(f *startertest.Temporal) {
			endedRun(f, statusTerminated, "", paid.Facts{TaskID: "t", PaidOpen: true})
		}, "lumaflow submit --task-id t"},
		{"cancelled with a task", func(f *startertest.Temporal) {
			endedRun(f, statusCanceled, "", overdue)
		}, "lumaflow submit --task-id t"},
		{"an unknown submission", func(f *startertest.Temporal) {
			endedRun(f, statusFailed, workflows.SubmitUnknown, lost)
		}, "lumaflow submit --task-id TASKID"},
		{"an unknown submission, and a known task", func(f *startertest.Temporal) {
			endedRun(f, statusFailed, workflows.SubmitUnknown, lost)
			endedRun(f, statusFailed, workflows.ResultOverdue, overdue)
		}, "lumaflow submit --task-id t"},
		{"a task beside the failed one", func(f *startertest.Temporal) {
			endedRun(f, statusFailed, workflows.SubmitUnknown, paid.Facts{PaidOpen: true, OtherTasks: []string{"u"}, Next: "lumaflow status"})
		}, "lumaflow submit --task-id u"},
		{"done", func(f *startertest.Temporal) {
			endedRun(f, statusCompleted, "", paid.Facts{TaskID: "t"})
		}, "lumaflow submit --task-id t"},
		{"its video is gone", func(f *startertest.Temporal) {
			endedRun(f, statusFailed, workflows.ResultOverdue, paid.Facts{TaskID: "t", Next: "there is nothing left to collect"})
		}, "lumaflow submit --task-id t"},
		{"the generation failed", func(f *startertest.Temporal) {
			endedRun(f, statusFailed, workflows.GenerationFailed, paid.Facts{TaskID: "t"})
		}, nothing},
		{"overdue, then found to have failed", func(f *startertest.Temporal) {
			endedRun(f, statusFailed, workflows.GenerationFailed, paid.Facts{TaskID: "t"})
			endedRun(f, statusFailed, workflows.ResultOverdue, overdue)
		}, nothing},
		{"a task without a record", func(f *startertest.Temporal) {
			endedRun(f, statusFailed, workflows.InvalidRequest, paid.Facts{TaskID: "t"})
		}, nothing},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			fake := startertest.New(t)
			last := fake.Job(jobID)
			test.runs(fake)
			last.History.EndFailed(startertest.ApplicationError(workflows.InvalidRequest, "no", paid.Facts{}))
			last.End(statusFailed, time.Minute)
			job, err := starter.New(fake, starter.Options{}).Submit(t.Context(), request, "")
			if test.next == nothing {
				require.NoError(t, err)
				require.True(t, job.Again)
				return
			}
			require.Empty(t, fake.Starts)
			var paid *starter.PaidError
			require.ErrorAs(t, err, &paid)
			require.Equal(t, test.next, paid.Next)
			require.ErrorContains(t, err, "collect it at no cost with `"+test.next+"`")
		})
	}
}

// Temporal has no latest run of an id whose last run is deleted.
func TestSubmitAfterTheLastRunIsDeleted(t *testing.T) {
	fake := startertest.New(t)
	fake.Job(jobID)
	endedRun(fake, statusFailed, workflows.ResultOverdue, paid.Facts{TaskID: "t", PaidOpen: true})
	delete(fake.Runs, jobID)
	s := starter.New(fake, starter.Options{})
	var paid *starter.PaidError
	_, err := s.Submit(t.Context(), request, "")
	require.ErrorAs(t, err, &paid)
	require.Equal(t, "t", paid.TaskID)
	_, err = s.Submit(t.Context(), workflows.ModifyVideoInput{TaskID: "t"}, "")
	require.NoError(t, err, "adopting a task pays nothing")
}

// Of all runs of a job, only the tasks that no run has stored are at risk.
func TestAtRiskReadsAllRuns(t *testing.T) {
	at := func(age time.Duration) time.Time { return time.Now().Add(-age) }
	tests := []struct {
		name string
		runs func(*startertest.Temporal)
		want []string
	}{
		{"its end", func(f *startertest.Temporal) {
			endedRun(f, statusFailed, workflows.ResultOverdue, paid.Facts{TaskID: "t", PaidOpen: true, SubmittedAt: at(3 * day), EndedAt: at(2 * day)})
		}, []string{"t finished 288h ResultOverdue"}},
		{"its submission, in a memo", func(f *startertest.Temporal) {
			endedRun(f, statusTerminated, "", paid.Facts{TaskID: "t", PaidOpen: true, SubmittedAt: at(3 * day)})
		}, []string{"t submitted 264h Terminated"}},
		{"each of its tasks", func(f *startertest.Temporal) {
			endedRun(f, statusFailed, workflows.SubmitUnknown, paid.Facts{TaskID: "t", PaidOpen: true, EndedAt: at(2 * day), OtherTasks: []string{"u", "v"}})
			f.CollectedTask("v", "")
		}, []string{"t finished 288h SubmitUnknown", "u job-start 335h SubmitUnknown"}},
		{"a task that a later run has stored", func(f *startertest.Temporal) {
			endedRun(f, statusCompleted, "", paid.Facts{TaskID: "t"})
			endedRun(f, statusFailed, workflows.ResultOverdue, paid.Facts{TaskID: "t", PaidOpen: true})
		}, nil},
		{"a task that an earlier run has stored", func(f *startertest.Temporal) {
			endedRun(f, statusFailed, workflows.ResultOverdue, paid.Facts{TaskID: "t", PaidOpen: true})
			endedRun(f, statusCompleted, "", paid.Facts{TaskID: "t"})
		}, nil},
		{"a task of two runs", func(f *startertest.Temporal) {
			endedRun(f, statusTerminated, "", paid.Facts{TaskID: "t", PaidOpen: true})
			endedRun(f, statusFailed, workflows.ResultOverdue, paid.Facts{TaskID: "t", PaidOpen: true, SubmittedAt: at(3 * day), EndedAt: at(2 * day)})
		}, []string{"t finished 288h Terminated"}},
		{"a task that the open run waits for", func(f *startertest.Temporal) {
			f.Job(jobID).InStage(workflows.StageWaiting).Memo = &paid.Facts{TaskID: "t", PaidOpen: true, SubmittedAt: at(time.Minute)}
			endedRun(f, statusTerminated, "", paid.Facts{TaskID: "t", PaidOpen: true, SubmittedAt: at(time.Minute)})
		}, nil},
		{"a task that the open run collects", func(f *startertest.Temporal) {
			f.Job(jobID).InStage(workflows.StageCollecting).Memo = &paid.Facts{TaskID: "t", PaidOpen: true, SubmittedAt: at(time.Hour)}
		}, []string{"t submitted 335h "}},
		{"a task that has no video", func(f *startertest.Temporal) {
			endedRun(f, statusTerminated, "", paid.Facts{TaskID: "t", PaidOpen: true})
			adopting := f.Job(starter.JobID(workflows.ModifyVideoInput{TaskID: "t"}, ""))
			adopting.History.EndFailed(startertest.ApplicationError(workflows.GenerationFailed, "no", paid.Facts{TaskID: "t"}))
			adopting.End(statusFailed, time.Minute)
		}, nil},
		{"the last run is deleted", func(f *startertest.Temporal) {
			endedRun(f, statusFailed, workflows.ResultOverdue, paid.Facts{TaskID: "t", PaidOpen: true, EndedAt: at(2 * day)})
			delete(f.Runs, jobID)
		}, []string{"t finished 288h ResultOverdue"}},
		{"one run", func(f *startertest.Temporal) {
			last := f.Job(jobID)
			last.History.EndFailed(startertest.ApplicationError(workflows.ResultOverdue, "no", paid.Facts{TaskID: "t", PaidOpen: true, EndedAt: at(2 * day)}))
			last.End(statusFailed, time.Minute)
		}, []string{"t finished 288h ResultOverdue"}},
		{"tasks that a completed run left behind", func(f *startertest.Temporal) {
			endedRun(f, statusCompleted, "", paid.Facts{TaskID: "t", PaidOpen: true, EndedAt: at(2 * day), OtherTasks: []string{"u", "v"}})
			f.CollectedTask("v", "")
		}, []string{"u job-start 335h "}},
		{"media that are gone", func(f *startertest.Temporal) {
			endedRun(f, statusFailed, workflows.ResultOverdue, paid.Facts{TaskID: "t"})
		}, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fake := startertest.New(t)
				last := fake.Job(jobID)
				last.History.EndFailed(startertest.ApplicationError(workflows.InvalidRequest, "no", paid.Facts{}))
				last.End(statusFailed, time.Minute)
				test.runs(fake)
				risks, err := starter.New(fake, starter.Options{}).AtRisk(t.Context(), starter.RiskFilter{Limit: 10})
				require.NoError(t, err)
				require.Empty(t, risks.Notes)
				var found []string
				for _, risk := range risks.Found {
					found = append(found, fmt.Sprintf("%s %s %dh %s", risk.TaskID, risk.CountedFrom, risk.HoursLeft, risk.Failure))
				}
				require.Equal(t, test.want, found)
			})
		})
	}
}

// A memo is encrypted and decoded as everything else.
func TestEncryptedMemo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		keys := studioKey(t, "studio")
		fake := startertest.New(t)
		last := fake.Job(jobID)
		last.Memo = &paid.Facts{TaskID: "t", PaidOpen: true}
		last.Codec = func(payload *commonpb.Payload) *commonpb.Payload {
			encrypted, err := keys.Encode([]*commonpb.Payload{payload})
			require.NoError(t, err)
			return encrypted[0]
		}
		last.History.Schedule("Submit", map[string]string{"run": last.RunID})
		last.History.Signal("intent", nil)
		last.History.EndTerminated()
		last.End(statusTerminated, time.Minute)

		with := starter.New(fake, starter.Options{Codec: keys})
		var paid *starter.PaidError
		_, err := with.Submit(t.Context(), request, "")
		require.ErrorAs(t, err, &paid)
		require.Equal(t, "t", paid.TaskID)
		risks, err := with.AtRisk(t.Context(), starter.RiskFilter{Limit: 10})
		require.NoError(t, err)
		require.Len(t, risks.Found, 1)

		// Without the key the history proves that something may be paid.
		without := starter.New(fake, starter.Options{Codec: studioKey(t, "other")})
		_, err = without.Submit(t.Context(), request, "")
		require.ErrorAs(t, err, &paid)
		require.Empty(t, paid.TaskID)
		risks, err = without.AtRisk(t.Context(), starter.RiskFilter{Limit: 10})
		require.NoError(t, err)
		require.Contains(t, strings.Join(risks.Notes, "\n"), "may have paid: "+jobID)
	})
}
