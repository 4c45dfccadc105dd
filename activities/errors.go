package activities

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"go.temporal.io/sdk/temporal"

	"lumaflow/internal/fetch"
	"lumaflow/internal/kie"
)

// The types of the application errors that end a job. They are part of the
// contract.
const (
	InvalidRequest   = "InvalidRequest"
	SubmitRefused    = "SubmitRefused"
	SubmitUnknown    = "SubmitUnknown"
	GenerationFailed = "GenerationFailed"
	ResultOverdue    = "ResultOverdue"
	DownloadRejected = "DownloadRejected"
)

// The types of the application errors that a job lives through: it, or the
// server's retries, go on from them.
const (
	// Held carries a Hold: kie.ai refused the submission for now.
	Held = "Held"
	// NotSent means that a submission never left the worker.
	NotSent = "NotSent"
	// VideoExpired means that nothing was submitted because kie.ai deletes the
	// uploaded video before it could have fetched it.
	VideoExpired = "VideoExpired"
	// Pending means that the task is still running.
	Pending = "Pending"
	// ProviderUnavailable means that kie.ai gave no usable answer to a read.
	ProviderUnavailable = "ProviderUnavailable"
	// UnknownTask means that kie.ai has no record of a task id.
	UnknownTask = "UnknownTask"
	// ForeignTask means that a task exists but is not this job's.
	ForeignTask = "ForeignTask"
	// DownloadInterrupted means that a download can go on where it stopped.
	DownloadInterrupted = "DownloadInterrupted"
	// StorageUnavailable means that the disk or the store did not take a file.
	StorageUnavailable = "StorageUnavailable"
	// MediaGone means that kie.ai has deleted a video: its links are dead and its
	// task ended longer ago than media are kept.
	MediaGone = "MediaGone"
)

// storageRetry is how long a disk or store that did not take a file is left
// alone.
const storageRetry = 30 * time.Second

// downloadVerdicts say what becomes of a download that failed.
var downloadVerdicts = map[fetch.Kind]verdict{
	fetch.Transient: {errorType: DownloadInterrupted},
	fetch.LinkDead:  {errorType: DownloadInterrupted, after: 30 * time.Second},
	fetch.Rejected:  {errorType: DownloadInterrupted, after: 10 * time.Second, rejection: true},
	fetch.Forbidden: {errorType: DownloadInterrupted, after: 10 * time.Second, rejection: true},
	fetch.Disk:      {errorType: StorageUnavailable, after: storageRetry},
}

// verdict is a row of the table: how a failure is called, how long to wait
// before the next try (zero leaves it to the retry policy), and whether it
// counts towards giving up.
type verdict struct {
	errorType string
	after     time.Duration
	rejection bool
}

func downloadVerdict(err error) verdict {
	row, known := downloadVerdicts[fetch.KindOf(err)]
	if !known {
		row = downloadVerdicts[fetch.Transient]
	}
	var failed *fetch.Error
	if errors.As(err, &failed) && failed.RetryAfter > 0 {
		row.after = failed.RetryAfter
	}
	return row
}

// final ends the activity with an application error. Its text is message and
// the cause's; details travel with it.
func final(errorType, message string, cause error, details ...any) error {
	return temporal.NewApplicationErrorWithOptions(withCause(message, cause), errorType, temporal.ApplicationErrorOptions{
		NonRetryable: true,
		Details:      details,
	})
}

// retry has the server run the activity again, after a while that the retry
// policy sets if it is zero. It is benign: lumaflow expects it.
func retry(errorType, message string, cause error, after time.Duration) error {
	return temporal.NewApplicationErrorWithOptions(withCause(message, cause), errorType, temporal.ApplicationErrorOptions{
		NextRetryDelay: after,
		Category:       temporal.ApplicationErrorCategoryBenign,
	})
}

func withCause(message string, cause error) string {
	switch {
	case cause == nil:
		return message
	case message == "":
		return inWords(cause)
	default:
		return message + ": " + inWords(cause)
	}
}

// inWords is what an error says beyond its class, which the message before it
// has said already.
func inWords(cause error) string {
	var failed *kie.Error
	switch {
	case !errors.As(cause, &failed):
		return cause.Error()
	case failed.Code != 0 && failed.Message != "":
		return fmt.Sprintf("code %d (%s): %s", failed.Code, kie.Reason(failed.Code), failed.Message)
	case failed.Code != 0:
		return fmt.Sprintf("code %d (%s)", failed.Code, kie.Reason(failed.Code))
	case failed.Err != nil:
		return failed.Err.Error()
	default:
		return cause.Error()
	}
}

// askedDelay is how long kie.ai asked to be left alone.
func askedDelay(err error) time.Duration {
	var failed *kie.Error
	if errors.As(err, &failed) {
		return failed.RetryAfter
	}
	return 0
}

func (t *attempt) retryable(errorType, message string, cause error, after time.Duration) error {
	if t.Now().Add(after).After(t.input.Until) {
		return t.tooLate("kie.ai could not be reached before", cause)
	}
	return retry(errorType, message, cause, after)
}

// tooLate ends a submission that can't be made in time. Why is a text that goes
// on with what the time ends with.
func (t *attempt) tooLate(why string, cause error) error {
	const nothing = "nothing was submitted or charged: "
	if t.input.Expires {
		return final(VideoExpired, nothing+why+" the uploaded video expired at "+t.input.Until.UTC().Format(time.RFC3339), cause, t.evidence)
	}
	return final(SubmitRefused, nothing+why+" the deadline", cause, t.evidence)
}

// notSent backs off with full jitter from one second to one minute, so that a
// thousand jobs don't knock together when the network is back.
func (t *attempt) notSent(cause error) error {
	ceiling := min(time.Second<<min(t.info.Attempt, 6), time.Minute)
	after := time.Second/2 + rand.N(ceiling)
	return t.retryable(NotSent, "the submission was not sent", cause, after)
}

// held leaves a hold that the job does not show yet to the workflow and retries
// one that it shows.
func (t *attempt) held(cause error) error {
	hold := Hold{Attempts: t.evidence.Attempts, Settings: t.evidence.Settings}
	var refusal *kie.Error
	if errors.As(cause, &refusal) {
		hold.Code, hold.Reason = refusal.Code, kie.Reason(refusal.Code)
		hold.Until = t.Now().Add(refusal.Delay())
	}
	if hold.Until.After(t.input.Until) {
		return t.tooLate("kie.ai held the job ("+hold.Reason+") until", nil)
	}
	if t.input.Quiet || t.input.Held != nil && t.input.Held.Code == hold.Code {
		return t.holdOn(hold)
	}
	return final(Held, "kie.ai refused the submission for now", cause, hold)
}

// holdOn has the server try again when the hold ends.
func (t *attempt) holdOn(hold Hold) error {
	return retry(Held, "held: "+hold.Reason, nil, hold.Until.Sub(t.Now()))
}

func (t *attempt) refused(cause error) error {
	return final(SubmitRefused, "kie.ai refused the submission, nothing was charged", cause, t.evidence)
}

func (t *attempt) unknown(cause error) error {
	var lost *kie.Error
	if errors.As(cause, &lost) {
		// An answer that was no clear acceptance may name a task all the same.
		t.evidence.TaskID = lost.TaskID
	}
	return final(SubmitUnknown, "no usable answer", cause, t.evidence)
}
