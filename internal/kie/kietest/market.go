package kietest

import (
	"encoding/json"
	"maps"
	"net/http"
	"strconv"
)

// marketModel is the name of the family. No model has it.
const marketModel = "market"

func init() {
	register(family{
		model:   marketModel,
		refunds: true,
		routes: func(s *Server, routes *http.ServeMux) {
			routes.HandleFunc("POST /api/v1/jobs/createTask", s.api(s.marketSubmit, s.refuseUnauthorized))
			routes.HandleFunc("GET /api/v1/jobs/recordInfo", s.api(s.marketRecord, refuse))
			routes.HandleFunc("GET /api/v1/models", s.api(s.listModels, refuse))
			routes.HandleFunc("GET /api/v1/models/{path...}", s.api(s.describeModel, refuse))
		},
		callback: func(s *Server, t *task, urls []string) []byte { return s.marketCallback(t, urls) },
	})
}

// marketSubmit is POST /api/v1/jobs/createTask. Unknown fields of input are ignored and
// billed, as observed.
func (s *Server) marketSubmit(w http.ResponseWriter, r *http.Request) {
	var body struct {
		Model       string         `json:"model"`
		CallBackURL string         `json:"callBackUrl"`
		Input       map[string]any `json:"input"`
	}
	if problem := readJSON(w, r, &body); problem != "" {
		s.refuseInvalid(w, codeInvalid, problem)
		return
	}
	if catalogue[body.Model] == nil {
		s.refuseInvalid(w, http.StatusNotFound, "The model name you specified is not supported. Please use the correct model name.")
		return
	}
	req := lumaRequest{Model: body.Model, CallBackURL: body.CallBackURL}
	req.Prompt, _ = body.Input["prompt"].(string)
	options := maps.Clone(body.Input)
	delete(options, "prompt")
	field := catalogue[body.Model].video
	switch value := body.Input[field].(type) {
	case string:
		req.VideoURL = value
	case []any:
		if len(value) > 0 {
			req.VideoURL, _ = value[0].(string)
		}
	}
	delete(options, field)
	req.Options = string(encode(options))
	s.submit(w, r, req)
}

// marketRecord is GET /api/v1/jobs/recordInfo.
func (s *Server) marketRecord(w http.ResponseWriter, r *http.Request) {
	s.record(w, r, marketModel, "recordInfo is null", func(t *task) any { return s.marketDetails(t) })
}

// marketDetails is the record of a task, with the differences between observed answers:
// by the variant of the job, response and successFlag or neither, failCode null or
// empty, input as text or object.
func (s *Server) marketDetails(t *task) map[string]any {
	s.mu.Lock()
	urls := t.resultURLs()
	s.mu.Unlock()
	record := s.marketEnd(t, urls)
	record["param"] = t.marketEcho(!s.hidesCallbackURL(t))
	faults, repeats := &t.faults, s.options.FaultRepeats
	switch {
	case s.inject(faults, UnknownFlag, repeats):
		record["state"], record["resultJson"], record["completeTime"] = "archiving", "", nil
		delete(record, "response")
		delete(record, "successFlag")
	case record["state"] != "success":
	case s.inject(faults, Flag4Late, repeats):
		record["resultJson"] = ""
		delete(record, "response")
	case s.inject(faults, Flag4, unlimited):
		// An answer of an older edition has the text alone.
		delete(record, "response")
		delete(record, "successFlag")
		delete(record, "creditsConsumed")
	}
	return record
}

// marketEnd is the record without the faults of a record.
func (s *Server) marketEnd(t *task, urls []string) map[string]any {
	s.mu.Lock()
	defer s.mu.Unlock()
	odd := t.job.variant%2 == 1
	record := map[string]any{
		"taskId": t.id, "model": t.request.Model, "state": "waiting", "resultJson": "", "failCode": nil, "failMsg": nil,
		"costTime": nil, "createTime": t.created.UnixMilli(), "completeTime": nil, "updateTime": t.created.UnixMilli(),
	}
	if t.job.variant%3 == 0 {
		record["failCode"], record["failMsg"] = "", ""
	}
	flag := 0
	if !t.ended.IsZero() {
		record["completeTime"] = t.ended.UnixMilli()
		record["costTime"] = int(t.ended.Sub(t.created).Seconds())
	}
	switch t.state() {
	case Succeeded:
		flag = 1
		results := map[string]any{"resultUrls": urls}
		record["state"], record["resultJson"] = "success", string(encode(results))
		if odd {
			record["response"] = results
		}
	case Failed:
		flag = 3
		record["state"], record["resultJson"] = "fail", nil
		record["failCode"], record["failMsg"] = strconv.Itoa(t.failure.code), t.failure.message
	}
	if odd {
		record["successFlag"] = flag
	}
	if flag != 0 {
		record["creditsConsumed"] = t.cost()
	}
	return record
}

// marketEcho is the request as JSON text. It quotes the source under names that other
// families use for results.
func (t *task) marketEcho(withCallbackURL bool) string {
	input := map[string]any{}
	_ = json.Unmarshal([]byte(t.request.Options), &input) // encoded by marketSubmit
	if input == nil {
		input = map[string]any{}
	}
	input["prompt"] = t.request.Prompt
	known := catalogue[t.request.Model]
	if known != nil && known.list {
		input[known.video] = []string{t.request.VideoURL}
	} else {
		input["video_url"] = t.request.VideoURL
	}
	echo := map[string]any{"model": t.request.Model, "input": string(encode(input))}
	if t.job.variant%5 == 0 {
		echo["input"] = input
	}
	if withCallbackURL && t.request.CallBackURL != "" {
		echo["callBackUrl"] = t.request.CallBackURL
	}
	return string(encode(echo))
}

// marketCallback is the record with a code and a text around it.
func (s *Server) marketCallback(t *task, urls []string) []byte {
	data := s.marketEnd(t, urls)
	data["param"] = t.marketEcho(true)
	if len(urls) == 0 {
		return encode(map[string]any{"code": codeFailed, "msg": "Playground task failed.", "data": data})
	}
	return encode(map[string]any{"code": codeOK, "msg": "Playground task completed successfully.", "data": data})
}
