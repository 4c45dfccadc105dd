package kietest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Stage is the part of a job's life that a fault belongs to. A random menu
// serves at most one fault of each stage to a job.
type Stage string

// The stages, in the order a job lives through them.
const (
	StageAdmission Stage = "admission" // before the charge: nothing is created
	StageAnswer    Stage = "answer"    // the answer to a charged submission
	StageOutcome   Stage = "outcome"   // what becomes of the generation
	StageRecord    Stage = "record"    // record-info itself
	StageCallback  Stage = "callback"
	StageLink      Stage = "link"     // before the first byte of a result
	StageTransfer  Stage = "transfer" // the bytes of a result
)

var stages = []Stage{StageAdmission, StageAnswer, StageOutcome, StageRecord, StageCallback, StageLink, StageTransfer}

// The faults. Their names are what prompts, flags and the bill use.
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

// AllFaults on a menu stands for every fault there is.
const AllFaults = "all"

// Fault is one entry of the menu.
type Fault struct {
	Name        string `json:"name"`
	Stage       Stage  `json:"stage"`
	Description string `json:"description"`
	// Fatal says that the provider makes no video: a job that meets the fault
	// can only end as a visible failure.
	Fatal bool `json:"fatal,omitempty"`
}

// Faults lists everything that can go wrong, in the order of a job's life.
// "The first requests" are as many as Options.Strikes says.
func Faults() []Fault { return slices.Clone(catalogue) }

var catalogue = []Fault{
	{Name: RateLimited, Stage: StageAdmission, Description: "the job's first submissions are answered 429"},
	{Name: Maintenance, Stage: StageAdmission, Description: "the job's first submissions are answered 455"},
	{Name: NoCredit, Stage: StageAdmission, Description: "the job's first submissions are answered 402, unless credit is topped up"},
	{Name: Unauthorized, Stage: StageAdmission, Description: "the job's first submission is answered 401"},
	{Name: Refused, Stage: StageAdmission, Fatal: true, Description: "every submission of the job is answered 422"},

	{Name: ResponseLost, Stage: StageAnswer, Description: "charged, then the connection is reset without an answer"},
	{Name: Response500, Stage: StageAnswer, Description: "charged, then answered HTTP 500"},
	{Name: ResponseGarbled, Stage: StageAnswer, Description: "charged, then answered with something unreadable"},
	{Name: SlowResponse, Stage: StageAnswer, Description: "charged, then answered late"},

	{Name: GenerationFailed, Stage: StageOutcome, Fatal: true, Description: "flag 3, with a reason in Chinese"},
	{Name: CreateFailed, Stage: StageOutcome, Fatal: true, Description: "flag 2: the task is never created upstream"},
	{Name: Moderation, Stage: StageOutcome, Fatal: true, Description: "flag 3 with error 400: moderated after the charge"},
	{Name: Flag4, Stage: StageOutcome, Description: "success, shown as flag 4"},
	{Name: Flag4Late, Stage: StageOutcome, Description: "success, shown as flag 4, at first without links"},
	{Name: UnknownFlag, Stage: StageOutcome, Description: "the first polls see flag 7"},

	{Name: Record5xx, Stage: StageRecord, Description: "the first polls are answered 500 or 503"},
	{Name: RecordMissing, Stage: StageRecord, Description: "the first polls are answered 422, record does not exist"},
	{Name: RecordDown, Stage: StageRecord, Description: "every poll is answered with an error"},

	{Name: CallbackLost, Stage: StageCallback, Description: "the callback is never sent"},
	{Name: CallbackEarly, Stage: StageCallback, Description: "the callback comes before the answer to the submission"},
	{Name: CallbackDuplicated, Stage: StageCallback, Description: "the callback comes three times"},
	{Name: CallbackLate, Stage: StageCallback, Description: "the callback comes long after the end"},
	{Name: CallbackForged, Stage: StageCallback, Description: "a stranger sends callbacks too: wrong token, wrong task, wrong signature, lying content"},
	{Name: CallbackWrongTask, Stage: StageCallback, Description: "a well-signed callback for somebody else's task comes first"},
	{Name: CallbackSpelling, Stage: StageCallback, Description: "the callback is spelled as a sister API would"},
	{Name: CallbackUnsignedSkew, Stage: StageCallback, Description: "the callback is unsigned, then signed with stale time stamps"},

	{Name: LinkExpired, Stage: StageLink, Description: "result links answer 403 until they are re-minted"},
	{Name: LinkGone, Stage: StageLink, Description: "result links are dead and can't be re-minted; the record then shows fresh ones"},
	{Name: NotYetThere, Stage: StageLink, Description: "the first downloads are answered 404"},
	{Name: Download429, Stage: StageLink, Description: "the first downloads are answered 429"},
	{Name: RedirectPrivate, Stage: StageLink, Description: "the first download is redirected to a private address"},

	{Name: Truncated, Stage: StageTransfer, Description: "the first downloads end early"},
	{Name: Reset, Stage: StageTransfer, Description: "the first downloads are reset midway"},
	{Name: Stall, Stage: StageTransfer, Description: "the first download stops midway and stays open"},
	{Name: HTML, Stage: StageTransfer, Description: "the first downloads are web pages, with status 200"},
	{Name: WrongRange, Stage: StageTransfer, Description: "a cut download resumes at an earlier byte than asked, and says so"},
	{Name: NoRange, Stage: StageTransfer, Description: "a cut download can't be resumed: ranges are ignored"},
	{Name: EtagChanged, Stage: StageTransfer, Description: "a cut download turns into another encoding with another ETag"},
}

// ErrUnknownFault is what a name that is on no menu gives.
var ErrUnknownFault = errors.New("unknown fault")

// WithFaults adds a marker to a prompt so that its job meets these faults.
func WithFaults(prompt string, names ...string) string {
	return fmt.Sprintf("%s [fault: %s]", prompt, strings.Join(names, ", "))
}

func stageOf(name string) Stage {
	for _, fault := range catalogue {
		if fault.Name == name {
			return fault.Stage
		}
	}
	return ""
}

// checkFaults puts names in the catalogue's order, without repeats, and
// resolves AllFaults.
func checkFaults(names []string) ([]string, error) {
	wanted := map[string]bool{}
	for _, name := range names {
		known := slices.ContainsFunc(catalogue, func(f Fault) bool { return f.Name == name })
		if !known && name != AllFaults {
			return nil, fmt.Errorf("%w %q", ErrUnknownFault, name)
		}
		wanted[name] = true
	}
	var checked []string
	for _, fault := range catalogue {
		if wanted[fault.Name] || wanted[AllFaults] {
			checked = append(checked, fault.Name)
		}
	}
	return checked, nil
}
