package kietest

import (
	"fmt"
	"net/http"
)

// details is the data of a record.
type details struct {
	TaskID       string    `json:"taskId"`
	ParamJSON    string    `json:"paramJson"`
	CompleteTime *int64    `json:"completeTime"`
	CreateTime   int64     `json:"createTime"`
	SuccessFlag  int       `json:"successFlag"`
	ErrorCode    *int      `json:"errorCode"`
	ErrorMessage *string   `json:"errorMessage"`
	Response     *response `json:"response"`
}

type response struct {
	TaskID     string   `json:"taskId"`
	OriginURLs []string `json:"originUrls"`
	ResultURLs []string `json:"resultUrls"`
}

const noRecord = "record does not exist"

// record is GET /api/v1/modify/record-info.
func (s *Server) record(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	t, ok := s.tasks[r.URL.Query().Get("taskId")]
	polls := 0
	if ok {
		t.polls++
		polls = t.polls
	} else {
		s.counts.UnknownPolls++
	}
	s.mu.Unlock()
	if !ok {
		refuse(w, codeInvalid, noRecord)
		return
	}
	faults, several := &t.exposure, s.options.Strikes
	switch {
	case s.strike(faults, RecordDown, always), s.strike(faults, Record5xx, several):
		unavailable(w, polls)
	case s.strike(faults, RecordMissing, several):
		refuse(w, codeInvalid, noRecord)
	default:
		accept(w, s.details(t))
	}
}

// unavailable takes turns between the ways a server is down.
func unavailable(w http.ResponseWriter, turn int) {
	if turn%2 == 1 {
		writeJSON(w, http.StatusInternalServerError, envelope{Code: codeServerError, Msg: "Internal Server Error"})
		return
	}
	w.Header().Set("Content-Type", "text/html")
	w.WriteHeader(http.StatusServiceUnavailable)
	fmt.Fprint(w, page("503 Service Temporarily Unavailable"))
}

func (s *Server) details(t *task) details {
	s.mu.Lock()
	record := details{
		TaskID:      t.id,
		ParamJSON:   t.echo(),
		CreateTime:  t.created.UnixMilli(),
		SuccessFlag: t.flag(),
	}
	if !t.ended.IsZero() {
		record.CompleteTime = new(t.ended.UnixMilli())
	}
	if t.failure != nil {
		record.ErrorCode, record.ErrorMessage = &t.failure.code, &t.failure.message
	}
	if len(t.results) > 0 {
		record.Response = &response{TaskID: t.id, OriginURLs: []string{t.request.VideoURL}, ResultURLs: t.resultURLs()}
	}
	s.mu.Unlock()

	faults, several := &t.exposure, s.options.Strikes
	switch {
	case s.strike(faults, UnknownFlag, several):
		record.SuccessFlag, record.Response, record.CompleteTime = flagUnheardOf, nil, nil
	case record.SuccessFlag != flagSucceeded && record.SuccessFlag != flagCallbackFailed:
	case s.strike(faults, Flag4Late, several):
		record.SuccessFlag, record.Response = flagCallbackFailed, nil
	case t.faces(Flag4Late):
		record.SuccessFlag = flagCallbackFailed
	case s.strike(faults, Flag4, always):
		record.SuccessFlag = flagCallbackFailed
	}
	return record
}

// flag is what an undisturbed record says. Callers hold Server.mu.
func (t *task) flag() int {
	switch {
	case t.ended.IsZero():
		return flagGenerating
	case t.failure != nil:
		return t.failure.flag
	case t.callbackFailed:
		return flagCallbackFailed
	default:
		return flagSucceeded
	}
}

// State names what became of a charge.
type State string

// The states of a charge.
const (
	Generating State = "generating"
	Succeeded  State = "succeeded"
	Failed     State = "failed"
)

// state is the truth behind the flag. Callers hold Server.mu.
func (t *task) state() State {
	switch {
	case t.ended.IsZero():
		return Generating
	case t.failure != nil:
		return Failed
	default:
		return Succeeded
	}
}
