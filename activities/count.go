package activities

import (
	"context"
	"errors"

	"go.temporal.io/sdk/activity"

	"lumaflow/internal/fetch"
	"lumaflow/internal/kie"
	"lumaflow/internal/telemetry/metrics"
)

// holds names the codes of a refusal for now.
var holds = map[int]string{
	401: metrics.HeldByKey,
	402: metrics.HeldByCredit,
	429: metrics.HeldByRateLimit,
	433: metrics.HeldByCap,
	455: metrics.HeldByMaintenance,
}

// countSubmission counts how kie.ai took a submission. One with an unknown
// outcome is left to the workflow, which hears of those whose worker died, too.
func countSubmission(ctx context.Context, err error) {
	outcome := metrics.SubmissionAccepted
	switch kie.ClassOf(err) {
	case kie.NotSent:
		outcome = metrics.SubmissionNotSent
	case kie.Refused:
		outcome = metrics.SubmissionRefused
	case kie.Held:
		outcome = metrics.HeldByOther
		var refusal *kie.Error
		if errors.As(err, &refusal) && holds[refusal.Code] != "" {
			outcome = holds[refusal.Code]
		}
	case kie.Unknown:
		return
	}
	metrics.Submissions.Add(activity.GetMetricsHandler(ctx), 1, outcome)
}

// countPoll counts one look at the record.
func countPoll(ctx context.Context, answer string) {
	metrics.Polls.Add(activity.GetMetricsHandler(ctx), 1, answer)
}

// countEnd counts the look that found the end, and how many it took.
func (p poll) countEnd(ctx context.Context, answer string) {
	countPoll(ctx, answer)
	metrics.JobPolls.Observe(ctx, activity.GetMetricsHandler(ctx), p.attempt)
}

// outcomes name the kinds of failed downloads.
var outcomes = map[fetch.Kind]string{
	fetch.Transient: metrics.DownloadInterrupted,
	fetch.LinkDead:  metrics.DownloadLinkDead,
	fetch.Rejected:  metrics.DownloadRejected,
	fetch.Forbidden: metrics.DownloadRejected,
	fetch.Disk:      metrics.DownloadStorage,
}

func countDownload(ctx context.Context, outcome string) {
	metrics.Downloads.Add(activity.GetMetricsHandler(ctx), 1, outcome)
}
