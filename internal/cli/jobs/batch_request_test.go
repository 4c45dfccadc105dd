package jobs_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"lumaflow/internal/cli/jobs"
	"lumaflow/internal/command"
	"lumaflow/internal/oneline"
	"lumaflow/internal/store"
	"lumaflow/starter"
	"lumaflow/test/startertest"
	"lumaflow/workflows/batches"
)

const (
	snow = `{"prompt":"snow","videoUrl":"https://example.org/in.mp4"}`
	rain = `{"prompt":"rain","videoUrl":"https://example.org/in.mp4","name":"reel"}`
)

// batchCommand is the command with its defaults.
func batchCommand(file string) *jobs.BatchRunCommand {
	c := &jobs.BatchRunCommand{File: file, Concurrency: 100, SubmitsPerSecond: 2}
	c.TaskQueue = "lumaflow"
	return c
}

// batchFile writes a batch file and returns its path.
func batchFile(t *testing.T, name string, lines ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(path, []byte(strings.Join(lines, "\n")), 0o600))
	return path
}

// A file is checked as a whole, and its mistakes are usage errors in one plain line.
func TestBatchLines(t *testing.T) {
	const open = `{"prompt":"snow","videoUrl":"https://example.org/in.mp4"`
	const fails = "; nothing is started"
	tests := []struct {
		name  string
		lines string
		csv   bool
		jobs  int
		twice int
		err   string
	}{
		{"one", open + "}", false, 1, 0, ""},
		{"all fields", "\n" + open + `,"watermark":"w","name":"n","recoveryWindow":"1m","deadline":"2h","onUnknownSubmit":"fail","key":"k"}`, false, 1, 0, ""},
		{"a task to collect", `{"taskId":"t"}`, false, 1, 0, ""},
		{"another take, and the same again", open + "}\n" + open + `,"key":"2"}` + "\n" + open + "}", false, 2, 1, ""},
		{"CSV", "prompt,videoUrl,key\nsnow,https://example.org/in.mp4,\n\"a, b\",https://example.org/in.mp4,2\n", true, 2, 0, ""},
		{"the same job, run otherwise", open + "}\n" + open + `,"name":"reel"}`, false, 0, 0,
			"standard input line 2: it is the same job as line 1 but differs in how it is run; give it a key of its own for another, paid take" + fails},
		{"nothing", " \n\n", false, 0, 0, "standard input holds no job: write one JSON object a line, or a CSV header and one job a line"},
		{"a header alone", "prompt,videoUrl\n", true, 0, 0, "standard input holds no job: write one JSON object a line, or a CSV header and one job a line"},
		{"CSV without the columns", "title,videoUrl\nsnow,https://example.org/in.mp4\n", true, 0, 0, "standard input line 1: title is no field of the input: use prompt, videoUrl, videoSha256, videoExpires, model, options, unchecked, watermark, taskId, name, recoveryWindow, deadline, onUnknownSubmit, key" + fails},
		{"CSV with a column without a name", "prompt,videoUrl,\nsnow,https://example.org/in.mp4,\n", true, 0, 0, "standard input line 1: the column 3 has no name" + fails},
		{"CSV with a column twice", "prompt,videoUrl,Prompt\nsnow,https://example.org/in.mp4,rain\n", true, 0, 0, "standard input line 1: the column Prompt occurs twice" + fails},
		{"CSV with a header in capitals", "PROMPT,VideoURL,Options\nsnow,https://example.org/in.mp4,{}\n", true, 1, 0, ""},
		{"CSV without a prompt", "videoUrl\nhttps://example.org/in.mp4\n", true, 0, 0, "standard input line 1: the header names no columns prompt and videoUrl, nor taskId" + fails},
		{"CSV with a short line", "prompt,videoUrl\nsnow\n", true, 0, 0, "standard input line 2: cells in the row: 1, columns of the header: 2; put a cell that holds a comma in quotes" + fails},
		{"no prompt", open + "}\n{\"videoUrl\":\"https://example.org/in.mp4\"}", false, 0, 0, "standard input line 2: prompt is blank: describe the change to the video" + fails},
		{"an unknown field", open + `,"water_mark":"w"}`, false, 0, 0, "standard input line 1: water_mark is no field of the input: did you mean watermark?" + fails},
		{"a key of another kind", open + `,"key":2}`, false, 0, 0, "standard input line 1: key is not a string" + fails},
		{"a field of another kind", `{"prompt":7}`, false, 0, 0, "standard input line 1: the input is malformed: prompt is a number, not a string" + fails},
		{"options of another kind", `{"options":"x"}`, false, 0, 0, "standard input line 1: the input is malformed: options is a string, not an object" + fails},
		{"unchecked of another kind", `{"unchecked":1}`, false, 0, 0, "standard input line 1: the input is malformed: unchecked is a number, not true or false" + fails},
		{"one job over several lines", "{\n\"prompt\":\"snow\"\n}", false, 0, 0,
			"standard input line 1: the input is malformed: unexpected EOF (one JSON object a line is expected); 2 more lines can't be used either" + fails},
		{"one array of jobs", "[" + open + "}]", false, 0, 0,
			"standard input line 1: the input is malformed: it is not an object but of type array (one JSON object a line is expected)" + fails},
		{"null", "null", false, 0, 0, "standard input line 1: prompt is blank: describe the change to the video (one JSON object a line is expected)" + fails},
		{"a text", "once upon a time", false, 0, 0,
			"standard input line 1: the input is malformed: invalid character 'o' looking for beginning of value (one JSON object a line is expected)" + fails},
		{"too large", strings.Repeat("\n", jobs.MaxFile+1), false, 0, 0, "standard input is larger than 64 MiB: split it"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			c := batchCommand("-")
			c.CSV = test.csv
			request, file, err := c.Request(t.Context(), strings.NewReader(test.lines))
			if test.err != "" {
				require.EqualError(t, err, test.err)
				require.Equal(t, oneline.Clean(err.Error()), err.Error(), "one plain line")
				require.Equal(t, command.ExitUsage, command.ExitCode(err))
				return
			}
			require.NoError(t, err)
			require.Equal(t, test.jobs, file.Jobs())
			require.Equal(t, test.twice, file.Duplicates)
			require.NoError(t, request.Input.Validate())
			require.Equal(t, file.ID(""), request.ID)
			require.NotEmpty(t, request.Input.SHA256)
		})
	}
}

