// Package starter is the client side of lumaflow: it starts jobs, shows them,
// waits for them and repairs them. It talks to Temporal alone, needs no key of
// kie.ai but to upload a video, and treats jobs that were started by any other
// client the same.
package starter

import (
	"context"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"

	"lumaflow/internal/clip"
	"lumaflow/internal/temporal/codec"
	"lumaflow/workflows"
)

const (
	// callTimeout bounds one request to Temporal, with the SDK's own retries.
	callTimeout = 15 * time.Second
	// queryTimeout bounds the wait for a worker's answer: one that is there
	// takes milliseconds. The SDK gives the request half of it.
	queryTimeout = 6 * time.Second
	// defaultInterval is how often a job that is being watched is looked at.
	defaultInterval = 2 * time.Second
)

// The activity types that a job's history and its pending work are read by.
const (
	submitActivity   = "Submit"
	pollActivity     = "Poll"
	downloadActivity = "Download"
	identifyActivity = "Identify"
	receiptActivity  = "WriteReceipt"
)

// Temporal is what the starter asks of Temporal. client.Client is one.
type Temporal interface {
	ExecuteWorkflow(ctx context.Context, options client.StartWorkflowOptions, workflow any, args ...any) (client.WorkflowRun, error)
	GetWorkflowHistory(ctx context.Context, workflowID, runID string, isLongPoll bool, filterType enumspb.HistoryEventFilterType) client.HistoryEventIterator
	DescribeWorkflow(ctx context.Context, workflowID, runID string) (*client.WorkflowExecutionDescription, error)
	QueryWorkflow(ctx context.Context, workflowID, runID, queryType string, args ...any) (converter.EncodedValue, error)
	UpdateWorkflow(ctx context.Context, options client.UpdateWorkflowOptions) (client.WorkflowUpdateHandle, error)
	CancelWorkflow(ctx context.Context, workflowID, runID string) error
	ListWorkflow(ctx context.Context, request *workflowservice.ListWorkflowExecutionsRequest) (*workflowservice.ListWorkflowExecutionsResponse, error)
	WorkflowService() workflowservice.WorkflowServiceClient
}

// Options are the settings of a Starter. The zero value works.
type Options struct {
	// TaskQueue is where jobs are started; empty means
	// workflows.DefaultTaskQueue. Jobs that are there already are found
	// whatever their task queue.
	TaskQueue string
	// Namespace is where the client works; empty means client.DefaultNamespace.
	Namespace string
	// Interval is how often a job that is being watched is looked at; zero
	// means two seconds.
	Interval time.Duration
	// Codec reads what the client does not decode itself (histories,
	// heartbeats). It must be the client's own.
	Codec codec.Codec
}

// Starter starts jobs and looks after them. It is safe for concurrent use.
type Starter struct {
	temporal  Temporal
	taskQueue string
	namespace string
	interval  time.Duration
	data      converter.DataConverter
	failures  converter.FailureConverter
	upload    Upload
}

// Upload puts a video where kie.ai can fetch it.
type Upload func(ctx context.Context) (clip.Hosted, error)

// Uploading returns a Starter that, before it starts a job, has its video
// uploaded. It serves one video, and is for inputs that name it by VideoSHA256
// and leave its address open. A job that is there already is found without an
// upload.
func (s *Starter) Uploading(upload Upload) *Starter {
	uploading := *s
	uploading.upload = upload
	return &uploading
}

// New returns a Starter that works through a Temporal client. The client stays
// the caller's to close.
func New(through Temporal, options Options) *Starter {
	converters := options.Codec.ForClient()
	starter := &Starter{
		temporal:  through,
		taskQueue: options.TaskQueue,
		namespace: options.Namespace,
		interval:  options.Interval,
		data:      converters.Data,
		failures:  converters.Failures,
	}
	if starter.taskQueue == "" {
		starter.taskQueue = workflows.DefaultTaskQueue
	}
	if starter.namespace == "" {
		starter.namespace = client.DefaultNamespace
	}
	if starter.interval <= 0 {
		starter.interval = defaultInterval
	}
	return starter
}
