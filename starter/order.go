package starter

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"lumaflow/internal/manifest"
	"lumaflow/workflows"
	"lumaflow/workflows/fields"
)

// Order is one job of a manifest.
type Order struct {
	Input workflows.ModifyVideoInput
	// Key distinguishes jobs of the same request.
	Key string
}

// keyField is the field of a line that no job's input has.
const keyField = "key"

// columns are the fields that a line of a manifest may have.
var columns = append(slices.DeleteFunc(fields.Names[workflows.ModifyVideoInput](), func(name string) bool { return name == "batch" }), keyField)

// Manifest reads the jobs of a manifest: the fields of a job's input, and key, which
// makes another job of the same request.
var Manifest = manifest.Format{Parse: parseLine, CheckColumns: checkColumns}

func parseLine(line []byte) (manifest.Order, error) {
	order, err := ParseOrder(line)
	if err != nil {
		return manifest.Order{}, err
	}
	input, err := json.Marshal(order.Input)
	return manifest.Order{ID: JobID(order.Input, order.Key), Adopts: order.Input.TaskID != "", Input: input}, err
}

// ParseOrder reads one job of a manifest from a JSON object.
func ParseOrder(line []byte) (Order, error) {
	var order Order
	var object map[string]json.RawMessage
	if err := json.Unmarshal(line, &object); err != nil || object == nil {
		// The errors of ParseInput describe the input, those of Unmarshal Go types.
		_, err := workflows.ParseInput(line)
		if err == nil {
			err = errors.New("the input is malformed")
		}
		return order, fmt.Errorf("%w (one JSON object a line is expected)", err)
	}
	if err := order.takeKey(object); err != nil {
		return order, err
	}
	rest, err := json.Marshal(object)
	if err != nil {
		return order, err
	}
	order.Input, err = workflows.ParseInput(rest)
	if err == nil {
		err = CheckModel(order.Input)
	}
	if err == nil && order.Input.Batch != "" {
		err = fields.Errorf("batch", "is set by the batch: leave it out")
	}
	return order, err
}

// takeKey moves the key from a line, in which it is found as encoding/json finds the
// fields: without regard to case.
func (o *Order) takeKey(object map[string]json.RawMessage) error {
	var names []string
	for name := range object {
		if strings.EqualFold(name, keyField) {
			names = append(names, name)
		}
	}
	switch {
	case len(names) == 0:
		return nil
	case len(names) > 1:
		return errors.New("key is given twice")
	case json.Unmarshal(object[names[0]], &o.Key) != nil:
		return errors.New("key is not a string")
	}
	delete(object, names[0])
	return nil
}

// checkColumns rejects a header with an unknown column, one without a name or that
// occurs twice, or without those that every job needs. As in JSON, case does not matter.
func checkColumns(names []string) error {
	if nameless := slices.Index(names, ""); nameless >= 0 {
		return fmt.Errorf("the column %d has no name", nameless+1)
	}
	if err := fields.UnknownName(names, columns); err != nil {
		return err
	}
	has := func(names []string, name string) bool {
		return slices.ContainsFunc(names, func(other string) bool { return strings.EqualFold(other, name) })
	}
	for i, name := range names {
		if has(names[:i], name) {
			return fmt.Errorf("the column %s occurs twice", name)
		}
	}
	if !has(names, "taskId") && (!has(names, "prompt") || !has(names, "videoUrl")) {
		return errors.New("the header names no columns prompt and videoUrl, nor taskId")
	}
	return nil
}
