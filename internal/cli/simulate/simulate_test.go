package simulate_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kong"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"lumaflow/internal/cli/simulate"
	"lumaflow/internal/command"
	"lumaflow/internal/kie/kietest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// run parses args and runs the command, as the lumaflow binary does.
func run(ctx context.Context, out, errs io.Writer, args ...string) error {
	var cli struct {
		Simulate simulate.Command `cmd:""`
	}
	parser, err := kong.New(&cli,
		kong.Name("lumaflow"),
		kong.Writers(out, errs),
		kong.Exit(func(int) {}),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
		kong.BindTo(ctx, (*context.Context)(nil)),
		kong.Bind(command.Streams{Out: out, Err: errs}),
	)
	if err != nil {
		return err
	}
	chosen, err := parser.Parse(append([]string{"simulate"}, args...))
	if err != nil {
		return err
	}
	return chosen.Run()
}

// begin runs the command in the background and returns the line it prints.
func begin(t *testing.T, args ...string) (line string, stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	reader, writer := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		err := run(ctx, writer, io.Discard, args...)
		writer.CloseWithError(err)
		ended <- err
	}()
	t.Cleanup(cancel)
	lines := bufio.NewReader(reader)
	line, err := lines.ReadString('\n')
	require.NoError(t, err)
	return line, func() error {
		cancel()
		rest, err := io.ReadAll(lines)
		require.NoError(t, err)
		require.Empty(t, rest, "Run prints one line only")
		return <-ended
	}
}

var address = regexp.MustCompile(`http://[^\s,;]+`)

func TestServesUntilStopped(t *testing.T) {
	line, stop := begin(t, "--listen", "127.0.0.1:0", "--render", "0s", "--seed", "9")
	base := address.FindString(line)
	for _, part := range []string{base + "/_sim/ledger;", " KIE_BASE_URL=" + base + " ", " KIE_UPLOAD_BASE_URL=" + base + " ", " FETCH_ALLOW_PRIVATE=true\n"} {
		require.Contains(t, line, part)
	}
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, base+"/api/v1/modify/generate",
		strings.NewReader(`{"prompt":"snow [fault: stall]","videoUrl":"https://cdn.example.org/in.mp4"}`))
	require.NoError(t, err)
	request.Header.Set("Authorization", "Bearer any")
	request.Header.Set("Content-Type", "application/json")
	answer, err := client.Do(request)
	require.NoError(t, err)
	require.NoError(t, answer.Body.Close())

	var ledger kietest.Ledger
	require.Eventually(t, func() bool {
		answer, err := client.Get(base + "/_sim/ledger")
		if err != nil {
			return false
		}
		defer answer.Body.Close()
		return json.NewDecoder(answer.Body).Decode(&ledger) == nil && len(ledger.Tasks) == 1 && len(ledger.Tasks[0].Results) == 1
	}, 20*time.Second, 2*time.Millisecond)
	require.Equal(t, int64(9), ledger.Seed)

	// A stalled download does not delay the shutdown.
	stalled, err := client.Get(ledger.Tasks[0].Results[0].URL)
	require.NoError(t, err)
	defer stalled.Body.Close()
	begun := time.Now()
	require.NoError(t, stop())
	require.Less(t, time.Since(begun), 4*time.Second)
	_, err = net.Dial("tcp", strings.TrimPrefix(base, "http://"))
	require.Error(t, err, "the port is closed")
}

func TestZeroCredits(t *testing.T) {
	line, stop := begin(t, "--listen", "127.0.0.1:0", "--credits", "0")
	answer, err := http.Get(address.FindString(line) + "/_sim/ledger")
	require.NoError(t, err)
	var ledger kietest.Ledger
	require.NoError(t, json.NewDecoder(answer.Body).Decode(&ledger))
	require.NoError(t, answer.Body.Close())
	http.DefaultClient.CloseIdleConnections()
	require.Zero(t, ledger.Credits)
	require.NoError(t, stop())
}

func TestListenAddressFromEnvironment(t *testing.T) {
	t.Setenv("SIMULATE_LISTEN", "0.0.0.0:0")
	line, stop := begin(t)
	require.Regexp(t, `^simulated kie\.ai at http://localhost:\d+, `, line)
	require.NoError(t, stop())
}

func TestUsageErrors(t *testing.T) {
	for name, tc := range map[string]struct {
		args []string
		want string
	}{
		"unknown fault":        {[]string{"--faults", "reset,gremlins"}, `--faults or --upload-faults: unknown fault "gremlins"; lumaflow simulate --help`},
		"unknown upload fault": {[]string{"--upload-faults", "reset"}, `unknown fault "reset"`},
		"zero upload lifetime": {[]string{"--upload-lifetime", "0s"}, "--upload-lifetime"},
		"rate above one":       {[]string{"--fault-rate", "2"}, "--fault-rate"},
		"rate below zero":      {[]string{"--fault-rate=-1"}, "--fault-rate"},
		"rate is not a number": {[]string{"--fault-rate=NaN"}, "--fault-rate"},
		"negative limit":       {[]string{"--rate-limit=-1"}, "--rate-limit"},
		"negative render":      {[]string{"--render=-1s"}, "--render"},
	} {
		t.Run(name, func(t *testing.T) {
			err := run(t.Context(), io.Discard, io.Discard, append(tc.args, "--listen", "127.0.0.1:0")...)
			require.ErrorContains(t, err, tc.want)
			require.Equal(t, command.ExitUsage, command.ExitCode(err))
			require.NotContains(t, err.Error(), "\n")
		})
	}
}

func TestAddressInUse(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer taken.Close()
	err = run(t.Context(), io.Discard, io.Discard, "--listen", taken.Addr().String())
	require.ErrorContains(t, err, "is taken by another program: stop that or set SIMULATE_LISTEN")
	require.Equal(t, command.ExitFailed, command.ExitCode(err))
}

func TestHelpListsEveryFault(t *testing.T) {
	var out bytes.Buffer
	_ = run(t.Context(), &out, io.Discard, "--help", "--listen", "none:of:this")
	for _, fault := range append(kietest.Faults(), kietest.UploadFaults()...) {
		require.Regexp(t, `(?m)^\s+`+fault.Name+`\s+\S`, out.String())
	}
	for _, flag := range []string{"--listen", "--seed", "--faults", "--fault-rate", "--render", "--hmac-key", "--api-key", "--upload-lifetime", "--upload-faults", "--log-level"} {
		require.Contains(t, out.String(), flag)
	}
}
