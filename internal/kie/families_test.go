package kie_test

import (
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lumaflow/internal/kie"
	"lumaflow/internal/kie/kietest"
)

// simulated is a client of a simulated kie.ai without a rate limit.
func simulated(t *testing.T, options kietest.Options) *kie.Client {
	t.Helper()
	options.RateLimit = -1
	server, err := kietest.New(options)
	require.NoError(t, err)
	listening := httptest.NewServer(server)
	t.Cleanup(func() { listening.Close(); _ = server.Close() })
	client, err := kie.New(kie.Options{BaseURL: listening.URL, APIKey: "test-key"})
	require.NoError(t, err)
	return client
}

// Each model with a row is submitted and read back through its own family, with the
// video as the record's echo and never as its result.
func TestEachModelAgainstTheSimulator(t *testing.T) {
	const source = "https://cdn.example.org/in.mp4"
	for _, model := range kie.Models() {
		t.Run(model.Name, func(t *testing.T) {
			client := simulated(t, kietest.Options{})
			taskID, err := client.Submit(t.Context(), kie.SubmitRequest{
				Model: model.Name, Prompt: "snow", VideoURL: source, CallbackURL: "http://127.0.0.1:1/callbacks/kie/j/t"})
			require.NoError(t, err)
			var record kie.Record
			require.EventuallyWithT(t, func(c *assert.CollectT) {
				record, err = client.Record(t.Context(), model.Name, taskID)
				assert.NoError(c, err)
				assert.Equal(c, kie.Succeeded, record.State)
			}, 10*time.Second, 10*time.Millisecond)
			assert.Len(t, record.ResultURLs, 1)
			assert.NotContains(t, record.ResultURLs, source)
			assert.Equal(t, source, record.VideoURL)
			assert.Equal(t, "snow", record.Prompt)
			found, err := client.FindRecord(t.Context(), taskID)
			require.NoError(t, err, "the family is found without a model")
			assert.Equal(t, record.Model, found.Model)
			if model.Name != kie.DefaultModel {
				assert.Equal(t, model.Name, found.Model)
				_, err = client.Record(t.Context(), "", taskID)
				assert.Equal(t, kie.NotFound, kie.ClassOf(err), "another family has no such task")
			}
		})
	}
}

func TestMarketRecords(t *testing.T) {
	cost, none := 61.0, 0.0
	const param = `"param":"{\"model\":\"wan/2-7-videoedit\",\"callBackUrl\":\"https://h/cb\",\"input\":\"{\\\"prompt\\\":\\\"p\\\",\\\"video_url\\\":\\\"https://in/v.mp4\\\"}\"}"`
	tests := map[string]struct {
		data string
		want kie.Record
	}{
		"response":    {`"state":"success","successFlag":1,"response":{"resultUrls":["https://r/1.mp4"]},"creditsConsumed":61.0`, kie.Record{State: kie.Succeeded, Flag: 1, ResultURLs: []string{"https://r/1.mp4"}, Credits: &cost}},
		"text":        {`"state":"success","resultJson":"{\"resultUrls\":[\"https://r/1.mp4\"],\"firstFrameUrl\":[\"https://r/f.png\"]}","consumeCredits":61`, kie.Record{State: kie.Succeeded, Flag: -1, ResultURLs: []string{"https://r/1.mp4"}, Credits: &cost}},
		"no link yet": {`"state":"success","resultJson":""`, kie.Record{State: kie.Succeeded, Flag: -1}},
		"waiting":     {`"state":"waiting","resultJson":"","failCode":null`, kie.Record{State: kie.Pending, Flag: -1}},
		"queuing":     {`"state":"queuing","successFlag":0,"failCode":""`, kie.Record{State: kie.Pending, Flag: 0}},
		"generating":  {`"state":"generating"`, kie.Record{State: kie.Pending, Flag: -1}},
		"unknown":     {`"state":"archiving"`, kie.Record{State: kie.UnknownState, Flag: -1}},
		"flag alone":  {`"successFlag":3`, kie.Record{State: kie.UnknownState, Flag: 3}},
		"failed":      {`"state":"fail","successFlag":3,"failCode":"400","failMsg":"moderated","resultJson":null,"creditsConsumed":0`, kie.Record{State: kie.Failed, Flag: 3, ErrorCode: "400", ErrorMessage: "moderated", Credits: &none}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got := recordOf(t, "wan/2-7-videoedit", `{"code":200,"data":{"taskId":"`+taskID+`","model":"wan/2-7-videoedit",`+param+`,`+test.data+`}}`)
			test.want.TaskID, test.want.Model = taskID, "wan/2-7-videoedit"
			test.want.Prompt, test.want.VideoURL, test.want.CallbackURL = "p", "https://in/v.mp4", "https://h/cb"
			assert.Equal(t, test.want, got)
		})
	}
	lists := recordOf(t, "kling-3.0-omni/transformation", `{"code":200,"data":{"state":"success","param":{"input":{"prompt":"p","video_urls":["https://in/v.mp4"]}}}}`)
	assert.Equal(t, "https://in/v.mp4", lists.VideoURL)
	assert.Empty(t, lists.ResultURLs, "the echo is no result")
	assert.Equal(t, "market", lists.Model, "a record without its model stays in the family")
}

