package jobs

import (
	"cmp"
	"time"

	"lumaflow/internal/command"
)

// watchFlags are the flags of the commands that watch many jobs.
type watchFlags struct {
	Timeout time.Duration `placeholder:"DURATION" help:"Stop watching after this time; the jobs continue (default 72h)."`
	JSON    bool          `name:"json" help:"Print JSON."`
}

// queueFlags are the flags of the commands that start jobs.
type queueFlags struct {
	TaskQueue string `env:"TASK_QUEUE" default:"lumaflow" help:"Temporal task queue of the workers."`
}

func (f *watchFlags) check() error { return checkTimeout(f.Timeout) }

func (f *watchFlags) timeout() time.Duration { return cmp.Or(f.Timeout, defaultTimeout) }

// checkAtOnce rejects a number of open jobs beyond what one command lists.
func checkAtOnce(atOnce int) error {
	if atOnce < 1 || atOnce > maxList {
		return command.Usagef("--at-once is %d: give 1 to %d", atOnce, maxList)
	}
	return nil
}
