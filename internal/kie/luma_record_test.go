package kie_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lumaflow/internal/kie"
)

// documentedRecord has the shape of the sample in kie.ai's page.
const documentedRecord = `{"code":200,"msg":"success","data":{"taskId":"` + taskID + `",
 "paramJson":"{\"prompt\":\"snow\",\"videoUrl\":\"https://cdn.example/in.mp4\",\"waterMark\":\"wm\",\"callBackUrl\":\"https://hooks.example/callbacks/luma/job-1/` + testToken + `\"}",
 "completeTime":1755078480000,"createTime":1755078171000,"successFlag":1,"errorCode":null,"errorMessage":null,
 "response":{"taskId":"` + taskID + `","originUrls":["https://cdn.example/in.mp4"],"resultUrls":["https://tempfile.example/l/1.mp4","https://tempfile.example/l/2.mp4"]}}}`

func record(t *testing.T, answers ...reply) (kie.Record, error) {
	t.Helper()
	var record kie.Record
	var err error
	synctest.Test(t, func(t *testing.T) {
		count := 0
		client := newClient(t, kie.Options{Transport: replies(&count, answers...)})
		record, err = client.Record(t.Context(), "", taskID)
	})
	return record, err
}

// recordWith returns the record with the given members in its data.
func recordWith(t *testing.T, members string) kie.Record {
	t.Helper()
	got, err := record(t, reply{status: 200, body: `{"code":200,"data":{` + members + `}}`})
	require.NoError(t, err)
	return got
}

func TestDocumentedRecord(t *testing.T) {
	got, err := record(t, reply{status: 200, body: documentedRecord})
	require.NoError(t, err)
	assert.Equal(t, kie.Record{
		TaskID:      taskID,
		State:       kie.Succeeded,
		Flag:        1,
		ResultURLs:  []string{"https://tempfile.example/l/1.mp4", "https://tempfile.example/l/2.mp4"},
		Prompt:      "snow",
		VideoURL:    "https://cdn.example/in.mp4",
		Watermark:   "wm",
		CallbackURL: "https://hooks.example/callbacks/luma/job-1/" + testToken,
		CreatedAt:   time.Date(2025, 8, 13, 9, 42, 51, 0, time.UTC),
		CompletedAt: time.Date(2025, 8, 13, 9, 48, 0, 0, time.UTC),
	}, got)

	pending, err := record(t, reply{status: 200, body: `{"code":200,"msg":"success","data":{"taskId":"` + taskID + `","successFlag":0,"response":null,"completeTime":null}}`})
	require.NoError(t, err)
	assert.Equal(t, kie.Record{TaskID: taskID, State: kie.Pending}, pending)
}

func TestRecordFlags(t *testing.T) {
	tests := map[string]struct {
		state kie.State
		flag  int
	}{
		"0": {kie.Pending, 0}, "1": {kie.Succeeded, 1}, "2": {kie.Failed, 2}, "3": {kie.Failed, 3}, "4": {kie.Succeeded, 4},
		`"1"`: {kie.Succeeded, 1}, `" 4 "`: {kie.Succeeded, 4}, "1.0": {kie.Succeeded, 1},
		"5": {kie.UnknownState, 5}, "-2": {kie.UnknownState, -2}, "1.5": {kie.UnknownState, -1}, "1e30": {kie.UnknownState, -1},
		"null": {kie.UnknownState, -1}, `""`: {kie.UnknownState, -1}, "true": {kie.UnknownState, -1}, "[1]": {kie.UnknownState, -1},
		`"SUCCESS"`: {kie.UnknownState, -1},
	}
	for flag, want := range tests {
		t.Run(flag, func(t *testing.T) {
			got := recordWith(t, `"successFlag":`+flag+`,"response":{"resultUrls":["https://r.example/1"]}`)
			assert.Equal(t, want.state, got.State)
			assert.Equal(t, want.flag, got.Flag)
			assert.Len(t, got.ResultURLs, 1)
			assert.NotEmpty(t, got.State.String())
		})
	}
	assert.Equal(t, -1, recordWith(t, `"taskId":"`+taskID+`"`).Flag)
}

