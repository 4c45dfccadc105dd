package starter_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"lumaflow/internal/manifest"
	"lumaflow/starter"
)

// A CSV file can set each field of a job, in the spelling of spreadsheets.
func TestCSVColumns(t *testing.T) {
	const header, row = "prompt,videoUrl,model,options,unchecked\n", "p,https://cdn.example.org/v.mp4,vendor/model,\"{\"\"seed\"\":7}\","
	for cell, want := range map[string]string{"true": `"unchecked":true`, "TRUE": `"unchecked":true`, "false": "", "": ""} {
		var inputs []string
		_, err := starter.Manifest.Read(strings.NewReader(header+row+cell+"\n"), true, func(order manifest.Order) bool {
			inputs = append(inputs, string(order.Input))
			return true
		})
		require.NoError(t, err, cell)
		require.Len(t, inputs, 1)
		require.Contains(t, inputs[0], want)
		require.Equal(t, want != "", strings.Contains(inputs[0], "unchecked"), cell)
	}
	for text, want := range map[string]string{
		header + row + "yes\n": "line 2: unchecked is \"yes\": give true or false",
		header + "p,https://cdn.example.org/v.mp4,vendor/model,seed=7,\n": "line 2: options is no JSON object",
	} {
		_, err := starter.Manifest.Read(strings.NewReader(text), true, func(manifest.Order) bool { return true })
		require.ErrorContains(t, err, want)
	}
	ids := map[string]bool{}
	for _, column := range []string{"key", "Key"} {
		_, err := starter.Manifest.Read(strings.NewReader("prompt,videoUrl,"+column+"\np,https://cdn.example.org/v.mp4,take 2\n"), true, func(order manifest.Order) bool {
			ids[order.ID] = true
			return true
		})
		require.NoError(t, err, column)
	}
	require.Len(t, ids, 1, "case does not matter")
	_, err := starter.ParseOrder([]byte(`{"prompt":"p","videoUrl":"https://cdn.example.org/v.mp4","key":"a","Key":"b"}`))
	require.ErrorContains(t, err, "key is given twice")
}
