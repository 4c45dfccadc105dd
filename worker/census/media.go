package census

import (
	"context"
	"fmt"
	"math"
	"time"

	"lumaflow/internal/kie"
	"lumaflow/internal/telemetry/metrics"
	"lumaflow/starter"
)

const (
	// urgent is how long before they are deleted the log tells of videos: half of
	// the time that kie.ai keeps them.
	urgent = kie.MediaKept / 2
	// warnEvery spaces these warnings.
	warnEvery = time.Hour
)

// countMedia looks for paid videos that no job has stored, as `lumaflow list
// --at-risk` does, and sets the gauges: how many there are, and when the first is
// deleted. From day 7 on the log tells of them, also of those whose job is over.
func (c *Census) countMedia(ctx context.Context) error {
	risks, err := c.Jobs.AtRisk(ctx, starter.RiskFilter{TaskQueue: c.TaskQueue, Limit: math.MaxInt32})
	if err != nil {
		return fmt.Errorf("look for videos that are not stored: %w", err)
	}
	left, late := math.Inf(1), 0
	for _, risk := range risks.Found {
		hours := max(risk.DeletedAt.Sub(c.Now()).Hours(), 0)
		left = min(left, hours)
		if hours <= urgent.Hours() {
			late++
		}
	}
	if late > 0 && c.Now().Sub(c.warned) >= warnEvery {
		c.warned = c.Now()
		c.Logger.Warn("finished videos are not stored and kie.ai deletes them 14 days after their tasks ended",
			"videos", late, "hoursLeft", int(left), "next", "lumaflow list --at-risk")
	}
	metrics.MediaAtRisk.Set(c.Metrics, float64(len(risks.Found)))
	metrics.MediaHoursLeft.Set(c.Metrics, left)
	c.looked = c.Now()
	return nil
}
