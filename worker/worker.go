// Package worker assembles and runs the Temporal worker: one task queue for
// workflows, polls and downloads, and one for submissions alone, whose
// server-side rate limit holds for all workers together.
package worker

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"

	"lumaflow/activities"
	"lumaflow/internal/command"
	"lumaflow/workflows"
)

const (
	// jobSlots bounds the downloads and polls of one worker that run at once. A
	// download takes little memory, and a poll must not queue behind them.
	jobSlots = 100
	// submitSlots bounds its submissions under way.
	submitSlots = 16
	// heartbeatThrottle is the longest that progress stays unsent.
	heartbeatThrottle = 10 * time.Second
	// stopTimeout is what activities get to wind up; downloads stop at once.
	stopTimeout = 20 * time.Second
	// submitStopTimeout lets a paid request under way have its full time.
	submitStopTimeout = activities.SubmissionTimeout + 15*time.Second
)

// Options are the settings of a worker.
type Options struct {
	TaskQueue        string
	SubmitsPerSecond float64
	// Version is what both task queues are polled as; zero means no version. Its
	// build id is kept for this build.
	Version worker.WorkerDeploymentVersion
	Logger  *slog.Logger
	// Started is called when the worker has begun to ask for work, Draining when
	// it takes no more; nil is fine.
	Started, Draining func()
}

// Run works on both task queues until ctx ends, then drains: nothing new is
// taken, submissions under way end, downloads stop where another worker can go
// on. It returns early if a worker fails for good, or if the build id of its
// version belongs to other code.
func Run(ctx context.Context, c client.Client, acts *activities.Activities, options Options) error {
	fatal := make(chan error, 2)
	onFatal := func(err error) {
		select {
		case fatal <- err:
		default:
		}
	}
	build, err := options.claim(c, onFatal)
	if err != nil {
		return err
	}
	if err := build.check(ctx); err != nil {
		return err
	}
	jobs := worker.New(c, options.TaskQueue, worker.Options{
		MaxConcurrentActivityExecutionSize: jobSlots,
		MaxHeartbeatThrottleInterval:       heartbeatThrottle,
		WorkerStopTimeout:                  stopTimeout,
		DeploymentOptions:                  deployment(options.Version),
		DisableRegistrationAliasing:        true,
		OnFatalError:                       onFatal,
	})
	workflows.Register(jobs)
	jobs.RegisterActivity(acts.Identify)
	jobs.RegisterActivity(acts.Poll)
	jobs.RegisterActivity(acts.Download)
	jobs.RegisterActivity(acts.WriteReceipt)

	submissions := worker.New(c, workflows.SubmitTaskQueue(options.TaskQueue), worker.Options{
		DisableWorkflowWorker:              true,
		MaxConcurrentActivityExecutionSize: submitSlots,
		TaskQueueActivitiesPerSecond:       options.SubmitsPerSecond,
		WorkerStopTimeout:                  submitStopTimeout,
		DeploymentOptions:                  deployment(options.Version),
		OnFatalError:                       onFatal,
	})
	submissions.RegisterActivity(acts.Submit)

	if err := jobs.Start(); err != nil {
		return fmt.Errorf("start the worker on task queue %s: %w", options.TaskQueue, err)
	}
	if err := submissions.Start(); err != nil {
		jobs.Stop()
		return fmt.Errorf("start the worker on task queue %s: %w", workflows.SubmitTaskQueue(options.TaskQueue), err)
	}
	options.Logger.Info("worker running", "taskQueue", options.TaskQueue)
	defer build.follow(ctx)()
	if options.Started != nil {
		options.Started()
	}

	select {
	case <-ctx.Done():
	case err = <-fatal:
		err = fmt.Errorf("the worker on task queue %s can't go on: %w", options.TaskQueue, err)
	}
	if options.Draining != nil {
		options.Draining()
	}
	options.Logger.Info("worker draining", "taskQueue", options.TaskQueue)
	var stopping sync.WaitGroup
	stopping.Go(submissions.Stop)
	stopping.Go(jobs.Stop)
	stopping.Wait()
	return err
}

// claim is what keeps the build id of the version, or nil without a version.
func (o Options) claim(c client.Client, lost func(error)) (*claim, error) {
	if o.Version == (worker.WorkerDeploymentVersion{}) {
		return nil, nil
	}
	code, err := command.Code()
	if err != nil {
		return nil, err
	}
	return &claim{
		deployment: c.WorkerDeploymentClient().GetHandle(o.Version.DeploymentName),
		version:    o.Version,
		code:       code,
		lost:       lost,
		logger:     o.Logger,
	}, nil
}
