package kietest

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
)

// schedule is who meets which faults. One seed is one schedule: it depends on
// what is asked for alone, never on when.
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

// lot is a job's own random number. It also settles in which of its variants a
// fault shows.
func (s schedule) lot(req request) uint64 {
	hash := sha256.New()
	fmt.Fprintf(hash, "%d\x00%s\x00%s", s.seed, req.Prompt, req.VideoURL)
	return binary.BigEndian.Uint64(hash.Sum(nil))
}

// draw picks the faults of a job that asked for none by name.
func (s schedule) draw(lot uint64) []string {
	random := rand.New(rand.NewPCG(lot, uint64(s.seed)))
	var drawn []string
	for _, stage := range stages {
		// Both numbers are drawn at every stage, so that a shorter menu does
		// not reshuffle what the other stages bring.
		meets, which := random.Float64() < s.rate, random.Uint64()
		menu := s.forStage(stage)
		if meets && len(menu) > 0 {
			drawn = append(drawn, menu[which%uint64(len(menu))])
		}
	}
	return drawn
}

func (s schedule) forStage(stage Stage) []string {
	var names []string
	for _, fault := range catalogue {
		if fault.Stage != stage {
			continue
		}
		for _, name := range s.menu {
			if name == fault.Name {
				names = append(names, name)
			}
		}
	}
	return names
}
