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

// result sorts the payments, with notes on the jobs and videos that it lacks.
func (r *riskSearch) result(candidates int, truncated bool) Risks {
	// An empty list is [] in JSON.
	risks, expired, nameless := Risks{Found: []Risk{}}, 0, []string{}
	for _, risk := range slices.SortedFunc(maps.Values(r.found), func(a, b Risk) int {
		return cmp.Or(a.DeletedAt.Compare(b.DeletedAt), strings.Compare(a.TaskID, b.TaskID), strings.Compare(a.WorkflowID, b.WorkflowID))
	}) {
		switch {
		case !risk.DeletedAt.After(r.now):
			expired++
		case risk.TaskID == "":
			nameless = append(nameless, oneline.Clean(risk.WorkflowID))
		default:
			risks.Found = append(risks.Found, risk)
		}
	}
	note := func(set bool, format string, args ...any) {
		if set {
			risks.Notes = append(risks.Notes, fmt.Sprintf(format, args...))
		}
	}
	note(expired > 0, "not shown: videos whose 14 days at kie.ai are over: %d", expired)
	names := strings.Join(nameless[:min(len(nameless), maxNamed)], ", ")
	if more := len(nameless) - maxNamed; more > 0 {
		names += fmt.Sprintf(" and %d more", more)
	}
	note(names != "", "not shown: tasks with an unknown id that ended jobs may have paid: %s; look for them at https://kie.ai/logs and collect each at no cost with: %s", names, paid.CollectCommand(""))
	note(r.unread > 0, "not shown: jobs that could not be read: %d (%s)", r.unread, r.readErr)
	note(r.missed > 0, "not shown: the youngest jobs, which were not read within %s: %d of %d", riskTimeout, r.missed, candidates)
	note(truncated, "not shown: the oldest jobs, beyond the first %d", maxJobs)
	note(r.noTaskAttribute && len(risks.Found) > 0, "may be collected already: tasks that a job with another id than that of `lumaflow rescue` stored; to find those jobs the namespace needs the search attribute %s", workflows.TaskIDAttribute)
	return risks
}

// retentionNote describes a namespace that deletes closed jobs before kie.ai deletes
// their videos.
func (s *Starter) retentionNote(ctx context.Context) string {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	described, err := s.temporal.WorkflowService().DescribeNamespace(ctx, &workflowservice.DescribeNamespaceRequest{Namespace: s.namespace})
	if err != nil {
		return "not shown: jobs whose retention time is over; the retention time of the namespace could not be read (" + errorText(err) + ")"
	}
	retention := described.GetConfig().GetWorkflowExecutionRetentionTtl().AsDuration()
	if retention >= kie.MediaKept {
		return ""
	}
	const format = "not shown: jobs that ended more than %[1]dh ago, which namespace %[2]s deletes; " +
		"to keep them as long as kie.ai keeps videos: temporal operator namespace update --namespace %[2]s --retention 15d"
	return fmt.Sprintf(format, retention/time.Hour, oneline.Clean(s.namespace))
}
