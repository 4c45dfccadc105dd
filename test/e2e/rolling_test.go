package e2e_test

import (
	"flag"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/converter"
)

// restarts is the number of times that each process is replaced.
var restarts = flag.Int("restarts", 2, "restarts of each of the four processes in TestRollingRestart")

// Every worker and every webhook is replaced twice, one after the other, while five
// jobs a second start. Each job ends with its file and one charge, none was ever
// unknown, and each callback is acknowledged at the first attempt.
func TestRollingRestart(t *testing.T) {
	t.Parallel()
	f := newFleet(t, setup{simulate: []string{"--rate-limit", "0"}})
	began := time.Now()
	stream := f.keepStarting("e2e-rolling", time.Second/5)
	defer stream.stop()
	for range *restarts {
		f.restart("webhook", "worker")
	}
	stream.stop()
	took := time.Since(began)
	require.NoError(t, stream.err)
	jobs := stream.started()
	for _, id := range jobs {
		result, err := f.result(id)
		require.NoError(t, err, id)
		f.verified(result, f.charge(id))
		require.False(t, f.wasUnknown(id), id)
	}
	f.requireOneCallbackEach(len(jobs))
	t.Logf("%d jobs in %s while %d processes were replaced; the slowest took %s to stop",
		len(jobs), took.Round(time.Second), 4**restarts, f.slowest.Round(100*time.Millisecond))
}

// wasUnknown reports whether a job ever waited for proof of its submission.
func (w *world) wasUnknown(id string) bool {
	w.t.Helper()
	for _, event := range w.events(id) {
		var summary string
		payload := event.GetUserMetadata().GetSummary()
		if event.EventType == enumspb.EVENT_TYPE_TIMER_STARTED && payload != nil {
			require.NoError(w.t, converter.GetDefaultDataConverter().FromPayload(payload, &summary))
		}
		if strings.HasPrefix(summary, "recovery window") {
			return true
		}
	}
	return false
}
