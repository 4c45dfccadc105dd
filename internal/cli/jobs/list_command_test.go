package jobs_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"lumaflow/internal/cli/jobs"
	"lumaflow/internal/paid"
	"lumaflow/starter"
	"lumaflow/test/startertest"
)

func TestListCommand(t *testing.T) {
	const none = "no jobs; start one with: lumaflow submit --prompt TEXT --video URL\n"
	tests := []struct {
		name     string
		command  jobs.ListCommand
		jobs     int
		out      string
		messages string
	}{
		{"none", jobs.ListCommand{Limit: 50}, 0, "", none},
		{"none selected", jobs.ListCommand{Limit: 50, Failed: true}, 0, "", "no such jobs; all jobs: lumaflow list\n"},
		{"none as JSON", jobs.ListCommand{Limit: 50, JSON: true}, 0, "[]\n", ""},
		{
			"jobs", jobs.ListCommand{Limit: 50}, 2,
			"JOB    STATE      STAGE  TASK  AGE\njob-0  completed  done   -     0s\njob-1  completed  done   -     0s\n", "",
		},
		{
			"more", jobs.ListCommand{Limit: 1}, 2,
			"JOB    STATE      STAGE  TASK  AGE\njob-0  completed  done   -     0s\n",
			"only the newest 1 are shown; see more with --limit\n",
		},
		{
			"as JSON", jobs.ListCommand{Limit: 50, JSON: true}, 1,
			`[
  {
    "workflowId": "job-0",
    "runId": "run-of-job-0",
    "state": "completed",
    "stage": "done",
    "startedAt": "2000-01-01T00:00:00Z",
    "closedAt": "2000-01-01T00:01:00Z"
  }
]
`, "",
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fake := startertest.New(t)
				for i := range test.jobs {
					fake.Job("job-"+string(rune('0'+i))).End(statusCompleted, time.Minute)
				}
				streams, out, messages := newStreams("")
				require.NoError(t, test.command.RunOn(t.Context(), starter.New(fake, starter.Options{}), streams))
				require.Equal(t, test.out, out.String())
				require.Equal(t, test.messages, messages.String())
			})
		})
	}
}

// A failed task costs 0 where kie.ai's record has it; a job without a cost has a dash.
func TestListShowsCredits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := startertest.New(t)
		fake.Job("job-0").End(statusCompleted, time.Minute).Memo = &paid.Facts{TaskID: "t0", Credits: new(61.5)}
		fake.Job("job-1").End(statusCompleted, time.Minute).Memo = &paid.Facts{TaskID: "t1", Credits: new(0.0)}
		fake.Job("job-2").End(statusCompleted, time.Minute)
		streams, out, _ := newStreams("")
		list := jobs.ListCommand{Limit: 50}
		require.NoError(t, list.RunOn(t.Context(), starter.New(fake, starter.Options{}), streams))
		require.Regexp(t, `^JOB +STATE +STAGE +TASK +AGE +CREDITS\njob-0 .* 61\.5\njob-1 .* 0\njob-2 .* -\n$`, out.String())
	})
}
