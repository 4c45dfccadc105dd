package doctor_test

import (
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"

	"lumaflow/internal/cli/doctor"
	"lumaflow/internal/kie"
	"lumaflow/internal/kie/kietest"
)

// want is the expected finding of one check; message is a part of its text.
type want struct {
	check   string
	status  doctor.Status
	message string
}

// defect is a change of a working setup and its findings. All other checks are
// ok.
type defect struct {
	name   string
	change func(w *world)
	want   []want
}

func run(t *testing.T, defects []defect) {
	for _, test := range defects {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			test.change(w)
			findings, err := w.examine()
			var failed []string
			for _, want := range test.want {
				got := findings[want.check]
				assert.Equal(t, want.status, got.Status, "%s: %s", want.check, got.Message)
				assert.Contains(t, got.Message, want.message, want.check)
				assert.Equal(t, want.status == doctor.Skipped, strings.HasPrefix(got.Message, "skipped: "))
				if want.status == doctor.Fail {
					failed = append(failed, want.check)
				}
				delete(findings, want.check)
			}
			for name, finding := range findings {
				assert.Equal(t, doctor.OK, finding.Status, "%s: %s", name, finding.Message)
			}
			if len(failed) == 0 {
				require.NoError(t, err)
			} else {
				require.ErrorContains(t, err, " failed: "+strings.Join(failed, ", "))
			}
		})
	}
}

const (
	withoutTemporal = "Temporal can't be used"
	withoutWebhook  = "the webhook does not work"
)

func TestSettings(t *testing.T) {
	t.Parallel()
	run(t, []defect{
		{"rate", func(w *world) { w.settings.SubmitsPerSecond = 0 }, []want{{"settings", doctor.Fail, "SUBMITS_PER_SECOND is 0: give"}}},
		{"above the rate of a simulator", func(w *world) { w.settings.SubmitsPerSecond = 50 }, nil},
		{"above kie.ai's rate", func(w *world) {
			w.settings.SubmitsPerSecond = 2.5
			w.settings.KieBaseURL = "https://1.1.1.1"
			w.settings.Only = []string{"settings"}
		}, []want{{"settings", doctor.Warn, "SUBMITS_PER_SECOND is 2.5, above kie.ai's limit of 20 per 10 s"}}},
		{"kie.ai's rate", func(w *world) { w.settings.SubmitsPerSecond = 2 }, nil},
		{"no queue", func(w *world) { w.settings.TaskQueue = "" }, []want{
			{"settings", doctor.Fail, "TASK_QUEUE is empty"},
			{"workers", doctor.Skipped, "TASK_QUEUE"}, {"submissions", doctor.Skipped, "TASK_QUEUE"},
		}},
		{"private downloads from a simulator", func(w *world) { w.settings.FetchAllowPrivate = true }, nil},
		{"private downloads", func(w *world) {
			w.settings.FetchAllowPrivate = true
			w.settings.KieBaseURL = "http://192.0.2.1"
			w.settings.Only = []string{"settings"}
		}, nil},
		{"private downloads from kie.ai", func(w *world) {
			w.settings.FetchAllowPrivate = true
			w.settings.KieBaseURL = "https://1.1.1.1"
			w.settings.Only = []string{"settings"}
		}, []want{{"settings", doctor.Warn, "FETCH_ALLOW_PRIVATE is on"}}},
		{"plain http to kie.ai", func(w *world) {
			w.settings.KieBaseURL = "http://api.kie.example.org"
			w.settings.Only = []string{"settings"}
		}, []want{{"settings", doctor.Warn, "KIE_BASE_URL is plain http on a public host"}}},
	})
}

