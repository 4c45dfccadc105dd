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
	"lumaflow/workflows"
)

const (
	// operatorLooks is how often the operator looks at all jobs.
	operatorLooks = 5 * time.Second
	// operatorComes is how long a job must have been at a loss before the
	// operator looks at it: callbacks have come by then, if they come, and the
	// look at the record has been made, even if its first worker died.
	operatorComes = 90 * time.Second
	// operatorDoubts is how long the operator waits for a charge to show on the
	// bill before taking the submission for never made. It is longer than a
	// submission may take.
	operatorDoubts = 110 * time.Second
)

// operator is the person who looks after jobs that can't help themselves, with
// the bill as kie.ai's log page and with lumaflow's command line.
type operator struct {
	*world
	prompts map[string]string // by job id
	since   map[string]time.Time
	looked  time.Time
	log     io.Writer
}

// newOperator is an operator who writes down what it does.
func newOperator(w *world, jobs []job, log io.Writer) *operator {
	o := &operator{world: w, prompts: map[string]string{}, since: map[string]time.Time{}, log: log}
	for _, job := range jobs {
		o.prompts[job.id] = job.prompt
	}
	return o
}

// look sees which jobs are at a loss and helps those that have been for long.
// What fails is tried again with the next look. Each job is asked: one that
// lived through an outage may not be in the list of its stage.
func (o *operator) look(ctx context.Context) {
	if time.Since(o.looked) < operatorLooks {
		return
	}
	o.looked = time.Now()
	var helping sync.WaitGroup
	for _, id := range o.atALoss(ctx) {
		first, seen := o.since[id]
		if !seen {
			o.since[id] = time.Now()
			continue
		}
		if args := o.decide(id, time.Since(first)); args != nil {
			// A job that is lost once more gets as long as the first time.
			o.since[id] = time.Now()
			helping.Go(func() { o.help(ctx, id, args) })
		}
	}
	helping.Wait()
}

func (o *operator) help(ctx context.Context, id string, args []string) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	// What it comes to is read from the job's history.
	cmd := exec.CommandContext(ctx, o.binary, append([]string{"resolve", id}, args...)...)
	cmd.Env = o.env
	output, _ := cmd.CombinedOutput()
	fmt.Fprintf(o.log, "%s resolve %s %s\n%s", time.Now().Format(time.RFC3339Nano), id, strings.Join(args, " "), output)
}

// atALoss asks all open jobs at once: those whose worker is paused don't answer.
func (o *operator) atALoss(ctx context.Context) (ids []string) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	list, err := o.client.ListWorkflow(ctx, &workflowservice.ListWorkflowExecutionsRequest{Query: "ExecutionStatus = 'Running'"})
	if err != nil {
		return nil
	}
	var asking sync.WaitGroup
	var mu sync.Mutex
	for _, execution := range list.GetExecutions() {
		id := execution.GetExecution().GetWorkflowId()
		asking.Go(func() {
			var status workflows.Status
			answer, err := o.client.QueryWorkflow(ctx, id, "", workflows.StatusQuery)
			if err != nil || answer.Get(&status) != nil || status.Stage != workflows.StageSubmitUnknown {
				return
			}
			mu.Lock()
			defer mu.Unlock()
			ids = append(ids, id)
		})
	}
	asking.Wait()
	return ids
}

// decide says what to do about a job, or nothing yet.
func (o *operator) decide(id string, lost time.Duration) []string {
	charges := chargesOf(o.kie.Ledger(), o.prompts[id])
	switch {
	case len(charges) > 0 && lost >= operatorComes:
		return []string{"--adopt", charges[0].TaskID}
	case len(charges) == 0 && lost >= operatorDoubts:
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
