package jobs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"lumaflow/internal/command"
	"lumaflow/starter"
	"lumaflow/workflows"
)

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
