package kie

import (
	"errors"
	"fmt"
	"slices"

	"lumaflow/internal/oneline"
)

// Callback is what kie.ai POSTs when a task has ended. A signature covers the
// task id alone and nothing else in it is authenticated, so it is a reason to
// ask for the record and no more. Its message is fit for printing.
type Callback struct {
	// TaskIDs are the distinct candidates, in this order: data.taskId,
	// data.task_id, taskId, task_id. kie.ai's families disagree, and some send
	// two. See Verifier.Verify.
	TaskIDs []string
	// Code is 200 for a success; 500, 501 and others for a failure; 0 if there
	// is none.
	Code    int
	Message string
	// ResultURLs are at most 100 links, from wherever kie.ai's families put
	// them.
	ResultURLs []string
}

// ErrNoTaskID means that a callback carries no usable task id.
var ErrNoTaskID = errors.New("it carries no task id")

// DecodeCallback reads the body of a callback, at most MaxBody bytes. It takes
// every spelling that kie.ai's families use, and nothing in the body but its
// task id has to be right.
func DecodeCallback(body []byte) (Callback, error) {
	if len(body) > MaxBody {
		return Callback{}, fmt.Errorf("decode callback: it is larger than %d bytes", MaxBody)
	}
	fields, err := parseObject(body)
	if err != nil {
		return Callback{}, fmt.Errorf("decode callback: %w", err)
	}
	data := fields.child("data")
	ids := taskIDs(fields, data)
	if len(ids) == 0 {
		return Callback{}, fmt.Errorf("decode callback: %w", ErrNoTaskID)
	}
	code, _ := fields.integer("code")
	return Callback{
		TaskIDs:    ids,
		Code:       code,
		Message:    oneline.Truncate(redact(fields.text("msg", "message")), maxMessage),
		ResultURLs: links(data, data.child("info"), data.child("response")),
	}, nil
}

// taskIDs returns the distinct task ids of a callback or of the answer to a
// submission.
func taskIDs(fields, data object) []string {
	var ids []string
	for _, holder := range []object{data, fields} {
		for _, spelling := range []string{"taskId", "task_id"} {
			if id := holder.taskID(spelling); id != "" && !slices.Contains(ids, id) {
				ids = append(ids, id)
			}
		}
	}
	return ids
}

func firstTaskID(fields, data object) string {
	if ids := taskIDs(fields, data); len(ids) > 0 {
		return ids[0]
	}
	return ""
}
