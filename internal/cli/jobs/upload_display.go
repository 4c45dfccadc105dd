package jobs

import (
	"io"
	"path/filepath"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/mattn/go-runewidth"
	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"lumaflow/internal/cli/terminal"
	"lumaflow/internal/clip"
	"lumaflow/internal/oneline"
)

// uploadName bounds the file name in front of the bar of an upload, in columns.
const uploadName = 24

// NewUploadDisplay shows the upload of a clip on w: on a terminal as a bar, else as
// a line for each attempt.
func NewUploadDisplay(w io.Writer, video *clip.Clip) clip.Progress {
	if terminal.Is(w) {
		return newUploadBar(w, video)
	}
	return uploadLog{w, video}
}

// uploadLog is the display for logs and pipes.
type uploadLog struct {
	out   io.Writer
	video *clip.Clip
}

func (l uploadLog) Begin() func(int64) {
	message(l.out, "uploading %s (%s)", l.video, humanize.Bytes(uint64(l.video.Bytes())))
	return func(int64) {}
}

func (l uploadLog) Failed(err error, pause time.Duration) {
	writeFailedUpload(l.out, err, pause)
}

func (l uploadLog) End(bool) {}

func writeFailedUpload(out io.Writer, err error, pause time.Duration) {
	message(out, "the upload failed (%s), next attempt in %v", oneline.Clean(err.Error()), pause.Round(100*time.Millisecond))
}

// uploadBar is the display for terminals.
type uploadBar struct {
	container *mpb.Progress
	bar       *mpb.Bar
	bytes     int64
}

func newUploadBar(out io.Writer, video *clip.Clip, options ...mpb.ContainerOption) *uploadBar {
	container := mpb.New(append([]mpb.ContainerOption{mpb.WithOutput(out)}, options...)...)
	// A bar with a total completes as soon as it is full. This one has none at
	// first, because a full bar may have to return to 0 for the next attempt.
	return &uploadBar{container, container.New(0, mpb.BarStyle(),
		mpb.PrependDecorators(decor.Name("uploading "+runewidth.Truncate(filepath.Base(video.String()), uploadName, "…")+" ")),
		mpb.AppendDecorators(decor.CountersKiloByte("% .1f of % .1f")),
	), video.Bytes()}
}

func (b *uploadBar) Begin() func(int64) {
	b.bar.SetTotal(b.bytes, false)
	b.bar.SetCurrent(0)
	return b.bar.IncrInt64
}

func (b *uploadBar) Failed(err error, pause time.Duration) {
	writeFailedUpload(b.container, err, pause)
}

func (b *uploadBar) End(uploaded bool) {
	if uploaded {
		b.bar.SetTotal(b.bytes, true)
	} else {
		b.bar.Abort(false)
	}
	b.container.Wait()
}
