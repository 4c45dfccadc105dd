package e2e_test

import (
	"encoding/json"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"lumaflow/starter"
	"lumaflow/workflows"
)

// atRisk is the output of lumaflow list --at-risk by task.
func (w *world) atRisk() map[string]starter.Risk {
	w.t.Helper()
	got := w.run("list", "--at-risk", "--json")
	require.Zero(w.t, got.code, got.err)
	var found []starter.Risk
	require.NoError(w.t, json.Unmarshal([]byte(got.out), &found), got.out)
	risks := map[string]starter.Risk{}
	for _, risk := range found {
		risks[risk.TaskID] = risk
	}
	require.Len(w.t, risks, len(found), "each task once")
	return risks
}

// Finished tasks without a file are listed until they are collected, in namespaces
// with and without lumaflow's search attributes.
func TestAtRisk(t *testing.T) {
	t.Parallel()
	labelled := fmt.Sprintf("e2e-labelled-%d", worlds.Add(1))
	for _, command := range [][]string{
		{"operator", "namespace", "create", "--namespace", labelled, "--retention", "15d"},
		{"operator", "search-attribute", "create", "--namespace", labelled, "--name", workflows.StageAttribute, "--type", "Keyword",
			"--name", workflows.TaskIDAttribute, "--type", "Keyword"},
	} {
		require.Eventually(t, func() bool {
			return execute(t, os.Environ(), cli, append(command, "--address", address)...).code == 0
		}, patience, time.Second, command)
	}
	for _, test := range []struct {
		namespace string
		// notes must be in the notes of the output, absent must not.
		notes, absent []string
	}{
		{"default", []string{"which namespace default deletes", "needs the search attribute " + workflows.TaskIDAttribute}, nil},
		{labelled, nil, []string{"forgets", "search attribute"}},
	} {
		t.Run(test.namespace, func(t *testing.T) {
			t.Parallel()
			// No result can be downloaded, and no job polls before the end of the test.
			w := enter(t, setup{env: []string{"TEMPORAL_NAMESPACE=" + test.namespace, "FETCH_ALLOW_HOSTS=videos.example.org", "POLL_AFTER=10m"}})
			submit := func(prompt string, flags ...string) {
				t.Helper()
				w.until("a new namespace takes jobs", func() bool {
					return w.run(append([]string{"submit", "--id", w.taskQueue + "-" + prompt, "--prompt", prompt, "--video", "https://cdn.example.org/in.mp4"}, flags...)...).code == 0
				})
			}
			submit("overdue", "--deadline", "4s")
			submit("collecting")
			w.until("both callbacks are acknowledged", func() bool { return w.ledger().Callbacks.Acknowledged == 2 })
			w.webhook.kill()
			submit("no-callback")
			w.until("its task is done", func() bool {
				tasks := w.ledger().Tasks
				return len(tasks) == 3 && !tasks[2].Ended.IsZero()
			})
			terminated := w.temporalCLI("workflow", "terminate", "--namespace", test.namespace, "--workflow-id", w.taskQueue+"-no-callback")
			require.Zero(t, terminated.code, terminated.err)

			overdue, collecting, noCallback := w.charge("overdue").TaskID, w.charge("collecting").TaskID, w.charge("no-callback").TaskID
			var risks map[string]starter.Risk
			w.until("all three are at risk", func() bool {
				risks = w.atRisk()
				return len(risks) == 3 && risks[overdue].Failure != ""
			})
			require.Equal(t, workflows.ResultOverdue, risks[overdue].Failure)
			require.Equal(t, starter.FailureTerminated, risks[noCallback].Failure)
			require.Equal(t, workflows.StageCollecting, risks[collecting].Stage)
			for task, start := range map[string]starter.CountStart{overdue: starter.FromEnd, collecting: starter.FromSubmission, noCallback: starter.FromSubmission} {
				require.Equal(t, start, risks[task].CountedFrom)
				require.Equal(t, 335, risks[task].HoursLeft)
			}
			shown := w.run("list", "--at-risk")
			require.Zero(t, shown.code, shown.err)
			require.Contains(t, shown.out, "335h  finished")
			require.Contains(t, shown.err, "collect them at no cost: lumaflow rescue ")
			require.Contains(t, shown.err, "lumaflow status "+w.taskQueue+"-collecting")
			for _, note := range test.notes {
				require.Contains(t, shown.err, note)
			}
			for _, note := range test.absent {
				require.NotContains(t, shown.err, note)
			}

			// Without the cause the open job continues, and the others are rescued.
			w.worker.kill()
			w.env = append(w.env, "FETCH_ALLOW_HOSTS=")
			w.startWorker()
			rescued := w.run("rescue", overdue, noCallback)
			require.Zero(t, rescued.code, rescued.err)
			w.until("nothing is at risk", func() bool { return len(w.atRisk()) == 0 })
			require.Equal(t, 3, w.ledger().Charges)
		})
	}
}
