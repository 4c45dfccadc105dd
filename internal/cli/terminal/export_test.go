package terminal

import (
	"io"

	"github.com/vbauerster/mpb/v8"
)

// Wrap is wrap.
var Wrap = wrap

// Drawn is a Progress that is drawn to any writer.
func Drawn[T any](out io.Writer, width int, text func(T) string, bytes func(T) (reached, all int64)) *Progress[T] {
	return newProgress(out, text, bytes, mpb.WithWidth(width), mpb.WithAutoRefresh())
}
