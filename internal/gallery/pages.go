package gallery

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/dustin/go-humanize"
)

// patience bounds the wait for a result that is not there yet.
const patience = 3 * time.Second

// maxTakes bounds the other results of the same source that a comparison offers.
const maxTakes = 24

// functions are those of the templates.
func (g *Gallery) functions() template.FuncMap {
	return template.FuncMap{
		"bytes": func(n int64) string { return humanize.Bytes(uint64(max(n, 0))) },
		"seconds": func(d time.Duration) string {
			if d == 0 {
				return ""
			}
			return strconv.FormatFloat(d.Seconds(), 'f', 1, 64) + " s"
		},
		"frame": func(d time.Duration) string { return strconv.FormatFloat(d.Seconds(), 'f', 6, 64) },
		"when": func(t time.Time) string {
			if t.IsZero() {
				return "no date"
			}
			return t.In(g.options.Location).Format("2 Jan 2006, 15:04 MST")
		},
		"iso":    func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
		"number": func(n int) string { return humanize.Comma(int64(n)) },
		"credits": func(n *float64) string {
			if n == nil {
				return ""
			}
			return strconv.FormatFloat(*n, 'f', -1, 64) + " credits"
		},
		"media":    func(name string) string { return "media/" + url.PathEscape(name) },
		"download": func(name string) string { return "download/" + url.PathEscape(name) },
		"receipt":  func(name string) string { return "receipt/" + url.PathEscape(name) },
	}
}

// sheetPage is the data of the sheet.
type sheetPage struct {
	Shown    string
	Filter   filter
	Results  []*Result
	Count    int
	Page     int
	Pages    int
	Revision int64
	Models   []string
	Batches  []string
	Problems []Problem
	Unread   int
	Failure  string
	Empty    bool
	Zone     string
}

// Compare is the address of a result's comparison, which keeps the filter.
func (p sheetPage) Compare(result *Result) string { return p.Filter.link("compare", "v", result.Name) }

// To is the address of another page of the sheet.
func (p sheetPage) To(page int) string { return p.Filter.link("./", "page", strconv.Itoa(page)) }

// Previous and Next are the neighboring pages.
func (p sheetPage) Previous() int { return p.Page - 1 }

// Next is the number of the next page.
func (p sheetPage) Next() int { return p.Page + 1 }

func (g *Gallery) sheet(w http.ResponseWriter, r *http.Request) {
	now := g.snapshot(r.Context())
	parameters := r.URL.Query()
	page := sheetPage{
		Shown: g.options.Shown, Filter: filterOf(parameters, g.options.Location),
		Revision: now.revision, Models: now.models, Batches: now.batches, Problems: now.problems, Unread: now.unread, Failure: now.failure,
		Empty: len(now.results) == 0, Zone: time.Now().In(g.options.Location).Format("MST"),
	}
	selected := page.Filter.apply(now.results)
	page.Count = len(selected)
	page.Results, page.Page, page.Pages = pageOf(selected, parameters.Get("page"))
	g.show(w, http.StatusOK, "sheet.html", page)
}

// comparePage is the data of a comparison.
type comparePage struct {
	Filter filter
	Result *Result
	// With is the other side if it is a result, nil if it is the source.
	With *Result
	// A is the file of the other side, empty if there is none.
	A                string
	FrameA, FrameB   time.Duration
	Takes            []*Result
	Previous, Next   *Result
	Position, Count  int
	Command, Job     string
	BackToSheet      string
	SourceIsMissing  string
	ResultIsMissing  bool
	parametersOfView url.Values
}

// Other names the other side.
func (p comparePage) Other() string {
	if p.With != nil {
		return "Other result"
	}
	return "Source"
}

// To is the address of another result's comparison in the same view.
func (p comparePage) To(result *Result) string { return p.address(result.Name, "") }

// WithTake is the address of the comparison with another result.
func (p comparePage) WithTake(take *Result) string { return p.address(p.Result.Name, take.Name) }

// WithSource is the address of the comparison with the source.
func (p comparePage) WithSource() string { return p.address(p.Result.Name, "") }

func (p comparePage) address(name, with string) string {
	pairs := []string{"v", name}
	if with != "" {
		pairs = append(pairs, "with", with)
	}
	for _, kept := range []string{"view", "fit", "loop"} {
		if value := p.parametersOfView.Get(kept); value != "" {
			pairs = append(pairs, kept, value)
		}
	}
	return p.Filter.link("compare", pairs...)
}

