package e2e_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"lumaflow/internal/store"
	"lumaflow/internal/store/audit"
)

// audit audits the output folder of the world.
func (w *world) audit() (audit.Report, answer) {
	w.t.Helper()
	return audited(w.t, w.env)
}

func audited(t testing.TB, env []string, args ...string) (report audit.Report, got answer) {
	t.Helper()
	got = execute(t, env, binary, append([]string{"audit", "--json"}, args...)...)
	require.NoError(t, json.Unmarshal([]byte(got.out), &report), got.err)
	return report, got
}

// An audit of real jobs reports no problem, neither while they run nor afterwards.
// It finds damaged files, and its advice repairs them.
func TestAuditOfRealJobs(t *testing.T) {
	t.Parallel()
	w := enter(t, setup{})
	w.start("e2e-audit-plain", jobInput("audit, plain"))
	w.start("e2e-audit-many", jobInput("audit, many [results: 3]"))
	w.start("e2e-audit-named", `{"prompt":"audit, named","videoUrl":"https://cdn.example.org/in.mp4","name":"beach"}`)
	// The first video is stored long before the last.
	w.start("e2e-audit-slow", jobInput("audit, slow [results: 2] [fault: reset]"))
	jobs := []string{"plain", "many", "named", "slow"}
	audits := 0
	for _, job := range jobs {
		ended := make(chan error, 1)
		go func() { _, err := w.result("e2e-audit-" + job); ended <- err }()
		for running := true; running; audits++ {
			report, got := w.audit()
			require.Zero(t, got.code, got.err)
			require.Empty(t, report.Problems)
			select {
			case err := <-ended:
				require.NoError(t, err)
				running = false
			default:
			}
		}
	}
	report, got := w.audit()
	require.Zero(t, got.code, got.err)
	require.Equal(t, 4, report.Receipts)
	require.Equal(t, 7, report.Files)
	require.Empty(t, report.Notes, "nothing is pending after %d audits", audits)

	// Damage.
	videos, err := filepath.Glob(filepath.Join(w.output, "luma_result_*_3.mp4"))
	require.NoError(t, err)
	require.Len(t, videos, 1)
	require.NoError(t, os.Truncate(videos[0], 100))
	charge := w.charge("audit, plain")
	lost := store.VideoName("", charge.TaskID, 1, ".mp4")
	require.NoError(t, os.Remove(filepath.Join(w.output, lost)))
	report, got = w.audit()
	require.Equal(t, 1, got.code)
	require.Len(t, report.Problems, 2)
	kinds := map[string]audit.Kind{}
	for _, problem := range report.Problems {
		kinds[problem.File] = problem.Kind
		repaired := w.run("submit", "--task-id", problem.TaskID, "--key", "again", "--wait")
		require.Zero(t, repaired.code, repaired.err)
	}
	require.Equal(t, map[string]audit.Kind{lost: audit.Missing, filepath.Base(videos[0]): audit.Truncated}, kinds)
	require.Contains(t, got.err, "lumaflow submit --task-id TASK --key again")
	report, got = w.audit()
	require.Zero(t, got.code, got.err)
	require.Equal(t, 7, report.Files)
	require.Equal(t, 4, w.ledger().Charges, "the repair costs nothing")
}

// offline is an environment in which neither Temporal nor kie.ai can be reached.
func offline(output string) []string {
	return append(os.Environ(), "TEMPORAL_ADDRESS=127.0.0.1:1", "KIE_API_KEY=", "KIE_BASE_URL=http://127.0.0.1:1", "OUTPUT_URL="+output)
}

// stored stores a video and its receipt in a folder.
func stored(t *testing.T, folder, task, content string) (video, receipt string) {
	t.Helper()
	opened, err := store.Open(t.Context(), folder)
	require.NoError(t, err)
	source := filepath.Join(t.TempDir(), "video")
	require.NoError(t, os.WriteFile(source, []byte(content), 0o600))
	sum := sumOf(content)
	video, receipt = store.VideoName("", task, 1, ".mp4"), store.ReceiptName("", task)
	_, err = opened.PutVideo(t.Context(), video, store.Source{Path: source, Bytes: int64(len(content)), SHA256: sum})
	require.NoError(t, err)
	_, err = opened.PutReceipt(t.Context(), receipt, store.Receipt{TaskID: task, Files: []store.ReceiptFile{{Name: video, Bytes: int64(len(content)), SHA256: sum}}})
	require.NoError(t, err)
	return filepath.Join(folder, video), filepath.Join(folder, receipt)
}

func sumOf(content string) string {
	sum := sha256.Sum256([]byte(content))
	return hex.EncodeToString(sum[:])
}

