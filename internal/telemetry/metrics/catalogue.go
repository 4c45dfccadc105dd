package metrics

import "lumaflow/internal/kie"

// Submissions counts the outcomes of submissions, on the worker.
var Submissions = counter(Metric{
	Name: "lumaflow_submissions",
	Help: "Submissions to kie.ai by outcome: accepted (a paid task), refused for good, held (by missing credit, the key's usage cap, the key itself, the rate limit, maintenance or another reason; retried until accepted or refused), not-sent (no byte was sent), unknown (a paid task may exist).",
	Labels: []Label{{"outcome", []string{
		SubmissionAccepted, SubmissionRefused, SubmissionNotSent, SubmissionUnknown,
		HeldByCredit, HeldByCap, HeldByKey, HeldByRateLimit, HeldByMaintenance, HeldByOther,
	}}},
})

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

// Polls counts the record-info requests of waiting jobs, on the worker.
var Polls = counter(Metric{
	Name:   "lumaflow_polls",
	Help:   "Record-info requests of waiting jobs, by answer: pending, finished, failed, or unavailable (no usable answer).",
	Labels: []Label{{"answer", []string{PollPending, PollFinished, PollFailed, PollUnavailable}}},
})

// The answers of a poll.
const (
	PollPending     = "pending"
	PollFinished    = "finished"
	PollFailed      = "failed"
	PollUnavailable = "unavailable"
)

// JobPolls is the number of polls per task, on the worker.
var JobPolls = histogram(Metric{
	Name:    "lumaflow_job_polls",
	Help:    "Polls per task until its record showed the end; the count restarts when a callback ends the polling.",
	Buckets: []float64{1, 2, 3, 5, 10, 20, 50, 100, 500, 1000},
})

// Wakeups counts the ends of waits for a task by their cause, on the worker.
var Wakeups = counter(Metric{
	Name:   "lumaflow_wakeups",
	Help:   "Finished tasks by the source of the first notice: the callback or a poll.",
	Labels: []Label{{"source", []string{WokenByCallback, WokenByPoll}}},
})

// The sources of a wake-up.
const (
	WokenByCallback = "callback"
	WokenByPoll     = "poll"
)

// CallbacksOverdue counts expected callbacks that did not arrive, on the worker.
var CallbacksOverdue = counter(Metric{
	Name: "lumaflow_callbacks_overdue",
	Help: "Tasks with an expected callback that a poll found finished more than a minute after their end.",
})

// FinishedToStored is the time during which a finished video exists at kie.ai
// only, on the worker.
var FinishedToStored = timer(Metric{
	Name:    "lumaflow_finished_to_stored",
	Help:    "Time from the end of a task at kie.ai until all its files are stored. Jobs that adopt a task are excluded.",
	Buckets: []float64{1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 6 * 3600, 24 * 3600},
})

// JobsEnded counts ended jobs by result, on the worker.
var JobsEnded = counter(Metric{
	Name: "lumaflow_jobs_ended",
	Help: "Ended jobs by result: done, cancelled, or the failure type. Jobs ended by Temporal (terminated, timed out) are excluded.",
	Labels: []Label{{"result", []string{
		JobDone, JobCancelled,
		"InvalidRequest", "SubmitRefused", "SubmitUnknown", "GenerationFailed", "ResultOverdue", "DownloadRejected",
	}}},
})

// The results of a job besides the failure types of the contract.
const (
	JobDone      = "done"
	JobCancelled = "cancelled"
)

// Millicredits counts the cost of tasks in kie.ai's records, on the worker: counters
// are integers, and credits have fractions.
var Millicredits = counter(Metric{
	Name: "lumaflow_millicredits",
	Help: "Thousandths of kie.ai's credits that tasks cost in kie.ai's records, counted as the job ends, by model and outcome: stored, no-video (the generation failed, for which kie.ai documents 0), unstored (the job ended without the file), adopted (a job that submits nothing, however it ended: the task may be counted as unstored, too). Tasks whose record has no cost, as those of luma, are excluded.",
	Labels: []Label{
		{"model", models()},
		{"outcome", []string{CreditsStored, CreditsNoVideo, CreditsUnstored, CreditsAdopted}},
	},
})

