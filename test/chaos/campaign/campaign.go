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

// campaign is a number of seeds to be played.
type campaign struct {
	seeds    int
	from     int64
	jobs     int
	parallel int
	// faults are the names that menu was made of.
	faults   []string
	menu     menu
	binary   string
	folder   string
	withDisk bool
	keep     bool
	progress io.Writer
}

// run plays the seeds, so many at a time, and adds up what became of them. An
// error means that the campaign could not go on, or was interrupted; the report
// is then about the seeds that were played to their end.
func (c *campaign) run(ctx context.Context) (*Report, error) {
	started := time.Now()
	sum := newTally(c)
	var mu sync.Mutex
	group, playing := errgroup.WithContext(ctx)
	group.SetLimit(c.parallel)
	for seed := c.from; seed < c.from+int64(c.seeds) && playing.Err() == nil; seed++ {
		group.Go(func() error {
			if playing.Err() != nil {
				return playing.Err()
			}
			result, err := c.play(playing, seed)
			if err != nil {
				return fmt.Errorf("seed %d could not be played: %w", seed, err)
			}
			mu.Lock()
			defer mu.Unlock()
			sum.add(result)
			return c.tell(result)
		})
	}
	err := group.Wait()
	report := sum.finish(time.Since(started))
	if ctx.Err() != nil {
		return report, fmt.Errorf("interrupted after %d of %d seeds; what the others left is in %s", report.Seeds, c.seeds, c.folder)
	}
	// Gone only if no seed left anything.
	_ = os.Remove(c.folder)
	return report, err
}

// tell says how a seed went. One that went wrong keeps its folder.
func (c *campaign) tell(o *outcome) error {
	folder := filepath.Join(c.folder, fmt.Sprintf("seed-%d", o.seed))
	line := fmt.Sprintf("seed %d: %d jobs, %d charges, %d files, %d deaths in %s", o.seed, len(o.lives), o.ledger.Charges, o.files, o.deaths(), o.took.Truncate(time.Second))
	if len(o.problems) == 0 {
		fmt.Fprintln(c.progress, line)
		if c.keep {
			return nil
		}
		return os.RemoveAll(folder)
	}
	fmt.Fprintf(c.progress, "%s: BROKEN, its logs and histories are in %s\n", line, folder)
	for _, problem := range o.problems {
		fmt.Fprintf(c.progress, "  %s\n", problem)
	}
	return nil
}

// deaths counts the blows that really fell.
func (o *outcome) deaths() int {
	sum := 0
	for _, times := range o.struck {
		sum += len(times)
	}
	return sum
}
