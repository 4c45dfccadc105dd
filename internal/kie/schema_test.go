package kie_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lumaflow/internal/kie"
)

// document is the catalogue's answer about a model with these properties beside
// video_url, and these required fields.
func document(properties, required string) string {
	return `{"code":200,"data":{"model":"acme/new","openapi":{"paths":{"/api/v1/jobs/createTask":{"post":{"requestBody":{"content":{"application/json":{"schema":
		{"properties":{"input":{"properties":{"video_url":{"type":"string"}` + properties + `},"required":` + required + `}}}}}}}}},
		"components":{"loop":{"$ref":"#/components/loop"},"Size ":{"type":"integer","minimum":1}}}}}`
}

func checkBySchema(t *testing.T, answer, prompt, options string) error {
	t.Helper()
	request := kie.SubmitRequest{Model: "acme/new", Prompt: prompt, VideoURL: "https://in/v.mp4"}
	require.NoError(t, json.Unmarshal([]byte(options), &request.Options))
	_, err := answering(t, answer).Check(t.Context(), request, false)
	return err
}

// What a schema demands beyond doubt is checked before anything is paid.
func TestLimitsOfSchema(t *testing.T) {
	tests := []struct {
		property  string
		permitted []string
		rejected  []string
		give      string
	}{
		{`{"type":"string","maxLength":3}`, []string{`"äöü"`, `""`}, []string{`"four"`, `3`}, "text of at most 3 characters"},
		{`{"type":"string","minLength":2}`, []string{`"ab"`}, []string{`"a"`}, "text of at least 2 characters"},
		{`{"type":"string","minLength":1,"maxLength":2}`, []string{`"a"`}, []string{`""`, `"abc"`}, "text of 1 to 2 characters"},
		{`{"type":"array","maxItems":1}`, []string{`[]`, `[1]`}, []string{`[1,2]`, `1`}, "a list, at most 1"},
		{`{"type":"array","minItems":1,"maxItems":2}`, []string{`[1]`}, []string{`[]`, `[1,2,3]`}, "a list, 1 to 2"},
		{`{"type":"number","minimum":0.5}`, []string{`0.5`, `1e9`}, []string{`0.4`, `-1`}, "a number at least 0.5"},
		{`{"type":"integer","maximum":10}`, []string{`10`, `-9`}, []string{`11`, `9.5`}, "a whole number at most 10"},
		{`{"type":"integer","minimum":0,"maximum":2147483647}`, []string{`0`, `2147483647`}, []string{`-1`, `2147483648`}, "a whole number from 0 to 2147483647"},
		{`{"type":"number","exclusiveMinimum":0,"exclusiveMaximum":1}`, []string{`0.1`}, []string{`0`, `1`, `2`}, "a number from 0 to 1 except 0, 1"},
		{`{"type":"number","minimum":0,"exclusiveMinimum":true}`, []string{`0.1`}, []string{`0`, `-1`}, "a number at least 0 except 0"},
		{`{"type":"number","minimum":5,"exclusiveMinimum":3}`, []string{`5`}, []string{`4`}, "a number at least 5"},
		{`{"type":"integer","enum":[5,10]}`, []string{`5`, `10`}, []string{`7`, `"5"`}, "5, 10"},
		{`{"type":"string","enum":["5","10"]}`, []string{`"5"`}, []string{`"7"`, `5`}, "5, 10"},
		{`{"enum":["5","10",null]}`, []string{`"5"`}, []string{`"7"`}, "5, 10"},
		{`{"$ref":"#/components/Size%20"}`, []string{`1`}, []string{`0`}, "a whole number at least 1"},
	}
	for _, test := range tests {
		answer := document(`,"x":`+test.property, `[]`)
		for _, value := range test.permitted {
			require.NoError(t, checkBySchema(t, answer, "p", `{"x":`+value+`}`), "%s permits %s", test.property, value)
		}
		for _, value := range test.rejected {
			err := checkBySchema(t, answer, "p", `{"x":`+value+`}`)
			require.ErrorContains(t, err, "give "+test.give, "%s rejects %s", test.property, value)
			assert.True(t, strings.HasSuffix(err.Error(), "give "+test.give), err.Error())
		}
	}
	prompt := document(`,"prompt":{"type":"string","maxLength":3}`, `[]`)
	require.NoError(t, checkBySchema(t, prompt, "abc", `null`))
	require.ErrorContains(t, checkBySchema(t, prompt, "abcd", `null`), "at most 3")
}

// A field that kie.ai needs is asked for, unless it has a default: kie.ai's pages call
// some of those optional.
func TestRequiredBySchema(t *testing.T) {
	answer := document(`,"image":{"type":"string"},"ratio":{"type":"string","default":"16:9"},"mode":{"enum":["std"],"default":null}`, `["video_url","image","ratio","mode","absent",7]`)
	require.NoError(t, checkBySchema(t, answer, "p", `{"image":"i","mode":"std"}`))
	require.ErrorContains(t, checkBySchema(t, answer, "p", `{"mode":"std"}`), `needs option "image"`)
	require.ErrorContains(t, checkBySchema(t, answer, "p", `{"image":"i"}`), `needs option "mode": give std`)
}

