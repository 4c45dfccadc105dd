package kietest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Stage is the phase of a job in which a fault occurs. A job gets at most one
// random fault of each stage. The stage decides the price: see Price.
type Stage string

// The stages, in the order of a job's life.
const (
	StageAdmission Stage = "admission" // before the charge; costs nothing
	StageAnswer    Stage = "answer"    // the answer to a charged submission
	StageOutcome   Stage = "outcome"   // the end of the generation
	StageRecord    Stage = "record"    // record-info itself
	StageCallback  Stage = "callback"
	StageLink      Stage = "link"     // before the first byte of a result
	StageTransfer  Stage = "transfer" // the bytes of a result
)

var stages = []Stage{StageAdmission, StageAnswer, StageOutcome, StageRecord, StageCallback, StageLink, StageTransfer}

// The names of the faults in prompts, flags and on the bill.
const (
	RateLimited  = "rate-limited"
	Maintenance  = "maintenance"
	NoCredit     = "no-credit"
	Unauthorized = "unauthorized"
	Refused      = "refused"

	ResponseLost    = "response-lost"
	Response500     = "response-500"
	ResponseGarbled = "response-garbled"
	SlowResponse    = "slow-response"

	GenerationFailed = "generation-failed"
	CreateFailed     = "create-failed"
	Moderation       = "moderation"
	Flag4            = "flag-4"
	Flag4Late        = "flag-4-late"
	UnknownFlag      = "unknown-flag"

	Record5xx     = "record-5xx"
	RecordMissing = "record-missing"
	RecordDown    = "record-down"

	RecordWithoutEcho = "record-without-echo"
	RecordEchoLate    = "record-echo-late"

	CallbackLost         = "callback-lost"
	CallbackEarly        = "callback-early"
	CallbackDuplicated   = "callback-duplicated"
	CallbackLate         = "callback-late"
	CallbackForged       = "callback-forged"
	CallbackWrongTask    = "callback-wrong-task"
	CallbackSpelling     = "callback-spelling"
	CallbackUnsignedSkew = "callback-unsigned-skew"

	LinkExpired     = "link-expired"
	LinkGone        = "link-gone"
	NotYetThere     = "not-yet-there"
	Download429     = "download-429"
	RedirectPrivate = "redirect-private"

	Truncated   = "truncated"
	Reset       = "reset"
	Stall       = "stall"
	HTML        = "html"
	WrongRange  = "wrong-range"
	NoRange     = "no-range"
	EtagChanged = "etag-changed"
)

// AllFaults on a menu stands for all faults.
const AllFaults = "all"

// Fault is one entry of the menu.
type Fault struct {
	Name        string `json:"name"`
	Stage       Stage  `json:"stage"`
	Description string `json:"description"`
	// Fatal means that there is no video: a job with this fault must end as a
	// visible failure.
	Fatal bool `json:"fatal,omitempty"`
}

// Faults returns the fault menu, in the order of a job's life. "The first" in a
// description stands for Options.FaultRepeats.
func Faults() []Fault { return slices.Clone(faultMenu) }

