package jobs_test

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"lumaflow/internal/cli/jobs"
	"lumaflow/internal/command"
	"lumaflow/workflows"
)

func TestRequest(t *testing.T) {
	file := filepath.Join(t.TempDir(), "job.json")
	require.NoError(t, os.WriteFile(file, []byte(`{"prompt":"snow","videoUrl":"`+video+`"}`), 0o600))
	tests := []struct {
		name    string
		command jobs.SubmitCommand
		stdin   string
		want    workflows.ModifyVideoInput
	}{
		{"flags", jobs.SubmitCommand{Prompt: "snow", Video: video}, "", request},
		{
			"all flags",
			jobs.SubmitCommand{Prompt: "p", Video: video, Watermark: "w", Name: "n", RecoveryWindow: "5m", Deadline: "2h", OnUnknownSubmit: "resubmit", Key: "k", Wait: true, Timeout: time.Hour},
			"",
			workflows.ModifyVideoInput{Prompt: "p", VideoURL: video, Watermark: "w", Name: "n", RecoveryWindow: "5m", Deadline: "2h", OnUnknownSubmit: "resubmit"},
		},
		{
			"a model", jobs.SubmitCommand{Prompt: "p", Video: video, Model: "wan/2-7-videoedit", Option: []string{"resolution=720p", "seed=7", "negative_prompt=12", "prompt_extend=false"}}, "",
			workflows.ModifyVideoInput{Prompt: "p", VideoURL: video, Model: "wan/2-7-videoedit", Options: map[string]any{"resolution": "720p", "seed": 7.0, "negative_prompt": "12", "prompt_extend": false}},
		},
		{
			"options on standard input", jobs.SubmitCommand{Prompt: "p", Video: video, Model: "aleph", Options: "-"}, "\ufeff" + `{"aspectRatio":"16:9"}`,
			workflows.ModifyVideoInput{Prompt: "p", VideoURL: video, Model: "aleph", Options: map[string]any{"aspectRatio": "16:9"}},
		},
		{"adoption", jobs.SubmitCommand{TaskID: taskID, Name: "n", Deadline: "2h"}, "", workflows.ModifyVideoInput{TaskID: taskID, Name: "n", Deadline: "2h"}},
		{"JSON", jobs.SubmitCommand{Input: `{"prompt":"snow","videoUrl":"` + video + `"}`, ID: "shot-7"}, "", request},
		{"JSON in a file", jobs.SubmitCommand{Input: "@" + file}, "", request},
		{"JSON on standard input", jobs.SubmitCommand{Input: "-"}, `{"prompt":"snow","videoUrl":"` + video + `"}` + "\n", request},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			test.command.TaskQueue = "lumaflow"
			input, err := test.command.Request(t.Context(), strings.NewReader(test.stdin))
			require.NoError(t, err)
			require.Equal(t, test.want, input)
		})
	}
}

