package kietest_test

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"lumaflow/internal/kie/kietest"
)

func TestEveryFaultOccurs(t *testing.T) {
	for _, fault := range kietest.Faults() {
		t.Run(fault.Name, func(t *testing.T) {
			check := faultChecks[fault.Name]
			require.NotNil(t, check, "the fault has no check")
			s := &scenario{hooks: newReceiver(t), provider: start(t, kietest.Options{
				HMACKey:      hmacKey,
				SlowResponse: shortDelay,
				CallbackLate: shortDelay,
				EchoLate:     shortDelay,
			})}
			s.body = fields{
				"prompt":      kietest.WithFaults("snow", fault.Name),
				"videoUrl":    source,
				"callBackUrl": s.hooks.url,
			}
			check(t, s)
			ledger := s.Ledger()
			require.Positive(t, ledger.Faults[fault.Name], "the bill does not show the fault")
			require.Len(t, ledger.Faults, 1, "other faults were counted")
			for _, charge := range ledger.Tasks {
				require.Equal(t, []string{fault.Name}, charge.Faults)
				require.Equal(t, []string{fault.Name}, charge.Met)
				require.Equal(t, fault.Fatal, charge.State == kietest.Failed)
			}
			require.NotEmpty(t, fault.Description)
			require.Equal(t, fault.Fatal, ledger.Charges == 0 || ledger.Tasks[0].State == kietest.Failed)
		})
	}
	for name := range faultChecks {
		require.True(t, slices.ContainsFunc(kietest.Faults(), func(f kietest.Fault) bool { return f.Name == name }), name)
	}
}

func TestResumedDownloadIsCut(t *testing.T) {
	kie := start(t, kietest.Options{})
	result := kie.finished(t, fields{"prompt": kietest.WithFaults("snow", kietest.Truncated), "videoUrl": source}).Results[0]
	var have []byte
	var rounds int
	for int64(len(have)) < result.Bytes {
		got := kie.get(t, result.URL, "Range", fmt.Sprintf("bytes=%d-", len(have)))
		require.Equal(t, http.StatusPartialContent, got.status)
		have = append(have, got.body...)
		rounds++
	}
	require.Equal(t, 3, rounds)
	require.Equal(t, result.SHA256, sum(have))
}

func TestCutsWithoutResumeAreLimited(t *testing.T) {
	kie := start(t, kietest.Options{})
	for _, fault := range []string{kietest.NoRange, kietest.WrongRange} {
		charge := kie.finished(t, fields{"prompt": kietest.WithFaults("snow", fault), "videoUrl": source})
		for range 2 {
			require.ErrorIs(t, kie.get(t, charge.Results[0].URL).err, io.ErrUnexpectedEOF)
		}
		for range 2 {
			requireWhole(t, charge.Results[0], kie.get(t, charge.Results[0].URL))
		}
		require.Empty(t, kie.charge(t, charge.TaskID).Met, "a fault of ranges without a range request")
	}
}

func TestFaultsCombine(t *testing.T) {
	kie := start(t, kietest.Options{FaultRepeats: 1})
	body := fields{"prompt": kietest.WithFaults("snow", "truncated", "rate-limited", "html", "not-yet-there", "record-5xx", "flag-4"), "videoUrl": source}
	require.Equal(t, 429, kie.submit(t, body).Code)
	charge := kie.finished(t, body)
	status, _, err := kie.call(t, http.MethodGet, "/api/v1/modify/record-info?taskId="+charge.TaskID, nil)
	require.NoError(t, err)
	require.Equal(t, 500, status)
	require.Equal(t, 4, kie.record(t, charge.TaskID).SuccessFlag)
	result := charge.Results[0]
	require.Equal(t, http.StatusNotFound, kie.get(t, result.URL).status)
	require.Contains(t, string(kie.get(t, result.URL).body), "<html>")
	require.ErrorIs(t, kie.get(t, result.URL).err, io.ErrUnexpectedEOF)
	requireWhole(t, result, kie.get(t, result.URL))
	want := []string{"rate-limited", "flag-4", "record-5xx", "not-yet-there", "truncated", "html"}
	require.Equal(t, want, kie.charge(t, charge.TaskID).Faults)
	require.Equal(t, want, kie.charge(t, charge.TaskID).Met)
}

func TestEachResultHasItsOwnFaults(t *testing.T) {
	kie := start(t, kietest.Options{FaultRepeats: 1})
	charge := kie.finished(t, fields{"prompt": kietest.WithFaults("[results: 2] snow", kietest.NotYetThere), "videoUrl": source})
	for _, result := range charge.Results {
		require.Equal(t, http.StatusNotFound, kie.get(t, result.URL).status)
		requireWhole(t, result, kie.get(t, result.URL))
	}
	require.Equal(t, 2, kie.Ledger().Faults[kietest.NotYetThere])
}

func TestNoCreditEndsWithATopUp(t *testing.T) {
	kie := start(t, kietest.Options{FaultRepeats: 1000})
	body := fields{"prompt": kietest.WithFaults("snow", kietest.NoCredit), "videoUrl": source}
	for range 5 {
		require.Equal(t, 402, kie.submit(t, body).Code)
	}
	_, err := kie.TopUp(1)
	require.NoError(t, err)
	kie.accepted(t, body)
}

func TestSlowAnswerToADisconnectedClient(t *testing.T) {
	kie := start(t, kietest.Options{SlowResponse: time.Hour})
	kie.client.Timeout = shortDelay
	_, _, err := kie.call(t, http.MethodPost, "/api/v1/modify/generate", fields{"prompt": kietest.WithFaults("snow", kietest.SlowResponse), "videoUrl": source})
	require.ErrorContains(t, err, "Client.Timeout")
	require.Eventually(t, func() bool { return kie.Ledger().Tasks[0].Response == "abandoned" }, waitMax, tick)
}

func TestGarbledAnswersHaveNoTaskID(t *testing.T) {
	kie := start(t, kietest.Options{RateLimit: -1})
	shapes := map[string]bool{}
	for n := range 40 {
		status, text, err := kie.call(t, http.MethodPost, "/api/v1/modify/generate",
			fields{"prompt": kietest.WithFaults(strconv.Itoa(n), kietest.ResponseGarbled), "videoUrl": source})
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, status)
		ledger := kie.Ledger()
		require.NotContains(t, string(text), ledger.Tasks[len(ledger.Tasks)-1].TaskID)
		shapes[string(text[:20])] = true
	}
	require.Len(t, shapes, 2, "an envelope and a web page")
}
