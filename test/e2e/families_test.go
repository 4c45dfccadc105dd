package e2e_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"testing"

	"github.com/stretchr/testify/require"
	sdktemporal "go.temporal.io/sdk/temporal"

	"lumaflow/internal/kie/kietest"
	"lumaflow/starter"
	"lumaflow/workflows"
)

// A job of another family lives through the faults of Luma's: its response or callback
// lost, its download reset. It is charged once and names its model.
func TestJobsOfOtherFamilies(t *testing.T) {
	t.Parallel()
	w := enter(t, setup{})
	jobs := map[string]string{}
	for i, model := range []string{"wan/2-7-videoedit", "kling-3.0-omni/transformation", "acme/restyle", "aleph"} {
		for _, fault := range []string{"response-lost", "callback-spelling, reset"} {
			prompt := fmt.Sprintf("family %d [fault: %s]", i, fault)
			id := fmt.Sprintf("family-%d-%s", i, fault[:8])
			w.start(id, fmt.Sprintf(`{"prompt":%q,"videoUrl":%q,"model":%q}`, prompt, w.simURL+kietest.SourcePath, model))
			jobs[id] = prompt
		}
	}
	for id, prompt := range jobs {
		result, err := w.result(id)
		require.NoError(t, err, id)
		charge := w.charge(prompt)
		w.verified(result, charge)
		require.Equal(t, charge.Model, result.Model)
		require.Contains(t, charge.CallBackURL, "/callbacks/kie/")
		if charge.Model != "aleph" {
			require.NotNil(t, result.Credits, id)
			require.InDelta(t, charge.Cost, *result.Credits, 0)
		}
	}
}

// Options that kie.ai would ignore, and models that it lacks, end a job of any client
// before anything is paid.
func TestRequestsThatNoModelTakes(t *testing.T) {
	t.Parallel()
	w := enter(t, setup{})
	tests := map[string]string{
		`"model":"wan/2-7-videoedit","options":{"resolutio":"720p"}`: `did you mean "resolution"?`,
		`"options":{"resolution":"720p"}`:                            "model luma has no option",
		`"model":"acme/restyle","options":{"strengt":1}`:             `did you mean "strength"?`,
		`"model":"acme/text-to-video"`:                               "takes no video",
		`"model":"wan/2-7-videoedlt"`:                                `did you mean "wan/2-7-videoedit"?`,
		`"model":"veo"`:                                              "only collects its tasks",
		`"model":"wan/2-2-animate-replace"`:                          `needs option "image_url"`,
	}
	i := 0
	for fields, text := range tests {
		i++
		id := fmt.Sprintf("no-model-%d", i)
		w.start(id, `{"prompt":"snow","videoUrl":"https://cdn.example.org/in.mp4",`+fields+`}`)
		_, err := w.result(id)
		var failed *sdktemporal.ApplicationError
		require.ErrorAs(t, err, &failed, fields)
		require.Equal(t, workflows.InvalidRequest, failed.Type(), failed.Message())
		require.Contains(t, failed.Message(), text)
	}
	require.Zero(t, w.ledger().Charges)
}

// Tasks of all families are collected by their ids alone, and one of another family than
// the given model's has an error of its own.
func TestRescueOfOtherFamilies(t *testing.T) {
	t.Parallel()
	w := enter(t, setup{})
	ids := []string{
		w.submitAt("/api/v1/modify/generate", jobInput("luma")),
		w.submitAt("/api/v1/jobs/createTask", `{"model":"wan/2-7-videoedit","input":{"prompt":"market","video_url":"https://cdn.example.org/in.mp4"}}`),
		w.submitAt("/api/v1/aleph/generate", `{"prompt":"aleph","videoUrl":"https://cdn.example.org/in.mp4"}`),
		w.submitAt("/api/v1/veo/generate", `{"prompt":"veo"}`),
	}
	got := w.run(append([]string{"rescue", "--json"}, ids...)...)
	require.Zero(t, got.code, got.err)
	charges := w.ledger().Tasks
	for i, outcome := range w.outcomes(got) {
		require.Equal(t, starter.StateCompleted, outcome.State)
		w.verified(*outcome.Result, charges[i])
		require.Equal(t, charges[i].Model, outcome.Result.Model)
	}
	require.Len(t, charges, len(ids), "rescue costs nothing")
}

