package kie

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"lumaflow/internal/oneline"
)

// Callback is the body that kie.ai POSTs at the end of a task. kie.ai's signature
// covers the task id alone; the rest is not authenticated, so that a callback is
// a reason to read the record and no proof of its content.
type Callback struct {
	// TaskIDs are the distinct candidates, in this order: data.taskId (Luma),
	// data.task_id, taskId, task_id. kie.ai's families differ, and some send two.
	// See Verifier.Verify.
	TaskIDs []string
	// Code is 200 for a success; 500 (Luma), 501 and others for a failure; 0 if
	// absent.
	Code int
	// Message is redacted and safe to print.
	Message string
	// ResultURLs are at most 100 links, found at the places where kie.ai's
	// families put them.
	ResultURLs []string
}

// ErrNoTaskID means that a callback has no valid task id, ErrNotJSON that its body is
// no JSON.
var (
	ErrNoTaskID = errors.New("no task id")
	ErrNotJSON  = errors.New("not JSON")
)

// DecodeCallback decodes the body of a callback, at most MaxBody bytes. It accepts
// every spelling of kie.ai's families and requires nothing but a task id.
func DecodeCallback(body []byte) (Callback, error) {
	if len(body) > MaxBody {
		return Callback{}, fmt.Errorf("decode callback: the body is larger than %d bytes", MaxBody)
	}
	body = fromUTF16(body)
	fields, err := parseObject(body)
	if err != nil {
		if !json.Valid(bytes.TrimPrefix(body, []byte("\ufeff"))) {
			err = ErrNotJSON
		}
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
		ResultURLs: links(data, data.child("info"), data.child("response")).usable,
	}, nil
}

// taskIDs returns the distinct valid task ids of an answer or a callback.
func taskIDs(fields, data object) []string {
	var ids []string
	for _, holder := range []object{data, fields} {
		for _, spelling := range []string{"taskId", "task_id"} {
			if id := asText(holder[spelling]); validTaskID(id) && !slices.Contains(ids, id) {
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