// The outcomes of credits.
const (
	CreditsStored   = "stored"
	CreditsNoVideo  = "no-video"
	CreditsUnstored = "unstored"
	CreditsAdopted  = "adopted"
)

// models are the models with a row of their own, and Other.
func models() (names []string) {
	for _, model := range kie.Models() {
		names = append(names, model.Name)
	}
	return append(names, Other)
}

// Downloads counts download attempts by outcome, on the worker.
var Downloads = counter(Metric{
	Name: "lumaflow_downloads",
	Help: "Download attempts by outcome: stored, already-stored (by an earlier job), interrupted, link-dead, rejected (no video, or a forbidden address), storage (write to disk or store failed), drained (the worker stopped; another one resumes).",
	Labels: []Label{{"outcome", []string{
		DownloadStored, DownloadAlreadyStored, DownloadInterrupted, DownloadLinkDead, DownloadRejected, DownloadStorage, DownloadDrained,
	}}},
})

// The outcomes of a download attempt.
const (
	DownloadStored        = "stored"
	DownloadAlreadyStored = "already-stored"
	DownloadInterrupted   = "interrupted"
	DownloadLinkDead      = "link-dead"
	DownloadRejected      = "rejected"
	DownloadStorage       = "storage"
	DownloadDrained       = "drained"
)

// Sources counts the copies of source videos by outcome, on the worker.
var Sources = counter(Metric{
	Name:   "lumaflow_sources",
	Help:   "Source videos that jobs with KEEP_SOURCE kept, by outcome: stored, already-stored (by an earlier job), missing (no copy could be made; the receipt has the reason).",
	Labels: []Label{{"outcome", []string{SourceStored, SourceAlreadyStored, SourceMissing}}},
})

// The outcomes of the copy of a source.
const (
	SourceStored        = "stored"
	SourceAlreadyStored = "already-stored"
	SourceMissing       = "missing"
)

// StoredBytes counts the bytes of stored videos, on the worker.
var StoredBytes = counter(Metric{
	Name: "lumaflow_stored_bytes",
	Help: "Bytes of downloaded, verified and stored videos.",
})

// Callbacks counts callback requests by verdict, on the webhook.
var Callbacks = counter(Metric{
	Name: "lumaflow_callbacks",
	Help: "Callback requests by verdict: accepted (the job was signalled), duplicate, collecting (the job is over, another one collects the task), stored (the job is over, and the task has its video or none), at-risk (a person ended the job: the task is listed, not collected), forged (invalid token), bad-signature (no valid KIE_WEBHOOK_HMAC_KEY signature, or an old timestamp), malformed, too-large, busy (too many requests, in total or for the job), unavailable (Temporal did not accept the signal or the collecting job; kie.ai retries).",
	Labels: []Label{{"verdict", []string{
		CallbackAccepted, CallbackDuplicate, CallbackCollecting, CallbackStored, CallbackAtRisk, CallbackForged, CallbackBadSignature,
		CallbackMalformed, CallbackTooLarge, CallbackBusy, CallbackUnavailable,
	}}},
})

// The verdicts on a callback request.
const (
	CallbackAccepted     = "accepted"
	CallbackDuplicate    = "duplicate"
	CallbackCollecting   = "collecting"
	CallbackStored       = "stored"
	CallbackAtRisk       = "at-risk"
	CallbackForged       = "forged"
	CallbackBadSignature = "bad-signature"
	CallbackMalformed    = "malformed"
	CallbackTooLarge     = "too-large"
	CallbackBusy         = "busy"
	CallbackUnavailable  = "unavailable"
)

// Jobs is the number of open jobs. This gauge and the following ones cover all
// jobs of the task queue and have the same values on every worker: aggregate with
// max, not with sum.
var Jobs = gauge(Metric{
	Name:   "lumaflow_jobs",
	Help:   "Open jobs by stage; unknown if neither the search attribute nor the status query gives the stage.",
	Labels: []Label{{"stage", []string{"submitting", "held", "submit-unknown", "waiting", "collecting", StageUnknown}}},
})

// StageUnknown is the label of jobs without a readable stage.
const StageUnknown = "unknown"

// ChargesUnresolved is the number of open jobs with a submission of unknown outcome.
var ChargesUnresolved = gauge(Metric{
	Name: "lumaflow_charges_unresolved",
	Help: "Open jobs with a possibly charged submission and no known task id (stage submit-unknown).",
})

