package kie_test

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lumaflow/internal/kie"
	"lumaflow/test/compressed"
)

const otherTaskID = "fedcba9876543210fedcba9876543210"

func asUTF16(text string, order binary.AppendByteOrder) string {
	body := order.AppendUint16(nil, 0xfeff)
	for _, unit := range utf16.Encode([]rune(text)) {
		body = order.AppendUint16(body, unit)
	}
	return string(body)
}

// The one answer that must not be lost: the only task id in it is accepted with the
// code of success, and offered without.
func TestSubmitAnswersInOtherShapes(t *testing.T) {
	const envelope = `{"code":200,"msg":"success","data":{"taskId":"` + taskID + `"}}`
	inString, err := json.Marshal(`{"taskId":"` + taskID + `"}`)
	require.NoError(t, err)
	coded := func(coding, body string) reply {
		return reply{status: 200, header: http.Header{"Content-Encoding": {coding}}, body: body}
	}
	page := "<!DOCTYPE html><html><head><style>a{b:c}</style></head><body>%s</body></html>"
	tests := map[string]struct {
		answer  reply
		taskID  string // accepted
		offered string // in an Unknown error
	}{
		"gzip":                   {coded("gzip", compressed.Gzip(envelope)), taskID, ""},
		"gzip without a label":   {reply{status: 200, body: compressed.Gzip(envelope)}, taskID, ""},
		"gzip with another":      {coded("br", compressed.Gzip(envelope)), taskID, ""},
		"deflate":                {coded("deflate", compressed.Zlib(envelope)), taskID, ""},
		"plain, labelled gzip":   {coded("gzip", envelope), taskID, ""},
		"plain, labelled br":     {coded("br", envelope), taskID, ""},
		"gzip that breaks off":   {coded("gzip", compressed.Gzip(envelope + strings.Repeat("\n", 100))[:100]), taskID, ""},
		"gzip of half":           {coded("gzip", compressed.Gzip(envelope[:len(envelope)-2])), "", taskID},
		"byte order mark":        {reply{status: 200, body: "\ufeff" + envelope}, taskID, ""},
		"UTF-16":                 {reply{status: 200, body: asUTF16(envelope, binary.LittleEndian)}, taskID, ""},
		"UTF-16, big endian":     {reply{status: 200, body: asUTF16(envelope, binary.BigEndian)}, taskID, ""},
		"text before":            {reply{status: 200, body: ")]}',\n" + envelope}, taskID, ""},
		"text behind":            {reply{status: 200, body: envelope + "\n<!-- 12 ms -->"}, taskID, ""},
		"a function around":      {reply{status: 200, body: "callback(" + envelope + ");"}, taskID, ""},
		"HTML around":            {reply{status: 200, body: "<html><body><pre>" + envelope + "</pre></body></html>"}, taskID, ""},
		"HTML with braces":       {reply{status: 200, body: fmt.Sprintf(page, envelope)}, "", taskID},
		"text around, under 502": {reply{status: 502, body: "upstream: " + envelope}, taskID, ""},
		"a list of one":          {reply{status: 200, body: "[" + envelope + "]"}, taskID, ""},
		"too much white space":   {reply{status: 200, body: envelope + strings.Repeat(" ", kie.MaxBody)}, taskID, ""},
		"twice":                  {reply{status: 200, body: envelope + envelope}, "", taskID},
		"breaks off behind it":   {reply{status: 200, body: envelope[:len(envelope)-2]}, "", taskID},
		"breaks off in it":       {reply{status: 200, body: envelope[:len(envelope)-9]}, "", ""},
		"breaks off, escaped":    {reply{status: 200, body: `{"code":200,"data":` + string(inString) + `,`}, "", taskID},
		"XML":                    {reply{status: 200, body: "<r><code>200</code><taskId>" + taskID + "</taskId></r>"}, "", taskID},
		"form":                   {reply{status: 200, body: "code=200&task_id=" + taskID + "&x=1"}, "", taskID},
		"unreadable refusal":     {reply{status: 200, body: `error: {"code":429,"data":{"taskId":"` + taskID + `"}}`}, "", taskID},

		"data as text":             {reply{status: 200, body: `{"code":200,"data":"` + taskID + `"}`}, taskID, ""},
		"data as JSON in text":     {reply{status: 200, body: `{"code":200,"data":` + string(inString) + `}`}, taskID, ""},
		"data as list in text":     {reply{status: 200, body: `{"code":200,"data":"[\"` + taskID + `\"]"}`}, taskID, ""},
		"data as list":             {reply{status: 200, body: `{"code":200,"data":["` + taskID + `"]}`}, taskID, ""},
		"data as list of objects":  {reply{status: 200, body: `{"code":200,"data":[{"taskId":"` + taskID + `"}]}`}, taskID, ""},
		"data with id":             {reply{status: 200, body: `{"code":200,"data":{"id":"` + taskID + `","traceId":"` + otherTaskID + `"}}`}, taskID, ""},
		"data with recordId":       {reply{status: 200, body: `{"code":200,"data":{"record_id":"` + taskID + `"}}`}, taskID, ""},
		"data with taskIds":        {reply{status: 200, body: `{"code":200,"data":{"taskIds":["` + taskID + `"]}}`}, taskID, ""},
		"task in data":             {reply{status: 200, body: `{"code":200,"data":{"task":{"id":"` + taskID + `"}}}`}, taskID, ""},
		"UUID":                     {reply{status: 200, body: `{"code":200,"data":"2c1f0b7e-9a53-4c55-8a0e-0e6f5b7d1a2c"}`}, "2c1f0b7e-9a53-4c55-8a0e-0e6f5b7d1a2c", ""},
		"TaskID":                   {reply{status: 200, body: `{"code":200,"data":{"TaskID":"` + taskID + `"}}`}, taskID, ""},
		"task-id, deep":            {reply{status: 200, body: `{"code":200,"data":{"result":{"task-id":"` + taskID + `"}}}`}, taskID, ""},
		"top level task_id":        {reply{status: 200, body: `{"code":200,"task_id":"` + taskID + `","data":[]}`}, taskID, ""},
		"task id beside data text": {reply{status: 200, body: `{"code":200,"taskId":"` + taskID + `","data":"` + otherTaskID + `"}`}, taskID, ""},
		"another name, no code":    {reply{status: 200, body: `{"result":{"taskID":"` + taskID + `"}}`}, "", taskID},

		"error, TaskID":            {reply{status: 200, body: `{"code":500,"msg":"timeout","data":{"TaskID":"` + taskID + `"}}`}, "", taskID},
		"error, id in the message": {reply{status: 200, body: `{"code":501,"msg":"task-id ` + otherTaskID + `, taskId=` + taskID + `: late","data":null}`}, "", taskID},
		"error, deep":              {reply{status: 200, body: `{"code":999,"data":{"task":{"task_id":"` + taskID + `"}}}`}, "", taskID},
		"502, TaskID":              {reply{status: 502, body: `{"error":"bad gateway","upstream":{"TaskID":"` + taskID + `"}}`}, "", taskID},
		"502 of a refusal":         {reply{status: 502, body: `{"code":422,"msg":"taskId: ` + taskID + ` "}`}, "", taskID},
		"error, two ids":           {reply{status: 200, body: `{"code":500,"msg":"taskId=` + taskID + `, taskId=` + otherTaskID + `, late"}`}, "", ""},
		"error, id of a log":       {reply{status: 200, body: `{"code":500,"data":{"id":"` + otherTaskID + `"}}`}, "", ""},

		"data as a list of 1000": {reply{status: 200, body: `{"code":200,"data":[` + strings.Repeat(`"",`, 999) + `"` + taskID + `"]}`}, taskID, ""},
		"data as a list of 1001": {reply{status: 200, body: `{"code":200,"data":[` + strings.Repeat(`"",`, 1000) + `"` + taskID + `"]}`}, "", ""},

		"data as a word":         {reply{status: 200, body: `{"code":200,"data":"success"}`}, "", ""},
		"data as a sentence":     {reply{status: 200, body: `{"code":200,"data":"task 0123456789abcdef was made"}`}, "", ""},
		"data as a long word":    {reply{status: 200, body: `{"code":200,"data":"submittedsuccessfully"}`}, "", ""},
		"data as a link":         {reply{status: 200, body: `{"code":200,"data":"https://kie.ai/logs/` + taskID + `"}`}, "", ""},
		"data as a number":       {reply{status: 200, body: `{"code":200,"data":1755078480000}`}, "", ""},
		"two ids in data":        {reply{status: 200, body: `{"code":200,"data":["` + taskID + `","` + otherTaskID + `"]}`}, "", ""},
		"two names":              {reply{status: 200, body: `{"code":200,"data":{"TaskID":"` + taskID + `","x":{"taskID":"` + otherTaskID + `"}}}`}, "", ""},
		"two ids in text":        {reply{status: 200, body: "taskId=" + taskID + "; taskId=" + otherTaskID + ";"}, "", ""},
		"no id":                  {reply{status: 200, body: `{"code":200,"data":{"taskID":null,"task-id":"none"}}`}, "", ""},
		"the parent's":           {reply{status: 200, body: `{"code":200,"data":{"parentTaskId":"` + taskID + `"}}`}, "", ""},
		"data of another code":   {reply{status: 200, body: `{"code":500,"data":"` + otherTaskID + `"}`}, "", ""},
		"text with another code": {reply{status: 200, body: `x {"code":500,"data":"` + otherTaskID + `"}`}, "", ""},
		"malformed gzip":         {coded("gzip", "\x1f\x8b\x08\x02"+strings.Repeat("\x00", 40)), "", ""},
		"gzip bomb":              {coded("gzip", compressed.Gzip(strings.Repeat(" ", 64<<20))), "", ""},
		"half of UTF-16":         {reply{status: 200, body: "\xff\xfe{"}, "", ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if test.taskID == "" {
				failed := submitError(t, test.answer)
				assert.Equal(t, kie.Unknown, failed.Class, failed)
				assert.Equal(t, test.offered, failed.TaskID)
				return
			}
			client := newClient(t, kie.Options{Transport: replies(new(int), test.answer)})
			id, err := client.Submit(t.Context(), request)
			require.NoError(t, err)
			assert.Equal(t, test.taskID, id)
		})
	}
}

