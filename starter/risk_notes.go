package starter

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"go.temporal.io/api/workflowservice/v1"

	"lumaflow/internal/kie"
	"lumaflow/internal/oneline"
	"lumaflow/internal/paid"
	"lumaflow/workflows"
)

// maxNamed bounds the jobs that a note names.
const maxNamed = 20

// sorted returns the payments, those with the least time left first.
func (r *riskSearch) sorted() []Risk {
	return slices.SortedFunc(maps.Values(r.found), func(a, b Risk) int {
		return cmp.Or(a.DeletedAt.Compare(b.DeletedAt), strings.Compare(a.TaskID, b.TaskID), strings.Compare(a.WorkflowID, b.WorkflowID))
	})
}

// result sorts the payments, with notes on the jobs and videos that it lacks.
func (r *riskSearch) result() Risks {
	// An empty list is [] in JSON.
	risks, expired, unknown := Risks{Found: []Risk{}}, 0, []Risk{}
	for _, risk := range r.sorted() {
		switch {
		case risk.Expired:
			expired++
		case risk.TaskID == "":
			unknown = append(unknown, risk)
		default:
			risks.Found = append(risks.Found, risk)
		}
	}
	if expired > 0 {
		risks.Notes = append(risks.Notes, fmt.Sprintf("not shown: videos whose 14 days at kie.ai are over: %d", expired))
	}
	risks.Notes = append(risks.Notes, r.notes("not shown", unknown, len(risks.Found) > 0)...)
	return risks
}

// notes describe the submissions with an unknown outcome, after lead, and what the
// search lacks.
func (r *riskSearch) notes(lead string, unknown []Risk, found bool) (notes []string) {
	note := func(set bool, format string, args ...any) {
		if set {
			notes = append(notes, fmt.Sprintf(format, args...))
		}
	}
	var jobs []string
	for _, risk := range unknown[:min(len(unknown), maxNamed)] {
		jobs = append(jobs, oneline.Clean(risk.WorkflowID))
	}
	names := strings.Join(jobs, ", ")
	if more := len(unknown) - maxNamed; more > 0 {
		names += fmt.Sprintf(" and %d more", more)
	}
	note(names != "", "%s: tasks with an unknown id that ended jobs may have paid: %s; look for them at https://kie.ai/logs and collect each at no cost with: %s", lead, names, paid.CollectCommand(""))
	note(r.unread > 0, "not shown: jobs that could not be read: %d (%s)", r.unread, r.readErr)
	note(r.missed > 0, "not shown: the youngest jobs, which were not read within %s: %d of %d", riskTimeout, r.missed, r.candidates)
	note(r.truncated, "not shown: the oldest jobs, beyond the first %d", maxJobs)
	note(r.noTaskAttribute && found, "may be collected already: tasks that a job with another id than that of `lumaflow rescue` stored; to find those jobs the namespace needs the search attribute %s", workflows.TaskIDAttribute)
	return notes
}

// retentionNote describes a namespace that keeps closed jobs for less than a time; zero
// stands for all time.
func (s *Starter) retentionNote(ctx context.Context, atLeast time.Duration) string {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	described, err := s.temporal.WorkflowService().DescribeNamespace(ctx, &workflowservice.DescribeNamespaceRequest{Namespace: s.namespace})
	if err != nil {
		return "not shown: jobs whose retention time is over; the retention time of the namespace could not be read (" + errorText(err) + ")"
	}
	retention := described.GetConfig().GetWorkflowExecutionRetentionTtl().AsDuration()
	if atLeast > 0 && retention >= atLeast {
		return ""
	}
	note := fmt.Sprintf("not shown: jobs that ended more than %dh ago, which namespace %s deletes", retention/time.Hour, oneline.Clean(s.namespace))
	if retention < kie.MediaKept {
		note += "; to keep them as long as kie.ai keeps videos: temporal operator namespace update --namespace " + oneline.Clean(s.namespace) + " --retention 15d"
	}
	return note
}
