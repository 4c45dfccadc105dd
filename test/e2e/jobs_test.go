package e2e_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	sdktemporal "go.temporal.io/sdk/temporal"

	"lumaflow/internal/kie"
	"lumaflow/internal/kie/kietest"
	"lumaflow/internal/store"
	"lumaflow/workflows"
)

// verified compares a completed job with its charge: the stored bytes and the
// receipt must match the served files.
func (w *world) verified(result workflows.ModifyVideoResult, charge kietest.Charge) {
	w.t.Helper()
	require.Equal(w.t, charge.TaskID, result.TaskID)
	names := store.Naming(kie.Brand(charge.Model))
	require.Len(w.t, result.Videos, len(charge.Results))
	for i, video := range result.Videos {
		location, err := url.Parse(video.Location)
		require.NoError(w.t, err)
		content, err := os.ReadFile(location.Path)
		require.NoError(w.t, err)
		sum := sha256.Sum256(content)
		require.Equal(w.t, charge.Results[i].SHA256, hex.EncodeToString(sum[:]), "the stored bytes equal the served ones")
		require.Equal(w.t, charge.Results[i].SHA256, video.SHA256)
		require.Equal(w.t, charge.Results[i].Bytes, video.Bytes)
		require.Equal(w.t, names.VideoName("", charge.TaskID, i+1, ".mp4"), filepath.Base(location.Path))
	}
	data, err := os.ReadFile(filepath.Join(w.output, names.ReceiptName("", charge.TaskID)))
	require.NoError(w.t, err)
	var receipt store.Receipt
	require.NoError(w.t, json.Unmarshal(data, &receipt))
	require.Equal(w.t, charge.TaskID, receipt.TaskID)
	require.Equal(w.t, charge.Prompt, receipt.Prompt)
	require.Equal(w.t, charge.Model, receipt.Model)
	require.Len(w.t, receipt.Files, len(charge.Results))
	require.Equal(w.t, charge.Results[0].SHA256, receipt.Files[0].SHA256)
}

// charge is the one charge of a prompt.
func (w *world) charge(prompt string) kietest.Charge {
	w.t.Helper()
	var found []kietest.Charge
	for _, charge := range w.ledger().Tasks {
		if charge.Prompt == prompt {
			found = append(found, charge)
		}
	}
	require.Len(w.t, found, 1, "charges of one job")
	return found[0]
}

// A job with a fault that it can survive ends with verified files and one charge.
func TestJobsSurvive(t *testing.T) {
	t.Parallel()
	w := enter(t, setup{
		env:      []string{"KIE_WEBHOOK_HMAC_KEY=an-hmac-key"},
		simulate: []string{"--hmac-key", "an-hmac-key"},
	})
	for _, fault := range kietest.Faults() {
		if fault.Fatal || fault.Name == kietest.RecordDown || fault.Name == kietest.Unauthorized || fault.Name == kietest.NoCredit || fault.Name == kietest.Maintenance {
			continue // they take too long for a test, or end in a failure
		}
		t.Run(fault.Name, func(t *testing.T) {
			t.Parallel()
			w := *w
			w.t = t
			prompt := "survive [fault: " + fault.Name + "]"
			id := "e2e-survive-" + fault.Name
			w.start(id, jobInput(prompt))
			result, err := w.result(id)
			require.NoError(t, err)
			charge := w.charge(prompt)
			require.Contains(t, charge.Met, fault.Name, "the fault happened")
			w.verified(result, charge)
		})
	}
}

func TestFatalFaultsFailVisibly(t *testing.T) {
	t.Parallel()
	w := enter(t, setup{})
	tests := []struct{ fault, errorType, message string }{
		{kietest.Refused, workflows.SubmitRefused, "422"},
		{kietest.GenerationFailed, workflows.GenerationFailed, "kie.ai could not make the video"},
		{kietest.CreateFailed, workflows.GenerationFailed, "kie.ai could not start the task"},
		{kietest.Moderation, workflows.GenerationFailed, "400"},
	}
	for _, test := range tests {
		t.Run(test.fault, func(t *testing.T) {
			t.Parallel()
			w := *w
			w.t = t
			id := "e2e-fail-" + test.fault
			w.start(id, jobInput("fail [fault: "+test.fault+"]"))
			_, err := w.result(id)
			var failed *sdktemporal.ApplicationError
			require.ErrorAs(t, err, &failed)
			require.Equal(t, test.errorType, failed.Type())
			require.Contains(t, failed.Message(), test.message)
			require.Contains(t, failed.Message(), id)

			shown := w.run("status", id)
			require.Zero(t, shown.code, shown.err)
			require.Contains(t, shown.out, test.errorType)
		})
	}
}

func TestHeldJobContinues(t *testing.T) {
	t.Parallel()
	w := enter(t, setup{})
	prompt := "wait [fault: rate-limited]"
	w.start("e2e-held", jobInput(prompt))
	w.until("the job is held", func() bool {
		status, ok := w.status("e2e-held")
		return ok && status.Stage == workflows.StageHeld && status.Detail != ""
	})
	result, err := w.result("e2e-held")
	require.NoError(t, err)
	w.verified(result, w.charge(prompt))
}

func TestOperatorAdoptsALostTask(t *testing.T) {
	t.Parallel()
	w := enter(t, setup{noCallbacks: true})
	// Without callbacks only the operator can name the task.
	prompt := "lost [fault: response-lost]"
	w.start("e2e-adopt", jobInput(prompt))
	w.until("the outcome is unknown", func() bool {
		status, ok := w.status("e2e-adopt")
		return ok && status.Stage == workflows.StageSubmitUnknown
	})
	resolved := w.run("resolve", "e2e-adopt", "--adopt", w.charge(prompt).TaskID)
	require.Zero(t, resolved.code, resolved.err)
	result, err := w.result("e2e-adopt")
	require.NoError(t, err)
	w.verified(result, w.charge(prompt))
}

func TestAdoptionIsFree(t *testing.T) {
	t.Parallel()
	w := enter(t, setup{})
	prompt := "adopt me"
	w.start("e2e-first", jobInput(prompt))
	first, err := w.result("e2e-first")
	require.NoError(t, err)
	w.start("e2e-second", `{"taskId":"`+first.TaskID+`"}`)
	second, err := w.result("e2e-second")
	require.NoError(t, err)
	require.Equal(t, first.Videos[0].SHA256, second.Videos[0].SHA256)
	require.Equal(t, 1, w.ledger().Charges)
}

func TestSeveralResultsOfOneTask(t *testing.T) {
	t.Parallel()
	w := enter(t, setup{})
	prompt := "many [results: 3]"
	w.start("e2e-many", jobInput(prompt))
	result, err := w.result("e2e-many")
	require.NoError(t, err)
	require.Len(t, result.Videos, 3)
	w.verified(result, w.charge(prompt))
}

// Every id that Temporal accepts works in a callback URL.
func TestCallbacksOfJobsWithOddIDs(t *testing.T) {
	t.Parallel()
	w := enter(t, setup{env: []string{"POLL_AFTER=10m"}})
	for i, id := range []string{"a/b", "a//b", "50% off?", "käse/ ☃", "../../etc", "trailing/", "#hash&amp;"} {
		prompt := fmt.Sprintf("odd %d", i)
		w.start("e2e-odd-"+id, jobInput(prompt))
		result, err := w.result("e2e-odd-" + id)
		require.NoError(t, err)
		require.Equal(t, "callback", result.WokenBy, id)
		w.verified(result, w.charge(prompt))
	}
}
