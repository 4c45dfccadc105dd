package kie

import (
	"encoding/json"
	"fmt"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"lumaflow/internal/oneline"
	"lumaflow/internal/spelling"
)

// Kind is the type of an option.
type Kind int

// The kinds of options. Text is the zero value.
const (
	Text Kind = iota
	Integer
	Number
	Boolean
	Link
	Links
	List
	Any
)

var kindNames = map[Kind]string{
	Text: "text", Integer: "a whole number", Number: "a number", Boolean: "true or false", Link: "an http or https address",
	Links: "a list of http or https addresses", List: "a list", Any: "a value",
}

// String describes a value of the kind.
func (k Kind) String() string { return kindNames[k] }

// Option is one field of a model beside the prompt and the video.
type Option struct {
	Name string
	Kind Kind
	// Required means that kie.ai takes no request without the field.
	Required bool
	// Values are the only texts, or the only numbers in decimal notation; empty permits
	// any.
	Values []string
	// MinLength and MaxLength bound a text in characters, MinItems and MaxItems a list;
	// zero means unbounded.
	MinLength, MaxLength, MinItems, MaxItems int
	// Min and Max bound a number if Max is larger; either may be infinite. Not are numbers
	// within that are excluded.
	Min, Max float64
	Not      []float64
}

// String describes the permitted values.
func (o Option) String() string {
	switch {
	case len(o.Values) > 0:
		return listed(o.Values)
	case o.Max > o.Min:
		text := o.Kind.String() + between(o.Min, o.Max, "from ")
		if len(o.Not) > 0 {
			text += " except " + strings.Trim(strings.Join(strings.Fields(fmt.Sprint(o.Not)), ", "), "[]")
		}
		return text
	case o.MinLength > 0 || o.MaxLength > 0:
		return o.Kind.String() + " of" + between(float64(o.MinLength), bound(o.MaxLength), "") + " characters"
	case o.MinItems > 0 || o.MaxItems > 0:
		return o.Kind.String() + "," + between(float64(o.MinItems), bound(o.MaxItems), "")
	}
	return o.Kind.String()
}

// between describes a range with at least one finite end; from introduces one with two.
func between(low, high float64, from string) string {
	switch {
	case math.IsInf(low, -1) || low == 0 && from == "":
		return " at most " + decimal(high)
	case math.IsInf(high, 1):
		return " at least " + decimal(low)
	default:
		return " " + from + decimal(low) + " to " + decimal(high)
	}
}

// bound is an upper bound of which zero means none.
func bound(most int) float64 {
	if most == 0 {
		return math.Inf(1)
	}
	return float64(most)
}

// decimal is the notation of numbers in Option.Values.
func decimal(number float64) string { return strconv.FormatFloat(number, 'f', -1, 64) }

// maxListedValues bounds the values in an error.
const maxListedValues = 40

// listed joins values, which may be kie.ai's, on one line.
func listed(values []string) string {
	text := oneline.Truncate(strings.Join(values[:min(len(values), maxListedValues)], ", "), 1000)
	if len(values) > maxListedValues {
		text += fmt.Sprintf(" and %d more", len(values)-maxListedValues)
	}
	return text
}

// OptionError is the error of a request that a model would refuse, or ignore a part of.
type OptionError struct {
	// Option is empty if the error is about the model or another field.
	Option string
	text   string
}

func (e *OptionError) Error() string { return e.text }

func optionErrorf(option, format string, args ...any) error {
	return &OptionError{Option: option, text: fmt.Sprintf(format, args...)}
}

