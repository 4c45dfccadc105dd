package webhook

import (
	"bytes"
	"context"
	"errors"
	"io"
	"mime"
	"net/http"
	"strings"

	"lumaflow/internal/coding"
	"lumaflow/internal/kie"
	"lumaflow/internal/telemetry/metrics"
)

const (
	// smallBody is the size up to which any number of bodies is read concurrently. The
	// callbacks of kie.ai have a few kilobytes. With maxConnections, it bounds their
	// memory to 32 MiB.
	smallBody = 16 << 10
	// maxLarge bounds the larger bodies that are read concurrently, to 1 MiB each, and
	// maxLargePerJob those of one job, whose address may have leaked.
	maxLarge, maxLargePerJob = 32, 4
	// maxDecoding bounds the bodies that are decoded concurrently, to a few MiB each.
	// Decoding takes milliseconds, so that further ones wait.
	maxDecoding = 8
)

// readBody reads the body of a request with a valid token as sent. A slow body occupies
// its connection and a buffer of the received size, no slot.
func (h *handler) readBody(w http.ResponseWriter, r *http.Request, job string) (body []byte, rejection outcome, ok bool) {
	from := http.MaxBytesReader(w, r.Body, kie.MaxBody)
	body, err := io.ReadAll(io.LimitReader(from, smallBody+1))
	if err == nil && len(body) > smallBody {
		release, free := h.large.take(job)
		if !free {
			return nil, retryLater("too many large callbacks at once", metrics.CallbackBusy, busyPause, nil), false
		}
		defer release()
		rest := bytes.NewBuffer(body)
		_, err = rest.ReadFrom(from)
		body = rest.Bytes()
	}
	switch {
	case tooLarge(err):
		return nil, rejected(http.StatusRequestEntityTooLarge, "too large", nil), false
	case err != nil:
		return nil, rejected(http.StatusBadRequest, "incomplete body", err), false
	}
	return body, outcome{}, true
}

// decode decodes a whole body under any Content-Type and Content-Encoding: its bytes
// decide, because the callback may be the only proof of a paid task. The label only
// selects the status of a body that is no JSON.
func (h *handler) decode(ctx context.Context, header http.Header, body []byte) (decoded kie.Callback, rejection outcome, ok bool) {
	select {
	case h.decoding <- struct{}{}:
		defer func() { <-h.decoding }()
	case <-ctx.Done():
		return decoded, retryLater("too many callbacks at once", metrics.CallbackBusy, busyPause, nil), false
	}
	text, codingErr := withoutCoding(header, body)
	if len(text) > kie.MaxBody {
		return decoded, rejected(http.StatusRequestEntityTooLarge, "too large", errors.New("its decoded body is larger than 1 MiB")), false
	}
	// A compressed body that breaks off after its JSON is complete.
	decoded, err := kie.DecodeCallback(text)
	switch {
	case err == nil:
		return decoded, outcome{}, true
	case !errors.Is(err, kie.ErrNotJSON), isJSON(header):
		return decoded, rejected(http.StatusBadRequest, "no callback of kie.ai", errors.Join(err, codingErr)), false
	default:
		return decoded, rejected(http.StatusUnsupportedMediaType, "content type is not application/json", errors.Join(err, codingErr)), false
	}
}

// withoutCoding returns at most kie.MaxBody+1 decoded bytes, and those before an error.
func withoutCoding(header http.Header, body []byte) ([]byte, error) {
	decoded, _, err := coding.NewReader(bytes.NewReader(body), header)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(io.LimitReader(decoded, kie.MaxBody+1))
}

// isJSON reports whether the Content-Type is one of JSON or is missing.
func isJSON(header http.Header) bool {
	given := header.Get("Content-Type")
	if given == "" {
		return true
	}
	mediaType, _, err := mime.ParseMediaType(given)
	return (mediaType == "application/json" || mediaType == "text/json" || strings.HasSuffix(mediaType, "+json")) &&
		(err == nil || errors.Is(err, mime.ErrInvalidMediaParameter))
}

func tooLarge(err error) bool {
	_, exceeded := errors.AsType[*http.MaxBytesError](err)
	return exceeded
}
