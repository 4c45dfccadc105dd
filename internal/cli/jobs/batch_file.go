package starter

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"lumaflow/internal/command"
	"lumaflow/workflows"
)

// orders reads a batch: one job a line. Lines that ask for the same are one job,
// that of the first. Errors are usage errors.
func (c *BatchCommand) orders(ctx context.Context, stdin io.Reader) (orders []Order, repeated int, err error) {
	known := map[string]int{}
	err = readLines(ctx, c.File, stdin, func(number int, line []byte) error {
		order, err := parseOrder(line)
		if err != nil {
			return err
		}
		order.Line = number
		id := JobID(order.Input, order.Key)
		place, twice := known[id]
		switch {
		case twice && orders[place].Input != order.Input:
			return fmt.Errorf("it is the same job as line %d but differs in how it is run; give it a key of its own for another, paid take", orders[place].Line)
		case twice:
			repeated++
			return nil
		case len(orders) == maxOrders:
			return fmt.Errorf("these are more than %d jobs: split the file", maxOrders)
		}
		known[id] = len(orders)
		orders = append(orders, order)
		return nil
	})
	if err != nil {
		return nil, 0, err
	}
	if len(orders) == 0 {
		return nil, 0, command.Usagef("%s asks for no job: write one JSON object a line", source(c.File))
	}
	return orders, repeated, nil
}

// parseOrder reads one job: the fields of a job's input, and key.
func parseOrder(line []byte) (Order, error) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(line, &fields); err != nil || fields == nil {
		// ParseInput says it in words about the input.
		_, err := workflows.ParseInput(line)
		if err == nil {
			err = errors.New("the input is malformed")
		}
		return Order{}, fmt.Errorf("%w (one JSON object a line is expected)", err)
	}
	var order Order
	if key, given := fields["key"]; given {
		if err := json.Unmarshal(key, &order.Key); err != nil {
			return Order{}, errors.New("key is not a string")
		}
		delete(fields, "key")
	}
	rest, err := json.Marshal(fields)
	if err != nil {
		return Order{}, err
	}
	order.Input, err = workflows.ParseInput(rest)
	return order, err
}
