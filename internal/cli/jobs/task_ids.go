package starter

import (
	"context"
	"fmt"
	"io"
	"strings"

	"lumaflow/internal/command"
	"lumaflow/workflows"
)

// maxTaskID bounds a task id, in bytes. kie.ai's have 32 letters and digits, but
// their form is not documented.
const maxTaskID = 256

// taskIDs are the tasks to collect, each once, in the order in which they were
// named.
type taskIDs struct {
	ids    []string
	known  map[string]bool
	others int
}

func (t *taskIDs) add(id string) error {
	if err := checkTaskID(id); err != nil {
		return err
	}
	switch {
	case t.known[id]:
		t.others++
		return nil
	case len(t.ids) == maxOrders:
		return fmt.Errorf("these are more than %d tasks: split the list", maxOrders)
	}
	t.known[id] = true
	t.ids = append(t.ids, id)
	return nil
}

// checkTaskID refuses what is no task id of any provider's, so that a list that
// is no list of ids is recognised before anybody is asked about it.
func checkTaskID(id string) error {
	odd := func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_.:", r))
	}
	switch {
	case id == "":
		return fmt.Errorf("a task id is empty")
	case len(id) > maxTaskID:
		return fmt.Errorf("%s is no task id: it is longer than %d letters", quoted(id), maxTaskID)
	case strings.ContainsFunc(id, odd):
		return fmt.Errorf("%s is no task id: give one a line, of letters, digits and - _ . : only", quoted(id))
	}
	return nil
}

// orders reads which tasks to collect: the arguments and the file. Errors are
// usage errors.
func (c *RescueCommand) orders(ctx context.Context, stdin io.Reader) (orders []Order, repeated int, err error) {
	if len(c.TaskIDs) == 0 && c.IDs == "" {
		return nil, 0, command.Usagef("say which tasks to collect: TASKID… or --ids FILE")
	}
	tasks := &taskIDs{known: map[string]bool{}}
	for _, id := range c.TaskIDs {
		if err := tasks.add(id); err != nil {
			return nil, 0, command.Usagef("%w; nothing is started", err)
		}
	}
	if c.IDs != "" {
		err := readLines(ctx, c.IDs, stdin, func(_ int, line []byte) error {
			id, _, _ := strings.Cut(string(line), "#")
			if id = strings.TrimSpace(id); id == "" {
				return nil
			}
			return tasks.add(id)
		})
		if err != nil {
			return nil, 0, err
		}
		if len(tasks.ids) == 0 {
			return nil, 0, command.Usagef("%s names no task: write one task id a line", source(c.IDs))
		}
	}
	for _, id := range tasks.ids {
		orders = append(orders, Order{Input: workflows.ModifyVideoInput{TaskID: id}})
	}
	return orders, tasks.others, nil
}
