package campaign

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// campaign is a validated Command.
type campaign struct {
	seeds    int
	from     int64
	jobs     int
	parallel int
	// faults are the names given by --faults, menu what they select.
	faults   []string
	menu     menu
	binary   string
	folder   string
	withDisk bool
	keep     bool
	progress io.Writer
}

// run runs the seeds in parallel. An error means that the campaign could not
// continue, or was interrupted; the report is then about the completed seeds.
func (c *campaign) run(ctx context.Context) (*Report, error) {
	started := time.Now()
	sum := newTally(c)
	var mu sync.Mutex
	group, running := errgroup.WithContext(ctx)
	group.SetLimit(c.parallel)
	for seed := c.from; seed < c.from+int64(c.seeds) && running.Err() == nil; seed++ {
		group.Go(func() error {
			if running.Err() != nil {
				return running.Err()
			}
			result, err := c.runSeed(running, seed)
			if err != nil {
				return fmt.Errorf("seed %d could not be run: %w", seed, err)
			}
			mu.Lock()
			defer mu.Unlock()
			sum.add(result)
			return c.finishSeed(result)
		})
	}
	err := group.Wait()
	report := sum.finish(time.Since(started))
	if ctx.Err() != nil {
		return report, fmt.Errorf("interrupted after %d of %d seeds; the files of the others are in %s", report.Seeds, c.seeds, c.folder)
	}
	// The removal fails if a seed left files, as it should.
	_ = os.Remove(c.folder)
	return report, err
}

// finishSeed prints the result of a seed and removes the folder of a passed one.
func (c *campaign) finishSeed(result *seedResult) error {
	folder := filepath.Join(c.folder, fmt.Sprintf("seed-%d", result.seed))
	line := fmt.Sprintf("seed %d: %d jobs, %d charges, %d files, %d deaths in %s",
		result.seed, len(result.jobs), result.ledger.Charges, result.files, result.deaths(), result.took.Truncate(time.Second))
	if len(result.problems) == 0 {
		_, _ = fmt.Fprintln(c.progress, line)
		if c.keep {
			return nil
		}
		return os.RemoveAll(folder)
	}
	_, _ = fmt.Fprintf(c.progress, "%s: BROKEN, its logs and histories are in %s\n", line, folder)
	for _, problem := range result.problems {
		_, _ = fmt.Fprintf(c.progress, "  %s\n", problem)
	}
	return nil
}

// deaths counts the injected deaths.
func (r *seedResult) deaths() int {
	sum := 0
	for _, times := range r.injected {
		sum += len(times)
	}
	return sum
}
