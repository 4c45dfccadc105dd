package workflows

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"reflect"
	"strings"
	"time"
	"unicode/utf8"

	"lumaflow/workflows/fields"
)

// inputFields are the fields of a job's input. kie.ai would ignore another one
// silently, and the job would pay for another video than the one meant.
var inputFields = fields.Names[ModifyVideoInput]()

// DefaultDeadline is the Deadline of an input that has none.
const DefaultDeadline = 24 * time.Hour

const defaultRecoveryWindow = time.Hour

// Bounds of a request. kie.ai documents none for the prompt; these keep a request
// far below Temporal's limit for a payload, 2 MB.
const (
	maxPromptBytes = 32 << 10
	maxURLBytes    = 8 << 10
	maxNameBytes   = 1 << 10
	maxByBytes     = 200
	maxModelBytes  = 128
	// maxOptionsBytes bounds the options as JSON.
	maxOptionsBytes = 32 << 10
	// maxDuration is 60 days: kie.ai documents that it keeps records for two months.
	maxDuration = 60 * 24 * time.Hour
)

// The values of OnUnknownSubmit.
const (
	failUnknown     = "fail"
	resubmitUnknown = "resubmit"
)

// ParseInput decodes and validates one JSON object. Unknown fields are an error,
// so that a misspelled one is not silently ignored.
func ParseInput(data []byte) (ModifyVideoInput, error) {
	// The plain type has no UnmarshalJSON, which accepts unknown fields.
	type plain ModifyVideoInput
	var input plain
	decoder := json.NewDecoder(bytes.NewReader(data))
	if err := decoder.Decode(&input); err != nil {
		return ModifyVideoInput{}, malformedError(err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return ModifyVideoInput{}, errors.New("the input is more than one JSON object")
	}
	input.unknownField = fields.Unknown(data, inputFields)
	if err := ModifyVideoInput(input).Validate(); err != nil {
		return ModifyVideoInput{}, err
	}
	return ModifyVideoInput(input), nil
}

// UnmarshalJSON never fails: Validate reports an input of the wrong shape, so that
// the job ends as an InvalidRequest with a readable message.
func (in *ModifyVideoInput) UnmarshalJSON(data []byte) error {
	type plain ModifyVideoInput
	if err := json.Unmarshal(data, (*plain)(in)); err != nil {
		in.malformed = err
		return nil
	}
	in.unknownField = fields.Unknown(data, inputFields)
	return nil
}

// Validate returns an error about the first invalid field. The error starts with
// the JSON name of the field, unless the input is malformed.
func (in ModifyVideoInput) Validate() error {
	// A misspelled field comes first: the required one that it means is missing.
	if in.unknownField != nil {
		return in.unknownField
	}
	_, err := in.terms()
	return err
}

// ValidateBeforeUpload is Validate without the video's address and expiry, which
// an upload sets.
func (in ModifyVideoInput) ValidateBeforeUpload() error {
	in.VideoURL, in.VideoExpires = "https://kie.ai", ""
	return in.Validate()
}

// jobTerms are the parsed values of the input's texts.
type jobTerms struct {
	// videoExpires is zero for a video that does not expire.
	videoExpires   time.Time
	recoveryWindow time.Duration
	deadline       time.Duration
	resubmit       bool
}

func (in ModifyVideoInput) terms() (jobTerms, error) {
	if in.malformed != nil {
		return jobTerms{}, malformedError(in.malformed)
	}
	var terms jobTerms
	var err error
	if terms.recoveryWindow, err = duration("recoveryWindow", in.RecoveryWindow, defaultRecoveryWindow); err != nil {
		return terms, err
	}
	if terms.deadline, err = duration("deadline", in.Deadline, DefaultDeadline); err != nil {
		return terms, err
	}
	switch in.OnUnknownSubmit {
	case "", failUnknown:
	case resubmitUnknown:
		terms.resubmit = true
	default:
		return terms, fields.Errorf("onUnknownSubmit", "is %.40q: use %q or %q", in.OnUnknownSubmit, failUnknown, resubmitUnknown)
	}
	if len(in.Name) > maxNameBytes {
		return terms, fields.Errorf("name", "is longer than %d bytes", maxNameBytes)
	}
	if in.TaskID != "" {
		return terms, in.checkAdoption()
	}
	if in.VideoExpires != "" {
		if terms.videoExpires, err = time.Parse(time.RFC3339, in.VideoExpires); err != nil {
			return terms, fields.Errorf("videoExpires", "is %.40q: give an RFC 3339 time such as \"2006-01-02T15:04:05Z\"", in.VideoExpires)
		}
	}
	return terms, in.checkSubmission()
}

// malformedError describes a decoding error in JSON's terms instead of Go's.
func malformedError(err error) error {
	mismatch, ok := errors.AsType[*json.UnmarshalTypeError](err)
	switch {
	case ok && mismatch.Field != "":
		return fmt.Errorf("the input is malformed: %s is a %s, not %s", mismatch.Field, mismatch.Value, jsonKind(mismatch.Type))
	case ok:
		return fmt.Errorf("the input is malformed: it is not an object but of type %s", mismatch.Value)
	}
	return fmt.Errorf("the input is malformed: %s", strings.TrimPrefix(err.Error(), "json: "))
}

// jsonKind names the JSON value that a Go type is decoded from.
func jsonKind(wanted reflect.Type) string {
	switch wanted.Kind() {
	case reflect.Map:
		return "an object"
	case reflect.Bool:
		return "true or false"
	default:
		return "a " + wanted.String()
	}
}

func (in ModifyVideoInput) checkAdoption() error {
	switch {
	case strings.TrimSpace(in.TaskID) != in.TaskID:
		return fields.Errorf("taskId", "has blanks around it")
	case len(in.TaskID) > maxNameBytes:
		return fields.Errorf("taskId", "is longer than %d bytes", maxNameBytes)
	}
	return nil
}

func (in ModifyVideoInput) checkSubmission() error {
	switch {
	case strings.TrimSpace(in.Prompt) == "":
		return fields.Errorf("prompt", "is blank: describe the change to the video")
	case !utf8.ValidString(in.Prompt):
		return fields.Errorf("prompt", "is not valid UTF-8")
	case len(in.Prompt) > maxPromptBytes:
		return fields.Errorf("prompt", "is longer than %d bytes", maxPromptBytes)
	case strings.TrimSpace(in.VideoURL) == "":
		return fields.Errorf("videoUrl", "is blank: give an http or https address that kie.ai can fetch")
	case len(in.VideoURL) > maxURLBytes:
		return fields.Errorf("videoUrl", "is longer than %d bytes", maxURLBytes)
	case in.VideoSHA256 != "" && !isSHA256(in.VideoSHA256):
		return fields.Errorf("videoSha256", "is not a SHA-256 in 64 lower-case hexadecimal digits")
	case len(in.Model) > maxModelBytes || strings.ContainsFunc(in.Model, func(r rune) bool { return r <= ' ' || r > '~' }):
		return fields.Errorf("model", "is not the name of a model: give at most %d letters, digits and - _ . /", maxModelBytes)
	case len(in.Watermark) > maxNameBytes:
		return fields.Errorf("watermark", "is longer than %d bytes", maxNameBytes)
	}
	// json.Marshal sorts the keys of a map; workflowcheck reports its caches of types.
	//workflowcheck:ignore
	if text, err := json.Marshal(in.Options); err != nil || len(text) > maxOptionsBytes {
		return fields.Errorf("options", "are longer than %d bytes", maxOptionsBytes)
	}
	// url.Parse is deterministic; workflowcheck reports the cache of IPv6 zones in
	// net/netip.
	//workflowcheck:ignore
	address, err := url.Parse(in.VideoURL)
	if err != nil || address.Host == "" || (address.Scheme != "http" && address.Scheme != "https") {
		return fields.Errorf("videoUrl", "is not an http or https address")
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
		return 0, fields.Errorf(field, "is %.40q: give a positive Go duration such as \"90m\" or \"24h\", at most 1440h", text)
	}
	return parsed, nil
}

// FieldError means that a field of a job's input has an invalid value.
type FieldError = fields.Error
