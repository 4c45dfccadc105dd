package activities

import (
	"context"
	"errors"

	"go.temporal.io/sdk/activity"

	"lumaflow/internal/kie"
	"lumaflow/internal/telemetry/metrics"
)

// holdOutcomes maps kie.ai's codes of temporary refusals to submission outcomes.
var holdOutcomes = map[int]string{
	401: metrics.HeldByKey,
	402: metrics.HeldByCredit,
	429: metrics.HeldByRateLimit,
	433: metrics.HeldByCap,
	455: metrics.HeldByMaintenance,
}

// countSubmission counts a submission by its outcome. The workflow counts the
// unknown outcomes, because only it learns of those whose worker died.
func countSubmission(ctx context.Context, err error) {
	outcome := metrics.SubmissionAccepted
	switch kie.ClassOf(err) {
	case kie.NotSent:
		outcome = metrics.SubmissionNotSent
	case kie.Refused:
		outcome = metrics.SubmissionRefused
	case kie.Held:
		outcome = metrics.HeldByOther
		if refusal, ok := errors.AsType[*kie.Error](err); ok && holdOutcomes[refusal.Code] != "" {
			outcome = holdOutcomes[refusal.Code]
		}
	case kie.Unknown:
		return
	}
	metrics.Submissions.Add(activity.GetMetricsHandler(ctx), 1, outcome)
}

func countPoll(ctx context.Context, answer string) {
	metrics.Polls.Add(activity.GetMetricsHandler(ctx), 1, answer)
}

// countEnd counts the read that found the end of the task, and the number of
// polls until then.
func (p poll) countEnd(ctx context.Context, answer string) {
	countPoll(ctx, answer)
	metrics.JobPolls.Observe(ctx, activity.GetMetricsHandler(ctx), p.attempt)
}

func countDownload(ctx context.Context, outcome string) {
	metrics.Downloads.Add(activity.GetMetricsHandler(ctx), 1, outcome)
}
