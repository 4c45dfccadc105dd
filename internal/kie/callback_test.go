package kie_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lumaflow/internal/kie"
)

func TestDecodeCallback(t *testing.T) {
	const link = "https://tempfile.example/l/1.mp4"
	one := []string{"abc"}
	tests := map[string]struct {
		body string
		want kie.Callback
	}{
		"documented success": {
			`{"code":200,"msg":"Modify record generated successfully.","data":{"taskId":"abc","promptJson":"{\"callBackUrl\":\"https://c\",\"waterMark\":\"\"}","resultUrls":["` + link + `"]}}`,
			kie.Callback{TaskIDs: one, Code: 200, Message: "Modify record generated successfully.", ResultURLs: []string{link}},
		},
		"documented failure": {
			`{"code":500,"msg":"Modify record generation failed.","data":{"taskId":"abc","promptJson":"{}"}}`,
			kie.Callback{TaskIDs: one, Code: 500, Message: "Modify record generation failed."},
		},
		"snake case":           {`{"code":200,"data":{"task_id":"abc","result_urls":["` + link + `"]}}`, kie.Callback{TaskIDs: one, Code: 200, ResultURLs: []string{link}}},
		"top level":            {`{"code":200,"taskId":"abc","data":{"result_video_url":"` + link + `"}}`, kie.Callback{TaskIDs: one, Code: 200, ResultURLs: []string{link}}},
		"top level, snake":     {`{"code":200,"task_id":"abc"}`, kie.Callback{TaskIDs: one, Code: 200}},
		"data is null":         {`{"code":400,"msg":"failed","taskId":"abc","data":null}`, kie.Callback{TaskIDs: one, Code: 400, Message: "failed"}},
		"data is a string":     {`{"code":200,"data":"{\"taskId\":\"abc\"}"}`, kie.Callback{TaskIDs: one, Code: 200}},
		"data is a list":       {`{"code":200,"taskId":"abc","data":[1]}`, kie.Callback{TaskIDs: one, Code: 200}},
		"code as a string":     {`{"code":"501","message":"m","data":{"taskId":"abc"}}`, kie.Callback{TaskIDs: one, Code: 501, Message: "m"}},
		"no code":              {`{"data":{"taskId":"abc"}}`, kie.Callback{TaskIDs: one}},
		"info, array":          {`{"code":200,"data":{"taskId":"abc","info":{"resultUrls":["` + link + `"]}}}`, kie.Callback{TaskIDs: one, Code: 200, ResultURLs: []string{link}}},
		"info, pseudo JSON":    {`{"code":200,"data":{"taskId":"abc","info":{"resultUrls":"[` + link + `]"}}}`, kie.Callback{TaskIDs: one, Code: 200, ResultURLs: []string{link}}},
		"response":             {`{"code":200,"data":{"taskId":"abc","response":{"resultUrls":["` + link + `"]}}}`, kie.Callback{TaskIDs: one, Code: 200, ResultURLs: []string{link}}},
		"market":               {`{"code":200,"data":{"taskId":"abc","param":"{}","resultJson":"{\"resultUrls\":[\"` + link + `\"]}"}}`, kie.Callback{TaskIDs: one, Code: 200, ResultURLs: []string{link}}},
		"runway":               {`{"code":200,"data":{"task_id":"abc","video_url":"` + link + `","image_url":"https://x/cover.png"}}`, kie.Callback{TaskIDs: one, Code: 200, ResultURLs: []string{link}}},
		"the same id twice":    {`{"code":200,"taskId":"abc","data":{"task_id":"abc"}}`, kie.Callback{TaskIDs: one, Code: 200}},
		"four ids in order":    {`{"task_id":"d","taskId":"c","data":{"task_id":"b","taskId":"a"}}`, kie.Callback{TaskIDs: []string{"a", "b", "c", "d"}}},
		"number as an id":      {`{"data":{"taskId":12345678901234567890}}`, kie.Callback{TaskIDs: []string{"12345678901234567890"}}},
		"empty ids are none":   {`{"taskId":"abc","data":{"taskId":"","task_id":"  "}}`, kie.Callback{TaskIDs: one}},
		"odd ids are none":     {`{"taskId":"abc","data":{"taskId":["x"],"task_id":{"a":1}}}`, kie.Callback{TaskIDs: one}},
		"control characters":   {`{"taskId":"abc","data":{"taskId":"a\nb","task_id":"a\u0000"}}`, kie.Callback{TaskIDs: one}},
		"endless ids are none": {`{"taskId":"abc","data":{"taskId":"` + strings.Repeat("x", 300) + `"}}`, kie.Callback{TaskIDs: one}},
		"byte order mark":      {"\ufeff {\"taskId\":\"abc\"}\n", kie.Callback{TaskIDs: one}},
		"other case is other":  {`{"TASKID":"x","taskId":"abc"}`, kie.Callback{TaskIDs: one}},
		"secrets in the text": {`{"taskId":"abc","msg":"POST https://hooks.example/callbacks/luma/job-1/` + testToken + `?a=b failed\u001b[0m"}`,
			kie.Callback{TaskIDs: one, Message: "POST https://hooks.example/callbacks/luma/job-1/[redacted]?[redacted] failed [0m"}},
		"odd everything": {`{"code":[],"msg":{},"message":7,"data":{"taskId":"abc","resultUrls":{"a":1},"info":"x","response":false}}`,
			kie.Callback{TaskIDs: one, Message: "7"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := kie.DecodeCallback([]byte(test.body))
			require.NoError(t, err)
			assert.Equal(t, test.want, got)
		})
	}
}

