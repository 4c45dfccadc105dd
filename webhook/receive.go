package webhook

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/gorilla/mux"

	"lumaflow/internal/callback"
	"lumaflow/internal/kie"
	"lumaflow/internal/paid/runs"
	"lumaflow/internal/telemetry/metrics"
)

const (
	// answerTime bounds an admitted callback, from its body to its answer. It is
	// below the 15 s that kie.ai documents as its own timeout.
	answerTime = 10 * time.Second
	// forgedTime bounds the rest of a body without a valid token, which is read only
	// to answer 413 if it is too large.
	forgedTime = 2 * time.Second
	// busyPause and outagePause are the Retry-After of a callback if all slots
	// are taken, or if Temporal did not accept the signal or the collecting job.
	busyPause   = 5 * time.Second
	outagePause = 10 * time.Second
)

// delivery is one callback. The checks fill it in, field by field.
type delivery struct {
	workflowID, token string
	// authentic reports that the token belongs to the job.
	authentic bool
	taskID    string
	code      int
}

func (d delivery) withoutToken(text string) string {
	return strings.ReplaceAll(text, d.token, redacted)
}

func (h *handler) receive(w http.ResponseWriter, r *http.Request) {
	var d delivery
	result := h.process(w, r, &d)
	if callback.IsProbe(d.workflowID) {
		result = result.asProbe()
	}
	result.log(r.Context(), h.options.Logger, d)
	if !result.probe {
		metrics.Callbacks.Add(h.options.Metrics, 1, result.label)
	}
	result.write(w)
}

// process checks size, token, content and signature, in this order of precedence,
// and then signals the job. The token is verified before the body is read: a body
// without a valid token is discarded, never decoded. A slot is occupied only from the
// end of the body on.
func (h *handler) process(w http.ResponseWriter, r *http.Request, d *delivery) outcome {
	h.authenticate(r, d)
	if r.ContentLength > kie.MaxBody {
		return rejected(http.StatusRequestEntityTooLarge, "too large", nil)
	}
	if !d.authentic {
		// Not every ResponseWriter of a test has deadlines.
		_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(forgedTime))
		if _, err := io.Copy(io.Discard, http.MaxBytesReader(w, r.Body, kie.MaxBody)); tooLarge(err) {
			return rejected(http.StatusRequestEntityTooLarge, "too large", nil)
		}
		return unauthorized("wrong token", metrics.CallbackForged, nil)
	}
	// The signal does not depend on the sender's connection.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), answerTime)
	defer cancel()
	body, rejection, ok := h.readBody(w, r, d.workflowID)
	if !ok {
		return rejection
	}
	keepOpen(r.Context())
	select {
	case h.slots <- struct{}{}:
		defer func() { <-h.slots }()
	default:
		return retryLater("too many callbacks at once", metrics.CallbackBusy, busyPause, nil)
	}
	decoded, rejection, ok := h.decode(ctx, r.Header, body)
	if !ok {
		return rejection
	}
	d.code = decoded.Code
	if rejection, ok := h.identify(r.Header, decoded.TaskIDs, d); !ok {
		return rejection
	}
	return h.signal(ctx, *d, decoded)
}

// authenticate verifies the token in the path, which proves that lumaflow minted
// the URL for this job. Only a signature proves that kie.ai is the sender.
func (h *handler) authenticate(r *http.Request, d *delivery) {
	vars := mux.Vars(r)
	workflowID, err := url.PathUnescape(vars["workflowID"])
	d.workflowID, d.token = workflowID, vars["token"]
	d.authentic = err == nil && h.options.Secrets.Verify(h.options.Namespace, workflowID, d.token)
}

// identify sets the task id of d: the signed one of the candidates, or the first
// if signatures are not required.
func (h *handler) identify(header http.Header, candidates []string, d *delivery) (rejection outcome, ok bool) {
	taskID, err := h.options.Verifier.Verify(candidates, header.Get(kie.TimestampHeader), header.Get(kie.SignatureHeader), h.options.Now())
	switch {
	case err != nil:
		return unauthorized("bad signature", metrics.CallbackBadSignature, err), false
	case strings.Contains(taskID, d.token):
		// Task ids are logged and stored, tokens must not be.
		return rejected(http.StatusBadRequest, "no callback of kie.ai", errors.New("its task id holds the token")), false
	}
	d.taskID = taskID
	return outcome{}, true
}

// signal sends the callback to its job and maps Temporal's answer to an outcome.
func (h *handler) signal(ctx context.Context, d delivery, decoded kie.Callback) outcome {
	delivered := received("duplicate", metrics.CallbackDuplicate)
	err := h.limiter.do(d, func() (err error) {
		delivered, err = h.deliver(ctx, d, decoded)
		return err
	})
	var exhausted *exhaustedError
	switch {
	case err == nil:
		return delivered
	case errors.As(err, &exhausted):
		return retryLater("too many signals for this job", metrics.CallbackBusy, exhausted.wait, nil)
	default:
		return retryLater("Temporal did not take the signal", metrics.CallbackUnavailable, outagePause, err)
	}
}

// deliver signals the job. A callback for a job that has ended, or whose history is
// deleted, is late proof of a paid task: it goes to the collector.
func (h *handler) deliver(ctx context.Context, d delivery, decoded kie.Callback) (outcome, error) {
	err := h.options.Signaler.SignalCallback(ctx, d.workflowID, payload(d, decoded))
	if !runs.NotFound(err) {
		return received("signalled", metrics.CallbackAccepted), err
	}
	if callback.IsProbe(d.workflowID) {
		return received("job is over", metrics.CallbackStored), nil
	}
	collected, err := h.options.Collector.Collect(ctx, d.workflowID, d.taskID)
	if err != nil {
		return outcome{}, err
	}
	return received("job is over: "+string(collected), lateLabels[collected]), nil
}

// lateLabels are the labels of callbacks for jobs that are over.
var lateLabels = map[runs.Outcome]string{
	runs.Collecting: metrics.CallbackCollecting,
	runs.Stored:     metrics.CallbackStored,
	runs.AtRisk:     metrics.CallbackAtRisk,
}
