// Package starter is the client of lumaflow's jobs: it starts, reports, watches,
// cancels and resolves them. It calls Temporal alone, and treats jobs that another
// client has started in the same way.
package starter

import (
	"cmp"
	"context"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"

	"lumaflow/internal/paid/runs"
	"lumaflow/internal/temporal/codec"
	"lumaflow/workflows"
)

const (
	// callTimeout bounds one request to Temporal with the SDK's own retries.
	callTimeout = 15 * time.Second
	// queryTimeout bounds a query. A worker answers within milliseconds; the SDK
	// gives the request half of the timeout.
	queryTimeout = 6 * time.Second
	// historyTimeout bounds the read of the histories of one job.
	historyTimeout = time.Minute
	// defaultInterval is the time between two polls of a watched job.
	defaultInterval = 2 * time.Second
	// maxConcurrent bounds the concurrent requests for many jobs.
	maxConcurrent = 8
)

// The activity types in the histories and the pending activities of jobs.
const (
	submitActivity   = "Submit"
	pollActivity     = "Poll"
	downloadActivity = "Download"
	identifyActivity = "Identify"
	receiptActivity  = "WriteReceipt"
)

// Temporal is the part of client.Client that a Starter calls.
type Temporal interface {
	ExecuteWorkflow(ctx context.Context, options client.StartWorkflowOptions, workflow any, args ...any) (client.WorkflowRun, error)
	GetWorkflowHistory(ctx context.Context, workflowID, runID string, isLongPoll bool, filterType enumspb.HistoryEventFilterType) client.HistoryEventIterator
	DescribeWorkflow(ctx context.Context, workflowID, runID string) (*client.WorkflowExecutionDescription, error)
	QueryWorkflow(ctx context.Context, workflowID, runID, queryType string, args ...any) (converter.EncodedValue, error)
	UpdateWorkflow(ctx context.Context, options client.UpdateWorkflowOptions) (client.WorkflowUpdateHandle, error)
	TerminateWorkflow(ctx context.Context, workflowID, runID, reason string, details ...any) error
	ListWorkflow(ctx context.Context, request *workflowservice.ListWorkflowExecutionsRequest) (*workflowservice.ListWorkflowExecutionsResponse, error)
	CountWorkflow(ctx context.Context, request *workflowservice.CountWorkflowExecutionsRequest) (*workflowservice.CountWorkflowExecutionsResponse, error)
	WorkflowService() workflowservice.WorkflowServiceClient
}

// Options are the settings of a Starter. The zero value is valid.
type Options struct {
	// TaskQueue is the task queue of new jobs; empty means
	// workflows.DefaultTaskQueue. Existing jobs are found on every task queue.
	TaskQueue string
	// Namespace is the client's; empty means client.DefaultNamespace.
	Namespace string
	// Interval is the time between two polls of a watched job; zero means two
	// seconds.
	Interval time.Duration
	// Codec decodes histories and heartbeats, which the client leaves encoded. It
	// must be the client's own.
	Codec codec.Codec
}

// Starter is a client of jobs. It is safe for concurrent use.
type Starter struct {
	temporal  Temporal
	taskQueue string
	namespace string
	interval  time.Duration
	// payloads are the converters of every job.
	payloads codec.Converters
	runs     runs.Reader
	upload   Upload
}

// Upload uploads a video to an address that kie.ai can fetch until it expires.
type Upload func(ctx context.Context) (url string, expires time.Time, err error)

// Uploading returns a Starter that uploads the video of a job before it starts the
// job. It serves one video, and inputs that name it by VideoSHA256 without a
// VideoURL. Nothing is uploaded for an existing job.
func (s *Starter) Uploading(upload Upload) *Starter {
	uploading := *s
	uploading.upload = upload
	return &uploading
}

// New returns a Starter that calls Temporal through a client. The caller closes
// the client.
func New(temporal Temporal, options Options) *Starter {
	converters := options.Codec.ForClient()
	namespace := cmp.Or(options.Namespace, client.DefaultNamespace)
	return &Starter{
		temporal:  temporal,
		taskQueue: cmp.Or(options.TaskQueue, workflows.DefaultTaskQueue),
		namespace: namespace,
		interval:  cmp.Or(max(options.Interval, 0), defaultInterval),
		payloads:  converters,
		runs:      runs.Reader{Server: temporal, Data: converters.Data, Namespace: namespace},
	}
}

// of returns the converters of the payloads of one job.
func (s *Starter) of(workflowID string) codec.Converters {
	return s.payloads.Of(s.namespace, workflowID)
}
