package kietest_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"lumaflow/internal/kie/kietest"
)

// drawnFaults submits the prompts in a random order and returns the faults of each
// prompt's job.
func drawnFaults(t *testing.T, options kietest.Options, prompts []string) map[string][]string {
	t.Helper()
	options.RateLimit, options.FaultRepeats, options.Render = -1, -1, time.Hour // charged, but never finished
	kie := start(t, options)
	shuffled := slices.Clone(prompts)
	rand.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
	for _, prompt := range shuffled {
		_, _, _ = kie.call(t, "POST", "/api/v1/modify/generate", fields{"prompt": prompt, "videoUrl": source})
		_, _, _ = kie.call(t, "POST", "/api/v1/modify/generate", fields{"prompt": prompt, "videoUrl": source})
	}
	faults := map[string][]string{}
	for _, charge := range kie.Ledger().Tasks {
		faults[charge.Prompt] = charge.Faults
	}
	return faults
}

// chargedFaults are the faults of charged jobs, without those that delay an answer.
func chargedFaults() []string {
	var names []string
	for _, fault := range kietest.Faults() {
		if fault.Name != kietest.Refused && fault.Name != kietest.SlowResponse && fault.Name != kietest.CallbackEarly {
			names = append(names, fault.Name)
		}
	}
	return names
}

func prompts(n int) []string {
	var all []string
	for i := range n {
		all = append(all, fmt.Sprintf("prompt %d", i))
	}
	return all
}

func TestSeedDeterminesFaults(t *testing.T) {
	all := prompts(60)
	options := kietest.Options{Seed: 7, Faults: chargedFaults(), FaultRate: 0.4}
	first := drawnFaults(t, options, all)
	require.Len(t, first, len(all))

	backwards := options
	backwards.Faults = slices.Clone(options.Faults)
	slices.Reverse(backwards.Faults)
	require.Equal(t, first, drawnFaults(t, backwards, all), "faults depend on the order of jobs or of the menu")

	options.Seed = 8
	require.NotEqual(t, first, drawnFaults(t, options, all))
}

func TestRateAppliesToEachStage(t *testing.T) {
	stage := map[string]kietest.Stage{}
	for _, fault := range kietest.Faults() {
		stage[fault.Name] = fault.Stage
	}
	met, seen, jobs := 0, map[string]bool{}, 400
	for _, faults := range drawnFaults(t, kietest.Options{Seed: 1, Faults: chargedFaults(), FaultRate: 0.5}, prompts(jobs)) {
		stages := map[kietest.Stage]bool{}
		for _, name := range faults {
			require.False(t, stages[stage[name]], "two faults of one stage: %v", faults)
			stages[stage[name]] = true
			seen[name] = true
		}
		met += len(faults)
	}
	const stages = 7
	require.InDelta(t, 0.5, float64(met)/float64(jobs*stages), 0.05)
	require.Len(t, seen, len(chargedFaults()), "some faults of the menu never occur")
}

func TestRatesZeroAndOne(t *testing.T) {
	for _, faults := range drawnFaults(t, kietest.Options{Faults: []string{kietest.AllFaults}}, prompts(20)) {
		require.Empty(t, faults)
	}
	for _, faults := range drawnFaults(t, kietest.Options{Faults: []string{"stall", "record-5xx"}, FaultRate: 1}, prompts(20)) {
		require.Equal(t, []string{"record-5xx", "stall"}, faults)
	}
}

func TestMarkerReplacesTheMenu(t *testing.T) {
	kie := start(t, kietest.Options{Faults: []string{kietest.Refused}, FaultRate: 1})
	charge := kie.finished(t, fields{"prompt": "[fault: html] snow [fault:truncated ,html]", "videoUrl": source})
	require.Equal(t, []string{"truncated", "html"}, charge.Faults)
}

func TestFaultRepeatsCountForEachJob(t *testing.T) {
	kie := start(t, kietest.Options{FaultRepeats: 3})
	first := fields{"prompt": kietest.WithFaults("snow", kietest.RateLimited), "videoUrl": source, "callBackUrl": "http://127.0.0.1:1/one"}
	other := fields{"prompt": kietest.WithFaults("snow", kietest.RateLimited), "videoUrl": source, "callBackUrl": "http://127.0.0.1:1/two"}
	for range 3 {
		require.Equal(t, 429, kie.submit(t, first).Code)
		require.Equal(t, 429, kie.submit(t, other).Code)
	}
	kie.accepted(t, first)
	kie.accepted(t, other)
}