// A refusal stays a refusal: nothing in it is taken for a task but its own task id.
func TestSubmitRefusalsHoldNoCandidate(t *testing.T) {
	for body, class := range map[string]kie.Class{
		`{"code":429,"msg":"m","data":"` + otherTaskID + `"}`:                                     kie.Held,
		`{"code":422,"msg":"m","data":{"id":"` + otherTaskID + `"}}`:                              kie.Refused,
		`{"code":402,"requestId":"` + otherTaskID + `"}`:                                          kie.Held,
		`{"code":422,"msg":"taskId: ` + otherTaskID + ` ","data":null}`:                           kie.Refused,
		`{"code":400,"msg":"m","data":{"param":{"prompt":"say taskId: ` + otherTaskID + ` ok"}}}`: kie.Refused,
	} {
		failed := submitError(t, reply{status: 200, body: body})
		assert.Equal(t, class, failed.Class, body)
		assert.Empty(t, failed.TaskID, body)
	}
	for status, class := range map[int]kie.Class{404: kie.Refused, 429: kie.Held, 403: kie.Held} {
		failed := submitError(t, reply{status: status, body: `<html>{"code":200,"id":"` + otherTaskID + `"}</html>`})
		assert.Equal(t, class, failed.Class, status)
		failed = submitError(t, reply{status: status, body: "<html>task_id=" + taskID + "&"})
		assert.Equal(t, kie.Unknown, failed.Class, "it may be paid")
		assert.Equal(t, taskID, failed.TaskID)
	}
}