func TestTemporal(t *testing.T) {
	t.Parallel()
	dependents := func(message string) []want {
		return []want{
			{"temporal", doctor.Fail, message}, {"attributes", doctor.Skipped, withoutTemporal},
			{"workers", doctor.Skipped, withoutTemporal}, {"submissions", doctor.Skipped, withoutTemporal},
		}
	}
	run(t, []defect{
		{"down", func(w *world) { w.env["TEMPORAL_ADDRESS"] = "127.0.0.1:1" }, dependents("no Temporal server answers at 127.0.0.1:1: start one")},
		{"no such namespace", func(w *world) {
			w.env["TEMPORAL_NAMESPACE"] = "nope"
			w.settings.Only = []string{"temporal", "attributes", "workers", "submissions"}
		}, dependents(`there is no namespace "nope"`)},
		{"malformed", func(w *world) { w.env["TEMPORAL_ADDRESS"] = "no-port" }, append(dependents("TEMPORAL_ADDRESS"),
			want{"callback", doctor.Skipped, "namespace"}, want{"signature", doctor.Skipped, "no callback can be posted"})},
	})
}

func TestAttributes(t *testing.T) {
	t.Parallel()
	lacking := func(w *world) { clear(w.temporal.attributes) }
	fixing := func(refusal error) func(w *world) {
		return func(w *world) {
			lacking(w)
			w.settings.Fix = true
			w.temporal.adding = refusal
		}
	}
	const tcld = "`tcld namespace search-attributes add --namespace studio --search-attribute LumaStage=Keyword --search-attribute LumaTaskId=Keyword --search-attribute LumaBatch=Keyword`"
	run(t, []defect{
		{"missing", lacking, []want{{"attributes", doctor.Warn, "lacks LumaStage and LumaTaskId and LumaBatch"}}},
		{"created", fixing(nil), []want{{"attributes", doctor.OK, "created LumaStage and LumaTaskId and LumaBatch"}}},
		{"the other is created", func(w *world) {
			delete(w.temporal.attributes, "LumaTaskId")
			w.settings.Fix = true
		}, []want{{"attributes", doctor.OK, "created LumaTaskId;"}}},
		{"not allowed", fixing(serviceerror.NewPermissionDenied("no", "")), []want{{"attributes", doctor.Warn, tcld}}},
		{"no such service", fixing(serviceerror.NewUnimplemented("no operator here")), []want{{"attributes", doctor.Warn, tcld}}},
		{"too many", fixing(serviceerror.NewInvalidArgument("cannot have more than 10")), []want{{"attributes", doctor.Warn, "cannot have more than 10"}}},
		{"another type", func(w *world) {
			w.temporal.attributes["LumaStage"] = enumspb.INDEXED_VALUE_TYPE_TEXT
			w.settings.Fix = true
		}, []want{{"attributes", doctor.Warn, "`temporal operator search-attribute remove -n studio --name LumaStage`"}}},
		{"no list", func(w *world) { w.temporal.listing = serviceerror.NewInternal("no") }, []want{{"attributes", doctor.Warn, "can't be listed"}}},
		{"not allowed", func(w *world) { w.temporal.listing = serviceerror.NewPermissionDenied("no", "") }, []want{{"attributes", doctor.Warn, "give them that permission"}}},
	})

	w := newWorld(t)
	fixing(nil)(w)
	_, err := w.examine()
	require.NoError(t, err)
	assert.Equal(t, []string{"LumaBatch", "LumaStage", "LumaTaskId"}, w.temporal.added)
	findings, err := w.examine()
	require.NoError(t, err)
	assert.Contains(t, findings["attributes"].Message, "can be found")
	assert.Len(t, w.temporal.added, 3, "existing attributes are not created")
}

