package kie_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"math"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lumaflow/internal/kie"
)

// FuzzDecodeCallback holds what must be true of every body that anybody can
// post: what is kept of it is small, printable, and stands in the body where it
// is said to stand.
//
//	go test ./internal/kie -run '^$' -fuzz '^FuzzDecodeCallback$' -fuzztime 10m
func FuzzDecodeCallback(f *testing.F) {
	for _, body := range []string{
		`{"code":200,"msg":"ok","data":{"taskId":"abc","promptJson":"{\"videoUrl\":\"https://in/1.mp4\"}","resultUrls":["https://r/1.mp4"]}}`,
		`{"code":"501","taskId":"a","data":{"task_id":"b","info":{"resultUrls":"[http://r/1,http://r/2]"}}}`,
		`{"task_id":7,"data":"{\"resultJson\":\"{\\\"resultUrls\\\":[\\\"https://r\\\"]}\"}"}`,
		"\ufeff{\"taskId\":\"\\u0000\"}",
		`{"taskId":"a","taskId":"b","data":{"taskId":"a","task_id":"c","videoUrl":"https://in/1.mp4","originUrls":["https://in/2.mp4"]}}`,
		`{"taskId":"a","code":1e400,"msg":"POST https://u:p@hooks/callbacks/luma/j/` + testToken + `?x=1"}`,
		`{"taskId":"a","data":{"response":{"resultUrls":["https://r/1\n","ftp://r/2","HTTPS://R/3","https://"]}}}`,
	} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		before := bytes.Clone(body)
		got, err := kie.DecodeCallback(body)
		assert.Equal(t, before, body, "the body is left alone")
		if err != nil {
			assert.Zero(t, got)
			assert.Less(t, len(err.Error()), 100, "the error quotes nothing")
			return
		}
		said := read(body)
		assert.NotEmpty(t, got.TaskIDs)
		assert.LessOrEqual(t, len(got.TaskIDs), 4)
		for n, id := range got.TaskIDs {
			assertTaskID(t, id)
			assert.Contains(t, said.under("taskId", "task_id"), id)
			assert.NotContains(t, got.TaskIDs[:n], id, "named twice")
		}
		assertLinks(t, got.ResultURLs)
		assertSaid(t, said, got.ResultURLs)
		assert.LessOrEqual(t, max(got.Code, -got.Code), math.MaxInt32)
		assertLine(t, got.Message, 301)
		again, err := kie.DecodeCallback(body)
		assert.NoError(t, err)
		assert.Equal(t, got, again)
	})
}

// FuzzRecord holds what must be true of every answer of record-info, whoever
// gives it: a verdict only from a flag or code that says so, no link that the
// record does not give as a result, no other task's record, no secret in words.
//
//	go test ./internal/kie -run '^$' -fuzz '^FuzzRecord$' -fuzztime 10m
func FuzzRecord(f *testing.F) {
	f.Add(200, documentedRecord)
	f.Add(200, `{"code":501,"msg":"moderated"}`)
	f.Add(200, `{"code":"200","data":{"successFlag":"4","resultJson":"{\"resultUrls\":[\"https://r/1\"]}","createTime":"2025-06-06 10:30:00"}}`)
	f.Add(200, `{"code":200,"data":{"successFlag":1,"info":{"resultUrls":"[http://r/1,http://r/2]"},"param":{"prompt":7}}}`)
	f.Add(200, `{"code":200,"data":{"taskId":"another","successFlag":1,"resultUrls":["https://r/1"]}}`)
	f.Add(200, `{"code":200,"data":{"successFlag":1,"response":{"originUrls":["https://in/1.mp4"],"videoUrl":"https://in/2.mp4"}}}`)
	f.Add(200, `{"code":422,"msg":"`+testKey+` is not known","data":null}`)
	f.Add(200, `{"code":501,"data":{"successFlag":3,"errorCode":"`+testToken+`","errorMessage":"https://a/b?sig=x"}}`)
	f.Add(500, `{"code":501,"msg":"x","data":{"successFlag":0}}`)
	f.Add(502, "<html>")
	f.Add(404, `{"error":"x"}`)
	f.Add(302, testKey)
	client, err := kie.New(kie.Options{APIKey: testKey})
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, status int, body string) {
		if status < 100 || status > 999 {
			t.Skip("no HTTP status")
		}
		said := read([]byte(body))
		got, err := kie.DecodeRecord(client, taskID, reply{status: status, body: body}.response(nil))
		if err != nil {
			assert.Zero(t, got)
			assertRecordError(t, said, status, err)
			return
		}
		assert.Equal(t, taskID, got.TaskID)
		assertVerdict(t, said, got)
		assertLinks(t, got.ResultURLs)
		assertSaid(t, said, got.ResultURLs)
		assertLine(t, got.ErrorMessage, 301)
		assertLine(t, got.ErrorCode, 65)
		assert.NotContains(t, got.ErrorMessage+got.ErrorCode, testKey)
		_, err = json.Marshal(got)
		assert.NoError(t, err)
		again, err := kie.DecodeRecord(client, taskID, reply{status: status, body: body}.response(nil))
		assert.NoError(t, err)
		assert.Equal(t, got, again)
	})
}

