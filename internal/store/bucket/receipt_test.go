package bucket_test

import (
	"io/fs"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"lumaflow/test/s3test"
)

func TestForeignReceipts(t *testing.T) {
	t.Parallel()
	server := s3test.New(t)
	opened := open(t, server.OutputURL())
	for key, text := range map[string]string{
		"newer.json": `{"version":2,"taskId":"t"}`,
		"out.json":   `{"version":1,"taskId":"t","files":[{"name":"../x","sha256":"` + strings.Repeat("0", 64) + `"}]}`,
		"large.json": `{"version":1,"taskId":"t"}` + strings.Repeat(" ", 2<<20),
		"empty.json": ``,
	} {
		server.PutObject(key, text)
		_, err := opened.Receipt(t.Context(), key)
		require.ErrorContains(t, err, "read receipt", key)
		require.NotErrorIs(t, err, fs.ErrNotExist, key)
	}
}
