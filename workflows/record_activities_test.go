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
	"lumaflow/internal/paid/runs"
	"lumaflow/internal/store"
)

// activityCall is the script of one call of an activity.
type activityCall[In, Out any] func(ctx context.Context, rec *recording, in In) (Out, error)

type (
	submitCall   = activityCall[activities.SubmitInput, activities.Submitted]
	identifyCall = activityCall[activities.IdentifyInput, activities.Identified]
	pollCall     = activityCall[activities.PollInput, activities.Finished]
	downloadCall = activityCall[activities.DownloadInput, activities.Downloaded]
	sourceCall   = activityCall[activities.SourceInput, activities.KeptSource]
	receiptCall  = activityCall[activities.ReceiptInput, struct{}]
	earlierCall  = activityCall[struct{}, activities.Earlier]
	confirmCall  = activityCall[activities.ConfirmInput, activities.Finished]
)

// scriptedActivities run the activities of all recordings.
type scriptedActivities struct {
	mu         sync.Mutex
	recordings map[string]*recording
}

func (sa *scriptedActivities) add(rec *recording) {
	sa.mu.Lock()
	defer sa.mu.Unlock()
	sa.recordings[rec.scenario.name] = rec
	for _, taskID := range rec.scenario.collects {
		id := runs.CollectorID(taskID)
		sa.recordings[id] = &recording{
			t: rec.t, ctx: rec.ctx, client: rec.client, calls: map[string]int{},
			scenario: scenario{name: id, settings: rec.scenario.settings, identify: []identifyCall{identifies}},
		}
	}
}

func (sa *scriptedActivities) register(w worker.ActivityRegistry) {
	as := func(name string) activity.RegisterOptions { return activity.RegisterOptions{Name: name} }
	submit := scripted(sa, "Submit", func(s scenario) []submitCall { return s.submit }, accepts)
	w.RegisterActivityWithOptions(func(ctx context.Context, in activities.SubmitInput) (activities.Submitted, error) {
		if in.Run != activity.GetInfo(ctx).WorkflowExecution.RunID {
			return activities.Submitted{}, nonRetryable(activities.LaterRun, "nothing is submitted: an earlier run of the job may have paid")
		}
		return submit(ctx, in)
	}, as("Submit"))
	w.RegisterActivityWithOptions(scripted(sa, "Confirm", func(s scenario) []confirmCall { return s.confirm }, confirms), as("Confirm"))
	earlier := scripted(sa, "EarlierRuns", func(s scenario) []earlierCall { return s.earlier }, nil)
	w.RegisterActivityWithOptions(func(ctx context.Context) (activities.Earlier, error) { return earlier(ctx, struct{}{}) }, as("EarlierRuns"))
	w.RegisterActivityWithOptions(scripted(sa, "Identify", func(s scenario) []identifyCall { return s.identify }, nil), as("Identify"))
	w.RegisterActivityWithOptions(scripted(sa, "Poll", func(s scenario) []pollCall { return s.poll }, finishes(resultURL)), as("Poll"))
	w.RegisterActivityWithOptions(scripted(sa, "Download", func(s scenario) []downloadCall { return s.download }, stored), as("Download"))
	w.RegisterActivityWithOptions(scripted(sa, "KeepSource", func(s scenario) []sourceCall { return s.source }, keepsSource), as("KeepSource"))
	write := scripted(sa, "WriteReceipt", func(s scenario) []receiptCall { return s.receipt }, written)
	w.RegisterActivityWithOptions(func(ctx context.Context, in activities.ReceiptInput) error {
		_, err := write(ctx, in)
		return err
	}, as("WriteReceipt"))
}

