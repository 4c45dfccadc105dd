package jobs_test

import (
	"bytes"
	"strings"

	"lumaflow/internal/command"
)

// newStreams are streams that are no terminal.
func newStreams(in string) (streams command.Streams, out, said *bytes.Buffer) {
	out, said = new(bytes.Buffer), new(bytes.Buffer)
	return command.Streams{In: strings.NewReader(in), Out: out, Err: said}, out, said
}
