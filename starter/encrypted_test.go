package starter_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	deploymentpb "go.temporal.io/api/deployment/v1"
	enumspb "go.temporal.io/api/enums/v1"
	failurepb "go.temporal.io/api/failure/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/api/proxy"
	"go.temporal.io/api/serviceerror"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/sdk/converter"
	"google.golang.org/protobuf/proto"

	"lumaflow/activities"
	"lumaflow/internal/temporal/codec"
	"lumaflow/starter"
	"lumaflow/workflows"
)

// sealed encrypts what a history holds, as a worker with the keys would have.
func (h *history) sealed(t *testing.T, with codec.Codec) {
	t.Helper()
	history := &historypb.History{Events: h.events}
	require.NoError(t, proxy.VisitFailures(t.Context(), history, proxy.VisitFailuresOptions{
		Visitor: func(_ *proxy.VisitFailuresContext, failure *failurepb.Failure) error {
			return converter.EncodeCommonFailureAttributes(converter.GetDefaultDataConverter(), failure)
		},
	}))
	require.NoError(t, proxy.VisitPayloads(t.Context(), history, proxy.VisitPayloadsOptions{
		Visitor: func(_ *proxy.VisitPayloadsContext, payloads []*commonpb.Payload) ([]*commonpb.Payload, error) {
			return with.Encode(payloads)
		},
		SkipSearchAttributes: true,
	}))
}

func studioKey(t *testing.T, id string) codec.Codec {
	t.Helper()
	keys, err := codec.ParseKeys(id + ":" + base64.StdEncoding.EncodeToString(bytes.Repeat([]byte(id[:1]), 32)))
	require.NoError(t, err)
	return keys
}

const keyMissing = `encrypted with codec key "studio", which CODEC_KEYS does not hold: add that key`

func TestEncryptedJobs(t *testing.T) {
	with, without := starter.Options{Codec: studioKey(t, "studio")}, starter.Options{Codec: studioKey(t, "other")}
	result := workflows.ModifyVideoResult{TaskID: taskID, WokenBy: "callback", Videos: []workflows.Video{{Location: "file:///v.mp4", Bytes: 7}}}

	t.Run("completed", func(t *testing.T) {
		fake := newTemporal(t)
		job := fake.job(jobID).end(statusCompleted, time.Minute)
		job.history.endsWell(result)
		job.history.sealed(t, with.Codec)
		report, err := starter.New(fake, with).Status(t.Context(), jobID)
		require.NoError(t, err)
		require.Equal(t, &result, report.Result)
		_, err = starter.New(fake, without).Status(t.Context(), jobID)
		require.EqualError(t, err, "read the result of job "+jobID+": "+keyMissing)
	})
	t.Run("failed", func(t *testing.T) {
		fake := newTemporal(t)
		job := fake.job(jobID).end(statusFailed, time.Minute)
		job.history.completes(job.history.schedules("Submit", ""), activities.Submitted{TaskID: taskID})
		job.history.endsFailed(application("ResultOverdue", "job x: late"))
		job.history.sealed(t, with.Codec)
		report, err := starter.New(fake, with).Status(t.Context(), jobID)
		require.NoError(t, err)
		require.Equal(t, &starter.Failure{Type: "ResultOverdue", Message: "job x: late"}, report.Failure)
		require.Equal(t, taskID, report.TaskID)
		report, err = starter.New(fake, without).Status(t.Context(), jobID)
		require.NoError(t, err)
		require.Equal(t, &starter.Failure{Type: "ResultOverdue", Message: keyMissing}, report.Failure)

		var unsettled *starter.UnsettledError
		_, err = starter.New(fake, with).Submit(t.Context(), request, "")
		require.ErrorAs(t, err, &unsettled)
		require.Equal(t, taskID, unsettled.TaskID)
		_, err = starter.New(fake, without).Submit(t.Context(), request, "")
		require.ErrorAs(t, err, &unsettled, "what can't be read may be paid")
		require.Empty(t, fake.starts)
	})
	t.Run("an id that is taken", func(t *testing.T) {
		fake := newTemporal(t)
		fake.job("shot-7").history.sealed(t, with.Codec)
		job, err := starter.New(fake, with).SubmitAs(t.Context(), "shot-7", request)
		require.NoError(t, err)
		require.True(t, job.Existing)
		_, err = starter.New(fake, without).SubmitAs(t.Context(), "shot-7", request)
		require.EqualError(t, err, "job shot-7 exists and what it was asked for can't be read ("+keyMissing+"): choose another --id")
	})
}

