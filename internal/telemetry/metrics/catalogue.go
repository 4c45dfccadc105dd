package metrics

// Submissions counts, on the worker, what became of submissions.
var Submissions = Counter{Metric{
	Name:  "lumaflow_submissions",
	Kind:  CounterKind,
	Help:  "Submissions to kie.ai by outcome: accepted (a paid task), refused for good, held for now (by the credit, the key's usage cap, the key itself, the rate limit, maintenance or something else), not-sent (it never left the worker), unknown (it may have created a paid task). A held job is submitted again and again.",
	Label: "outcome", Values: []string{
		SubmissionAccepted, SubmissionRefused, SubmissionNotSent, SubmissionUnknown,
		HeldByCredit, HeldByCap, HeldByKey, HeldByRateLimit, HeldByMaintenance, HeldByOther,
	},
}}

// The outcomes of a submission.
const (
	SubmissionAccepted = "accepted"
	SubmissionRefused  = "refused"
	SubmissionNotSent  = "not-sent"
	SubmissionUnknown  = "unknown"
	HeldByCredit       = "held-credit"
	HeldByCap          = "held-cap"
	HeldByKey          = "held-key"
	HeldByRateLimit    = "held-rate-limit"
	HeldByMaintenance  = "held-maintenance"
	HeldByOther        = "held-other"
)

// Polls counts, on the worker, the looks at records of tasks that are waited for.
var Polls = Counter{Metric{
	Name:  "lumaflow_polls",
	Kind:  CounterKind,
	Help:  "Looks at kie.ai's record of a task that is waited for, by what it said: pending, finished, failed, or unavailable (no usable answer).",
	Label: "answer", Values: []string{PollPending, PollFinished, PollFailed, PollUnavailable},
}}

// The answers of a poll.
const (
	PollPending     = "pending"
	PollFinished    = "finished"
	PollFailed      = "failed"
	PollUnavailable = "unavailable"
)

// JobPolls shows, on the worker, how many polls a task took.
var JobPolls = Histogram{Metric{
	Name:    "lumaflow_job_polls",
	Kind:    HistogramKind,
	Help:    "Polls until the record told the end of a job's task, counted anew when a callback cuts the polling short.",
	Buckets: []float64{1, 2, 3, 5, 10, 20, 50, 100, 500, 1000},
}}

// Wakeups counts, on the worker, what ended the wait for a task.
var Wakeups = Counter{Metric{
	Name:  "lumaflow_wakeups",
	Kind:  CounterKind,
	Help:  "Tasks found finished, by what woke the job: its callback or a poll.",
	Label: "source", Values: []string{WokenByCallback, WokenByPoll},
}}

// What can wake a job.
const (
	WokenByCallback = "callback"
	WokenByPoll     = "poll"
)

// CallbacksOverdue counts, on the worker, callbacks that ought to have come.
var CallbacksOverdue = Counter{Metric{
	Name: "lumaflow_callbacks_overdue",
	Kind: CounterKind,
	Help: "Tasks that a poll found finished, more than a minute after the fact, although a callback was expected.",
}}

// FinishedToStored shows, on the worker, how long a finished video is at kie.ai
// only.
var FinishedToStored = Histogram{Metric{
	Name:    "lumaflow_finished_to_stored",
	Kind:    HistogramKind,
	Help:    "Time from the moment kie.ai finished a task to the moment all its files and the receipt are stored. Jobs that collect an older task are left out.",
	Seconds: true,
	Buckets: []float64{1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 6 * 3600, 24 * 3600},
}}

// JobsEnded counts, on the worker, jobs by their end.
var JobsEnded = Counter{Metric{
	Name:  "lumaflow_jobs_ended",
	Kind:  CounterKind,
	Help:  "Jobs that ended, by result: done, cancelled, or the type of the failure. Jobs that Temporal itself ended (terminated, timed out) are left out.",
	Label: "result", Values: []string{
		JobDone, JobCancelled,
		"InvalidRequest", "SubmitRefused", "SubmitUnknown", "GenerationFailed", "ResultOverdue", "DownloadRejected",
	},
}}

// The results of a job beside the types of the failures in its contract.
const (
	JobDone      = "done"
	JobCancelled = "cancelled"
)

// Downloads counts, on the worker, attempts to download.
var Downloads = Counter{Metric{
	Name:  "lumaflow_downloads",
	Kind:  CounterKind,
	Help:  "Attempts to download a video, by outcome: stored, already-stored (by an earlier job), interrupted, link-dead, rejected (no video, or a forbidden address), storage (the disk or the store did not take it), drained (the worker was told to stop; the next one goes on).",
	Label: "outcome", Values: []string{
		DownloadStored, DownloadAlreadyStored, DownloadInterrupted, DownloadLinkDead, DownloadRejected, DownloadStorage, DownloadDrained,
	},
}}

