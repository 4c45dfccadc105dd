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

// tracer is the SDK's own tracer, but for the span of a run: every worker that
// takes a run over starts that span anew, and under a new id the spans below it
// would fall apart, into several traces if the job was started without one.
type tracer struct {
	interceptor.Tracer
	options opentelemetry.TracerOptions
}

func newTracer(options opentelemetry.TracerOptions) (tracer, error) {
	sdk, err := opentelemetry.NewTracer(options)
	return tracer{sdk, options}, err
}

// StartSpan gives the span of a run an id that follows from the run.
func (t tracer) StartSpan(options *interceptor.TracerStartSpanOptions) (interceptor.TracerSpan, error) {
	if options.Operation != "RunWorkflow" || options.IdempotencyKey == "" {
		return t.Tracer.StartSpan(options)
	}
	once := t.options
	once.SpanStarter = func(ctx context.Context, tracer trace.Tracer, name string, start ...trace.SpanStartOption) trace.Span {
		return startDiscreet(context.WithValue(ctx, runKey{}, options.IdempotencyKey), tracer, name, start...)
	}
	sdk, err := opentelemetry.NewTracer(once)
	if err != nil {
		return nil, err
	}
	return sdk.StartSpan(options)
}

// runKey is the context key of what names a run.
type runKey struct{}

// ids makes the ids of spans: by chance, or from the run in the context.
type ids struct{}

var _ sdktrace.IDGenerator = ids{}

func (ids) NewIDs(ctx context.Context) (trace.TraceID, trace.SpanID) {
	traceID, spanID := fromRun(ctx)
	for !traceID.IsValid() {
		binary.NativeEndian.PutUint64(traceID[:8], rand.Uint64())
		binary.NativeEndian.PutUint64(traceID[8:], rand.Uint64())
	}
	return traceID, orByChance(spanID)
}

func (ids) NewSpanID(ctx context.Context, _ trace.TraceID) trace.SpanID {
	_, spanID := fromRun(ctx)
	return orByChance(spanID)
}

func fromRun(ctx context.Context) (traceID trace.TraceID, spanID trace.SpanID) {
	if key, ok := ctx.Value(runKey{}).(string); ok {
		sum := sha256.Sum256([]byte(key))
		copy(traceID[:], sum[:])
		copy(spanID[:], sum[len(traceID):])
	}
	return traceID, spanID
}

func orByChance(spanID trace.SpanID) trace.SpanID {
	for !spanID.IsValid() {
		binary.NativeEndian.PutUint64(spanID[:], rand.Uint64())
	}
	return spanID
}

// startDiscreet starts a span that repeats no error's text: what providers and
// servers say does not belong into a tracing system.
func startDiscreet(ctx context.Context, tracer trace.Tracer, name string, options ...trace.SpanStartOption) trace.Span {
	_, span := tracer.Start(ctx, name, options...)
	return discreet{span}
}

type discreet struct{ trace.Span }

// RecordError keeps the type of an error alone.
func (s discreet) RecordError(err error, _ ...trace.EventOption) {
	if err != nil {
		s.SetAttributes(attribute.String("error.type", typeOf(err)))
	}
}

// SetStatus drops the description, which is the text of the error.
func (s discreet) SetStatus(code codes.Code, _ string) { s.Span.SetStatus(code, "") }

func typeOf(err error) string {
	var application *temporal.ApplicationError
	if errors.As(err, &application) && application.Type() != "" {
		return application.Type()
	}
	return fmt.Sprintf("%T", err)
}
