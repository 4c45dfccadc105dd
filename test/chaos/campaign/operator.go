package campaign

import (
	"context"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"sync"
	"time"

	"go.temporal.io/api/workflowservice/v1"

	"lumaflow/internal/kie/kietest"
	"lumaflow/test/supervisor"
	"lumaflow/workflows"
)

const (
	// operatorInterval is the period of the operator's checks.
	operatorInterval = 5 * time.Second
	// adoptAfter is how long a job is in submit-unknown before the operator adopts
	// its charge. It is longer than callbacks and the job's own search take, even
	// if their first worker died and the record has no echo, which takes a minute.
	adoptAfter = 150 * time.Second
	// resubmitAfter is how long a job is in submit-unknown without a charge before
	// the operator resubmits. It is longer than a submission may take.
	resubmitAfter = 110 * time.Second
)

// operator resolves jobs in submit-unknown as a person does: it reads the bill in
// place of kie.ai's log page and runs lumaflow resolve.
type operator struct {
	w       *world
	prompts map[string]string    // by job id
	since   map[string]time.Time // when a job was first in submit-unknown
	checked time.Time
	log     io.Writer
}

func newOperator(w *world, jobs []job, log io.Writer) *operator {
	o := &operator{w: w, prompts: map[string]string{}, since: map[string]time.Time{}, log: log}
	for _, job := range jobs {
		o.prompts[job.id] = job.prompt
	}
	return o
}

// resolveJobs resolves the jobs that have been in submit-unknown for long enough.
// A failure is retried with the next check.
func (o *operator) resolveJobs(ctx context.Context) {
	if time.Since(o.checked) < operatorInterval {
		return
	}
	o.checked = time.Now()
	var commands sync.WaitGroup
	for _, id := range o.unknownJobs(ctx) {
		first, known := o.since[id]
		if !known {
			o.since[id] = time.Now()
			continue
		}
		if args := o.decide(id, time.Since(first)); args != nil {
			// The time starts again, in case the resubmission becomes unknown, too.
			o.since[id] = time.Now()
			commands.Go(func() { o.resolve(ctx, id, args) })
		}
	}
	commands.Wait()
}

func (o *operator) resolve(ctx context.Context, id string, args []string) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, o.w.binary, append([]string{"resolve", id}, args...)...)
	cmd.Env = supervisor.Environment(o.w.env)
	// The history of the job has the result.
	output, _ := cmd.CombinedOutput()
	_, _ = fmt.Fprintf(o.log, "%s resolve %s %s\n%s", time.Now().Format(time.RFC3339Nano), id, strings.Join(args, " "), output)
}

// unknownJobs lists the jobs in submit-unknown. It queries every open job, because
// the search attribute of the stage may be stale after an outage. The queries run
// in parallel: a paused worker does not answer.
func (o *operator) unknownJobs(ctx context.Context) (ids []string) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	list, err := o.w.client.ListWorkflow(ctx, &workflowservice.ListWorkflowExecutionsRequest{Query: "ExecutionStatus = 'Running'"})
	if err != nil {
		return nil
	}
	var queries sync.WaitGroup
	var mu sync.Mutex
	for _, execution := range list.GetExecutions() {
		id := execution.GetExecution().GetWorkflowId()
		queries.Go(func() {
			var status workflows.Status
			answer, err := o.w.client.QueryWorkflow(ctx, id, "", workflows.StatusQuery)
			if err != nil || answer.Get(&status) != nil || status.Stage != workflows.StageSubmitUnknown {
				return
			}
			mu.Lock()
			defer mu.Unlock()
			ids = append(ids, id)
		})
	}
	queries.Wait()
	return ids
}

// decide returns the arguments of lumaflow resolve for a job, or nil to wait.
func (o *operator) decide(id string, unknown time.Duration) []string {
	charges := chargesOf(o.w.kie.Ledger(), o.prompts[id])
	switch {
	case len(charges) > 0 && unknown >= adoptAfter:
		return []string{"--adopt", charges[0].TaskID}
	case len(charges) == 0 && unknown >= resubmitAfter:
		return []string{"--resubmit"}
	}
	return nil
}

func chargesOf(ledger kietest.Ledger, prompt string) []kietest.Charge {
	var charges []kietest.Charge
	for _, charge := range ledger.Tasks {
		if charge.Prompt == prompt {
			charges = append(charges, charge)
		}
	}
	return charges
}
