package kietest

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

const lumaModel = "luma"

func init() {
	register(family{
		model: lumaModel,
		routes: func(s *Server, routes *http.ServeMux) {
			routes.HandleFunc("POST /api/v1/modify/generate", s.api(s.lumaSubmit, s.refuseUnauthorized))
			routes.HandleFunc("GET /api/v1/modify/record-info", s.api(s.lumaRecord, refuse))
		},
		callback: func(_ *Server, t *task, urls []string) []byte {
			if len(urls) == 0 {
				return lumaFailureCallback(t)
			}
			return lumaSuccessCallback(t, urls)
		},
	})
}

// lumaRequest is the submission of any family. Equal bodies belong to one job: a retry
// sends the same body.
type lumaRequest struct {
	Prompt      string `json:"prompt"`
	VideoURL    string `json:"videoUrl"`
	CallBackURL string `json:"callBackUrl"`
	Watermark   string `json:"watermark"`
	// Model is empty for Luma Modify, Options are the further fields as JSON.
	Model   string `json:"model,omitempty"`
	Options string `json:"options,omitempty"`
}

func (r lumaRequest) problem() string {
	switch {
	case strings.TrimSpace(r.Prompt) == "":
		return "prompt 不能为空"
	case strings.TrimSpace(r.VideoURL) == "":
		return "videoUrl 不能为空"
	case !isWebURL(r.VideoURL):
		return "videoUrl is not a valid http or https URL"
	case r.CallBackURL != "" && !isWebURL(r.CallBackURL):
		return "callBackUrl is not a valid http or https URL"
	default:
		return ""
	}
}

func isWebURL(text string) bool {
	parsed, err := url.Parse(text)
	return err == nil && (parsed.Scheme == "http" || parsed.Scheme == "https") && parsed.Host != ""
}

// lumaSubmit is POST /api/v1/modify/generate.
func (s *Server) lumaSubmit(w http.ResponseWriter, r *http.Request) {
	var req lumaRequest
	if problem := readJSON(w, r, &req); problem != "" {
		s.refuseInvalid(w, codeInvalid, problem)
		return
	}
	s.submit(w, r, lumaRequest{Prompt: req.Prompt, VideoURL: req.VideoURL, CallBackURL: req.CallBackURL, Watermark: req.Watermark})
}

// submit charges and answers a submission of any family.
func (s *Server) submit(w http.ResponseWriter, r *http.Request, req lumaRequest) {
	if problem := req.problem(); problem != "" {
		s.refuseInvalid(w, codeInvalid, problem)
		return
	}
	marks, err := readMarkers(req.Prompt)
	if err != nil {
		s.refuseInvalid(w, codeInvalid, fmt.Sprintf("the prompt's marker can't be followed: %v", err))
		return
	}
	if familyOf(req.Model).single {
		marks.results = 1
	}
	t, refusal, err := s.admit(req, marks, s.base(r))
	if err != nil {
		s.log.Error("could not write the bill", "error", err)
		http.Error(w, "the simulator can't write its bill: "+err.Error(), http.StatusServiceUnavailable)
		return
	}
	if refusal.code != 0 {
		refusal.send(w, s)
		return
	}
	if t.faults.has(CallbackEarly) {
		select {
		case <-t.attempted:
		case <-s.ctx.Done():
		}
	}
	s.answer(w, r, t)
}

// The values of Charge.Response.
const (
	ResponseSent      = "sent"
	responseLost      = "lost"
	response500       = "http-500"
	responseGarbled   = "garbled"
	responseAbandoned = "abandoned" // the client disconnected before a slow answer
)

// answer sends the task id of a charged submission, or injects a fault.
func (s *Server) answer(w http.ResponseWriter, r *http.Request, t *task) {
	faults := &t.job.faults
	switch {
	case s.inject(faults, ResponseLost, 1):
		s.setResponse(t, responseLost)
		_ = resetConnection(w) // always errReset
	case s.inject(faults, Response500, 1):
		s.setResponse(t, response500)
		writeJSON(w, http.StatusInternalServerError, envelope{Code: codeServerError, Msg: "Internal Server Error"})
	case s.inject(faults, ResponseGarbled, 1):
		s.setResponse(t, responseGarbled)
		s.garble(w, t)
	case s.inject(faults, SlowResponse, 1):
		if err := s.pause(r.Context(), s.options.SlowResponse); err != nil {
			s.setResponse(t, responseAbandoned)
			panic(http.ErrAbortHandler)
		}
		fallthrough
	default:
		s.setResponse(t, ResponseSent)
		accept(w, map[string]string{"taskId": t.id})
	}
}

// garble sends one of four answers without a readable task id.
func (s *Server) garble(w http.ResponseWriter, t *task) {
	switch t.job.variant % 4 {
	case 0:
		w.Header().Set("Content-Type", "application/json")
		_, _ = fmt.Fprintf(w, `{"code":200,"msg":"success","data":{"taskId":"%s`, t.id[:8])
	case 1:
		w.Header().Set("Content-Type", "text/html")
		_, _ = fmt.Fprint(w, page("502 Bad Gateway"))
	case 2:
		accept(w, nil)
	default:
		accept(w, map[string]string{"taskId": ""})
	}
}

func (s *Server) setResponse(t *task, response string) {
	s.mu.Lock()
	t.response = response
	s.mu.Unlock()
}

func page(title string) string {
	return "<!DOCTYPE html><html><head><title>" + title + "</title></head><body><h1>" + title + "</h1></body></html>\n"
}