// Errors of a request come before the command dials, name the flag and repeat no
// address, which may hold a signature.
func TestInvalidRequests(t *testing.T) {
	// Nothing listens there, so a command that dials fails with another error.
	t.Setenv("TEMPORAL_ADDRESS", "127.0.0.1:1")
	tests := []struct {
		name    string
		command jobs.SubmitCommand
		stdin   string
		err     string
	}{
		{"a misspelled option", jobs.SubmitCommand{Prompt: "p", Video: video, Model: "wan/2-7-videoedit", Option: []string{"resolutio=720p"}}, "", `did you mean "resolution"?; nothing is started`},
		{"an option of another model", jobs.SubmitCommand{Prompt: "p", Video: video, Option: []string{"resolution=720p"}}, "", "model luma has no option"},
		{"an option without a value", jobs.SubmitCommand{Prompt: "p", Video: video, Option: []string{"resolution"}}, "", "is not NAME=VALUE"},
		{"an option twice", jobs.SubmitCommand{Prompt: "p", Video: video, Model: "aleph", Option: []string{"seed=1", "seed=2"}}, "", "seed is given twice"},
		{"options that are no object", jobs.SubmitCommand{Prompt: "p", Video: video, Model: "aleph", Options: "-"}, "[1]", "is no JSON object"},
		{"a model that is no name", jobs.SubmitCommand{Prompt: "p", Video: video, Model: "a b"}, "", "--model is not the name of a model"},
		{"a model that is only collected", jobs.SubmitCommand{Prompt: "p", Video: "./in.mp4", Model: "veo"}, "", "lumaflow only collects its tasks, with: lumaflow rescue TASKID; nothing is started"},
		{"a watermark of a model without a table", jobs.SubmitCommand{Prompt: "p", Video: video, Model: "acme/restyle", Watermark: "w"}, "", "model acme/restyle takes no watermark identifier"},
		{"options of a JSON input", jobs.SubmitCommand{Input: `{"prompt":"p","videoUrl":"` + video + `","model":"aleph","options":{"aspect":"16:9"}}`}, "", "--input: model aleph has no option"},
		{"options of a task", jobs.SubmitCommand{TaskID: taskID, Option: []string{"a=b"}}, "", "leave out"},
		{"nothing", jobs.SubmitCommand{}, "", "the job is missing: give --prompt and --video"},
		{"no prompt", jobs.SubmitCommand{Prompt: " \n", Video: video}, "", "--prompt is missing"},
		{"no video", jobs.SubmitCommand{Prompt: "p"}, "", "--video is missing"},
		{"no such video, without a key", jobs.SubmitCommand{Prompt: "p", Video: "./in.mp4"}, "", "--video: there is no file ./in.mp4"},
		{"another scheme", jobs.SubmitCommand{Prompt: "p", Video: "ftp://secret@x/in.mp4"}, "", "--video: neither an http or https URL nor a file"},
		{"no host", jobs.SubmitCommand{Prompt: "p", Video: "https:///secret.mp4"}, "", "--video is not an http or https address"},
		{"not UTF-8", jobs.SubmitCommand{Prompt: "p\xff", Video: video}, "", "--prompt is not valid UTF-8"},
		{"bad deadline", jobs.SubmitCommand{Prompt: "p", Video: video, Deadline: "soon"}, "", "--deadline is \"soon\""},
		{"negative window", jobs.SubmitCommand{Prompt: "p", Video: video, RecoveryWindow: "-1h"}, "", "--recovery-window is \"-1h\""},
		{"unknown action", jobs.SubmitCommand{Prompt: "p", Video: video, OnUnknownSubmit: "ignore"}, "", "--on-unknown-submit is \"ignore\""},
		{"blank in the task id", jobs.SubmitCommand{TaskID: " x"}, "", "--task-id has blanks around it"},
		{"adoption with a prompt", jobs.SubmitCommand{TaskID: taskID, Prompt: "p"}, "", "--task-id collects a task that exists already"},
		{"timeout of nothing", jobs.SubmitCommand{Prompt: "p", Video: video, Timeout: time.Hour}, "", "--timeout needs --wait"},
		{"negative timeout", jobs.SubmitCommand{Prompt: "p", Video: video, Wait: true, Timeout: -1}, "", "--timeout is"},
		{"id and key", jobs.SubmitCommand{Prompt: "p", Video: video, ID: "i", Key: "k"}, "", "--id and --key exclude each other"},
		{"long id", jobs.SubmitCommand{Prompt: "p", Video: video, ID: strings.Repeat("i", 1001)}, "", "--id must be at most 1000 bytes"},
		{"blank id", jobs.SubmitCommand{Prompt: "p", Video: video, ID: " "}, "", "--id must be"},
		{"JSON and flags", jobs.SubmitCommand{Input: "{}", Name: "n"}, "", "--input holds the whole job"},
		{"unknown field", jobs.SubmitCommand{Input: `{"prompt":"p","videoUrl":"` + video + `","vide":1}`}, "", "--input: vide is no field of the input: use prompt, videoUrl, "},
		{"two values", jobs.SubmitCommand{Input: "-"}, `{"prompt":"p","videoUrl":"` + video + `"}{}`, "--input: the input is more than one JSON object"},
		{"no JSON", jobs.SubmitCommand{Input: "-"}, "", "--input: the input is malformed"},
		{"blank prompt in JSON", jobs.SubmitCommand{Input: `{"videoUrl":"` + video + `"}`}, "", "--input: prompt is blank"},
		{"no such file", jobs.SubmitCommand{Input: "@/no/such/file"}, "", "--input: open /no/such/file"},
		{"too much", jobs.SubmitCommand{Input: "-"}, strings.Repeat(" ", 1<<20+1), "--input is larger than 1 MiB"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			test.command.TaskQueue = "lumaflow"
			streams, out, _ := newStreams(test.stdin)
			err := test.command.Run(t.Context(), streams)
			require.ErrorContains(t, err, test.err)
			require.Equal(t, command.ExitUsage, command.ExitCode(err))
			require.NotContains(t, err.Error(), "secret")
			require.NotContains(t, err.Error(), "\n")
			require.Empty(t, out.String())
		})
	}
}

// Ctrl-C ends a command that waits for its standard input.
func TestRequestFromIdleStandardInput(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	reader, writer := io.Pipe()
	defer writer.Close()
	stdin := &notifyingReader{Reader: reader, onRead: cancel}
	_, err := (&jobs.SubmitCommand{Input: "-", TaskQueue: "q"}).Request(ctx, stdin)
	require.ErrorIs(t, err, context.Canceled)
}

// notifyingReader calls onRead before each read.
type notifyingReader struct {
	io.Reader
	onRead func()
}

func (r *notifyingReader) Read(into []byte) (int, error) {
	r.onRead()
	return r.Reader.Read(into)
}
