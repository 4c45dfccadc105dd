// Package kie is a client of kie.ai: it submits tasks, reads their records,
// renews result links, reads the credit balance, uploads source videos, and
// decodes and verifies the callbacks that kie.ai sends.
//
// kie.ai serves many models in families; each family has its own paths, request
// fields and record fields. Each family is a value in a file of its own: see family.go.
// Everything else is common to kie.ai.
//
// Two facts shape the package. kie.ai documents no idempotency key, so a
// submission is sent once and its error states whether a task may exist: see
// Submit and Class. And kie.ai reports most errors inside an HTTP 200, as
// {"code":…,"msg":…}: see Error. Fields that kie.ai's pages leave open, or
// describe in contradictory ways, are decoded leniently.
//
// Provider facts are from docs.kie.ai: luma-api/generate-luma-modify-video,
// luma-api/get-luma-modify-details, luma-api/generate-luma-modify-video-callbacks,
// common-api/download-url, common-api/quickstart, common-api/webhook-verification
// and file-upload-api. A fact that is marked observed is from reports of other
// users.
package kie

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"

	"github.com/hashicorp/go-retryablehttp"
	"golang.org/x/time/rate"
)

// The hosts of kie.ai. Uploads have a host of their own and use the same key.
const (
	DefaultBaseURL       = "https://api.kie.ai"
	DefaultUploadBaseURL = "https://kieai.redpandaai.co"
)

// MaxBody bounds, in bytes, every answer and every callback that is decoded.
const MaxBody = 1 << 20

// Options configure a Client. Only APIKey is required.
type Options struct {
	// BaseURL and UploadBaseURL replace the default hosts. A path is kept as a
	// prefix of every request.
	BaseURL       string
	UploadBaseURL string
	// APIKey is sent to those two hosts and nowhere else.
	APIKey string `json:"-"`
	// UserAgent is sent with every request; empty means UserAgent("dev").
	UserAgent string
	// Logger gets one debug line for each answer; nil disables logging.
	Logger *slog.Logger
	// Transport replaces the client's own transport, which uses the proxies of the
	// environment, in tests. Submissions use a clone of an *http.Transport. With any
	// other RoundTripper the client can't observe the connection, so that a submission
	// that fails is always Unknown.
	Transport http.RoundTripper
}

// Format keeps the key out of everything that prints the options.
func (o Options) Format(state fmt.State, _ rune) {
	_, _ = io.WriteString(state, "kie.Options("+redacted+")")
}

// LogValue keeps the key out of logs.
func (o Options) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(o)) }

// UserAgent is the User-Agent of a version of lumaflow. Observed: kie.ai's CDN
// blocks clients whose User-Agent is not like that of a browser.
func UserAgent(version string) string {
	return "Mozilla/5.0 (compatible; lumaflow/" + version + ")"
}

// Client sends requests to kie.ai. It is safe for concurrent use. Its printed
// form holds no secret.
type Client struct {
	api, uploads *url.URL
	userAgent    string
	logger       *slog.Logger
	transport    http.RoundTripper
	reads        *retryablehttp.Client
	// catalogue limits the requests for pages of the catalogue.
	catalogue *rate.Limiter
	// The key is held by these closures only: fmt and debuggers that print the
	// struct do not print captured variables.
	authorize func(*http.Request)
	redact    func(string) string
}

// New checks the options and returns a client. Its errors name the setting
// that is wrong and never repeat its value.
func New(options Options) (*Client, error) {
	api, err := baseURL(options.BaseURL, DefaultBaseURL)
	if err != nil {
		return nil, fmt.Errorf("KIE_BASE_URL %w", err)
	}
	uploads, err := baseURL(options.UploadBaseURL, DefaultUploadBaseURL)
	if err != nil {
		return nil, fmt.Errorf("KIE_UPLOAD_BASE_URL %w", err)
	}
	key := strings.TrimSpace(options.APIKey)
	if key == "" {
		return nil, errors.New("KIE_API_KEY is empty: set it to your kie.ai API key")
	}
	if strings.ContainsFunc(key, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return nil, errors.New("KIE_API_KEY holds a blank or a character that no key has: copy it again")
	}

	client := &Client{
		api:       api,
		uploads:   uploads,
		userAgent: cmp.Or(options.UserAgent, UserAgent("dev")),
		logger:    cmp.Or(options.Logger, slog.New(slog.DiscardHandler)),
		transport: options.Transport,
		authorize: func(request *http.Request) { request.Header.Set("Authorization", "Bearer "+key) },
		redact:    redact,
	}
	if len(key) >= minKey {
		client.redact = func(text string) string { return redact(strings.ReplaceAll(text, key, redacted)) }
	}
	if client.transport == nil {
		if client.transport, err = newTransport(); err != nil {
			return nil, err
		}
	}
	client.reads = newReader(client.transport)
	client.catalogue = rate.NewLimiter(rate.Every(catalogueInterval), 1)
	return client, nil
}

// String names the client's host.
func (c *Client) String() string { return "kie.Client(" + c.api.Host + ")" }

// CloseIdleConnections closes the idle connections of the client.
func (c *Client) CloseIdleConnections() { c.reads.HTTPClient.CloseIdleConnections() }

func baseURL(given, fallback string) (*url.URL, error) {
	base, err := url.Parse(cmp.Or(strings.TrimSpace(given), fallback))
	switch {
	case err != nil || base.Host == "" || base.Scheme != "http" && base.Scheme != "https":
		return nil, errors.New("must be an http or https address like " + fallback)
	case base.User != nil || base.RawQuery != "" || base.ForceQuery || base.Fragment != "":
		return nil, errors.New("must hold no user, query or fragment, only an address like " + fallback)
	}
	return base, nil
}

// prepare sets the headers that are common to all requests.
func (c *Client) prepare(request *http.Request, contentType string) {
	request.Header.Set("User-Agent", c.userAgent)
	request.Header.Set("Accept", "application/json")
	if contentType != "" {
		request.Header.Set("Content-Type", contentType)
	}
	c.authorize(request)
}
