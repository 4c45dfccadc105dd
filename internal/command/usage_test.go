package command_test

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kong"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lumaflow/internal/command"
)

func TestParseError(t *testing.T) {
	tests := []struct {
		args, want string
		variables  map[string]string
	}{
		{"", "the command is missing: `lumaflow --help` lists all", nil},
		{"stats", "there is no command stats, did you mean \"status\"? (`lumaflow --help` lists all)", nil},
		{"status", "the job id is missing: `lumaflow list` shows the ids", nil},
		{"wait", "the job id is missing: `lumaflow list` shows the ids", nil},
		{"batch", "the batch file is missing: give a file with one job a line, or - for standard input", nil},
		{"health", "the address is missing: give one, like http://127.0.0.1:9464/readyz", nil},
		{"demo --every=5", `--every is "5": give a duration with its unit, such as 30s or 10m`, nil},
		{"demo", `EVERY is "5": give a duration with its unit, such as 30s or 10m`, map[string]string{"EVERY": "5"}},
		{"demo --level=loud", `--level is "loud": give debug, info, warn or error`, nil},
		{"demo", `LEVEL is "loud": give debug, info, warn or error`, map[string]string{"LEVEL": "loud"}},
		{"demo", `RATE is "fast": give a number`, map[string]string{"RATE": "fast"}},
		{"demo --count=z", `--count is "z": give a whole number`, nil},
		{"demo --private=maybe", `--private is "maybe": give true or false`, nil},
		{"demo --format=xml", `--format is "xml": give one of "text","json"`, nil},
		{"demo", `FORMAT is "xml": give one of "text","json"`, map[string]string{"FORMAT": "xml"}},
		{"demo --format=yaml", `--format is "yaml": give one of "text","json"`, map[string]string{"FORMAT": "xml"}},
		{"demo --text", "--text has no value: give one, or leave the flag out", nil},
		{"demo --option", "--option has no value: give one, or leave the flag out", nil},
		{"demo --count -1", "--count is -1: give a number that is not negative", nil},
		{"demo --count --private", "--count has no value: give one, or leave the flag out; a value that begins with a dash is given as --count=--private", nil},
		{"demo --text --private", "--text has no value: give one, or leave the flag out; a value that begins with a dash is given as --text=--private", nil},
		{"limit", "the number is missing: give the greatest number of open jobs", nil},
		{"limit many", `n is "many": give a whole number`, nil},
		{"demo extra", "unexpected argument extra", nil},
	}
	for _, test := range tests {
		t.Run(test.args+test.want, func(t *testing.T) {
			for name, value := range test.variables {
				t.Setenv(name, value)
			}
			var line struct {
				Demo struct {
					Every   time.Duration `env:"EVERY"`
					Level   slog.Level    `env:"LEVEL" default:"info"`
					Rate    float64       `env:"RATE"`
					Count   int
					Private bool
					Format  string `env:"FORMAT" enum:"text,json" default:"text"`
					Text    string
					Option  []string
				} `cmd:""`
				Status struct {
					ID string `arg:""`
				} `cmd:""`
				Wait struct {
					IDs []string `arg:"" name:"id"`
				} `cmd:""`
				Batch struct {
					File string `arg:""`
				} `cmd:""`
				Limit struct {
					N int `arg:"" name:"n"`
				} `cmd:""`
				Health struct {
					URL string `arg:""`
				} `cmd:""`
			}
			parser, err := kong.New(&line, kong.Name("lumaflow"))
			require.NoError(t, err)
			_, err = parser.Parse(strings.Fields(test.args))
			require.Error(t, err)
			err = command.ParseError(err)
			require.EqualError(t, err, test.want)
			assert.Equal(t, command.ExitUsage, command.ExitCode(err))
		})
	}
}
