package webhook

import (
	"context"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/gorilla/mux"
	"go.temporal.io/api/serviceerror"

	"lumaflow/internal/callback"
	"lumaflow/internal/kie"
	"lumaflow/internal/telemetry/metrics"
)

const (
	// answerTime is how long a callback may take once it is let in, so that its
	// answer is there well before kie.ai stops waiting (15 s).
	answerTime = 10 * time.Second
	// busyPause and outagePause are when to come again if all slots are taken
	// or Temporal did not take the signal.
	busyPause   = 5 * time.Second
	outagePause = 10 * time.Second
)

// delivery is one callback on its way through the checks.
type delivery struct {
	workflowID, token string
	// authentic says that the token is the job's.
	authentic bool
	taskID    string
	code      int
}

func (d delivery) withoutToken(text string) string {
	return strings.ReplaceAll(text, d.token, redacted)
}

func (h *handler) receive(w http.ResponseWriter, r *http.Request) {
	var d delivery
	v := h.judge(w, r, &d)
	if callback.IsProbe(d.workflowID) {
		v = v.ofProbe()
	}
	v.log(r.Context(), h.Logger, d)
	if !v.probe {
		metrics.Callbacks.Add(h.Metrics, 1, v.counted)
	}
	v.write(w)
}

// judge checks a callback in the order of its answers: size, token, content,
// signature, signal. The token is looked at first, all the same, so that a
// stranger's body is counted and not kept, and takes up no slot.
func (h *handler) judge(w http.ResponseWriter, r *http.Request, d *delivery) verdict {
	h.authenticate(r, d)
	if r.ContentLength > kie.MaxBody {
		return refused(http.StatusRequestEntityTooLarge, "too large", nil)
	}
	if !d.authentic {
		if _, err := io.Copy(io.Discard, http.MaxBytesReader(w, r.Body, kie.MaxBody)); tooLarge(err) {
			return refused(http.StatusRequestEntityTooLarge, "too large", nil)
		}
		return unauthorized("wrong token", metrics.CallbackForged, nil)
	}
	select {
	case h.slots <- struct{}{}:
		defer func() { <-h.slots }()
	default:
		return again("too many callbacks at once", metrics.CallbackBusy, busyPause, nil)
	}
	// The signal outlives a sender that hangs up: what it brought is news.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), answerTime)
	defer cancel()

	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, kie.MaxBody))
	switch {
	case tooLarge(err):
		return refused(http.StatusRequestEntityTooLarge, "too large", nil)
	case err != nil:
		return refused(http.StatusBadRequest, "incomplete body", err)
	case !isJSON(r.Header):
		return refused(http.StatusUnsupportedMediaType, "content type is not application/json", nil)
	}
	decoded, err := kie.DecodeCallback(body)
	if err != nil {
		return refused(http.StatusBadRequest, "no callback of kie.ai", err)
	}
	d.code = decoded.Code
	if v, ok := h.identify(r.Header, decoded.TaskIDs, d); !ok {
		return v
	}
	return h.signal(ctx, *d, decoded)
}

// authenticate reads the path. What the token proves is that lumaflow minted
// the URL for this job; a signature proves that kie.ai calls.
func (h *handler) authenticate(r *http.Request, d *delivery) {
	vars := mux.Vars(r)
	workflowID, err := url.PathUnescape(vars["workflowID"])
	d.workflowID, d.token = workflowID, vars["token"]
	d.authentic = err == nil && h.Secrets.Verify(h.Namespace, workflowID, d.token)
}

// identify settles which of the task ids in the body is meant: the one that is
// signed, or the first if signatures are not required.
func (h *handler) identify(header http.Header, candidates []string, d *delivery) (verdict, bool) {
	taskID, err := h.Verifier.Verify(candidates, header.Get(kie.TimestampHeader), header.Get(kie.SignatureHeader), h.Now())
	switch {
	case err != nil:
		return unauthorized("bad signature", metrics.CallbackBadSignature, err), false
	case strings.Contains(taskID, d.token):
		// Task ids are shown and stored; tokens must not be.
		return refused(http.StatusBadRequest, "no callback of kie.ai", errors.New("its task id holds the token")), false
	}
	d.taskID = taskID
	return verdict{}, true
}

// signal passes the callback on and answers for Temporal.
func (h *handler) signal(ctx context.Context, d delivery, decoded kie.Callback) verdict {
	repeated, err := h.gate.pass(d, func() error {
		return h.Signaler.SignalCallback(ctx, d.workflowID, hint(d, decoded))
	})
	var over *serviceerror.NotFound
	var exhausted *exhaustedError
	switch {
	case err == nil && repeated:
		return received("duplicate", metrics.CallbackDuplicate)
	case err == nil:
		return received("signalled", metrics.CallbackAccepted)
	case errors.As(err, &over):
		// The job has ended or is gone; nothing that kie.ai could send again
		// would find it.
		return received("job is over", metrics.CallbackLate)
	case errors.As(err, &exhausted):
		return again("too many signals for this job", metrics.CallbackBusy, exhausted.wait, nil)
	default:
		return again("Temporal did not take the signal", metrics.CallbackUnavailable, outagePause, err)
	}
}

// isJSON accepts a missing content type: kie.ai documents application/json, and
// its own answers have been seen without any.
func isJSON(header http.Header) bool {
	given := header.Get("Content-Type")
	if given == "" {
		return true
	}
	mediaType, _, err := mime.ParseMediaType(given)
	return mediaType == "application/json" && (err == nil || errors.Is(err, mime.ErrInvalidMediaParameter))
}

func tooLarge(err error) bool {
	var tooLarge *http.MaxBytesError
	return errors.As(err, &tooLarge)
}
