package codecserver_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"regexp"
	"sync"
	"testing"

	"github.com/alecthomas/kong"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lumaflow/internal/command"
	"lumaflow/internal/temporal/codecserver"
)

// run parses and runs a command line like main.
func run(ctx context.Context, log io.Writer, args ...string) error {
	var line struct {
		CodecServer codecserver.Command `cmd:""`
	}
	parser, err := kong.New(&line, kong.Writers(log, log), kong.Exit(func(int) { panic("exit") }),
		kong.BindTo(ctx, (*context.Context)(nil)), kong.Bind(command.Streams{Out: log, Err: log}))
	if err != nil {
		return err
	}
	chosen, err := parser.Parse(append([]string{"codec-server"}, args...))
	if err != nil {
		return err
	}
	return chosen.Run()
}

// output is a log for several goroutines.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
	more chan struct{}
}

func (o *output) Write(line []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	defer func() {
		select {
		case o.more <- struct{}{}:
		default:
		}
	}()
	return o.text.Write(line)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

var listening = regexp.MustCompile(`msg="codec-server listening" address=(127\.0\.0\.1:\d+)`)

func TestCommand(t *testing.T) {
	t.Setenv("CODEC_KEYS", key("main", 1))
	t.Setenv("CODEC_TOKEN", token)
	t.Setenv("CODEC_ORIGIN", "HTTPS://Temporal.example.org:443/,http://localhost:8233")
	t.Setenv("CODEC_LISTEN", "127.0.0.1:0")
	log := &output{more: make(chan struct{}, 1)}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- run(ctx, log) }()
	for listening.FindStringSubmatch(log.String()) == nil {
		select {
		case <-log.more:
		case err := <-ended:
			require.NoError(t, err)
			require.Fail(t, "the command ended", log.String())
		}
	}
	address := "http://" + listening.FindStringSubmatch(log.String())[1]

	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	response, err := client.Get(address + "/healthz")
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	require.Equal(t, 200, response.StatusCode)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodOptions, address+"/decode", nil)
	require.NoError(t, err)
	request.Header.Set("Origin", ui)
	request.Header.Set("Access-Control-Request-Method", "POST")
	response, err = client.Do(request)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	require.Equal(t, ui, response.Header.Get("Access-Control-Allow-Origin"), "the origin is normalized")

	cancel()
	require.NoError(t, <-ended)
	assert.Contains(t, log.String(), "codec-server draining")
	assert.NotContains(t, log.String(), token)
	assert.NotContains(t, log.String(), key("", 1))
}

func TestSettingsErrors(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer taken.Close()
	good := key("main", 1)
	tests := []struct {
		name string
		env  map[string]string
		args []string
		code int
		want string
	}{
		{"no keys", nil, nil, 2, "CODEC_KEYS is not set"},
		{"bad keys", map[string]string{"CODEC_KEYS": "main:short"}, nil, 2, "CODEC_KEYS: key 1 of 1"},
		{"no port", map[string]string{"CODEC_KEYS": good, "CODEC_LISTEN": "localhost"}, nil, 2, "CODEC_LISTEN"},
		{"all addresses without a token", map[string]string{"CODEC_KEYS": good, "CODEC_LISTEN": ":8081"}, nil, 2, "CODEC_TOKEN is not set"},
		{"private address without a token", map[string]string{"CODEC_KEYS": good, "CODEC_LISTEN": "10.0.0.1:8081"}, nil, 2, "CODEC_TOKEN is not set"},
		{"short token", map[string]string{"CODEC_KEYS": good, "CODEC_TOKEN": "guess-me-please"}, nil, 2, "CODEC_TOKEN has 15 bytes"},
		{"any origin", map[string]string{"CODEC_KEYS": good, "CODEC_ORIGIN": "*"}, nil, 2, `CODEC_ORIGIN is "*"`},
		{"origin without a scheme", map[string]string{"CODEC_KEYS": good, "CODEC_ORIGIN": "temporal.example.org"}, nil, 2, "CODEC_ORIGIN"},
		{"origin with a path", map[string]string{"CODEC_KEYS": good, "CODEC_ORIGIN": "https://temporal.example.org/ui"}, nil, 2, "CODEC_ORIGIN"},
		{"origin with a user", map[string]string{"CODEC_KEYS": good, "CODEC_ORIGIN": "https://me@temporal.example.org"}, nil, 2, "CODEC_ORIGIN"},
		{"origin with another scheme", map[string]string{"CODEC_KEYS": good, "CODEC_ORIGIN": "ftp://temporal.example.org"}, nil, 2, "CODEC_ORIGIN"},
		{"second of two origins", map[string]string{"CODEC_KEYS": good}, []string{"--codec-origin", "http://localhost:8233,null"}, 2, `CODEC_ORIGIN is "null"`},
		{"port in use", map[string]string{"CODEC_KEYS": good}, []string{"--codec-listen", taken.Addr().String()}, 1, "CODEC_LISTEN"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			for _, name := range []string{"CODEC_KEYS", "CODEC_TOKEN", "CODEC_ORIGIN", "CODEC_LISTEN"} {
				t.Setenv(name, test.env[name])
			}
			if test.env["CODEC_LISTEN"] == "" {
				t.Setenv("CODEC_LISTEN", "127.0.0.1:0")
			}
			err := run(t.Context(), io.Discard, test.args...)
			require.ErrorContains(t, err, test.want)
			assert.Equal(t, test.code, command.ExitCode(err))
			assert.NotContains(t, err.Error(), "\n")
			for _, secret := range []string{good[5:20], "guess-me", "short"} {
				assert.NotContains(t, err.Error(), secret)
			}
		})
	}
}
