package demo

import (
	"fmt"
	"slices"

	"lumaflow/internal/kie/kietest"
	"lumaflow/starter"
	"lumaflow/workflows"
)

// scene is one job of the demo and the fault that it meets.
type scene struct {
	name  string
	fault string
	// wrong is what goes wrong, for the table.
	wrong string
	// saved reads from the facts how the job was saved; empty means that it was
	// not saved the way the scene is about.
	saved func(facts) string
}

// facts are what the job reports and what the provider has on its bill.
type facts struct {
	result workflows.ModifyVideoResult
	status workflows.Status
	charge kietest.Charge
}

var scenes = []scene{
	{
		name:  "plain",
		wrong: "nothing",
		saved: func(f facts) string {
			return unless(f.result.WokenBy != "callback", "the callback woke it")
		},
	},
	{
		name:  "callback lost",
		fault: kietest.CallbackLost,
		wrong: "kie.ai's callback never came",
		saved: func(f facts) string {
			return unless(f.result.WokenBy != "poll" || f.charge.Callbacks.Sent > 0, "polling found the end")
		},
	},
	{
		name:  "response lost",
		fault: kietest.ResponseLost,
		wrong: "charged, then the answer was lost",
		saved: func(f facts) string {
			return unless(f.status.SubmitAttempts != 1 || f.status.Callbacks == 0, "its callback named the task, the record confirmed it; not paid again")
		},
	},
	{
		name:  "download reset",
		fault: kietest.Reset,
		wrong: "the connection broke mid-download",
		saved: func(f facts) string {
			return unless(f.charge.Downloads < 2, fmt.Sprintf("resumed where it broke (%d requests)", f.charge.Downloads))
		},
	},
	{
		name:  "link expired",
		fault: kietest.LinkExpired,
		wrong: "the result's link was dead",
		saved: func(f facts) string {
			return unless(f.charge.Downloads < 2, "a new link was minted")
		},
	},
}

func unless(not bool, text string) string {
	if not {
		return ""
	}
	return text
}

// prompt asks the simulated kie.ai for the scene's fault.
func (s scene) prompt(prompt string) string {
	if s.fault == "" {
		return prompt
	}
	return prompt + " [fault: " + s.fault + "]"
}

// performance is a scene that was played.
type performance struct {
	scene
	job     starter.Job
	report  starter.Report
	prompt  string
	rescue  string
	verdict error
}

// verifier re-reads the stored files of a job.
type verifier func(workflows.ModifyVideoResult, kietest.Charge) error

// check compares what the job reports with the provider's bill.
func (p *performance) check(ledger kietest.Ledger, verify verifier) error {
	if p.report.Result == nil {
		if p.report.Failure != nil {
			return fmt.Errorf("%s: %s", p.report.Failure.Type, p.report.Failure.Message)
		}
		return fmt.Errorf("job %s did not end in time", p.job.WorkflowID)
	}
	var charges []kietest.Charge
	for _, charge := range ledger.Tasks {
		if charge.Prompt == p.prompt {
			charges = append(charges, charge)
		}
	}
	if len(charges) != 1 {
		return fmt.Errorf("job %s was charged %d times", p.job.WorkflowID, len(charges))
	}
	if p.fault != "" && !slices.Contains(charges[0].Met, p.fault) {
		return fmt.Errorf("the fault %s did not happen", p.fault)
	}
	known := facts{result: *p.report.Result, charge: charges[0]}
	if p.report.Status != nil {
		known.status = *p.report.Status
	}
	if p.rescue = p.saved(known); p.rescue == "" {
		return fmt.Errorf("job %s was not saved the way it should have been", p.job.WorkflowID)
	}
	return verify(*p.report.Result, charges[0])
}
