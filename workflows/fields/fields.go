// Package fields finds misspelled fields of the inputs of workflows and describes
// invalid ones.
package fields

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"lumaflow/internal/spelling"
)

// Error means that a field of an input has an invalid value.
type Error struct {
	// Field is the name of the field in JSON.
	Field string
	// Problem is the rest of a sentence that begins with the name of the field.
	Problem string
}

func (e *Error) Error() string { return e.Field + " " + e.Problem }

// Errorf returns an *Error. The format continues a sentence that begins with the
// name of the field.
func Errorf(field, format string, args ...any) error {
	return &Error{Field: field, Problem: fmt.Sprintf(format, args...)}
}

// Names returns the JSON names of the fields of a struct.
func Names[T any]() (names []string) {
	for field := range reflect.TypeFor[T]().Fields() {
		if name, _, _ := strings.Cut(field.Tag.Get("json"), ","); name != "" && name != "-" {
			names = append(names, name)
		}
	}
	return names
}

// Unknown returns an *Error about the first field of a JSON object, in alphabetical
// order, that known lacks. encoding/json would ignore it silently. Other JSON than an
// object has none.
func Unknown(data []byte, known []string) error {
	var object map[string]json.RawMessage
	if json.Unmarshal(data, &object) != nil {
		return nil
	}
	names := make([]string, 0, len(object))
	//workflowcheck:ignore the names are sorted
	for name := range object {
		names = append(names, name)
	}
	return UnknownName(names, known)
}

// UnknownName is Unknown for a list of names.
func UnknownName(names, known []string) error {
	names = slices.Sorted(slices.Values(names))
	for _, name := range names {
		// encoding/json matches names without regard to case.
		if slices.ContainsFunc(known, func(field string) bool { return strings.EqualFold(field, name) }) {
			continue
		}
		if near := nearest(name, known); near != "" {
			return Errorf(shorten(name), "is no field of the input: did you mean %s?", near)
		}
		return Errorf(shorten(name), "is no field of the input: use %s", strings.Join(known, ", "))
	}
	return nil
}

// shorten bounds the length, in bytes, of a field's name in a message.
func shorten(name string) string {
	const limit = 40
	return strings.ToValidUTF8(name[:min(len(name), limit)], "")
}

// nearest returns the field whose name is nearest to name; empty if none is near.
func nearest(name string, known []string) (near string) {
	name = plain(name)
	best := max(len(name)/3, 1) + 1
	for _, field := range known {
		if distance := spelling.Distance(name, plain(field)); distance < best {
			near, best = field, distance
		}
	}
	return near
}

// plain drops case and the separators of other spellings.
func plain(name string) string {
	return strings.NewReplacer("_", "", "-", "", " ", "").Replace(strings.ToLower(shorten(name)))
}
