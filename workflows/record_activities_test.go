package workflows_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"

	"lumaflow/activities"
)

// act is one call of an activity as a scenario scripts it.
type act[In, Out any] func(ctx context.Context, t *take, in In) (Out, error)

type (
	submitAct   = act[activities.SubmitInput, activities.Submitted]
	identifyAct = act[activities.IdentifyInput, activities.Identified]
	pollAct     = act[activities.PollInput, activities.Finished]
	downloadAct = act[activities.DownloadInput, activities.Downloaded]
	receiptAct  = act[activities.ReceiptInput, struct{}]
)

// cast plays the activities of all jobs that are being recorded.
type cast struct {
	mu    sync.Mutex
	takes map[string]*take
}

func (c *cast) add(t *take) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.takes[t.scenario.name] = t
}

func (c *cast) register(w worker.ActivityRegistry) {
	as := func(name string) activity.RegisterOptions { return activity.RegisterOptions{Name: name} }
	w.RegisterActivityWithOptions(plays(c, "Submit", func(s scenario) []submitAct { return s.submit }, accepts(ourTask)), as("Submit"))
	w.RegisterActivityWithOptions(plays(c, "Identify", func(s scenario) []identifyAct { return s.identify }, nil), as("Identify"))
	w.RegisterActivityWithOptions(plays(c, "Poll", func(s scenario) []pollAct { return s.poll }, finds(resultURL)), as("Poll"))
	w.RegisterActivityWithOptions(plays(c, "Download", func(s scenario) []downloadAct { return s.download }, stored), as("Download"))
	write := plays(c, "WriteReceipt", func(s scenario) []receiptAct { return s.receipt }, written)
	w.RegisterActivityWithOptions(func(ctx context.Context, in activities.ReceiptInput) error {
		_, err := write(ctx, in)
		return err
	}, as("WriteReceipt"))
}

// plays is an activity that goes through the script of the job that calls it,
// call by call. A job that scripts none of them gets the usual act.
func plays[In, Out any](c *cast, name string, script func(scenario) []act[In, Out], usual act[In, Out]) func(context.Context, In) (Out, error) {
	return func(ctx context.Context, in In) (Out, error) {
		c.mu.Lock()
		t := c.takes[activity.GetInfo(ctx).WorkflowExecution.ID]
		c.mu.Unlock()
		number := t.call(name)
		acts := script(t.scenario)
		switch {
		case number < len(acts):
			return acts[number](ctx, t, in)
		case len(acts) == 0 && usual != nil:
			return usual(ctx, t, in)
		}
		var none Out
		t.t.Errorf("call %d of %s was not expected", number+1, name)
		return none, fails("Test", "not in the script")
	}
}

func fails(errorType, message string, details ...any) error {
	return temporal.NewNonRetryableApplicationError(message, errorType, nil, details...)
}

// again is an error that the server retries after a while.
func again(errorType, message string, after time.Duration) error {
	return temporal.NewApplicationErrorWithOptions(message, errorType, temporal.ApplicationErrorOptions{
		NextRetryDelay: after,
		Category:       temporal.ApplicationErrorCategoryBenign,
	})
}

func accepts(taskID string) submitAct {
	return func(_ context.Context, t *take, in activities.SubmitInput) (activities.Submitted, error) {
		return t.evidence(in, activities.PhaseAccepted, taskID).Submitted(), nil
	}
}

// acceptsWhenOpened waits until the scenario opens the gate.
func acceptsWhenOpened(ctx context.Context, t *take, in activities.SubmitInput) (activities.Submitted, error) {
	<-t.gate
	return accepts(ourTask)(ctx, t, in)
}

func refuses(_ context.Context, t *take, in activities.SubmitInput) (activities.Submitted, error) {
	return activities.Submitted{}, fails(activities.SubmitRefused, "kie.ai refused the submission, nothing was charged: code 422 (invalid request)",
		t.evidence(in, activities.PhaseRefused, ""))
}

// loses is a submission whose answer did not arrive; it may name a task.
func loses(taskID string) submitAct {
	return func(_ context.Context, t *take, in activities.SubmitInput) (activities.Submitted, error) {
		return activities.Submitted{}, fails(activities.SubmitUnknown,
			"no usable answer: the connection broke after the request was written", t.evidence(in, activities.PhaseSending, taskID))
	}
}

// perishes is a worker that dies while it submits: it leaves evidence, or none if
// phase is empty, and never answers.
func perishes(phase activities.Phase, taskID string) submitAct {
	return func(ctx context.Context, t *take, in activities.SubmitInput) (activities.Submitted, error) {
		if phase != "" {
			err := t.client.RecordActivityHeartbeat(ctx, activity.GetInfo(ctx).TaskToken, t.evidence(in, phase, taskID))
			if err != nil {
				t.t.Errorf("record evidence: %v", err)
			}
		}
		return activities.Submitted{}, activity.ErrResultPending
	}
}

