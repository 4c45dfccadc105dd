package visibility_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/sdk/converter"

	"lumaflow/internal/temporal/visibility"
)

func TestEqualsEscapesTheValue(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]string{
		"lumaflow": `TaskQueue = 'lumaflow'`,
		"o'queue":  `TaskQueue = 'o\'queue'`,
		`\' OR 1`:  `TaskQueue = '\\\' OR 1'`,
		"":         `TaskQueue = ''`,
	} {
		assert.Equal(t, want, visibility.Equals("TaskQueue", value))
	}
}

func TestInEscapesTheValues(t *testing.T) {
	t.Parallel()
	assert.Equal(t, `WorkflowId IN ('shots')`, visibility.In("WorkflowId", []string{"shots"}))
	assert.Equal(t, `WorkflowId IN ('a', 'it\'s', '\\\') OR 1=1')`, visibility.In("WorkflowId", []string{"a", "it's", `\') OR 1=1`}))
}

func TestAttribute(t *testing.T) {
	t.Parallel()
	payload := func(value any) *commonpb.Payload {
		encoded, err := converter.GetDefaultDataConverter().ToPayload(value)
		require.NoError(t, err)
		return encoded
	}
	info := &workflowpb.WorkflowExecutionInfo{SearchAttributes: &commonpb.SearchAttributes{IndexedFields: map[string]*commonpb.Payload{
		"LumaStage": payload("waiting"),
		"Count":     payload(7),
	}}}
	assert.Equal(t, "waiting", visibility.Attribute(info, "LumaStage"))
	assert.Empty(t, visibility.Attribute(info, "LumaTaskId"))
	assert.Empty(t, visibility.Attribute(info, "Count"))
	assert.Empty(t, visibility.Attribute(&workflowpb.WorkflowExecutionInfo{}, "LumaStage"))
}
