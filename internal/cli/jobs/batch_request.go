package jobs

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"

	"lumaflow/internal/command"
	"lumaflow/internal/manifest"
	"lumaflow/internal/oneline"
	"lumaflow/internal/store"
	"lumaflow/starter"
	"lumaflow/workflows/batches"
)

// batchRequest is a batch to start, with its file.
type batchRequest struct {
	starter.BatchRequest
	file starter.BatchFile
	// data is the content of a file that is to be stored where the workers read it;
	// nil if there is none.
	data []byte
}

// request checks the flags and the whole file. Errors are usage errors.
func (c *BatchRunCommand) request(ctx context.Context, stdin io.Reader) (batchRequest, error) {
	request := batchRequest{BatchRequest: starter.BatchRequest{ID: c.ID, ChosenID: c.ID != "", Input: batches.Input{
		Concurrency: c.Concurrency, Budget: c.Budget, Canary: c.Canary, MaxFailureRate: c.MaxFailureRate, RetryFailed: c.RetryFailed,
	}}}
	if err := c.check(request.Input); err != nil {
		return request, err
	}
	data, err := readManifest(ctx, c.File, stdin)
	if err != nil {
		return request, err
	}
	csv := c.CSV || manifest.IsCSV(nameOfURL(c.File))
	request.file, err = starter.ReadBatch(bytes.NewReader(data), csv)
	switch {
	case err != nil:
		return request, command.Usagef("%s %w; nothing is started", sourceName(c.File), err)
	case request.file.Lines == 0:
		return request, command.Usagef("%s holds no job: write one JSON object a line, or a CSV header and one job a line", sourceName(c.File))
	case c.ID == "":
		request.ID = request.file.ID(c.Key)
	}
	inline, err := request.file.Inline(&request.Input)
	if err != nil || inline {
		return request, err
	}
	request.Input.SHA256 = request.file.SHA256
	if strings.Contains(c.File, "://") && csv == manifest.IsCSV(nameOfURL(c.File)) {
		request.Input.Manifest = c.File
		return request, nil
	}
	kind := "jsonl"
	if csv {
		kind = "csv"
	}
	request.data, request.Input.Manifest = data, store.BatchFileName("manifest-"+request.file.SHA256, kind)
	return request, nil
}

// check rejects flags that exclude each other or are out of range.
func (c *BatchRunCommand) check(input batches.Input) error {
	if err := cmp.Or(c.watchFlags.check(), checkTaskQueue(c.TaskQueue)); err != nil {
		return err
	}
	// The jobs are checked with the file.
	input.Manifest = "file"
	switch {
	case c.ID != "" && c.Key != "":
		return command.Usagef("--id and --key exclude each other: the key is part of a derived id")
	case c.ID != "" && (len(c.ID) > maxID || !utf8.ValidString(c.ID) || strings.TrimSpace(c.ID) != c.ID):
		return command.Usagef("--id must be at most %d bytes of text without blanks around it", maxID)
	case c.Concurrency == 0:
		return command.Usagef("--concurrency is 0: give 1 to %d open jobs", batches.MaxConcurrency)
	case !(c.PricePerJob >= 0):
		return command.Usagef("--price-per-job is %g: give the price of one job", c.PricePerJob)
	case c.PricePerJob != 0 && !c.Plan:
		return command.Usagef("--price-per-job needs --plan")
	case !(c.SubmitsPerSecond > 0):
		return command.Usagef("SUBMITS_PER_SECOND is %g: give the rate of the workers, such as 2", c.SubmitsPerSecond)
	case c.Plan && c.Detach:
		return command.Usagef("--plan starts nothing: leave out --detach")
	case c.Timeout != 0 && (c.Plan || c.Detach):
		return command.Usagef("--timeout ends the watching: leave out --plan and --detach")
	default:
		return flagError(input.Validate())
	}
}

// readManifest reads a file of jobs, an object, or stdin if path is -.
func readManifest(ctx context.Context, path string, stdin io.Reader) ([]byte, error) {
	from := stdin
	if strings.Contains(path, "://") {
		object, err := store.OpenFile(ctx, path)
		if invalid, ok := errors.AsType[*store.URLError](err); ok {
			return nil, command.Usagef("%s: %w", sourceName(path), invalid.Err)
		}
		if err != nil {
			return nil, fmt.Errorf("read %s: %s", sourceName(path), oneline.Clean(err.Error()))
		}
		defer object.Close()
		from = store.ContextReader{Context: ctx, From: object}
		data, err := readFile(ctx, "-", from, maxFile)
		return data, fileError(path, err)
	}
	data, err := readFile(ctx, path, from, maxFile)
	return data, fileError(path, err)
}

// nameOfURL is a path or a URL without its parameters.
func nameOfURL(path string) string {
	if strings.Contains(path, "://") {
		path, _, _ = strings.Cut(path, "?")
	}
	return path
}

// place stores the file where the workers read it, under a name with its hash.
func (r batchRequest) place(ctx context.Context, outputURL string) error {
	if r.data == nil {
		return nil
	}
	output, err := store.OpenExisting(ctx, outputURL)
	if err != nil {
		return fmt.Errorf("a file of more than %d lines is stored in the output of the workers: %w", batches.MaxItems, err)
	}
	file, err := os.CreateTemp("", "lumaflow-batch-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(file.Name()) }()
	_, err = file.Write(r.data)
	if err = cmp.Or(err, file.Close()); err != nil {
		return err
	}
	_, err = output.PutVideo(ctx, r.Input.Manifest, store.Source{
		Path: file.Name(), Bytes: int64(len(r.data)), SHA256: r.file.SHA256, ContentType: "application/x-ndjson",
	})
	if err != nil {
		return fmt.Errorf("store the jobs in the output of the workers: %w", err)
	}
	return nil
}
