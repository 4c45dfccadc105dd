package jobs_test

import (
	"bytes"
	"strings"

	"lumaflow/internal/command"
)

// newStreams returns streams that are no terminal.
func newStreams(in string) (streams command.Streams, out, messages *bytes.Buffer) {
	out, messages = new(bytes.Buffer), new(bytes.Buffer)
	return command.Streams{In: strings.NewReader(in), Out: out, Err: messages}, out, messages
}