// A cost is a number that may be one; any other is none, and a failed task's 0 is one.
func TestCostOfATask(t *testing.T) {
	tests := map[string]string{
		`"creditsConsumed":61.5`: "61.5", `"consumeCredits":61.5`: "61.5", `"creditsConsumed":" 61.5 "`: "61.5",
		`"creditsConsumed":0,"consumeCredits":7`: "0", `"creditsConsumed":null,"consumeCredits":7`: "7",
		`"creditsConsumed":-1,"consumeCredits":7`: "7", `"creditsConsumed":-0`: "0", `"remainedCredits":900`: "none",
		`"creditsConsumed":-1`: "none", `"creditsConsumed":1e9`: "none", `"creditsConsumed":1e309`: "none",
		`"creditsConsumed":"NaN"`: "none", `"creditsConsumed":"-Infinity"`: "none", `"creditsConsumed":"many"`: "none",
		`"creditsConsumed":""`: "none", `"creditsConsumed":true`: "none", `"creditsConsumed":[5]`: "none", `"creditsConsumed":{"a":5}`: "none",
	}
	for _, model := range []string{"wan/2-7-videoedit", "aleph", "veo"} {
		for field, want := range tests {
			got := "none"
			if record := recordOf(t, model, `{"code":200,"data":{"state":"fail","successFlag":3,`+field+`}}`); record.Credits != nil {
				got = strconv.FormatFloat(*record.Credits, 'f', -1, 64)
			}
			assert.Equal(t, want, got, "%s %s", model, field)
		}
	}
}

func TestAlephRecords(t *testing.T) {
	for data, state := range map[string]kie.State{
		`"successFlag":0,"errorCode":0,"errorMessage":"","response":null`: kie.Pending,
		`"successFlag":0`: kie.Pending,
		`"successFlag":0,"errorCode":500,"errorMessage":""`:                                                                kie.Failed,
		`"successFlag":0,"errorCode":0,"errorMessage":"moderated"`:                                                         kie.Failed,
		`"successFlag":1,"response":{"resultVideoUrl":"https://r/v.mp4","resultImageUrl":"https://r/v.png"},"errorCode":0`: kie.Succeeded,
		`"successFlag":3`: kie.Failed,
		`"successFlag":9`: kie.UnknownState,
	} {
		got := recordOf(t, "aleph", `{"code":200,"data":{"paramJson":"{\"prompt\":\"p\",\"videoUrl\":\"https://in/v.mp4\"}",`+data+`}}`)
		assert.Equal(t, state, got.State, data)
		if state == kie.Succeeded {
			assert.Equal(t, []string{"https://r/v.mp4"}, got.ResultURLs, "the picture is no result")
		}
		assert.Empty(t, got.CallbackURL)
		assert.Equal(t, "https://in/v.mp4", got.VideoURL)
	}
}

// At flag 0 only an error as documented ends the task, a number or a text. A running task
// is paid: what proves neither is an unknown state, which is waited for and shown.
func TestErrorsOfAlephRecords(t *testing.T) {
	for _, test := range []struct {
		code, message string
		state         kie.State
	}{
		{`500`, `""`, kie.Failed},
		{`"500"`, `null`, kie.Failed},
		{`" 500 "`, `"null"`, kie.Failed},
		{`-1`, `""`, kie.Failed},
		{`0`, `"moderated"`, kie.Failed},
		{`null`, `"moderated"`, kie.Failed},
		{`"MODERATED"`, `"Your video was rejected"`, kie.Failed},
		{`{"code":500}`, `"moderated"`, kie.Failed},
		{`200`, `"moderated"`, kie.Failed},
		{`null`, `null`, kie.Pending},
		{`""`, `""`, kie.Pending},
		{`"null"`, `"null"`, kie.Pending},
		{`"0"`, `0`, kie.Pending},
		{`0.0`, `" "`, kie.Pending},
		{`"None"`, `"undefined"`, kie.Pending},
		{`false`, `"success"`, kie.Pending},
		{`"MODERATED"`, `""`, kie.UnknownState},
		{`"MODERATED"`, `"null"`, kie.UnknownState},
		{`{"code":500}`, `null`, kie.UnknownState},
		{`[500]`, `""`, kie.UnknownState},
		{`true`, `""`, kie.UnknownState},
		{`500.5`, `""`, kie.UnknownState},
		{`1e99`, `""`, kie.UnknownState},
		{`200`, `"success"`, kie.UnknownState},
		{`0`, `{"text":"moderated"}`, kie.Pending},
	} {
		got := recordOf(t, "aleph", `{"code":200,"data":{"successFlag":0,"errorCode":`+test.code+`,"errorMessage":`+test.message+`}}`)
		assert.Equal(t, test.state, got.State, "code %s, message %s", test.code, test.message)
	}
}

