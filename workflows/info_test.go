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

// changedInfo has every workflow find another start than the test environment
// supports.
type changedInfo struct {
	interceptor.WorkerInterceptorBase
	change func(*workflow.Info)
}

func (c *changedInfo) InterceptWorkflow(_ workflow.Context, next interceptor.WorkflowInboundInterceptor) interceptor.WorkflowInboundInterceptor {
	inbound := &changedInbound{change: c.change}
	inbound.Next = next
	return inbound
}

type changedInbound struct {
	interceptor.WorkflowInboundInterceptorBase
	change func(*workflow.Info)
}

func (i *changedInbound) Init(next interceptor.WorkflowOutboundInterceptor) error {
	outbound := &changedOutbound{change: i.change}
	outbound.Next = next
	return i.Next.Init(outbound)
}

type changedOutbound struct {
	interceptor.WorkflowOutboundInterceptorBase
	change func(*workflow.Info)
}

func (o *changedOutbound) GetInfo(ctx workflow.Context) *workflow.Info {
	info := *o.Next.GetInfo(ctx)
	o.change(&info)
	return &info
}
