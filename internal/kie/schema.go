package kie

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"slices"
	"strings"
)

var errNoSchema = errors.New("the catalogue has no schema of the model")

// schema reads the row of a model from its OpenAPI document in kie.ai's catalogue (GET
// /api/v1/models/{model}/schema, free, one request a second for the whole catalogue).
// The error is NotFound if kie.ai has no such model, and the row has no
// VideoField if the model takes no video.
func (c *Client) schema(ctx context.Context, model string) (Model, error) {
	return catalogued(ctx, c, c.modelPage(model, "schema"), func(a answer) (Model, error) {
		document := a.data.child("openapi")
		if document == nil {
			return Model{}, a.newError(Refused, errNoSchema)
		}
		row, ok := modelIn(document, model)
		if !ok {
			return Model{}, a.newError(Refused, errNoSchema)
		}
		return row, nil
	})
}

// modelIn is the row of a model in its document.
func modelIn(document object, name string) (Model, bool) {
	input := document.requestInput()
	if input == nil {
		return Model{}, false
	}
	row := Model{Name: name, Family: marketName, PromptOptional: !slices.Contains(textsInArray(input["required"]), "prompt")}
	properties := input.child("properties")
	for _, field := range videoFields {
		if property := document.resolve(properties.child(field)); property != nil && row.VideoField == "" {
			row.VideoField, row.VideoList = field, property.text("type") == "array"
		}
	}
	for field, raw := range properties {
		if field == row.VideoField || field == "prompt" {
			continue
		}
		property, err := parseObject(raw)
		if err == nil {
			row.Options = append(row.Options, optionOf(field, document.resolve(property)))
		}
	}
	slices.SortFunc(row.Options, func(a, b Option) int { return cmp.Compare(a.Name, b.Name) })
	return row, true
}

// requestInput is the schema of the field input of createTask; nil if there is none.
func (o object) requestInput() object {
	for _, raw := range o.child("paths") {
		path, err := parseObject(raw)
		if err != nil {
			continue
		}
		schema := o.resolve(path.child("post").child("requestBody").child("content").child("application/json").child("schema"))
		if input := o.resolve(schema.child("properties").child("input")); input != nil {
			return input
		}
	}
	return nil
}

// maxReferences bounds a chain of references.
const maxReferences = 8

// resolve follows $ref within the document. Names of components are percent-encoded.
func (o object) resolve(schema object) object {
	for range maxReferences {
		path, ok := strings.CutPrefix(schema.text("$ref"), "#/")
		if !ok {
			return schema
		}
		schema = o
		for part := range strings.SplitSeq(path, "/") {
			name, err := url.PathUnescape(part)
			if err != nil {
				return nil
			}
			schema = schema.child(name)
		}
	}
	return nil
}

// optionOf is lenient: what it can't read of a schema permits any value.
func optionOf(name string, schema object) Option {
	option := Option{Name: name, Kind: Any, Values: textsInArray(schema["enum"])}
	switch schema.text("type") {
	case "string":
		option.Kind = Text
	case "integer":
		option.Kind = Integer
	case "number":
		option.Kind = Number
	case "boolean":
		option.Kind = Boolean
	case "array":
		option.Kind = List
	}
	var low, high float64
	if json.Unmarshal(schema["minimum"], &low) == nil && json.Unmarshal(schema["maximum"], &high) == nil {
		option.Min, option.Max = low, high
	}
	return option
}
