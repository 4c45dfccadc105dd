package starter_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"

	"lumaflow/internal/oneline"
	"lumaflow/internal/paid"
	"lumaflow/starter"
	"lumaflow/test/startertest"
	"lumaflow/workflows"
)

func TestSubmitStartsAJob(t *testing.T) {
	fake := startertest.New(t)
	job, err := starter.New(fake, starter.Options{TaskQueue: "studio"}).Submit(t.Context(), request, "")
	require.NoError(t, err)
	require.Equal(t, starter.Job{Report: starter.Report{WorkflowID: jobID, RunID: "new-run-1", State: starter.StateRunning}}, job)

	require.Len(t, fake.Starts, 1)
	options := fake.Starts[0]
	require.Equal(t, jobID, options.ID)
	require.Equal(t, "studio", options.TaskQueue)
	require.Equal(t, enumspb.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING, options.WorkflowIDConflictPolicy)
	require.Equal(t, enumspb.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE, options.WorkflowIDReusePolicy)
	require.Equal(t, "snow", options.StaticSummary)
}

func TestSubmitFindsTheSameJob(t *testing.T) {
	tests := []struct {
		name  string
		end   func(*startertest.Run)
		state starter.State
	}{
		{"under way", func(*startertest.Run) {}, starter.StateRunning},
		{"done", func(r *startertest.Run) { r.End(enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED, time.Minute) }, starter.StateCompleted},
		{"paused", func(r *startertest.Run) { r.Status = enumspb.WORKFLOW_EXECUTION_STATUS_PAUSED }, starter.StatePaused},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			fake := startertest.New(t)
			test.end(fake.Job(jobID))
			job, err := starter.New(fake, starter.Options{}).Submit(t.Context(), request, "")
			require.NoError(t, err)
			require.True(t, job.Existing)
			require.Equal(t, test.state, job.State)
			require.Equal(t, "run-of-"+jobID, job.RunID)
			require.Empty(t, fake.Starts)
		})
	}
}

func TestSubmitWithAKeyIsAnotherJob(t *testing.T) {
	fake := startertest.New(t)
	fake.Job(jobID)
	job, err := starter.New(fake, starter.Options{}).Submit(t.Context(), request, "take-2")
	require.NoError(t, err)
	require.False(t, job.Existing)
	require.NotEqual(t, jobID, job.WorkflowID)
}

func TestSubmitValidatesTheInput(t *testing.T) {
	fake := startertest.New(t)
	_, err := starter.New(fake, starter.Options{}).Submit(t.Context(), workflows.ModifyVideoInput{Prompt: "p", VideoURL: "ftp://x/y"}, "")
	require.ErrorContains(t, err, "videoUrl")
	require.Empty(t, fake.Starts)
}

// Other clients start the job, and it ends, between the lookup and the start.
func TestSubmitWhileOthersStart(t *testing.T) {
	fake := startertest.New(t)
	already := serviceerror.NewWorkflowExecutionAlreadyStarted("already", "", "other-run")
	fake.StartErrors = []error{already, already, already}
	_, err := starter.New(fake, starter.Options{}).Submit(t.Context(), request, "")
	require.ErrorIs(t, err, already)
	require.Len(t, fake.Starts, 3)
	for _, options := range fake.Starts {
		require.Equal(t, enumspb.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE, options.WorkflowIDReusePolicy)
	}
}

func TestSubmitWithoutAnswer(t *testing.T) {
	for name, cause := range map[string]error{
		"time is up":  context.DeadlineExceeded,
		"unreachable": serviceerror.NewUnavailable("connection refused"),
		"Ctrl-C":      context.Canceled,
	} {
		t.Run(name, func(t *testing.T) {
			fake := startertest.New(t)
			fake.StartErrors = []error{cause}
			_, err := starter.New(fake, starter.Options{}).Submit(t.Context(), request, "")
			require.ErrorIs(t, err, cause)
			require.ErrorContains(t, err, "run the same command again: it is the same job")
		})
	}
}

func TestSubmitAsComparesTheRequest(t *testing.T) {
	other := request
	other.Prompt = "rain"
	tests := []struct {
		name  string
		there workflows.ModifyVideoInput
		err   string
	}{
		{"the same", request, ""},
		{"another prompt", other, "exists with another request"},
		{"an adoption", workflows.ModifyVideoInput{TaskID: taskID}, "exists with another request"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			fake := startertest.New(t)
			fake.Job("shot-7").History = startertest.NewHistory(t, test.there)
			job, err := starter.New(fake, starter.Options{}).SubmitAs(t.Context(), "shot-7", request)
			require.Empty(t, fake.Starts)
			if test.err != "" {
				require.ErrorContains(t, err, test.err)
				require.ErrorContains(t, err, "choose another --id")
				return
			}
			require.NoError(t, err)
			require.True(t, job.Existing)
		})
	}
}