// A server that compresses without a request is read by every call.
func TestCompressedAnswers(t *testing.T) {
	bodies := map[string]string{
		"/api/v1/modify/generate":    `{"code":200,"data":{"taskId":"` + taskID + `"}}`,
		"/api/v1/modify/record-info": documentedRecord,
		"/api/v1/chat/credit":        `{"code":200,"data":7}`,
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			assert.Empty(t, r.Header.Values("Accept-Encoding"))
		}
		w.Header().Set("Content-Encoding", "x-gzip")
		_, _ = io.WriteString(w, compressed.Gzip(bodies[r.URL.Path]))
	}))
	defer server.Close()
	client := newClient(t, kie.Options{BaseURL: server.URL})
	id, err := client.Submit(t.Context(), request)
	require.NoError(t, err)
	assert.Equal(t, taskID, id)
	record, err := client.Record(t.Context(), "", taskID)
	require.NoError(t, err)
	assert.Equal(t, kie.Succeeded, record.State)
	credit, err := client.Credit(t.Context())
	require.NoError(t, err)
	assert.InDelta(t, 7, credit, 0)
}

// Hostile answers take little time.
func TestSubmitHostileAnswers(t *testing.T) {
	tests := map[string]string{
		"braces":     strings.Repeat("{", 1<<20) + "}",
		"nested":     strings.Repeat(`{"a":`, 200_000) + "1" + strings.Repeat("}", 200_000),
		"lists":      `{"code":200,"data":` + strings.Repeat("[", 9000) + strings.Repeat("]", 9000) + "}",
		"many empty": `{"code":200,"data":[` + strings.Repeat(`"",`, 300_000) + `""]}`,
		"names":      strings.Repeat("taskid:", 150_000),
		"same id":    strings.Repeat("taskid:abcdef,", 70_000),
		"backslash":  "taskid" + strings.Repeat(`\`, 1<<20),
		"objects":    `{"code":200,"data":[` + strings.Repeat(`{},`, 300_000) + `{}]}`,
	}
	for name, body := range tests {
		t.Run(name, func(t *testing.T) {
			begun := time.Now()
			failed := submitError(t, reply{status: 200, body: body[:min(len(body), kie.MaxBody)]})
			assert.Equal(t, kie.Unknown, failed.Class)
			assert.Less(t, time.Since(begun), 5*time.Second)
		})
	}
}

// FuzzSubmitted checks the invariants of decoding an answer to a submission: a task id
// is one of the answer, only an answer with code 200 or without a code is accepted, and
// a refusal names no task.
//
//	go test ./internal/kie -run '^$' -fuzz '^FuzzSubmitted$' -fuzztime 10m
func FuzzSubmitted(f *testing.F) {
	for _, body := range []string{
		`{"code":200,"msg":"success","data":{"taskId":"` + taskID + `"}}`,
		`{"code":429,"data":{"taskId":"` + taskID + `"}}`,
		`{"code":200,"data":"` + taskID + `"}`, `{"code":200,"data":["` + taskID + `",{"id":"` + otherTaskID + `"}]}`,
		`{"code":200,"data":"{\"task_id\":\"` + taskID + `\"`, "callback({\"code\":200,\"data\":{\"TaskID\":\"" + taskID + "\"}})",
		"<taskId>" + taskID + "</taskId>", "task_id=abcd&taskId=", `{"code":422,"msg":"m"}`, "\xff\xfe{\x00}\x00", "{", "",
	} {
		for _, status := range []int{200, 302, 404, 500} {
			f.Add(status, body)
		}
	}
	client, err := kie.New(kie.Options{APIKey: testKey})
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, status int, body string) {
		if status < 100 || status > 999 {
			t.Skip("no HTTP status")
		}
		if strings.HasPrefix(body, "\x1f\x8b") || strings.HasPrefix(body, "\xff\xfe") || strings.HasPrefix(body, "\xfe\xff") {
			t.Skip("the texts below are those of a plain body")
		}
		id, err := kie.DecodeSubmitted(client, reply{status: status, body: body}.response(nil))
		if err != nil {
			failed := requireError(t, err)
			assert.Contains(t, []kie.Class{kie.Held, kie.Refused, kie.Unknown}, failed.Class)
			assert.Empty(t, id)
			if id = failed.TaskID; id == "" {
				return
			}
			assert.Equal(t, kie.Unknown, failed.Class, "a refusal with a task")
		}
		assertTaskID(t, id)
		if strings.Contains(body, id) {
			return
		}
		assert.Contains(t, body, `\`, "the id is in the body, unless the body escapes it")
	})
}
