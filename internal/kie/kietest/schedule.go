package kietest

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
)

// schedule assigns random faults to jobs. It depends on the seed and the request
// of a job alone, not on the order of jobs.
type schedule struct {
	seed int64
	menu []string
	rate float64
}

func newSchedule(seed int64, menu []string, rate float64) (schedule, error) {
	names, err := checkFaults(menu)
	if err != nil {
		return schedule{}, err
	}
	if !(rate >= 0 && rate <= 1) {
		return schedule{}, fmt.Errorf("fault rate %v is not between 0 and 1", rate)
	}
	return schedule{seed: seed, menu: names, rate: rate}, nil
}

// variant is the random number of a job. It seeds draw, and it selects the variant
// of a fault that has several.
func (s schedule) variant(req lumaRequest) uint64 {
	hash := sha256.New()
	_, _ = fmt.Fprintf(hash, "%d\x00%s\x00%s", s.seed, req.Prompt, req.VideoURL)
	return binary.BigEndian.Uint64(hash.Sum(nil))
}

// draw chooses the faults of a job without a fault marker.
func (s schedule) draw(variant uint64) []string {
	random := rand.New(rand.NewPCG(variant, uint64(s.seed)))
	var drawn []string
	for _, stage := range stages {
		// Both numbers are drawn at every stage, so that the menu of one stage
		// does not affect the faults of the others.
		occurs, which := random.Float64() < s.rate, random.Uint64()
		menu := s.forStage(stage)
		if occurs && len(menu) > 0 {
			drawn = append(drawn, menu[which%uint64(len(menu))])
		}
	}
	return drawn
}

func (s schedule) forStage(stage Stage) []string {
	var names []string
	for _, name := range s.menu {
		if faultStage(name) == stage {
			names = append(names, name)
		}
	}
	return names
}
