package kietest

import (
	"encoding/json"
	"fmt"
	"strings"
)

const (
	successMsg = "Modify record generated successfully."
	failureMsg = "Modify record generation failed."
)

// callbackBody is what a finished task's callback says.
func (s *Server) callbackBody(t *task) []byte {
	s.mu.Lock()
	urls := t.resultURLs()
	failed := t.failure != nil
	s.mu.Unlock()
	if s.strike(&t.exposure, CallbackSpelling, 1) {
		return otherSpelling(t, urls, failed)
	}
	code, msg := codeOK, successMsg
	data := map[string]any{"taskId": t.id, "promptJson": t.echo()}
	if failed {
		code, msg = codeServerError, failureMsg
	} else {
		data["resultUrls"] = urls
	}
	return encode(map[string]any{"code": code, "msg": msg, "data": data})
}

// otherSpelling writes the callback as one of kie.ai's sister APIs would, with
// the ways to name a task and to list links that have been seen there.
func otherSpelling(t *task, urls []string, failed bool) []byte {
	code, msg := codeOK, successMsg
	if failed {
		code, msg, urls = codeFailed, failureMsg, nil
	}
	switch t.job.lot % 5 {
	case 0: // the guide to signatures, Runway, Suno
		return encode(map[string]any{"code": code, "msg": msg,
			"data": map[string]any{"task_id": t.id, "promptJson": t.echo(), "resultUrls": urls}})
	case 1: // Aleph's failures
		return encode(map[string]any{"code": code, "msg": msg, "taskId": t.id, "data": nil})
	case 2: // the sample request of the guide to signatures, with older Veo's links
		return encode(map[string]any{"code": code, "msg": msg, "taskId": t.id,
			"data": map[string]any{"task_id": t.id, "promptJson": json.RawMessage(t.echo()), "resultUrls": pseudoJSON(urls)}})
	case 3: // newer Veo
		return encode(map[string]any{"code": code, "msg": msg,
			"data": map[string]any{"taskId": t.id, "fallbackFlag": false, "info": map[string]any{"resultUrls": urls}}})
	default: // 4o image and Market
		return encode(map[string]any{"code": code, "message": msg, "task_id": t.id,
			"data": map[string]any{"param": t.echo(), "result_urls": string(encode(urls))}})
	}
}

// pseudoJSON looks like a list in JSON, without the quotes.
func pseudoJSON(urls []string) string { return fmt.Sprintf("[%s]", strings.Join(urls, ",")) }

func encode(body any) []byte {
	text, err := json.Marshal(body)
	if err != nil {
		panic(fmt.Sprintf("kietest: encode a callback: %v", err))
	}
	return text
}
