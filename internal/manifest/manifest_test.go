package manifest_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"lumaflow/internal/manifest"
)

// format accepts objects with the fields prompt, name and options; the prompt is the
// id.
var format = manifest.Format{
	Parse: func(object []byte) (manifest.Order, error) {
		var job struct {
			Prompt, Name string
			Options      map[string]string
		}
		if err := json.Unmarshal(object, &job); err != nil {
			return manifest.Order{}, errors.New("it is no job")
		}
		if job.Prompt == "" {
			return manifest.Order{}, errors.New("prompt is blank")
		}
		input, err := json.Marshal(job)
		return manifest.Order{ID: job.Prompt, Input: input}, err
	},
	CheckColumns: func(names []string) error {
		if !slices.Contains(names, "prompt") {
			return errors.New("the header names no prompt")
		}
		return nil
	},
}

// read returns the lines, ids and repeated lines of a manifest.
func read(text string, csv bool) (orders []string, summary manifest.Summary, err error) {
	summary, err = format.Read(strings.NewReader(text), csv, func(order manifest.Order) bool {
		orders = append(orders, fmt.Sprintf("%d %s %d", order.Line, order.ID, order.Repeats))
		return true
	})
	return orders, summary, err
}

func TestJSONLines(t *testing.T) {
	orders, summary, err := read("\ufeff{\"prompt\":\"a\"}\r\n\n  {\"prompt\":\"b\"}  \n{\"prompt\":\"a\"}", false)
	require.NoError(t, err)
	require.Equal(t, []string{"1 a 0", "3 b 0", "4 a 1"}, orders)
	require.Equal(t, 3, summary.Lines)
	require.Equal(t, 1, summary.Duplicates)
	require.Len(t, summary.SHA256, 64)
}

func TestCSV(t *testing.T) {
	orders, summary, err := read("\ufeffprompt, name,options\n\"a, or\nb\",x,\n\nc,,\"{\"\"k\"\":\"\"v\"\"}\"\n\"a, or\nb\",x,\n", true)
	require.NoError(t, err)
	require.Equal(t, []string{"2 a, or\nb 0", "5 c 0", "6 a, or\nb 2"}, orders)
	require.Equal(t, 1, summary.Duplicates)
}

// Every mistake has its line number, and the lines without one are passed on.
func TestProblems(t *testing.T) {
	long := `{"prompt":"` + strings.Repeat("x", manifest.MaxLine) + `"}`
	for name, test := range map[string]struct {
		text  string
		csv   bool
		lines []int
		first string
	}{
		"no JSON":                {"{\"prompt\":\"a\"}\nnope\n{\n{\"prompt\":\"b\"}", false, []int{2, 3}, "it is no job"},
		"no UTF-8":               {"{\"prompt\":\"a\"}\n\xff", false, []int{2}, "no text (UTF-8)"},
		"too long":               {"\n" + long + "\n" + long + "\n{\"prompt\":\"a\"}", false, []int{2, 3}, "longer than 1 MiB"},
		"the same job otherwise": {"{\"prompt\":\"a\"}\n{\"prompt\":\"a\",\"name\":\"n\"}", false, []int{2}, "the same job as line 1"},
		"CSV without a column":   {"name\nx\n", true, []int{1}, "the header names no prompt"},
		"CSV with a short row":   {"prompt,name\na\nb,x\n,y\n", true, []int{2, 4}, "cells in the row: 1, columns of the header: 2; put a cell that holds a comma in quotes"},
		"CSV with a quote":       {"prompt\na\nb\"c\nd\n", true, []int{3}, `a cell holds a quote without being quoted: write "a ""quoted"" word"`},
		"CSV with an open quote": {"prompt\na\n\"b\nc\n", true, []int{3}, "a quoted cell has no end, or text after its end"},
		"CSV with a comma":       {"prompt,name\na, b,x\n", true, []int{2}, "cells in the row: 3, columns of the header: 2"},
		"CSV that is no UTF-8":   {"prompt\na\n\xff\n", true, []int{3}, "no text (UTF-8)"},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := read(test.text, test.csv)
			var problems *manifest.Problems
			require.ErrorAs(t, err, &problems)
			var lines []int
			for _, problem := range problems.First {
				lines = append(lines, problem.Line)
			}
			require.Equal(t, test.lines, lines)
			require.Equal(t, len(test.lines), problems.Count)
			require.Contains(t, problems.First[0].Text, test.first)
		})
	}
}