func TestSubmitAsRejectsOtherWorkflows(t *testing.T) {
	fake := startertest.New(t)
	fake.Job("nightly-backup").Type = "Backup"
	_, err := starter.New(fake, starter.Options{}).SubmitAs(t.Context(), "nightly-backup", request)
	require.EqualError(t, err, "nightly-backup is no job of lumaflow but a workflow of type Backup")
	require.Empty(t, fake.Starts)
}

func TestSubmitWithoutTemporal(t *testing.T) {
	fake := startertest.New(t)
	fake.Down = serviceerror.NewUnavailable("no\x1b[31m server\nhere")
	_, err := starter.New(fake, starter.Options{}).Submit(t.Context(), request, "")
	require.EqualError(t, err, "look up job "+jobID+": Temporal does not answer (no [31m server here); try again")
	require.ErrorIs(t, err, fake.Down)
	require.Empty(t, fake.Starts)
}

// A derived id that was never used does not depend on lists; a chosen one may be that
// of a job whose last run is deleted.
func TestSubmitWithoutLists(t *testing.T) {
	fake := startertest.New(t)
	fake.ListError = serviceerror.NewUnavailable("no visibility")
	s := starter.New(fake, starter.Options{})
	_, err := s.SubmitAs(t.Context(), "shot-7", request)
	require.ErrorIs(t, err, fake.ListError)
	require.Empty(t, fake.Starts)
	_, err = s.Submit(t.Context(), request, "")
	require.NoError(t, err)

	fake.Job(jobID).End(statusTerminated, time.Minute).History.EndTerminated()
	_, err = s.Submit(t.Context(), request, "")
	require.ErrorIs(t, err, fake.ListError)
	require.Len(t, fake.Starts, 1)
}

// A mark whose process died before it terminated the mark does not block its job.
func TestSubmitEndsAMark(t *testing.T) {
	memo := &paid.Facts{TaskID: taskID, PaidOpen: true}
	tests := []struct {
		name  string
		delay time.Duration
		memo  *paid.Facts
		key   string
		ended bool
	}{
		{"a mark", time.Hour, memo, "", true},
		{"a job that has begun", 0, memo, "", false},
		{"a delayed job of another client", time.Hour, nil, "", false},
		{"a job of another id", time.Hour, memo, "take-2", false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			fake := startertest.New(t)
			input := workflows.ModifyVideoInput{TaskID: taskID}
			found := fake.Job(starter.JobID(input, test.key))
			found.StartDelay, found.Memo = test.delay, test.memo
			job, err := starter.New(fake, starter.Options{}).Submit(t.Context(), input, test.key)
			require.NoError(t, err)
			require.Equal(t, !test.ended, job.Existing)
			if !test.ended {
				require.Empty(t, fake.Terminations)
				return
			}
			require.Equal(t, []string{found.ID + "/" + found.RunID}, fake.Terminations)
			require.Len(t, fake.Starts, 1)
			require.Equal(t, enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE_FAILED_ONLY, fake.Starts[0].WorkflowIDReusePolicy)
		})
	}
}

func TestSummary(t *testing.T) {
	tests := []struct {
		name  string
		input workflows.ModifyVideoInput
		want  string
	}{
		{"short", workflows.ModifyVideoInput{Prompt: "snow"}, "snow"},
		{"one line", workflows.ModifyVideoInput{Prompt: "snow\n\tand \x1b[1mice"}, "snow and [1mice"},
		{"long", workflows.ModifyVideoInput{Prompt: strings.Repeat("x", 200)}, strings.Repeat("x", 100) + "…"},
		{"wide", workflows.ModifyVideoInput{Prompt: strings.Repeat("雪", 200)}, strings.Repeat("雪", 65) + "…"},
		{"escaped in JSON", workflows.ModifyVideoInput{Prompt: strings.Repeat("<", 100)}, strings.Repeat("<", 32) + "…"},
		{"adoption", workflows.ModifyVideoInput{TaskID: taskID}, "collect task " + taskID},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			require.Equal(t, test.want, test.input.Summary())
		})
	}
}

func TestPlain(t *testing.T) {
	require.Equal(t, "a b [2J c", oneline.Clean(" a\r\nb \x1b[2J\x00c\xff "))
	require.Equal(t, "生成失败", oneline.Clean("生成失败"))
}
