package workflows_test

import (
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
)

// withoutSubmitRetries ends Submit at its first timeout, as the server does for the
// TemporalTimeout error types. The test environment does not support them and
// would retry.
func (env *jobEnv) withoutSubmitRetries() *jobEnv {
	env.SetWorkerOptions(worker.Options{Interceptors: []interceptor.WorkerInterceptor{&oneSubmitAttempt{}}})
	return env
}

// withInfo has the job find another start than the test environment supports.
func (env *jobEnv) withInfo(change func(*workflow.Info)) *jobEnv {
	env.SetWorkerOptions(worker.Options{Interceptors: []interceptor.WorkerInterceptor{&oneSubmitAttempt{}, &changedInfo{change: change}}})
	return env
}

type oneSubmitAttempt struct {
	interceptor.WorkerInterceptorBase
}

func (*oneSubmitAttempt) InterceptWorkflow(ctx workflow.Context, next interceptor.WorkflowInboundInterceptor) interceptor.WorkflowInboundInterceptor {
	inbound := &submitInbound{}
	inbound.Next = next
	return inbound
}

type submitInbound struct {
	interceptor.WorkflowInboundInterceptorBase
}

func (i *submitInbound) Init(next interceptor.WorkflowOutboundInterceptor) error {
	outbound := &submitOutbound{}
	outbound.Next = next
	return i.Next.Init(outbound)
}

type submitOutbound struct {
	interceptor.WorkflowOutboundInterceptorBase
}

func (o *submitOutbound) ExecuteActivity(ctx workflow.Context, activityType string, args ...any) workflow.Future {
	if activityType == "Submit" {
		ctx = workflow.WithRetryPolicy(ctx, temporal.RetryPolicy{MaximumAttempts: 1})
	}
	return o.Next.ExecuteActivity(ctx, activityType, args...)
}