func TestRecordResultLinks(t *testing.T) {
	const one, two = "https://r.example/1.mp4", "https://r.example/2.mp4?a=1,2&b=[x"
	long := "https://r.example/" + strings.Repeat("a", 8<<10)
	tests := map[string]struct {
		members string
		want    []string
	}{
		"array":                {`"response":{"resultUrls":["` + one + `","` + two + `"]}`, []string{one, two}},
		"JSON string":          {`"response":{"resultUrls":"[\"` + one + `\",\"` + two + `\"]"}`, []string{one, two}},
		"pseudo JSON":          {`"response":{"resultUrls":"[` + one + `]"}`, []string{one}},
		"pseudo JSON of two":   {`"response":{"resultUrls":"[` + two + `, ` + one + `]"}`, []string{two, one}},
		"pseudo JSON, http":    {`"info":{"resultUrls":"[http://r.example/a.mp4]"}`, []string{"http://r.example/a.mp4"}},
		"single quotes":        {`"response":{"resultUrls":"['` + one + `','` + two + `']"}`, []string{one, two}},
		"plain string":         {`"response":{"resultUrls":" ` + one + `\n"}`, []string{one}},
		"snake case":           {`"response":{"result_urls":["` + one + `"]}`, []string{one}},
		"response as string":   {`"response":"{\"resultUrls\":[\"` + one + `\"]}"`, []string{one}},
		"resultJson":           {`"resultJson":"{\"resultUrls\":[\"` + one + `\"]}"`, []string{one}},
		"resultVideoUrl":       {`"response":{"resultVideoUrl":"` + one + `","resultImageUrl":"https://r.example/cover.png"}`, []string{one}},
		"result_video_url":     {`"result_video_url":"` + one + `"`, []string{one}},
		"video_url":            {`"video_url":"` + one + `"`, []string{one}},
		"resultImageUrl":       {`"response":{"resultImageUrl":"` + one + `"}`, []string{one}},
		"under data":           {`"resultUrls":["` + one + `"]`, []string{one}},
		"under info":           {`"info":{"resultUrls":["` + one + `"]}`, []string{one}},
		"response first":       {`"resultUrls":["` + two + `"],"response":{"resultUrls":["` + one + `"]}`, []string{one}},
		"empty response":       {`"resultUrls":["` + two + `"],"response":{"resultUrls":[]}`, []string{two}},
		"twice the same":       {`"resultUrls":["` + one + `","` + one + `"]`, []string{one}},
		"mixed elements":       {`"resultUrls":[null,7,{"a":1},["x"],"","` + one + `"]`, []string{one}},
		"other schemes":        {`"resultUrls":["ftp://r.example/1","file:///etc/passwd","/1.mp4","http","https://","http:/x","` + one + `"]`, []string{one}},
		"control characters":   {`"resultUrls":["https://r.example/\u0000a?s=%2F","https://r.example/a b","` + one + `"]`, []string{"https://r.example/%00a?s=%2F", "https://r.example/a%20b", one}},
		"quotes":               {`"resultUrls":["https://r.example/\"a\".mp4?n='b'"]`, []string{"https://r.example/%22a%22.mp4?n='b'"}},
		"non-ASCII":            {`"resultUrls":["https://Bücher.example/雪.mp4"]`, []string{"https://xn--bcher-kva.example/%E9%9B%AA.mp4"}},
		"blanks, pseudo JSON":  {`"resultUrls":"[https://r.example/a b.mp4, https://r.example/c d.mp4]"`, []string{"https://r.example/a%20b.mp4", "https://r.example/c%20d.mp4"}},
		"blanks around":        {`"resultUrls":[" ` + one + `\n"]`, []string{one}},
		"beside a bad host":    {`"resultUrls":["https://a b.example/\n1","` + one + `"]`, []string{"https://a b.example/ 1", one}},
		"endless link":         {`"resultUrls":["` + long + `","` + one + `"]`, []string{one}},
		"sources are no links": {`"response":{"originUrls":["` + one + `"]},"videoUrl":"` + one + `","paramJson":"{\"videoUrl\":\"` + one + `\"}"`, nil},
		"upper case":           {`"resultUrls":["HTTPS://R.example/1"]`, []string{"https://r.example/1"}},
		"null":                 {`"response":{"resultUrls":null}`, nil},
		"number":               {`"response":{"resultUrls":7}`, nil},
		"object":               {`"response":{"resultUrls":{"a":"` + one + `"}}`, nil},
		"response is a list":   {`"response":["` + one + `"]`, nil},
		"broken string":        {`"response":{"resultUrls":"[\"unclosed"}`, nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got := recordWith(t, `"successFlag":1,`+test.members)
			assert.Equal(t, test.want, got.ResultURLs)
			assert.Equal(t, kie.Succeeded, got.State, "the flag alone decides")
		})
	}
}