// CheckOptions checks the prompt and the options of a request against the row of a
// model. kie.ai ignores an unknown field silently and bills in full.
func (m Model) CheckOptions(prompt string, options map[string]any) error {
	if strings.TrimSpace(prompt) == "" && !m.PromptOptional {
		return optionErrorf("prompt", "model %s needs a prompt", m.Name)
	}
	if length := utf8.RuneCountInString(prompt); m.MaxPrompt > 0 && length > m.MaxPrompt {
		return optionErrorf("prompt", "the prompt has %d characters; model %s takes at most %d", length, m.Name, m.MaxPrompt)
	}
	names := make([]string, 0, len(options))
	for name := range options {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		if name == m.VideoField || name == "prompt" || strings.EqualFold(name, "callBackUrl") {
			return optionErrorf(name, "option %q is set by lumaflow: leave it out", name)
		}
		known := slices.IndexFunc(m.Options, func(o Option) bool { return o.Name == name })
		if known < 0 {
			return m.unknownOption(name)
		}
		if !m.Options[known].accepts(options[name]) {
			return m.Options[known].refuse(m.Name, options[name])
		}
	}
	for _, option := range m.Options {
		if _, given := options[option.Name]; option.Required && !given {
			return optionErrorf(option.Name, "model %s needs option %q: give %s", m.Name, option.Name, option)
		}
	}
	return nil
}

func (m Model) unknownOption(name string) error {
	names := make([]string, len(m.Options))
	for i, option := range m.Options {
		names[i] = option.Name
	}
	switch nearest := nearest(name, names); {
	case nearest != "":
		return optionErrorf(name, "model %s has no option %.60q: did you mean %q?", m.Name, name, nearest)
	case len(names) == 0:
		return optionErrorf(name, "model %s has no option %.60q: it takes none", m.Name, name)
	default:
		return optionErrorf(name, "model %s has no option %.60q: it has %s", m.Name, name, listed(names))
	}
}

// refuse is the error of a value that the option does not accept. The value is shown as
// JSON: kie.ai documents some numbers as texts.
func (o Option) refuse(model string, value any) error {
	shown := "no JSON"
	if text, err := json.Marshal(value); err == nil {
		shown = oneline.Truncate(string(text), 60)
	}
	if _, text := value.(string); !text && o.Kind == Text {
		shown += ", which is no text"
	}
	return optionErrorf(o.Name, "option %q of model %s is %s: give %s", o.Name, model, shown, o)
}

func (o Option) accepts(value any) bool {
	switch o.Kind {
	case Any:
		return true
	case Boolean:
		_, ok := value.(bool)
		return ok
	case Integer, Number:
		number, ok := value.(float64)
		if !ok || math.IsNaN(number) || o.Kind == Integer && number != math.Trunc(number) {
			return false
		}
		return o.hasValue(decimal(number)) && (o.Max <= o.Min || number >= o.Min && number <= o.Max) && !slices.Contains(o.Not, number)
	case List, Links:
		items, ok := value.([]any)
		if !ok || !within(len(items), o.MinItems, o.MaxItems) {
			return false
		}
		return o.Kind == List || !slices.ContainsFunc(items, func(item any) bool { return !isLink(item) })
	case Link:
		return isLink(value)
	default:
		text, ok := value.(string)
		return ok && o.hasValue(text) && within(utf8.RuneCountInString(text), o.MinLength, o.MaxLength)
	}
}

func (o Option) hasValue(text string) bool {
	return len(o.Values) == 0 || slices.Contains(o.Values, text)
}

// within reports whether a count is in a range, of which a most of zero is no bound.
func within(count, least, most int) bool { return count >= least && (most == 0 || count <= most) }

func isLink(value any) bool {
	text, ok := value.(string)
	if !ok {
		return false
	}
	address, err := url.Parse(text)
	return err == nil && address.Host != "" && (address.Scheme == "http" || address.Scheme == "https")
}

// nearest is the name with the least edit distance, at most a third of its length;
// empty if there is none.
func nearest(name string, names []string) string {
	best, found := len(name)/3+2, ""
	for _, candidate := range names {
		if d := distance(strings.ToLower(name), strings.ToLower(candidate)); d < best {
			best, found = d, candidate
		}
	}
	return found
}

// distance is the edit distance of the first 64 bytes.
func distance(a, b string) int {
	return spelling.Distance(a[:min(len(a), 64)], b[:min(len(b), 64)])
}
