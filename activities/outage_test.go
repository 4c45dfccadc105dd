package activities_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"lumaflow/activities"
	"lumaflow/internal/callback"
	"lumaflow/internal/fetch"
	"lumaflow/internal/kie"
	"lumaflow/internal/kie/kietest"
	"lumaflow/internal/store"
	"lumaflow/webhook"
	"lumaflow/workflows/signals"
)

// received are the signals of a webhook.
type received chan signals.CallbackPayload

func (r received) SignalCallback(_ context.Context, _ string, cb signals.CallbackPayload) error {
	r <- cb
	return nil
}

// outage is a transport to kie.ai whose records can be unreachable.
type outage struct{ begun atomic.Bool }

func (o *outage) RoundTrip(request *http.Request) (*http.Response, error) {
	if o.begun.Load() && strings.Contains(strings.ToLower(request.URL.Path), "record") {
		return nil, errors.New("connection refused")
	}
	return http.DefaultTransport.RoundTrip(request)
}

// The callback of each family that submits has the links to its video: after ten minutes
// without a record they become the file of the job. The prompts select those of Aleph's
// three forms that have a link.
func TestCallbackLinksBecomeTheFile(t *testing.T) {
	for _, test := range []struct{ model, prompt string }{{"", "snow"}, {"aleph", "d"}, {"aleph", "rain"}, {"wan/2-7-videoedit", "snow"}, {"wan/2-7-videoedit", "rain"}} {
		t.Run(test.model+" "+test.prompt, func(t *testing.T) {
			f := newFixture(t)
			signalled := make(received, 10)
			hooks := httptest.NewServer(webhook.New(webhook.Options{Signaler: signalled, Namespace: "default-test-namespace", Secrets: f.options.Secrets}))
			t.Cleanup(hooks.Close)
			minter, err := callback.NewMinter(hooks.URL, f.options.Secrets)
			require.NoError(t, err)
			server, err := kietest.New(kietest.Options{RateLimit: -1})
			require.NoError(t, err)
			simulated := httptest.NewServer(server)
			t.Cleanup(func() { simulated.Close(); _ = server.Close() })
			records := new(outage)
			client, err := kie.New(kie.Options{BaseURL: simulated.URL, APIKey: "test-key", Transport: records})
			require.NoError(t, err)

			task, err := client.Submit(t.Context(), kie.SubmitRequest{
				Model: test.model, Prompt: test.prompt, VideoURL: "https://cdn.example.org/in.mp4",
				CallbackURL: minter.BrandURL(kie.Brand(test.model), "default-test-namespace", "default-test-workflow-id"),
			})
			require.NoError(t, err)
			cb := <-signalled
			require.Equal(t, task, cb.TaskID)

			records.begun.Store(true)
			output := t.TempDir()
			f.options.Provider, f.now = client, f.now.Add(10*time.Minute+time.Second)
			f.options.Fetcher, err = fetch.New(fetch.Options{WorkDir: t.TempDir(), AllowPrivate: true})
			require.NoError(t, err)
			f.options.Store, err = store.Open(t.Context(), output)
			require.NoError(t, err)
			finished, err := f.poll(t, activities.PollInput{TaskID: task, Model: test.model, Until: f.now.Add(time.Hour), WokenByCallback: true, CallbackURLs: cb.ResultURLs})
			require.NoError(t, err)
			require.Len(t, finished.ResultURLs, 1)
			downloaded, err := f.download(t, activities.DownloadInput{TaskID: task, Model: test.model, Number: 1, URL: finished.ResultURLs[0], Until: f.now.Add(time.Hour)})
			require.NoError(t, err)
			stored, err := os.Stat(filepath.Join(output, kie.Brand(test.model)+"_result_"+task+"_1.mp4"))
			require.NoError(t, err)
			require.Equal(t, downloaded.Video.Bytes, stored.Size())
		})
	}
}