// A result that is no link is named, without what may be secret.
func TestRecordUnusableLinks(t *testing.T) {
	tests := map[string]struct {
		members string
		want    []string
	}{
		"none":              {`"resultUrls":[]`, nil},
		"blank":             {`"resultUrls":[""," "]`, nil},
		"null":              {`"resultUrls":null`, nil},
		"word":              {`"resultUrls":"pending"`, []string{`"pending"`}},
		"path":              {`"response":{"resultUrls":["/videos/1.mp4?sign=x"]}`, []string{`"/…"`}},
		"no scheme":         {`"resultUrls":["r.example/1.mp4"]`, []string{`"r.example/…"`}},
		"another scheme":    {`"resultUrls":["s3://bucket/1.mp4"]`, []string{`"s3://bucket/…"`}},
		"bad host":          {`"resultUrls":"[https://me:pw@a b.example/1.mp4?sign=x]"`, []string{`"https://a b.example/…"`}},
		"too long":          {`"resultUrls":["https://r.example/` + strings.Repeat("a", 9000) + `"]`, []string{`"https://r.example/…"`}},
		"long word":         {`"resultUrls":["` + strings.Repeat("é", 5000) + `"]`, []string{`"` + strings.Repeat("é", 40) + `…"`}},
		"control":           {`"resultUrls":["\u001b[31m\n"]`, []string{`"[31m"`}},
		"many":              {`"resultUrls":["a","b","b","c","d"]`, []string{`"a"`, `"b"`, `"c"`}},
		"beside a link":     {`"resultUrls":["pending"],"resultVideoUrl":"https://r.example/1"`, nil},
		"in two fields":     {`"response":{"resultUrls":["x"]},"video_url":"y"`, []string{`"x"`}},
		"no text":           {`"resultUrls":[7,{"a":"b"},["c"]]`, nil},
		"sources, not ours": {`"response":{"originUrls":["ftp://in.example"]}`, nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got := recordWith(t, `"successFlag":1,`+test.members)
			assert.Equal(t, test.want, got.UnusableLinks)
			assert.Equal(t, name == "beside a link", len(got.ResultURLs) > 0)
		})
	}
}

func TestRecordKeepsAHundredLinks(t *testing.T) {
	var all []string
	for n := range 150 {
		all = append(all, fmt.Sprintf("https://r.example/%d.mp4", n))
	}
	encoded, err := json.Marshal(all)
	require.NoError(t, err)
	assert.Equal(t, all[:100], recordWith(t, `"successFlag":1,"resultUrls":`+string(encoded)).ResultURLs)
	assert.Equal(t, all[:100], recordWith(t, `"successFlag":1,"resultUrls":"[`+strings.Join(all, ",")+`]"`).ResultURLs)
}

func TestRecordEcho(t *testing.T) {
	const text = `{\"prompt\":\"snow\",\"videoUrl\":\"https://v\",\"waterMark\":\"wm\",\"callBackUrl\":\"https://c\"}`
	const fields = `{"prompt":"snow","videoUrl":"https://v","waterMark":"wm","callBackUrl":"https://c"}`
	for name, members := range map[string]string{
		"paramJson":      `"paramJson":"` + text + `"`,
		"promptJson":     `"promptJson":"` + text + `"`,
		"param":          `"param":"` + text + `"`,
		"an object":      `"paramJson":` + fields,
		"after a null":   `"paramJson":null,"param":` + fields,
		"watermark":      `"paramJson":` + strings.ReplaceAll(fields, "waterMark", "watermark"),
		"callbackUrl":    `"paramJson":` + strings.ReplaceAll(fields, "callBackUrl", "callbackUrl"),
		"after rubbish":  `"paramJson":"no JSON","promptJson":` + fields,
		"odd neighbours": `"createTime":{},"errorCode":[],"response":7,"paramJson":` + fields,
	} {
		t.Run(name, func(t *testing.T) {
			got := recordWith(t, `"successFlag":0,`+members)
			assert.Equal(t, kie.Record{TaskID: taskID, State: kie.Pending, Prompt: "snow", VideoURL: "https://v", Watermark: "wm", CallbackURL: "https://c"}, got)
		})
	}
}

func TestRecordTimes(t *testing.T) {
	at := time.Date(2025, 6, 6, 10, 30, 0, 0, time.UTC)
	tests := map[string]time.Time{
		"1749205800000": at, `"1749205800000"`: at, "1749205800": at, "1749205800000.0": at,
		`"2025-06-06 10:30:00"`: at, `"2025-06-06T10:30:00Z"`: at, `"2025-06-06T12:30:00.000+02:00"`: at, `"2025-06-06T10:30:00"`: at,
		"null": {}, "0": {}, `""`: {}, "-5": {}, `"soon"`: {}, "{}": {}, "1e300": {}, `"0001-01-01T00:00:00Z"`: {}, "true": {},
		"999999999999999": time.UnixMilli(999999999999999).UTC(), "9999999999999999": {},
	}
	for text, want := range tests {
		t.Run(text, func(t *testing.T) {
			got := recordWith(t, `"successFlag":0,"createTime":`+text+`,"completeTime":`+text)
			if want.Year() > 9999 {
				want = time.Time{}
			}
			assert.Equal(t, want, got.CreatedAt)
			assert.Equal(t, want, got.CompletedAt)
			_, err := json.Marshal(got)
			assert.NoError(t, err)
		})
	}
}