// A schema's own faults refuse no job that kie.ai may accept.
func TestFaultsOfSchema(t *testing.T) {
	deep := strings.Repeat(`{"anyOf":[`, 3000) + `1` + strings.Repeat(`]}`, 3000)
	for _, property := range []string{
		`null`, `7`, `true`, `[]`, `"x"`, `{}`, deep, `{"type":["string","null"],"enum":["a"]}`, `{"anyOf":[{"type":"string"}]}`,
		`{"$ref":"#/components/loop"}`, `{"$ref":"#/components/nowhere"}`, `{"$ref":"#/%zz"}`, `{"$ref":"https://x/y"}`, `{"$ref":7}`,
		`{"type":"number","minimum":"10"}`, `{"type":"number","minimum":1e999}`, `{"type":"number","minimum":null,"maximum":null}`,
		`{"type":"number","minimum":10,"maximum":2}`, `{"type":"number","minimum":10,"exclusiveMaximum":5}`, `{"type":"number","maximum":{},"exclusiveMaximum":true}`, `{"type":"number","exclusiveMinimum":false}`,
		`{"type":"number","enum":[]}`, `{"type":"number","enum":[{"a":1}]}`, `{"type":"number","enum":["5"]}`, `{"type":"number","enum":"5"}`,
		`{"type":"number","enum":[1` + strings.Repeat(",1", 2000) + `]}`,
	} {
		require.NoError(t, checkBySchema(t, document(`,"x":`+property, `"x"`), "p", `{"x":5}`), "%.80s", property)
	}
	for _, property := range []string{
		`{"type":"string","minLength":9,"maxLength":2}`, `{"type":"string","maxLength":0}`, `{"type":"string","maxLength":-1}`,
		`{"type":"string","maxLength":1.5,"minLength":"9"}`, `{"type":"string","enum":[5,10]}`, `{"type":"string","enum":[true,"a"]}`,
	} {
		require.NoError(t, checkBySchema(t, document(`,"x":`+property, `[]`), "p", `{"x":"5"}`), property)
	}
	for _, faulty := range []string{`null`, `7`, `{"paths":[]}`, `{"paths":{"/":{"post":7}}}`, `{"paths":{"/":{"post":{"requestBody":{"content":{"application/json":{"schema":{"$ref":"#/"}}}}}}}}`} {
		require.ErrorContains(t, checkBySchema(t, `{"code":200,"data":{"openapi":`+faulty+`}}`, "p", `null`), "gives no schema", faulty)
	}
}

// The source of a model is known by the name of its field, whatever its schema. Pictures
// are no source.
func TestSourceInSchema(t *testing.T) {
	for properties, want := range map[string]string{
		`"video_urls":{"type":"array"}`:                                 "video_urls true",
		`"video_urls":{"$ref":"#/nowhere"},"input_urls":{}`:             "video_urls true",
		`"video_url":true,"reference_video_urls":{"type":"array"}`:      "video_url false",
		`"video_urls":{"type":"string"}`:                                "video_urls false",
		`"input_urls":{"type":"array"},"prompt":{"type":"string"}`:      "",
		`"video_list":{"type":"array","items":{"type":"object"}},"x":7`: "",
	} {
		answer := strings.Replace(document("", `[]`), `"video_url":{"type":"string"}`, properties, 1)
		request, err := answering(t, answer).Check(t.Context(), kie.SubmitRequest{Model: "acme/new", Prompt: "p"}, true)
		if want == "" {
			require.ErrorContains(t, err, "takes no video in a field that lumaflow fills (video_url, ", properties)
			continue
		}
		require.NoError(t, err, properties)
		assert.Equal(t, want, fmt.Sprint(request.VideoField, " ", request.VideoList), properties)
	}
}

// A document of the largest size that is read takes a bounded time, and an error about
// it is one line.
func TestHugeSchema(t *testing.T) {
	const size = 700_000
	var references, names, values strings.Builder
	for n := 0; references.Len() < size; n++ {
		fmt.Fprintf(&references, `,"r%d":{"$ref":"#/paths/x"}`, n)
	}
	for n := 0; names.Len() < size; n++ {
		fmt.Fprintf(&names, `,"n\n%d":{}`, n)
	}
	for n := range 900 {
		fmt.Fprintf(&values, `,"%s\n%d"`, strings.Repeat("v", 500), n)
	}
	started := time.Now()
	require.NoError(t, checkBySchema(t, document(references.String(), `[]`), "p", `{"r7":true}`))
	for _, answer := range []string{document(names.String(), `[]`), document(`,"zzzzzzzzzzzzzzzz":{"type":"string","enum":["a"`+values.String()+`]}`, `[]`)} {
		err := checkBySchema(t, answer, "p", `{"zzzzzzzzzzzzzzzz":"b"}`)
		require.Error(t, err)
		assert.NotContains(t, err.Error(), "\n")
		assert.Less(t, len(err.Error()), 2000)
	}
	assert.Less(t, time.Since(started), 30*time.Second)
}
