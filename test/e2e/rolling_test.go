package e2e_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Every worker and every webhook is replaced twice, one after the other, while five
// jobs a second start. Each job ends with its file and one charge, and each callback
// is acknowledged at the first attempt.
func TestRollingRestart(t *testing.T) {
	t.Parallel()
	f := newFleet(t, setup{simulate: []string{"--rate-limit", "0"}})
	began := time.Now()
	stream := f.keepStarting("e2e-rolling", time.Second/5)
	defer stream.stop()
	for range 2 {
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
	}
	f.requireOneCallbackEach(len(jobs))
	t.Logf("%d jobs in %s while 8 processes were replaced; the slowest took %s to stop",
		len(jobs), took.Round(time.Second), f.slowest.Round(100*time.Millisecond))
}