func TestRecordErrors(t *testing.T) {
	tests := map[string]struct{ members, code, message string }{
		"none":             {`"errorCode":null,"errorMessage":null`, "", ""},
		"zero":             {`"errorCode":0,"errorMessage":""`, "", ""},
		"zero as a string": {`"errorCode":"0"`, "", ""},
		"empty":            {`"errorCode":""`, "", ""},
		"number":           {`"errorCode":400,"errorMessage":"moderated"`, "400", "moderated"},
		"string":           {`"errorCode":"E_MODERATION"`, "E_MODERATION", ""},
		"market":           {`"failCode":"500","failMsg":"broken"`, "500", "broken"},
		"runway":           {`"failCode":400,"failMsg":"bad"`, "400", "bad"},
		"odd types":        {`"errorCode":{"a":1},"errorMessage":["x"]`, "", ""},
		"secrets": {`"errorCode":"` + testKey + `","errorMessage":"could not call https://hooks.example/callbacks/luma/j/` + testToken + `?x=1\nkey ` + testKey + `"`,
			"[redacted]", "could not call https://hooks.example/callbacks/luma/j/[redacted]?[redacted] key [redacted]"},
		"long": {`"errorMessage":"` + strings.Repeat("x ", 400) + `"`, "", strings.TrimSpace(strings.Repeat("x ", 150)) + "…"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got := recordWith(t, `"successFlag":3,`+test.members)
			assert.Equal(t, kie.Failed, got.State)
			assert.Equal(t, test.code, got.ErrorCode)
			assert.Equal(t, test.message, got.ErrorMessage)
		})
	}
}

func TestRecordUnderAnErrorCode(t *testing.T) {
	ended := `,"msg":"generation failed","data":{"taskId":"` + taskID + `","successFlag":%d,"errorMessage":"why","resultUrls":["https://r.example/1"]}}`
	tests := map[string]struct {
		answer reply
		state  kie.State // zero: an error
		class  kie.Class
		code   string
	}{
		"501 alone":               {reply{status: 200, body: `{"code":501,"msg":"moderated","data":null}`}, kie.Failed, 0, "501"},
		"501 under a real 501":    {reply{status: 501, body: `{"code":501,"data":null}`}, 0, kie.Temporary, ""},
		"a real 501":              {reply{status: 501}, 0, kie.Temporary, ""},
		"501 with a flag":         {reply{status: 200, body: `{"code":501` + fmt.Sprintf(ended, 2)}, kie.Failed, 0, ""},
		"501 and yet a success":   {reply{status: 200, body: `{"code":501` + fmt.Sprintf(ended, 1)}, kie.Succeeded, 0, ""},
		"501 and yet generating":  {reply{status: 200, body: `{"code":501` + fmt.Sprintf(ended, 0)}, 0, kie.Temporary, ""},
		"500 with a failed flag":  {reply{status: 200, body: `{"code":500` + fmt.Sprintf(ended, 3)}, kie.Failed, 0, ""},
		"400 with a success flag": {reply{status: 400, body: `{"code":400` + fmt.Sprintf(ended, 4)}, kie.Succeeded, 0, ""},
		"500 generating":          {reply{status: 200, body: `{"code":500` + fmt.Sprintf(ended, 0)}, 0, kie.Temporary, ""},
		"429 generating":          {reply{status: 200, body: `{"code":429` + fmt.Sprintf(ended, 0)}, 0, kie.Temporary, ""},
		"no data":                 {reply{status: 200, body: `{"code":200,"data":null}`}, 0, kie.NotFound, ""},
		"data is a string":        {reply{status: 200, body: `{"code":200,"data":"x"}`}, 0, kie.NotFound, ""},
		"another task":            {reply{status: 200, body: `{"code":200,"data":{"taskId":"other","successFlag":1}}`}, 0, kie.Temporary, ""},
		"does not exist":          {reply{status: 200, body: `{"code":422,"msg":"record does not exist","data":null}`}, 0, kie.NotFound, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := record(t, test.answer)
			if test.state == 0 {
				failed := requireError(t, err)
				assert.Equal(t, test.class, failed.Class)
				assert.Equal(t, taskID, failed.TaskID)
				assert.Contains(t, err.Error(), "record-info of task "+taskID)
				assert.Zero(t, got)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, test.state, got.State)
			assert.Equal(t, test.code, got.ErrorCode)
		})
	}
}
