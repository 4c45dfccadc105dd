package jobs

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/dustin/go-humanize/english"

	"lumaflow/internal/command"
	"lumaflow/starter"
)

// RescueCommand collects tasks that exist already, of any submitter.
type RescueCommand struct {
	TaskIDs    []string  `arg:"" optional:"" name:"task-id" help:"Task ids at kie.ai."`
	IDs        string    `name:"ids" placeholder:"FILE" help:"Read task ids from this file, or from standard input if it is -: one a line, blank lines and # comments are skipped."`
	Model      modelName `placeholder:"NAME" help:"Model of the tasks. Default: each task is looked up in all families, for free."`
	AtOnce     int       `default:"50" placeholder:"N" help:"Greatest number of open jobs (${default})."`
	watchFlags `embed:""`
	queueFlags `embed:""`
	connection `embed:""`
}

// Help documents which tasks can be collected and what it costs.
func (RescueCommand) Help() string {
	return `Starts a job for each task that only collects it: nothing is submitted, nothing is paid. It takes any task of
the account, whichever tool submitted it, also one whose callback failed (flag 4), for as long as kie.ai keeps its
video: 14 days. For a running task the job waits. Tasks of all families are found by their id; --model
restricts the look-up to that of one model.

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
	tasks, repeated, err := c.request(ctx, streams.In)
	if err != nil {
		return err
	}
	return c.connected(ctx, streams, starter.Options{TaskQueue: c.TaskQueue}, func(s *starter.Starter) error {
		return c.run(ctx, s, tasks, repeated, streams)
	})
}

func (c *RescueCommand) run(ctx context.Context, s *starter.Starter, tasks []string, repeated int, streams command.Streams) error {
	message(streams.Err, "%s to collect; nothing is submitted, nothing is paid", english.Plural(len(tasks), "task", ""))
	if repeated > 0 {
		message(streams.Err, "task ids that are named more than once count once: %d left out", repeated)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, c.timeout(), errTimeout)
	defer cancel()
	display := newCountsDisplay(streams.Err, len(tasks))
	outcomes, err := s.Rescue(ctx, tasks, starter.RescueOptions{AtOnce: c.AtOnce, Model: string(c.Model), Show: func(tally starter.Tally) { display.Show(countsOf(tally)) }})
	display.Close()
	if stop := stopText(ctx, err, "watching", c.timeout()); stop != "" {
		err = unfinishedRescue(outcomes, stop)
	} else if err == nil {
		err = rescueError(outcomes, streams.Err)
	}
	if c.JSON {
		return cmp.Or(command.WriteJSON(streams.Out, outcomes), err)
	}
	reports := make([]starter.Report, len(outcomes))
	for i, outcome := range outcomes {
		reports[i] = outcome.Report
	}
	return cmp.Or(writeResults(streams.Out, reports, time.Now()), err)
}

// unfinishedRescue is the error of a rescue that is no longer watched.
func unfinishedRescue(outcomes []starter.Outcome, stop string) error {
	var open, unknown, notStarted int
	for _, outcome := range outcomes {
		switch {
		case outcome.State.Open():
			open++
		case outcome.State == starter.StateUnknown && outcome.Failure.Type == starter.FailureNotStarted:
			unknown++
		case outcome.State == starter.StateNotStarted && outcome.Failure == nil:
			notStarted++
		}
	}
	text := fmt.Sprintf("%s; of %s, continuing by themselves: %d", stop, english.Plural(len(outcomes), "job", ""), open)
	if notStarted > 0 {
		text += fmt.Sprintf(", not started: %d", notStarted)
	}
	if unknown > 0 {
		text += fmt.Sprintf(", start not confirmed: %d", unknown)
	}
	return errors.New(text + "; the same command resumes, `lumaflow list --open` shows the open jobs")
}

// maxFailures is the number of failed jobs that are printed one by one.
const maxFailures = 20

// rescueError is nil if all tasks are collected. It prints the first jobs that have
// not completed.
func rescueError(outcomes []starter.Outcome, out io.Writer) error {
	failed := 0
	for _, outcome := range outcomes {
		if outcome.State == starter.StateCompleted {
			continue
		}
		if failed++; failed <= maxFailures {
			message(out, "%s", endText(outcome.Report))
		}
	}
	if failed > maxFailures {
		message(out, "and %d more", failed-maxFailures)
	}
	const free = "; the same task ids can be given again, at no cost"
	switch {
	case failed == 0:
		return nil
	case len(outcomes) == 1:
		return errors.New("the job ended without its video" + free)
	default:
		return fmt.Errorf("%d of %d jobs ended without their video%s", failed, len(outcomes), free)
	}
}

// maxTaskID bounds a task id in bytes. kie.ai's have 32 letters and digits, but
// kie.ai does not document their form.
const maxTaskID = 256

// taskIDLetters are the characters of the task ids of all known providers.
const taskIDLetters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:"

// request checks the flags and reads the ids.
func (c *RescueCommand) request(ctx context.Context, stdin io.Reader) (tasks []string, repeated int, err error) {
	if err := cmp.Or(checkAtOnce(c.AtOnce), c.check(), checkTaskQueue(c.TaskQueue)); err != nil {
		return nil, 0, err
	}
	return readTasks(ctx, c.TaskIDs, c.IDs, stdin)
}

// readTasks returns the ids of the arguments and of the file, once and in their order.
// Errors are usage errors.
func readTasks(ctx context.Context, args []string, path string, stdin io.Reader) (tasks []string, repeated int, err error) {
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
		case len(tasks) == maxOrders:
			return fmt.Errorf("these are more than %d tasks: split the list", maxOrders)
		}
		seen[id] = true
		tasks = append(tasks, id)
		return nil
	}
	for _, id := range args {
		if err := add(id); err != nil {
			return nil, 0, command.Usagef("%w; nothing is started", err)
		}
	}
	if path == "" {
		return tasks, repeated, nil
	}
	err = readLines(ctx, path, stdin, func(_ int, line []byte) error {
		id, _, _ := strings.Cut(string(line), "#")
		if id = strings.TrimSpace(id); id == "" {
			return nil
		}
		return add(id)
	})
	if err == nil && len(tasks) == 0 {
		err = command.Usagef("%s names no task: write one task id a line", sourceName(path))
	}
	if err != nil {
		return nil, 0, err
	}
	return tasks, repeated, nil
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