// A job whose workflow task fails again and again says why.
func TestStatusOfAJobThatIsStuck(t *testing.T) {
	fake := newTemporal(t)
	job := fake.job(jobID)
	job.answer = func() (workflows.Status, error) {
		return workflows.Status{}, serviceerror.NewWorkflowNotReady("Unable to query workflow due to Workflow Task in failed state.")
	}
	fails := func(message string) {
		job.history.add(enumspb.EVENT_TYPE_WORKFLOW_TASK_FAILED, &historypb.HistoryEvent{
			Attributes: &historypb.HistoryEvent_WorkflowTaskFailedEventAttributes{
				WorkflowTaskFailedEventAttributes: &historypb.WorkflowTaskFailedEventAttributes{
					Failure: failureOf(application("PanicError", message)),
				},
			},
		})
	}
	report, err := starter.New(fake, starter.Options{}).Status(t.Context(), jobID)
	require.NoError(t, err)
	require.Equal(t, "the job can't be asked: query job "+jobID+": Unable to query workflow due to Workflow Task in failed state.", report.Note)

	fails("an earlier one")
	fails("the job waits for a worker that can read it:\n" + keyMissing)
	report, err = starter.New(fake, starter.Options{}).Status(t.Context(), jobID)
	require.NoError(t, err)
	require.Equal(t, "the workers can't go on with it: the job waits for a worker that can read it: "+keyMissing, report.Note)

	// Between two tries Temporal waits for a worker that does not come.
	job.answer = func() (workflows.Status, error) {
		return workflows.Status{}, serviceerror.NewDeadlineExceeded("no answer")
	}
	job.attempt = 3
	report, err = starter.New(fake, starter.Options{}).Status(t.Context(), jobID)
	require.NoError(t, err)
	require.Equal(t, "the workers can't go on with it: the job waits for a worker that can read it: "+keyMissing, report.Note)
	job.history.add(enumspb.EVENT_TYPE_WORKFLOW_TASK_COMPLETED, &historypb.HistoryEvent{})
	report, err = starter.New(fake, starter.Options{}).Status(t.Context(), jobID)
	require.NoError(t, err)
	require.NotContains(t, report.Note, keyMissing, "that is over")

	// Another build under the same id.
	fails("[TMPRL1100] lookup failed")
	job.versioning = &workflowpb.WorkflowExecutionVersioningInfo{
		Behavior:          enumspb.VERSIONING_BEHAVIOR_PINNED,
		DeploymentVersion: &deploymentpb.WorkerDeploymentVersion{DeploymentName: "lumaflow", BuildId: "v1"},
	}
	report, err = starter.New(fake, starter.Options{}).Status(t.Context(), jobID)
	require.NoError(t, err)
	require.Equal(t, "the workers can't go on with it: [TMPRL1100] lookup failed; the workers run other code than the job began with: "+
		"stop them and start the build that it began with as version v1 of deployment lumaflow; other code needs another TEMPORAL_WORKER_BUILD_ID", report.Note)
}

// An open job whose answer can't be read is not taken for one without a worker.
func TestAnAnswerThatCannotBeRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := newTemporal(t)
		job := fake.job(jobID)
		job.answer = func() (workflows.Status, error) { return workflows.Status{}, &codec.KeyError{KeyID: "studio"} }
		ctx, cancel := context.WithCancel(t.Context())
		w := watch(ctx, starter.New(fake, starter.Options{}), jobID)
		require.Equal(t, "its answer is "+keyMissing, w.last().Silence)
		cancel()
		<-w.done

		report, err := starter.New(fake, starter.Options{}).Status(t.Context(), jobID)
		require.NoError(t, err)
		require.Equal(t, "the job can't be asked: query job "+jobID+": "+keyMissing, report.Note)
	})
}

// Temporal takes summaries of 400 bytes, encrypted or not.
func TestSummariesFitEncrypted(t *testing.T) {
	data := studioKey(t, "a-key-with-the-longest-id-of-all").ForClient().Data
	for _, letter := range []string{"x", "雪", "<", "🎬", `"`} {
		payload, err := data.ToPayload(starter.Summary(workflows.ModifyVideoInput{Prompt: string(bytes.Repeat([]byte(letter), 200))}))
		require.NoError(t, err)
		require.LessOrEqual(t, proto.Size(payload), 400, letter)
	}
}
