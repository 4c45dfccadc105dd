package e2e_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Every worker and every webhook is replaced twice, one after the other, while
// five jobs a second begin: each job ends with its file and one charge, and each
// callback is answered when it comes for the first time.
func TestRollingRestart(t *testing.T) {
	t.Parallel()
	balancer := newBalancer(t)
	w := enter(t, setup{
		env:         []string{withPorts, "CALLBACK_BASE_URL=" + balancer.url},
		simulate:    []string{"--rate-limit", "0"},
		noCallbacks: true, noWorker: true,
	})
	webhook := func() *process {
		p := start(t, w.env, "webhook")
		address := p.says(`webhook listening.*address=(\S+)`)
		w.until("the webhook is ready", func() bool { status, _ := p.get("/readyz"); return status == http.StatusOK })
		balancer.add(t, "http://"+address, p.own("/readyz"))
		return p
	}
	worker := func() *process {
		p := start(t, w.env, "worker")
		w.until("the worker is ready", func() bool { status, _ := p.get("/readyz"); return status == http.StatusOK })
		return p
	}
	webhooks, workers := []*process{webhook(), webhook()}, []*process{worker(), worker()}

	began := time.Now()
	load := w.keepStarting("e2e-rolling", time.Second/5)
	defer load.stop()
	var slowest time.Duration
	for range 2 {
		for i := range 2 {
			for _, role := range []struct {
				old   []*process
				start func() *process
			}{{webhooks, webhook}, {workers, worker}} {
				next := role.start()
				stopping := time.Now()
				require.Zero(t, role.old[i].stop())
				slowest = max(slowest, time.Since(stopping))
				role.old[i] = next
			}
		}
	}
	load.stop()
	took := time.Since(began)
	require.NoError(t, load.err)
	jobs := load.started()
	for _, id := range jobs {
		result, err := w.result(id)
		require.NoError(t, err, id)
		w.verified(result, w.charge(id))
	}
	w.until("no callback is owed", func() bool {
		for _, charge := range w.ledger().Tasks {
			if !charge.Settled {
				return false
			}
		}
		return true
	})
	ledger := w.ledger()
	require.Equal(t, len(jobs), ledger.Charges)
	for _, charge := range ledger.Tasks {
		require.Equal(t, 1, charge.Callbacks.Sent, "answered at once: %+v", charge.Callbacks)
		require.Equal(t, 1, charge.Callbacks.Acknowledged)
	}
	require.Equal(t, len(jobs), balancer.requests())
	t.Logf("%d jobs in %s while 8 processes were replaced; the slowest took %s to stop",
		len(jobs), took.Round(time.Second), slowest.Round(100*time.Millisecond))
}
