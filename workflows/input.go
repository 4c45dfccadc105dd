package workflows

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"
)

const (
	defaultRecoveryWindow = time.Hour
	defaultDeadline       = 24 * time.Hour
)

// Bounds of what a request may hold. kie.ai documents none for the prompt;
// these keep a request far below what Temporal stores in one piece.
const (
	maxPromptBytes = 32 << 10
	maxURLBytes    = 8 << 10
	maxNameBytes   = 1 << 10
	// maxDuration is how long kie.ai keeps the record of a task, two months.
	maxDuration = 60 * 24 * time.Hour
)

// What an input may ask for when the recovery window ends without proof.
const (
	failUnknown     = "fail"
	resubmitUnknown = "resubmit"
)

// ParseInput decodes one JSON object as people write it: unknown fields are
// refused, so that a misspelled one is not silently ignored. The result is
// valid.
func ParseInput(data []byte) (ModifyVideoInput, error) {
	// The plain type drops UnmarshalJSON, which forgives unknown fields.
	type plain ModifyVideoInput
	var input plain
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&input); err != nil {
		return ModifyVideoInput{}, malformed(err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return ModifyVideoInput{}, errors.New("the input is more than one JSON object")
	}
	if err := ModifyVideoInput(input).Validate(); err != nil {
		return ModifyVideoInput{}, err
	}
	return ModifyVideoInput(input), nil
}

// UnmarshalJSON never fails: an input of the wrong shape becomes one that
// Validate refuses, and with it the job, in words that a person can act on.
func (in *ModifyVideoInput) UnmarshalJSON(data []byte) error {
	type plain ModifyVideoInput
	if err := json.Unmarshal(data, (*plain)(in)); err != nil {
		in.malformed = err
	}
	return nil
}

// Validate reports the first thing that is wrong with the input.
func (in ModifyVideoInput) Validate() error {
	_, err := in.terms()
	return err
}

// ValidateBeforeUpload is Validate for a job whose video has no address yet.
func (in ModifyVideoInput) ValidateBeforeUpload() error {
	in.VideoURL, in.VideoExpires = "https://kie.ai", ""
	return in.Validate()
}

// terms are what an input's texts mean.
type terms struct {
	// videoExpires is zero for a video that does not.
	videoExpires   time.Time
	recoveryWindow time.Duration
	deadline       time.Duration
	resubmit       bool
}

func (in ModifyVideoInput) terms() (terms, error) {
	if in.malformed != nil {
		return terms{}, malformed(in.malformed)
	}
	var terms terms
	var err error
	if terms.recoveryWindow, err = duration("recoveryWindow", in.RecoveryWindow, defaultRecoveryWindow); err != nil {
		return terms, err
	}
	if terms.deadline, err = duration("deadline", in.Deadline, defaultDeadline); err != nil {
		return terms, err
	}
	switch in.OnUnknownSubmit {
	case "", failUnknown:
	case resubmitUnknown:
		terms.resubmit = true
	default:
		return terms, fieldError("onUnknownSubmit", "is %.40q: say %q or %q", in.OnUnknownSubmit, failUnknown, resubmitUnknown)
	}
	if len(in.Name) > maxNameBytes {
		return terms, fieldError("name", "is longer than %d bytes", maxNameBytes)
	}
	if in.TaskID != "" {
		return terms, in.checkAdoption()
	}
	if in.VideoExpires != "" {
		if terms.videoExpires, err = time.Parse(time.RFC3339, in.VideoExpires); err != nil {
			return terms, fieldError("videoExpires", "is %.40q: give an RFC 3339 time such as \"2006-01-02T15:04:05Z\"", in.VideoExpires)
		}
	}
	return terms, in.checkSubmission()
}

// malformed says in JSON's terms, not in Go's, what does not fit.
func malformed(err error) error {
	var mismatch *json.UnmarshalTypeError
	if errors.As(err, &mismatch) && mismatch.Field != "" {
		return fmt.Errorf("the input is malformed: %s is a %s, not a %s", mismatch.Field, mismatch.Value, mismatch.Type)
	}
	if errors.As(err, &mismatch) {
		return fmt.Errorf("the input is malformed: it is not an object but of type %s", mismatch.Value)
	}
	return fmt.Errorf("the input is malformed: %s", strings.TrimPrefix(err.Error(), "json: "))
}

func (in ModifyVideoInput) checkAdoption() error {
	switch {
	case strings.TrimSpace(in.TaskID) != in.TaskID:
		return fieldError("taskId", "has blanks around it")
	case len(in.TaskID) > maxNameBytes:
		return fieldError("taskId", "is longer than %d bytes", maxNameBytes)
	}
	return nil
}

func (in ModifyVideoInput) checkSubmission() error {
	switch {
	case strings.TrimSpace(in.Prompt) == "":
		return fieldError("prompt", "is blank: say what to change in the video")
	case !utf8.ValidString(in.Prompt):
		return fieldError("prompt", "is not valid UTF-8")
	case len(in.Prompt) > maxPromptBytes:
		return fieldError("prompt", "is longer than %d bytes", maxPromptBytes)
	case strings.TrimSpace(in.VideoURL) == "":
		return fieldError("videoUrl", "is blank: give an http or https address that kie.ai can fetch")
	case len(in.VideoURL) > maxURLBytes:
		return fieldError("videoUrl", "is longer than %d bytes", maxURLBytes)
	case in.VideoSHA256 != "" && !isSHA256(in.VideoSHA256):
		return fieldError("videoSha256", "is not a SHA-256 in 64 lower-case hexadecimal digits")
	case len(in.Watermark) > maxNameBytes:
		return fieldError("watermark", "is longer than %d bytes", maxNameBytes)
	}
	// Parse has no effect but its result; the checker stumbles over the cache
	// that net/netip keeps for IPv6 zones.
	//workflowcheck:ignore
	address, err := url.Parse(in.VideoURL)
	if err != nil || address.Host == "" || (address.Scheme != "http" && address.Scheme != "https") {
		return fieldError("videoUrl", "is not an http or https address")
	}
	return nil
}

func isSHA256(text string) bool {
	return len(text) == 64 && strings.Trim(text, "0123456789abcdef") == ""
}

func duration(field, text string, otherwise time.Duration) (time.Duration, error) {
	if text == "" {
		return otherwise, nil
	}
	parsed, err := time.ParseDuration(text)
	if err != nil || parsed <= 0 || parsed > maxDuration {
		return 0, fieldError(field, "is %.40q: give a positive Go duration such as \"90m\" or \"24h\", at most 1440h", text)
	}
	return parsed, nil
}