// FuzzUploaded holds what must be true of every answer to an upload: the link is
// on a host of kie.ai's, over https, and stands in the answer.
//
//	go test ./internal/kie -run '^$' -fuzz '^FuzzUploaded$' -fuzztime 10m
func FuzzUploaded(f *testing.F) {
	f.Add(200, uploadAnswer)
	f.Add(200, `{"success":true,"data":{"fileUrl":"https://kieai.redpandaai.co/files/a","expiresAt":"2025-01-18T10:30:00Z"}}`)
	f.Add(200, `{"code":200,"data":{"downloadUrl":["https://evil.example","https://kie.ai/a"]}}`)
	f.Add(200, `{"code":200,"data":{"downloadUrl":"https://kie.ai@evil.example/a"}}`)
	f.Add(200, `{"code":200,"data":{"downloadUrl":"https://evil.example#.kie.ai"}}`)
	f.Add(200, `{"code":200,"data":{"downloadUrl":"HTTPS://KIE.AI\\@evil.example/","fileSize":1e99}}`)
	f.Add(401, `{"success":false,"code":401,"msg":"`+testKey+`"}`)
	f.Add(502, "<html>")
	client, err := kie.New(kie.Options{APIKey: testKey})
	require.NoError(f, err)
	own := regexp.MustCompile(`^(.+\.)?(redpandaai\.co|aiquickdraw\.com|kie\.ai)$`)
	f.Fuzz(func(t *testing.T, status int, body string) {
		if status < 100 || status > 999 {
			t.Skip("no HTTP status")
		}
		got, err := kie.DecodeUploaded(client, reply{status: status, body: body}.response(nil))
		if err != nil {
			assert.Zero(t, got)
			failed := requireError(t, err)
			assert.Contains(t, []kie.Class{kie.Temporary, kie.Refused}, failed.Class)
			return
		}
		address, err := url.Parse(got.URL)
		require.NoError(t, err)
		assert.Equal(t, "https", address.Scheme)
		assert.Nil(t, address.User)
		assert.Regexp(t, own, strings.ToLower(address.Hostname()))
		assert.Contains(t, strings.Join(read([]byte(body)).under("downloadUrl", "fileUrl"), "\n"), got.URL)
	})
}

func assertRecordError(t *testing.T, said saying, status int, err error) {
	t.Helper()
	failed := requireError(t, err)
	assert.Contains(t, []kie.Class{kie.Temporary, kie.NotFound, kie.Refused}, failed.Class)
	if failed.Class == kie.NotFound {
		// A proxy's page must not make a job give a task up.
		assert.NotEmpty(t, said, "only kie.ai itself knows that there is no record")
		assert.Less(t, status, 500)
	}
	assert.NotContains(t, err.Error(), testKey)
	assertLine(t, err.Error(), 1000)
}

