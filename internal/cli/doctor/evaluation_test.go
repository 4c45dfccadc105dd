package doctor_test

import (
	"bytes"
	"context"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kong"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lumaflow/internal/cli/doctor"
	"lumaflow/internal/command"
	"lumaflow/internal/kie"
)

func TestWebhookFinding(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		base, address string
		took          time.Duration
		simulated     bool
		status        doctor.Status
		want          string
	}{
		"public":                     {"https://hooks.example.org/kie", "1.1.1.1", 20 * time.Millisecond, false, doctor.OK, "https://hooks.example.org accepts the callback addresses of this setup, and answers within 20ms"},
		"through a proxy of ours":    {"https://hooks.example.org", "", time.Second, false, doctor.OK, ""},
		"public by IPv6":             {"https://hooks.example.org", "2606:4700::1111", time.Second, false, doctor.OK, ""},
		"slow":                       {"https://hooks.example.org", "1.1.1.1", 5100 * time.Millisecond, false, doctor.Warn, "it took 5.1s to answer, and kie.ai gives up after 15s"},
		"private":                    {"https://hooks.example.org", "10.0.0.5", time.Second, false, doctor.Warn, "private address 10.0.0.5"},
		"private, with a simulator":  {"http://webhook:8080", "10.0.0.5", time.Second, true, doctor.OK, ""},
		"loopback":                   {"https://localhost", "::1", time.Second, false, doctor.Fail, "is a loopback address"},
		"loopback, with a simulator": {"http://localhost", "127.0.0.1", time.Second, true, doctor.OK, ""},
		"plain http":                 {"http://hooks.example.org", "1.1.1.1", time.Second, false, doctor.Warn, "plain http on a public host"},
		"plain http, simulator":      {"http://hooks.example.org", "1.1.1.1", time.Second, true, doctor.Warn, "plain http on a public host"},
		"plain http, private":        {"http://hooks.internal", "1.1.1.1", time.Second, false, doctor.OK, ""},
		"all at once":                {"http://hooks.example.org", "10.0.0.5", 9 * time.Second, false, doctor.Warn, "; and "},
	}
	for name, test := range tests {
		got := doctor.WebhookFinding(test.base, test.address, test.took, test.simulated)
		assert.Equal(t, test.status, got.Status, "%s: %s", name, got.Message)
		assert.Contains(t, got.Message, test.want, name)
	}
}

// A catalogue without a model is a warning and never a failure.
func TestModelsFinding(t *testing.T) {
	t.Parallel()
	var all []kie.Listed
	for _, model := range kie.Models() {
		if model.InCatalogue() {
			all = append(all, kie.Listed{Name: model.Name})
		}
	}
	require.NotEmpty(t, all)
	withLuma := append([]kie.Listed{{Name: "luma/modify"}}, all...)
	wan := []kie.Listed{{Name: "wan/2-7-videoedit"}}
	for name, test := range map[string]struct {
		listed    []kie.Listed
		used      []string
		simulated bool
		status    doctor.Status
		want      string
	}{
		"all":                   {withLuma, nil, false, doctor.OK, "has the models that lumaflow has a table of"},
		"without Luma Modify":   {all, nil, false, doctor.Warn, "no longer documents Luma Modify, the default model: a submission may be refused with code 404, 422 or 505; `lumaflow models`"},
		"simulated":             {all, nil, true, doctor.OK, "has the models"},
		"without another model": {withLuma[:len(withLuma)-1], nil, true, doctor.Warn, "lacks " + all[len(all)-1].Name + ":"},
		"empty":                 {nil, nil, false, doctor.Warn, "lacks " + all[0].Name + ", "},
		"in use, listed":        {wan, []string{"aleph", "wan/2-7-videoedit"}, false, doctor.OK, "has the models that the jobs here use: wan/2-7-videoedit"},
		"in use, not listed":    {wan, []string{"acme/restyle", "wan/2-7-videoedit"}, false, doctor.Warn, "lacks acme/restyle: new jobs"},
		"not in use":            {all[:1], []string{all[0].Name}, false, doctor.OK, "has the models that the jobs here use"},
		"Luma Modify in use":    {all, []string{"luma", "wan/2-7-videoedit"}, false, doctor.Warn, "no longer documents Luma Modify"},
		"both":                  {wan, []string{"acme/restyle", "luma"}, false, doctor.Warn, "lacks acme/restyle: new jobs of these models may be refused; kie.ai no longer documents Luma Modify"},
		"of older families":     {wan, []string{"aleph", "market", "veo"}, false, doctor.OK, "the jobs here use aleph, market, veo, which kie.ai's catalogue need not list"},
	} {
		got := doctor.ModelsFinding(test.listed, test.used, test.simulated)
		assert.Equal(t, test.status, got.Status, name)
		assert.Contains(t, got.Message, test.want, name)
	}
}

