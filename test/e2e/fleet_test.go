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
	// running holds the two current processes of each role, all every process.
	running map[string][]*process
	all     []*process
	// slowest is the longest duration of a stop.
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
			f.running[role] = append(f.running[role], f.startRole(role))
		}
	}
	return f
}

// startRole starts a process and waits until it is ready.
func (f *fleet) startRole(role string) *process {
	f.t.Helper()
	p := start(f.t, f.env, role)
	f.all = append(f.all, p)
	f.until(role+" is ready", func() bool { status, _ := p.get("/readyz"); return status == http.StatusOK })
	if role == "webhook" {
		f.balancer.add(f.t.(*testing.T), webhookAddress(p), p.ownURL("/readyz"))
	}
	return p
}

// webhookAddress is the URL of a webhook.
func webhookAddress(webhook *process) string {
	return "http://" + webhook.awaitOutput(`webhook listening.*address=(\S+)`)
}

// restart replaces every process, one after the other: a new one starts with the
// current environment, then an old one stops.
func (f *fleet) restart(roles ...string) {
	f.t.Helper()
	for i := range 2 {
		for _, role := range roles {
			next, old := f.startRole(role), f.running[role][i]
			stopping := time.Now()
			require.Zero(f.t, old.stop())
			f.slowest = max(f.slowest, time.Since(stopping))
			if role == "webhook" {
				f.balancer.remove(webhookAddress(old))
			}
			f.running[role][i] = next
		}
	}
}

// requireOneCallbackEach waits for the callbacks of a number of jobs. Each must be
// sent once and acknowledged.
func (f *fleet) requireOneCallbackEach(jobs int) {
	f.t.Helper()
	f.until("no callback is pending", func() bool {
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
		require.Equal(f.t, 1, charge.Callbacks.Sent, "acknowledged at the first attempt: %+v", charge.Callbacks)
		require.Equal(f.t, 1, charge.Callbacks.Acknowledged)
	}
	require.Equal(f.t, jobs, f.balancer.requests())
}
