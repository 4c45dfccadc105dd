package jobs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/dustin/go-humanize/english"

	"lumaflow/internal/command"
	"lumaflow/starter"
	"lumaflow/workflows"
)

// RescueCommand collects tasks that exist already, of any submitter.
type RescueCommand struct {
	TaskIDs    []string `arg:"" optional:"" name:"task-id" help:"Task ids at kie.ai."`
	IDs        string   `name:"ids" placeholder:"FILE" help:"Read task ids from this file, or from standard input if it is -: one a line, blank lines and # comments are skipped."`
	AtOnce     int      `default:"50" placeholder:"N" help:"Greatest number of open jobs (${default})."`
	batchFlags `embed:""`
}

// Help documents which tasks can be collected and what it costs.
func (RescueCommand) Help() string {
	return `Starts a job for each task that only collects it: nothing is submitted, nothing is paid. It takes any task of
the account, whichever tool submitted it, also one whose callback failed (flag 4), for as long as kie.ai keeps its
video: 14 days. For a running task the job waits.

The same task id is the same job: a collected task is not fetched again, an open job is watched, and a failed one is
retried. Ctrl-C and --timeout end the watching, not the jobs. The exit code is 0 only if all tasks are collected. An id
without a record at kie.ai fails after two minutes, because the record of a new task may come late.

` + command.TemporalHelp + `

Examples:
  lumaflow rescue 0123456789abcdef0123456789abcdef
  lumaflow rescue --ids tasks.txt
  lumaflow list --at-risk --json | jq -r '.[].taskId' | lumaflow rescue --ids - --json`
}

// Run checks all ids before it dials, then collects the tasks.
func (c *RescueCommand) Run(ctx context.Context, streams command.Streams) error {
	orders, repeated, err := c.request(ctx, streams.In)
	if err != nil {
		return err
	}
	return c.connected(ctx, streams, starter.Options{TaskQueue: c.TaskQueue}, func(s *starter.Starter) error {
		return c.run(ctx, s, orders, repeated, streams)
	})
}

func (c *RescueCommand) run(ctx context.Context, s *starter.Starter, orders []starter.Order, repeated int, streams command.Streams) error {
	message(streams.Err, "%s to collect; nothing is submitted, nothing is paid", english.Plural(len(orders), "task", ""))
	if repeated > 0 {
		message(streams.Err, "task ids that are named more than once count once: %d left out", repeated)
	}
	return c.batchFlags.run(ctx, s, orders, starter.BatchOptions{AtOnce: c.AtOnce}, streams, func([]starter.Outcome) string {
		return "; the same task ids can be given again, at no cost"
	})
}

// maxTaskID bounds a task id in bytes. kie.ai's have 32 letters and digits, but
// kie.ai does not document their form.
const maxTaskID = 256

// taskIDLetters are the characters of the task ids of all known providers.
const taskIDLetters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:"

// request checks the flags and reads the ids.
func (c *RescueCommand) request(ctx context.Context, stdin io.Reader) (orders []starter.Order, repeated int, err error) {
	if err := c.check(c.AtOnce); err != nil {
		return nil, 0, err
	}
	return readTasks(ctx, c.TaskIDs, c.IDs, stdin)
}

// readTasks orders a collecting job for each id of the arguments and of the file,
// once and in their order. Errors are usage errors.
func readTasks(ctx context.Context, args []string, path string, stdin io.Reader) (orders []starter.Order, repeated int, err error) {
	if len(args) == 0 && path == "" {
		return nil, 0, command.Usagef("no tasks to collect: give TASKID… or --ids FILE")
	}
	seen := map[string]bool{}
	add := func(id string) error {
		switch err := checkTaskID(id); {
		case err != nil:
			return err
		case seen[id]:
			repeated++
			return nil
		case len(orders) == maxOrders:
			return fmt.Errorf("these are more than %d tasks: split the list", maxOrders)
		}
		seen[id] = true
		orders = append(orders, starter.Order{Input: workflows.ModifyVideoInput{TaskID: id}})
		return nil
	}
	for _, id := range args {
		if err := add(id); err != nil {
			return nil, 0, command.Usagef("%w; nothing is started", err)
		}
	}
	if path == "" {
		return orders, repeated, nil
	}
	err = readLines(ctx, path, stdin, func(_ int, line []byte) error {
		id, _, _ := strings.Cut(string(line), "#")
		if id = strings.TrimSpace(id); id == "" {
			return nil
		}
		return add(id)
	})
	if err == nil && len(orders) == 0 {
		err = command.Usagef("%s names no task: write one task id a line", sourceName(path))
	}
	if err != nil {
		return nil, 0, err
	}
	return orders, repeated, nil
}

// checkTaskID rejects text that can't be a task id of any provider, so that a
// file of another kind is rejected before a job starts.
func checkTaskID(id string) error {
	switch {
	case id == "":
		return errors.New("a task id is empty")
	case len(id) > maxTaskID:
		return fmt.Errorf("%s is no task id: it is longer than %d letters", quoted(id), maxTaskID)
	case strings.Trim(id, taskIDLetters) != "":
		return fmt.Errorf("%s is no task id: give one a line, of letters, digits and - _ . : only", quoted(id))
	}
	return nil
}

// quoted is the beginning of text in quotes.
func quoted(text string) string {
	if len(text) > 40 {
		text = strings.ToValidUTF8(text[:40], "") + "…"
	}
	return fmt.Sprintf("%q", text)
}
