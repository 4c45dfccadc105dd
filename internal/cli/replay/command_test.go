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
)

// check runs the command and returns what it printed.
func check(t *testing.T, ctx context.Context, with replay.Command, through *temporal, options replay.Options) (out string, err error) {
	t.Helper()
	var printed, said bytes.Buffer
	err = with.RunWith(ctx, through, options, command.Streams{In: strings.NewReader(""), Out: &printed, Err: &said})
	require.Empty(t, said.String(), "there is no progress for what is no terminal")
	return printed.String(), err
}

func TestThisBuildCanTakeOver(t *testing.T) {
	t.Run("all open jobs and the latest closed ones", func(t *testing.T) {
		through := &temporal{open: jobs(t, 7, "open", "worker-died-before-sending"), closed: jobs(t, 9, "closed", "refused")}
		for i, events := range []int{2, 3, 5, 6, 7, 8, 9} {
			through.open[i].history = upTo(through.open[i].history, events)
		}
		out, err := check(t, t.Context(), replay.Command{Closed: 5}, through, replay.Options{})
		require.NoError(t, err)
		require.Equal(t, "replayed 7 open and 5 closed jobs: this build can take over\n", out)
		require.Len(t, through.asked, 12)
		require.Contains(t, through.asked, "open-6/run-of-open-6")
		require.NotContains(t, through.asked, "closed-5/run-of-closed-5")
		require.Contains(t, through.queries, "WorkflowType = 'ModifyVideo' AND CloseTime IS NULL")
	})
	t.Run("one of each, of one task queue", func(t *testing.T) {
		through := &temporal{open: jobs(t, 1, "日本語/🎬", "refused"), closed: jobs(t, 1, "closed", "refused")}
		out, err := check(t, t.Context(), replay.Command{Closed: 200, TaskQueue: `it's`}, through, replay.Options{})
		require.NoError(t, err)
		require.Equal(t, "replayed 1 open and 1 closed job: this build can take over\n", out)
		require.Contains(t, through.queries, `WorkflowType = 'ModifyVideo' AND CloseTime IS NOT NULL AND TaskQueue = 'it\'s'`)
	})
	t.Run("no closed jobs", func(t *testing.T) {
		through := &temporal{open: jobs(t, 1, "open", "refused"), closed: jobs(t, 1, "closed", "refused")}
		out, err := check(t, t.Context(), replay.Command{JSON: true}, through, replay.Options{})
		require.NoError(t, err)
		require.JSONEq(t, `{"open":1,"closed":0,"gone":0}`, out)
		require.Len(t, through.queries, 1)
	})
	t.Run("no jobs at all", func(t *testing.T) {
		out, err := check(t, t.Context(), replay.Command{Closed: 1, TaskQueue: "typo"}, &temporal{}, replay.Options{})
		require.NoError(t, err)
		require.Equal(t, "there are no jobs to replay on task queue typo: nothing can break\n", out)
	})
	t.Run("a job that vanishes meanwhile", func(t *testing.T) {
		through := &temporal{open: jobs(t, 2, "open", "refused")}
		through.open[0].err = serviceerror.NewNotFound("gone")
		out, err := check(t, t.Context(), replay.Command{}, through, replay.Options{})
		require.NoError(t, err)
		require.Equal(t, "replayed 1 open and 0 closed jobs: this build can take over (1 more were deleted meanwhile)\n", out)
	})
}

func TestAJobThatWouldBreakIsNamed(t *testing.T) {
	through := &temporal{open: jobs(t, 20, "open", "refused"), closed: jobs(t, 1, "closed", "refused")}
	for i := range through.open {
		through.open[i].hangs = true
	}
	through.open[1] = job{id: "odd\nid", history: recorded(t, "refused")}
	out, err := check(t, t.Context(), replay.Command{Closed: 200, JSON: true}, through, coded(other))
	require.EqualError(t, err, "job odd id (run run-of-odd id) would break under this build: "+
		"its history has ActivityTaskScheduled Submit where this build does ScheduleActivityTask Other. Next: don't deploy it while such jobs are open; "+
		"have the changed code in workflows/ ask workflow.GetVersion and go both ways, or leave the old workers running until those jobs have ended")
	require.Equal(t, command.ExitFailed, command.ExitCode(err))
	require.Contains(t, out, `"workflowId": "odd\nid"`)
	require.NotContains(t, through.asked, "closed-0/run-of-closed-0", "it stops at the first")
}

func studio(t *testing.T) codec.Codec {
	t.Helper()
	keys, err := codec.ParseKeys("studio:MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=")
	require.NoError(t, err)
	return keys
}

func TestAnIncompleteCheckIsAnError(t *testing.T) {
	t.Run("a history that can't be read", func(t *testing.T) {
		through := &temporal{closed: jobs(t, 3, "closed", "refused")}
		through.closed[2].err = errors.New("connection\nreset")
		out, err := check(t, t.Context(), replay.Command{Closed: 3}, through, replay.Options{})
		require.EqualError(t, err, "read the history of job closed-2: connection reset; so it is not known whether this build can take over, try again")
		require.Empty(t, out)
	})
	t.Run("a history that is encrypted with another key", func(t *testing.T) {
		through := &temporal{open: jobs(t, 1, "open", "refused")}
		sealed, err := studio(t).Encode(through.open[0].history.GetEvents()[0].GetWorkflowExecutionStartedEventAttributes().GetInput().GetPayloads())
		require.NoError(t, err)
		through.open[0].history.GetEvents()[0].GetWorkflowExecutionStartedEventAttributes().GetInput().Payloads = sealed
		_, err = check(t, t.Context(), replay.Command{}, through, replay.Options{})
		require.EqualError(t, err, `read the history of job open-0: encrypted with codec key "studio", which CODEC_KEYS does not hold: add that key; `+
			"so it is not known whether this build can take over, try again")
		out, err := check(t, t.Context(), replay.Command{}, through, replay.Options{Codec: studio(t)})
		require.NoError(t, err)
		require.Equal(t, "replayed 1 open and 0 closed jobs: this build can take over\n", out)
	})
	t.Run("a list that can't be read", func(t *testing.T) {
		_, err := check(t, t.Context(), replay.Command{}, &temporal{listErr: errors.New("down")}, replay.Options{})
		require.ErrorContains(t, err, "list the jobs: down")
	})
	t.Run("an interruption", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		through := &temporal{open: jobs(t, 50, "open", "refused"), read: cancel}
		_, err := check(t, ctx, replay.Command{}, through, replay.Options{})
		require.ErrorIs(t, err, context.Canceled)
		require.ErrorContains(t, err, "interrupted after")
		require.Less(t, len(through.asked), 50)
	})
}

func TestUsage(t *testing.T) {
	for _, closed := range []int{-1, 1_000_001} {
		err := (&replay.Command{Closed: closed}).Run(t.Context(), command.Streams{})
		require.ErrorContains(t, err, "--closed is ")
		require.Equal(t, command.ExitUsage, command.ExitCode(err))
	}
}
