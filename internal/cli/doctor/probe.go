package doctor

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"time"

	"lumaflow/internal/callback"
	"lumaflow/internal/kie"
	"lumaflow/internal/proxy"
)

const (
	// callbackTimeout is how long kie.ai waits for an answer to a callback: kie.ai
	// documents 15 s (luma-api/generate-luma-modify-video-callbacks).
	callbackTimeout = 15 * time.Second
	// slowAnswer is the duration from which an answer is worth a warning.
	slowAnswer = 5 * time.Second
	// maxAnswer bounds the bytes read of an answer; the webhook's own answers are
	// far shorter.
	maxAnswer = 4 << 10
	// tokenLength is the length of a callback token in characters.
	tokenLength = 43

	probeTask    = "lumaflow-doctor"
	completeBody = `{"code":200,"msg":"a probe of lumaflow doctor","data":{"taskId":"` + probeTask + `"}}`
	// noTaskBody makes the webhook reject a request with a right token before it
	// checks the signature and calls Temporal.
	noTaskBody = `{"code":200,"msg":"a probe of lumaflow doctor that names no task","data":{}}`
)

// reply is the answer to a probe. It never holds the URL of the probe, which is a
// secret.
type reply struct {
	status int
	// text is the status in the webhook's JSON; empty if another server answered.
	text string
	// target is " to " with scheme and host of a redirect, empty if there is none.
	target string
	// address is the connected peer, unless a proxy of this machine's settings was.
	address netip.Addr
	date    time.Time
	took    time.Duration
	err     error
}

// is compares a reply with an answer of the webhook itself.
func (r reply) is(status int, text string) bool { return r.status == status && r.text == text }

func (r reply) received() bool     { return r.is(http.StatusOK, "received") }
func (r reply) unauthorized() bool { return r.is(http.StatusUnauthorized, "unauthorized") }
func (r reply) busy() bool         { return r.is(http.StatusServiceUnavailable, "try again") }

// tokenAccepted reports the webhook's answer to a right token without a task.
func (r reply) tokenAccepted() bool { return r.is(http.StatusBadRequest, "no callback of kie.ai") }

// replies are the answers to the unsigned probes.
type replies struct {
	// wrongToken is for a forged token, rightToken for a right token and a body
	// without a task, oddID the same for a job id with a slash and a blank, and
	// unsigned for a complete callback without a signature.
	wrongToken, rightToken, oddID, unsigned reply
}

// prober posts callbacks to the webhook as kie.ai does.
type prober struct {
	client    *http.Client
	proxies   proxy.Settings
	minter    *callback.Minter
	namespace string
}

func newProber(minter *callback.Minter, namespace string, proxies proxy.Settings) *prober {
	return &prober{minter: minter, namespace: namespace, proxies: proxies, client: &http.Client{
		Transport: &http.Transport{
			Proxy:                  proxies.ForRequest,
			OnProxyConnectResponse: proxy.CheckConnect,
			MaxResponseHeaderBytes: 64 << 10,
			// Every probe makes a connection, and net/http sends none twice.
			DisableKeepAlives: true,
		},
		// kie.ai documents no support for redirects.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Timeout:       callbackTimeout,
	}}
}

// probe posts the unsigned probes in parallel.
func (p *prober) probe(ctx context.Context) (got replies) {
	id := callback.ProbeID()
	valid := p.minter.URL(p.namespace, id)
	var posts sync.WaitGroup
	posts.Go(func() { got.wrongToken = p.post(ctx, forged(valid), completeBody, nil) })
	posts.Go(func() { got.rightToken = p.post(ctx, valid, noTaskBody, nil) })
	posts.Go(func() { got.oddID = p.post(ctx, p.minter.URL(p.namespace, callback.EscapedProbeID()), noTaskBody, nil) })
	posts.Go(func() { got.unsigned = p.post(ctx, valid, completeBody, nil) })
	posts.Wait()
	return got
}

// signed posts one probe signed with each of the keys.
func (p *prober) signed(ctx context.Context, verifier kie.Verifier, at time.Time) []reply {
	timestamp, signatures := verifier.Sign(probeTask, at)
	got := make([]reply, len(signatures))
	var posts sync.WaitGroup
	for i, signature := range signatures {
		posts.Go(func() {
			got[i] = p.post(ctx, p.minter.URL(p.namespace, callback.ProbeID()), completeBody, map[string]string{
				kie.TimestampHeader: timestamp,
				kie.SignatureHeader: signature,
			})
		})
	}
	posts.Wait()
	return got
}

// forged replaces the token of a URL by a random one of the same format.
func forged(target string) string {
	return target[:strings.LastIndex(target, "/")+1] + (rand.Text() + rand.Text())[:tokenLength]
}

func (p *prober) post(ctx context.Context, target, body string, headers map[string]string) (got reply) {
	begin := time.Now()
	var err error
	defer func() {
		got.took = time.Since(begin)
		// A *url.Error quotes the URL and so the token.
		if wrapping, ok := errors.AsType[*url.Error](err); ok {
			err = wrapping.Err
		}
		got.err = err
	}()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, target, strings.NewReader(body))
	if err != nil {
		return got
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("User-Agent", userAgent())
	for name, value := range headers {
		request.Header.Set(name, value)
	}
	if p.proxies.For(request.URL) == nil {
		request = request.WithContext(httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
			GotConn: func(info httptrace.GotConnInfo) {
				remote, _ := netip.ParseAddrPort(info.Conn.RemoteAddr().String())
				got.address = remote.Addr().Unmap()
			},
		}))
	}
	response, err := p.client.Do(request)
	if err != nil {
		return got
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return got
	}
	got.status = response.StatusCode
	var decoded struct{ Status string }
	if json.Unmarshal(answer, &decoded) == nil {
		got.text = decoded.Status
	}
	if location, err := response.Location(); err == nil {
		got.target = " to " + location.Scheme + "://" + location.Host
	}
	// An answer without a date leaves it zero.
	got.date, _ = http.ParseTime(response.Header.Get("Date"))
	return got
}
