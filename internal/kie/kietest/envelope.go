package kietest

import (
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"strconv"
	"time"
)

// maxBody bounds, in bytes, the JSON bodies of the API and the controls.
const maxBody = 1 << 20

// The codes of kie.ai that the simulator uses.
const (
	codeOK           = 200
	codeBadRequest   = 400
	codeUnauthorized = 401
	codeNoCredit     = 402
	codeInvalid      = 422
	codeRateLimited  = 429
	codeMaintenance  = 455
	codeServerError  = 500
	codeFailed       = 501
)

// envelope is the body of kie.ai's answers. Refusals have HTTP status 200 too.
type envelope struct {
	Code int    `json:"code"`
	Msg  string `json:"msg"`
	Data any    `json:"data"`
}

func accept(w http.ResponseWriter, data any) {
	writeJSON(w, http.StatusOK, envelope{Code: codeOK, Msg: "success", Data: data})
}

func refuse(w http.ResponseWriter, code int, msg string) {
	writeJSON(w, http.StatusOK, envelope{Code: code, Msg: msg})
}

func writeJSON(w http.ResponseWriter, status int, body any) {
	text, err := json.Marshal(body)
	if err != nil {
		panic(fmt.Sprintf("kietest: encode an answer: %v", err))
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(text)))
	w.WriteHeader(status)
	_, _ = w.Write(text) // the client may have disconnected
}

// readJSON decodes a request's body. problem is a text for the client, empty on
// success.
func readJSON(w http.ResponseWriter, r *http.Request, into any) (problem string) {
	return readJSONUpTo(w, r, into, maxBody)
}

func readJSONUpTo(w http.ResponseWriter, r *http.Request, into any, limit int64) (problem string) {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return "Content-Type must be application/json"
	}
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, limit)).Decode(into); err != nil {
		return "the body is not the expected JSON: " + err.Error()
	}
	return ""
}

// setRetryAfter rounds up to seconds: a client that obeys the header must not
// retry too early.
func setRetryAfter(w http.ResponseWriter, after time.Duration) {
	if after > 0 {
		seconds := (after + time.Second - 1) / time.Second
		w.Header().Set("Retry-After", strconv.FormatInt(int64(seconds), 10))
	}
}
