package telemetry_test

import (
	"bytes"
	"log/slog"
	"regexp"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// book is a log to be read.
type book struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *book) Write(line []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(line)
}

func (b *book) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

func (b *book) logger() *slog.Logger { return slog.New(slog.NewTextHandler(b, nil)) }

// address is where the port is that a log tells of.
func (b *book) address(t *testing.T) string {
	t.Helper()
	found := regexp.MustCompile(`metrics and health listening" address=(\S+)`).FindStringSubmatch(b.String())
	require.NotNil(t, found, b.String())
	return "http://" + found[1]
}
