package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"lumaflow/internal/command"
	"lumaflow/starter"
	"lumaflow/workflows"
)

// request checks the flags and reads the file.
func (c *BatchCommand) request(ctx context.Context, stdin io.Reader) (orders []starter.Order, repeated int, err error) {
	if err := c.check(c.AtOnce); err != nil {
		return nil, 0, err
	}
	return readBatch(ctx, c.File, stdin)
}

// readBatch reads one job from each line. Lines with the same request and key are
// one job, that of the first. Errors are usage errors.
func readBatch(ctx context.Context, path string, stdin io.Reader) (orders []starter.Order, repeated int, err error) {
	byID := map[string]int{}
	err = readLines(ctx, path, stdin, func(number int, line []byte) error {
		order, err := parseOrder(line)
		if err != nil {
			return err
		}
		order.Line = number
		id := starter.JobID(order.Input, order.Key)
		index, repeats := byID[id]
		switch {
		case repeats && orders[index].Input != order.Input:
			return fmt.Errorf("it is the same job as line %d but differs in how it is run; give it a key of its own for another, paid take", orders[index].Line)
		case repeats:
			repeated++
			return nil
		case len(orders) == maxOrders:
			return fmt.Errorf("these are more than %d jobs: split the file", maxOrders)
		}
		byID[id] = len(orders)
		orders = append(orders, order)
		return nil
	})
	if err != nil {
		return nil, 0, err
	}
	if len(orders) == 0 {
		return nil, 0, command.Usagef("%s holds no job: write one JSON object a line", sourceName(path))
	}
	return orders, repeated, nil
}

// parseOrder reads one job: the fields of a job's input, and key.
func parseOrder(line []byte) (starter.Order, error) {
	var order starter.Order
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(line, &fields); err != nil || fields == nil {
		// The errors of ParseInput describe the input, those of Unmarshal Go types.
		_, err := workflows.ParseInput(line)
		if err == nil {
			err = errors.New("the input is malformed")
		}
		return order, fmt.Errorf("%w (one JSON object a line is expected)", err)
	}
	if key, given := fields["key"]; given {
		if err := json.Unmarshal(key, &order.Key); err != nil {
			return order, errors.New("key is not a string")
		}
		delete(fields, "key")
	}
	rest, err := json.Marshal(fields)
	if err != nil {
		return order, err
	}
	order.Input, err = workflows.ParseInput(rest)
	return order, err
}
