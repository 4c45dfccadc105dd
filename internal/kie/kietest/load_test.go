package kietest_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"lumaflow/internal/kie/kietest"
)

// TestConcurrentClients runs concurrent clients against all faults, and then checks
// the sums of the bill.
func TestConcurrentClients(t *testing.T) {
	hooks := newReceiver(t)
	const credits, clients, rounds = 100_000, 8, 40
	kie := start(t, kietest.Options{
		Seed: 3, Faults: []string{kietest.AllFaults}, FaultRate: 0.5, RateLimit: -1, Credits: credits,
		HMACKey: hmacKey, Render: time.Millisecond, SlowResponse: time.Millisecond, CallbackLate: time.Millisecond,
	})
	var all sync.WaitGroup
	for client := range clients {
		all.Go(func() {
			for round := range rounds {
				body := fmt.Sprintf(`{"prompt":"client %d round %d","videoUrl":%q,"callBackUrl":%q}`, client, round, source, hooks.url)
				for range 3 {
					kie.request(t.Context(), http.MethodPost, kie.url+"/api/v1/modify/generate", body)
				}
			}
		})
		all.Go(func() {
			for range rounds {
				for _, charge := range kie.Ledger().Tasks {
					if client%4 != 0 || charge.State == kietest.Generating {
						continue
					}
					kie.request(t.Context(), http.MethodGet, kie.url+"/api/v1/modify/record-info?taskId="+charge.TaskID, "")
					for _, result := range charge.Results {
						kie.request(t.Context(), http.MethodGet, result.URL, "")
						kie.request(t.Context(), http.MethodPost, kie.url+"/api/v1/common/download-url", fmt.Sprintf(`{"url":%q}`, result.URL))
					}
					break
				}
			}
		})
	}
	all.Wait()
	for _, charge := range kie.Ledger().Tasks {
		kie.callbacksDone(t, charge.TaskID)
	}

	ledger := kie.Ledger()
	require.Len(t, ledger.Tasks, ledger.Charges)
	require.Positive(t, ledger.Charges)
	require.InDelta(t, credits-float64(ledger.Charges)*kietest.Price, ledger.Credits, 0)
	require.Equal(t, ledger.Callbacks.Sent, ledger.Callbacks.Acknowledged+ledger.Callbacks.Failed)
	answered := ledger.Charges
	for _, refusals := range ledger.Refused {
		answered += refusals
	}
	require.Equal(t, clients*rounds*3, answered, "every submission was charged or refused")
	ids := map[string]bool{}
	for _, charge := range ledger.Tasks {
		require.False(t, ids[charge.TaskID])
		ids[charge.TaskID] = true
		require.NotEmpty(t, charge.Response)
		require.Equal(t, charge.State == kietest.Succeeded, len(charge.Results) == 1)
		require.Subset(t, charge.Faults, charge.Met)
	}
}

// request sends a request and ignores the result. Some downloads never end.
func (p *provider) request(ctx context.Context, method, url, body string) {
	if method == http.MethodGet {
		bounded, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		ctx = bounded
	}
	request, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		panic(err)
	}
	request.Header.Set("Authorization", "Bearer key")
	request.Header.Set("Content-Type", "application/json")
	answer, err := p.client.Do(request)
	if err != nil {
		return // the effect of a fault
	}
	defer answer.Body.Close()
	_, _ = io.Copy(io.Discard, answer.Body)
}
