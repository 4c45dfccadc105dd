package kie

import (
	"context"
	"strings"
)

// CheckTable is the part of Check that sends no request to kie.ai. decided means that it
// is the whole check.
func CheckTable(request SubmitRequest) (decided bool, err error) {
	family := familyOf(request.Model)
	model, known := ModelOf(request.Model)
	switch {
	case family.submitPath == "":
		return true, optionErrorf("model", "model %s makes no video of a video: lumaflow only collects its tasks, with: lumaflow rescue TASKID", request.Model)
	case !family.watermark && request.Watermark != "":
		return true, optionErrorf("watermark", "model %s takes no watermark identifier: see its options", model.Name)
	case known:
		return true, model.CheckOptions(request.Prompt, request.Options)
	default:
		return false, nil
	}
}

// Check checks a request before anything is paid and returns it complete. A model with
// a row is checked against the table, without a request; any other against the schema in
// kie.ai's catalogue, which is free. A model without either is refused, unless unchecked
// is set. The error is an *OptionError if the request would be refused or a part of it
// ignored, and else an *Error of class Temporary: the same check may succeed later.
func (c *Client) Check(ctx context.Context, request SubmitRequest, unchecked bool) (SubmitRequest, error) {
	if decided, err := CheckTable(request); decided {
		return request, err
	}
	schema, err := c.schema(ctx, request.Model)
	switch {
	case err == nil && schema.VideoField == "":
		return request, optionErrorf("model", "model %s takes no video in a field that lumaflow fills (%s)", request.Model, strings.Join(videoFields, ", "))
	case err == nil:
		request.VideoField, request.VideoList = schema.VideoField, schema.VideoList
		return request, schema.CheckOptions(request.Prompt, request.Options)
	case ClassOf(err) == Temporary && !unchecked:
		return request, err
	case ClassOf(err) == NotFound:
		return request, noModel(request.Model)
	case unchecked:
		return request, nil
	default:
		return request, optionErrorf("model", "lumaflow has no table of model %.60q and kie.ai's catalogue gives no schema of it, so its fields can't be checked before they are paid: use one of %s, or set unchecked to pay for it as it is",
			request.Model, strings.Join(modelNames(), ", "))
	}
}

func noModel(name string) error {
	text := "; the models are " + strings.Join(modelNames(), ", ")
	if nearest := nearest(name, modelNames()); nearest != "" {
		text = ": did you mean \"" + nearest + "\"?"
	}
	return optionErrorf("model", "kie.ai has no model %.60q%s", name, text)
}

func modelNames() []string {
	var names []string
	for _, model := range Models() {
		names = append(names, model.Name)
	}
	return names
}
