package telemetry

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"go.temporal.io/sdk/contrib/opentelemetry"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/temporal"
)

// tracer is the SDK's tracer with a stable id for the span of a run. Every worker
// that takes over a run starts that span again; with a random id the spans below
// it would lose their parent, and a job started without a trace would get several.
type tracer struct {
	interceptor.Tracer
	options opentelemetry.TracerOptions
}

func newTracer(options opentelemetry.TracerOptions) (tracer, error) {
	sdk, err := opentelemetry.NewTracer(options)
	return tracer{sdk, options}, err
}

// StartSpan derives the id of a run's span from the run.
func (t tracer) StartSpan(options *interceptor.TracerStartSpanOptions) (interceptor.TracerSpan, error) {
	if options.Operation != "RunWorkflow" || options.IdempotencyKey == "" {
		return t.Tracer.StartSpan(options)
	}
	forRun := t.options
	forRun.SpanStarter = func(ctx context.Context, tracer trace.Tracer, name string, start ...trace.SpanStartOption) trace.Span {
		return startRedacted(context.WithValue(ctx, runKey{}, options.IdempotencyKey), tracer, name, start...)
	}
	sdk, err := opentelemetry.NewTracer(forRun)
	if err != nil {
		return nil, err
	}
	return sdk.StartSpan(options)
}

// runKey is the context key of the idempotency key of a run.
type runKey struct{}

// idGenerator derives ids from the run in the context; without one they are random.
type idGenerator struct{}

var _ sdktrace.IDGenerator = idGenerator{}

func (idGenerator) NewIDs(ctx context.Context) (trace.TraceID, trace.SpanID) {
	traceID, spanID := idsOfRun(ctx)
	for !traceID.IsValid() {
		binary.NativeEndian.PutUint64(traceID[:8], rand.Uint64())
		binary.NativeEndian.PutUint64(traceID[8:], rand.Uint64())
	}
	return traceID, orRandom(spanID)
}

func (idGenerator) NewSpanID(ctx context.Context, _ trace.TraceID) trace.SpanID {
	_, spanID := idsOfRun(ctx)
	return orRandom(spanID)
}

func idsOfRun(ctx context.Context) (traceID trace.TraceID, spanID trace.SpanID) {
	if key, ok := ctx.Value(runKey{}).(string); ok {
		sum := sha256.Sum256([]byte(key))
		copy(traceID[:], sum[:])
		copy(spanID[:], sum[len(traceID):])
	}
	return traceID, spanID
}

func orRandom(spanID trace.SpanID) trace.SpanID {
	for !spanID.IsValid() {
		binary.NativeEndian.PutUint64(spanID[:], rand.Uint64())
	}
	return spanID
}

// startRedacted starts a span without error texts: they may quote prompts, URLs and
// provider texts.
func startRedacted(ctx context.Context, tracer trace.Tracer, name string, options ...trace.SpanStartOption) trace.Span {
	_, span := tracer.Start(ctx, name, options...)
	return redactedSpan{span}
}

type redactedSpan struct{ trace.Span }

// RecordError records the error's type.
func (s redactedSpan) RecordError(err error, _ ...trace.EventOption) {
	if err != nil {
		s.SetAttributes(attribute.String("error.type", typeOf(err)))
	}
}

// SetStatus drops the description, which is the error's text.
func (s redactedSpan) SetStatus(code codes.Code, _ string) { s.Span.SetStatus(code, "") }

func typeOf(err error) string {
	if application, ok := errors.AsType[*temporal.ApplicationError](err); ok && application.Type() != "" {
		return application.Type()
	}
	return fmt.Sprintf("%T", err)
}
