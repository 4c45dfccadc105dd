package doctor_test

import (
	"bytes"
	"context"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lumaflow/internal/cli/doctor"
	"lumaflow/internal/command"
)

var everything = []string{"settings", "temporal", "attributes", "workers", "submissions", "key", "clock", "callback", "signature", "output", "work", "proxy", "models"}

func TestWorkingSetup(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	findings, err := w.examine()
	require.NoError(t, err)
	require.Len(t, findings, len(everything))
	for _, name := range everything {
		assert.Equal(t, doctor.OK, findings[name].Status, findings[name].Message)
	}
	require.Len(t, w.signals.jobs, 1, "only an authentic and signed callback reaches Temporal")
	assert.Regexp(t, `^lumaflow-doctor\.[A-Z2-7]{26}$`, w.signals.jobs[0], "no job has this id")
	assert.Empty(t, w.temporal.added, "nothing is changed without --fix")

	var out bytes.Buffer
	require.NoError(t, w.settings.Run(t.Context(), command.Streams{Out: &out, Err: &out}))
	lines := bytes.Split(bytes.TrimSpace(out.Bytes()), []byte("\n"))
	require.Len(t, lines, len(everything), "a line a check: %s", out.String())
	for i, name := range everything {
		assert.Regexp(t, `^ok    `+name+` +\S`, string(lines[i]))
	}
	assert.NotEqual(t, w.signals.jobs[0], w.signals.jobs[1], "every probe has an id of its own")
}

func TestOnlySomeChecks(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.settings.Only = []string{"work", "clock"}
	w.settings.KieAPIKey = "" // as on the machine of the webhook
	w.env["TEMPORAL_ADDRESS"] = "127.0.0.1:1"
	var out bytes.Buffer
	require.NoError(t, w.settings.Run(t.Context(), command.Streams{Out: &out, Err: &out}))
	assert.Regexp(t, `^ok    clock .*\nok    work .*\n$`, out.String(), "in the usual order")
	assert.Empty(t, w.signals.jobs)
}

// A check that depends on a failed one fails, if --only leaves that one out.
func TestOnlyDependentChecks(t *testing.T) {
	t.Parallel()
	down := func(w *world) { w.env["TEMPORAL_ADDRESS"] = "127.0.0.1:1" }
	malformed := func(w *world) { w.env["TEMPORAL_ADDRESS"] = "no-port" }
	for _, test := range []struct {
		name   string
		change func(w *world)
		only   string
		want   string
	}{
		{"attributes", down, "attributes", "no Temporal server answers at 127.0.0.1:1: start one"},
		{"workers", down, "workers", "no Temporal server answers"},
		{"submissions", down, "submissions", "no Temporal server answers"},
		{"workers of no queue", func(w *world) { w.settings.TaskQueue = "" }, "workers", "TASK_QUEUE is empty"},
		{"callback of no namespace", malformed, "callback", "TEMPORAL_ADDRESS"},
		{"signature of no namespace", malformed, "signature", "TEMPORAL_ADDRESS"},
		{"signature of no webhook", func(w *world) { w.settings.CallbackBaseURL = "http://127.0.0.1:1" }, "signature", "can't be reached"},
		{"signature of no secret", func(w *world) { w.settings.CallbackSecret = "" }, "signature", "CALLBACK_SECRET is not set"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			test.change(w)
			w.settings.Only = []string{test.only}
			findings, err := w.examine()
			require.ErrorContains(t, err, "1 of 1 check failed: "+test.only)
			assert.Equal(t, doctor.Fail, findings[test.only].Status)
			assert.Contains(t, findings[test.only].Message, test.want)
		})
	}
	// Without a webhook there is nothing to sign, which is no failure.
	w := newWorld(t)
	w.settings.CallbackBaseURL, w.settings.CallbackSecret = "", ""
	w.settings.Only = []string{"signature"}
	findings, err := w.examine()
	require.NoError(t, err)
	assert.Equal(t, doctor.Skipped, findings["signature"].Status)
}

func TestInterrupted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.settings.Only = []string{"clock", "key"}
	ctx, interrupt := context.WithCancel(t.Context())
	w.kie.instead = func(_ http.ResponseWriter, r *http.Request) {
		interrupt()
		<-r.Context().Done()
	}
	var out bytes.Buffer
	err := w.settings.Run(ctx, command.Streams{Out: &out, Err: &out})
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorContains(t, err, "interrupted")
	assert.Empty(t, out.String(), "an unfinished check prints nothing")
}

// The order of the findings does not depend on the duration of the checks, and a
// check that hangs fails alone.
func TestExamine(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		takes := map[string]time.Duration{"slow": 10 * time.Second, "quick": 0, "overdue": time.Hour, "last": time.Second}
		released := make(chan struct{})
		begin := time.Now()
		var reported []doctor.Finding
		when := map[string]time.Duration{}
		err := doctor.Examine(t.Context(), []string{"slow", "quick", "overdue", "hung", "last"}, func(ctx context.Context, name string) doctor.Finding {
			if name == "hung" {
				<-released // like a read from a dead network disk, it ignores ctx
			}
			timer := time.NewTimer(takes[name])
			defer timer.Stop()
			select {
			case <-timer.C:
				return doctor.Finding{Status: doctor.OK, Message: name}
			case <-ctx.Done():
				return doctor.Finding{Status: doctor.Warn, Message: name + " timed out"}
			}
		}, func(finding doctor.Finding) {
			reported = append(reported, finding)
			when[finding.Check] = time.Since(begin)
		})
		require.NoError(t, err)
		close(released)
		hung := reported[3]
		assert.Equal(t, doctor.Fail, hung.Status)
		assert.Contains(t, hung.Message, "does not answer")
		reported[3] = doctor.Finding{Check: "hung"}
		assert.Equal(t, []doctor.Finding{
			{Check: "slow", Status: doctor.OK, Message: "slow"},
			{Check: "quick", Status: doctor.OK, Message: "quick"},
			{Check: "overdue", Status: doctor.Warn, Message: "overdue timed out"},
			{Check: "hung"},
			{Check: "last", Status: doctor.OK, Message: "last"},
		}, reported)
		assert.Equal(t, map[string]time.Duration{
			"slow": 10 * time.Second, "quick": 10 * time.Second, "overdue": doctor.CheckTime,
			"hung": doctor.CheckTime + doctor.GraceTime, "last": doctor.CheckTime + doctor.GraceTime,
		}, when, "in parallel, each reported as soon as those before it")
	})
}
