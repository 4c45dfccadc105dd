package demo

import (
	"fmt"
	"slices"

	"lumaflow/internal/kie/kietest"
	"lumaflow/starter"
	"lumaflow/workflows"
)

// scenario is one job of the demo and its injected fault.
type scenario struct {
	name  string
	fault string
	// problem and the text of recovery are cells of the table.
	problem string
	// recovery describes how the job recovered. It is empty if the facts do not
	// show the recovery that the scenario demonstrates.
	recovery func(facts) string
}

// facts are the reports of the job and of the provider's bill.
type facts struct {
	result workflows.ModifyVideoResult
	status workflows.Status
	charge kietest.Charge
}

var scenarios = []scenario{
	{
		name: "plain", problem: "nothing",
		recovery: func(f facts) string {
			return when(f.result.WokenBy == "callback", "woken by its callback")
		},
	}, {
		name: "callback lost", fault: kietest.CallbackLost, problem: "no callback",
		recovery: func(f facts) string {
			return when(f.result.WokenBy == "poll" && f.charge.Callbacks.Sent == 0, "found done by a poll")
		},
	}, {
		name: "response lost", fault: kietest.ResponseLost, problem: "paid, answer lost",
		recovery: func(f facts) string {
			return when(f.status.SubmitAttempts == 1 && f.status.Callbacks > 0, "found by its callback")
		},
	}, {
		name: "download reset", fault: kietest.Reset, problem: "connection reset",
		recovery: func(f facts) string {
			return when(f.charge.Downloads >= 2, fmt.Sprintf("resumed (%d requests)", f.charge.Downloads))
		},
	}, {
		name: "link expired", fault: kietest.LinkExpired, problem: "result link dead",
		recovery: func(f facts) string {
			return when(f.charge.Downloads >= 2, "new link requested")
		},
	},
}

func when(recovered bool, text string) string {
	if !recovered {
		return ""
	}
	return text
}

// prompt is the prompt with the marker that injects the scenario's fault.
func (s scenario) prompt(prompt string) string {
	if s.fault == "" {
		return prompt
	}
	return prompt + " [fault: " + s.fault + "]"
}

// outcome is the run of a scenario.
type outcome struct {
	scenario scenario
	job      starter.Job
	report   starter.Report
	prompt   string
	// recovery and err are the result of the verification.
	recovery string
	err      error
}

// check compares the report of the job with the provider's bill and returns its
// charge.
func (o *outcome) check(ledger kietest.Ledger) (charge kietest.Charge, err error) {
	if o.report.Result == nil {
		if o.report.Failure != nil {
			return charge, fmt.Errorf("%s: %s", o.report.Failure.Type, o.report.Failure.Message)
		}
		return charge, fmt.Errorf("job %s did not end in time", o.job.WorkflowID)
	}
	charges := 0
	for _, task := range ledger.Tasks {
		if task.Prompt == o.prompt {
			charge = task
			charges++
		}
	}
	if charges != 1 {
		return charge, fmt.Errorf("job %s was charged %d times", o.job.WorkflowID, charges)
	}
	if o.scenario.fault != "" && !slices.Contains(charge.Met, o.scenario.fault) {
		return charge, fmt.Errorf("the fault %s did not happen", o.scenario.fault)
	}
	found := facts{result: *o.report.Result, charge: charge}
	if o.report.Status != nil {
		found.status = *o.report.Status
	}
	if o.recovery = o.scenario.recovery(found); o.recovery == "" {
		return charge, fmt.Errorf("job %s did not recover as expected", o.job.WorkflowID)
	}
	return charge, nil
}
