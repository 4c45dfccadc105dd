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
func Equals(attribute, value string) string { return attribute + " = " + quoted(value) }

// In returns a term of a query, which is true if the attribute has one of the values, of
// which there is at least one. A server without an index for it compares a row once
// and not with each value.
func In(attribute string, values []string) string {
	list := make([]string, len(values))
	for i, value := range values {
		list[i] = quoted(value)
	}
	return attribute + " IN (" + strings.Join(list, ", ") + ")"
}

func quoted(value string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(value) + "'"
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
