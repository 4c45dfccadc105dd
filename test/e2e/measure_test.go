package e2e_test

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"

	"lumaflow/internal/callback"
)

// The memory of a worker does not grow with the size of the video.
func TestLargeDownloadTakesLittleMemory(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("anonymous memory is read from Linux's /proc")
	}
	t.Parallel()
	w := enter(t, setup{})
	prompt := "large [size: 500MB]"
	peakMemory := w.worker.watchMemory()
	w.start("e2e-large", jobInput(prompt))
	result, err := w.result("e2e-large")
	require.NoError(t, err)
	charge := w.charge(prompt)
	require.GreaterOrEqual(t, charge.Results[0].Bytes, int64(500_000_000))
	require.Equal(t, charge.Results[0].SHA256, result.Videos[0].SHA256)
	peak := peakMemory()
	t.Logf("500 MB downloaded, the worker's peak is %d MB of anonymous memory", peak>>20)
	require.Less(t, peak, int64(40<<20))
}

// BenchmarkStart measures how long a command takes that does nothing. The clouds'
// libraries are in the binary, and cost nothing until a bucket is opened.
func BenchmarkStart(b *testing.B) {
	for b.Loop() {
		require.NoError(b, exec.Command(binary, "--version").Run())
	}
}

// watchMemory samples the anonymous memory of the process, of which the kernel
// keeps no peak, until the returned function is called. That returns the largest
// sample in bytes.
func (p *process) watchMemory() (peak func() int64) {
	var largest int64
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		ticker := time.NewTicker(20 * time.Millisecond)
		defer ticker.Stop()
		for {
			largest = max(largest, p.anonymousMemory())
			select {
			case <-ticker.C:
			case <-stop:
				return
			}
		}
	}()
	return func() int64 {
		p.t.Helper()
		close(stop)
		<-stopped
		require.Positive(p.t, largest, "no sample of the memory of %s", p.name)
		return largest
	}
}

// anonymousMemory returns the anonymous resident memory of the process in bytes,
// or 0 if it cannot be read: without the pages of the program file, which the
// kernel drops under pressure.
func (p *process) anonymousMemory() int64 {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	found := regexp.MustCompile(`RssAnon:\s+(\d+) kB`).FindSubmatch(status)
	if found == nil {
		return 0
	}
	kilobytes, err := strconv.ParseInt(string(found[1]), 10, 64)
	if err != nil {
		return 0
	}
	return kilobytes << 10
}

// BenchmarkCallbackToAwake measures from the webhook's answer to a callback to
// the moment the job starts to work on it, by the server's clock. Compare runs
// on one idle machine only.
func BenchmarkCallbackToAwake(b *testing.B) {
	w := enter(b, setup{env: []string{"POLL_AFTER=10m"}, simulate: []string{"--render", "10m", "--rate-limit", "0"}})
	secrets, err := callback.ParseSecrets(callbackSecret)
	require.NoError(b, err)
	minter, err := callback.NewMinter(w.webhookURL, secrets)
	require.NoError(b, err)
	var delays []time.Duration
	for b.Loop() {
		id := fmt.Sprintf("e2e-awake-%s-%d", w.taskQueue, len(delays))
		w.start(id, jobInput(id))
		w.until("the job waits", func() bool {
			status, ok := w.status(id)
			return ok && status.TaskID != ""
		})
		status, _ := w.status(id)
		body := fmt.Sprintf(`{"code":200,"msg":"generated","data":{"taskId":%q}}`, status.TaskID)
		response, err := http.Post(minter.URL("default", id), "application/json", bytes.NewReader([]byte(body)))
		answered := time.Now()
		require.NoError(b, err)
		_ = response.Body.Close()
		require.Equal(b, http.StatusOK, response.StatusCode)
		var awake time.Time
		w.until("the job wakes", func() bool {
			awake = firstTaskAfterSignal(w.events(id))
			return !awake.IsZero()
		})
		delays = append(delays, max(awake.Sub(answered), 0))
	}
	slices.Sort(delays)
	b.ReportMetric(float64(delays[len(delays)/2].Microseconds())/1000, "ms-median")
	b.ReportMetric(float64(delays[len(delays)-1].Microseconds())/1000, "ms-max")
}

func firstTaskAfterSignal(events []*historypb.HistoryEvent) time.Time {
	signalled := false
	for _, event := range events {
		switch event.EventType {
		case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED:
			signalled = true
		case enumspb.EVENT_TYPE_WORKFLOW_TASK_STARTED:
			if signalled {
				return event.EventTime.AsTime()
			}
		}
	}
	return time.Time{}
}