// faultMenu is the one list of all faults. What a fault costs, see Price.
var faultMenu = []Fault{
	{Name: RateLimited, Stage: StageAdmission, Description: "the job's first submissions are answered 429"},
	{Name: Maintenance, Stage: StageAdmission, Description: "the job's first submissions are answered 455"},
	{Name: NoCredit, Stage: StageAdmission, Description: "the job's first submissions are answered 402, unless credit is topped up"},
	{Name: Unauthorized, Stage: StageAdmission, Description: "the job's first submission is answered 401"},
	{Name: Refused, Stage: StageAdmission, Fatal: true, Description: "every submission of the job is answered 422"},

	{Name: ResponseLost, Stage: StageAnswer, Description: "charged, then the connection is reset without an answer"},
	{Name: Response500, Stage: StageAnswer, Description: "charged, then answered HTTP 500"},
	{Name: ResponseGarbled, Stage: StageAnswer, Description: "charged, then answered without a readable task id"},
	{Name: SlowResponse, Stage: StageAnswer, Description: "charged, then answered late"},

	{Name: GenerationFailed, Stage: StageOutcome, Fatal: true, Description: "flag 3, with a reason in Chinese"},
	{Name: CreateFailed, Stage: StageOutcome, Fatal: true, Description: "flag 2: the task is never created upstream"},
	{Name: Moderation, Stage: StageOutcome, Fatal: true, Description: "flag 3 with error 400: moderated after the charge"},
	{Name: Flag4, Stage: StageOutcome, Description: "success, shown as flag 4"},
	{Name: Flag4Late, Stage: StageOutcome, Description: "success, shown as flag 4, at first without links"},
	{Name: UnknownFlag, Stage: StageOutcome, Description: "the first polls return flag 7"},

	{Name: Record5xx, Stage: StageRecord, Description: "the first polls are answered 500, by the other families 408, or 503"},
	{Name: RecordMissing, Stage: StageRecord, Description: "the first polls are answered 422, record does not exist; by the other families also 200 without a record"},
	{Name: RecordDown, Stage: StageRecord, Description: "every poll is answered with an error"},
	{Name: RecordWithoutEcho, Stage: StageRecord, Description: "the record never echoes callBackUrl"},
	{Name: RecordEchoLate, Stage: StageRecord, Description: "the record echoes callBackUrl only some seconds after its first poll"},

	{Name: CallbackLost, Stage: StageCallback, Description: "the callback is never sent"},
	{Name: CallbackEarly, Stage: StageCallback, Description: "the callback is delivered before the answer to the submission"},
	{Name: CallbackDuplicated, Stage: StageCallback, Description: "the callback is delivered three times"},
	{Name: CallbackLate, Stage: StageCallback, Description: "the callback is delivered long after the end"},
	{Name: CallbackForged, Stage: StageCallback, Description: "forged callbacks are sent too: wrong token, wrong task, wrong signature, false content"},
	{Name: CallbackWrongTask, Stage: StageCallback, Description: "a genuine callback for a task of another job is delivered first"},
	{Name: CallbackSpelling, Stage: StageCallback, Description: "the callback has the field names of another family"},
	{Name: CallbackUnsignedSkew, Stage: StageCallback, Description: "the callback is unsigned, then signed with stale time stamps"},

	{Name: LinkExpired, Stage: StageLink, Description: "result links are answered 403; links of download-url work"},
	{Name: LinkGone, Stage: StageLink, Description: "result links are dead and download-url refuses them; the record then has fresh ones"},
	{Name: NotYetThere, Stage: StageLink, Description: "the first downloads are answered 404"},
	{Name: Download429, Stage: StageLink, Description: "the first downloads are answered 429"},
	{Name: RedirectPrivate, Stage: StageLink, Description: "the first download is redirected to a private address"},

	{Name: Truncated, Stage: StageTransfer, Description: "the first downloads end early"},
	{Name: Reset, Stage: StageTransfer, Description: "the first downloads are reset midway"},
	{Name: Stall, Stage: StageTransfer, Description: "the first download stops midway and stays open"},
	{Name: HTML, Stage: StageTransfer, Description: "the first downloads are web pages, with status 200"},
	{Name: WrongRange, Stage: StageTransfer, Description: "a cut download resumes at an earlier byte than requested, with a correct Content-Range"},
	{Name: NoRange, Stage: StageTransfer, Description: "a cut download can't be resumed: ranges are ignored"},
	{Name: EtagChanged, Stage: StageTransfer, Description: "a cut download changes into another encoding with another ETag"},
}

// ErrUnknownFault is the error for a name that is on no menu.
var ErrUnknownFault = errors.New("unknown fault")

// WithFaults adds a marker to a prompt that chooses the faults of its job.
func WithFaults(prompt string, names ...string) string {
	return fmt.Sprintf("%s [fault: %s]", prompt, strings.Join(names, ", "))
}

func faultStage(name string) Stage {
	for _, fault := range faultMenu {
		if fault.Name == name {
			return fault.Stage
		}
	}
	return ""
}

// checkFaults returns the named faults in the order of the menu, without
// duplicates. It resolves AllFaults.
func checkFaults(names []string) ([]string, error) {
	wanted := map[string]bool{}
	for _, name := range names {
		known := slices.ContainsFunc(faultMenu, func(f Fault) bool { return f.Name == name })
		if !known && name != AllFaults {
			return nil, fmt.Errorf("%w %q", ErrUnknownFault, name)
		}
		wanted[name] = true
	}
	var checked []string
	for _, fault := range faultMenu {
		if wanted[fault.Name] || wanted[AllFaults] {
			checked = append(checked, fault.Name)
		}
	}
	return checked, nil
}