// Codes of an answer without a record don't end a paid task.
func TestCodesEndNoMarketTask(t *testing.T) {
	for _, code := range []string{"408", "501", "500", "400"} {
		client := answering(t, `{"code":`+code+`,"msg":"x","data":null}`)
		_, err := client.Record(t.Context(), "wan/2-7-videoedit", taskID)
		require.Error(t, err, code)
	}
	client := answering(t, `{"code":200,"msg":"success","data":null}`)
	_, err := client.Record(t.Context(), "wan/2-7-videoedit", taskID)
	assert.Equal(t, kie.NotFound, kie.ClassOf(err))
}

func answering(t *testing.T, body string) *kie.Client {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(body)) }))
	t.Cleanup(server.Close)
	client, err := kie.New(kie.Options{BaseURL: server.URL, APIKey: "test-key"})
	require.NoError(t, err)
	return client
}

func recordOf(t *testing.T, model, body string) kie.Record {
	t.Helper()
	record, err := answering(t, body).Record(t.Context(), model, taskID)
	require.NoError(t, err)
	return record
}

// Requests that kie.ai would refuse or bill without heeding are rejected by the table,
// by the catalogue's schema, or because neither is there.
func TestCheck(t *testing.T) {
	client := simulated(t, kietest.Options{})
	options := func(pairs ...any) map[string]any {
		all := map[string]any{}
		for i := 0; i < len(pairs); i += 2 {
			all[pairs[i].(string)] = pairs[i+1]
		}
		return all
	}
	tests := []struct {
		model   string
		options map[string]any
		want    string
	}{
		{"", nil, ""},
		{"luma", options("resolution", "720p"), `model luma has no option "resolution": it takes none`},
		{"wan/2-7-videoedit", options("resolution", "720p", "duration", 0.0, "seed", 7.0, "prompt_extend", false), ""},
		{"wan/2-7-videoedit", options("resolutio", "720p"), `has no option "resolutio": did you mean "resolution"?`},
		{"wan/2-7-videoedit", options("resolution", "4k"), `is "4k": give 720p, 1080p`},
		{"wan/2-7-videoedit", options("duration", 1.0), `give a whole number from 0 to 10`},
		{"wan/2-7-videoedit", options("duration", "5"), `option "duration" of model wan/2-7-videoedit is "5": give a whole number`},
		{"wan/2-7-videoedit", options("seed", -1.0), `give a whole number from 0 to 2147483647`},
		{"wan/2-7-videoedit", options("seed", 1.5), `is 1.5: give a whole number from 0 to 2147483647`},
		{"wan/2-7-videoedit", options("video_url", "https://x/y"), `is set by lumaflow`},
		{"wan/2-7-videoedit", options("callBackUrl", "https://x/y"), `is set by lumaflow`},
		{"wan/2-7-videoedit", options("aspectRatio", "16:9"), `did you mean "aspect_ratio"?`},
		{"happyhorse/video-edit", options("reference_image", []any{"https://a/1", "https://a/2", "https://a/3", "https://a/4", "https://a/5", "https://a/6"}), "at most 5"},
		{"bytedance/seedance-2-5", options("duration", -1.0), ""},
		{"aleph", options("aspectRatio", "2:1"), "give 16:9"},
		{"wan/2-6-video-to-video", options("duration", "5", "nsfw_checker", false), ""},
		{"wan/2-6-flash-video-to-video", options("duration", "10", "resolution", "720p", "audio", true, "multi_shots", false, "nsfw_checker", true), ""},
		{"wan/2-6-flash-video-to-video", options("duration", 5.0), "is 5, which is no text: give 5, 10"},
		{"wan/2-2-animate-replace", options("image_url", "https://in/face.png", "resolution", "580p"), ""},
		{"wan/2-2-animate-replace", options("resolution", "580p"), `needs option "image_url": give an http or https address`},
		{"wan/2-2-animate-move", options("image_url", "face.png"), `option "image_url"`},
		{"kling-3.0/motion-control", options("input_urls", []any{"https://in/face.png"}, "mode", "pro", "background_source", "input_image"), ""},
		{"kling-3.0/motion-control", options("mode", "std"), `needs option "input_urls": give a list of http or https addresses, at least 1`},
		{"kling-3.0/motion-control", options("input_urls", []any{}), `option "input_urls"`},
		{"topaz/video-upscale", options("upscale_factor", "4"), ""},
		{"topaz/video-upscale", options("upscale_factor", "8"), "give 1, 2, 4"},
		{"volcengine/video-to-video-lip-sync", options("mode", "lite", "audio_url", "https://in/a.mp3", "templ_start_seconds", 1.5), ""},
		{"volcengine/video-to-video-lip-sync", options("audio_url", "https://in/a.mp3"), `needs option "mode": give lite, basic`},
		{"wan/2-7-videoedlt", nil, `did you mean "wan/2-7-videoedit"?`},
		{"nobody/nothing-at-all", nil, "kie.ai has no model"},
		{"acme/text-to-video", nil, "takes no video"},
		{"acme/restyle", options("strength", 0.5), ""},
		{"acme/restyle", options("strengt", 0.5), `did you mean "strength"?`},
		{"acme/restyle", options("strength", "much"), "give a number"},
	}
	for _, test := range tests {
		request, err := client.Check(t.Context(), kie.SubmitRequest{Model: test.model, Prompt: "p", VideoURL: "https://in/v.mp4", Options: test.options}, false)
		if test.want == "" {
			require.NoError(t, err, test.model)
			if test.model == "acme/restyle" {
				assert.Equal(t, "video_urls", request.VideoField)
				assert.True(t, request.VideoList)
			}
			continue
		}
		require.ErrorContains(t, err, test.want)
		var wrong *kie.OptionError
		require.ErrorAs(t, err, &wrong, test.want)
		assert.NotContains(t, err.Error(), "\n")
	}
	_, err := client.Check(t.Context(), kie.SubmitRequest{Model: "happyhorse/video-edit", Prompt: strings.Repeat("x", 5001)}, false)
	require.ErrorContains(t, err, "at most 5000")
	_, err = client.Check(t.Context(), kie.SubmitRequest{Model: "happyhorse/video-edit", Prompt: "p", Watermark: "w"}, false)
	require.ErrorContains(t, err, "takes no watermark")
}