// A batch plans with kie.ai's own price texts, and its results have the model and the
// credits of each task, whether its job reported them or the batch looked them up.
func TestBatchOfOtherFamilies(t *testing.T) {
	t.Parallel()
	w := enter(t, setup{})
	line := func(model, prompt string) string {
		return fmt.Sprintf(`{"prompt":%q,"videoUrl":%q,"model":%q}`, prompt, w.simURL+kietest.SourcePath, model)
	}
	lines := []string{line("wan/2-7-videoedit", "one"), line("acme/restyle", "two"), line("luma", "three")}
	planned := w.run("batch", writeLines(t, lines...), "--plan")
	require.Zero(t, planned.code, planned.err)
	require.Contains(t, planned.out, "wan/2-7-videoedit: 720p: 80 credits ($0.40)\n")
	require.Contains(t, planned.out, "acme/restyle: 10 credits ($0.05)\n")
	require.Contains(t, planned.out, "luma: not documented", planned.err)
	require.Zero(t, w.ledger().Charges)

	for _, key := range []string{"", "again"} {
		ran := w.run("batch", writeLines(t, lines...), "--json", "--key", key)
		require.Zero(t, ran.code, ran.err)
		report := w.batchReport(ran)
		results := (&batch{w, report.WorkflowID}).results(*report.Result)
		require.Len(t, results, 3)
		for i, prompt := range []string{"one", "two"} {
			charge := w.charge(prompt)
			require.Equal(t, charge.Model, results[i].Model)
			require.NotNil(t, results[i].Credits)
			require.InDelta(t, charge.Cost, *results[i].Credits, 0)
		}
		require.Empty(t, results[2].Model)
	}
	require.Equal(t, 3, w.ledger().Charges)
}

// The bill of the simulator is in status, list, the metrics and the list of what was
// paid and not stored.
func TestCredits(t *testing.T) {
	t.Parallel()
	const model = "wan/2-7-videoedit"
	w := enter(t, setup{env: []string{withPorts}})
	start := func(name, prompt string) (id string) {
		id = w.taskQueue + "-" + name
		w.start(id, fmt.Sprintf(`{"prompt":%q,"videoUrl":%q,"model":%q}`, prompt, w.simURL+kietest.SourcePath, model))
		return id
	}
	done, failed := start("done", "done"), start("failed", "failed [fault: generation-failed]")
	left := start("left", "left [size: 40MB] [fault: stall]")
	_, err := w.result(done)
	require.NoError(t, err)
	_, err = w.result(failed)
	require.ErrorContains(t, err, "kie.ai could not make the video")
	w.until("the job downloads", func() bool {
		status, ok := w.status(left)
		return ok && status.Stage == workflows.StageCollecting && w.downloaded() > 1<<20
	})
	require.NoError(t, temporal.CancelWorkflow(t.Context(), left, ""))
	_, err = w.result(left)
	require.Error(t, err)
	lost := w.charge("left [size: 40MB] [fault: stall]")
	require.Positive(t, lost.Cost)
	cost := map[string]float64{done: w.charge("done").Cost, failed: 0, left: lost.Cost}
	require.Equal(t, cost[failed], w.charge("failed [fault: generation-failed]").Cost) //nolint:testifylint // 0 is exact

	for id, want := range cost {
		shown := w.run("status", id, "--json")
		var report starter.Report
		require.NoError(t, json.Unmarshal([]byte(shown.out), &report), shown.err)
		require.Equal(t, &want, report.Credits, id)
	}
	w.until("the list has the credits of all jobs", func() bool {
		listed := w.run("list", "--json")
		var entries []starter.Entry
		require.NoError(t, json.Unmarshal([]byte(listed.out), &entries), listed.err)
		found := map[string]float64{}
		for _, entry := range entries {
			if entry.Credits != nil {
				found[entry.WorkflowID] = *entry.Credits
			}
		}
		return maps.Equal(cost, found)
	})
	var unstored starter.Unstored
	w.until("the cancelled job is paid and not stored", func() bool {
		listed := w.run("list", "--paid-unstored", "--json")
		require.NoError(t, json.Unmarshal([]byte(listed.out), &unstored), listed.err)
		return unstored.Total == 1
	})
	require.Equal(t, lost.TaskID, unstored.Tasks[0].TaskID)
	require.InDelta(t, lost.Cost, unstored.Credits, 0)
	require.Empty(t, unstored.Unknown)

	counted, _ := w.worker.samples()
	for outcome, want := range map[string]float64{"stored": cost[done], "no-video": 0, "unstored": lost.Cost, "adopted": 0} {
		value, found := counted[fmt.Sprintf(`lumaflow_millicredits_total{model=%q,outcome=%q}`, model, outcome)]
		require.True(t, found, outcome)
		require.InDelta(t, 1000*want, value, 0, outcome)
	}
}
