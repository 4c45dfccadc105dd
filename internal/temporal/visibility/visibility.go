// Package visibility writes queries of Temporal's lists of workflows and reads
// their results.
package visibility

import (
	"strings"

	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/sdk/converter"
)

// Equals returns a term of a query, which is true if the attribute has the value.
// It escapes the value, but not the name of the attribute.
func Equals(attribute, value string) string {
	return attribute + " = '" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(value) + "'"
}

// Attribute returns a keyword search attribute of a listed workflow. It is empty if
// the workflow lacks the attribute or has it with another type.
func Attribute(info *workflowpb.WorkflowExecutionInfo, name string) string {
	payload := info.GetSearchAttributes().GetIndexedFields()[name]
	var value string
	// Search attributes are never encoded with a client's own converter.
	if payload == nil || converter.GetDefaultDataConverter().FromPayload(payload, &value) != nil {
		return ""
	}
	return value
}
