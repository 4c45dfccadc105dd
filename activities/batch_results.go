package activities

import (
	"bufio"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"

	"lumaflow/internal/manifest"
	"lumaflow/internal/store"
)

const (
	// resultsKind is the kind of the file with the results of a batch.
	resultsKind = "results.jsonl"
	// jsonLines is the content type of both files of a batch.
	jsonLines = "application/x-ndjson"
)

// JobResult is one line of the results of a batch.
type JobResult struct {
	// Line is the line of the manifest.
	Line int `json:"line"`
	// Job is the id that the line stands for. The end is that of the collecting job if
	// Collector is set.
	JobEnd
	Collector string `json:"collector,omitempty"`
	// Repeats is the first line with the same job, for a line that repeats it.
	Repeats int `json:"repeats,omitempty"`
}

// ResultsInput are results to add to the file of a batch.
type ResultsInput struct {
	Batch   Batch       `json:"batch"`
	Results []JobResult `json:"results,omitempty"`
	// Fresh drops what the file holds: that of another run of the batch, which may be
	// about another manifest.
	Fresh bool `json:"fresh,omitempty"`
}

// WriteResults merges results into the file of a batch, in the order of the manifest.
// A result replaces the one that the file has for its line. It is idempotent.
func (b *Batches) WriteResults(ctx context.Context, input ResultsInput) (location string, err error) {
	return withHeartbeat(ctx, nil, func(ctx context.Context) (string, error) {
		location, err := b.merge(ctx, input)
		if err != nil {
			return "", retryable(StorageUnavailable, "write the results of the batch", err, 0)
		}
		return location, nil
	})
}

func (b *Batches) merge(ctx context.Context, input ResultsInput) (location string, err error) {
	results := slices.Clone(input.Results)
	// The last result of a line comes first and replaces the others.
	slices.Reverse(results)
	slices.SortStableFunc(results, func(x, y JobResult) int { return cmp.Compare(x.Line, y.Line) })
	results = slices.CompactFunc(results, func(x, y JobResult) bool { return x.Line == y.Line })
	stored := func(func(JobResult) error) error { return nil }
	if !input.Fresh {
		stored = func(yield func(JobResult) error) error { return b.stored(ctx, input.Batch.ID, yield) }
	}
	return b.publish(ctx, store.BatchFileName(input.Batch.ID, resultsKind), func(to io.Writer) error {
		lines := json.NewEncoder(to)
		lines.SetEscapeHTML(false)
		err := stored(func(old JobResult) error {
			for len(results) > 0 && results[0].Line <= old.Line {
				if err := lines.Encode(results[0]); err != nil {
					return err
				}
				replaced := results[0].Line == old.Line
				if results = results[1:]; replaced {
					return nil
				}
			}
			return lines.Encode(old)
		})
		for _, result := range results {
			err = cmp.Or(err, lines.Encode(result))
		}
		return err
	})
}

// stored passes the results that the file of a batch holds to yield. A missing file
// holds none, and a line that is no result is left out.
func (b *Batches) stored(ctx context.Context, batchID string, yield func(JobResult) error) error {
	file, err := b.options.Store.Open(ctx, store.BatchFileName(batchID, resultsKind))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer file.Close()
	lines := bufio.NewScanner(store.ContextReader{Context: ctx, From: file})
	lines.Buffer(nil, manifest.MaxLine)
	last := 0
	for lines.Scan() {
		var result JobResult
		if json.Unmarshal(lines.Bytes(), &result) != nil || result.Line <= last {
			continue
		}
		last = result.Line
		if err := yield(result); err != nil {
			return err
		}
	}
	return lines.Err()
}

// FinishInput is a batch whose results are to be completed.
type FinishInput struct {
	Batch Batch `json:"batch"`
	// Next is the index of the first line that was not processed: its job and those
	// after it were not started.
	Next int `json:"next"`
	// SkippedFrom is the first line whose job the budget did not permit; 0 if it permitted
	// all. A line from it on without a result may be one more.
	SkippedFrom int `json:"skippedFrom,omitempty"`
	// Stopped is why they were not started.
	Stopped string `json:"stopped,omitempty"`
}

