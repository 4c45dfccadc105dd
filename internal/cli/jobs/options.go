package jobs

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"strings"

	"lumaflow/internal/command"
	"lumaflow/internal/kie"
)

// modelOptions are the fields of the model in the flags; nil if there are none. Errors
// are usage errors.
func (c *SubmitCommand) modelOptions(ctx context.Context, stdin io.Reader) (map[string]any, error) {
	var options map[string]any
	if c.Options != "" {
		data, err := readJSON(ctx, c.Options, stdin)
		if err != nil {
			return nil, command.Usagef("--options: %w", err)
		}
		if err := json.Unmarshal(data, &options); err != nil {
			return nil, command.Usagef("--options: %s is no JSON object", sourceName(c.Options))
		}
	}
	for _, option := range c.Option {
		name, value, found := strings.Cut(option, "=")
		if name = strings.TrimSpace(name); !found || name == "" {
			return nil, command.Usagef("--option %.60q is not NAME=VALUE", option)
		}
		if _, twice := options[name]; twice {
			return nil, command.Usagef("--option %s is given twice", name)
		}
		if options == nil {
			options = map[string]any{}
		}
		options[name] = optionValue(string(c.Model), name, value)
	}
	return options, nil
}

// modelName is the value of --model. The empty text of an unset variable in a script is
// rejected: it would pay for a job of the default model.
type modelName string

// UnmarshalText reads the flag.
func (n *modelName) UnmarshalText(text []byte) error {
	if len(bytes.TrimSpace(text)) == 0 {
		return errors.New("it is blank: give a model of lumaflow models, or leave the flag out")
	}
	*n = modelName(text)
	return nil
}

// optionValue reads a value as JSON, unless it is none or the model's field is a text.
func optionValue(model, name, text string) any {
	row, known := kie.ModelOf(model)
	for _, option := range row.Options {
		if known && option.Name == name && option.Kind == kie.Text {
			return text
		}
	}
	var value any
	if json.Unmarshal([]byte(text), &value) != nil {
		return text
	}
	return value
}
