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
		name:    "plain",
		problem: "nothing",
		recovery: func(f facts) string {
			return unless(f.result.WokenBy != "callback", "woken by its callback")
		},
	},
	{
		name:    "callback lost",
		fault:   kietest.CallbackLost,
		problem: "no callback",
		recovery: func(f facts) string {
			return unless(f.result.WokenBy != "poll" || f.charge.Callbacks.Sent > 0, "found done by a poll")
		},
	},
	{
		name:    "response lost",
		fault:   kietest.ResponseLost,
		problem: "paid, answer lost",
		recovery: func(f facts) string {
			return unless(f.status.SubmitAttempts != 1 || f.status.Callbacks == 0, "found by its callback")
		},
	},
	{
		name:    "download reset",
		fault:   kietest.Reset,
		problem: "connection reset",
		recovery: func(f facts) string {
			return unless(f.charge.Downloads < 2, fmt.Sprintf("resumed (%d requests)", f.charge.Downloads))
		},
	},
	{
		name:    "link expired",
		fault:   kietest.LinkExpired,
		problem: "result link dead",
		recovery: func(f facts) string {
			return unless(f.charge.Downloads < 2, "new link requested")
		},
	},
}

func unless(absent bool, text string) string {
	if absent {
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

// verifier re-reads the stored files of a job.
type verifier func(workflows.ModifyVideoResult, kietest.Charge) error

// check compares what the job reports with the provider's bill.
func (o *outcome) check(ledger kietest.Ledger, verify verifier) error {
	if o.report.Result == nil {
		if o.report.Failure != nil {
			return fmt.Errorf("%s: %s", o.report.Failure.Type, o.report.Failure.Message)
		}
		return fmt.Errorf("job %s did not end in time", o.job.WorkflowID)
	}
	var charges []kietest.Charge
	for _, charge := range ledger.Tasks {
		if charge.Prompt == o.prompt {
			charges = append(charges, charge)
		}
	}
	if len(charges) != 1 {
		return fmt.Errorf("job %s was charged %d times", o.job.WorkflowID, len(charges))
	}
	if o.scenario.fault != "" && !slices.Contains(charges[0].Met, o.scenario.fault) {
		return fmt.Errorf("the fault %s did not happen", o.scenario.fault)
	}
	found := facts{result: *o.report.Result, charge: charges[0]}
	if o.report.Status != nil {
		found.status = *o.report.Status
	}
	if o.recovery = o.scenario.recovery(found); o.recovery == "" {
		return fmt.Errorf("job %s did not recover as expected", o.job.WorkflowID)
	}
	return verify(*o.report.Result, charges[0])
}
