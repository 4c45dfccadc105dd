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
	// urgent is the time before the deletion from which the log warns: half of the
	// time that kie.ai keeps media.
	urgent = kie.MediaKept / 2
	// warnInterval separates two warnings.
	warnInterval = time.Hour
)

// countMedia searches for paid videos that no job has stored, as `lumaflow list
// --at-risk` does, and sets the gauges: their number and the time until kie.ai
// deletes the first. From day 7 on the log warns of them, also of those of ended
// jobs.
func (c *Census) countMedia(ctx context.Context) error {
	risks, err := c.options.Jobs.AtRisk(ctx, starter.RiskFilter{TaskQueue: c.options.TaskQueue, Limit: math.MaxInt32})
	if err != nil {
		return fmt.Errorf("search for videos that are not stored: %w", err)
	}
	hoursLeft, late := math.Inf(1), 0
	for _, risk := range risks.Found {
		hours := max(risk.DeletedAt.Sub(c.options.Now()).Hours(), 0)
		hoursLeft = min(hoursLeft, hours)
		if hours <= urgent.Hours() {
			late++
		}
	}
	if late > 0 && c.options.Now().Sub(c.warnedAt) >= warnInterval {
		c.warnedAt = c.options.Now()
		c.options.Logger.Warn("finished videos are not stored and kie.ai deletes them 14 days after their tasks ended",
			"videos", late, "hoursLeft", int(hoursLeft), "next", "lumaflow list --at-risk")
	}
	metrics.MediaAtRisk.Set(c.options.Metrics, float64(len(risks.Found)))
	metrics.MediaHoursLeft.Set(c.options.Metrics, hoursLeft)
	c.mediaAt = c.options.Now()
	return nil
}
