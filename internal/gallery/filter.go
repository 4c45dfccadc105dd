package gallery

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	// pageSize is the number of results on a page of the sheet.
	pageSize = 60
	// maxNames bounds the names of a filter by name.
	maxNames = 2000
	day      = "2006-01-02"
)

// filter selects results. Its zero value selects all.
type filter struct {
	// Text is words that all occur in the prompt, the ids or the file name.
	Text         string
	Model, Batch string
	// From and To are days, as in 2026-11-23, both included.
	From, To string
	// Marked is the kind of marks that the browser selects by Names.
	Marked string
	names  []string

	words       []string
	after, from time.Time
}

// filterOf reads a filter from the parameters of a page. Days are those of a location.
// It ignores malformed days.
func filterOf(parameters url.Values, in *time.Location) filter {
	f := filter{
		Text:   strings.TrimSpace(parameters.Get("q")),
		Model:  parameters.Get("model"),
		Batch:  parameters.Get("batch"),
		Marked: parameters.Get("marked"),
	}
	f.words = strings.Fields(strings.ToLower(f.Text))
	if from, err := time.ParseInLocation(day, parameters.Get("from"), in); err == nil {
		f.from, f.From = from, from.Format(day)
	}
	if to, err := time.ParseInLocation(day, parameters.Get("to"), in); err == nil {
		f.after, f.To = to.AddDate(0, 0, 1), to.Format(day)
	}
	if parameters.Has("names") {
		f.names = strings.SplitN(parameters.Get("names"), "/", maxNames)
		slices.Sort(f.names)
	}
	return f
}

// Any reports whether the filter excludes anything.
func (f filter) Any() bool {
	return f.Text+f.Model+f.Batch+f.From+f.To+f.Marked != ""
}

// values are the parameters that filterOf reads.
func (f filter) values() url.Values {
	values := url.Values{}
	for name, value := range map[string]string{
		"q": f.Text, "model": f.Model, "batch": f.Batch, "from": f.From, "to": f.To, "marked": f.Marked,
	} {
		if value != "" {
			values.Set(name, value)
		}
	}
	return values
}

// link is an address with the filter and further parameters, as pairs of name and value.
func (f filter) link(page string, pairs ...string) string {
	values := f.values()
	for pair := range slices.Chunk(pairs, 2) {
		values.Set(pair[0], pair[1])
	}
	if len(values) == 0 {
		return page
	}
	return page + "?" + values.Encode()
}

func (f filter) selects(result *Result) bool {
	switch {
	case f.Model != "" && result.Model != f.Model,
		f.Batch != "" && result.Batch != f.Batch,
		!f.from.IsZero() && result.Completed.Before(f.from),
		!f.after.IsZero() && !result.Completed.Before(f.after):
		return false
	}
	if f.names != nil {
		if _, found := slices.BinarySearch(f.names, result.Name); !found {
			return false
		}
	}
	for _, word := range f.words {
		if !strings.Contains(result.search, word) && !strings.Contains(strings.ToLower(result.Name), word) {
			return false
		}
	}
	return true
}

// apply returns the selected results in their order.
func (f filter) apply(results []*Result) []*Result {
	if !f.Any() && f.names == nil {
		return results
	}
	var selected []*Result
	for _, result := range results {
		if f.selects(result) {
			selected = append(selected, result)
		}
	}
	return selected
}

// pageOf returns one page of results. A number that is out of range is the nearest
// page.
func pageOf(results []*Result, number string) (page []*Result, at, pages int) {
	pages = max(1, (len(results)+pageSize-1)/pageSize)
	at, _ = strconv.Atoi(number)
	at = min(max(at, 1), pages)
	start := (at - 1) * pageSize
	return results[start:min(start+pageSize, len(results))], at, pages
}
