package campaign_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"lumaflow/internal/kie/kietest"
	"lumaflow/test/chaos/campaign"
)

func TestSeedFixesSchedule(t *testing.T) {
	first, _, _, err := campaign.Plan(7, 25)
	require.NoError(t, err)
	second, _, _, err := campaign.Plan(7, 25)
	require.NoError(t, err)
	require.Equal(t, first, second)
	other, _, _, err := campaign.Plan(8, 25)
	require.NoError(t, err)
	require.NotEqual(t, first, other)
}

// Every seed assigns every fault, and no combination that can't happen.
func TestEverySeedAssignsTheWholeMenu(t *testing.T) {
	stages, fatal := map[string]kietest.Stage{}, map[string]bool{}
	for _, fault := range kietest.Faults() {
		stages[fault.Name], fatal[fault.Name] = fault.Stage, fault.Fatal
	}
	for seed := int64(1); seed <= 60; seed++ {
		_, jobs, deaths, err := campaign.Plan(seed, 25)
		require.NoError(t, err)
		assigned := map[string]int{}
		for _, faults := range jobs {
			stagesMet := map[kietest.Stage]bool{}
			for _, fault := range faults {
				assigned[fault]++
				require.False(t, stagesMet[stages[fault]], "seed %d: two faults of one stage: %v", seed, faults)
				stagesMet[stages[fault]] = true
				if fatal[fault] {
					require.False(t, stagesMet[kietest.StageLink] || stagesMet[kietest.StageTransfer], "seed %d: no video, but a fault of its download: %v", seed, faults)
				}
			}
			if slices.Contains(faults, kietest.Refused) {
				require.Len(t, faults, 1)
			}
		}
		for _, fault := range kietest.Faults() {
			want := 1
			if fault.Name == kietest.RecordDown {
				want = 0
				if seed%25 == 0 {
					want = 7
				}
			}
			require.Equal(t, want, assigned[fault.Name], "seed %d: %s", seed, fault.Name)
		}
		for _, death := range campaign.Deaths() {
			require.Contains(t, deaths, death)
		}
	}
}

func TestMenu(t *testing.T) {
	_, jobs, deaths, err := campaign.Plan(1, 10, kietest.RecordDown, campaign.DiskFull)
	require.NoError(t, err)
	require.Equal(t, []string{campaign.DiskFull}, deaths)
	assigned := 0
	for _, faults := range jobs {
		for _, fault := range faults {
			require.Equal(t, kietest.RecordDown, fault)
			assigned++
		}
	}
	require.Equal(t, 7, assigned, "record-down by name is in every seed")

	_, _, _, err = campaign.Plan(1, 10, "earthquake")
	require.ErrorIs(t, err, kietest.ErrUnknownFault)
}

func TestFailure(t *testing.T) {
	require.NoError(t, campaign.Failure(&campaign.Report{Seeds: 2, Asked: 2}))
	require.ErrorContains(t, campaign.Failure(&campaign.Report{Seeds: 1, Asked: 2}), "only 1 of 2 seeds")
	require.ErrorContains(t, campaign.Failure(&campaign.Report{Seeds: 2, Asked: 2, JobsEach: 50, Faults: []string{"reset", "stall"}, Broken: []int64{17}}),
		"go run ./test/chaos --seeds 1 --from 17 --jobs 50 --keep --faults reset,stall")
	require.ErrorContains(t, campaign.Failure(&campaign.Report{Seeds: 2, Asked: 2, Missing: []string{"reset happened 0 times, not 1"}}), "reset happened 0 times")
}
