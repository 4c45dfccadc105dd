package starter

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/dustin/go-humanize/english"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"

	"lumaflow/internal/oneline"
	"lumaflow/workflows"
)

// RunCount is the number of runs of a job and of the tasks that they have paid.
type RunCount struct {
	Count int `json:"count"`
	// Charges counts the known tasks, UnknownCharges those that may be paid and whose
	// id is unknown.
	Charges        int `json:"charges"`
	UnknownCharges int `json:"unknownCharges"`
}

// String is the count in one line.
func (c RunCount) String() string {
	text := english.Plural(c.Count, "run", "") + ", " + english.Plural(c.Charges, "charge", "")
	if c.UnknownCharges > 0 {
		text += fmt.Sprintf(", %d more possible with an unknown task", c.UnknownCharges)
	}
	return text
}

// addRuns counts the runs of a job and their charges, if there are several runs.
func (s *Starter) addRuns(ctx context.Context, report *Report) {
	ctx, cancel := context.WithTimeout(ctx, historyTimeout)
	defer cancel()
	job, err := s.runs.Job(ctx, report.WorkflowID)
	if err != nil {
		report.addNote("the other runs of the job could not be read (" + errorText(err) + ")")
	}
	if len(job) < 2 {
		return
	}
	report.Runs = &RunCount{Count: len(job)}
	for _, payment := range job.Payments() {
		if payment.TaskID == "" {
			report.Runs.UnknownCharges++
		} else {
			report.Runs.Charges++
		}
	}
}

// addTimeout adds a note on a start with a timeout that ends the run before the
// job's deadline.
func (s *Starter) addTimeout(ctx context.Context, described *workflowservice.DescribeWorkflowExecutionResponse, report *Report) {
	config, kind := described.GetExecutionConfig(), "run"
	timeout := config.GetWorkflowRunTimeout().AsDuration()
	if execution := config.GetWorkflowExecutionTimeout().AsDuration(); execution > 0 && (timeout == 0 || execution <= timeout) {
		kind, timeout = "execution", execution
	}
	if timeout == 0 {
		return
	}
	input, decoded, err := s.input(ctx, *report)
	if err := cmp.Or(err, decoded); err != nil {
		report.addNote("the request of the job could not be read (" + errorText(err) + ")")
		return
	}
	deadline := workflows.DefaultDeadline
	if input.Deadline != "" {
		// A malformed deadline is an InvalidRequest, with none of its own.
		deadline, _ = time.ParseDuration(input.Deadline)
	}
	if timeout < deadline {
		report.addNote(fmt.Sprintf("it was started with %s timeout %s, which is shorter than its deadline of %s: Temporal ends it then, whatever it has paid; start jobs without a timeout",
			kind, timeout, deadline))
	}
}

// addNote appends a note.
func (r *Report) addNote(note string) {
	if r.Note != "" {
		r.Note += "; "
	}
	r.Note += note
}

// unpauseCommand continues a paused activity.
func (s *Starter) unpauseCommand(workflowID, activityID string) string {
	command := "temporal activity unpause --workflow-id " + oneline.Clean(workflowID) + " --activity-id " + oneline.Clean(activityID)
	if s.namespace != client.DefaultNamespace {
		command += " --namespace " + oneline.Clean(s.namespace)
	}
	return command
}
