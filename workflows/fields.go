package workflows

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
)

// inputFields are the JSON names of the fields of an input.
var inputFields = func() (names []string) {
	for field := range reflect.TypeFor[ModifyVideoInput]().Fields() {
		if name, _, _ := strings.Cut(field.Tag.Get("json"), ","); name != "" {
			names = append(names, name)
		}
	}
	return names
}()

// unknownField returns an error about the first field, in alphabetical order, that
// no input has. kie.ai and encoding/json would ignore it silently, and the job would
// pay for another video than the one meant.
func unknownField(data []byte) error {
	var fields map[string]json.RawMessage
	if json.Unmarshal(data, &fields) != nil {
		return nil
	}
	names := make([]string, 0, len(fields))
	//workflowcheck:ignore the names are sorted
	for name := range fields {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		// encoding/json matches names without regard to case.
		known := slices.ContainsFunc(inputFields, func(field string) bool { return strings.EqualFold(field, name) })
		if known {
			continue
		}
		if nearest := nearestField(name); nearest != "" {
			return fieldError(shorten(name), "is no field of the input: did you mean %s?", nearest)
		}
		return fieldError(shorten(name), "is no field of the input: use %s", strings.Join(inputFields, ", "))
	}
	return nil
}

// shorten bounds the length, in bytes, of a field's name in a message.
func shorten(name string) string {
	const limit = 40
	return strings.ToValidUTF8(name[:min(len(name), limit)], "")
}

// nearestField returns the field whose name is nearest to name; empty if none is
// near.
func nearestField(name string) (nearest string) {
	name = plainName(name)
	best := max(len(name)/3, 1) + 1
	for _, field := range inputFields {
		if distance := editDistance(name, plainName(field)); distance < best {
			nearest, best = field, distance
		}
	}
	return nearest
}

// plainName drops case and the separators of other spellings.
func plainName(name string) string {
	return strings.NewReplacer("_", "", "-", "", " ", "").Replace(strings.ToLower(shorten(name)))
}

// editDistance is the Levenshtein distance in bytes.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			substitution := diagonal
			if a[i] != b[j] {
				substitution++
			}
			diagonal = row[j+1]
			row[j+1] = min(substitution, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
