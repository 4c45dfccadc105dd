package audit_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/metrics"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"lumaflow/internal/store"
	"lumaflow/internal/store/audit"
	"lumaflow/test/storetest"
)

// BenchmarkAudit runs lumaflow, sha256sum and openssl on the same files, with
// GOMAXPROCS files at a time. The files are in the page cache, so that the disk does
// not count. MB/cpu-s is the amount read per second of processor time, which is
// independent of other load.
//
//	go test ./internal/store/audit -run '^$' -bench 'BenchmarkAudit$' -benchtime 5x
func BenchmarkAudit(b *testing.B) {
	const files, size = 16, 64 << 20
	f := storetest.NewFolder(b)
	var names []string
	for i := range files {
		task := strconv.Itoa(i)
		name := store.VideoName("", task, 1, ".mp4")
		f.Write(name, noise(size, uint64(i)))
		f.AddReceipt(task, f.Listed(name)...)
		names = append(names, name)
	}
	lumaflow := filepath.Join(b.TempDir(), "lumaflow")
	require.NoError(b, exec.CommandContext(b.Context(), "go", "build", "-o", lumaflow, "lumaflow").Run())

	// The other programs run once per processor, each with a share of the files.
	processors := runtime.GOMAXPROCS(0)
	shares := slices.Collect(slices.Chunk(names, (files+processors-1)/processors))
	for _, program := range []struct {
		name    string
		command []string
		shares  [][]string
	}{
		{"lumaflow", []string{lumaflow, "audit"}, [][]string{{f.Path}}},
		{"sha256sum", []string{"sha256sum"}, shares},
		{"openssl", []string{"openssl", "dgst", "-sha256"}, shares},
	} {
		b.Run(program.name, func(b *testing.B) {
			if _, err := exec.LookPath(program.command[0]); err != nil {
				b.Skip(err)
			}
			b.SetBytes(files * size)
			var used atomic.Int64
			for b.Loop() {
				var all sync.WaitGroup
				for _, share := range program.shares {
					all.Go(func() {
						cmd := exec.CommandContext(b.Context(), program.command[0], slices.Concat(program.command[1:], share)...)
						cmd.Dir = f.Path
						if output, err := cmd.CombinedOutput(); err != nil {
							b.Errorf("%v: %.500s", err, output)
						}
						used.Add(int64(cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()))
					})
				}
				all.Wait()
			}
			b.ReportMetric(float64(files*size*b.N)/1e6/time.Duration(used.Load()).Seconds(), "MB/cpu-s")
		})
	}
}

// BenchmarkAuditMemory audits 1,000 and 10,000 jobs and reports the peak heap above
// the heap at the start.
//
//	go test ./internal/store/audit -run '^$' -bench BenchmarkAuditMemory -benchtime 5x
func BenchmarkAuditMemory(b *testing.B) {
	for _, receipts := range []int{1_000, 10_000} {
		b.Run(fmt.Sprintf("receipts=%d", receipts), func(b *testing.B) {
			f := storetest.NewFolder(b)
			for i := range receipts {
				writeJob(b, f.Path, i)
			}
			var most uint64
			for b.Loop() {
				peak := watchHeap()
				report, err := audit.Run(b.Context(), f, audit.Options{})
				most = max(most, peak())
				if err != nil || len(report.Problems) > 0 || report.Files != receipts {
					b.Fatal(err, report)
				}
			}
			b.ReportMetric(float64(most)/1e6, "peak-heap-MB")
			b.ReportMetric(float64(receipts*b.N)/b.Elapsed().Seconds(), "receipts/s")
		})
	}
}

// watchHeap samples the heap every millisecond until peak is called.
func watchHeap() (peak func() uint64) {
	heap := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	sample := func() uint64 { metrics.Read(heap); return heap[0].Value.Uint64() }
	runtime.GC()
	before := sample()
	most, done := before, make(chan struct{})
	var watching sync.WaitGroup
	watching.Go(func() {
		for ticker := time.NewTicker(time.Millisecond); ; {
			select {
			case <-ticker.C:
				most = max(most, sample())
			case <-done:
				ticker.Stop()
				return
			}
		}
	})
	return func() uint64 {
		close(done)
		watching.Wait()
		return most - before
	}
}

// writeJob writes a video and its receipt without a sync.
func writeJob(b *testing.B, path string, i int) {
	b.Helper()
	task := fmt.Sprintf("%032x", i)
	name := store.VideoName("", task, 1, ".mp4")
	content := noise(1<<10, uint64(i))
	file := listing(name, content)
	file.Location, file.URLHost, file.ETag = "file://"+filepath.Join(path, name), "tempfile.example.com", `"v1"`
	file.Duration, file.Width, file.Height = "9.96s", 1280, 720
	receipt, err := json.MarshalIndent(store.Receipt{
		Version: 1, Job: "luma-" + task, Run: "0123456789abcdef0123456789abcdef0123", TaskID: task,
		Prompt: strings.Repeat("Turn the street into a snowy winter night. ", 20), SourceURL: "https://cdn.example.org/in.mp4",
		SubmitAttempts: 1, WokenBy: "callback", SubmittedAt: time.Now(), CompletedAt: time.Now(), Files: []store.ReceiptFile{file},
	}, "", "  ")
	require.NoError(b, err)
	require.NoError(b, os.WriteFile(filepath.Join(path, name), []byte(content), 0o600))
	require.NoError(b, os.WriteFile(filepath.Join(path, store.ReceiptName("", task)), receipt, 0o600))
}

// noise is incompressible content.
func noise(size int, seed uint64) string {
	content := make([]byte, size)
	_, _ = rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8), byte(seed >> 16)}).Read(content)
	return string(content)
}
