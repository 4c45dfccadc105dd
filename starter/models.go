package starter

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"lumaflow/internal/kie"
	"lumaflow/internal/paid"
)

// recentJobs bounds the jobs whose models are read: one page of a list.
const recentJobs = 200

// ModelsInUse returns the models of the open jobs and of those that ended last, sorted.
// It is one request and reads the memos in its answer, which hold the model from the
// first paid request on. Jobs of lumaflow v0.1 have no such memo.
func (s *Starter) ModelsInUse(ctx context.Context) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	// Temporal lists open jobs first, then the closed ones, the latest first.
	listed, _, err := s.listRuns(ctx, Filter{}.query(), recentJobs)
	if err != nil {
		return nil, Filter{}.listError(err)
	}
	used := map[string]bool{}
	for _, info := range listed {
		if facts, ok := paid.FromMemo(info.GetMemo(), s.of(info.GetExecution().GetWorkflowId()).Data); ok {
			used[cmp.Or(facts.Model, kie.DefaultModel)] = true
		}
	}
	return slices.Sorted(maps.Keys(used)), nil
}
