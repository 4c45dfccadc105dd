package kietest

import (
	"net/http"
	"time"
)

const alephModel = "aleph"

func init() {
	register(family{
		model:  alephModel,
		single: true,
		routes: func(s *Server, routes *http.ServeMux) {
			routes.HandleFunc("POST /api/v1/aleph/generate", s.api(s.alephSubmit, s.refuseUnauthorized))
			routes.HandleFunc("GET /api/v1/aleph/record-info", s.api(s.alephRecord, refuse))
		},
		callback: func(_ *Server, t *task, urls []string) []byte { return alephCallback(t, urls) },
	})
}

// alephSubmit is POST /api/v1/aleph/generate.
func (s *Server) alephSubmit(w http.ResponseWriter, r *http.Request) {
	var body map[string]any
	if problem := readJSON(w, r, &body); problem != "" {
		s.refuseInvalid(w, codeInvalid, problem)
		return
	}
	req := lumaRequest{Model: alephModel}
	req.Prompt, _ = body["prompt"].(string)
	req.VideoURL, _ = body["videoUrl"].(string)
	req.CallBackURL, _ = body["callBackUrl"].(string)
	for _, field := range []string{"prompt", "videoUrl", "callBackUrl"} {
		delete(body, field)
	}
	req.Options = string(encode(body))
	s.submit(w, r, req)
}

// alephRecord is GET /api/v1/aleph/record-info.
func (s *Server) alephRecord(w http.ResponseWriter, r *http.Request) {
	s.record(w, r, alephModel, "record is null", func(t *task) any { return s.alephDetails(t) })
}

// alephDetails is the record of a task: flag 0 means running or, with an error, failed.
// kie.ai does not document whether it echoes the callback URL; here every second job's
// does, and each late one.
func (s *Server) alephDetails(t *task) map[string]any {
	s.mu.Lock()
	record := map[string]any{
		"taskId": t.id, "response": nil, "createTime": t.created.UTC().Format(time.RFC3339), "completeTime": nil,
		"successFlag": lumaFlagGenerating, "errorCode": 0, "errorMessage": "",
	}
	if !t.ended.IsZero() {
		record["completeTime"] = t.ended.UTC().Format(time.RFC3339)
	}
	switch t.state() {
	case Succeeded:
		record["successFlag"] = lumaFlagSuccess
		urls := t.resultURLs()
		record["response"] = map[string]any{"taskId": t.id, "resultVideoUrl": urls[0], "resultImageUrl": urls[0] + ".png"}
	case Failed:
		record["errorCode"], record["errorMessage"] = t.failure.code, t.failure.message
	}
	s.mu.Unlock()

	echo := map[string]any{"prompt": t.request.Prompt, "videoUrl": t.request.VideoURL}
	if !s.hidesCallbackURL(t) && (t.job.variant%2 == 1 || t.faults.has(RecordEchoLate)) {
		echo["callBackUrl"] = t.request.CallBackURL
	}
	record["paramJson"] = string(encode(echo))
	s.changeFlag(t, record)
	return record
}

// alephCallback is the callback in one of the three shapes of kie.ai's pages. That of a
// failure has no data.
func alephCallback(t *task, urls []string) []byte {
	if len(urls) == 0 {
		return encode(map[string]any{"code": codeBadRequest, "msg": "The task failed.", "data": nil, "taskId": t.id})
	}
	switch t.job.variant % 3 {
	case 0:
		return encode(map[string]any{"code": codeOK, "msg": "success", "taskId": t.id,
			"data": map[string]any{"result_video_url": urls[0], "result_image_url": urls[0] + ".png"}})
	case 1:
		return encode(map[string]any{"code": codeOK, "msg": "success",
			"data": map[string]any{"task_id": t.id, "video_url": urls[0], "image_url": urls[0] + ".png", "video_id": newID()}})
	default:
		return encode(map[string]any{"code": codeOK, "msg": "success",
			"data": map[string]any{"taskId": t.id, "videoUrl": urls[0]}})
	}
}