func (g *Gallery) compare(w http.ResponseWriter, r *http.Request) {
	parameters := r.URL.Query()
	name, job := parameters.Get("v"), parameters.Get("job")
	now := g.snapshot(r.Context())
	if now.find(name, job) == nil {
		// A link may be a moment younger than the last listing.
		now = g.index.next(r.Context(), patience)
	}
	result := now.find(name, job)
	if result == nil && job != "" {
		g.refuse(w, http.StatusNotFound, "There is no receipt of this job in the store: its video may still be on its way. Job: "+job)
		return
	}
	if result == nil {
		g.refuse(w, http.StatusNotFound, "There is no receipt of this video in the store.")
		return
	}
	page := comparePage{
		Filter: filterOf(parameters, g.options.Location), Result: result, With: now.byName[parameters.Get("with")],
		A: result.Source, SourceIsMissing: result.NoSource, ResultIsMissing: result.Gone,
		Command: statusCommand(result.Job), Job: g.jobLink(result), parametersOfView: parameters,
	}
	if page.With != nil {
		page.A, page.SourceIsMissing = page.With.Name, ""
	}
	for take := range now.sameSource(result) {
		if page.Takes = append(page.Takes, take); len(page.Takes) == maxTakes {
			break
		}
	}
	page.FrameB = g.frame(r.Context(), result.Name)
	if page.A != "" {
		page.FrameA = g.frame(r.Context(), page.A)
	}
	selected := page.Filter.apply(now.results)
	page.Count = len(selected)
	if at := slices.Index(selected, result); at >= 0 {
		page.Position = at + 1
		page.BackToSheet = page.Filter.link("./", "page", strconv.Itoa(at/pageSize+1))
		if at > 0 {
			page.Previous = selected[at-1]
		}
		if at+1 < len(selected) {
			page.Next = selected[at+1]
		}
	} else {
		page.BackToSheet = page.Filter.link("./")
	}
	g.show(w, http.StatusOK, "compare.html", page)
}

// find returns the result of a name, or the newest one of a job; nil if there is none.
func (s *snapshot) find(name, job string) *Result {
	if found := s.byName[name]; found != nil || job == "" {
		return found
	}
	at := slices.IndexFunc(s.results, func(r *Result) bool { return r.Job == job })
	if at < 0 {
		return nil
	}
	return s.results[at]
}

// state answers the scripts of the pages: the revision of the sheet, and whether a
// file is there, gone or in a store that fails.
func (g *Gallery) state(w http.ResponseWriter, r *http.Request) {
	now := g.snapshot(r.Context())
	answer := map[string]any{"revision": now.revision, "unread": max(now.unread, 0)}
	if name := r.URL.Query().Get("file"); now.byName[name] != nil || now.sources[name] {
		answer["file"] = g.presence(r.Context(), name)
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(answer)
}

func (g *Gallery) presence(ctx context.Context, name string) string {
	file, err := g.store.Open(ctx, name)
	switch {
	case err == nil:
		_ = file.Close()
		return "there"
	case isGone(err):
		return "gone"
	default:
		return "unreadable"
	}
}

// refuse shows a page with one message.
func (g *Gallery) refuse(w http.ResponseWriter, status int, text string) {
	g.show(w, status, "message.html", struct {
		Text  string
		Token bool
	}{text, status == http.StatusUnauthorized})
}

func (g *Gallery) show(w http.ResponseWriter, status int, page string, data any) {
	var text bytes.Buffer
	if err := g.pages.ExecuteTemplate(&text, page, data); err != nil {
		g.options.Logger.Error("a page can't be made", "page", page, "error", err)
		http.Error(w, "the page can't be made", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(text.Bytes())
}

var plainArgument = regexp.MustCompile(`^[\w.:@%+=/,][\w.:@%+=/,-]*$`)

// statusCommand is the command that shows a job, quoted for a shell. It is empty for
// an id that a terminal would not take as text.
func statusCommand(job string) string {
	switch {
	case job == "" || strings.ContainsFunc(job, func(r rune) bool { return !unicode.IsPrint(r) }):
		return ""
	case plainArgument.MatchString(job):
		return "lumaflow status " + job
	default:
		return fmt.Sprintf("lumaflow status -- '%s'", strings.ReplaceAll(job, "'", `'\''`))
	}
}
