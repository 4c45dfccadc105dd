package activities_test

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"lumaflow/activities"
	"lumaflow/internal/fetch"
	"lumaflow/internal/store"
)

// The duration and the size in a receipt are those of the sample index, whatever the
// other headers declare, and the stored bytes are those that came.
func TestReceiptHasTheSampleIndex(t *testing.T) {
	const testdata = "../internal/media/testdata"
	server := httptest.NewServer(http.FileServer(http.Dir(testdata)))
	t.Cleanup(server.Close)
	for file, want := range map[string]store.ReceiptFile{
		"clip.mp4":                              {Duration: "1.2s", Width: 160, Height: 90},
		"clip.mov":                              {Duration: "1.2s", Width: 160, Height: 90},
		"fragmented.mp4":                        {Duration: "1.4s", Width: 160, Height: 90},
		"corpus/fragments.mov":                  {Duration: "600ms", Width: 64, Height: 36},
		"corpus/compressed-index.mov":           {Duration: "600ms", Width: 64, Height: 36},
		"field/bad-20s-mvhd-duration-0.mp4":     {Duration: "20s", Width: 64, Height: 36},
		"field/valid-trailing-camera-block.mp4": {Duration: "500ms", Width: 64, Height: 36},
	} {
		t.Run(file, func(t *testing.T) {
			content, err := os.ReadFile(filepath.Join(testdata, file))
			require.NoError(t, err)
			sum := sha256.Sum256(content)
			output := t.TempDir()
			f := newFixture(t)
			f.options.Fetcher, err = fetch.New(fetch.Options{WorkDir: t.TempDir(), AllowPrivate: true})
			require.NoError(t, err)
			f.options.Store, err = store.Open(t.Context(), output)
			require.NoError(t, err)
			acts := f.register(t)

			input := f.downloadInput()
			input.URL = server.URL + "/" + file
			value, err := f.ExecuteActivity(acts.Download, input)
			require.NoError(t, err)
			var downloaded activities.Downloaded
			require.NoError(t, value.Get(&downloaded))
			_, err = f.ExecuteActivity(acts.WriteReceipt, activities.ReceiptInput{TaskID: taskID, Files: []activities.Downloaded{downloaded}})
			require.NoError(t, err)

			receipt, err := f.options.Store.Receipt(t.Context(), store.ReceiptName("", taskID))
			require.NoError(t, err)
			require.Len(t, receipt.Files, 1)
			got := receipt.Files[0]
			require.Equal(t, want, store.ReceiptFile{Duration: got.Duration, Width: got.Width, Height: got.Height})
			require.Equal(t, "luma_result_"+taskID+"_1"+filepath.Ext(file), got.Name)
			require.Equal(t, hex.EncodeToString(sum[:]), got.SHA256)
			stored, err := os.ReadFile(filepath.Join(output, got.Name))
			require.NoError(t, err)
			require.Equal(t, content, stored)
		})
	}
}