func TestTimeoutFinding(t *testing.T) {
	t.Parallel()
	got := doctor.Unreachable(context.DeadlineExceeded)
	assert.Equal(t, doctor.Fail, got.Status)
	assert.Contains(t, got.Message, "does not answer within 15s, when kie.ai gives up")
}

func TestFreeSpace(t *testing.T) {
	t.Parallel()
	for free, want := range map[uint64]doctor.Status{
		0: doctor.Fail, 499_999_999: doctor.Fail, 500_000_000: doctor.Warn, 4_999_999_999: doctor.Warn, 5_000_000_000: doctor.OK, 1 << 62: doctor.OK,
	} {
		got := doctor.FreeFinding(free)
		assert.Equal(t, want, got.Status, got.Message)
		assert.Equal(t, want != doctor.OK, strings.Contains(got.Message, "set WORK_DIR to a larger disk"), got.Message)
	}
	if runtime.GOOS != "linux" {
		t.Skip("the test reads Linux's /proc")
	}
	_, err := doctor.FreeSpace("/proc/nowhere")
	require.Error(t, err)
	free, err := doctor.FreeSpace("/proc")
	require.NoError(t, err)
	assert.Zero(t, free)
	free, err = doctor.FreeSpace(t.TempDir())
	require.NoError(t, err)
	assert.NotZero(t, free)
}

// A malformed variable is a finding, and its default applies. The test is not
// parallel because it changes the environment of the process.
func TestMalformedEnvironment(t *testing.T) {
	for _, variable := range os.Environ() {
		name, _, _ := strings.Cut(variable, "=")
		for _, prefix := range []string{"KIE_", "CALLBACK_", "LOG_", "POLL_", "SUBMITS_", "FETCH_"} {
			if strings.HasPrefix(name, prefix) {
				t.Setenv(name, "") // restores the value at the end of the test
				require.NoError(t, os.Unsetenv(name))
			}
		}
	}
	parse := func(args ...string) (*doctor.Command, error) {
		var line struct {
			Doctor doctor.Command `cmd:""`
		}
		parser, err := kong.New(&line)
		require.NoError(t, err)
		_, err = parser.Parse(append([]string{"doctor", "--only", "settings"}, args...))
		return &line.Doctor, err
	}
	t.Setenv("POLL_INTERVAL", "often")
	t.Setenv("SUBMITS_PER_SECOND", "many")
	t.Setenv("LOG_FORMAT", "xml")
	t.Setenv("POLL_AFTER", "20m")
	settings, err := parse()
	require.NoError(t, err)
	var out bytes.Buffer
	require.Error(t, settings.Run(t.Context(), command.Streams{Out: &out, Err: &out}))
	assert.Contains(t, out.String(), "fail  settings")
	for _, text := range []string{`POLL_INTERVAL is "often": give a duration`, `SUBMITS_PER_SECOND is "many": give a number`, `LOG_FORMAT is "xml": give one of text,json`} {
		assert.Contains(t, out.String(), text)
	}
	assert.Equal(t, 30*time.Second, settings.PollInterval)
	assert.Equal(t, 20*time.Minute, *settings.PollAfter, "a valid variable applies")
	assert.Equal(t, "text", settings.Format)

	for _, name := range everything {
		_, err := parse("--only", name)
		require.NoError(t, err)
	}
	_, err = parse("--only", "nothing")
	require.Error(t, err)
	_, err = parse("--poll-after", "soon")
	require.ErrorContains(t, err, "--poll-after", "a malformed flag is a usage error")
}

func TestPlainOnPublicHost(t *testing.T) {
	t.Parallel()
	for _, public := range []string{
		"http://api.kie.ai", "http://HOOKS.example.org:8080/kie", "http://1.1.1.1", "http://[2606:4700::1111]:80", "http://local.example.org", "http://hooks.example.org.",
	} {
		assert.True(t, doctor.PlainOnPublicHost(public), public)
	}
	for _, encryptedOrPrivate := range []string{
		"https://api.kie.ai", "http://localhost:8090", "http://sim.localhost", "http://127.0.0.1:8090", "http://[::1]:8090", "http://10.1.2.3", "http://192.168.0.7",
		"http://172.16.0.1", "http://[fd00::1]", "http://169.254.1.1", "http://nas.local", "http://NAS.LOCAL.", "http://webhook.svc.internal", "http://simulate:8090",
	} {
		assert.False(t, doctor.PlainOnPublicHost(encryptedOrPrivate), encryptedOrPrivate)
	}
}
