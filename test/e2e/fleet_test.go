package e2e_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// fleet is a world with two workers, and two webhooks behind a balancer.
type fleet struct {
	*world
	balancer *balancer
	// running are the two processes of each role, all is who ever ran.
	running map[string][]*process
	all     []*process
	// slowest is how long the slowest took to stop.
	slowest time.Duration
}

func newFleet(t *testing.T, with setup) *fleet {
	t.Helper()
	front := newBalancer(t)
	with.env = append(with.env, withPorts, "CALLBACK_BASE_URL="+front.url)
	with.noCallbacks, with.noWorker = true, true
	f := &fleet{world: enter(t, with), balancer: front, running: map[string][]*process{}}
	for range 2 {
		for _, role := range []string{"webhook", "worker"} {
			f.running[role] = append(f.running[role], f.begin(role))
		}
	}
	return f
}

// begin starts one more process and waits until it is ready.
func (f *fleet) begin(role string) *process {
	f.t.Helper()
	p := start(f.t, f.env, role)
	f.all = append(f.all, p)
	f.until(role+" is ready", func() bool { status, _ := p.get("/readyz"); return status == http.StatusOK })
	if role == "webhook" {
		f.balancer.add(f.t.(*testing.T), takesCallbacks(p), p.own("/readyz"))
	}
	return p
}

// takesCallbacks is where a webhook does.
func takesCallbacks(webhook *process) string {
	return "http://" + webhook.awaitOutput(`webhook listening.*address=(\S+)`)
}

// restart replaces every process, one after the other: one begins with what the
// environment is now, then an old one ends.
func (f *fleet) restart(roles ...string) {
	f.t.Helper()
	for i := range 2 {
		for _, role := range roles {
			next, old := f.begin(role), f.running[role][i]
			stopping := time.Now()
			require.Zero(f.t, old.stop())
			f.slowest = max(f.slowest, time.Since(stopping))
			if role == "webhook" {
				f.balancer.remove(takesCallbacks(old))
			}
			f.running[role][i] = next
		}
	}
}

// answeredAtOnce waits for the callbacks of so many jobs. Each must have come
// once, and been taken then.
func (f *fleet) answeredAtOnce(jobs int) {
	f.t.Helper()
	f.until("no callback is owed", func() bool {
		for _, charge := range f.ledger().Tasks {
			if !charge.Settled {
				return false
			}
		}
		return true
	})
	ledger := f.ledger()
	require.Equal(f.t, jobs, ledger.Charges)
	for _, charge := range ledger.Tasks {
		require.Equal(f.t, 1, charge.Callbacks.Sent, "answered at once: %+v", charge.Callbacks)
		require.Equal(f.t, 1, charge.Callbacks.Acknowledged)
	}
	require.Equal(f.t, jobs, f.balancer.requests())
}
