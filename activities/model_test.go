package activities_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"lumaflow/activities"
	"lumaflow/internal/kie"
)

// A submission of another model carries its options and its own callback path.
func TestSubmitOfAModel(t *testing.T) {
	f := newFixture(t)
	f.provider.submit = func(_ context.Context, request kie.SubmitRequest) (string, error) {
		require.Equal(t, "happyhorse/video-edit", request.Model)
		require.Equal(t, map[string]any{"resolution": "720p"}, request.Options)
		require.Contains(t, request.CallbackURL, "https://hooks.example.org/callbacks/kie/")
		return taskID, nil
	}
	input := f.submitInput()
	input.Model, input.Options = "happyhorse/video-edit", map[string]any{"resolution": "720p"}
	_, err := f.submit(t, input)
	require.NoError(t, err)
}

// Without POLL_AFTER the first poll of each model follows its usual time.
func TestFirstPollOfEachModel(t *testing.T) {
	for _, model := range kie.Models() {
		for _, byModel := range []bool{true, false} {
			f := newFixture(t)
			f.options.PollByModel = byModel
			f.answerSubmissions(taskID, nil)
			input := f.submitInput()
			input.Model, input.Options = model.Name, required(model)
			if model.Name == kie.DefaultModel {
				input.Model = "" // as a job gives it
			}
			submitted, err := f.submit(t, input)
			require.NoError(t, err)
			want, usual := 10*time.Minute, model.Usual
			switch {
			case model.Name == kie.DefaultModel:
				usual = 0
			case byModel:
				want = model.Usual * 3 / 2
			}
			require.Equal(t, want, submitted.Settings.PollAfter, model.Name)
			require.Equal(t, usual, submitted.Settings.Usual, model.Name)
		}
	}
}

// required are values of the options that the model needs.
func required(model kie.Model) map[string]any {
	options := map[string]any{}
	for _, option := range model.Options {
		switch {
		case !option.Required:
		case len(option.Values) > 0:
			options[option.Name] = option.Values[0]
		case option.Kind == kie.Links:
			options[option.Name] = []any{"https://cdn.example.org/other.png"}
		default:
			options[option.Name] = "https://cdn.example.org/other.png"
		}
	}
	return options
}

// Options that kie.ai would ignore are never paid for: nothing is sent, and nothing is
// on record as sent.
func TestSubmitRejectsOptions(t *testing.T) {
	for _, input := range []activities.SubmitInput{
		{Model: "wan/2-7-videoedit", Options: map[string]any{"resolutio": "720p"}},
		{Model: "wan/2-7-videoedit", Options: map[string]any{"resolution": "8k"}},
		{Options: map[string]any{"resolution": "720p"}},
	} {
		f := newFixture(t)
		sent := f.answerSubmissions(taskID, nil)
		input.Prompt, input.VideoURL, input.Until = "p", "https://x.example.org", f.now.Add(time.Hour)
		_, err := f.submit(t, input)
		failed := failedAs(t, err)
		require.Equal(t, activities.InvalidRequest, failed.Type())
		require.True(t, failed.NonRetryable())
		require.Contains(t, failed.Message(), "nothing was submitted or charged: ")
		require.Zero(t, *sent)
		require.Empty(t, f.recorder.phases())
	}
}

// A task without a model is looked up in all families, and its own is remembered.
func TestIdentifyFindsTheFamily(t *testing.T) {
	f := newFixture(t)
	f.setRecord(kie.Record{TaskID: taskID, Model: "aleph", State: kie.Succeeded, CreatedAt: f.now}, nil)
	acts := f.register(t)
	value, err := f.ExecuteActivity(acts.Identify, activities.IdentifyInput{TaskID: taskID})
	require.NoError(t, err)
	var identified activities.Identified
	require.NoError(t, value.Get(&identified))
	require.Equal(t, "aleph", identified.Model)
}

// A task of another family than the given model's has an error that differs from that of an unknown id.
func TestIdentifyOfAnotherFamily(t *testing.T) {
	f := newFixture(t)
	f.setRecord(kie.Record{}, &kie.Error{Class: kie.NotFound})
	f.provider.find = func() (kie.Record, error) { return kie.Record{Model: "aleph"}, nil }
	acts := f.register(t)
	_, err := f.ExecuteActivity(acts.Identify, activities.IdentifyInput{TaskID: taskID, Model: "wan/2-7-videoedit"})
	failed := failedAs(t, err)
	require.Equal(t, activities.UnknownTask, failed.Type())
	require.Contains(t, failed.Message(), "is not of model wan/2-7-videoedit but of aleph")
}

// The receipt of another model has its name, its model and the cost.
func TestReceiptOfAModel(t *testing.T) {
	f := newFixture(t)
	cost := 61.0
	acts := f.register(t)
	_, err := f.ExecuteActivity(acts.WriteReceipt, activities.ReceiptInput{TaskID: taskID, Model: "wan/2-7-videoedit", Credits: &cost})
	require.NoError(t, err)
	receipt, ok := f.stored.receipts["kie_result_"+taskID+".json"]
	require.True(t, ok)
	require.Equal(t, "wan/2-7-videoedit", receipt.Model)
	require.Equal(t, &cost, receipt.Credits)
}