// The outcomes of an attempt to download.
const (
	DownloadStored        = "stored"
	DownloadAlreadyStored = "already-stored"
	DownloadInterrupted   = "interrupted"
	DownloadLinkDead      = "link-dead"
	DownloadRejected      = "rejected"
	DownloadStorage       = "storage"
	DownloadDrained       = "drained"
)

// StoredBytes counts, on the worker, the bytes of the videos it has stored.
var StoredBytes = Counter{Metric{
	Name: "lumaflow_stored_bytes",
	Kind: CounterKind,
	Help: "Bytes of the videos that were downloaded, verified and stored.",
}}

// Callbacks counts, on the webhook, requests by what became of them.
var Callbacks = Counter{Metric{
	Name:  "lumaflow_callbacks",
	Kind:  CounterKind,
	Help:  "Callbacks by verdict: accepted (the job was signalled), duplicate, late (the job is over), forged (no token of ours), bad-signature (not signed with KIE_WEBHOOK_HMAC_KEY, or too long ago), malformed, too-large, busy (too many at once, or for one job), unavailable (Temporal did not take the signal; kie.ai sends it again).",
	Label: "verdict", Values: []string{
		CallbackAccepted, CallbackDuplicate, CallbackLate, CallbackForged, CallbackBadSignature,
		CallbackMalformed, CallbackTooLarge, CallbackBusy, CallbackUnavailable,
	},
}}

// The verdicts on a callback.
const (
	CallbackAccepted     = "accepted"
	CallbackDuplicate    = "duplicate"
	CallbackLate         = "late"
	CallbackForged       = "forged"
	CallbackBadSignature = "bad-signature"
	CallbackMalformed    = "malformed"
	CallbackTooLarge     = "too-large"
	CallbackBusy         = "busy"
	CallbackUnavailable  = "unavailable"
)

// Jobs is, like the gauges after it, what a worker counts now and then over all
// jobs of its task queue. Every worker comes to the same values, so take the
// maximum over them, not the sum.
var Jobs = Gauge{Metric{
	Name:  "lumaflow_jobs",
	Kind:  GaugeKind,
	Help:  "Open jobs by stage; unknown are those whose stage neither the search attribute nor the job tells.",
	Label: "stage", Values: []string{"submitting", "held", "submit-unknown", "waiting", "collecting", StageUnknown},
}}

// StageUnknown is the stage of jobs that do not tell it.
const StageUnknown = "unknown"

// ChargesUnresolved are the submissions of open jobs that may have been paid for.
var ChargesUnresolved = Gauge{Metric{
	Name: "lumaflow_charges_unresolved",
	Kind: GaugeKind,
	Help: "Open jobs whose submission may have been charged and whose task is not known (stage submit-unknown).",
}}

// OldestJob is the age of the oldest open job.
var OldestJob = Gauge{Metric{
	Name:    "lumaflow_oldest_job",
	Kind:    GaugeKind,
	Help:    "Age of the oldest open job, 0 if there is none.",
	Seconds: true,
}}

// MediaAtRisk are the tasks whose video may be at kie.ai only.
var MediaAtRisk = Gauge{Metric{
	Name: "lumaflow_media_at_risk",
	Kind: GaugeKind,
	Help: "Finished tasks whose video no job has stored, as lumaflow list --at-risk shows them: of jobs that ended without it, and of open jobs that are collecting or whose task was submitted more than an hour ago.",
}}

// MediaHoursLeft is when the first of them is deleted.
var MediaHoursLeft = Gauge{Metric{
	Name: "lumaflow_media_hours_left",
	Kind: GaugeKind,
	Help: "Hours until kie.ai deletes the first of the media at risk, 14 days after its task finished, or after it was submitted if nobody has seen its end; +Inf if none is at risk.",
}}

// CensusTime is when the gauges were last brought up to date.
var CensusTime = Gauge{Metric{
	Name:    "lumaflow_census_timestamp",
	Kind:    GaugeKind,
	Help:    "Unix time of the last complete count of all jobs.",
	Seconds: true,
}}

// OfWorker and OfWebhook are the counters of each role.
var (
	OfWorker  = []Counter{Submissions, Polls, Wakeups, CallbacksOverdue, JobsEnded, Downloads, StoredBytes}
	OfWebhook = []Counter{Callbacks}
)

// All are all metrics of lumaflow's own.
func All() []Metric {
	return []Metric{
		Submissions.Metric, Polls.Metric, JobPolls.Metric, Wakeups.Metric, CallbacksOverdue.Metric, FinishedToStored.Metric,
		JobsEnded.Metric, Downloads.Metric, StoredBytes.Metric, Callbacks.Metric,
		Jobs.Metric, ChargesUnresolved.Metric, OldestJob.Metric, MediaAtRisk.Metric, MediaHoursLeft.Metric, CensusTime.Metric,
	}
}
