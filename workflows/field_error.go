package workflows

import "fmt"

// FieldError means that a field of a job's input has an invalid value.
type FieldError struct {
	// Field is the name of the field in JSON.
	Field string
	// Problem is the rest of a sentence that begins with the name of the field.
	Problem string
}

func (e *FieldError) Error() string { return e.Field + " " + e.Problem }

func fieldError(field, format string, args ...any) error {
	return &FieldError{Field: field, Problem: fmt.Sprintf(format, args...)}
}
