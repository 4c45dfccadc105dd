package census

import (
	"context"
	"math"

	"lumaflow/metrics"
	"lumaflow/starter"
)

// countMedia looks for paid videos that no job has stored, as `lumaflow list
// --at-risk` does, and sets the gauges: how many there are, and when the first is
// deleted.
func (c *Census) countMedia(ctx context.Context) error {
	risks, err := c.Jobs.AtRisk(ctx, starter.RiskFilter{TaskQueue: c.TaskQueue, Limit: math.MaxInt32})
	if err != nil {
		return err
	}
	left := math.Inf(1)
	for _, risk := range risks.Found {
		left = min(left, max(risk.DeletedAt.Sub(c.Now()).Hours(), 0))
	}
	metrics.MediaAtRisk.Set(c.Metrics, float64(len(risks.Found)))
	metrics.MediaHoursLeft.Set(c.Metrics, left)
	return nil
}