// FinishResults completes the file of a batch: it has one line for each line of the
// manifest. A result that is missing, as after the loss of the file, is read from
// Temporal, and so is that of a line which was not processed but has a job: an earlier
// run of the batch, or another client, has started it. It is idempotent.
func (b *Batches) FinishResults(ctx context.Context, input FinishInput) (location string, err error) {
	return withHeartbeat(ctx, nil, func(ctx context.Context) (string, error) {
		missing, err := b.missing(ctx, input)
		if err != nil {
			return "", err
		}
		for part := range slices.Chunk(missing, maxPart) {
			results, err := b.readResults(ctx, input, part)
			if err == nil {
				_, err = b.merge(ctx, ResultsInput{Batch: input.Batch, Results: results})
			}
			if err != nil {
				return "", retryable(StorageUnavailable, "complete the results of the batch", err, 0)
			}
		}
		location, err := b.merge(ctx, ResultsInput{Batch: input.Batch})
		if err != nil {
			return "", retryable(StorageUnavailable, "complete the results of the batch", err, 0)
		}
		return location, nil
	})
}

// maxPart bounds the results that are completed at once.
const maxPart = 5000

// unfinished is a line without a result.
type unfinished struct {
	manifest.Order
	// processed means that the batch came to the line and its job runs or has run.
	processed bool
}

// missing returns the lines of the manifest that the file has no final result of. Those
// of another manifest do not count.
func (b *Batches) missing(ctx context.Context, input FinishInput) ([]unfinished, error) {
	written := map[int]string{}
	err := b.stored(ctx, input.Batch.ID, func(result JobResult) error {
		if result.Outcome != OutcomeNotStarted && result.Outcome != OutcomeOpen {
			written[result.Line] = result.Job
		}
		return nil
	})
	if err != nil {
		return nil, retryable(StorageUnavailable, "read the results of the batch", err, 0)
	}
	var lines []unfinished
	index := 0
	_, err = b.read(ctx, input.Batch, func(order manifest.Order) bool {
		processed := index < input.Next
		index++
		if !processed || written[order.Line] != order.ID {
			order.Input = nil
			lines = append(lines, unfinished{order, processed && (input.SkippedFrom == 0 || order.Line < input.SkippedFrom)})
		}
		return true
	})
	return lines, err
}

// readResults reads the results of lines from Temporal.
func (b *Batches) readResults(ctx context.Context, input FinishInput, lines []unfinished) ([]JobResult, error) {
	var ids []string
	for _, line := range lines {
		if !line.processed {
			ids = append(ids, line.ID)
		}
	}
	listed, err := b.options.Runs.Listed(ctx, ids)
	if err != nil {
		return nil, err
	}
	results := make([]JobResult, len(lines))
	err = eachOf(ctx, len(lines), func(ctx context.Context, i int) error {
		line := lines[i]
		results[i] = JobResult{Line: line.Line, Repeats: line.Repeats, JobEnd: JobEnd{Job: line.ID, Outcome: OutcomeNotStarted, Reason: input.Stopped}}
		switch {
		case line.Repeats != 0:
			results[i].JobEnd = Repeated(line.Order)
			return nil
		case !line.processed && listed[line.ID] == 0:
			return nil
		}
		end, _, err := b.sweep(ctx, input.Batch, line.ID)
		switch {
		case err != nil:
			return err
		case end != nil && end.Outcome == OutcomeDeleted && !line.processed:
		case end != nil:
			results[i].JobEnd = *end
		default:
			results[i].Outcome, results[i].Reason = OutcomeOpen, ""
		}
		return nil
	})
	return results, err
}

// Repeated is the result of a line that repeats another one.
func Repeated(order manifest.Order) JobEnd {
	return JobEnd{Job: order.ID, Outcome: OutcomeDuplicate, Reason: fmt.Sprintf("the same job as line %d", order.Repeats)}
}

// publish writes a file of the store.
func (b *Batches) publish(ctx context.Context, name string, write func(io.Writer) error) (location string, err error) {
	if b.options.WorkDir != "" {
		if err := os.MkdirAll(b.options.WorkDir, 0o755); err != nil {
			return "", err
		}
	}
	file, err := os.CreateTemp(b.options.WorkDir, "batch-*.tmp")
	if err != nil {
		return "", err
	}
	// A store may have moved the file.
	defer func() { _ = os.Remove(file.Name()) }()
	digest := sha256.New()
	buffered := bufio.NewWriter(io.MultiWriter(file, digest))
	err = cmp.Or(write(buffered), buffered.Flush())
	info, statErr := file.Stat()
	if err = cmp.Or(err, statErr, file.Close()); err != nil {
		return "", err
	}
	return b.options.Store.PutVideo(ctx, name, store.Source{
		Path: file.Name(), Bytes: info.Size(), SHA256: hex.EncodeToString(digest.Sum(nil)), ContentType: jsonLines,
	})
}