// scripted is an activity that follows the script of the job that calls it. A job
// without a script for it gets fallback.
func scripted[In, Out any](sa *scriptedActivities, name string, script func(scenario) []activityCall[In, Out], fallback activityCall[In, Out]) func(context.Context, In) (Out, error) {
	return func(ctx context.Context, in In) (Out, error) {
		sa.mu.Lock()
		rec := sa.recordings[activity.GetInfo(ctx).WorkflowExecution.ID]
		sa.mu.Unlock()
		number := rec.countCall(name)
		calls := script(rec.scenario)
		switch {
		case number < len(calls):
			return calls[number](ctx, rec, in)
		case len(calls) == 0 && fallback != nil:
			return fallback(ctx, rec, in)
		}
		var none Out
		rec.t.Errorf("call %d of %s was not expected", number+1, name)
		return none, nonRetryable("Test", "not in the script")
	}
}

func nonRetryable(errorType, message string, details ...any) error {
	return temporal.NewNonRetryableApplicationError(message, errorType, nil, details...)
}

// retryable is an error that the server retries after a delay.
func retryable(errorType, message string, after time.Duration) error {
	return temporal.NewApplicationErrorWithOptions(message, errorType, temporal.ApplicationErrorOptions{
		NextRetryDelay: after,
		Category:       temporal.ApplicationErrorCategoryBenign,
	})
}

func accepts(_ context.Context, rec *recording, in activities.SubmitInput) (activities.Submitted, error) {
	return rec.evidence(in, activities.PhaseAccepted, ourTask).Submitted(), nil
}

// acceptsWhenOpened accepts when drive closes the gate.
func acceptsWhenOpened(ctx context.Context, rec *recording, in activities.SubmitInput) (activities.Submitted, error) {
	<-rec.gate
	return accepts(ctx, rec, in)
}

func refuses(_ context.Context, rec *recording, in activities.SubmitInput) (activities.Submitted, error) {
	return activities.Submitted{}, nonRetryable(activities.SubmitRefused, "kie.ai refused the submission, nothing was charged: code 422 (invalid request)",
		rec.evidence(in, activities.PhaseRefused, ""))
}

// losesAnswer is a submission whose answer did not arrive; it may name a task.
func losesAnswer(taskID string) submitCall {
	return func(_ context.Context, rec *recording, in activities.SubmitInput) (activities.Submitted, error) {
		return activities.Submitted{}, nonRetryable(activities.SubmitUnknown,
			"no usable answer: the connection broke after the request was written", rec.evidence(in, activities.PhaseSending, taskID))
	}
}

// timesOutWith is a worker that dies during a submission: it records evidence, or
// none if phase is empty, and does not complete the activity.
func timesOutWith(phase activities.Phase, taskID string) submitCall {
	return func(ctx context.Context, rec *recording, in activities.SubmitInput) (activities.Submitted, error) {
		if phase != "" {
			err := rec.client.RecordActivityHeartbeat(ctx, activity.GetInfo(ctx).TaskToken, rec.evidence(in, phase, taskID))
			if err != nil {
				rec.t.Errorf("record evidence: %v", err)
			}
		}
		return activities.Submitted{}, activity.ErrResultPending
	}
}

// holds is a hold with a reason that the status does not have yet.
func holds(code int, reason string) submitCall {
	return func(_ context.Context, rec *recording, in activities.SubmitInput) (activities.Submitted, error) {
		return activities.Submitted{}, nonRetryable(activities.Held, "kie.ai refused the submission for now", activities.Hold{
			Code: code, Reason: reason, Until: time.Now().UTC(), Attempts: in.Attempts + 1, Settings: rec.settings(),
		})
	}
}

// staysHeld is a hold with the reason of the last one, which the server retries.
func staysHeld(after time.Duration) submitCall {
	return func(context.Context, *recording, activities.SubmitInput) (activities.Submitted, error) {
		return activities.Submitted{}, retryable(activities.Held, "held: not enough credits", after)
	}
}

// expires is a submission that is held until the upload is deleted.
func expires(_ context.Context, rec *recording, in activities.SubmitInput) (activities.Submitted, error) {
	return activities.Submitted{}, nonRetryable(activities.VideoExpired,
		"nothing was submitted or charged: kie.ai held the job (not enough credits) until the uploaded video expired at "+in.Until.UTC().Format(time.RFC3339),
		rec.evidence(in, activities.PhaseRefused, ""))
}

