package models

import (
	"context"
	"fmt"

	"lumaflow/internal/kie"
)

// live is what kie.ai's catalogue has about a model now.
type live struct {
	// Listed means that the catalogue has the model.
	Listed bool `json:"listed"`
	// Price is kie.ai's own text; empty if it has none.
	Price string `json:"price,omitempty"`
	// SuccessRate is that of the last 24 hours in percent; nil without traffic.
	SuccessRate *float64 `json:"successRate,omitempty"`
}

// text describes the state of a model. catalogued is that of the model.
func (l live) text(catalogued bool) string {
	switch {
	case !l.Listed && !catalogued:
		return "not in kie.ai's catalogue, which need not list it"
	case !l.Listed:
		return "not in kie.ai's catalogue: a submission may be refused"
	case l.SuccessRate == nil:
		return "in kie.ai's catalogue, without traffic in the last 24 hours"
	default:
		return fmt.Sprintf("in kie.ai's catalogue, %.1f %% of the tasks of the last 24 hours succeeded", *l.SuccessRate)
	}
}

// catalogue is the part of kie.Client that --live needs.
type catalogue interface {
	Price(ctx context.Context, model string) (string, error)
	SuccessRate(ctx context.Context, model string) (percent float64, known bool, err error)
}

// addLive adds the catalogue's facts to the rows, from the cache where it has them. It
// stops at the first row that the catalogue can't be read for.
func addLive(ctx context.Context, from catalogue, cached *cache, rows []model) error {
	defer cached.save()
	for i := range rows {
		found, fresh := cached.get(rows[i].Name)
		if !fresh {
			var err error
			if found, err = look(ctx, from, rows[i].Name); err != nil {
				return fmt.Errorf("read kie.ai's catalogue about %s: %w", rows[i].Name, err)
			}
			cached.put(rows[i].Name, found)
		}
		rows[i].Live = &found
	}
	return nil
}

func look(ctx context.Context, from catalogue, name string) (live, error) {
	price, err := from.Price(ctx, name)
	switch {
	case kie.ClassOf(err) == kie.NotFound:
		return live{}, nil
	case err != nil:
		return live{}, err
	}
	found := live{Listed: true, Price: price}
	percent, known, err := from.SuccessRate(ctx, name)
	switch {
	case err != nil && kie.ClassOf(err) != kie.NotFound:
		return live{}, err
	case known:
		found.SuccessRate = &percent
	}
	return found, nil
}
