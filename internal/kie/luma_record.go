package kie

import (
	"errors"
	"strconv"
	"strings"

	"lumaflow/internal/oneline"
)

// lumaRecordPath reads a record (docs.kie.ai, luma-api/get-luma-modify-details).
const lumaRecordPath = "/api/v1/modify/record-info"

// The values of Luma's successFlag.
const (
	lumaGenerating     = 0
	lumaSuccess        = 1
	lumaCreateFailed   = 2
	lumaGenerateFailed = 3
	// The video was generated and paid for; only its callback failed.
	lumaCallbackFailed = 4
	lumaNoFlag         = -1
)

// codeGenerationFailed is the code of an answer, not an HTTP status.
const codeGenerationFailed = 501

var (
	errNoRecord    = errors.New("the answer holds no record")
	errOtherRecord = errors.New("the answer holds the record of another task")
)

// decodeLumaRecord also accepts the spellings of kie.ai's other families. Luma's
// own fields are taskId, successFlag, response.resultUrls, paramJson, errorCode,
// errorMessage, createTime and completeTime.
func (c *Client) decodeLumaRecord(a answer) (Record, error) {
	flag, hasFlag := a.data.integer("successFlag")
	if !hasFlag {
		flag = lumaNoFlag
	}
	failedByCode := a.hasCode && a.code == codeGenerationFailed && a.status < 500 && !hasFlag
	if failedByCode {
		flag = lumaGenerateFailed
	}
	state := lumaState(flag)
	switch {
	case state == Succeeded, state == Failed, a.readable() && a.data != nil:
	case a.readable() && a.hasCode:
		return Record{}, a.newError(NotFound, errNoRecord)
	case a.readable():
		// A 2xx without a code may come from any server and proves nothing.
		return Record{}, a.newError(Temporary, errNoRecord)
	default:
		return Record{}, a.readError()
	}
	if id := firstTaskID(nil, a.data); id != "" && id != a.taskID {
		return Record{}, a.newError(Temporary, errOtherRecord)
	}

	results := links(a.data.child("response"), a.data.child("info"), a.data)
	echo := a.data.child("paramJson", "promptJson", "param")
	record := Record{
		TaskID:       a.taskID,
		State:        state,
		Flag:         flag,
		ResultURLs:   results.usable,
		Prompt:       echo.text("prompt"),
		VideoURL:     echo.text("videoUrl", "video_url"),
		Watermark:    echo.text("waterMark", "watermark"),
		CallbackURL:  echo.text("callBackUrl", "callbackUrl", "callback_url"),
		ErrorCode:    oneline.Truncate(c.redact(a.data.text("errorCode", "failCode")), 64),
		ErrorMessage: oneline.Truncate(c.redact(a.data.text("errorMessage", "failMsg")), maxMessage),
		CreatedAt:    a.data.time("createTime"),
		CompletedAt:  a.data.time("completeTime"),
	}
	if len(results.usable) == 0 {
		record.UnusableLinks = results.unusable
	}
	// Some families write 0 for "no error".
	if strings.Trim(record.ErrorCode, "0") == "" {
		record.ErrorCode = ""
	}
	if failedByCode {
		record.ErrorCode = strconv.Itoa(a.code)
		if record.ErrorMessage == "" {
			record.ErrorMessage = a.message
		}
	}
	return record, nil
}

func lumaState(flag int) State {
	switch flag {
	case lumaGenerating:
		return Pending
	case lumaSuccess, lumaCallbackFailed:
		return Succeeded
	case lumaCreateFailed, lumaGenerateFailed:
		return Failed
	default:
		return UnknownState
	}
}
