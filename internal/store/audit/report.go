package audit

import (
	"cmp"
	"slices"
)

// Report is the result of an audit.
type Report struct {
	// Receipts counts the receipts that could be read, Files the listed files that
	// were checked, Bytes the bytes read from them.
	Receipts int   `json:"receipts"`
	Files    int   `json:"files"`
	Bytes    int64 `json:"bytes"`
	// Complete is false if the audit ended early: there may be more problems.
	Complete bool `json:"complete"`
	// Problems and Notes are sorted by file.
	Problems []Finding `json:"problems"`
	Notes    []Finding `json:"notes"`
}

// Progress is the progress of an audit. AllReceipts and AllBytes are 0 until they
// are known.
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
	if a.options.OnProgress != nil {
		a.options.OnProgress(now)
	}
}

// report must be called after all goroutines have ended.
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

// sorted sorts and removes duplicates: each file of a removed receipt reports the
// receipt. The result is never nil, so that JSON has an empty array.
func sorted(findings []Finding) []Finding {
	slices.SortFunc(findings, func(x, y Finding) int {
		return cmp.Or(cmp.Compare(x.File, y.File), cmp.Compare(x.Kind, y.Kind), cmp.Compare(x.Receipt, y.Receipt), cmp.Compare(x.Detail, y.Detail))
	})
	return append([]Finding{}, slices.Compact(findings)...)
}
