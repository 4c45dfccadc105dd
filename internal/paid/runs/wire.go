package runs

import "time"

// The names and payloads of a job's history that payments are read from. Package
// workflows and package activities write them; the tests there hold that they
// agree.
const (
	submitName      = "Submit"
	pollName        = "Poll"
	identifyName    = "Identify"
	earlierRunsName = "EarlierRuns"

	callbackSignal = "callback"
	evidenceSignal = "evidence"
	intentSignal   = "intent"

	resolveUpdate  = "resolve"
	writeOffAction = "write-off"

	taskAttribute = "LumaTaskId"

	generationFailed = "GenerationFailed"
	invalidRequest   = "InvalidRequest"

	phaseAccepted = "accepted"
	phaseRefused  = "refused"
)

type taskRef struct {
	TaskID string `json:"taskId"`
}

// workflowInput is the input of a job.
type workflowInput struct{ taskRef }

// WorkflowInput implements codec.WorkflowInput.
func (workflowInput) WorkflowInput() {}

type finished struct {
	Model   string   `json:"model"`
	Credits *float64 `json:"credits"`
	Videos  []struct {
		Location string `json:"location"`
	} `json:"videos"`
}

type resolution struct {
	Action string `json:"action"`
}

type submitInput struct {
	Run string `json:"run"`
}

type taskTimes struct {
	TaskID      string    `json:"taskId"`
	SubmittedAt time.Time `json:"submittedAt"`
	CreatedAt   time.Time `json:"createdAt"`
	CompletedAt time.Time `json:"completedAt"`
}

type evidence struct {
	Phase    string    `json:"phase"`
	TaskID   string    `json:"taskId"`
	At       time.Time `json:"at"`
	Attempts int       `json:"attempts"`
	Intent   string    `json:"intent"`
}

func (e evidence) submission() Submission {
	return Submission{At: e.At, Attempts: e.Attempts, TaskID: e.TaskID, Intent: e.Intent}
}

func (e evidence) equal(other evidence) bool {
	sameTime := e.At.Equal(other.At)
	e.At, other.At = time.Time{}, time.Time{}
	return sameTime && e == other
}