func TestAuditFindsEachKind(t *testing.T) {
	t.Parallel()
	folder := filepath.Join(t.TempDir(), "videos with a space")
	stored(t, folder, "well", "all is well")
	report, got := audited(t, offline(folder))
	require.Zero(t, got.code, got.err)
	require.Equal(t, 1, report.Files)

	videos, receipts := map[string]string{}, map[string]string{}
	for _, task := range []string{"missing", "changed", "truncated", "unlisted", "link", "not-json", "huge", "outside"} {
		videos[task], receipts[task] = stored(t, folder, task, "the video of "+task)
	}
	secret := filepath.Join(t.TempDir(), "secret")
	require.NoError(t, os.WriteFile(secret, []byte("the video of link"), 0o600))
	for _, err := range []error{
		os.Remove(videos["missing"]),
		os.WriteFile(videos["changed"], []byte("the video of Changed"), 0o600),
		os.Truncate(videos["truncated"], 3),
		os.Remove(receipts["unlisted"]),
		os.Remove(videos["link"]),
		os.Symlink(secret, videos["link"]),
		os.WriteFile(receipts["not-json"], []byte("<html>"), 0o600),
		os.Truncate(receipts["huge"], 1<<30),
		os.WriteFile(receipts["outside"], fmt.Appendf(nil, `{"version":1,"taskId":"outside","files":[{"name":"../%s","bytes":17,"sha256":"%s"}]}`,
			filepath.Base(secret), sumOf("the video of link")), 0o600),
		os.WriteFile(filepath.Join(folder, ".lumaflow-ABCDEFGHIJKLMNOPQRSTUVWX27.tmp"), []byte("half a vid"), 0o600),
		os.Symlink(receipts["changed"], filepath.Join(folder, "luma_result_copy.json")),
	} {
		require.NoError(t, err)
	}
	copied, err := os.ReadFile(filepath.Join(folder, store.ReceiptName("", "well")))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(folder, "luma_result_well (copy).json"), copied, 0o600))

	found := func(args ...string) map[string]audit.Kind {
		report, got := audited(t, offline(t.TempDir()), append(args, folder)...)
		require.Equal(t, 1, got.code)
		require.True(t, report.Complete)
		require.Equal(t, 1, strings.Count(got.err, "\n"), got.err)
		kinds := map[string]audit.Kind{}
		for _, problem := range report.Problems {
			require.NotContains(t, kinds, problem.File)
			kinds[problem.File] = problem.Kind
		}
		return kinds
	}
	want := map[string]audit.Kind{
		"luma_result_missing_1.mp4":   audit.Missing,
		"luma_result_changed_1.mp4":   audit.Changed,
		"luma_result_truncated_1.mp4": audit.Truncated,
		"luma_result_link_1.mp4":      audit.NotAFile,
		"luma_result_copy.json":       audit.NotAFile,
		"luma_result_not-json.json":   audit.BadReceipt,
		"luma_result_huge.json":       audit.BadReceipt,
		"luma_result_outside.json":    audit.BadReceipt,
		"luma_result_well_1.mp4":      audit.Duplicate,
		// The receipts of these are unreadable.
		"luma_result_not-json_1.mp4": audit.Unlisted,
		"luma_result_huge_1.mp4":     audit.Unlisted,
		"luma_result_outside_1.mp4":  audit.Unlisted,
	}
	// The receipt of a young video may still come.
	require.Equal(t, want, found())
	want["luma_result_unlisted_1.mp4"] = audit.Unlisted
	require.Equal(t, want, found("--grace", "0s", "--parallel", "1"))

	table := execute(t, offline(folder), binary, "audit")
	require.Equal(t, 1, table.code)
	require.Regexp(t, `(?m)^truncated +luma_result_truncated_1\.mp4 +truncated +3 of 22 bytes are there$`, table.out)
	require.Contains(t, table.err, "lumaflow: 12 problems: 3 bad-receipt, ")
}

// Ctrl-C ends an audit at once, and it prints its findings so far.
func TestAuditInterrupted(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	gone, _ := stored(t, folder, "a", "is gone")
	require.NoError(t, os.Remove(gone))
	large, _ := stored(t, folder, "b", "takes hours to read")
	require.NoError(t, os.Truncate(large, 1<<40))
	running := start(t, offline(folder), "audit", "--parallel", "1")
	descriptors := fmt.Sprintf("/proc/%d/fd", running.cmd.Process.Pid)
	if _, err := os.Stat(descriptors); err != nil {
		t.Skip("the open files of a process can't be read: ", err)
	}
	require.Eventually(t, func() bool {
		open, _ := filepath.Glob(descriptors + "/*")
		for _, descriptor := range open {
			if target, _ := os.Readlink(descriptor); target == large {
				return true
			}
		}
		return false
	}, patience, 10*time.Millisecond, "the audit reads the large file")
	running.signal(os.Interrupt)
	running.awaitOutput(`missing +luma_result_a_1\.mp4`)
	running.awaitOutput(`lumaflow: the audit was interrupted after it found 1 problem: 1 missing`)
	require.Equal(t, 1, running.exitCode())
}
