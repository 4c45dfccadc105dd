// Package worker assembles and runs the Temporal worker: one task queue for
// workflows, polls and downloads, and one for submissions alone, because its
// rate limit is enforced by the server for all workers together.
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
	"lumaflow/worker/replay"
	"lumaflow/workflows"
	"lumaflow/workflows/batches"
)

const (
	// jobSlots bounds the concurrent downloads and polls of one worker. A download
	// takes little memory, and a poll must not queue behind downloads.
	jobSlots = 100
	// submitSlots bounds the concurrent submissions of one worker.
	submitSlots = 16
	// typedTaskQueues is the number of task queues by name and type: workflows and
	// activities of the jobs, and submissions.
	typedTaskQueues = 3
	// rateShare of Options.SubmitsPerSecond is the rate that the workers ask Temporal for.
	// kie.ai counts submissions in windows of 10 s: at its very limit one that arrives
	// some milliseconds early is refused, and its repetition takes the turn of another.
	rateShare = 0.95
	// heartbeatThrottle is the longest time that the SDK holds a heartbeat back.
	heartbeatThrottle = 10 * time.Second
	// stopTimeout is the time that activities get to return; downloads return at
	// once.
	stopTimeout = 20 * time.Second
	// submitStopTimeout covers the full time limit of a paid request in flight.
	submitStopTimeout = activities.SubmissionTimeout + 15*time.Second
)

// Options are the settings of a worker.
type Options struct {
	TaskQueue string
	// SubmitsPerSecond is kie.ai's limit for all workers together. They stay 5 % below
	// it, so that jitter causes no refusal.
	SubmitsPerSecond float64
	// Version is the worker deployment version that polls both task queues; zero
	// means unversioned.
	Version worker.WorkerDeploymentVersion
	Logger  *slog.Logger
	// Batches are the activities of batches.
	Batches *activities.Batches
	// Gate is the check of this build before its version gets jobs.
	Gate replay.Gate
	// SearchAttributes reports without blocking whether the namespace has lumaflow's
	// search attributes; nil means that it has.
	SearchAttributes func() bool
	// BatchAttribute reports without blocking whether the namespace has the search
	// attribute of batches; nil means that it has not.
	BatchAttribute func() bool
	// Started is called when polling has begun, Draining when it has ended; nil is
	// allowed.
	Started, Draining func()
}

// Run polls both task queues until ctx ends, then drains: it takes no new tasks,
// completes the submissions in flight and stops downloads, which another worker
// resumes. It returns early with an error if a worker fails permanently.
func Run(ctx context.Context, c client.Client, acts *activities.Activities, options Options) error {
	fatal := make(chan error, 2)
	jobs := newJobWorker(c, acts, options, fatal)
	submissions := newSubmitWorker(c, acts, options, fatal)
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
		err = fmt.Errorf("the worker on task queue %s can't continue: %w", options.TaskQueue, err)
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

// newJobWorker makes the worker of workflows, polls, downloads and receipts.
func newJobWorker(c client.Client, acts *activities.Activities, options Options, fatal chan<- error) worker.Worker {
	jobs := worker.New(c, options.TaskQueue, worker.Options{
		MaxConcurrentActivityExecutionSize: jobSlots,
		MaxHeartbeatThrottleInterval:       heartbeatThrottle,
		WorkerStopTimeout:                  stopTimeout,
		DeploymentOptions:                  deployment(options.Version),
		DisableRegistrationAliasing:        true,
		OnFatalError:                       sendTo(fatal),
	})
	workflows.RegisterWith(jobs, workflows.Workflows{Attributes: options.SearchAttributes, BatchAttribute: options.BatchAttribute})
	jobs.RegisterActivity(acts.EarlierRuns)
	jobs.RegisterActivity(acts.Identify)
	jobs.RegisterActivity(acts.Confirm)
	jobs.RegisterActivity(acts.Poll)
	jobs.RegisterActivity(acts.Download)
	jobs.RegisterActivity(acts.KeepSource)
	jobs.RegisterActivity(acts.WriteReceipt)
	jobs.RegisterActivity(acts.ReportEnd)
	batches.Register(jobs)
	options.Gate.Register(jobs)
	jobs.RegisterActivity(options.Batches.CheckManifest)
	jobs.RegisterActivity(options.Batches.NextJobs)
	jobs.RegisterActivity(options.Batches.SweepJobs)
	jobs.RegisterActivity(options.Batches.CountCharges)
	jobs.RegisterActivity(options.Batches.WriteResults)
	jobs.RegisterActivity(options.Batches.FinishResults)
	return jobs
}

// newSubmitWorker makes the worker of submissions.
func newSubmitWorker(c client.Client, acts *activities.Activities, options Options, fatal chan<- error) worker.Worker {
	submissions := worker.New(c, workflows.SubmitTaskQueue(options.TaskQueue), worker.Options{
		DisableWorkflowWorker:              true,
		MaxConcurrentActivityExecutionSize: submitSlots,
		TaskQueueActivitiesPerSecond:       rateShare * options.SubmitsPerSecond,
		WorkerStopTimeout:                  submitStopTimeout,
		DeploymentOptions:                  deployment(options.Version),
		OnFatalError:                       sendTo(fatal),
	})
	submissions.RegisterActivity(acts.Submit)
	return submissions
}

// sendTo returns a callback that never blocks the SDK: the first error ends Run,
// later ones are dropped.
func sendTo(fatal chan<- error) func(error) {
	return func(err error) {
		select {
		case fatal <- err:
		default:
		}
	}
}

// watchVersion logs the status of the version, if there is one, in the
// background until stop is called.
func (o Options) watchVersion(ctx context.Context, c client.Client) (stop func()) {
	if o.Version == (worker.WorkerDeploymentVersion{}) {
		return func() {}
	}
	handle := c.WorkerDeploymentClient().GetHandle(o.Version.DeploymentName)
	describe := func(ctx context.Context) (client.WorkerDeploymentVersionDescription, error) {
		described, err := handle.DescribeVersion(ctx, client.WorkerDeploymentDescribeVersionOptions{BuildID: o.Version.BuildID})
		// Temporal refuses to make a version current that lacks a task queue, so the
		// command in the log would fail. An empty list proves nothing: the field is
		// deprecated.
		if queues := len(described.Info.TaskQueuesInfos); err == nil && queues > 0 && queues < typedTaskQueues {
			err = fmt.Errorf("the version has %d of its %d task queues", queues, typedTaskQueues)
		}
		return described, err
	}
	return background(ctx, func(ctx context.Context) { logVersionStatus(ctx, describe, o.Version, o.Logger) })
}

// background runs work in a goroutine. Stop cancels it and returns when it has
// ended.
func background(ctx context.Context, work func(context.Context)) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	running.Go(func() { work(ctx) })
	return func() {
		cancel()
		running.Wait()
	}
}
