package kietest_test

import (
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"lumaflow/internal/kie/kietest"
)

// killedState copies the state folder of a running simulator: the state after
// SIGKILL.
func killedState(t *testing.T, dir string) string {
	t.Helper()
	left := t.TempDir()
	require.NoError(t, os.CopyFS(left, os.DirFS(dir)))
	return left
}

func TestBillSurvivesAKill(t *testing.T) {
	hooks := newReceiver(t)
	dir := t.TempDir()
	first := start(t, kietest.Options{StateDir: dir, Credits: 500, Render: time.Hour, BaseURL: "http://kie.example"})
	lost := fields{"prompt": kietest.WithFaults("lost", kietest.ResponseLost, kietest.RateLimited), "videoUrl": source, "callBackUrl": hooks.url}
	lost.afterRefusals(t, first)
	_, _, err := first.call(t, http.MethodPost, "/api/v1/modify/generate", lost)
	require.Error(t, err)
	_, err = first.TopUp(7)
	require.NoError(t, err)
	link, content := first.localVideo(t)
	before := first.Ledger()
	require.Equal(t, 1, before.Charges)

	second := start(t, kietest.Options{StateDir: killedState(t, dir), Credits: 500})
	after := second.Ledger()
	require.Equal(t, 1, after.Charges)
	require.InDelta(t, before.Credits, after.Credits, 0)
	charge := second.callbacksDone(t, before.Tasks[0].TaskID)
	require.Equal(t, before.Tasks[0].CallBackURL, charge.CallBackURL)
	require.Equal(t, before.Tasks[0].Faults, charge.Faults)
	require.True(t, before.Tasks[0].Time.Equal(charge.Time))
	require.Equal(t, kietest.Succeeded, charge.State)
	require.Contains(t, string(hooks.await(t, 1)[0].body), charge.TaskID)
	require.Equal(t, content, second.get(t, second.url+link[len("http://kie.example"):]).body)

	second.accepted(t, lost) // the faults before the charge and at the answer are not repeated
	require.InDelta(t, before.Credits-kietest.Price, second.Ledger().Credits, 0)
}

func TestEndedCallbacksAreNotRepeated(t *testing.T) {
	hooks := newReceiver(t)
	hooks.answer = func(int) int { return http.StatusInternalServerError }
	dir := t.TempDir()
	first := start(t, kietest.Options{StateDir: dir})
	charge := first.callbacksDone(t, first.accepted(t, fields{"prompt": "snow", "videoUrl": source, "callBackUrl": hooks.url}))
	require.Equal(t, 4, charge.Flag)
	require.Len(t, hooks.deliveries(), 4)

	second := start(t, kietest.Options{StateDir: killedState(t, dir)})
	resumed := second.ended(t, charge.TaskID)
	require.Equal(t, 4, resumed.Flag)
	require.Equal(t, charge.Results, resumed.Results, "same links, same bytes")
	require.NoError(t, second.Close())
	require.Len(t, hooks.deliveries(), 4)
}

func TestIncompleteLineIsTruncated(t *testing.T) {
	dir := t.TempDir()
	first := start(t, kietest.Options{StateDir: dir})
	first.accepted(t, fields{"prompt": "one", "videoUrl": source})
	left := killedState(t, dir)
	bill := filepath.Join(left, "bill.jsonl")
	text, err := os.ReadFile(bill)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(bill, append(text, `{"charge":{"taskId":"hal`...), 0o600))

	second := start(t, kietest.Options{StateDir: left})
	second.accepted(t, fields{"prompt": "two", "videoUrl": source})
	third := start(t, kietest.Options{StateDir: killedState(t, left)})
	require.Equal(t, 2, third.Ledger().Charges)
}

func TestInvalidBillIsAnError(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "bill.jsonl"), []byte("nonsense\n"), 0o600))
	_, err := kietest.New(kietest.Options{StateDir: dir})
	require.ErrorContains(t, err, "read the bill: line 1")
}

func TestCloseRemovesTheTemporaryFolder(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	kie, err := kietest.New(kietest.Options{})
	require.NoError(t, err)
	require.NoError(t, kie.Close())
	left, err := os.ReadDir(os.Getenv("TMPDIR"))
	require.NoError(t, err)
	require.Empty(t, left)
}