func TestWorkers(t *testing.T) {
	t.Parallel()
	// The values have a margin for the time that passes during the test.
	const now, recent, gone = 0, time.Minute, 3 * time.Minute
	run(t, []defect{
		{"no poller", func(w *world) { clear(w.temporal.queues) }, []want{
			{"workers", doctor.Fail, "no worker polls task queue videos for jobs: start one"},
			{"submissions", doctor.Fail, "no worker polls task queue videos-submit for submissions: start one"},
		}},
		{"all gone", func(w *world) {
			w.temporal.queues[jobs], w.temporal.queues[submissions] = polled(gone+time.Minute, gone), polled(gone)
		}, []want{
			{"workers", doctor.Fail, "the last poll was 3m"}, {"submissions", doctor.Fail, "the last poll was 3m"},
		}},
		{"one of two is gone", func(w *world) { w.temporal.queues[jobs] = polled(gone, recent) }, []want{{"workers", doctor.OK, "1 worker polls"}}},
		{"two", func(w *world) { w.temporal.queues[jobs] = polled(now, recent) }, []want{{"workers", doctor.OK, "2 workers poll task queue videos"}}},
		{"clocks that disagree", func(w *world) { w.temporal.queues[jobs] = polled(-time.Hour, time.Hour) }, []want{{"workers", doctor.OK, "2 workers"}}},
		{"no activity slots", func(w *world) { w.temporal.queues[others] = polled(gone) }, []want{{"workers", doctor.Warn, "start another worker"}}},
		{"not the current version", func(w *world) { w.temporal.queues[jobs] = versioned(polled(now), "2.0", "1.0") },
			[]want{{"workers", doctor.Fail, "`temporal worker deployment set-current-version --deployment-name lumaflow --build-id 2.0`"}}},
		{"no current version", func(w *world) { w.temporal.queues[submissions] = versioned(polled(now), "2.0", "") },
			[]want{{"submissions", doctor.Fail, "--build-id 2.0"}}},
		{"the current version", func(w *world) { w.temporal.queues[jobs] = versioned(polled(now), "2.0", "2.0") }, nil},
		{"without a version", func(w *world) { w.temporal.queues[jobs] = versioned(polled(now), "", "2.0") },
			[]want{{"workers", doctor.Fail, "without a version"}}},
		{"no description", func(w *world) { w.temporal.describing = serviceerror.NewPermissionDenied("no", "") },
			[]want{{"workers", doctor.Warn, "the pollers can't be listed"}, {"submissions", doctor.Warn, "can't be listed"}}},
	})
}

func TestKey(t *testing.T) {
	t.Parallel()
	answers := func(body string) func(w *world) {
		return func(w *world) {
			w.kie.instead = func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, body) }
		}
	}
	unread := want{"models", doctor.Warn, "kie.ai's catalogue can't be read"}
	noKey := want{"models", doctor.Skipped, "the check of the key fails"}
	run(t, []defect{
		{"not set", func(w *world) { w.settings.KieAPIKey = "" }, []want{{"key", doctor.Fail, "KIE_API_KEY is not set: make a key"}, noKey}},
		{"malformed", func(w *world) { w.settings.KieAPIKey = "a b" }, []want{{"key", doctor.Fail, "KIE_API_KEY holds a blank"}, noKey}},
		{"refused", func(w *world) { w.settings.KieAPIKey = "another" }, []want{{"key", doctor.Fail, "kie.ai refuses KIE_API_KEY"}, unread}},
		{"no credit", func(w *world) { w.simulate(kietest.Options{APIKey: apiKey, Credits: -1}) }, []want{{"key", doctor.Fail, "no credit left (0)"}}},
		{"little credit", func(w *world) { w.simulate(kietest.Options{APIKey: apiKey, Credits: 999.5}) }, []want{{"key", doctor.Warn, "only 999.5 credits"}}},
		{"maintenance", answers(`{"code":455,"msg":"maintenance"}`), []want{{"key", doctor.Warn, "try again later"}, unread}},
		{"cap", answers(`{"code":433,"msg":"cap"}`), []want{{"key", doctor.Warn, "usage cap"}, unread}},
		{"not kie.ai", answers(`<html>parked</html>`), []want{{"key", doctor.Fail, "KIE_BASE_URL"}, unread}},
		{"unreachable", func(w *world) { w.settings.KieBaseURL = "http://127.0.0.1:1" },
			[]want{{"key", doctor.Fail, "kie.ai can't be reached (dial tcp"}, {"clock", doctor.Warn, "kie.ai gives no time (dial tcp"}, unread}},
		{"malformed address", func(w *world) {
			w.settings.KieBaseURL = "ftp://user:" + secret + "@kie"
			w.settings.Only = []string{"key", "clock"}
		}, []want{{"key", doctor.Fail, "KIE_BASE_URL must be"}, {"clock", doctor.Fail, "KIE_BASE_URL must be"}}},
	})
}

