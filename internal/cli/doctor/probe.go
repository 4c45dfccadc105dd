package doctor

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"time"

	"lumaflow/internal/callback"
	"lumaflow/internal/kie"
)

const (
	// patience is how long kie.ai waits for an answer to a callback
	// (luma-api/generate-luma-modify-video-callbacks).
	patience = 15 * time.Second
	// slow is an answer to look after before it comes too late.
	slow = 5 * time.Second
	// maxAnswer bounds, in bytes, what is read of an answer; the webhook's own
	// are far below.
	maxAnswer = 4 << 10
	// tokenLength is that of a callback token.
	tokenLength = 43

	probeTask = "lumaflow-doctor"
	whole     = `{"code":200,"msg":"a probe of lumaflow doctor","data":{"taskId":"` + probeTask + `"}}`
	// taskless is refused by a webhook that knows the token, before it asks for
	// a signature and before Temporal.
	taskless = `{"code":200,"msg":"a probe of lumaflow doctor that names no task","data":{}}`
)

// reply is what came back for a probe. Nothing in it quotes the probe's URL.
type reply struct {
	status int
	// word is what the webhook says in its JSON; empty if something else
	// answered.
	word string
	// location is scheme and host of a redirect.
	location string
	// address is who was connected to, unless that was a proxy of ours.
	address netip.Addr
	date    time.Time
	took    time.Duration
	err     error
}

// is reports whether the webhook itself answered like this.
func (r reply) is(status int, word string) bool { return r.status == status && r.word == word }

func (r reply) received() bool     { return r.is(http.StatusOK, "received") }
func (r reply) unauthorized() bool { return r.is(http.StatusUnauthorized, "unauthorized") }
func (r reply) busy() bool         { return r.is(http.StatusServiceUnavailable, "try again") }

// recognised is the answer to a right token without a task.
func (r reply) recognised() bool { return r.is(http.StatusBadRequest, "no callback of kie.ai") }

func (r reply) redirects() bool { return r.status >= 300 && r.status < 400 }

// replies are the answers to the unsigned probes.
type replies struct {
	// stranger has a wrong token; known a right one and no task; odd is like
	// known, for an id that paths trip over; unsigned lacks nothing but a
	// signature.
	stranger, known, odd, unsigned reply
}

// prober posts to the webhook as kie.ai would.
type prober struct {
	client    *http.Client
	minter    *callback.Minter
	namespace string
}

func newProber(minter *callback.Minter, namespace string) *prober {
	return &prober{
		client: &http.Client{
			Transport: &http.Transport{
				Proxy:                  http.ProxyFromEnvironment,
				DialContext:            (&net.Dialer{}).DialContext,
				ForceAttemptHTTP2:      true,
				MaxResponseHeaderBytes: 64 << 10,
				// Every probe shows the whole way, and none is sent twice.
				DisableKeepAlives: true,
			},
			// Nobody has promised that kie.ai follows redirects.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
			Timeout:       patience,
		},
		minter:    minter,
		namespace: namespace,
	}
}

// probe asks the webhook side by side.
func (p *prober) probe(ctx context.Context) (got replies) {
	id := callback.ProbeID()
	known := p.minter.URL(p.namespace, id)
	var posts sync.WaitGroup
	posts.Go(func() { got.stranger = p.post(ctx, forged(known), whole, nil) })
	posts.Go(func() { got.known = p.post(ctx, known, taskless, nil) })
	posts.Go(func() { got.odd = p.post(ctx, p.minter.URL(p.namespace, callback.EscapedProbeID()), taskless, nil) })
	posts.Go(func() { got.unsigned = p.post(ctx, known, whole, nil) })
	posts.Wait()
	return got
}

// signed posts one probe with each of the keys, as if it were kie.ai's.
func (p *prober) signed(ctx context.Context, verifier kie.Verifier, at time.Time) []reply {
	timestamp, signatures := verifier.Sign(probeTask, at)
	got := make([]reply, len(signatures))
	var posts sync.WaitGroup
	for i, signature := range signatures {
		posts.Go(func() {
			got[i] = p.post(ctx, p.minter.URL(p.namespace, callback.ProbeID()), whole, map[string]string{
				kie.TimestampHeader: timestamp,
				kie.SignatureHeader: signature,
			})
		})
	}
	posts.Wait()
	return got
}

// forged is the URL with another token of the same look.
func forged(target string) string {
	return target[:strings.LastIndex(target, "/")+1] + (rand.Text() + rand.Text())[:tokenLength]
}

func (p *prober) post(ctx context.Context, target, body string, headers map[string]string) (got reply) {
	begin := time.Now()
	defer func() { got.took = time.Since(begin) }()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, target, strings.NewReader(body))
	if err != nil {
		return reply{err: withoutURL(err)}
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("User-Agent", userAgent())
	for name, value := range headers {
		request.Header.Set(name, value)
	}
	if proxy, err := http.ProxyFromEnvironment(request); proxy == nil && err == nil {
		request = request.WithContext(httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
			GotConn: func(info httptrace.GotConnInfo) {
				remote, _ := netip.ParseAddrPort(info.Conn.RemoteAddr().String())
				got.address = remote.Addr().Unmap()
			},
		}))
	}
	response, err := p.client.Do(request)
	if err != nil {
		got.err = withoutURL(err)
		return got
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		got.err = withoutURL(err)
		return got
	}
	got.status = response.StatusCode
	got.word = word(answer)
	if location, err := response.Location(); err == nil {
		got.location = location.Scheme + "://" + location.Host
	}
	// An answer without a date tells no time.
	got.date, _ = http.ParseTime(response.Header.Get("Date"))
	return got
}

// word reads what the webhook's answers hold.
func word(answer []byte) string {
	var said struct {
		Status string `json:"status"`
	}
	if json.Unmarshal(answer, &said) != nil {
		return ""
	}
	return said.Status
}

// withoutURL takes an error out of the one that quotes the URL, which holds a
// token.
func withoutURL(err error) error {
	var quoting *url.Error
	if errors.As(err, &quoting) {
		return quoting.Err
	}
	return err
}
