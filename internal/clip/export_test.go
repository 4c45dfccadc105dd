package clip

import (
	"io"

	"github.com/vbauerster/mpb/v8"
)

// Inspect is what Open does to a file that is open.
func Inspect(file io.ReaderAt, size int64) (extension string, err error) { return inspect(file, size) }

// Bar is the progress for terminals on something that is none.
func Bar(out io.Writer, clip *Clip, width int) (begin func() func(int64), broke func(error), end func(bool)) {
	shown := newBar(out, clip, mpb.WithWidth(width), mpb.WithAutoRefresh())
	return shown.begin, func(err error) { shown.broke(err, firstPause) }, shown.end
}

const (
	Attempts    = attempts
	FetchMargin = fetchMargin
	UploadTime  = uploadTime
)
