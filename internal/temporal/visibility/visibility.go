package workflows

import (
	"strings"

	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/sdk/converter"
)

// Equals returns a term of a visibility query. The value is escaped.
func Equals(attribute, value string) string {
	return attribute + " = '" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(value) + "'"
}

// Attribute returns a keyword search attribute of a listed job, or the empty
// string.
func Attribute(info *workflowpb.WorkflowExecutionInfo, name string) string {
	payload := info.GetSearchAttributes().GetIndexedFields()[name]
	var value string
	// Search attributes are never encoded with a client's own converter.
	if payload == nil || converter.GetDefaultDataConverter().FromPayload(payload, &value) != nil {
		return ""
	}
	return value
}
