package chaos

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.temporal.io/api/workflowservice/v1"

	"lumaflow/workflows"
)

const (
	// seedTime is how long the jobs of a seed may take; those of a slow one wait
	// ten minutes for record-info alone.
	seedTime     = 6 * time.Minute
	slowSeedTime = 16 * time.Minute
	lookEvery    = time.Second
	// videoURL is what every job starts from; nobody fetches it.
	videoURL = "https://cdn.example.org/in.mp4"
)

// play lives through one seed and judges it. An error means that the world
// could not be built or looked at, which says nothing about lumaflow.
func (c *campaign) play(ctx context.Context, seed int64) (_ *outcome, err error) {
	planned := newSchedule(seed, c.jobs, c.menu)
	folder := filepath.Join(c.folder, fmt.Sprintf("seed-%d", seed))
	// What an earlier campaign left of this seed would pass for its own. One that
	// was killed has left its disk mounted.
	unmountDisk(filepath.Join(folder, diskFolder))
	if err := os.RemoveAll(folder); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(folder, "schedule.txt"), []byte(planned.String()), 0o600); err != nil {
		return nil, err
	}
	w, err := build(ctx, folder, c.binary, seed, c.withDisk)
	keep := true
	defer func() {
		w.destroy()
		w.closeDisk(keep)
	}()
	if err != nil {
		return nil, err
	}
	started := time.Now()
	p := &playing{world: w, schedule: planned, shelf: newShelf(w.path(videosFolder)), struck: map[string][]time.Time{}}
	limit := seedTime
	if c.menu.slow || seed%slowEvery == 0 {
		limit = slowSeedTime
	}
	p.live(ctx, limit)
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	o, err := p.judge(ctx, time.Since(started))
	keep = c.keep || err != nil || len(o.problems) > 0
	return o, err
}

// playing is a seed under way.
type playing struct {
	*world
	schedule schedule
	shelf    *shelf

	mu       sync.Mutex
	struck   map[string][]time.Time // deaths that really happened, by kind
	problems []string
}

func (p *playing) problem(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.problems = append(p.problems, fmt.Sprintf(format, args...))
}

// live submits the jobs, lets everything happen to them and returns when all
// have ended and all deaths have struck.
func (p *playing) live(ctx context.Context, limit time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	var acting sync.WaitGroup
	var submitted, struck atomic.Bool
	acting.Go(func() {
		p.submitAll(ctx)
		submitted.Store(true)
	})
	acting.Go(func() {
		p.strikeAll(ctx)
		struck.Store(true)
	})
	watching, stopWatching := context.WithCancel(ctx)
	acting.Go(func() {
		for pauseFor(watching, 100*time.Millisecond) == nil {
			if err := p.shelf.look(); err != nil {
				p.problem("%v", err)
				return
			}
		}
	})
	log, err := p.openLog("operator")
	if err != nil {
		p.problem("%v", err)
		log = io.Discard
	}
	operator := newOperator(p.world, p.schedule.jobs, log)
	for pauseFor(ctx, lookEvery) == nil {
		operator.look(ctx)
		if submitted.Load() && struck.Load() && p.allEnded(ctx) {
			break
		}
	}
	stopWatching()
	acting.Wait()
}

// submitAll starts the jobs as any client would, through whatever outage.
func (p *playing) submitAll(ctx context.Context) {
	var submitting sync.WaitGroup
	defer submitting.Wait()
	for _, job := range p.schedule.jobs {
		submitting.Go(func() {
			if pauseFor(ctx, job.start) != nil {
				return
			}
			for {
				asking, cancel := context.WithTimeout(ctx, 10*time.Second)
				_, err := p.starter.SubmitAs(asking, job.id, workflows.ModifyVideoInput{
					Prompt:         job.prompt,
					VideoURL:       videoURL,
					Name:           job.name,
					RecoveryWindow: "4m",
					Deadline:       "15m",
				})
				cancel()
				if err == nil {
					return
				}
				if pauseFor(ctx, 500*time.Millisecond) != nil {
					p.problem("job %s could not be submitted: %v", job.id, err)
					return
				}
			}
		})
	}
}

