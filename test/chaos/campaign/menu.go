package campaign

import (
	"fmt"
	"slices"

	"lumaflow/internal/kie/kietest"
)

// The deaths are the faults of processes and of the disk. Their names are those of
// --faults and of the report.
const (
	WorkerKilled   = "worker-killed"
	WorkerPaused   = "worker-paused"
	WebhookKilled  = "webhook-killed"
	WebhookPaused  = "webhook-paused"
	TemporalKilled = "temporal-killed"
	TemporalPaused = "temporal-paused"
	DiskFull       = "disk-full"
)

// Deaths lists the names of all deaths.
func Deaths() []string {
	return []string{WorkerKilled, WorkerPaused, WebhookKilled, WebhookPaused, TemporalKilled, TemporalPaused, DiskFull}
}

// Every slowEvery-th seed injects record-down, which takes ten minutes. --faults
// record-down injects it in every seed.
const slowEvery = 25

// menu is the set of faults and deaths of a campaign.
type menu struct {
	faults []kietest.Fault
	deaths []string
	// slow injects record-down in every seed.
	slow bool
}

// newMenu parses the names of --faults; no names, or "all", select everything.
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
