package kie

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"lumaflow/internal/oneline"
)

const (
	opRecord   = "record-info"
	recordPath = "/api/v1/modify/record-info"
)

// MediaKept is how long kie.ai keeps the videos of a task that has ended, before
// it deletes them (docs.kie.ai, "Getting started").
const MediaKept = 14 * 24 * time.Hour

// State is what a record says about its task.
type State int

const (
	// Pending means that the task runs.
	Pending State = iota + 1
	// Succeeded means that the video was made. Whether there are links to it
	// is for the caller to check.
	Succeeded
	// Failed means that there will be no video.
	Failed
	// UnknownFlag means that the record has no flag, or one that is not
	// documented.
	UnknownFlag
)

// String says it in a word or two.
func (s State) String() string {
	switch s {
	case Pending:
		return "pending"
	case Succeeded:
		return "succeeded"
	case Failed:
		return "failed"
	case UnknownFlag:
		return "an unknown state"
	default:
		return "state " + strconv.Itoa(int(s))
	}
}

// The values of successFlag.
const (
	flagGenerating     = 0
	flagSuccess        = 1
	flagCreateFailed   = 2
	flagGenerateFailed = 3
	// The video was made and paid for; only its callback was not delivered.
	flagCallbackFailed = 4
	noFlag             = -1
)

// Record is what kie.ai knows about a task. It is kept for two months, the
// media for 14 days.
type Record struct {
	TaskID string
	State  State
	// Flag is kie.ai's successFlag: 0 generating, 1 success, 2 task not
	// created, 3 generation failed, 4 success with an undelivered callback; -1
	// if there is none.
	Flag int
	// ResultURLs are at most 100 links to the videos. They expire and are as
	// untrusted as any input.
	ResultURLs []string
	// Prompt, VideoURL, Watermark and CallbackURL echo the submission. The
	// callback URL holds a secret token: it is for comparing, never for
	// printing.
	Prompt, VideoURL, Watermark, CallbackURL string
	// ErrorCode and ErrorMessage say why a task failed; empty if kie.ai does
	// not. They are fit for printing.
	ErrorCode, ErrorMessage string
	// CreatedAt and CompletedAt are zero if kie.ai does not say.
	CreatedAt, CompletedAt time.Time
}

// Record asks for the record of a task. The classes of its errors are
// NotFound (kie.ai says so; possibly too early, right after the submission),
// Refused and Temporary. It tries three times within 25 seconds.
//
// A record with the flag of an ended task counts whatever the answer's code
// is, and code 501 without a flag, documented as "generation failed", is a
// failed task.
func (c *Client) Record(ctx context.Context, taskID string) (record Record, err error) {
	target := c.api.JoinPath(recordPath)
	target.RawQuery = url.Values{"taskId": {taskID}}.Encode()
	err = c.read(ctx, call{
		op:     opRecord,
		taskID: taskID,
		method: http.MethodGet,
		url:    target.String(),
		decode: func(got answer) (err error) {
			record, err = c.decodeRecord(got)
			return err
		},
	})
	if err != nil {
		return Record{}, err
	}
	return record, nil
}

var errNoRecord = errors.New("the answer holds no record")

func (c *Client) decodeRecord(got answer) (Record, error) {
	flag, flagged := got.data.integer("successFlag")
	if !flagged {
		flag = noFlag
	}
	failedByCode := got.explicit && got.code == 501 && got.status < 500 && !flagged
	if failedByCode {
		flag = flagGenerateFailed
	}
	ended := stateOf(flag) == Succeeded || stateOf(flag) == Failed
	switch {
	case ended, got.ok() && got.data != nil:
	case got.ok() && got.explicit:
		return Record{}, got.failure(NotFound, errNoRecord)
	case got.ok():
		// Any server could say so little; it proves nothing.
		return Record{}, got.failure(Temporary, errNoRecord)
	default:
		return Record{}, got.failed()
	}
	if id := got.data.taskID("taskId", "task_id"); id != "" && id != got.taskID {
		return Record{}, got.failure(Temporary, errors.New("the answer holds the record of another task"))
	}

	response, info := got.data.child("response"), got.data.child("info")
	echo := got.data.child("paramJson", "promptJson", "param")
	record := Record{
		TaskID:       got.taskID,
		State:        stateOf(flag),
		Flag:         flag,
		ResultURLs:   links(response, info, got.data),
		Prompt:       echo.text("prompt"),
		VideoURL:     echo.text("videoUrl", "video_url"),
		Watermark:    echo.text("waterMark", "watermark"),
		CallbackURL:  echo.text("callBackUrl", "callbackUrl", "callback_url"),
		ErrorCode:    oneline.Truncate(c.redact(got.data.text("errorCode", "failCode")), 64),
		ErrorMessage: oneline.Truncate(c.redact(got.data.text("errorMessage", "failMsg")), maxMessage),
		CreatedAt:    got.data.time("createTime"),
		CompletedAt:  got.data.time("completeTime"),
	}
	if strings.Trim(record.ErrorCode, "0") == "" {
		record.ErrorCode = ""
	}
	if failedByCode {
		record.ErrorCode = strconv.Itoa(got.code)
		if record.ErrorMessage == "" {
			record.ErrorMessage = got.message
		}
	}
	return record, nil
}

func stateOf(flag int) State {
	switch flag {
	case flagGenerating:
		return Pending
	case flagSuccess, flagCallbackFailed:
		return Succeeded
	case flagCreateFailed, flagGenerateFailed:
		return Failed
	default:
		return UnknownFlag
	}
}
