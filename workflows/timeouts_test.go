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
func (env *jobEnv) withoutSubmitRetries() *jobEnv { return env.intercept() }

// withInfo has the job find another start than the test environment supports.
func (env *jobEnv) withInfo(change func(*workflow.Info)) *jobEnv {
	return env.intercept(&changedInfo{change: change})
}

// intercept sets the worker options, which replace earlier ones.
func (env *jobEnv) intercept(more ...interceptor.WorkerInterceptor) *jobEnv {
	env.submitting = 0
	env.SetWorkerOptions(worker.Options{
		DeadlockDetectionTimeout: deadlockTimeout,
		Interceptors:             append([]interceptor.WorkerInterceptor{&oneSubmitAttempt{submitting: &env.submitting}}, more...),
	})
	return env
}

// oneSubmitAttempt counts the submissions that the workflow waits for.
type oneSubmitAttempt struct {
	interceptor.WorkerInterceptorBase
	submitting *int
}

func (o *oneSubmitAttempt) InterceptWorkflow(ctx workflow.Context, next interceptor.WorkflowInboundInterceptor) interceptor.WorkflowInboundInterceptor {
	inbound := &submitInbound{submitting: o.submitting}
	inbound.Next = next
	return inbound
}

type submitInbound struct {
	interceptor.WorkflowInboundInterceptorBase
	submitting *int
}

func (i *submitInbound) Init(next interceptor.WorkflowOutboundInterceptor) error {
	outbound := &submitOutbound{submitting: i.submitting}
	outbound.Next = next
	return i.Next.Init(outbound)
}

type submitOutbound struct {
	interceptor.WorkflowOutboundInterceptorBase
	submitting *int
}

func (o *submitOutbound) ExecuteActivity(ctx workflow.Context, activityType string, args ...any) workflow.Future {
	if activityType != "Submit" {
		return o.Next.ExecuteActivity(ctx, activityType, args...)
	}
	submitted := o.Next.ExecuteActivity(workflow.WithRetryPolicy(ctx, temporal.RetryPolicy{MaximumAttempts: 1}), activityType, args...)
	*o.submitting++
	o.Next.Go(ctx, "submission", func(ctx workflow.Context) {
		_ = submitted.Get(ctx, nil)
		*o.submitting--
	})
	return submitted
}
