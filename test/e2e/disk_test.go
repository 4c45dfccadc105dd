package e2e_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lumaflow/test/syscalltest"
)

// The receipt of a job is written after each of its videos is durable.
func TestReceiptFollowsTheVideos(t *testing.T) {
	t.Parallel()
	w := enter(t, setup{})
	detach := syscalltest.Attach(t, w.worker.running.PID(), syscalltest.Failure{})
	prompt := "watched [results: 3]"
	w.start("e2e-watched", jobInput(prompt))
	result, err := w.result("e2e-watched")
	require.NoError(t, err)
	run := detach()
	w.verified(result, w.charge(prompt))

	folder := "<" + w.output + ">"
	for i, video := range result.Videos {
		name := fmt.Sprintf("luma_result_%s_%d.mp4", result.TaskID, i+1)
		require.Contains(t, video.Location, name)
		run.InOrder(t,
			syscalltest.Step{Name: "renameat", Paths: []string{"/" + name + `"`}},
			syscalltest.Step{Name: "write", Paths: []string{"<" + w.output + "/.lumaflow-"}},
			syscalltest.Step{Name: "fsync", Paths: []string{"<" + w.output + "/.lumaflow-"}},
			syscalltest.Step{Name: "renameat", Paths: []string{folder, `"luma_result_` + result.TaskID + `.json"`}})
	}
	var synced []syscalltest.Call
	var written syscalltest.Call
	for _, call := range run.Calls {
		if call.Is(syscalltest.Step{Name: "fsync", Paths: []string{folder}}) {
			synced = append(synced, call)
		}
		if call.Is(syscalltest.Step{Name: "write", Paths: []string{"<" + w.output + "/.lumaflow-"}}) {
			written = call
		}
	}
	require.Len(t, synced, 4, "one for each video and for the receipt")
	assert.Less(t, synced[2].End, written.Begin, "the names of the videos are durable before the receipt")
	assert.Greater(t, synced[3].Begin, written.End)
}

// A job waits visibly while the disk takes no video, and continues by itself.
func TestJobOutlastsAFailingDisk(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		call, errno, status string
		// inOutput limits the failure to the folder of the output. The rename of a video
		// names files, that of a receipt the folder.
		inOutput bool
		// stored is the number of files in the output during the failure.
		stored int
	}{
		"full":    {"pwrite64", "ENOSPC", "the disk is full: make room, and the job continues by itself: download from", false, 0},
		"quota":   {"pwrite64", "EDQUOT", "the disk quota is used up: raise it or make room, and the job continues by itself: download from", false, 0},
		"video":   {"fsync", "EIO", "the disk fails to read or write: check it, or name another folder, and the job continues by itself: store", true, 0},
		"receipt": {"renameat", "EROFS", "the file system is read-only: mount it writable or name another folder, and the job continues by itself: store receipt", true, 1},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := enter(t, setup{})
			failure := syscalltest.Failure{Call: test.call, Error: test.errno}
			if test.inOutput {
				failure.Path = w.output
			}
			detach := syscalltest.Attach(t, w.worker.running.PID(), failure)
			id, prompt := "e2e-disk-"+name, "disk "+name
			w.start(id, jobInput(prompt))
			w.until("the status names the disk", func() bool { return strings.Contains(w.run("status", id).out, test.status) })
			stored, err := os.ReadDir(w.output)
			require.NoError(t, err)
			assert.Len(t, stored, test.stored)
			detach()
			result, err := w.result(id)
			require.NoError(t, err)
			w.verified(result, w.charge(prompt))
			require.Equal(t, 1, w.ledger().Charges)
		})
	}
}
