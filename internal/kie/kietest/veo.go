package kietest

import (
	"net/http"
	"time"
)

const veoModel = "veo"

func init() {
	register(family{
		model:  veoModel,
		single: true,
		routes: func(s *Server, routes *http.ServeMux) {
			routes.HandleFunc("POST /api/v1/veo/generate", s.api(s.veoSubmit, s.refuseUnauthorized))
			routes.HandleFunc("GET /api/v1/veo/record-info", s.api(s.veoRecord, refuse))
		},
		callback: func(_ *Server, t *task, urls []string) []byte {
			if len(urls) == 0 {
				return encode(map[string]any{"code": codeFailed, "msg": t.failure.message, "data": map[string]any{"taskId": t.id}})
			}
			return encode(map[string]any{"code": codeOK, "msg": "Veo 3.1 video generated successfully.", "data": map[string]any{
				"taskId": t.id, "fallbackFlag": false, "info": map[string]any{"resultUrls": urls, "originUrls": urls, "resolution": "720p"}}})
		},
	})
}

// veoKept is the time for which kie.ai serves a record.
const veoKept = 14 * 24 * time.Hour

// veoSubmit is POST /api/v1/veo/generate. The prompt is the only required field.
func (s *Server) veoSubmit(w http.ResponseWriter, r *http.Request) {
	var body struct {
		Prompt      string `json:"prompt"`
		CallBackURL string `json:"callBackUrl"`
	}
	if problem := readJSON(w, r, &body); problem != "" {
		s.refuseInvalid(w, codeInvalid, problem)
		return
	}
	s.submit(w, r, lumaRequest{Model: veoModel, Prompt: body.Prompt, CallBackURL: body.CallBackURL, VideoURL: s.base(r) + SourcePath})
}

// veoRecord is GET /api/v1/veo/record-info.
func (s *Server) veoRecord(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	t := s.tasks[r.URL.Query().Get("taskId")]
	gone := t != nil && t.family().model == veoModel && s.options.Now().Sub(t.created) > veoKept
	s.mu.Unlock()
	if gone {
		refuse(w, codeInvalid, "record result data is blank")
		return
	}
	s.record(w, r, veoModel, "record is null", func(t *task) any { return s.veoDetails(t) })
}

// veoDetails is the record of a task. kie.ai's samples echo no callback URL; only the
// fault of a late one does.
func (s *Server) veoDetails(t *task) map[string]any {
	s.mu.Lock()
	record := map[string]any{
		"taskId": t.id, "successFlag": lumaFlagGenerating, "response": nil, "errorCode": nil, "errorMessage": "", "createTime": t.created.UTC().Format(time.DateTime), "completeTime": nil, "fallbackFlag": false,
	}
	if !t.ended.IsZero() {
		record["completeTime"] = t.ended.UTC().Format(time.DateTime)
	}
	switch t.state() {
	case Succeeded:
		record["successFlag"] = lumaFlagSuccess
		record["response"] = map[string]any{"taskId": t.id, "resultUrls": t.resultURLs(), "originUrls": []string{t.request.VideoURL}, "fullResultUrls": nil, "resolution": "720p"}
	case Failed:
		record["successFlag"], record["errorCode"], record["errorMessage"] = t.failure.lumaFlag, t.failure.code, t.failure.message
	}
	s.mu.Unlock()

	echo := map[string]any{"prompt": t.request.Prompt, "waterMark": ""}
	if !s.hidesCallbackURL(t) && t.faults.has(RecordEchoLate) {
		echo["callBackUrl"] = t.request.CallBackURL
	}
	record["paramJson"] = string(encode(echo))
	s.changeFlag(t, record)
	return record
}
