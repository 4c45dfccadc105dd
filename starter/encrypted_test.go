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
	"lumaflow/test/startertest"
	"lumaflow/workflows"
)

// encrypt encrypts the payloads of a history, as a worker with the keys does.
func encrypt(t *testing.T, h *startertest.History, with codec.Codec) {
	t.Helper()
	history := &historypb.History{Events: h.Events}
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
		fake := startertest.New(t)
		job := fake.Job(jobID).End(statusCompleted, time.Minute)
		job.History.EndCompleted(result)
		encrypt(t, job.History, with.Codec)
		report, err := starter.New(fake, with).Status(t.Context(), jobID)
		require.NoError(t, err)
		require.Equal(t, &result, report.Result)
		_, err = starter.New(fake, without).Status(t.Context(), jobID)
		require.EqualError(t, err, "read the result of job "+jobID+": "+keyMissing)
	})
	t.Run("failed", func(t *testing.T) {
		fake := startertest.New(t)
		job := fake.Job(jobID).End(statusFailed, time.Minute)
		job.History.Complete(job.History.Schedule("Submit", ""), activities.Submitted{TaskID: taskID})
		job.History.EndFailed(startertest.ApplicationError("ResultOverdue", "job x: late"))
		encrypt(t, job.History, with.Codec)
		report, err := starter.New(fake, with).Status(t.Context(), jobID)
		require.NoError(t, err)
		require.Equal(t, &starter.Failure{Type: "ResultOverdue", Message: "job x: late"}, report.Failure)
		require.Equal(t, taskID, report.TaskID)
		report, err = starter.New(fake, without).Status(t.Context(), jobID)
		require.NoError(t, err)
		require.Equal(t, &starter.Failure{Type: "ResultOverdue", Message: keyMissing}, report.Failure)

		var paid *starter.PaidError
		_, err = starter.New(fake, with).Submit(t.Context(), request, "")
		require.ErrorAs(t, err, &paid)
		require.Equal(t, taskID, paid.TaskID)
		_, err = starter.New(fake, without).Submit(t.Context(), request, "")
		require.ErrorAs(t, err, &paid, "an unreadable history may hold a paid task")
		require.Empty(t, fake.Starts)
	})
	t.Run("an id in use", func(t *testing.T) {
		fake := startertest.New(t)
		encrypt(t, fake.Job("shot-7").History, with.Codec)
		job, err := starter.New(fake, with).SubmitAs(t.Context(), "shot-7", request)
		require.NoError(t, err)
		require.True(t, job.Existing)
		_, err = starter.New(fake, without).SubmitAs(t.Context(), "shot-7", request)
		require.EqualError(t, err, "job shot-7 exists and its request can't be read ("+keyMissing+"): choose another --id")
	})
}

