package kie

import (
	"math"
	"strconv"
	"strings"

	"lumaflow/internal/oneline"
)

// family is a group of kie.ai's models with the same paths, body of a submission and
// record. Everything else is common to kie.ai: the envelope, the codes, callbacks and
// their signature, download links, the rate limit. A family is one file.
type family struct {
	// name is the family in texts. model is the name that users give it; empty for a
	// family of many models, whose requests carry the model's name.
	name, model string
	// submitPath creates a task, recordPath reads its record. A family without a
	// submitPath is only collected.
	submitPath, recordPath string
	// watermark means that the body has a field for SubmitRequest.Watermark.
	watermark bool
	// endedByCode means that code 501 without a state is the end of the task.
	endedByCode bool
	// body is the JSON of a submission.
	body func(SubmitRequest) any
	// state is the state in the data of a record, and its successFlag, noFlag if it has
	// none.
	state func(data object) (State, int)
	// results are the links to the videos of a record. They are never taken from the
	// echo of the request.
	results func(data object) foundLinks
	// echo is the request as the record repeats it. An echo with a callback URL proves
	// whose task it is; without one, prompt, video and time are the weaker proof.
	echo func(data object) echo
	// models are the rows of its models; empty for a family that is only collected.
	models []Model
}

// echo is the submission in a record; absent fields are empty.
type echo struct{ prompt, videoURL, watermark, callbackURL string }

// families are in the order in which an id without a model is looked up.
var families []*family

// register adds the family of a file. Luma, the default, comes first.
func register(f family) *family {
	if f.model == DefaultModel {
		families = append([]*family{&f}, families...)
	} else {
		families = append(families, &f)
	}
	return &f
}

// familyOf is the family of a model; all models without a family of their own are Market's.
func familyOf(model string) *family {
	if model == "" {
		return lumaFamily
	}
	for _, known := range families {
		if known.model == model {
			return known
		}
	}
	return marketFamily
}

// DefaultModel is the model of a request that names none.
const DefaultModel = "luma"

// Brand is the word in the names of stored files and in callback paths: "luma" for Luma
// Modify, "kie" for all other models.
func Brand(model string) string {
	if familyOf(model) == lumaFamily {
		return "luma"
	}
	return "kie"
}

// noFlag is the flag of a record without a successFlag.
const noFlag = -1

func flagOf(data object) int {
	if flag, ok := data.integer("successFlag"); ok {
		return flag
	}
	return noFlag
}

// decode also accepts the spellings of kie.ai's other families.
func (f *family) decode(c *Client, a answer) (Record, error) {
	state, flag := f.state(a.data)
	failedByCode := f.endedByCode && a.hasCode && a.code == codeGenerationFailed && a.status < 500 && flag == noFlag
	if failedByCode {
		state, flag = Failed, lumaGenerateFailed
	}
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

	results, request := f.results(a.data), f.echo(a.data)
	record := Record{
		TaskID:       a.taskID,
		State:        state,
		Flag:         flag,
		ResultURLs:   results.usable,
		Prompt:       request.prompt,
		VideoURL:     request.videoURL,
		Watermark:    request.watermark,
		CallbackURL:  request.callbackURL,
		ErrorCode:    oneline.Truncate(c.redact(a.data.text("errorCode", "failCode")), 64),
		ErrorMessage: oneline.Truncate(c.redact(a.data.text("errorMessage", "failMsg")), maxMessage),
		CreatedAt:    a.data.time("createTime"),
		CompletedAt:  a.data.time("completeTime"),
	}
	if f != lumaFamily {
		record.Model = f.modelIn(oneline.Truncate(c.redact(a.data.text("model")), maxModel))
		record.Credits = credits(a.data)
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

// modelIn is the model of a record. A name that would lead to another family is not
// used.
func (f *family) modelIn(named string) string {
	switch {
	case f.model != "":
		return f.model
	case named == "" || familyOf(named) != f:
		return unnamedModel
	default:
		return named
	}
}

// unnamedModel is the model of a task of Market whose record names none.
const unnamedModel = "market"

// maxModel bounds the name of a model in bytes.
const maxModel = 128

// credits is the cost in a record; nil if it has none. consumeCredits is the name on
// older pages of Market.
func credits(data object) *float64 {
	for _, spelling := range []string{"creditsConsumed", "consumeCredits"} {
		cost, err := strconv.ParseFloat(strings.TrimSpace(asText(data[spelling])), 64)
		if err == nil && cost >= 0 && cost < 1e9 {
			cost = math.Abs(cost) // -0
			return &cost
		}
	}
	return nil
}
