package chaos

import (
	"fmt"
	"slices"

	"lumaflow/luma/lumatest"
)

// The deaths: what happens to processes and to the disk, beside what the
// provider does. Their names are what --faults and the table use.
const (
	WorkerKilled   = "worker-killed"
	WorkerPaused   = "worker-paused"
	WebhookKilled  = "webhook-killed"
	WebhookPaused  = "webhook-paused"
	TemporalKilled = "temporal-killed"
	TemporalPaused = "temporal-paused"
	DiskFull       = "disk-full"
)

// Deaths lists all of them.
func Deaths() []string {
	return []string{WorkerKilled, WorkerPaused, WebhookKilled, WebhookPaused, TemporalKilled, TemporalPaused, DiskFull}
}

// slowEvery is how often a seed deals the fault that takes ten minutes to live
// through: every slowEvery-th seed does, and one that is asked for it by name.
const slowEvery = 25

// menu is what a campaign may deal.
type menu struct {
	faults []lumatest.Fault
	deaths []string
	// slow has every seed deal record-down.
	slow bool
}

// newMenu reads the names of --faults: faults of the simulated kie.ai, deaths,
// or all of both.
func newMenu(names []string) (menu, error) {
	var chosen menu
	everything := len(names) == 0 || slices.Contains(names, lumatest.AllFaults)
	for _, name := range names {
		known := name == lumatest.AllFaults || slices.Contains(Deaths(), name) ||
			slices.ContainsFunc(lumatest.Faults(), func(fault lumatest.Fault) bool { return fault.Name == name })
		if !known {
			return menu{}, fmt.Errorf("%w %q", lumatest.ErrUnknownFault, name)
		}
	}
	for _, fault := range lumatest.Faults() {
		if everything || slices.Contains(names, fault.Name) {
			chosen.faults = append(chosen.faults, fault)
		}
	}
	for _, death := range Deaths() {
		if everything || slices.Contains(names, death) {
			chosen.deaths = append(chosen.deaths, death)
		}
	}
	chosen.slow = slices.Contains(names, lumatest.RecordDown)
	return chosen, nil
}

func (m menu) kills(death string) bool { return slices.Contains(m.deaths, death) }
