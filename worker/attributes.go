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
	attributesTTL     = time.Minute
	attributesTimeout = 5 * time.Second
	// attributesRetry is how soon a server that gave no answer is asked again: a
	// job that is not shown in lists for lack of it is hard to find.
	attributesRetry = 5 * time.Second
)

// AttributeProbe knows whether a namespace has lumaflow's search attributes.
// Setting one that is missing would block a workflow, so jobs are told.
type AttributeProbe struct {
	client    client.Client
	namespace string
	logger    *slog.Logger

	mu        sync.Mutex
	available bool
	silent    bool
	again     time.Time // when to ask
}

// NewAttributeProbe asks about the namespace through c.
func NewAttributeProbe(c client.Client, namespace string, logger *slog.Logger) *AttributeProbe {
	return &AttributeProbe{client: c, namespace: namespace, logger: logger}
}

// Available reports whether both attributes are there. It asks the server once
// a minute, and keeps the last answer while the server gives none.
func (p *AttributeProbe) Available(ctx context.Context) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if time.Now().Before(p.again) {
		return p.available
	}
	ctx, cancel := context.WithTimeout(ctx, attributesTimeout)
	defer cancel()
	missing, mistyped, err := MissingAttributes(ctx, p.client, p.namespace)
	if err != nil {
		p.again = time.Now().Add(attributesRetry)
		if !p.silent && !p.available {
			p.silent = true
			p.logger.Warn("Temporal does not tell which search attributes the namespace has: until it does, jobs go without and can't be found by stage or task",
				"namespace", p.namespace, "error", err)
		}
		return p.available
	}
	p.silent = false
	p.again = time.Now().Add(attributesTTL)
	p.available = len(missing)+len(mistyped) == 0
	return p.available
}

// MissingAttributes asks which of lumaflow's search attributes a namespace lacks,
// and which it has with another type than keyword. One of those would block a
// workflow as a missing one does.
func MissingAttributes(ctx context.Context, c client.Client, namespace string) (missing, mistyped []string, err error) {
	answer, err := c.OperatorService().ListSearchAttributes(ctx, &operatorservice.ListSearchAttributesRequest{Namespace: namespace})
	if err != nil {
		return nil, nil, err
	}
	for _, name := range []string{workflows.StageAttribute, workflows.TaskIDAttribute} {
		switch kind, there := answer.CustomAttributes[name]; {
		case !there:
			missing = append(missing, name)
		case kind != enumspb.INDEXED_VALUE_TYPE_KEYWORD:
			mistyped = append(mistyped, name)
		}
	}
	return missing, mistyped, nil
}