// holds is a refusal for now that the job is to show.
func holds(code int, reason string) submitAct {
	return func(_ context.Context, t *take, in activities.SubmitInput) (activities.Submitted, error) {
		return activities.Submitted{}, fails(activities.Held, "kie.ai refused the submission for now", activities.Hold{
			Code: code, Reason: reason, Until: time.Now().UTC(), Attempts: in.Attempts + 1, Settings: t.settings(),
		})
	}
}

// holdsOn is the same refusal once more, which the server alone retries.
func holdsOn(after time.Duration) submitAct {
	return func(context.Context, *take, activities.SubmitInput) (activities.Submitted, error) {
		return activities.Submitted{}, again(activities.Held, "held: not enough credits", after)
	}
}

// expires is a submission that can't be made before the upload is deleted.
func expires(_ context.Context, t *take, in activities.SubmitInput) (activities.Submitted, error) {
	return activities.Submitted{}, fails(activities.VideoExpired,
		"nothing was submitted or charged: kie.ai held the job (not enough credits) until the uploaded video expired at "+in.Until.UTC().Format(time.RFC3339),
		t.evidence(in, activities.PhaseRefused, ""))
}

func knows(_ context.Context, t *take, in activities.IdentifyInput) (activities.Identified, error) {
	return activities.Identified{
		TaskID: in.TaskID, Prompt: request.Prompt, VideoURL: request.VideoURL, CreatedAt: time.Now().UTC(), Settings: t.settings(),
	}, nil
}

func knowsNot(errorType, message string) identifyAct {
	return func(context.Context, *take, activities.IdentifyInput) (activities.Identified, error) {
		return activities.Identified{}, fails(errorType, message)
	}
}

// finds is a record that says success.
func finds(urls ...string) pollAct {
	return func(ctx context.Context, _ *take, in activities.PollInput) (activities.Finished, error) {
		return activities.Finished{
			TaskID: in.TaskID, ResultURLs: urls, CompletedAt: time.Now().UTC(), Polls: int(activity.GetInfo(ctx).Attempt),
		}, nil
	}
}

// findsWhenOpened waits until the scenario opens the gate.
func findsWhenOpened(ctx context.Context, t *take, in activities.PollInput) (activities.Finished, error) {
	<-t.gate
	return finds(resultURL)(ctx, t, in)
}

func pending(after time.Duration) pollAct {
	return func(context.Context, *take, activities.PollInput) (activities.Finished, error) {
		return activities.Finished{}, again(activities.Pending, "kie.ai says running (flag 0)", after)
	}
}

func findsFailure(errorType, message string) pollAct {
	return func(ctx context.Context, _ *take, _ activities.PollInput) (activities.Finished, error) {
		return activities.Finished{}, fails(errorType, message, int(activity.GetInfo(ctx).Attempt))
	}
}

func stored(_ context.Context, _ *take, in activities.DownloadInput) (activities.Downloaded, error) {
	name := fmt.Sprintf("luma_result_%s_%d.mp4", in.TaskID, in.Number)
	return activities.Downloaded{
		Video: activities.Video{
			Location: "file:///videos/" + name, SourceURL: in.URL, Bytes: 1_234_567,
			SHA256:   "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
			Duration: "9.96s", Width: 1280, Height: 720,
		},
		Name: name, URLHost: "tempfile.example.org", ETag: `"1"`,
	}, nil
}

func rejectsSecond(ctx context.Context, t *take, in activities.DownloadInput) (activities.Downloaded, error) {
	if in.Number == 2 {
		return activities.Downloaded{}, fails(activities.DownloadRejected, "kie.ai's link gives no video that can be stored: it is text/html")
	}
	return stored(ctx, t, in)
}

// interrupted is a download that goes on until it is cancelled.
func interrupted(ctx context.Context, _ *take, _ activities.DownloadInput) (activities.Downloaded, error) {
	beat := time.NewTicker(time.Second)
	defer beat.Stop()
	for {
		select {
		case <-ctx.Done():
			return activities.Downloaded{}, ctx.Err()
		case <-beat.C:
			activity.RecordHeartbeat(ctx, activities.DownloadProgress{Bytes: 1000, Total: 1_234_567})
		}
	}
}

func written(context.Context, *take, activities.ReceiptInput) (struct{}, error) {
	return struct{}{}, nil
}

func notWritten(context.Context, *take, activities.ReceiptInput) (struct{}, error) {
	return struct{}{}, again(activities.StorageUnavailable, "store the receipt: "+errors.ErrUnsupported.Error(), 100*time.Millisecond)
}