// A million lines are refused by the stated limit.
func TestTooManyJobs(t *testing.T) {
	var lines strings.Builder
	for i := range 1_000_000 {
		fmt.Fprintf(&lines, `{"taskId":"t%d"}`+"\n", i)
	}
	_, _, err := batchCommand("-").Request(t.Context(), strings.NewReader(lines.String()))
	require.EqualError(t, err, "standard input line 100001: these are more than 100000 jobs: split the manifest; nothing is started")
	require.Equal(t, command.ExitUsage, command.ExitCode(err))
}

// A small file is sent with its line numbers: a line without a job is a null.
func TestInlineBatch(t *testing.T) {
	request, _, err := batchCommand(batchFile(t, "shots.jsonl", "", snow, "", rain)).Request(t.Context(), nil)
	require.NoError(t, err)
	items, err := json.Marshal(request.Input.Items)
	require.NoError(t, err)
	require.JSONEq(t, "[null,"+snow+",null,"+rain+"]", string(items))
	require.Empty(t, request.Input.Manifest)

	request, _, err = batchCommand(batchFile(t, "shots.CSV", "prompt,videoUrl", "snow,https://example.org/in.mp4")).Request(t.Context(), nil)
	require.NoError(t, err)
	items, err = json.Marshal(request.Input.Items)
	require.NoError(t, err)
	require.JSONEq(t, "[null,"+snow+"]", string(items))
}

