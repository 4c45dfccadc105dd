package kie

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

const opRecord = "record-info"

// MediaKept is the time for which kie.ai keeps the videos of a finished task
// before it deletes them (docs.kie.ai, "Getting started").
const MediaKept = 14 * 24 * time.Hour

// State is the state of a task in its record.
type State int

const (
	// Pending means that the task runs.
	Pending State = iota + 1
	// Succeeded means that the video was generated. The record may still hold no
	// link to it: callers check.
	Succeeded
	// Failed means that the task has ended without a video.
	Failed
	// UnknownState means that the record has no state, or one that kie.ai does
	// not document.
	UnknownState
)

var stateNames = map[State]string{
	Pending: "pending", Succeeded: "succeeded", Failed: "failed", UnknownState: "an unknown state",
}

// String returns one to three words.
func (s State) String() string { return cmp.Or(stateNames[s], "state "+strconv.Itoa(int(s))) }

// Record is kie.ai's record of a task. kie.ai keeps it for two months.
type Record struct {
	TaskID string
	// Model is the name of the model; empty for Luma Modify.
	Model string
	State State
	// Flag is Luma's successFlag: 0 generating, 1 success, 2 task not created,
	// 3 generation failed, 4 success with an undelivered callback; -1 if the
	// record has none.
	Flag int
	// ResultURLs are at most 100 links to the videos. They expire, and they are
	// untrusted input. What may not stand in a URL is encoded.
	ResultURLs []string
	// UnusableLinks names the results of a record without ResultURLs that are no http
	// or https URL, without paths and queries.
	UnusableLinks []string
	// Prompt, VideoURL, Watermark and CallbackURL echo the submission. The
	// callback URL holds a secret token: it is for comparisons and must not be
	// printed.
	Prompt, VideoURL, Watermark, CallbackURL string
	// ErrorCode and ErrorMessage are the reason of a failure, empty if the record
	// has none. They are redacted and safe to print.
	ErrorCode, ErrorMessage string
	// Credits is the cost of the task; nil if the record has none. kie.ai documents 0
	// for failed tasks of Market.
	Credits *float64
	// CreatedAt and CompletedAt are zero if the record lacks them.
	CreatedAt, CompletedAt time.Time
}

// codeGenerationFailed is the code of an answer, not an HTTP status.
const codeGenerationFailed = 501

var (
	errNoRecord    = errors.New("the answer holds no record")
	errOtherRecord = errors.New("the answer holds the record of another task")
)

// Record reads the record of a task of a model; an empty model is DefaultModel. The
// classes of its errors are NotFound (by kie.ai's own answer; possibly too early, right
// after the submission, or a task of another family), Refused and Temporary. It makes
// at most three requests within 25 seconds.
//
// A record with the state of a finished task is valid under any code. For Luma, code
// 501 without a flag, documented as "generation failed", is a failed task.
func (c *Client) Record(ctx context.Context, model, taskID string) (Record, error) {
	return c.record(ctx, familyOf(model), taskID)
}

func (c *Client) record(ctx context.Context, family *family, taskID string) (Record, error) {
	address := c.api.JoinPath(family.recordPath)
	address.RawQuery = url.Values{"taskId": {taskID}}.Encode()
	return read(ctx, c, readRequest{
		op:     opRecord,
		taskID: taskID,
		method: http.MethodGet,
		url:    address,
	}, func(a answer) (Record, error) { return family.decode(c, a) })
}

// FindRecord looks a task up in each family until one has it: only the right one has
// the record of an id. If none has, the error is NotFound only if all families answered
// so.
func (c *Client) FindRecord(ctx context.Context, taskID string) (Record, error) {
	var failure error
	for _, family := range families {
		record, err := c.record(ctx, family, taskID)
		if err == nil {
			return record, nil
		}
		// Luma may be switched off while the other families work. NotFound gives way to
		// any other class: a family that did not answer may have the task.
		if failure == nil || ClassOf(failure) == NotFound || ClassOf(err) == Temporary && ClassOf(failure) != Temporary {
			failure = err
		}
	}
	return Record{}, failure
}
