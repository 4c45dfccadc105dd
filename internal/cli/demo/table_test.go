package demo

import (
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lumaflow/internal/kie/kietest"
	"lumaflow/starter"
	"lumaflow/workflows"
)

func TestTableFitsIn100Columns(t *testing.T) {
	t.Parallel()
	const taskID = "0123456789abcdef0123456789abcdef"
	var outcomes []*outcome
	for _, scenario := range scenarios {
		result := workflows.ModifyVideoResult{TaskID: taskID, Videos: []workflows.Video{{
			Location: "file:///srv/videos/luma_result_" + taskID + "_1.mp4", Bytes: 99_999_900,
		}}}
		o := &outcome{scenario: scenario, report: starter.Report{Result: &result}}
		for _, wokenBy := range []string{"callback", "poll"} {
			result.WokenBy = wokenBy
			if recovery := scenario.recovery(facts{
				result: result,
				status: workflows.Status{SubmitAttempts: 1, Callbacks: 1},
				charge: kietest.Charge{Downloads: 12},
			}); recovery != "" {
				o.recovery = recovery
			}
		}
		require.NotEmpty(t, o.recovery, scenario.name)
		outcomes = append(outcomes, o)
	}
	outcomes = append(outcomes, &outcome{scenario: scenarios[0], err: errors.New("failed")})
	table, verified := renderTable(outcomes)
	require.Equal(t, len(scenarios), verified)
	for line := range strings.Lines(table) {
		assert.LessOrEqual(t, utf8.RuneCountInString(strings.TrimSpace(line)), 100, line)
	}
	assert.Contains(t, table, "luma_result_0123…cdef_1.mp4")
	assert.Contains(t, table, "NOT RECOVERED")
	t.Log(table)
}
