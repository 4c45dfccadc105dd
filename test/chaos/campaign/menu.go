package campaign

import (
	"fmt"
	"slices"

	"lumaflow/internal/kie/kietest"
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
	faults []kietest.Fault
	deaths []string
	// slow has every seed deal record-down.
	slow bool
}

// newMenu reads the names of --faults: faults of the simulated kie.ai, deaths,
// or all of both.
func newMenu(names []string) (menu, error) {
	var chosen menu
	everything := len(names) == 0 || slices.Contains(names, kietest.AllFaults)
	for _, name := range names {
		known := name == kietest.AllFaults || slices.Contains(Deaths(), name) ||
			slices.ContainsFunc(kietest.Faults(), func(fault kietest.Fault) bool { return fault.Name == name })
		if !known {
			return menu{}, fmt.Errorf("%w %q", kietest.ErrUnknownFault, name)
		}
	}
	for _, fault := range kietest.Faults() {
		if everything || slices.Contains(names, fault.Name) {
			chosen.faults = append(chosen.faults, fault)
		}
	}
	for _, death := range Deaths() {
		if everything || slices.Contains(names, death) {
			chosen.deaths = append(chosen.deaths, death)
		}
	}
	chosen.slow = slices.Contains(names, kietest.RecordDown)
	return chosen, nil
}

func (m menu) includes(death string) bool { return slices.Contains(m.deaths, death) }
