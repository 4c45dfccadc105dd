package replay_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/serviceerror"

	"lumaflow/internal/cli/replay"
	"lumaflow/internal/command"
	"lumaflow/internal/temporal/codec"
	replays "lumaflow/worker/replay"
)

// check runs the command and returns its standard output.
func check(ctx context.Context, t *testing.T, with replay.Command, service *temporal, options replays.Options) (out string, err error) {
	t.Helper()
	var printed, errs bytes.Buffer
	err = with.RunWith(ctx, service, options, command.Streams{In: strings.NewReader(""), Out: &printed, Err: &errs})
	require.Empty(t, errs.String(), "no progress without a terminal")
	return printed.String(), err
}

func TestThisBuildCanTakeOver(t *testing.T) {
	t.Run("all open jobs and the latest closed ones", func(t *testing.T) {
		service := &temporal{open: jobs(t, 7, "open", "worker-died-before-sending"), closed: jobs(t, 9, "closed", "refused")}
		for i, events := range []int{2, 3, 5, 6, 7, 8, 9} {
			service.open[i].history = upTo(service.open[i].history, events)
		}
		out, err := check(t.Context(), t, replay.Command{Closed: 5}, service, replays.Options{})
		require.NoError(t, err)
		require.Equal(t, "replayed 7 open and 5 closed jobs: this build can take over\n", out)
		require.Len(t, service.read, 12)
		require.Contains(t, service.read, "open-6/run-of-open-6")
		require.NotContains(t, service.read, "closed-5/run-of-closed-5")
		require.Contains(t, service.queries, "WorkflowType IN ('ModifyVideo', 'ModifyVideos') AND CloseTime IS NULL")
	})
	t.Run("one of each, of one task queue", func(t *testing.T) {
		service := &temporal{open: jobs(t, 1, "日本語/🎬", "refused"), closed: jobs(t, 1, "closed", "refused")}
		out, err := check(t.Context(), t, replay.Command{Closed: 200, TaskQueue: `it's`}, service, replays.Options{})
		require.NoError(t, err)
		require.Equal(t, "replayed 1 open and 1 closed job: this build can take over\n", out)
		require.Contains(t, service.queries, `WorkflowType IN ('ModifyVideo', 'ModifyVideos') AND CloseTime IS NOT NULL AND TaskQueue = 'it\'s'`)
	})
	t.Run("no closed jobs", func(t *testing.T) {
		service := &temporal{open: jobs(t, 1, "open", "refused"), closed: jobs(t, 1, "closed", "refused")}
		out, err := check(t.Context(), t, replay.Command{JSON: true}, service, replays.Options{})
		require.NoError(t, err)
		require.JSONEq(t, `{"open":1,"closed":0,"gone":0}`, out)
		require.Len(t, service.queries, 1)
	})
	t.Run("no jobs at all", func(t *testing.T) {
		out, err := check(t.Context(), t, replay.Command{Closed: 1, TaskQueue: "typo"}, &temporal{}, replays.Options{})
		require.NoError(t, err)
		require.Equal(t, "there are no jobs to replay on task queue typo: nothing can break\n", out)
	})
	t.Run("a job that is deleted during the check", func(t *testing.T) {
		service := &temporal{open: jobs(t, 2, "open", "refused")}
		service.open[0].err = serviceerror.NewNotFound("gone")
		out, err := check(t.Context(), t, replay.Command{}, service, replays.Options{})
		require.NoError(t, err)
		require.Equal(t, "replayed 1 open and 0 closed jobs: this build can take over (1 more were deleted during the check)\n", out)
	})
}

func TestAJobThatWouldBreakIsNamed(t *testing.T) {
	service := &temporal{open: jobs(t, 20, "open", "refused"), closed: jobs(t, 1, "closed", "refused")}
	for i := range service.open {
		service.open[i].hangs = true
	}
	service.open[1] = job{id: "odd\nid", history: recorded(t, "refused")}
	out, err := check(t.Context(), t, replay.Command{Closed: 200, JSON: true}, service, coded(other))
	require.EqualError(t, err, "job odd id (run run-of-odd id) would break under this build: "+
		"its history has ActivityTaskScheduled Submit where this build does ScheduleActivityTask Other. Next: don't deploy it while such jobs are open; "+
		"guard the changed code in workflows/ with workflow.GetVersion, or keep the old workers running until those jobs have ended")
	require.Equal(t, command.ExitFailed, command.ExitCode(err))
	require.Contains(t, out, `"workflowId": "odd\nid"`)
	require.NotContains(t, service.read, "closed-0/run-of-closed-0", "it stops at the first")
}

func studio(t *testing.T) codec.Codec {
	t.Helper()
	keys, err := codec.ParseKeys("studio:MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=")
	require.NoError(t, err)
	return keys
}

func TestAnIncompleteCheckIsAnError(t *testing.T) {
	t.Run("a history that can't be read", func(t *testing.T) {
		service := &temporal{closed: jobs(t, 3, "closed", "refused")}
		service.closed[2].err = errors.New("connection\nreset")
		out, err := check(t.Context(), t, replay.Command{Closed: 3}, service, replays.Options{})
		require.EqualError(t, err, "read the history of job closed-2: connection reset; the check is incomplete, try again")
		require.Empty(t, out)
	})
	t.Run("a history that is encrypted with another key", func(t *testing.T) {
		service := &temporal{open: jobs(t, 1, "open", "refused")}
		sealed, err := studio(t).Encode(service.open[0].history.GetEvents()[0].GetWorkflowExecutionStartedEventAttributes().GetInput().GetPayloads())
		require.NoError(t, err)
		service.open[0].history.GetEvents()[0].GetWorkflowExecutionStartedEventAttributes().GetInput().Payloads = sealed
		_, err = check(t.Context(), t, replay.Command{}, service, replays.Options{})
		require.EqualError(t, err, `read the history of job open-0: encrypted with codec key "studio", which CODEC_KEYS does not hold: add that key; the check is incomplete, try again`)
		// The other events are those of a job that began without keys.
		_, err = check(t.Context(), t, replay.Command{}, service, replays.Options{Codec: studio(t)})
		require.ErrorContains(t, err, "refused: not encrypted")
		accepting, err := studio(t).AcceptPlaintext("true")
		require.NoError(t, err)
		out, err := check(t.Context(), t, replay.Command{}, service, replays.Options{Codec: accepting})
		require.NoError(t, err)
		require.Equal(t, "replayed 1 open and 0 closed jobs: this build can take over\n", out)
	})
	t.Run("a list that can't be read", func(t *testing.T) {
		_, err := check(t.Context(), t, replay.Command{}, &temporal{listErr: errors.New("down")}, replays.Options{})
		require.ErrorContains(t, err, "list the jobs: down")
	})
	t.Run("an interruption", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		service := &temporal{open: jobs(t, 50, "open", "refused"), onRead: cancel}
		_, err := check(ctx, t, replay.Command{}, service, replays.Options{})
		require.ErrorIs(t, err, context.Canceled)
		require.ErrorContains(t, err, "interrupted after")
		require.Less(t, len(service.read), 50)
	})
}

func TestUsage(t *testing.T) {
	for _, closed := range []int{-1, 1_000_001} {
		err := (&replay.Command{Closed: closed}).Run(t.Context(), command.Streams{})
		require.ErrorContains(t, err, "--closed is ")
		require.Equal(t, command.ExitUsage, command.ExitCode(err))
	}
}