// The models of the namespace's jobs are compared with the catalogue, and lumaflow's
// table if there are none.
func TestModelsInUse(t *testing.T) {
	t.Parallel()
	jobs := func(models ...string) func(w *world) { return func(w *world) { w.temporal.models = models } }
	run(t, []defect{
		{"listed", jobs("wan/2-7-videoedit", "", "wan/2-7-videoedit"), []want{{"models", doctor.OK, "the models that the jobs here use: wan/2-7-videoedit"}}},
		{"not listed", jobs("acme/gone", "happyhorse/video-edit"), []want{{"models", doctor.Warn, "kie.ai's catalogue lacks acme/gone: "}}},
		{"no jobs", jobs([]string{}...), []want{{"models", doctor.OK, "lumaflow has a table of"}}},
		{"no list", func(*world) {}, []want{{"models", doctor.OK, "lumaflow has a table of"}}},
		{"no Temporal", func(w *world) {
			w.env["TEMPORAL_ADDRESS"] = "127.0.0.1:1"
			w.settings.Only = []string{"models"}
		}, []want{{"models", doctor.OK, "lumaflow has a table of"}}},
	})
}

func TestClock(t *testing.T) {
	t.Parallel()
	kieAt := func(offset time.Duration) func(w *world) {
		return func(w *world) {
			behind := w.kie.behind
			w.kie.instead = func(answer http.ResponseWriter, r *http.Request) {
				answer.Header().Set("Date", time.Now().Add(offset).UTC().Format(http.TimeFormat))
				behind.ServeHTTP(answer, r)
			}
		}
	}
	refused := want{"signature", doctor.Fail, "its clock is"}
	run(t, []defect{
		{"a little off", kieAt(40 * time.Second), []want{{"clock", doctor.OK, "behind"}}},
		{"behind", kieAt(2 * time.Minute), []want{{"clock", doctor.Warn, "behind kie.ai's"}}},
		{"ahead", kieAt(-2 * time.Minute), []want{{"clock", doctor.Warn, "ahead of kie.ai's"}}},
		{"beyond, behind", kieAt(6 * time.Minute), []want{{"clock", doctor.Fail, "refuses every signed callback"}, refused}},
		{"beyond, ahead", kieAt(-6 * time.Minute), []want{{"clock", doctor.Fail, "refuses every signed callback"}, refused}},
	})
}

