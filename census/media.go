package census

import (
	"context"
	"fmt"
	"math"
	"time"

	workflowpb "go.temporal.io/api/workflow/v1"
	"golang.org/x/sync/errgroup"

	"lumaflow/metrics"
	"lumaflow/store"
	"lumaflow/workflows"
)

const (
	// keptFor is how long kie.ai keeps what it generated.
	keptFor = 14 * 24 * time.Hour
	// lookBack is how long ago a job may have ended without its video for this to
	// matter: its task may have ended a little later.
	lookBack = keptFor + 24*time.Hour
)

// media is what a run has paid for, as far as its history tells.
type media struct {
	// taskID is empty if there is nothing to be collected.
	taskID string
	// name is the prefix of the job's files.
	name string
	// since is when the task ended or, if that is not known, the earliest time
	// that it can have.
	since time.Time
	// collected says that the video is stored after all.
	collected bool
}

// countMedia looks at the paid tasks without a stored video: of jobs that are
// collecting, and of those that ended without it.
func (c *Census) countMedia(ctx context.Context, collecting []run) error {
	// The files of most open jobs are there a moment later, so of them nothing is
	// kept.
	candidates := map[string]*media{}
	if err := c.readAll(ctx, collecting, candidates); err != nil {
		return err
	}
	if err := c.readEnded(ctx); err != nil {
		return err
	}
	for runID, known := range c.known {
		candidates[runID] = known
	}
	return c.weigh(ctx, candidates)
}

// readEnded reads the histories of the jobs that ended without a video and
// forgets those that ended too long ago. What is too much for one look is left
// to the next.
func (c *Census) readEnded(ctx context.Context) error {
	query := c.ofQueue("ExecutionStatus IN ('Failed', 'Canceled', 'Terminated', 'TimedOut') AND CloseTime > '" +
		c.Now().Add(-lookBack).UTC().Format(time.RFC3339) + "'")
	known := map[string]*media{}
	var unread []run
	_, err := c.list(ctx, query, maxClosed, func(info *workflowpb.WorkflowExecutionInfo) {
		job := runOf(info)
		if before := c.known[job.runID]; before != nil {
			known[job.runID] = before
		} else if len(unread) < maxRead {
			unread = append(unread, job)
		}
	})
	if err != nil {
		return err
	}
	c.known = known
	return c.readAll(ctx, unread, c.known)
}

// readAll reads the histories of runs.
func (c *Census) readAll(ctx context.Context, runs []run, into map[string]*media) error {
	reading, ctx := errgroup.WithContext(ctx)
	reading.SetLimit(askers)
	read := make([]*media, len(runs))
	for i, job := range runs {
		reading.Go(func() (err error) {
			read[i], err = c.read(ctx, job)
			return err
		})
	}
	err := reading.Wait()
	for i, job := range runs {
		if read[i] != nil {
			into[job.runID] = read[i]
		}
	}
	return err
}

// weigh sets the gauges: which of the candidates are at risk, and when the first
// is deleted.
func (c *Census) weigh(ctx context.Context, candidates map[string]*media) error {
	atRisk, left := map[string]bool{}, math.Inf(1)
	sought := 0
	for _, candidate := range candidates {
		deleted := candidate.since.Add(keptFor)
		if candidate.taskID == "" || candidate.collected || !c.Now().Before(deleted) {
			continue
		}
		if sought++; sought <= maxSought {
			var err error
			if candidate.collected, err = c.collected(ctx, candidate); err != nil {
				return err
			}
			if candidate.collected {
				continue
			}
		}
		atRisk[candidate.taskID] = true
		left = min(left, deleted.Sub(c.Now()).Hours())
	}
	metrics.MediaAtRisk.Set(c.Metrics, float64(len(atRisk)))
	metrics.MediaHoursLeft.Set(c.Metrics, left)
	return nil
}

// collected says whether a task has its receipt, under the name that the job
// gave it or under none, or else whether a job of another name has collected it,
// which only search attributes tell.
func (c *Census) collected(ctx context.Context, of *media) (bool, error) {
	for _, name := range []string{of.name, ""} {
		if receipt, err := c.Store.Receipt(ctx, store.ReceiptName(name, of.taskID)); err == nil && receipt.TaskID == of.taskID {
			return true, nil
		}
	}
	if !c.SearchAttributes(ctx) {
		return false, nil
	}
	done, err := c.number(ctx, workflows.Equals(workflows.TaskIDAttribute, of.taskID)+" AND ExecutionStatus = 'Completed'")
	if err != nil {
		return false, fmt.Errorf("look who collected a task: %w", err)
	}
	return done > 0, nil
}
