package workflows_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/temporal"

	"lumaflow/activities"
	"lumaflow/workflows"
)

// uploadedFor is a request whose video kie.ai deletes after a while.
func (l *life) uploadedFor(lifetime time.Duration) workflows.ModifyVideoInput {
	input := request
	input.VideoSHA256 = strings.Repeat("0a", 32)
	input.VideoExpires = l.Now().Add(lifetime).UTC().Format(time.RFC3339)
	return input
}

// A submission has to be made while the uploaded video is there, and before the
// deadline.
func TestSubmissionsEndWithTheUpload(t *testing.T) {
	tests := []struct {
		name              string
		lifetime          time.Duration
		deadline          string
		until             time.Duration
		endsWithTheUpload bool
	}{
		{"the upload expires first", 23 * time.Hour, "", 23 * time.Hour, true},
		{"the deadline comes first", 23 * time.Hour, "2h", 2 * time.Hour, false},
		{"the upload has expired", -time.Hour, "", -time.Hour, true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			l := newLife(t)
			begun := l.Now()
			input := l.uploadedFor(test.lifetime)
			input.Deadline = test.deadline
			l.submits(func(in activities.SubmitInput) (activities.Submitted, error) {
				require.WithinDuration(t, begun.Add(test.until), in.Until, 2*time.Second)
				require.Equal(t, test.endsWithTheUpload, in.Expires)
				return l.accepted(ourTask)(in)
			}).polls(ourTask).stores().callback(time.Minute, ourTask)
			l.run(input).succeeds()
		})
	}
}

func TestTheUploadExpires(t *testing.T) {
	const again = "Next: run the same submit command again; it uploads the video again"
	expires := func(l *life) func(activities.SubmitInput) (activities.Submitted, error) {
		return l.fails(activities.VideoExpired, l.evidence(activities.PhaseRefused, ""))
	}
	t.Run("while kie.ai holds the job", func(t *testing.T) {
		l := newLife(t)
		l.submits(l.fails(activities.Held, activities.Hold{Code: 402, Reason: "not enough credits", Attempts: 1}), expires(l))
		l.run(l.uploadedFor(time.Hour)).failsWith(workflows.SubmitRefused, "the provider's words", again)
	})
	t.Run("while workers die", func(t *testing.T) {
		l := newLife(t).endsOnTimeout()
		l.OnActivity(a.Submit, anything, anything).Return(func(_ ctx, in activities.SubmitInput) (activities.Submitted, error) {
			return l.dies(enumspb.TIMEOUT_TYPE_HEARTBEAT)(in)
		}).After(time.Minute)
		l.run(l.uploadedFor(10*time.Minute)).failsWith(workflows.SubmitRefused, "nothing was charged", again)
	})
	t.Run("while no worker is there", func(t *testing.T) {
		l := newLife(t)
		input := l.uploadedFor(time.Hour)
		l.OnActivity(a.Submit, anything, anything).Return(activities.Submitted{}, temporal.NewTimeoutError(enumspb.TIMEOUT_TYPE_SCHEDULE_TO_START, nil)).After(65 * time.Minute)
		l.run(input).failsWith(workflows.SubmitRefused, "nothing was charged", again)
	})
	// What is known to be unpaid must not hide what may be paid.
	t.Run("before an operator submits again", func(t *testing.T) {
		l := newLife(t)
		l.submits(l.unknown(), expires(l)).resolves(30*time.Minute, workflows.Resolution{Action: "resubmit"})
		l.run(l.uploadedFor(time.Hour)).failsWith(workflows.SubmitUnknown, "check whether the earlier submission was paid", "https://kie.ai/logs")
		require.NotContains(t, l.status().Detail, "run the same submit command again")
	})
}
