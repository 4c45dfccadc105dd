package manifest_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"lumaflow/internal/manifest"
)

func raw(items ...string) (all []json.RawMessage) {
	for _, item := range items {
		all = append(all, json.RawMessage(item))
	}
	return all
}

// The items of a file keep its line numbers, and their encoding is the same after a
// way through JSON, which the hash of inline items depends on.
func TestEncode(t *testing.T) {
	items := raw("null", "{ \"prompt\":\n\"<snow> & rain\" }", "null", `{"taskId":"t"}`)
	lines, err := manifest.Encode(items)
	require.NoError(t, err)
	want := "\n" + `{"prompt":"\u003csnow\u003e \u0026 rain"}` + "\n\n" + `{"taskId":"t"}` + "\n"
	require.Equal(t, []byte(want), lines)

	sent, err := json.Marshal(items)
	require.NoError(t, err)
	var received []json.RawMessage
	require.NoError(t, json.Unmarshal(sent, &received))
	again, err := manifest.Encode(received)
	require.NoError(t, err)
	require.Equal(t, string(lines), string(again))

	_, err = manifest.Encode(raw(`{"taskId":"t"}`, "{"))
	require.ErrorContains(t, err, "item 2 is no JSON")
}

// The line of a job is passed along as it stands, that of CSV as an object.
func TestObject(t *testing.T) {
	format := manifest.Format{
		Parse:        func(object []byte) (manifest.Order, error) { return manifest.Order{ID: string(object)}, nil },
		CheckColumns: func([]string) error { return nil },
	}
	for _, test := range []struct {
		text string
		csv  bool
		want []string
	}{
		{"{\"a\":1}\n\n {\"b\":2} ", false, []string{`1 {"a":1}`, `3 {"b":2}`}},
		{"a,b\n1,\n\"x\ny\",2\n3,4\n", true, []string{`2 {"a":"1"}`, `3 {"a":"x\ny","b":"2"}`, `5 {"a":"3","b":"4"}`}},
	} {
		var got []string
		_, err := format.Read(strings.NewReader(test.text), test.csv, func(order manifest.Order) bool {
			got = append(got, string(rune('0'+order.Line))+" "+string(order.Object))
			return true
		})
		require.NoError(t, err)
		require.Equal(t, test.want, got)
	}
}