// assertVerdict reads the flag of a record in a way of its own.
func assertVerdict(t *testing.T, said saying, got kie.Record) {
	t.Helper()
	states := map[int]kie.State{0: kie.Pending, 1: kie.Succeeded, 2: kie.Failed, 3: kie.Failed, 4: kie.Succeeded}
	state, documented := states[got.Flag]
	if !documented {
		state = kie.UnknownState
	}
	assert.Equal(t, state, got.State)
	isNumber := func(want int) func(string) bool {
		return func(text string) bool {
			number, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
			return err == nil && number == float64(want)
		}
	}
	if state == kie.Failed && got.Flag == 3 && slices.ContainsFunc(said.under("code"), isNumber(501)) {
		return
	}
	if got.Flag != -1 {
		assert.True(t, slices.ContainsFunc(said.under("successFlag"), isNumber(got.Flag)), "flag %d is not in the record", got.Flag)
	}
}

func assertTaskID(t *testing.T, id string) {
	t.Helper()
	assert.NotEmpty(t, strings.TrimSpace(id))
	assert.LessOrEqual(t, len(id), 256)
	assert.False(t, strings.ContainsFunc(id, func(r rune) bool { return !unicode.IsPrint(r) }), "%q is not printable", id)
}

// tokenLike is a run of characters that may hold a callback token.
var tokenLike = regexp.MustCompile(`[A-Za-z0-9_-]{43}`)

// assertLine checks that a text is fit for a log and a terminal.
func assertLine(t *testing.T, text string, limit int) {
	t.Helper()
	assert.LessOrEqual(t, len([]rune(text)), limit)
	assert.False(t, strings.ContainsFunc(text, unicode.IsControl), "%q controls a terminal", text)
	assert.False(t, tokenLike.MatchString(text), "%q may hold a token", text)
}

func assertLinks(t *testing.T, links []string) {
	t.Helper()
	assert.LessOrEqual(t, len(links), 100)
	for _, link := range links {
		assert.Regexp(t, `^(?i)https?://`, link)
		assert.LessOrEqual(t, len(link), 8<<10)
		assert.NotContains(t, link, "\n")
	}
}

// assertSaid checks that the body itself gives each link as a result.
func assertSaid(t *testing.T, said saying, links []string) {
	t.Helper()
	texts := strings.Join(said.under("resultUrls", "result_urls", "resultJson", "resultVideoUrl",
		"result_video_url", "video_url", "resultImageUrl", "result_image_url"), "\n")
	for _, link := range links {
		assert.Contains(t, texts, link, "this result was made up")
	}
}

// saying is every text and number of a JSON document, also of the documents
// that its strings hold, each with the keys around it.
type saying []said

type said struct {
	keys []string
	text string
}

func read(body []byte) saying {
	var all saying
	all.read(bytes.TrimPrefix(body, []byte("\ufeff")), nil)
	return all
}

func (s *saying) read(document []byte, keys []string) {
	decoder := json.NewDecoder(bytes.NewReader(document))
	decoder.UseNumber()
	var value any
	if decoder.Decode(&value) != nil {
		return
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return
	}
	s.take(value, keys)
}

func (s *saying) take(value any, keys []string) {
	switch value := value.(type) {
	case map[string]any:
		for key, member := range value {
			s.take(member, append(slices.Clone(keys), key))
		}
	case []any:
		for _, element := range value {
			s.take(element, keys)
		}
	case json.Number:
		*s = append(*s, said{keys, value.String()})
	case string:
		*s = append(*s, said{keys, value})
		if text := strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(value), "\ufeff")); text != "" && strings.ContainsRune(`{["`, rune(text[0])) {
			s.read([]byte(text), keys)
		}
	}
}

// under are the texts within any of some keys.
func (s saying) under(keys ...string) []string {
	var texts []string
	for _, said := range s {
		if slices.ContainsFunc(keys, func(key string) bool { return slices.Contains(said.keys, key) }) {
			texts = append(texts, said.text)
		}
	}
	return texts
}