func TestCheckWithoutSchema(t *testing.T) {
	request := kie.SubmitRequest{Model: "acme/new", Prompt: "p", Options: map[string]any{"x": 1.0}}
	silent := answering(t, `{"code":200,"data":{"model":"acme/new","openapi":null}}`)
	_, err := silent.Check(t.Context(), request, false)
	require.ErrorContains(t, err, "set unchecked")
	_, err = silent.Check(t.Context(), request, true)
	require.NoError(t, err)
	busy := answering(t, `{"code":429,"msg":"slow down"}`)
	_, err = busy.Check(t.Context(), request, false)
	require.Equal(t, kie.Temporary, kie.ClassOf(err), "a busy catalogue refuses no job")
}

// Without a setting the first poll comes after the usual time, so that a callback in
// time costs none, and soon enough. Luma Modify keeps its 10 minutes.
func TestFirstPoll(t *testing.T) {
	recorded := map[string]time.Duration{"happyhorse/video-edit": 113 * time.Second, "wan/2-7-videoedit": 785 * time.Second}
	for _, model := range kie.Models() {
		want := model.Usual * 3 / 2
		if model.Name == kie.DefaultModel {
			want = 10 * time.Minute
		}
		assert.Equal(t, want, model.FirstPoll(), model.Name)
		assert.Positive(t, model.Usual, model.Name)
		assert.GreaterOrEqual(t, model.Longest, model.Usual, model.Name)
		assert.NotEmpty(t, model.TimeSource, model.Name)
		if seen := recorded[model.Name]; seen > 0 {
			assert.Equal(t, seen, model.Usual, model.Name)
			delete(recorded, model.Name)
		}
	}
	assert.Empty(t, recorded)
	other, known := kie.ModelOf("acme/restyle")
	assert.False(t, known)
	assert.Equal(t, other.Usual*3/2, other.FirstPoll())
}

// Tasks of a family that is only collected, and those whose record names no model, are
// of no model in the catalogue.
func TestInCatalogue(t *testing.T) {
	for name, want := range map[string]bool{
		"": false, "luma": false, "aleph": false, "veo": false, "market": false, "wan/2-7-videoedit": true, "acme/restyle": true,
	} {
		model, _ := kie.ModelOf(name)
		assert.Equal(t, want, model.InCatalogue(), name)
	}
}
