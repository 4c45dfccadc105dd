package kietest

import (
	"encoding/json"
	"fmt"
	"net/http"
)

// The values of successFlag in Luma's records.
const (
	lumaFlagGenerating     = 0
	lumaFlagSuccess        = 1
	lumaFlagCreateFailed   = 2
	lumaFlagGenerateFailed = 3
	lumaFlagCallbackFailed = 4
	// lumaFlagUndocumented is the flag of the fault UnknownFlag.
	lumaFlagUndocumented = 7
)

// lumaDetails is the data of a record.
type lumaDetails struct {
	TaskID       string        `json:"taskId"`
	ParamJSON    string        `json:"paramJson"`
	CompleteTime *int64        `json:"completeTime"`
	CreateTime   int64         `json:"createTime"`
	SuccessFlag  int           `json:"successFlag"`
	ErrorCode    *int          `json:"errorCode"`
	ErrorMessage *string       `json:"errorMessage"`
	Response     *lumaResponse `json:"response"`
}

type lumaResponse struct {
	TaskID     string   `json:"taskId"`
	OriginURLs []string `json:"originUrls"`
	ResultURLs []string `json:"resultUrls"`
}

// noRecord is an observed text of kie.ai.
const noRecord = "record does not exist"

// lumaRecord is GET /api/v1/modify/record-info.
func (s *Server) lumaRecord(w http.ResponseWriter, r *http.Request) {
	s.record(w, r, lumaModel, noRecord, func(t *task) any { return s.lumaDetails(t) })
}

// record serves the record of a task of a family.
func (s *Server) record(w http.ResponseWriter, r *http.Request, of, noRecord string, details func(*task) any) {
	s.mu.Lock()
	t, ok := s.tasks[r.URL.Query().Get("taskId")]
	ok = ok && t.family().model == of
	polls := 0
	if ok {
		t.polls++
		polls = t.polls
		t.firstPoll = orElse(t.firstPoll, s.options.Now())
	} else {
		s.counts.UnknownPolls++
	}
	s.mu.Unlock()
	if !ok {
		refuse(w, codeInvalid, noRecord)
		return
	}
	faults, repeats := &t.faults, s.options.FaultRepeats
	switch {
	case s.inject(faults, RecordDown, unlimited), s.inject(faults, Record5xx, repeats):
		unavailable(w, polls, of)
	case s.inject(faults, RecordMissing, repeats):
		if of != lumaModel && polls%2 == 0 {
			// As observed of a family of music.
			accept(w, nil)
			return
		}
		refuse(w, codeInvalid, noRecord)
	default:
		accept(w, details(t))
	}
}

// unavailable alternates between an error in the envelope and a proxy's page. The other
// families document code 408, which a success may follow.
func unavailable(w http.ResponseWriter, poll int, of string) {
	switch {
	case poll%2 == 1 && of != lumaModel:
		refuse(w, http.StatusRequestTimeout, "Upstream is currently experiencing service issues. No result has been returned for over 10 minutes.")
		return
	case poll%2 == 1:
		writeJSON(w, http.StatusInternalServerError, envelope{Code: codeServerError, Msg: "Internal Server Error"})
		return
	}
	w.Header().Set("Content-Type", "text/html")
	w.WriteHeader(http.StatusServiceUnavailable)
	_, _ = fmt.Fprint(w, page("503 Service Temporarily Unavailable"))
}

// changeFlag applies the faults of the flag to a record of another family with Luma's
// flags.
func (s *Server) changeFlag(t *task, record map[string]any) {
	faults, repeats := &t.faults, s.options.FaultRepeats
	switch {
	case s.inject(faults, UnknownFlag, repeats):
		record["successFlag"], record["response"], record["completeTime"] = lumaFlagUndocumented, nil, nil
	case record["successFlag"] != lumaFlagSuccess:
	case s.inject(faults, Flag4Late, repeats):
		record["response"] = nil
	case s.inject(faults, Flag4, unlimited):
		record["successFlag"] = lumaFlagCallbackFailed
	}
}

func (s *Server) lumaDetails(t *task) lumaDetails {
	s.mu.Lock()
	record := lumaDetails{
		TaskID:      t.id,
		CreateTime:  t.created.UnixMilli(),
		SuccessFlag: t.lumaFlag(),
	}
	if !t.ended.IsZero() {
		record.CompleteTime = new(t.ended.UnixMilli())
	}
	if t.failure != nil {
		record.ErrorCode, record.ErrorMessage = &t.failure.code, &t.failure.message
	}
	if len(t.results) > 0 {
		record.Response = &lumaResponse{TaskID: t.id, OriginURLs: []string{t.request.VideoURL}, ResultURLs: t.resultURLs()}
	}
	s.mu.Unlock()

	record.ParamJSON = t.lumaEcho(!s.hidesCallbackURL(t))
	faults, repeats := &t.faults, s.options.FaultRepeats
	switch {
	case s.inject(faults, UnknownFlag, repeats):
		record.SuccessFlag, record.Response, record.CompleteTime = lumaFlagUndocumented, nil, nil
	case record.SuccessFlag != lumaFlagSuccess && record.SuccessFlag != lumaFlagCallbackFailed:
	case s.inject(faults, Flag4Late, repeats):
		record.SuccessFlag, record.Response = lumaFlagCallbackFailed, nil
	case t.faults.has(Flag4Late):
		record.SuccessFlag = lumaFlagCallbackFailed
	case s.inject(faults, Flag4, unlimited):
		record.SuccessFlag = lumaFlagCallbackFailed
	}
	return record
}

// hidesCallbackURL reports whether the record lacks the callback URL now.
func (s *Server) hidesCallbackURL(t *task) bool {
	if s.inject(&t.faults, RecordWithoutEcho, unlimited) {
		return true
	}
	s.mu.Lock()
	late := s.options.Now().Sub(t.firstPoll) < s.options.EchoLate
	s.mu.Unlock()
	return late && s.inject(&t.faults, RecordEchoLate, unlimited)
}

// lumaFlag is the record's flag without the faults of a record. Callers hold
// Server.mu.
func (t *task) lumaFlag() int {
	switch {
	case t.ended.IsZero():
		return lumaFlagGenerating
	case t.failure != nil:
		return t.failure.lumaFlag
	case t.callbackFailed:
		return lumaFlagCallbackFailed
	default:
		return lumaFlagSuccess
	}
}

// lumaEcho is the request as Luma's callbacks and records quote it: JSON in a
// string, with the watermark as "waterMark".
func (t *task) lumaEcho(withCallbackURL bool) string {
	var callbackURL string
	if withCallbackURL {
		callbackURL = t.request.CallBackURL
	}
	text, _ := json.Marshal(struct { // strings always encode
		CallBackURL string `json:"callBackUrl,omitempty"`
		Prompt      string `json:"prompt"`
		VideoURL    string `json:"videoUrl"`
		WaterMark   string `json:"waterMark"`
	}{callbackURL, t.request.Prompt, t.request.VideoURL, t.request.Watermark})
	return string(text)
}
