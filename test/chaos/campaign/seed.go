package campaign

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"go.temporal.io/api/workflowservice/v1"

	"lumaflow/test/supervisor"
	"lumaflow/workflows"
)

const (
	// seedTimeout bounds the jobs of a seed. In a slow seed record-info is down for
	// ten minutes.
	seedTimeout     = 6 * time.Minute
	slowSeedTimeout = 16 * time.Minute
	checkInterval   = time.Second
	// videoURL is the source of every job; no process downloads it.
	videoURL = "https://cdn.example.org/in.mp4"
)

// runSeed runs one seed and verifies it. An error means that the processes could
// not be started or inspected; it is no finding about lumaflow.
func (c *campaign) runSeed(ctx context.Context, seed int64) (_ *seedResult, err error) {
	planned := newSchedule(seed, c.jobs, c.menu)
	folder := filepath.Join(c.folder, fmt.Sprintf("seed-%d", seed))
	// An earlier campaign may have left the folder, and a killed one its disk
	// mounted.
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
	r := &seedRun{w: w, schedule: planned, output: newOutput(w.path(videosFolder)), injected: map[string][]time.Time{}}
	timeout := seedTimeout
	if c.menu.slow || seed%slowEvery == 0 {
		timeout = slowSeedTimeout
	}
	r.execute(ctx, timeout)
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	result, err := r.verify(ctx, time.Since(started))
	keep = c.keep || err != nil || len(result.problems) > 0
	return result, err
}

// seedRun is a seed in progress.
type seedRun struct {
	w        *world
	schedule schedule
	output   *output

	mu       sync.Mutex
	injected map[string][]time.Time // times of the injected deaths, by kind
	problems []string
}

// problem records a violation of the promise.
func (r *seedRun) problem(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.problems = append(r.problems, fmt.Sprintf(format, args...))
}

// execute submits the jobs, injects the deaths and returns when all jobs have
// ended and all deaths were injected.
func (r *seedRun) execute(ctx context.Context, timeout time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	var tasks sync.WaitGroup
	var submitted, injected atomic.Bool
	tasks.Go(func() {
		r.submitJobs(ctx)
		submitted.Store(true)
	})
	tasks.Go(func() {
		r.injectDeaths(ctx)
		injected.Store(true)
	})
	scanning, stopScanning := context.WithCancel(ctx)
	tasks.Go(func() {
		for sleep(scanning, 100*time.Millisecond) == nil {
			if err := r.output.scan(); err != nil {
				r.problem("%v", err)
				return
			}
		}
	})
	log, err := r.w.openLog("operator")
	if err != nil {
		r.problem("%v", err)
		log = io.Discard
	}
	resolver := newOperator(r.w, r.schedule.jobs, log)
	for sleep(ctx, checkInterval) == nil {
		resolver.resolveJobs(ctx)
		if submitted.Load() && injected.Load() && r.allEnded(ctx) {
			break
		}
	}
	stopScanning()
	tasks.Wait()
}

// submitJobs starts the jobs and retries through outages, as a client does.
func (r *seedRun) submitJobs(ctx context.Context) {
	var submissions sync.WaitGroup
	defer submissions.Wait()
	for _, job := range r.schedule.jobs {
		submissions.Go(func() {
			if sleep(ctx, job.start) != nil {
				return
			}
			for {
				attempt, cancel := context.WithTimeout(ctx, 10*time.Second)
				_, err := r.w.starter.SubmitAs(attempt, job.id, workflows.ModifyVideoInput{
					Prompt:         job.prompt,
					Model:          job.model,
					VideoURL:       videoURL,
					Name:           job.name,
					RecoveryWindow: "4m",
					Deadline:       "15m",
				})
				cancel()
				if err == nil {
					return
				}
				if sleep(ctx, 500*time.Millisecond) != nil {
					r.problem("job %s could not be submitted: %v", job.id, err)
					return
				}
			}
		})
	}
}

// allEnded reports whether no job is open. Visibility is eventually consistent, so
// every job is described, too.
func (r *seedRun) allEnded(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	count, err := r.w.client.CountWorkflow(ctx, &workflowservice.CountWorkflowExecutionsRequest{Query: "ExecutionStatus = 'Running'"})
	if err != nil || count.GetCount() > 0 {
		return false
	}
	for _, job := range r.schedule.jobs {
		described, err := r.w.client.DescribeWorkflow(ctx, job.id, "")
		if err != nil || described.WorkflowCloseTime == nil {
			return false
		}
	}
	return true
}

// injectDeaths injects the deaths one after the other. Pauses and the full disk
// end while later deaths are injected.
func (r *seedRun) injectDeaths(ctx context.Context) {
	var ending sync.WaitGroup
	defer ending.Wait()
	for _, planned := range r.schedule.deaths {
		if sleep(ctx, planned.delay) != nil {
			return
		}
		if planned.atCharge {
			r.awaitCharge(ctx)
		}
		r.inject(ctx, planned, &ending)
	}
}

// awaitCharge waits until the provider accepts another submission, for at most
// 3 s.
func (r *seedRun) awaitCharge(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	before := r.w.kie.Ledger().Charges
	for r.w.kie.Ledger().Charges == before && sleep(ctx, time.Millisecond) == nil {
	}
}

// inject injects one death. Functions that end it later run in ending.
func (r *seedRun) inject(ctx context.Context, planned death, ending *sync.WaitGroup) {
	switch planned.kind {
	case WorkerKilled:
		r.kill(ctx, planned, r.w.workers[planned.worker])
	case WebhookKilled:
		r.kill(ctx, planned, r.w.webhook)
	case WorkerPaused:
		r.pause(ctx, planned, r.w.workers[planned.worker], ending)
	case WebhookPaused:
		r.pause(ctx, planned, r.w.webhook, ending)
	case TemporalKilled:
		r.record(planned)
		if err := r.w.temporal.kill(ctx, planned.duration); err != nil && ctx.Err() == nil {
			r.problem("%v", err)
		}
	case TemporalPaused:
		if err := r.w.temporal.pause(ctx, planned.duration); err != nil && ctx.Err() == nil {
			r.problem("%v", err)
			return
		}
		r.record(planned)
	case DiskFull:
		r.fillDisk(ctx, planned, ending)
	}
}

func (r *seedRun) kill(ctx context.Context, planned death, victim *supervisor.Service) {
	if _, err := victim.Running(ctx); err == nil && victim.Kill(planned.duration) {
		r.record(planned)
	}
}

func (r *seedRun) pause(ctx context.Context, planned death, victim *supervisor.Service, ending *sync.WaitGroup) {
	if _, err := victim.Running(ctx); err != nil {
		return
	}
	resume, ok := victim.Pause()
	if !ok {
		return
	}
	r.record(planned)
	ending.Go(func() {
		_ = sleep(ctx, planned.duration)
		resume()
	})
}

func (r *seedRun) fillDisk(ctx context.Context, planned death, ending *sync.WaitGroup) {
	if r.w.disk == nil {
		return
	}
	free, err := r.w.disk.fill()
	if err != nil {
		r.problem("%v", err)
		return
	}
	r.record(planned)
	ending.Go(func() {
		_ = sleep(ctx, planned.duration)
		free()
	})
}

// record notes that a death was injected.
func (r *seedRun) record(injected death) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.injected[injected.kind] = append(r.injected[injected.kind], time.Now())
}
