package starter

import (
	"context"
	"math"
)

// Unstored is the result of a search for payments without a stored video. Total,
// Expired, Credits and Unpriced cover all of its tasks, those beyond the limit included.
type Unstored struct {
	// Tasks are the paid tasks that have ended, or may have, and whose video no job has
	// stored, the oldest first.
	Tasks []Risk `json:"tasks"`
	// Unknown are submissions with an unknown outcome of jobs that ended: each may have
	// paid for a task. They are not among the tasks.
	Unknown []Risk `json:"unknown"`
	Total   int    `json:"total"`
	// Expired counts the tasks whose video kie.ai has deleted.
	Expired int `json:"expired"`
	// Credits is the sum of the known costs, to thousandths; Unpriced counts the tasks
	// without a known cost.
	Credits  float64 `json:"credits"`
	Unpriced int     `json:"withoutCredits"`
	// Notes describe, in a plain line each, what the search lacks.
	Notes []string `json:"-"`
}

// PaidUnstored finds what was paid and never stored, in all jobs that the namespace has.
// It is the search of AtRisk, without its limit to the videos that kie.ai still keeps and
// with the submissions that an operator has given up.
func (s *Starter) PaidUnstored(ctx context.Context, filter RiskFilter) (Unstored, error) {
	search := &riskSearch{starter: s, unstored: true}
	if err := search.run(ctx, filter); err != nil {
		return Unstored{}, err
	}
	// An empty list is [] in JSON.
	found := Unstored{Tasks: []Risk{}, Unknown: []Risk{}}
	for _, risk := range search.sorted() {
		if risk.TaskID == "" {
			found.Unknown = append(found.Unknown, risk)
			continue
		}
		found.Tasks = append(found.Tasks, risk)
		if risk.Expired {
			found.Expired++
		}
		if risk.Credits == nil {
			found.Unpriced++
		} else {
			found.Credits += *risk.Credits
		}
	}
	found.Total, found.Credits = len(found.Tasks), math.Round(found.Credits*1000)/1000
	found.Notes = search.notes("counted apart", found.Unknown, found.Total > 0)
	if note := s.retentionNote(ctx, 0); note != "" {
		found.Notes = append(found.Notes, note)
	}
	found.Tasks = found.Tasks[:min(found.Total, filter.Limit)]
	return found, nil
}