// allEnded asks Temporal whether any job is open. Visibility may lag behind, so
// the verdict reads every history.
func (p *playing) allEnded(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	count, err := p.client.CountWorkflow(ctx, &workflowservice.CountWorkflowExecutionsRequest{Query: "ExecutionStatus = 'Running'"})
	if err != nil || count.GetCount() > 0 {
		return false
	}
	for _, job := range p.schedule.jobs {
		described, err := p.client.DescribeWorkflow(ctx, job.id, "")
		if err != nil || described.RawResponse.GetWorkflowExecutionInfo().GetCloseTime() == nil {
			return false
		}
	}
	return true
}

// strikeAll deals the blows one after the other. Whoever is paused comes round
// while the next ones fall.
func (p *playing) strikeAll(ctx context.Context) {
	var returning sync.WaitGroup
	defer returning.Wait()
	for _, blow := range p.schedule.deaths {
		if pauseFor(ctx, blow.pause) != nil {
			return
		}
		if blow.atCharge {
			p.nextCharge(ctx)
		}
		p.strike(ctx, blow, &returning)
	}
}

// nextCharge waits until the provider has accepted one more submission, if it
// does so soon.
func (p *playing) nextCharge(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	before := p.kie.Ledger().Charges
	for p.kie.Ledger().Charges == before && pauseFor(ctx, time.Millisecond) == nil {
	}
}

func (p *playing) strike(ctx context.Context, blow death, returning *sync.WaitGroup) {
	switch blow.kind {
	case WorkerKilled:
		p.kill(ctx, blow, p.workers[blow.which])
	case WebhookKilled:
		p.kill(ctx, blow, p.webhook)
	case WorkerPaused:
		p.pause(ctx, blow, p.workers[blow.which], returning)
	case WebhookPaused:
		p.pause(ctx, blow, p.webhook, returning)
	case TemporalKilled:
		p.struckIf(blow, true)
		if err := p.temporal.kill(ctx, blow.lasts); err != nil && ctx.Err() == nil {
			p.problem("%v", err)
		}
	case TemporalPaused:
		if err := p.temporal.pause(ctx, blow.lasts); err != nil && ctx.Err() == nil {
			p.problem("%v", err)
			return
		}
		p.struckIf(blow, true)
	case DiskFull:
		if p.disk == nil {
			return
		}
		free, err := p.disk.fill()
		if err != nil {
			p.problem("%v", err)
			return
		}
		p.struckIf(blow, true)
		returning.Go(func() {
			_ = pauseFor(ctx, blow.lasts)
			free()
		})
	}
}

func (p *playing) kill(ctx context.Context, blow death, victim *process) {
	victim.running(ctx)
	p.struckIf(blow, victim.kill(blow.lasts))
}

func (p *playing) pause(ctx context.Context, blow death, victim *process, returning *sync.WaitGroup) {
	victim.running(ctx)
	resume, ok := victim.pause()
	p.struckIf(blow, ok)
	returning.Go(func() {
		_ = pauseFor(ctx, blow.lasts)
		resume()
	})
}

func (p *playing) struckIf(blow death, happened bool) {
	if !happened {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.struck[blow.kind] = append(p.struck[blow.kind], time.Now())
}

// String lists what will happen, for the folder of the seed.
func (s schedule) String() string {
	var text strings.Builder
	for _, job := range s.jobs {
		fmt.Fprintf(&text, "%6.2fs  %s  name %.40q  %s\n", job.start.Seconds(), job.id, job.name, job.prompt)
	}
	for _, blow := range s.deaths {
		when := ""
		if blow.atCharge {
			when = " at the next charge"
		}
		fmt.Fprintf(&text, "+%5.2fs  %s%s, away for %.1fs, which %d\n", blow.pause.Seconds(), blow.kind, when, blow.lasts.Seconds(), blow.which)
	}
	return text.String()
}