func TestDecodeCallbackRejects(t *testing.T) {
	noID := map[string]string{
		"empty object": `{}`, "data is null": `{"code":500,"data":null}`, "id elsewhere": `{"data":{"info":{"taskId":"abc"}}}`,
		"nothing usable": `{"taskId":null,"data":{"taskId":true}}`,
	}
	for name, body := range noID {
		t.Run(name, func(t *testing.T) {
			got, err := kie.DecodeCallback([]byte(body))
			require.ErrorIs(t, err, kie.ErrNoTaskID)
			assert.Zero(t, got)
		})
	}
	hostile := map[string]string{
		"empty": "", "blank": " \n", "null": "null", "array": `[{"taskId":"abc"}]`, "string": `"abc"`, "number": "1", "form": "taskId=abc",
		"half": `{"taskId":"abc"`, "two values": `{"taskId":"abc"}{"taskId":"def"}`, "binary": "\x00\xff\xfe",
		"deep arrays":    `{"taskId":"abc","x":` + strings.Repeat("[", 400_000) + strings.Repeat("]", 400_000) + `}`,
		"deep objects":   strings.Repeat(`{"data":`, 100_000) + "1" + strings.Repeat("}", 100_000),
		"unclosed depth": strings.Repeat(`{"data":`, 100_000),
		"too large":      `{"taskId":"abc","x":"` + strings.Repeat("x", kie.MaxBody) + `"}`,
	}
	for name, body := range hostile {
		t.Run(name, func(t *testing.T) {
			got, err := kie.DecodeCallback([]byte(body))
			require.Error(t, err)
			require.NotErrorIs(t, err, kie.ErrNoTaskID)
			assert.Zero(t, got)
			assert.Less(t, len(err.Error()), 200)
		})
	}
}

// Bodies of the maximum size that are built for slow or large decoding give
// bounded results.
func TestDecodeCallbackBounds(t *testing.T) {
	fill := func(prefix, element, suffix string) string {
		return prefix + strings.Repeat(element, (kie.MaxBody-len(prefix)-len(suffix))/len(element)) + suffix
	}
	escaped := `"https://r/1"`
	for range 12 {
		inner, err := json.Marshal("[" + escaped + "]")
		require.NoError(t, err)
		escaped = string(inner)
	}
	bodies := map[string]string{
		"empty elements":  fill(`{"taskId":"abc","data":{"resultUrls":["https://r/1"`, `,0`, `]}}`),
		"many links":      fill(`{"taskId":"abc","data":{"resultUrls":["https://r/1"`, `,"https://r/2"`, `]}}`),
		"commas":          fill(`{"taskId":"abc","data":{"resultUrls":"https://r/1`, `,`, `"}}`),
		"link starts":     fill(`{"taskId":"abc","data":{"resultUrls":"`, `,http://`, `"}}`),
		"brackets":        fill(`{"taskId":"abc","data":{"resultUrls":"`, `[`, `"}}`),
		"strings of JSON": `{"taskId":"abc","data":{"resultUrls":` + escaped + `}}`,
		"many fields":     fill(`{"taskId":"abc"`, `,"a":1`, `}`),
		"long message":    fill(`{"taskId":"abc","msg":"`, `\u001b[0m `, `"}`),
		"message of URLs": fill(`{"taskId":"abc","msg":"`, `http://a@http://?`, `"}`),
		"one token":       fill(`{"taskId":"abc","msg":"`, `A`, `"}`),
		"nested strings":  fill(`{"taskId":"abc","data":{"resultUrls":"{\"resultJson\":\"{`, `\\\"`, `}\"}"}}`),
	}
	for name, body := range bodies {
		t.Run(name, func(t *testing.T) {
			require.LessOrEqual(t, len(body), kie.MaxBody)
			got, err := kie.DecodeCallback([]byte(body))
			require.NoError(t, err)
			assert.Equal(t, []string{"abc"}, got.TaskIDs)
			assertLinks(t, got.ResultURLs)
			assert.LessOrEqual(t, len([]rune(got.Message)), 301)
		})
	}
}
