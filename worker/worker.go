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
	// Version is what both task queues are polled as; zero means no version.
	Version worker.WorkerDeploymentVersion
	Logger  *slog.Logger
	// Started is called when the worker has begun to ask for work, Draining when
	// it takes no more; nil is fine.
	Started, Draining func()
}

// Run works on both task queues until ctx ends, then drains: nothing new is
// taken, submissions under way end, downloads stop where another worker can go
// on. It returns early if a worker fails for good.
func Run(ctx context.Context, c client.Client, acts *activities.Activities, options Options) error {
	fatal := make(chan error, 2)
	onFatal := func(err error) {
		select {
		case fatal <- err:
		default:
		}
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
	defer options.watchVersion(ctx, c)()
	if options.Started != nil {
		options.Started()
	}

	var err error
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

// watchVersion logs the state of the version in the background, if there is one.
func (o Options) watchVersion(ctx context.Context, c client.Client) (stop func()) {
	if o.Version == (worker.WorkerDeploymentVersion{}) {
		return func() {}
	}
	deployment := c.WorkerDeploymentClient().GetHandle(o.Version.DeploymentName)
	describe := func(ctx context.Context) (client.WorkerDeploymentVersionDescription, error) {
		return deployment.DescribeVersion(ctx, client.WorkerDeploymentDescribeVersionOptions{BuildID: o.Version.BuildID})
	}
	ctx, cancel := context.WithCancel(ctx)
	var watching sync.WaitGroup
	watching.Go(func() { followPart(ctx, describe, o.Version, o.Logger) })
	return func() { cancel(); watching.Wait() }
}
