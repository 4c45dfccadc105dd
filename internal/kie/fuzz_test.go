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

// FuzzDecodeCallback checks the invariants of decoding an untrusted callback: the
// result is small and printable, and each value is in the body under one of its
// keys.
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
		assert.Equal(t, before, body, "the body was modified")
		if err != nil {
			assert.Zero(t, got)
			assert.Less(t, len(err.Error()), 100, "the error quotes the body")
			return
		}
		inBody := parseTexts(body)
		assert.NotEmpty(t, got.TaskIDs)
		assert.LessOrEqual(t, len(got.TaskIDs), 4)
		for n, id := range got.TaskIDs {
			assertTaskID(t, id)
			assert.Contains(t, inBody.under("taskId", "task_id"), id)
			assert.NotContains(t, got.TaskIDs[:n], id, "named twice")
		}
		assertLinks(t, got.ResultURLs)
		assertInBody(t, inBody, got.ResultURLs)
		assert.LessOrEqual(t, max(got.Code, -got.Code), math.MaxInt32)
		assertLine(t, got.Message, 301)
		second, err := kie.DecodeCallback(body)
		require.NoError(t, err)
		assert.Equal(t, got, second)
	})
}

// FuzzRecord checks the invariants of decoding an answer of record-info: the state
// follows from a flag or code in the answer, each link is a result in the answer,
// the record is that of the requested task, and no text holds a secret.
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
	f.Add(200, `{"code":200,"data":{"successFlag":1,"resultUrls":["https://a b/1","https://r/a b%2f?c d","ftp://x"]}}`)
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
		inBody := parseTexts([]byte(body))
		got, err := kie.DecodeRecord(client, taskID, reply{status: status, body: body}.response(nil))
		if err != nil {
			assert.Zero(t, got)
			assertRecordError(t, inBody, status, err)
			return
		}
		assert.Equal(t, taskID, got.TaskID)
		assertState(t, inBody, got)
		assertLinks(t, got.ResultURLs)
		assertInBody(t, inBody, got.ResultURLs)
		assertLine(t, got.ErrorMessage, 301)
		assertLine(t, got.ErrorCode, 65)
		assert.NotContains(t, got.ErrorMessage+got.ErrorCode, testKey)
		_, err = json.Marshal(got)
		require.NoError(t, err)
		second, err := kie.DecodeRecord(client, taskID, reply{status: status, body: body}.response(nil))
		require.NoError(t, err)
		assert.Equal(t, got, second)
	})
}

// FuzzUploaded checks the invariants of decoding an answer to an upload: the link
// is https, its host is a name with a dot or an address, and it is in the answer.
//
//	go test ./internal/kie -run '^$' -fuzz '^FuzzUploaded$' -fuzztime 10m
func FuzzUploaded(f *testing.F) {
	f.Add(200, uploadAnswer)
	f.Add(200, `{"success":true,"data":{"fileUrl":"https://kieai.redpandaai.co/files/a","expiresAt":"2025-01-18T10:30:00Z"}}`)
	f.Add(200, `{"code":200,"data":{"downloadUrl":["https://evil.example","https://kie.ai/a"]}}`)
	f.Add(200, `{"code":200,"data":{"downloadUrl":"https://kie.ai@evil.example/a"}}`)
	f.Add(200, `{"code":200,"data":{"downloadUrl":"https://evil.example#.kie.ai"}}`)
	f.Add(200, `{"code":200,"data":{"downloadUrl":"HTTPS://KIE.AI\\@evil.example/","fileSize":1e99}}`)
	f.Add(200, `{"code":200,"data":{"downloadUrl":"https://bücher.example/a b?c d","fileUrl":"https://10.0.0.1/"}}`)
	f.Add(401, `{"success":false,"code":401,"msg":"`+testKey+`"}`)
	f.Add(502, "<html>")
	client, err := kie.New(kie.Options{APIKey: testKey})
	require.NoError(f, err)
	public := regexp.MustCompile(`^[a-z0-9_-]+(\.[a-z0-9_-]+)+\.?$|^[0-9a-f:.]+$`)
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
		assert.Regexp(t, public, address.Hostname())
		assertInTexts(t, parseTexts([]byte(body)).under("downloadUrl", "fileUrl"), got.URL)
	})
}

