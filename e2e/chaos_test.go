package e2e_test

import (
	"encoding/json"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"lumaflow/chaos"
	"lumaflow/luma/lumatest"
)

// A short campaign is part of every test run: everything that can go wrong does
// so, and the promise holds. Long ones are run with lumaflow chaos.
func TestChaos(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	got := execute(t, os.Environ(), binary, "chaos", "--seeds", "2", "--from", "97", "--jobs", "25", "--parallel", "2", "--json", "--folder", folder)
	require.Zero(t, got.code, got.err)
	var report chaos.Report
	require.NoError(t, json.Unmarshal([]byte(got.out), &report))
	require.Equal(t, 50, report.Jobs)
	require.Zero(t, report.Duplicates)
	require.Empty(t, report.Broken)
	met := map[string]bool{}
	for _, row := range report.Rows {
		met[row.Name] = row.Injected > 0
	}
	for _, fault := range lumatest.Faults() {
		if fault.Name != lumatest.RecordDown { // it takes more than ten minutes
			require.True(t, met[fault.Name], "%s did not happen", fault.Name)
		}
	}
	require.NoDirExists(t, folder, "seeds that went well leave nothing")
}

func TestChaosRefusesWhatMakesNoSense(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		args []string
		env  []string
		says string
	}{
		{"no seeds", []string{"--seeds", "0"}, os.Environ(), "--seeds"},
		{"no jobs", []string{"--jobs", "0"}, os.Environ(), "--jobs"},
		{"an unknown fault", []string{"--faults", "earthquake"}, os.Environ(), `unknown fault "earthquake"`},
		{"no temporal binary", nil, []string{"TEMPORAL_CLI=/does/not/exist"}, "TEMPORAL_CLI"},
		{"no way to build one", nil, []string{"PATH=", "HOME=" + t.TempDir(), "TMPDIR=" + t.TempDir()}, "Temporal"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got := execute(t, test.env, binary, append([]string{"chaos"}, test.args...)...)
			require.Equal(t, 2, got.code, got.err)
			require.Contains(t, got.err, test.says)
			require.NotContains(t, got.err[:len(got.err)-1], "\n", "one line")
		})
	}
}
