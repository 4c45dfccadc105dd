package bucket_test

import (
	"io/fs"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lumaflow/internal/store"
	"lumaflow/test/s3test"
)

func receipt() store.Receipt {
	return store.Receipt{
		Version:        1,
		Job:            "luma-abc",
		Run:            "run-1",
		TaskID:         "t1",
		Prompt:         "Snow <at> night & day",
		SubmitAttempts: 1,
		WokenBy:        "callback",
		SubmittedAt:    time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC),
		CompletedAt:    time.Date(2026, 11, 23, 10, 5, 0, 0, time.UTC),
		Files:          []store.ReceiptFile{{Name: name, Location: "s3://films/" + name, Bytes: 7, SHA256: strings.Repeat("ab", 32)}},
	}
}

func TestReceipt(t *testing.T) {
	inEveryCloud(t, func(t *testing.T, opened store.Store, root string) {
		_, err := opened.Receipt(t.Context(), "r.json")
		require.ErrorIs(t, err, fs.ErrNotExist)
		want := receipt()
		location, err := opened.PutReceipt(t.Context(), "r.json", want)
		require.NoError(t, err)
		assert.Equal(t, root+"/videos/2026/r.json", location)
		got, err := opened.Receipt(t.Context(), "r.json")
		require.NoError(t, err)
		assert.Equal(t, want, got)
		want.WokenBy = "poll"
		_, err = opened.PutReceipt(t.Context(), "r.json", want)
		require.NoError(t, err)
		got, err = opened.Receipt(t.Context(), "r.json")
		require.NoError(t, err)
		assert.Equal(t, want, got, "a receipt is replaced")
		_, err = opened.PutReceipt(t.Context(), "r.json", store.Receipt{})
		require.ErrorContains(t, err, "no task id")
	})
}

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
