package e2e_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"lumaflow/internal/kie/kietest"
	"lumaflow/test/chaos/campaign"
)

// A short campaign is part of every test run: every fault happens, and the promise
// holds. Longer campaigns: go run ./test/chaos.
func TestChaos(t *testing.T) {
	t.Parallel()
	// A relative path with a link: the roles have another working directory.
	folder := filepath.Join(t.TempDir(), "seeds")
	require.NoError(t, os.Mkdir(folder, 0o700))
	link := filepath.Join(t.TempDir(), "link")
	require.NoError(t, os.Symlink(folder, link))
	here, err := os.Getwd()
	require.NoError(t, err)
	relative, err := filepath.Rel(here, link)
	require.NoError(t, err)
	// The jobs of a seed end within six minutes.
	got := executeWithin(t, 5*patience, os.Environ(), chaos, "--binary", binary, "--seeds", "2", "--from", "90", "--jobs", "25", "--parallel", "2", "--json", "--folder", relative)
	require.Zero(t, got.code, got.err)
	var report campaign.Report
	require.NoError(t, json.Unmarshal([]byte(got.out), &report))
	require.Equal(t, 50, report.Jobs)
	require.Zero(t, report.Duplicates)
	require.Empty(t, report.Broken)
	happened := map[string]bool{}
	for _, row := range report.Rows {
		happened[row.Name] = row.Injected > 0
	}
	for _, fault := range kietest.Faults() {
		if fault.Name != kietest.RecordDown { // it takes more than ten minutes
			require.True(t, happened[fault.Name], "%s did not happen", fault.Name)
		}
	}
	require.NoDirExists(t, folder, "passed seeds leave no files")
}

func TestChaosUsageErrors(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		args []string
		env  []string
		want string
	}{
		{"no seeds", []string{"--seeds", "0"}, os.Environ(), "--seeds"},
		{"more seeds than there are", []string{"--from", "9223372036854775807"}, os.Environ(), "--from"},
		{"no jobs", []string{"--jobs", "0"}, os.Environ(), "--jobs"},
		{"an unknown fault", []string{"--faults", "earthquake"}, os.Environ(), `unknown fault "earthquake"`},
		{"no temporal binary", nil, []string{"TEMPORAL_CLI=/does/not/exist"}, "TEMPORAL_CLI"},
		{"no way to build one", nil, []string{"PATH=", "HOME=" + t.TempDir(), "TMPDIR=" + t.TempDir()}, "Temporal"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got := execute(t, test.env, chaos, append([]string{"--binary", binary}, test.args...)...)
			require.Equal(t, 2, got.code, got.err)
			require.Contains(t, got.err, test.want)
			require.NotContains(t, got.err[:len(got.err)-1], "\n", "one line")
		})
	}
}

// The processes and the small disk of a campaign end with it, and an interrupted
// one reports the completed seeds.
func TestChaosInterrupted(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("only Linux lists working directories in /proc and ends children with their parent")
	}
	folder := t.TempDir()
	seed := filepath.Join(folder, "seed-7")
	startCampaign := func() *process {
		cmd := exec.Command(chaos, "--binary", binary, "--seeds", "1", "--from", "7", "--folder", folder)
		p := startCommand(t, "chaos", cmd)
		require.Eventually(t, func() bool { return len(workingBelow(t, seed)) == 3 }, patience, 50*time.Millisecond, "two workers and a webhook")
		return p
	}
	awaitEnd := func() {
		require.Eventually(t, func() bool { return len(workingBelow(t, seed)) == 0 }, patience, 50*time.Millisecond)
	}

	startCampaign().kill()
	awaitEnd()

	interrupted := startCampaign()
	interrupted.signal(os.Interrupt)
	interrupted.awaitOutput(`0 of the seeds 7 to 7 .*: 0 jobs`)
	interrupted.awaitOutput(`interrupted after 0 of 1 seeds; the files of the others are in ` + regexp.QuoteMeta(folder))
	require.Equal(t, 1, interrupted.exitCode())
	awaitEnd()
	mounts, err := os.ReadFile("/proc/self/mounts")
	require.NoError(t, err)
	require.NotContains(t, string(mounts), folder, "no disk of either campaign is mounted")
}

// workingBelow lists the processes with a working directory below a folder.
func workingBelow(t *testing.T, folder string) (pids []string) {
	t.Helper()
	links, err := filepath.Glob("/proc/[0-9]*/cwd")
	require.NoError(t, err)
	for _, link := range links {
		if where, err := os.Readlink(link); err == nil && strings.HasPrefix(where, folder+"/") {
			pids = append(pids, filepath.Base(filepath.Dir(link)))
		}
	}
	return pids
}