// The status contains the failure of a workflow task that is retried forever.
func TestStatusOfFailingWorkflowTask(t *testing.T) {
	fake := startertest.New(t)
	job := fake.Job(jobID)
	job.Answer = func() (workflows.Status, error) {
		return workflows.Status{}, serviceerror.NewWorkflowNotReady("Unable to query workflow due to Workflow Task in failed state.")
	}
	fails := func(message string) {
		job.History.Add(enumspb.EVENT_TYPE_WORKFLOW_TASK_FAILED, &historypb.WorkflowTaskFailedEventAttributes{
			Failure: startertest.FailureOf(startertest.ApplicationError("PanicError", message)),
		})
	}
	report, err := starter.New(fake, starter.Options{}).Status(t.Context(), jobID)
	require.NoError(t, err)
	require.Equal(t, "query job "+jobID+": Unable to query workflow due to Workflow Task in failed state.", report.Note)

	fails("an earlier one")
	fails("the job waits for a worker that can read it:\n" + keyMissing)
	report, err = starter.New(fake, starter.Options{}).Status(t.Context(), jobID)
	require.NoError(t, err)
	const reason = "its workflow task fails in the workers: the job waits for a worker that can read it: " + keyMissing
	require.Equal(t, reason, report.Note)

	// Between two attempts the query has no answer.
	job.Answer = func() (workflows.Status, error) {
		return workflows.Status{}, serviceerror.NewDeadlineExceeded("no answer")
	}
	job.WorkflowTaskAttempt = 3
	report, err = starter.New(fake, starter.Options{}).Status(t.Context(), jobID)
	require.NoError(t, err)
	require.Equal(t, reason, report.Note)
	job.History.Add(enumspb.EVENT_TYPE_WORKFLOW_TASK_COMPLETED, &historypb.WorkflowTaskCompletedEventAttributes{})
	report, err = starter.New(fake, starter.Options{}).Status(t.Context(), jobID)
	require.NoError(t, err)
	require.NotContains(t, report.Note, keyMissing, "the workflow task has completed since")

	// Other code under the same build id.
	fails("[TMPRL1100] lookup failed")
	job.Versioning = &workflowpb.WorkflowExecutionVersioningInfo{
		Behavior:          enumspb.VERSIONING_BEHAVIOR_PINNED,
		DeploymentVersion: &deploymentpb.WorkerDeploymentVersion{DeploymentName: "lumaflow", BuildId: "v1"},
	}
	report, err = starter.New(fake, starter.Options{}).Status(t.Context(), jobID)
	require.NoError(t, err)
	require.Equal(t, "its workflow task fails in the workers: [TMPRL1100] lookup failed; the workers run other code than the job began with: "+
		"stop them and start the build that it began with as version v1 of deployment lumaflow; other code needs another TEMPORAL_WORKER_BUILD_ID", report.Note)
}

// A wait has the reason of the status.
func TestWaitForFailingWorkflowTask(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := startertest.New(t)
		job := fake.Job(jobID)
		job.Answer = func() (workflows.Status, error) {
			return workflows.Status{}, serviceerror.NewWorkflowNotReady("Unable to query workflow due to Workflow Task in failed state.")
		}
		job.History.Add(enumspb.EVENT_TYPE_WORKFLOW_TASK_FAILED, &historypb.WorkflowTaskFailedEventAttributes{
			Failure: startertest.FailureOf(startertest.ApplicationError("PanicError", keyMissing)),
		})
		ctx, cancel := context.WithCancel(t.Context())
		w := watch(ctx, starter.New(fake, starter.Options{}))
		require.Equal(t, "its workflow task fails in the workers: "+keyMissing, w.last().Silence)
		cancel()
		<-w.done
	})
}

// An answer that can't be decrypted is reported as such, not as a missing worker.
func TestAnswerWithoutKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := startertest.New(t)
		job := fake.Job(jobID)
		job.Answer = func() (workflows.Status, error) { return workflows.Status{}, &codec.KeyError{KeyID: "studio"} }
		ctx, cancel := context.WithCancel(t.Context())
		w := watch(ctx, starter.New(fake, starter.Options{}))
		require.Equal(t, "its answer is "+keyMissing, w.last().Silence)
		cancel()
		<-w.done

		report, err := starter.New(fake, starter.Options{}).Status(t.Context(), jobID)
		require.NoError(t, err)
		require.Equal(t, "query job "+jobID+": "+keyMissing, report.Note)
	})
}

// Temporal accepts summaries of 400 bytes, encrypted or not.
func TestSummariesFitEncrypted(t *testing.T) {
	data := studioKey(t, "a-key-with-the-longest-id-of-all").ForClient().Of("a-namespace", "a-job").Data
	for _, letter := range []string{"x", "雪", "<", "🎬", `"`} {
		payload, err := data.ToPayload(workflows.ModifyVideoInput{Prompt: string(bytes.Repeat([]byte(letter), 200))}.Summary())
		require.NoError(t, err)
		require.LessOrEqual(t, proto.Size(payload), 400, letter)
	}
}
