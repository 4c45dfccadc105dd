package workflows

import (
	"errors"

	"go.temporal.io/sdk/workflow"
)

// checkStart rejects starts that lumaflow v0.1 accepted: its runs go on. The
// version is recorded only for those, so that other jobs have no event of it.
func checkStart(ctx workflow.Context, input ModifyVideoInput) error {
	var err error
	switch {
	case input.unknownField != nil:
		err = input.unknownField
	case workflow.GetInfo(ctx).CronSchedule != "":
		err = errors.New("the job has a cron schedule, and each firing would pay: terminate it and use a Temporal Schedule, which starts a job of its own each time")
	default:
		return nil
	}
	if workflow.GetVersion(ctx, "strict-start", workflow.DefaultVersion, 1) == workflow.DefaultVersion {
		return nil
	}
	return err
}
