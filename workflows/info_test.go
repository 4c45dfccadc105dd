package workflows_test

import (
	"errors"

	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/workflow"
)

type (
	workflowInfo    = workflow.Info
	workflowContext = workflow.Context
)

func asError[T error](err error, target *T) bool { return errors.As(err, target) }

func interceptors(all ...interceptor.WorkerInterceptor) []interceptor.WorkerInterceptor { return all }

// cronInfo has every workflow find that it was started with a cron schedule, which
// the test environment does not support.
type cronInfo struct {
	interceptor.WorkerInterceptorBase
}

func (*cronInfo) InterceptWorkflow(_ workflow.Context, next interceptor.WorkflowInboundInterceptor) interceptor.WorkflowInboundInterceptor {
	inbound := &cronInbound{}
	inbound.Next = next
	return inbound
}

type cronInbound struct {
	interceptor.WorkflowInboundInterceptorBase
}

func (i *cronInbound) Init(next interceptor.WorkflowOutboundInterceptor) error {
	outbound := &cronOutbound{}
	outbound.Next = next
	return i.Next.Init(outbound)
}

type cronOutbound struct {
	interceptor.WorkflowOutboundInterceptorBase
}

func (o *cronOutbound) GetInfo(ctx workflow.Context) *workflow.Info {
	info := *o.Next.GetInfo(ctx)
	info.CronSchedule = "@daily"
	return &info
}
