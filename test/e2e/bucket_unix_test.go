//go:build unix

package e2e_test

import (
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"lumaflow/test/s3test"
)

// A worker is paused in the middle of an upload until another one has stored the
// video, and then continues its upload.
func TestTwoWorkersUploadTheSameVideo(t *testing.T) {
	t.Parallel()
	server := s3test.New(t)
	first := halfway(t, server)
	w := enter(t, setup{env: inBucket(server)})
	prompt := "pause [size: 40MB]"
	w.start("e2e-pause-uploading", jobInput(prompt))
	<-first.reached
	paused := w.worker
	paused.signal(syscall.SIGSTOP)
	w.env = append(w.env, "WORK_DIR="+t.TempDir())
	w.startWorker()
	result, err := w.result("e2e-pause-uploading")
	require.NoError(t, err)
	w.verifiedInBucket(server, result, w.charge(prompt))

	paused.signal(syscall.SIGCONT)
	first.resume()
	<-first.ended
	require.Zero(t, paused.stop())
	w.verifiedInBucket(server, result, w.charge(prompt))
}
