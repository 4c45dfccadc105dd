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

// killed copies what a running simulator has on disk, as SIGKILL would leave it.
func killed(t *testing.T, dir string) string {
	t.Helper()
	left := t.TempDir()
	require.NoError(t, os.CopyFS(left, os.DirFS(dir)))
	return left
}

func TestTheBillSurvivesAKill(t *testing.T) {
	hooks := listen(t)
	dir := t.TempDir()
	first := start(t, kietest.Options{StateDir: dir, Credits: 500, Render: time.Hour, BaseURL: "http://kie.example"})
	lost := fields{"prompt": kietest.WithFaults("lost", kietest.ResponseLost, kietest.RateLimited), "videoUrl": source, "callBackUrl": hooks.url}
	lost.until(t, first)
	_, _, err := first.call(t, http.MethodPost, "/api/v1/modify/generate", lost)
	require.Error(t, err)
	_, err = first.TopUp(7)
	require.NoError(t, err)
	link, content := first.localVideo(t)
	before := first.Ledger()
	require.Equal(t, 1, before.Charges)

	second := start(t, kietest.Options{StateDir: killed(t, dir), Credits: 500})
	after := second.Ledger()
	require.Equal(t, 1, after.Charges)
	require.Equal(t, before.Credits, after.Credits)
	charge := second.settled(t, before.Tasks[0].TaskID)
	require.Equal(t, before.Tasks[0].CallBackURL, charge.CallBackURL)
	require.Equal(t, before.Tasks[0].Faults, charge.Faults)
	require.True(t, before.Tasks[0].Time.Equal(charge.Time))
	require.Equal(t, kietest.Succeeded, charge.State)
	require.Contains(t, string(hooks.await(t, 1)[0].body), charge.TaskID)
	require.Equal(t, content, second.get(t, second.url+link[len("http://kie.example"):]).body)

	second.accepted(t, lost) // its refusals and its lost answer are behind it
	require.Equal(t, before.Credits-kietest.Price, second.Ledger().Credits)
}

func TestASettledTaskIsNotAnnouncedAgain(t *testing.T) {
	hooks := listen(t)
	hooks.answer = func(int) int { return http.StatusInternalServerError }
	dir := t.TempDir()
	first := start(t, kietest.Options{StateDir: dir})
	charge := first.settled(t, first.accepted(t, fields{"prompt": "snow", "videoUrl": source, "callBackUrl": hooks.url}))
	require.Equal(t, 4, charge.Flag)
	require.Len(t, hooks.deliveries(), 4)

	second := start(t, kietest.Options{StateDir: killed(t, dir)})
	again := second.ended(t, charge.TaskID)
	require.Equal(t, 4, again.Flag)
	require.Equal(t, charge.Results, again.Results, "same links, same bytes")
	require.NoError(t, second.Close())
	require.Len(t, hooks.deliveries(), 4)
}

func TestATornLineIsCutOff(t *testing.T) {
	dir := t.TempDir()
	first := start(t, kietest.Options{StateDir: dir})
	first.accepted(t, fields{"prompt": "one", "videoUrl": source})
	left := killed(t, dir)
	bill := filepath.Join(left, "bill.jsonl")
	text, err := os.ReadFile(bill)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(bill, append(text, `{"charge":{"taskId":"hal`...), 0o600))

	second := start(t, kietest.Options{StateDir: left})
	second.accepted(t, fields{"prompt": "two", "videoUrl": source})
	third := start(t, kietest.Options{StateDir: killed(t, left)})
	require.Equal(t, 2, third.Ledger().Charges)
}

func TestASpoiltBillIsAnError(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "bill.jsonl"), []byte("nonsense\n"), 0o600))
	_, err := kietest.New(kietest.Options{StateDir: dir})
	require.ErrorContains(t, err, "read the bill: line 1")
}

func TestWithoutAStateFolderNothingIsLeft(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	kie, err := kietest.New(kietest.Options{})
	require.NoError(t, err)
	require.NoError(t, kie.Close())
	left, err := os.ReadDir(os.Getenv("TMPDIR"))
	require.NoError(t, err)
	require.Empty(t, left)
}
