package kietest

import (
	"encoding/json"
	"fmt"
	"strings"
)

const (
	lumaSuccessMsg = "Modify record generated successfully."
	lumaFailureMsg = "Modify record generation failed."
)

// callback is the body of a finished task's callback.
func (s *Server) callback(t *task) []byte {
	s.mu.Lock()
	urls := t.resultURLs()
	failed := t.failure != nil
	s.mu.Unlock()
	if s.inject(&t.faults, CallbackSpelling, 1) {
		return siblingCallback(t, urls, failed)
	}
	if failed {
		urls = nil
	}
	return t.family().callback(s, t, urls)
}

func lumaSuccessCallback(t *task, urls []string) []byte {
	return encode(map[string]any{"code": codeOK, "msg": lumaSuccessMsg,
		"data": map[string]any{"taskId": t.id, "promptJson": t.lumaEcho(true), "resultUrls": urls}})
}

func lumaFailureCallback(t *task) []byte {
	return encode(map[string]any{"code": codeServerError, "msg": lumaFailureMsg,
		"data": map[string]any{"taskId": t.id, "promptJson": t.lumaEcho(true)}})
}

// siblingCallback is the callback in the format of another family of kie.ai, with
// the spellings of task ids and links in its documentation.
func siblingCallback(t *task, urls []string, failed bool) []byte {
	code, msg := codeOK, lumaSuccessMsg
	if failed {
		code, msg, urls = codeFailed, lumaFailureMsg, nil
	}
	switch t.job.variant % 5 {
	case 0: // guide to webhook signatures, Runway, Suno
		return encode(map[string]any{"code": code, "msg": msg,
			"data": map[string]any{"task_id": t.id, "promptJson": t.lumaEcho(true), "resultUrls": urls}})
	case 1: // Aleph's failures
		return encode(map[string]any{"code": code, "msg": msg, "taskId": t.id, "data": nil})
	case 2: // sample of the guide to webhook signatures, with older Veo's links
		return encode(map[string]any{"code": code, "msg": msg, "taskId": t.id,
			"data": map[string]any{"task_id": t.id, "promptJson": json.RawMessage(t.lumaEcho(true)), "resultUrls": pseudoJSON(urls)}})
	case 3: // newer Veo
		return encode(map[string]any{"code": code, "msg": msg,
			"data": map[string]any{"taskId": t.id, "fallbackFlag": false, "info": map[string]any{"resultUrls": urls}}})
	default: // 4o image and Market
		return encode(map[string]any{"code": code, "message": msg, "task_id": t.id,
			"data": map[string]any{"param": t.lumaEcho(true), "result_urls": string(encode(urls))}})
	}
}

// pseudoJSON is a list without quotes, as in older pages of Veo.
func pseudoJSON(urls []string) string { return fmt.Sprintf("[%s]", strings.Join(urls, ",")) }

func encode(body any) []byte {
	text, err := json.Marshal(body)
	if err != nil {
		panic(fmt.Sprintf("kietest: encode a callback: %v", err))
	}
	return text
}
