package worker

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/sdk/client"

	"lumaflow/workflows"
)

const (
	// attributesTTL is the lifetime of an answer, attributesTimeout bounds a request.
	attributesTTL     = time.Minute
	attributesTimeout = 5 * time.Second
	// attributesRetry is the pause after a failed request. It is short because a job
	// without search attributes is hard to find.
	attributesRetry = 5 * time.Second
)

// attributeProbe caches whether a namespace has lumaflow's search attributes. A
// job must not set one that is missing: that would block its workflow task. It is
// safe for concurrent use.
type attributeProbe struct {
	client    client.Client
	namespace string
	logger    *slog.Logger

	// renewing makes requests one at a time; mu protects the rest.
	renewing sync.Mutex

	mu sync.Mutex
	// both means that the namespace has the attributes of stages and tasks, batch that
	// it has the one of batches.
	both, batch bool
	// requested is the time of the last request of current.
	requested time.Time
	requests  sync.WaitGroup
	closed    bool
	// failed suppresses further warnings until a request succeeds.
	failed  bool
	expires time.Time
}

// newAttributeProbe returns a probe of the namespace. It sends no request yet.
func newAttributeProbe(c client.Client, namespace string, logger *slog.Logger) *attributeProbe {
	return &attributeProbe{client: c, namespace: namespace, logger: logger}
}

// available reports whether the namespace has both attributes. It sends at most
// one request a minute, and keeps the last answer while requests fail.
func (p *attributeProbe) available(ctx context.Context) bool {
	p.mu.Lock()
	fresh, available := time.Now().Before(p.expires), p.both
	p.mu.Unlock()
	if fresh {
		return available
	}
	return p.renew(ctx)
}

// renew requests the attributes and returns the current answer.
func (p *attributeProbe) renew(ctx context.Context) bool {
	p.renewing.Lock()
	defer p.renewing.Unlock()
	ctx, cancel := context.WithTimeout(ctx, attributesTimeout)
	defer cancel()
	missing, mistyped, err := MissingAttributes(ctx, p.client, p.namespace)
	p.mu.Lock()
	defer p.mu.Unlock()
	if err != nil {
		p.expires = time.Now().Add(attributesRetry)
		if !p.failed && !p.both {
			p.failed = true
			p.logger.Warn("Temporal does not list the search attributes of the namespace: until it does, jobs go without and can't be found by stage or task",
				"namespace", p.namespace, "error", err)
		}
		return p.both
	}
	p.failed = false
	p.expires = time.Now().Add(attributesTTL)
	lacks := slices.Concat(missing, mistyped)
	p.batch = !slices.Contains(lacks, workflows.BatchAttribute)
	p.both = !slices.Contains(lacks, workflows.StageAttribute) && !slices.Contains(lacks, workflows.TaskIDAttribute)
	return p.both
}

// current returns the last answer without blocking, and lets a request renew it if
// it is older than attributesRetry: a workflow task that set an attribute which is
// gone is tried again after some seconds.
func (p *attributeProbe) current() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if now := time.Now(); !p.closed && now.Sub(p.requested) >= attributesRetry {
		p.requested = now
		p.requests.Go(func() {
			ctx, cancel := context.WithTimeout(context.Background(), attributesTimeout)
			defer cancel()
			p.renew(ctx)
		})
	}
	// Until the first answer another worker's is taken.
	return p.both || p.expires.IsZero()
}

// ofBatches returns the last answer about the attribute of batches, as current does. A
// worker without an answer takes it for missing: a batch is found by its id, too.
func (p *attributeProbe) ofBatches() bool {
	p.current()
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.batch
}

// close waits for the requests of current. Later calls of current send none.
func (p *attributeProbe) close() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.requests.Wait()
}

// MissingAttributes lists the search attributes of lumaflow that a namespace
// lacks, and those that it has with another type than keyword, which would block
// a workflow task like a missing one.
func MissingAttributes(ctx context.Context, c client.Client, namespace string) (missing, mistyped []string, err error) {
	list, err := c.OperatorService().ListSearchAttributes(ctx, &operatorservice.ListSearchAttributesRequest{Namespace: namespace})
	if err != nil {
		return nil, nil, err
	}
	for _, name := range workflows.SearchAttributes {
		switch valueType, exists := list.CustomAttributes[name]; {
		case !exists:
			missing = append(missing, name)
		case valueType != enumspb.INDEXED_VALUE_TYPE_KEYWORD:
			mistyped = append(mistyped, name)
		}
	}
	return missing, mistyped, nil
}
