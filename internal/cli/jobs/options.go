package jobs

import (
	"context"
	"encoding/json"
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
		options[name] = optionValue(c.Model, name, value)
	}
	return options, nil
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
