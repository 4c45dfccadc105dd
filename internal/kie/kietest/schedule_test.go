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

// dealt returns which faults each prompt's job is dealt, submitting the prompts
// in an order of its own.
func dealt(t *testing.T, options kietest.Options, prompts []string) map[string][]string {
	t.Helper()
	options.RateLimit, options.FaultRepeats, options.Render = -1, -1, time.Hour // charged at once, never finished
	kie := start(t, options)
	shuffled := slices.Clone(prompts)
	rand.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
	for _, prompt := range shuffled {
		kie.call(t, "POST", "/api/v1/modify/generate", fields{"prompt": prompt, "videoUrl": source})
		kie.call(t, "POST", "/api/v1/modify/generate", fields{"prompt": prompt, "videoUrl": source})
	}
	faults := map[string][]string{}
	for _, charge := range kie.Ledger().Tasks {
		faults[charge.Prompt] = charge.Faults
	}
	return faults
}

// payable is every fault but those that keep a job off the bill or slow it.
func payable() []string {
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

func TestASeedIsASchedule(t *testing.T) {
	asked := prompts(60)
	options := kietest.Options{Seed: 7, Faults: payable(), FaultRate: 0.4}
	first := dealt(t, options, asked)
	require.Len(t, first, len(asked))

	backwards := options
	backwards.Faults = slices.Clone(options.Faults)
	slices.Reverse(backwards.Faults)
	require.Equal(t, first, dealt(t, backwards, asked), "neither the order of jobs nor of the menu matters")

	options.Seed = 8
	require.NotEqual(t, first, dealt(t, options, asked))
}

func TestARateIsAChancePerStage(t *testing.T) {
	stage := map[string]kietest.Stage{}
	for _, fault := range kietest.Faults() {
		stage[fault.Name] = fault.Stage
	}
	met, seen, jobs := 0, map[string]bool{}, 400
	for _, faults := range dealt(t, kietest.Options{Seed: 1, Faults: payable(), FaultRate: 0.5}, prompts(jobs)) {
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
	require.Len(t, seen, len(payable()), "every fault of the menu turns up")
}

func TestRatesOfNothingAndEverything(t *testing.T) {
	for _, faults := range dealt(t, kietest.Options{Faults: []string{kietest.AllFaults}}, prompts(20)) {
		require.Empty(t, faults)
	}
	for _, faults := range dealt(t, kietest.Options{Faults: []string{"stall", "record-5xx"}, FaultRate: 1}, prompts(20)) {
		require.Equal(t, []string{"record-5xx", "stall"}, faults)
	}
}

func TestAPromptsOwnFaultsReplaceTheMenus(t *testing.T) {
	kie := start(t, kietest.Options{Faults: []string{kietest.Refused}, FaultRate: 1})
	charge := kie.finished(t, fields{"prompt": "[fault: html] snow [fault:truncated ,html]", "videoUrl": source})
	require.Equal(t, []string{"truncated", "html"}, charge.Faults)
}

func TestAJobKeepsItsFaultsAndItsStrikes(t *testing.T) {
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