func assertRecordError(t *testing.T, inBody keyedTexts, status int, err error) {
	t.Helper()
	failed := requireError(t, err)
	assert.Contains(t, []kie.Class{kie.Temporary, kie.NotFound, kie.Refused}, failed.Class)
	if failed.Class == kie.NotFound {
		// A proxy's page must not end the wait for a task.
		assert.NotEmpty(t, inBody, "NotFound without an answer of kie.ai")
		assert.Less(t, status, 500)
	}
	assert.NotContains(t, err.Error(), testKey)
	assertLine(t, err.Error(), 1000)
}

// assertState checks the state of a record against the texts of the body.
func assertState(t *testing.T, inBody keyedTexts, got kie.Record) {
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
	if state == kie.Failed && got.Flag == 3 && slices.ContainsFunc(inBody.under("code"), isNumber(501)) {
		return
	}
	if got.Flag != -1 {
		assert.True(t, slices.ContainsFunc(inBody.under("successFlag"), isNumber(got.Flag)), "flag %d is not in the record", got.Flag)
	}
}

func assertTaskID(t *testing.T, id string) {
	t.Helper()
	assert.NotEmpty(t, strings.TrimSpace(id))
	assert.LessOrEqual(t, len(id), 256)
	assert.False(t, strings.ContainsFunc(id, func(r rune) bool { return !unicode.IsPrint(r) }), "%q is not printable", id)
}

// tokenLike matches a run of characters that may hold a callback token.
var tokenLike = regexp.MustCompile(`[A-Za-z0-9_-]{43}`)

// assertLine checks that a text is safe for a log and a terminal.
func assertLine(t *testing.T, text string, limit int) {
	t.Helper()
	assert.LessOrEqual(t, len([]rune(text)), limit)
	assert.False(t, strings.ContainsFunc(text, unicode.IsControl), "%q holds control characters", text)
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

// assertInBody checks that each link is in the body under a key of results.
func assertInBody(t *testing.T, inBody keyedTexts, links []string) {
	t.Helper()
	texts := inBody.under("resultUrls", "result_urls", "resultJson", "resultVideoUrl",
		"result_video_url", "video_url", "resultImageUrl", "result_image_url")
	for _, link := range links {
		assertInTexts(t, texts, link)
	}
}

// assertInTexts checks that what follows the host of a link is in one of the texts,
// apart from encoded characters.
func assertInTexts(t *testing.T, texts []string, link string) {
	t.Helper()
	_, rest, _ := strings.Cut(link, "://")
	if slash := strings.IndexAny(rest, "/?"); slash >= 0 {
		rest = rest[slash:]
	} else {
		rest = ""
	}
	assert.Contains(t, decoded(strings.Join(texts, "\n")), decoded(rest), "this link is not in the body")
}

var escape = regexp.MustCompile(`%[0-9A-Fa-f]{2}`)

func decoded(text string) string {
	return escape.ReplaceAllStringFunc(text, func(found string) string {
		value, _ := strconv.ParseUint(found[1:], 16, 8)
		return string([]byte{byte(value)})
	})
}

// keyedTexts are all texts and numbers of a JSON document, and of the documents
// in its strings, each with the keys around it.
type keyedTexts []keyedText

type keyedText struct {
	keys []string
	text string
}

func parseTexts(body []byte) keyedTexts {
	var all keyedTexts
	all.parse(bytes.TrimPrefix(body, []byte("\ufeff")), nil)
	return all
}

func (k *keyedTexts) parse(document []byte, keys []string) {
	decoder := json.NewDecoder(bytes.NewReader(document))
	decoder.UseNumber()
	var value any
	if decoder.Decode(&value) != nil {
		return
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return
	}
	k.add(value, keys)
}

func (k *keyedTexts) add(value any, keys []string) {
	switch value := value.(type) {
	case map[string]any:
		for key, member := range value {
			k.add(member, append(slices.Clone(keys), key))
		}
	case []any:
		for _, element := range value {
			k.add(element, keys)
		}
	case json.Number:
		*k = append(*k, keyedText{keys, value.String()})
	case string:
		*k = append(*k, keyedText{keys, value})
		if text := strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(value), "\ufeff")); text != "" && strings.ContainsRune(`{["`, rune(text[0])) {
			k.parse([]byte(text), keys)
		}
	}
}

// under returns the texts within any of the keys.
func (k keyedTexts) under(keys ...string) []string {
	var texts []string
	for _, entry := range k {
		if slices.ContainsFunc(keys, func(key string) bool { return slices.Contains(entry.keys, key) }) {
			texts = append(texts, entry.text)
		}
	}
	return texts
}