func identifies(_ context.Context, rec *recording, in activities.IdentifyInput) (activities.Identified, error) {
	return activities.Identified{
		TaskID: in.TaskID, Prompt: request.Prompt, VideoURL: request.VideoURL, CreatedAt: time.Now().UTC(), Settings: rec.settings(),
	}, nil
}

func notIdentified(errorType, message string) identifyCall {
	return func(context.Context, *recording, activities.IdentifyInput) (activities.Identified, error) {
		return activities.Identified{}, nonRetryable(errorType, message)
	}
}

// confirms is a record that has the end of the task when the callback comes.
func confirms(_ context.Context, _ *recording, in activities.ConfirmInput) (activities.Finished, error) {
	return activities.Finished{TaskID: in.TaskID, ResultURLs: []string{resultURL}, CompletedAt: time.Now().UTC(), Polls: 1}, nil
}

// confirmsNothing leaves the decision to Poll.
func confirmsNothing(context.Context, *recording, activities.ConfirmInput) (none activities.Finished, err error) {
	return none, nil
}

// finishes is a record of a task that succeeded.
func finishes(urls ...string) pollCall {
	return func(ctx context.Context, _ *recording, in activities.PollInput) (activities.Finished, error) {
		return activities.Finished{
			TaskID: in.TaskID, ResultURLs: urls, CompletedAt: time.Now().UTC(), Polls: int(activity.GetInfo(ctx).Attempt),
		}, nil
	}
}

// finishesWhenOpened succeeds when drive closes the gate.
func finishesWhenOpened(ctx context.Context, rec *recording, in activities.PollInput) (activities.Finished, error) {
	<-rec.gate
	return finishes(resultURL)(ctx, rec, in)
}

func pending(after time.Duration) pollCall {
	return func(context.Context, *recording, activities.PollInput) (activities.Finished, error) {
		return activities.Finished{}, retryable(activities.Pending, "kie.ai says running (flag 0)", after)
	}
}

func pollFails(errorType, message string) pollCall {
	return func(ctx context.Context, _ *recording, _ activities.PollInput) (activities.Finished, error) {
		return activities.Finished{}, nonRetryable(errorType, message, int(activity.GetInfo(ctx).Attempt))
	}
}

func stored(_ context.Context, _ *recording, in activities.DownloadInput) (activities.Downloaded, error) {
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

func rejectsSecond(ctx context.Context, rec *recording, in activities.DownloadInput) (activities.Downloaded, error) {
	if in.Number == 2 {
		return activities.Downloaded{}, nonRetryable(activities.DownloadRejected, "kie.ai's link gives no video that can be stored: it is text/html")
	}
	return stored(ctx, rec, in)
}

// runsUntilCancelled is a download that runs until it is cancelled.
func runsUntilCancelled(ctx context.Context, _ *recording, _ activities.DownloadInput) (activities.Downloaded, error) {
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return activities.Downloaded{}, ctx.Err()
		case <-ticker.C:
			activity.RecordHeartbeat(ctx, activities.DownloadProgress{Bytes: 1000, Total: 1_234_567})
		}
	}
}

func keepsSource(_ context.Context, _ *recording, in activities.SourceInput) (activities.KeptSource, error) {
	name := "luma_source_" + in.TaskID + ".mp4"
	return activities.KeptSource{ReceiptFile: &store.ReceiptFile{
		Name: name, Location: "file:///videos/" + name, URLHost: "cdn.example.org", ETag: `"2"`, Bytes: 2_345_678,
		SHA256: "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae", Duration: "10s", Width: 1920, Height: 1080,
	}}, nil
}

func written(context.Context, *recording, activities.ReceiptInput) (struct{}, error) {
	return struct{}{}, nil
}

func notWritten(context.Context, *recording, activities.ReceiptInput) (struct{}, error) {
	return struct{}{}, retryable(activities.StorageUnavailable, "store the receipt: "+errors.ErrUnsupported.Error(), 100*time.Millisecond)
}
