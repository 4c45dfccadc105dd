package activities

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"syscall"
	"time"

	"go.temporal.io/sdk/temporal"

	"lumaflow/internal/fetch"
	"lumaflow/internal/kie"
	"lumaflow/internal/telemetry/metrics"
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

// The types of the application errors that do not end a job: the workflow or the
// server's retries handle them.
const (
	// Held carries a Hold: kie.ai refused the submission temporarily.
	Held = "Held"
	// NotSent means that a submission never left the worker.
	NotSent = "NotSent"
	// LaterRun means that nothing was submitted because the run is not the one that
	// may send: an earlier run of the job may have paid.
	LaterRun = "LaterRun"
	// UnprovenTask means that kie.ai's record of a task neither proves nor denies that
	// the task is this job's.
	UnprovenTask = "UnprovenTask"
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
	// DownloadInterrupted means that a download can be resumed.
	DownloadInterrupted = "DownloadInterrupted"
	// StorageUnavailable means that the disk or the store did not take a file.
	StorageUnavailable = "StorageUnavailable"
	// MediaGone means that kie.ai has deleted a video: its links are dead and its
	// task ended before the retention of media.
	MediaGone = "MediaGone"
)

// storageRetryDelay is the pause after a failed write to the disk or the store.
const storageRetryDelay = 30 * time.Second

// downloadFailure is the handling of one kind of failed download.
type downloadFailure struct {
	// outcome is the value of the metric.
	outcome   string
	errorType string
	// delay is the pause before the next attempt; zero leaves it to the retry
	// policy.
	delay time.Duration
	// rejected counts the attempt towards maxRejections.
	rejected bool
}

var downloadFailures = map[fetch.Kind]downloadFailure{
	fetch.Transient: {metrics.DownloadInterrupted, DownloadInterrupted, 0, false},
	fetch.LinkDead:  {metrics.DownloadLinkDead, DownloadInterrupted, 30 * time.Second, false},
	fetch.Rejected:  {metrics.DownloadRejected, DownloadInterrupted, 10 * time.Second, true},
	fetch.Forbidden: {metrics.DownloadRejected, DownloadInterrupted, 10 * time.Second, true},
	fetch.Disk:      {metrics.DownloadStorage, StorageUnavailable, storageRetryDelay, false},
}

// permanent returns an application error that ends the activity. Its text is the
// message and the cause's; details travel with it.
func permanent(errorType, message string, cause error, details ...any) error {
	return temporal.NewApplicationErrorWithOptions(withCause(message, cause), errorType, temporal.ApplicationErrorOptions{
		NonRetryable: true,
		Details:      details,
	})
}

// retryable returns an application error after which the server runs the activity
// again, after delay or, if that is zero, after the interval of the retry policy.
// It is benign: retries are a normal part of a job. Details travel with it.
func retryable(errorType, message string, cause error, delay time.Duration, details ...any) error {
	return temporal.NewApplicationErrorWithOptions(withCause(message, cause), errorType, temporal.ApplicationErrorOptions{
		NextRetryDelay: delay,
		Details:        details,
		Category:       temporal.ApplicationErrorCategoryBenign,
	})
}

// storageFailure is a failure of the disk or the store. It gives the operator's next
// step if the system names the reason; the job itself needs none.
func storageFailure(cause error, delay time.Duration) error {
	for errno, step := range storageSteps {
		if errors.Is(cause, errno) {
			return retryable(StorageUnavailable, step+", and the job continues by itself", cause, delay)
		}
	}
	return retryable(StorageUnavailable, "", cause, delay)
}

var storageSteps = map[syscall.Errno]string{
	syscall.ENOSPC: "the disk is full: make room",
	syscall.EDQUOT: "the disk quota is used up: raise it or make room",
	syscall.EROFS:  "the file system is read-only: mount it writable or name another folder",
	syscall.EIO:    "the disk fails to read or write: check it, or name another folder",
}

func withCause(message string, cause error) string {
	switch {
	case cause == nil:
		return message
	case message == "":
		return detail(cause)
	default:
		return message + ": " + detail(cause)
	}
}

// detail returns the text of an error without its class, which the message
// before it already gives.
func detail(cause error) string {
	failed, ok := errors.AsType[*kie.Error](cause)
	if !ok {
		return cause.Error()
	}
	var parts []string
	// The code of success explains nothing.
	if failed.Code != 0 && failed.Code != http.StatusOK {
		parts = append(parts, fmt.Sprintf("code %d (%s)", failed.Code, kie.Reason(failed.Code)))
	}
	if failed.Err != nil {
		parts = append(parts, failed.Err.Error())
	}
	if failed.Message != "" {
		parts = append(parts, failed.Message)
	}
	if len(parts) == 0 {
		return cause.Error()
	}
	return strings.Join(parts, ": ")
}

// retryAfter returns the delay of the Retry-After header of kie.ai's answer, or zero.
func retryAfter(err error) time.Duration {
	if failed, ok := errors.AsType[*kie.Error](err); ok {
		return failed.RetryAfter
	}
	return 0
}
