package starter

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"slices"
	"strings"

	"lumaflow/internal/kie"
	"lumaflow/internal/manifest"
	"lumaflow/internal/paid/runs"
	"lumaflow/workflows/batches"
)

// BatchFile is a manifest all of whose lines can be used.
type BatchFile struct {
	// Summary has the hash and the numbers of lines.
	manifest.Summary
	// Models are those that the jobs name, the first of each, at most 20.
	Models []string
	// items are the lines, as an input takes them; nil if they are too many for one.
	items []json.RawMessage
	// orders are the jobs without their inputs.
	orders []manifest.Order
}

// ReadBatch reads a whole manifest. The error is *manifest.Problems if lines can't be
// used. The memory grows with the ids of the jobs, not with their content.
func ReadBatch(from io.Reader, csv bool) (BatchFile, error) {
	file := BatchFile{}
	size, inline := 0, true
	summary, err := Manifest.Read(from, csv, func(order manifest.Order) bool {
		size += len(order.Object)
		if inline = inline && order.Line <= batches.MaxItems && size <= batches.MaxItemsBytes; inline {
			// A null is a line without a job: the results name the lines of the file.
			for len(file.items) < order.Line-1 {
				file.items = append(file.items, json.RawMessage("null"))
			}
			file.items = append(file.items, bytes.Clone(order.Object))
		} else {
			file.items = nil
		}
		if model := modelOf(order); len(file.Models) < maxModels && !slices.Contains(file.Models, model) {
			file.Models = append(file.Models, model)
		}
		order.Input, order.Object = nil, nil
		file.orders = append(file.orders, order)
		return true
	})
	file.Summary = summary
	return file, err
}

// maxModels bounds the models of a file that are listed.
const maxModels = 20

// modelOf is the model that a job pays for; the default if it names none.
func modelOf(order manifest.Order) string {
	var job struct {
		Model string `json:"model"`
	}
	// The line was parsed before.
	_ = json.Unmarshal(order.Input, &job)
	return cmp.Or(job.Model, kie.DefaultModel)
}

// Jobs is the number of different jobs.
func (f BatchFile) Jobs() int { return f.Lines - f.Duplicates }

// ID derives the id of a batch from the bytes of its file, so that the same file is
// the same batch. Another key makes another batch of it, with the same jobs.
func (f BatchFile) ID(key string) string {
	return "batch-" + strings.TrimPrefix(runs.JobID("batch", f.SHA256, key), "luma-")
}

// Inline sets the jobs of an input if it can hold them. If it can't, they must be
// stored where the workers read them.
func (f BatchFile) Inline(input *batches.Input) (inline bool, err error) {
	if f.items == nil {
		return false, nil
	}
	lines, err := manifest.Encode(f.items)
	if err != nil || len(lines) > batches.MaxItemsBytes {
		return false, err
	}
	hash := sha256.Sum256(lines)
	input.Items, input.SHA256 = f.items, hex.EncodeToString(hash[:])
	return true, nil
}
