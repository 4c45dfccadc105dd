package audit

import (
	"cmp"
	"slices"
)

// Report is what an audit has found.
type Report struct {
	// Receipts is how many receipts could be read, Files how many files that they
	// list were looked at, Bytes how much of those was read.
	Receipts int   `json:"receipts"`
	Files    int   `json:"files"`
	Bytes    int64 `json:"bytes"`
	// Complete is false if the audit ended early, so that there may be more to
	// find.
	Complete bool `json:"complete"`
	// Problems and Notes are sorted by file.
	Problems []Finding `json:"problems"`
	Notes    []Finding `json:"notes"`
}

// Progress is how far an audit is. What there is in all is 0 until it is known.
type Progress struct {
	Receipts, AllReceipts int
	Files                 int
	Bytes, AllBytes       int64
	Problems              int
}

func (a *audit) problem(found Finding) {
	a.mu.Lock()
	a.problems = append(a.problems, found)
	a.mu.Unlock()
	a.progress(func(p *Progress) { p.Problems++ })
}

func (a *audit) note(found Finding) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.notes = append(a.notes, found)
}

func (a *audit) progress(change func(*Progress)) {
	a.mu.Lock()
	change(&a.reached)
	now := a.reached
	a.mu.Unlock()
	if a.options.Tell != nil {
		a.options.Tell(now)
	}
}

// report is called when all is done.
func (a *audit) report(complete bool) Report {
	return Report{
		Receipts: a.reached.Receipts,
		Files:    a.reached.Files,
		Bytes:    a.reached.Bytes,
		Complete: complete,
		Problems: sorted(a.problems),
		Notes:    sorted(a.notes),
	}
}

// sorted is without repetitions: each file of a receipt that vanished tells of
// it. It is never nil, for the sake of JSON.
func sorted(findings []Finding) []Finding {
	slices.SortFunc(findings, func(x, y Finding) int {
		return cmp.Or(cmp.Compare(x.File, y.File), cmp.Compare(x.Kind, y.Kind), cmp.Compare(x.Receipt, y.Receipt), cmp.Compare(x.Detail, y.Detail))
	})
	return append([]Finding{}, slices.Compact(findings)...)
}
