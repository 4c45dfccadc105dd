package clip

import (
	"io"

	"github.com/vbauerster/mpb/v8"
)

// Bar is the progress for terminals, on a writer that is none.
func Bar(out io.Writer, clip *Clip, width int) (begin func() func(int64), failed func(error), end func(bool)) {
	display := newBar(out, clip, mpb.WithWidth(width), mpb.WithAutoRefresh())
	return display.begin, func(err error) { display.failed(err, firstPause) }, display.end
}

const (
	MaxAttempts = maxAttempts
	FetchMargin = fetchMargin
)