func TestCallback(t *testing.T) {
	t.Parallel()
	instead := func(handler http.HandlerFunc) func(w *world) { return func(w *world) { w.hooks.instead = handler } }
	status := func(code int) func(w *world) {
		return instead(func(w http.ResponseWriter, r *http.Request) { http.Error(w, "no "+r.URL.Path, code) })
	}
	failed := func(message string) []want {
		return []want{{"callback", doctor.Fail, message}, {"signature", doctor.Skipped, withoutWebhook}}
	}
	run(t, []defect{
		{"not set", func(w *world) { w.settings.CallbackBaseURL, w.settings.CallbackSecret = "", "" },
			[]want{{"callback", doctor.Warn, "CALLBACK_BASE_URL is not set"}, {"signature", doctor.Skipped, "no callback"}}},
		{"no secret", func(w *world) { w.settings.CallbackSecret = "" },
			[]want{{"callback", doctor.Fail, "CALLBACK_SECRET is not set"}, {"signature", doctor.Skipped, "no callback"}}},
		{"short secret", func(w *world) { w.settings.CallbackSecret = "short" },
			[]want{{"callback", doctor.Fail, "CALLBACK_SECRET: secret 1 of 1"}, {"signature", doctor.Skipped, "no callback"}}},
		{"malformed address", func(w *world) { w.settings.CallbackBaseURL = "ftp://user:" + secret + "@hooks" },
			[]want{{"callback", doctor.Fail, "CALLBACK_BASE_URL"}, {"signature", doctor.Skipped, "no callback"}}},
		{"another secret", func(w *world) { w.receive(hmacKey, strings.Repeat("x", 40)) }, failed("the same CALLBACK_SECRET")},
		{"a secret that is being replaced", func(w *world) { w.receive(hmacKey, strings.Repeat("x", 40)+","+secret) }, nil},
		{"down", func(w *world) { w.settings.CallbackBaseURL = "http://127.0.0.1:1" }, failed("can't be reached")},
		{"no such host", func(w *world) { w.settings.CallbackBaseURL = "http://hooks.invalid" }, failed("can't be reached")},
		{"a redirect", instead(func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://elsewhere.example.org"+r.URL.Path+"/", http.StatusMovedPermanently)
		}), failed("redirects callbacks to https://elsewhere.example.org (HTTP 301)")},
		{"a redirect to nowhere", status(http.StatusTemporaryRedirect), failed("redirects callbacks (HTTP 307)")},
		{"a proxy that accepts everything", instead(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{"status":"received"}`) }),
			failed("accepts a forged callback (HTTP 200)")},
		{"a proxy that accepts some requests", instead(func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			if strings.Contains(string(body), "taskId") {
				w.WriteHeader(http.StatusUnauthorized)
			}
			_, _ = io.WriteString(w, `{"status":"unauthorized"}`)
		}), failed("is not the webhook")},
		{"a login", status(http.StatusUnauthorized), failed("without a login")},
		{"a firewall", status(http.StatusForbidden), failed("without a login")},
		{"a proxy before nothing", status(http.StatusBadGateway), failed("does not reach it (HTTP 502)")},
		{"another site", status(http.StatusNotFound), failed("is not the webhook")},
		{"a hung up connection", instead(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }), failed("can't be reached")},
		{"a path prefix that stays", func(w *world) {
			w.settings.CallbackBaseURL = at(w.t, w.hooks.server.URL, func(u *url.URL) { u.Path = "/kie" })
		}, failed("changes the path or the method")},
		{"a path prefix that a proxy removes", func(w *world) {
			w.settings.CallbackBaseURL = at(w.t, w.hooks.server.URL, func(u *url.URL) { u.Path = "/kie" })
			w.hooks.behind = http.StripPrefix("/kie", w.hooks.behind)
		}, nil},
		{"POST turned into GET", func(w *world) {
			behind := w.hooks.behind
			w.hooks.instead = func(answer http.ResponseWriter, r *http.Request) {
				r.Method = http.MethodGet
				behind.ServeHTTP(answer, r)
			}
		}, failed("changes the path or the method")},
		{"a proxy that cleans paths", func(w *world) {
			behind := w.hooks.behind
			w.hooks.instead = func(answer http.ResponseWriter, r *http.Request) {
				r.URL.RawPath = "" // decodes %2F to a slash
				behind.ServeHTTP(answer, r)
			}
		}, []want{{"callback", doctor.Warn, "rewrites or rejects some paths"}}},
		{"a proxy that redirects odd paths", func(w *world) {
			behind := w.hooks.behind
			w.hooks.instead = func(answer http.ResponseWriter, r *http.Request) {
				if strings.Contains(r.URL.RawPath, "%2F") {
					http.Redirect(answer, r, r.URL.Path, http.StatusPermanentRedirect)
					return
				}
				behind.ServeHTTP(answer, r)
			}
		}, []want{{"callback", doctor.Warn, "a slash or a blank"}}},
		{"no Temporal behind it", func(w *world) {
			w.receive("", secret)
			w.signals.err = serviceerror.NewUnavailable("down")
		}, failed("check that it reaches Temporal")},
		{"a loopback address for the real kie.ai", func(w *world) {
			w.settings.KieBaseURL = "https://1.1.1.1"
			w.settings.Only = []string{"callback"}
		}, []want{{"callback", doctor.Fail, "is a loopback address"}}},
	})
}

func TestCertificates(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	secured := httptest.NewUnstartedServer(w.hooks)
	secured.Config.ErrorLog = log.New(io.Discard, "", 0)
	secured.StartTLS()
	defer secured.Close()
	w.settings.CallbackBaseURL = secured.URL
	findings, err := w.examine()
	require.Error(t, err)
	assert.Equal(t, doctor.Fail, findings["callback"].Status)
	assert.Contains(t, findings["callback"].Message, "a publicly trusted certificate")
	assert.Empty(t, w.signals.jobs)
}

func TestSignature(t *testing.T) {
	t.Parallel()
	run(t, []defect{
		{"not required", func(w *world) {
			w.receive("", secret)
			w.settings.HMACKey = ""
		}, []want{{"signature", doctor.OK, "not required"}}},
		{"no key here", func(w *world) { w.settings.HMACKey = "" }, []want{{"signature", doctor.Warn, "requires signatures"}}},
		{"no key there", func(w *world) { w.receive("", secret) }, []want{{"signature", doctor.Warn, "without a signature, too"}}},
		{"another key", func(w *world) { w.receive("another", secret) }, []want{{"signature", doctor.Fail, "give it the same key"}}},
		{"a key that is being replaced", func(w *world) { w.receive("another,"+hmacKey, secret) }, nil},
		{"both keys", func(w *world) {
			w.receive("another,"+hmacKey, secret)
			w.settings.HMACKey = hmacKey + ", another"
		}, nil},
		{"one of two keys", func(w *world) { w.settings.HMACKey = hmacKey + ",another" }, []want{{"signature", doctor.Fail, "key 2 of 2"}}},
		{"a proxy that rejects signatures", func(w *world) {
			w.hooks.instead = func(answer http.ResponseWriter, r *http.Request) {
				if r.Header.Get(kie.SignatureHeader) != "" {
					http.Error(answer, "no", http.StatusForbidden)
					return
				}
				w.hooks.behind.ServeHTTP(answer, r)
			}
		}, []want{{"signature", doctor.Fail, "answers HTTP 403 to a callback that is signed"}}},
		{"malformed", func(w *world) { w.settings.HMACKey = hmacKey + "," }, []want{{"signature", doctor.Fail, "KIE_WEBHOOK_HMAC_KEY holds an empty key"}}},
		{"no Temporal behind it", func(w *world) { w.signals.err = serviceerror.NewUnavailable("down") }, []want{{"signature", doctor.Fail, "check that it reaches Temporal"}}},
		{"kie.ai gives no time", func(w *world) {
			w.settings.KieBaseURL = "http://127.0.0.1:1"
			w.settings.Only = []string{"signature"}
		}, nil},
	})
}

func TestStorage(t *testing.T) {
	t.Parallel()
	inTheWay := func(t *testing.T) string {
		file := filepath.Join(t.TempDir(), "file")
		require.NoError(t, os.WriteFile(file, nil, 0o600))
		return filepath.Join(file, "below")
	}
	run(t, []defect{
		{"output in the way", func(w *world) { w.settings.OutputURL = inTheWay(w.t) }, []want{{"output", doctor.Fail, "OUTPUT_URL: the folder"}}},
		{"no output", func(w *world) { w.settings.OutputURL = "" }, []want{{"output", doctor.Fail, "OUTPUT_URL: empty"}}},
		{"an unknown kind of store", func(w *world) { w.settings.OutputURL = "ftp://user:" + secret + "@host/videos" }, []want{{"output", doctor.Fail, "OUTPUT_URL"}}},
		{"work in the way", func(w *world) { w.settings.WorkDir = inTheWay(w.t) }, []want{{"work", doctor.Fail, "below: mkdir "}, {"proxy", doctor.Skipped, "partial downloads"}}},
		{"malformed hosts", func(w *world) { w.settings.FetchAllowHosts = []string{"https://x"} }, []want{{"work", doctor.Fail, "FETCH_ALLOW_HOSTS"}, {"proxy", doctor.Skipped, "partial downloads"}}},
	})
	w := newWorld(t)
	findings, err := w.examine()
	require.NoError(t, err)
	assert.Contains(t, findings["output"].Message, w.settings.OutputURL)
	assert.Contains(t, findings["work"].Message, w.settings.WorkDir)
	entries, err := os.ReadDir(w.settings.OutputURL)
	require.NoError(t, err)
	assert.Empty(t, entries, "the check leaves no file")
}
