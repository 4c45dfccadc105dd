// Package kie is a client of kie.ai's "Luma Modify Video" API: it submits
// tasks, reads their records, renews result links, asks for the credit balance
// and uploads source videos; and it decodes and verifies the callbacks that
// kie.ai sends.
//
// Two facts shape it. kie.ai has no idempotency key, so a submission is sent
// once and its error says what is known about it: see Submit and Class. And
// kie.ai reports most errors inside an HTTP 200, as {"code":…,"msg":…}: see
// Error. What kie.ai's pages leave open or contradict is decoded leniently.
//
// Provider facts are from docs.kie.ai: luma-api/generate-luma-modify-video,
// luma-api/get-luma-modify-details, luma-api/generate-luma-modify-video-callbacks,
// common-api/download-url, common-api/quickstart, common-api/webhook-verification
// and file-upload-api. A fact that is marked observed is from other users'
// reports.
package kie

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"

	"github.com/hashicorp/go-retryablehttp"
)

// The hosts of kie.ai. Uploads have one of their own and take the same key.
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
	// Logger gets one debug line for each request; nil means none.
	Logger *slog.Logger
	// Transport replaces the client's own; it is meant for tests. Submissions
	// use a clone of an *http.Transport. Any other RoundTripper hides what it
	// sends, so that a submission which fails in it is always Unknown.
	Transport http.RoundTripper
}

// Format keeps the key out of whatever prints the options.
func (o Options) Format(state fmt.State, _ rune) {
	_, _ = io.WriteString(state, "luma.Options("+redacted+")")
}

// LogValue keeps the key out of logs.
func (o Options) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(o)) }

// UserAgent is the User-Agent of a version of lumaflow. kie.ai's CDN has been
// observed to block clients that do not look like a browser.
func UserAgent(version string) string {
	return "Mozilla/5.0 (compatible; lumaflow/" + version + ")"
}

// Client talks to kie.ai. It is safe for concurrent use. Printing it reveals
// no secret.
type Client struct {
	api, uploads *url.URL
	userAgent    string
	logger       *slog.Logger
	transport    http.RoundTripper
	reads        *retryablehttp.Client
	// The key lives in closures only, where no printer or debugger dump of the
	// struct looks.
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
		userAgent: options.UserAgent,
		logger:    options.Logger,
		transport: options.Transport,
		authorize: func(request *http.Request) { request.Header.Set("Authorization", "Bearer "+key) },
		redact:    redact,
	}
	if len(key) >= minKey {
		client.redact = func(text string) string { return redact(strings.ReplaceAll(text, key, redacted)) }
	}
	if client.userAgent == "" {
		client.userAgent = UserAgent("dev")
	}
	if client.logger == nil {
		client.logger = slog.New(slog.DiscardHandler)
	}
	if client.transport == nil {
		client.transport = newTransport()
	}
	client.reads = newReader(client.transport)
	return client, nil
}

// String names the host that the client talks to.
func (c *Client) String() string { return "luma.Client(" + c.api.Host + ")" }

// CloseIdleConnections closes the connections that wait for the next request.
func (c *Client) CloseIdleConnections() { c.reads.HTTPClient.CloseIdleConnections() }

func baseURL(given, fallback string) (*url.URL, error) {
	given = strings.TrimSpace(given)
	if given == "" {
		given = fallback
	}
	base, err := url.Parse(given)
	switch {
	case err != nil || base.Host == "" || base.Scheme != "http" && base.Scheme != "https":
		return nil, errors.New("must be an http or https address like " + fallback)
	case base.User != nil || base.RawQuery != "" || base.ForceQuery || base.Fragment != "":
		return nil, errors.New("must hold no user, query or fragment, only an address like " + fallback)
	}
	return base, nil
}

// prepare sets what every request to one of the two hosts carries.
func (c *Client) prepare(request *http.Request, contentType string) {
	request.Header.Set("User-Agent", c.userAgent)
	request.Header.Set("Accept", "application/json")
	if contentType != "" {
		request.Header.Set("Content-Type", contentType)
	}
	c.authorize(request)
}
