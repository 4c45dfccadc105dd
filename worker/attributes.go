package worker

import (
	"context"
	"log/slog"
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

	mu   sync.Mutex
	both bool
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
	defer p.mu.Unlock()
	if time.Now().Before(p.expires) {
		return p.both
	}
	ctx, cancel := context.WithTimeout(ctx, attributesTimeout)
	defer cancel()
	missing, mistyped, err := MissingAttributes(ctx, p.client, p.namespace)
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
	p.both = len(missing)+len(mistyped) == 0
	return p.both
}

// MissingAttributes lists the search attributes of lumaflow that a namespace
// lacks, and those that it has with another type than keyword, which would block
// a workflow task like a missing one.
func MissingAttributes(ctx context.Context, c client.Client, namespace string) (missing, mistyped []string, err error) {
	list, err := c.OperatorService().ListSearchAttributes(ctx, &operatorservice.ListSearchAttributesRequest{Namespace: namespace})
	if err != nil {
		return nil, nil, err
	}
	for _, name := range []string{workflows.StageAttribute, workflows.TaskIDAttribute} {
		switch valueType, exists := list.CustomAttributes[name]; {
		case !exists:
			missing = append(missing, name)
		case valueType != enumspb.INDEXED_VALUE_TYPE_KEYWORD:
			mistyped = append(mistyped, name)
		}
	}
	return missing, mistyped, nil
}
