package kie

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"math"
	"net/url"
	"slices"
	"strconv"
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

// modelIn is the row of a model in its document. The schema is kie.ai's and may have
// faults: what it demands beyond doubt is checked, everything else permits any value.
func modelIn(document object, name string) (Model, bool) {
	references := &references{document: document, left: maxReferences}
	input := references.requestInput()
	if input == nil {
		return Model{}, false
	}
	needed := textsInArray(input["required"])
	row := Model{Name: name, Family: marketName, PromptOptional: !slices.Contains(needed, "prompt")}
	properties := input.child("properties")
	for _, field := range videoFields {
		if properties[field] == nil {
			continue
		}
		kind := references.resolve(properties.child(field)).text("type")
		row.VideoField, row.VideoList = field, kind == "array" || kind == "" && strings.HasSuffix(field, "urls")
		break
	}
	for _, field := range slices.Sorted(maps.Keys(properties)) {
		if field == row.VideoField {
			continue
		}
		option := optionOf(field, references.resolve(properties.child(field)), slices.Contains(needed, field))
		if field == "prompt" {
			row.MaxPrompt = option.MaxLength
		} else {
			row.Options = append(row.Options, option)
		}
	}
	return row, true
}

// requestInput is the schema of the field input of createTask; nil if there is none.
func (r *references) requestInput() object {
	paths := r.document.child("paths")
	for _, path := range slices.Sorted(maps.Keys(paths)) {
		schema := r.resolve(paths.child(path).child("post").child("requestBody").child("content").child("application/json").child("schema"))
		if input := r.resolve(schema.child("properties").child("input")); input != nil {
			return input
		}
	}
	return nil
}

// maxReferences bounds the references that are followed in a document, which each
// decode a part of it, and maxChain those that follow one another.
const maxReferences, maxChain = 200, 8

// references follows the references in a document.
type references struct {
	document object
	left     int
}

// resolve follows $ref within the document; nil if it leads nowhere. Names of components
// are percent-encoded.
func (r *references) resolve(schema object) object {
	for range maxChain {
		path, ok := strings.CutPrefix(schema.text("$ref"), "#/")
		if !ok {
			return schema
		}
		if r.left--; r.left < 0 {
			return nil
		}
		schema = r.document
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

// optionOf is lenient: what it can't read of a schema permits any value. A needed field
// with a default may be left out: kie.ai's pages call some of those optional.
func optionOf(name string, schema object, needed bool) Option {
	option := Option{Name: name, Kind: Any, Required: needed && isNull(schema["default"])}
	kind := schema.text("type")
	values, texts := valuesIn(schema["enum"])
	if texts && schema["type"] == nil {
		kind = "string"
	}
	switch kind {
	case "string":
		option.Kind, option.Values = Text, values
		option.MinLength, option.MaxLength = counts(schema, "minLength", "maxLength")
	case "integer", "number":
		option.Kind, option.Values = Number, values
		if kind == "integer" {
			option.Kind = Integer
		}
		option.setBounds(schema)
	case "boolean":
		option.Kind = Boolean
	case "array":
		option.Kind = List
		option.MinItems, option.MaxItems = counts(schema, "minItems", "maxItems")
	}
	return option
}

func isNull(raw json.RawMessage) bool { return len(raw) == 0 || string(raw) == "null" }

// valuesIn are the texts and numbers of an enum, and whether all are texts; nil if it
// has other elements than those and null, or more than are read.
func valuesIn(raw json.RawMessage) (values []string, texts bool) {
	var elements []json.RawMessage
	if json.Unmarshal(raw, &elements) != nil || len(elements) > maxTexts {
		return nil, false
	}
	texts = len(elements) > 0
	for _, element := range elements {
		number, err := strconv.ParseFloat(string(element), 64)
		switch {
		case err == nil:
			values, texts = append(values, decimal(number)), false
		case element[0] == '"':
			values = append(values, asText(element))
		case !isNull(element):
			return nil, false
		}
	}
	return values, texts && len(values) > 0
}

// counts are the bounds of a length; zero for those that are none, and for both if they
// exclude each other.
func counts(schema object, least, most string) (low, high int) {
	low, high = max(number(schema, least), 0), max(number(schema, most), 0)
	if high > 0 && low > high {
		return 0, 0
	}
	return low, high
}

func number(schema object, name string) int {
	var n int
	if json.Unmarshal(schema[name], &n) != nil {
		return 0
	}
	return n
}

// setBounds reads the bounds of a number. An exclusive bound is a number beside or
// instead of an inclusive one, and in OpenAPI 3.0 a truth value about that. Bounds that
// exclude each other are none.
func (o *Option) setBounds(schema object) {
	low, high := math.Inf(-1), math.Inf(1)
	for _, end := range []struct {
		limit                *float64
		inclusive, exclusive string
		tighter              func(a, b float64) bool
	}{
		{&low, "minimum", "exclusiveMinimum", func(a, b float64) bool { return a > b }},
		{&high, "maximum", "exclusiveMaximum", func(a, b float64) bool { return a < b }},
	} {
		var number float64
		if json.Unmarshal(schema[end.inclusive], &number) == nil && !isNull(schema[end.inclusive]) {
			*end.limit = number
		}
		switch raw := schema[end.exclusive]; {
		case string(raw) == "true":
			o.Not = append(o.Not, *end.limit)
		case !isNull(raw) && json.Unmarshal(raw, &number) == nil && !end.tighter(*end.limit, number):
			*end.limit = number
			o.Not = append(o.Not, number)
		}
	}
	o.Not = slices.DeleteFunc(o.Not, func(excluded float64) bool { return math.IsInf(excluded, 0) })
	if low >= high || math.IsInf(low, -1) && math.IsInf(high, 1) {
		o.Not = nil
		return
	}
	o.Min, o.Max = low, high
}