// OldestJob is the age of the oldest open job.
var OldestJob = gauge(Metric{
	Name:    "lumaflow_oldest_job",
	Help:    "Age of the oldest open job, 0 without open jobs.",
	Seconds: true,
})

// MediaAtRisk is the number of finished tasks whose video may exist at kie.ai only.
var MediaAtRisk = gauge(Metric{
	Name: "lumaflow_media_at_risk",
	Help: "Finished tasks without a stored video, as in lumaflow list --at-risk: of ended jobs, and of open jobs in stage collecting or with a task submitted more than an hour ago.",
})

// MediaHoursLeft is the time until kie.ai deletes the first of these videos.
var MediaHoursLeft = gauge(Metric{
	Name: "lumaflow_media_hours_left",
	Help: "Hours until kie.ai deletes the first video at risk, 14 days after the end of its task, or after its submission if the end is unknown; +Inf if none is at risk.",
})

// Batches is the number of open batches, BatchIdle the time since a job of one has ended,
// BatchJobs the number of their jobs.
var (
	Batches = gauge(Metric{
		Name:   "lumaflow_batches",
		Help:   "Open batches by phase: checking (the manifest), running, paused (by an operator), held (kie.ai holds jobs because of the key, the credit or maintenance), stopping (by an operator or a rule), unknown (the progress query has no answer).",
		Labels: []Label{{"phase", batchPhases}},
	})
	BatchIdle = gauge(Metric{
		Name:    "lumaflow_batch_idle",
		Help:    "Longest time since a job of an open batch has ended, or since the start of the batch if none has, by phase; 0 if no batch is in the phase.",
		Labels:  []Label{{"phase", batchPhases}},
		Seconds: true,
	})
	BatchJobs = gauge(Metric{
		Name:   "lumaflow_batch_jobs",
		Help:   "Jobs of open batches by state: done (with a stored video), failed (ended without), in-flight (open), not-started.",
		Labels: []Label{{"state", []string{BatchDone, BatchFailed, BatchInFlight, BatchNotStarted}}},
	})
)

// batchPhases are the phases of an open batch.
var batchPhases = []string{"checking", "running", "paused", "held", "stopping", StageUnknown}

// The states of the jobs of a batch.
const (
	BatchDone       = "done"
	BatchFailed     = "failed"
	BatchInFlight   = "in-flight"
	BatchNotStarted = "not-started"
)

// CensusTime is the time of the last update of the gauges.
var CensusTime = gauge(Metric{
	Name:    "lumaflow_census_timestamp",
	Help:    "Unix time of the last complete count of all jobs.",
	Seconds: true,
})

// PayloadsRefused counts the payloads that are not used although they are in
// Temporal's database, on the worker and the webhook.
var PayloadsRefused = counter(Metric{
	Name:   "lumaflow_payloads_refused",
	Help:   "Payloads that were refused with CODEC_KEYS set, by reason: plaintext (not encrypted), other-job (encrypted for another job), unopened (changed, or encrypted with another key under the same id), unknown-key (its key is not in CODEC_KEYS). A workflow task that is retried counts again.",
	Labels: []Label{{"reason", []string{"plaintext", "other-job", "unopened", "unknown-key"}}},
})

// OfWorker and OfWebhook are the counters of a role.
var (
	OfWorker  = []Counter{Submissions, Polls, Wakeups, CallbacksOverdue, JobsEnded, Millicredits, Downloads, Sources, StoredBytes, PayloadsRefused}
	OfWebhook = []Counter{Callbacks, PayloadsRefused}
)

// All returns every metric of lumaflow.
func All() []Metric {
	return []Metric{
		Submissions.Metric, Polls.Metric, JobPolls.Metric, Wakeups.Metric, CallbacksOverdue.Metric, FinishedToStored.Metric,
		JobsEnded.Metric, Millicredits.Metric, Downloads.Metric, Sources.Metric, StoredBytes.Metric, Callbacks.Metric, PayloadsRefused.Metric,
		Jobs.Metric, ChargesUnresolved.Metric, OldestJob.Metric, MediaAtRisk.Metric, MediaHoursLeft.Metric,
		Batches.Metric, BatchIdle.Metric, BatchJobs.Metric, CensusTime.Metric,
	}
}
