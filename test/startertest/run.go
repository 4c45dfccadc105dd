package startertest

import (
	"cmp"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"google.golang.org/protobuf/types/known/timestamppb"

	"lumaflow/activities"
	"lumaflow/internal/paid"
	"lumaflow/internal/paid/runs"
	"lumaflow/starter"
	"lumaflow/workflows"
	"lumaflow/workflows/batches"
)

// The task, the input and the job that the tests share. JobID is the id of
// Request without a key.
const (
	TaskID = "0123456789abcdef0123456789abcdef"
	Video  = "https://example.org/in.mp4"
	JobID  = "luma-22e745999ea50e3e29c2388ba4b27a79"
)

// Request is the input of jobs that a test adds.
var Request = workflows.ModifyVideoInput{Prompt: "snow", VideoURL: Video}

// Run is one run of a job.
type Run struct {
	ID, RunID string
	Type      string
	TaskQueue string
	Status    enumspb.WorkflowExecutionStatus
	Started   time.Time
	// StartDelay is the time from the start to the first workflow task.
	StartDelay time.Duration
	Closed     time.Time
	Attributes map[string]string
	// Memo holds what the run has paid; FirstRunID is the first run of its chain, by
	// default the run itself.
	Memo *paid.Facts
	// Codec encodes the memo; nil leaves it as it is.
	Codec      func(*commonpb.Payload) *commonpb.Payload
	FirstRunID string
	// Probe is the job that the memo of a batch names.
	Probe string
	// Parent is the workflow id of the batch that started the run.
	Parent  string
	History *History
	Pending []*workflowpb.PendingActivityInfo
	// Answer handles the status query; if it is nil, the query times out.
	Answer func() (workflows.Status, error)
	// Versioning pins the run to a worker version.
	Versioning *workflowpb.WorkflowExecutionVersioningInfo
	// RunTimeout and ExecutionTimeout are those of the start; zero means none.
	RunTimeout, ExecutionTimeout time.Duration
	// WorkflowTaskAttempt is the attempt of the pending workflow task.
	WorkflowTaskAttempt int32
	// Update handles a resolution; if it is nil, the update times out.
	Update func(workflows.Resolution) (any, error)

	// Progress handles the progress query of a batch, BatchUpdate its updates; if they
	// are nil, the query and the updates time out.
	Progress    func() (batches.Progress, error)
	BatchUpdate func(name string, args ...any) (batches.Progress, error)

	ended chan struct{}
}

// End closes the run.
func (r *Run) End(status enumspb.WorkflowExecutionStatus, after time.Duration) *Run {
	r.Status, r.Closed = status, r.Started.Add(after)
	select {
	case <-r.ended:
	default:
		close(r.ended)
	}
	return r
}

// Answers sets the answer to the status query.
func (r *Run) Answers(status workflows.Status) *Run {
	r.Answer = func() (workflows.Status, error) { return status, nil }
	return r
}

// FailYesterday ends the run a day ago with an application error.
func (r *Run) FailYesterday(errorType string) *Run {
	r.History.EndFailed(ApplicationError(errorType, "job "+r.ID+": no"))
	return r.End(enumspb.WORKFLOW_EXECUTION_STATUS_FAILED, time.Since(r.Started)-24*time.Hour)
}

// RunsActivity sets the pending activity of an open run.
func (r *Run) RunsActivity(activity string) *Run {
	r.Pending = []*workflowpb.PendingActivityInfo{{ActivityType: &commonpb.ActivityType{Name: activity}}}
	return r
}

// InStage sets the search attribute LumaStage.
func (r *Run) InStage(stage workflows.Stage) *Run {
	r.Attributes = map[string]string{workflows.StageAttribute: string(stage)}
	return r
}

func (r *Run) info() *workflowpb.WorkflowExecutionInfo {
	info := &workflowpb.WorkflowExecutionInfo{
		Execution:      &commonpb.WorkflowExecution{WorkflowId: r.ID, RunId: r.RunID},
		Type:           &commonpb.WorkflowType{Name: r.Type},
		TaskQueue:      r.TaskQueue,
		Status:         r.Status,
		StartTime:      timestamppb.New(r.Started),
		ExecutionTime:  timestamppb.New(r.Started.Add(r.StartDelay)),
		VersioningInfo: r.Versioning,
		FirstRunId:     cmp.Or(r.FirstRunID, r.RunID),
	}
	if r.Parent != "" {
		info.ParentExecution = &commonpb.WorkflowExecution{WorkflowId: r.Parent, RunId: "run-of-" + r.Parent}
	}
	if r.Memo != nil {
		memo := r.payload(r.Memo)
		if r.Codec != nil {
			memo = r.Codec(memo)
		}
		info.Memo = &commonpb.Memo{Fields: map[string]*commonpb.Payload{paid.MemoKey: memo}}
	}
	if r.Probe != "" {
		info.Memo = &commonpb.Memo{Fields: map[string]*commonpb.Payload{runs.ProbeMemo: r.payload(r.Probe)}}
	}
	if !r.Closed.IsZero() {
		info.CloseTime = timestamppb.New(r.Closed)
	}
	if len(r.Attributes) > 0 {
		info.SearchAttributes = &commonpb.SearchAttributes{IndexedFields: map[string]*commonpb.Payload{}}
		for name, value := range r.Attributes {
			info.SearchAttributes.IndexedFields[name] = r.payload(value)
		}
	}
	return info
}

func (r *Run) payload(value any) *commonpb.Payload { return r.History.Payloads(value).GetPayloads()[0] }

// CompleteAfter makes started jobs wait for a task and complete after a time.
func (f *Temporal) CompleteAfter(after time.Duration) {
	f.OnStart = func(id string, _ workflows.ModifyVideoInput) {
		run := f.Job(id).Answers(workflows.Status{Stage: workflows.StageWaiting, TaskID: "task-of-" + id})
		time.AfterFunc(after, func() {
			f.Do(func() {
				run.History.EndCompleted(workflows.ModifyVideoResult{TaskID: "task-of-" + id})
				run.End(enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED, after)
				f.Completed++
			})
		})
	}
}

// Ages are the times since the start of a job, the acceptance of its task and,
// if it is not zero, the end of the task.
type Ages struct{ Started, Accepted, Finished time.Duration }

// AcceptedTask adds an open job whose task was accepted, and may have ended.
func (f *Temporal) AcceptedTask(id, task string, ages Ages) *Run {
	run := f.Job(id)
	now := run.Started
	run.Started = now.Add(-ages.Started)
	run.History.Complete(run.History.Schedule("Submit", ""), activities.Submitted{TaskID: task, SubmittedAt: now.Add(-ages.Accepted)})
	poll := run.History.Schedule("Poll", activities.PollInput{TaskID: task})
	if ages.Finished > 0 {
		run.History.Complete(poll, activities.Finished{TaskID: task, CreatedAt: now.Add(-ages.Accepted), CompletedAt: now.Add(-ages.Finished)})
	}
	return run
}

// CollectedTask adds an adopting job that has stored a task.
func (f *Temporal) CollectedTask(task, key string) *Run {
	run := f.Job(starter.JobID(workflows.ModifyVideoInput{TaskID: task}, key))
	run.History.EndCompleted(workflows.ModifyVideoResult{TaskID: task})
	run.Attributes = map[string]string{workflows.TaskIDAttribute: task}
	return run.End(enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED, time.Minute)
}