func TestManyProblems(t *testing.T) {
	_, _, err := read(strings.Repeat("nope\n", 1000), false)
	var problems *manifest.Problems
	require.ErrorAs(t, err, &problems)
	require.Equal(t, 1000, problems.Count)
	require.Len(t, problems.First, 20)
	require.Equal(t, "line 1: it is no job; 999 more lines can't be used either", err.Error())
}

// The limits are exact, and an endless reader is read no further than they allow.
func TestLimits(t *testing.T) {
	var lines strings.Builder
	for i := range manifest.MaxLines {
		fmt.Fprintf(&lines, "{\"prompt\":\"%d\"}\n", i)
	}
	_, summary, err := read(lines.String(), false)
	require.NoError(t, err)
	require.Equal(t, manifest.MaxLines, summary.Lines)
	_, _, err = read(lines.String()+strings.Repeat("{\"prompt\":\"one more\"}\n", 3), false)
	require.EqualError(t, err, "line 100001: these are more than 100000 jobs: split the manifest")
	_, err = format.Read(endless{}, false, func(manifest.Order) bool { return true })
	require.ErrorIs(t, err, manifest.ErrTooLarge)
}

type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'x'
	}
	return len(p), nil
}

// The lines before an index are counted and hashed, and their lines are not parsed.
func TestReadFrom(t *testing.T) {
	for name, test := range map[string]struct {
		text string
		csv  bool
		want []string
	}{
		"JSON Lines": {"{\"prompt\":\"a\"}\n\nnope\n{\"prompt\":\"c\"}\n{\"prompt\":\"a\"}\n", false, []string{"4 c 0", "5 a 0"}},
		"CSV":        {"prompt,name\na,\n,no prompt\nc,\na,\n", true, []string{"4 c 0", "5 a 0"}},
	} {
		t.Run(name, func(t *testing.T) {
			var orders []string
			summary, err := format.ReadFrom(2, strings.NewReader(test.text), test.csv, func(order manifest.Order) bool {
				orders = append(orders, fmt.Sprintf("%d %s %d", order.Line, order.ID, order.Repeats))
				return true
			})
			require.NoError(t, err)
			require.Equal(t, test.want, orders)
			require.Equal(t, 4, summary.Lines)
			whole, _ := format.Read(strings.NewReader(test.text), test.csv, func(manifest.Order) bool { return true })
			require.Equal(t, whole.SHA256, summary.SHA256)
		})
	}
}

// The hash covers the whole manifest, also if yield ends the reading before.
func TestHashOfAPart(t *testing.T) {
	for _, csv := range []bool{false, true} {
		text := "{\"prompt\":\"a\"}\n{\"prompt\":\"b\"}\nnope\n"
		if csv {
			text = "prompt\na\nb\n"
		}
		hash := func(wanted int, text string) string {
			summary, err := format.Read(strings.NewReader(text), csv, func(manifest.Order) bool { wanted--; return wanted > 0 })
			require.NoError(t, err)
			return summary.SHA256
		}
		require.Equal(t, hash(1, text), hash(2, text))
		require.NotEqual(t, hash(1, text), hash(1, text+" "))
	}
}

func TestBrokenReader(t *testing.T) {
	for _, csv := range []bool{false, true} {
		_, err := format.Read(io.MultiReader(strings.NewReader("prompt\na\n"), broken{}), csv, func(manifest.Order) bool { return true })
		require.ErrorContains(t, err, "disk on fire")
	}
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errors.New("disk on fire") }