// A larger file is stored in the output of the workers, under a name with its hash,
// before the batch is started.
func TestStoredBatch(t *testing.T) {
	var lines []string
	for i := range batches.MaxItems + 1 {
		lines = append(lines, fmt.Sprintf("shot %d,https://example.org/in.mp4", i))
	}
	file := batchFile(t, "shots.csv", append([]string{"prompt,videoUrl"}, lines...)...)
	output := t.TempDir()
	fake := startertest.New(t)
	c := batchCommand(file)
	c.OutputURL, c.Detach = output, true
	streams, out, _ := newStreams("")
	require.NoError(t, c.RunOn(t.Context(), starter.New(fake, starter.Options{}), streams))
	require.Len(t, fake.BatchInputs, 1)
	input := fake.BatchInputs[0]
	require.Empty(t, input.Items)
	require.Equal(t, "manifest-"+input.SHA256+".csv", input.Manifest)
	require.NoError(t, store.CheckName(input.Manifest))
	want, err := os.ReadFile(file)
	require.NoError(t, err)
	stored, err := os.ReadFile(filepath.Join(output, input.Manifest))
	require.NoError(t, err)
	require.Equal(t, want, stored)
	require.Equal(t, fake.Starts[0].ID+"\n", out.String())

	c.OutputURL = filepath.Join(output, "none")
	err = c.RunOn(t.Context(), starter.New(fake, starter.Options{}), streams)
	require.ErrorContains(t, err, "a file of more than 500 lines is stored in the output of the workers: OUTPUT_URL: the folder "+c.OutputURL+" can't be read")
	require.Len(t, fake.Starts, 1, "nothing is started")
}

// Invalid arguments are rejected before the command dials.
func TestInvalidBatchArguments(t *testing.T) {
	t.Setenv("TEMPORAL_ADDRESS", "127.0.0.1:1")
	file := batchFile(t, "shots.jsonl", snow)
	tests := []struct {
		name  string
		args  []string
		names string
	}{
		{"no task", []string{"rescue"}, "--ids"},
		{"no task id", []string{"rescue", "two words"}, "two words"},
		{"an empty id", []string{"rescue", ""}, "empty"},
		{"none at once", []string{"rescue", "t", "--at-once", "0"}, "--at-once"},
		{"a negative timeout", []string{"rescue", "t", "--timeout=-1h"}, "--timeout"},
		{"no queue", []string{"rescue", "t", "--task-queue", ""}, "TASK_QUEUE"},
		{"too many at once", []string{"batch", file, "--at-once", "10001"}, "--concurrency"},
		{"no job at once", []string{"batch", file, "--concurrency", "0"}, "--concurrency is 0: give 1 to 1000 open jobs"},
		{"a negative concurrency", []string{"batch", file, "--concurrency=-1"}, "--concurrency is -1: give 1 to 1000 open jobs"},
		{"a negative budget", []string{"batch", file, "--budget=-1"}, "--budget is -1"},
		{"a negative canary", []string{"batch", file, "--canary=-1"}, "--canary is -1"},
		{"a negative rate", []string{"batch", file, "--max-failure-rate=-0.1"}, "--max-failure-rate is -0.1"},
		{"a rate above 1", []string{"batch", file, "--max-failure-rate=20"}, "--max-failure-rate is 20: give a number from 0 to 1"},
		{"no rate", []string{"batch", file, "--max-failure-rate=NaN"}, "--max-failure-rate is NaN"},
		{"a negative price", []string{"batch", file, "--plan", "--price-per-job=-1"}, "--price-per-job is -1"},
		{"a price without a plan", []string{"batch", file, "--price-per-job=1"}, "--plan"},
		{"a plan in the background", []string{"batch", file, "--plan", "--detach"}, "--detach"},
		{"an id and a key", []string{"batch", file, "--id", "a", "--key", "b"}, "--key"},
		{"a blank id", []string{"batch", file, "--id", " "}, "--id"},
		{"no file", []string{"batch", filepath.Join(t.TempDir(), "none")}, "no such file"},
		{"a folder", []string{"batch", t.TempDir()}, "is a directory"},
		{"a store of an unknown kind", []string{"batch", "ftp://example.org/shots.jsonl"}, "kind of store"},
		{"status with a timeout", []string{"batch", "status", "b", "--timeout", "1m"}, "--watch"},
		{"status of no id", []string{"batch", "status", ""}, "ID"},
		{"stop of no id", []string{"batch", "stop", ""}, "ID"},
		{"an impossible concurrency", []string{"batch", "set-concurrency", "b", "1001"}, "give 1 to 1000 open jobs"},
		{"a stage and all stages", []string{"list", "--at-risk", "--stage", "held"}, "--at-risk"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			streams, out, _ := newStreams("")
			err := runLine(t, streams, test.args...)
			require.Equal(t, command.ExitUsage, command.ExitCode(err), "%v", err)
			require.ErrorContains(t, err, test.names)
			require.NotContains(t, err.Error(), "\n")
			require.Empty(t, out.String())
		})
	}
}
