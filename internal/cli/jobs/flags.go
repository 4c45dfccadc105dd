package jobs

import (
	"time"

	"lumaflow/internal/command"
)

// maxID is the greatest length of a workflow id in bytes.
const maxID = 1000

func checkID(id string) error {
	if id == "" || len(id) > maxID {
		return command.Usagef("the job's ID must be 1 to %d bytes long", maxID)
	}
	return nil
}

func checkTaskQueue(name string) error {
	if name == "" {
		return command.Usagef("TASK_QUEUE is empty: leave it unset for the default")
	}
	return nil
}

func checkTimeout(timeout time.Duration) error {
	if timeout < 0 {
		return command.Usagef("--timeout is %s: give a duration above 0, such as 30m", timeout)
	}
	return nil
}
