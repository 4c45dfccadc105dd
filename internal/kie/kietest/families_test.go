package kietest_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"lumaflow/internal/kie/kietest"
)

// paths are those of a family. body takes the prompt, the source and the callback URL.
type paths struct{ name, submit, record, body string }

var families = []paths{
	{"luma", "/api/v1/modify/generate", "/api/v1/modify/record-info", `{"prompt":%q,"videoUrl":%q,"callBackUrl":%q}`},
	{"market", "/api/v1/jobs/createTask", "/api/v1/jobs/recordInfo", `{"model":"acme/restyle","input":{"prompt":%q,"video_urls":[%q]},"callBackUrl":%q}`},
	{"aleph", "/api/v1/aleph/generate", "/api/v1/aleph/record-info", `{"prompt":%q,"videoUrl":%q,"callBackUrl":%q}`},
	{"veo", "/api/v1/veo/generate", "/api/v1/veo/record-info", `{"prompt":%q,"ignored":%q,"callBackUrl":%q}`},
}

func (f paths) request(prompt, callbackURL string) json.RawMessage {
	return json.RawMessage(fmt.Sprintf(f.body, prompt, source, callbackURL))
}

// Every job of every family meets the fault "record-without-echo", also one whose record
// would have no callback URL anyway: a campaign counts it.
func TestRecordWithoutEchoOfEachFamily(t *testing.T) {
	t.Parallel()
	p := start(t, kietest.Options{RateLimit: -1})
	for _, family := range families {
		for i := range 8 {
			prompt := kietest.WithFaults(fmt.Sprint(family.submit, i), kietest.RecordWithoutEcho)
			var task struct{ TaskID string }
			require.NoError(t, json.Unmarshal(p.callAPI(t, http.MethodPost, family.submit, family.request(prompt, "http://127.0.0.1:1/callback")).Data, &task))
			got := p.callAPI(t, http.MethodGet, family.record+"?taskId="+task.TaskID, nil)
			require.Equal(t, 200, got.Code)
			require.NotContains(t, string(got.Data), "/callback", prompt)
			require.Contains(t, p.charge(t, task.TaskID).Met, kietest.RecordWithoutEcho, prompt)
		}
	}
}

// Every fault of the menu occurs for every family. TestEveryFaultOccurs checks the
// effects with Luma Modify.
func TestEveryFaultOfEachFamily(t *testing.T) {
	t.Parallel()
	for _, family := range families {
		for _, fault := range kietest.Faults() {
			t.Run(family.name+" "+fault.Name, func(t *testing.T) {
				t.Parallel()
				p := start(t, kietest.Options{HMACKey: hmacKey, SlowResponse: shortDelay, CallbackLate: shortDelay, EchoLate: shortDelay})
				p.client.Timeout = 10 * shortDelay // a stall ends by it
				hooks := newReceiver(t)
				charge, charged := p.charged(t, family, family.request(kietest.WithFaults("snow", fault.Name), hooks.url))
				if charged {
					charge = p.callbacksDone(t, charge.TaskID)
					text := ""
					if fault.Name == kietest.RecordEchoLate {
						text = hooks.url
					}
					records := p.records(t, family, charge.TaskID, text)
					if slices.Contains([]string{kietest.UnknownFlag, kietest.Flag4Late, kietest.Record5xx, kietest.RecordMissing, kietest.RecordEchoLate}, fault.Name) {
						require.NotEqual(t, records[0], records[len(records)-1], "the record changes after its first polls")
					}
					for _, result := range charge.Results {
						p.resumed(t, result)
					}
				}
				require.Equal(t, map[string]int{fault.Name: p.Ledger().Faults[fault.Name]}, p.Ledger().Faults, "no other fault")
				require.Positive(t, p.Ledger().Faults[fault.Name])
				require.Equal(t, fault.Fatal, !charged || charge.State == kietest.Failed)
			})
		}
	}
}

// charged repeats a submission until it is on the bill, at most four times.
func (p *provider) charged(t *testing.T, family paths, body json.RawMessage) (kietest.Charge, bool) {
	t.Helper()
	for range 4 {
		_, _, _ = p.call(t, http.MethodPost, family.submit, body)
		if tasks := p.Ledger().Tasks; len(tasks) > 0 {
			return tasks[0], true
		}
	}
	return kietest.Charge{}, false
}

// records reads the record of a task four times, and until it contains a text.
func (p *provider) records(t *testing.T, family paths, taskID, text string) (records []string) {
	t.Helper()
	require.Eventually(t, func() bool {
		_, got, err := p.call(t, http.MethodGet, family.record+"?taskId="+taskID, nil)
		records = append(records, string(got))
		return err == nil && len(records) >= 4 && strings.Contains(string(got), text)
	}, waitMax, tick)
	return records
}

// resumed downloads a result in up to six requests, each from the end of the last.
func (p *provider) resumed(t *testing.T, result kietest.Result) {
	t.Helper()
	var header []string
	for range 6 {
		got := p.get(t, result.URL, header...)
		if len(got.body) > 0 && got.status == http.StatusOK {
			header = []string{"Range", fmt.Sprintf("bytes=%d-", len(got.body)), "If-Range", got.header.Get("ETag")}
		}
	}
}

// A forged callback has the format of its family, with links of the forger.
func TestForgeriesOfEachFamily(t *testing.T) {
	t.Parallel()
	for _, family := range families {
		t.Run(family.name, func(t *testing.T) {
			t.Parallel()
			p, hooks := start(t, kietest.Options{HMACKey: hmacKey}), newReceiver(t)
			charge, _ := p.charged(t, family, family.request(kietest.WithFaults("snow", kietest.CallbackForged), hooks.url))
			p.callbacksDone(t, charge.TaskID)
			got := hooks.deliveries()
			require.Len(t, got, 5)
			members := func(d delivery) []string {
				var body struct{ Data map[string]any }
				require.NoError(t, json.Unmarshal(d.body, &body))
				return slices.Sorted(maps.Keys(body.Data))
			}
			require.Equal(t, members(got[4]), members(got[0]), "the success has the members of the genuine callback")
			require.Contains(t, string(got[0].body), "/forged/")
			require.NotContains(t, string(got[4].body), "/forged/")
		})
	}
}

// The details of the other families answer with code 408 and code 200 without a record,
// too.
func TestRecordErrorsOfOtherFamilies(t *testing.T) {
	t.Parallel()
	for _, family := range families[1:] {
		p := start(t, kietest.Options{})
		for fault, want := range map[string]envelope{
			kietest.Record5xx:     {Code: 408, Msg: "Upstream", Data: json.RawMessage("null")},
			kietest.RecordMissing: {Code: 200, Msg: "success", Data: json.RawMessage("null")},
		} {
			got := p.callAPI(t, http.MethodPost, family.submit, family.request(kietest.WithFaults("snow", fault), ""))
			var task struct{ TaskID string }
			require.NoError(t, json.Unmarshal(got.Data, &task))
			if fault == kietest.RecordMissing {
				require.Equal(t, 422, p.callAPI(t, http.MethodGet, family.record+"?taskId="+task.TaskID, nil).Code)
			}
			got = p.callAPI(t, http.MethodGet, family.record+"?taskId="+task.TaskID, nil)
			require.Equal(t, want.Code, got.Code)
			require.Contains(t, got.Msg, want.Msg)
			require.Equal(t, want.Data, got.Data)
		}
	}
}
