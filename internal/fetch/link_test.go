package fetch_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lumaflow/internal/fetch"
)

// A link and the target of a redirect are sent with what may not stand in a URL
// encoded, and otherwise byte for byte.
func TestSentLinks(t *testing.T) {
	t.Parallel()
	data := video(100_000, 1)
	const signature = "?X-Amz-Credential=AKIA%2F2026%2fs3&sig=a%2Bb+c/d==&p=~acl=/*~hmac=0|{1}&100%"
	tests := map[string]struct{ path, want string }{
		"signed":    {"/a%2Fb/c.mp4" + signature, "/a%2Fb/c.mp4" + signature},
		"blanks":    {"/my clip%2F1.mp4?name=my clip&sig=%2F", "/my%20clip%2F1.mp4?name=my%20clip&sig=%2F"},
		"quotes":    {`/"a"'b'.mp4?"c"='d'`, "/%22a%22'b'.mp4?%22c%22='d'"},
		"non-ASCII": {"/雪.mp4?ü#fragment", "/%E9%9B%AA.mp4?%C3%BC"},
		"percent":   {"/100%.mp4", "/100%25.mp4"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := newOrigin(t, compliant(data, etag))
			redirecting := newOrigin(t, raw("HTTP/1.1 302 Found\r\nLocation: %s\r\n\r\n", server.URL+test.path))
			relative := newOrigin(t, raw("HTTP/1.1 307 Moved\r\nLocation: %s\r\n\r\n", test.path), compliant(data, etag))
			for _, link := range []string{server.URL + test.path, " " + server.URL + test.path + "\n", redirecting.link(), relative.link()} {
				file, err := newFetcher(t).Fetch(t.Context(), fetch.Request{URL: link, Key: key})
				require.NoError(t, err)
				require.NoError(t, file.Discard())
			}
			for _, request := range append(server.requests, relative.requests[1]) {
				assert.Equal(t, test.want, request.RequestURI)
			}
			assert.Len(t, server.requests, 3)
		})
	}
}

// The allow-list is compared with the host that is dialled.
func TestAllowedHostForms(t *testing.T) {
	t.Parallel()
	errDialled := errors.New("dialled")
	tests := []struct {
		hosts, host string
		dialled     string // empty: forbidden
	}{
		{"example.com", "example.com", "example.com:443"},
		{"example.com", "CDN.Example.COM", "cdn.example.com:443"},
		{"example.com", "example.com.", "example.com.:443"},
		{"example.com.", "a.example.com", "a.example.com:443"},
		{"example.com", "ｅxample。com", "example.com:443"},
		{"example.com", "ex%61mple.com:8443", "example.com:8443"},
		{"bücher.example", "BÜCHER.example", "xn--bcher-kva.example:443"},
		{"xn--bcher-kva.example", "cdn.bücher.example", "cdn.xn--bcher-kva.example:443"},
		{"bücher.example", "xn--bcher-kva.example", "xn--bcher-kva.example:443"},
		{"192.0.2.1", "192.0.2.1", "192.0.2.1:443"},
		{"192.0.2.1", "[::ffff:192.0.2.1]", "[::ffff:192.0.2.1]:443"},
		{"[2001:DB8::1]", "[2001:db8:0::1]", "[2001:db8::1]:443"},
		{"2001:db8::1", "[2001:db8::1]", "[2001:db8::1]:443"},

		{"example.com", "example.com.evil.test", ""},
		{"example.com", "evilexample.com", ""},
		{"example.com", "examplе.com", ""}, // a Cyrillic е
		{"example.com", "[fe80::1%25.example.com]", ""},
		{"example.com", "[2001:db8::1%25.example.com]", ""},
		{"example.com", "example.com%2F.evil.test", ""},
		{"example.com", "evil.test／.example.com", ""},
		{"example.com", `evil.test\.example.com`, ""},
		{"example.com", "192.0.2.1", ""},
		{"example.com", "[2001:db8::1]", ""},
		{"192.0.2.1", "192.0.2.10", ""},
		{"192.0.2.1", "a.192.0.2.1", ""},
		{"192.0.2.1", "3221225985", ""},
		{"192.0.2.1", "192.0.513", ""},
		{"2001:db8::1", "[2001:db8::2]", ""},
	}
	for _, test := range tests {
		t.Run(test.host+" on "+test.hosts, func(t *testing.T) {
			t.Parallel()
			fetcher := newFetcher(t, func(o *fetch.Options) { o.AllowHosts = []string{test.hosts} })
			dialled := ""
			fetcher.SetDial(func(_ context.Context, _, address string) (net.Conn, error) {
				dialled = address
				return nil, errDialled
			})
			_, err := fetcher.Fetch(t.Context(), fetch.Request{URL: "https://" + test.host + "/result.mp4?sig=" + secret, Key: key})
			require.Error(t, err)
			assertClean(t, err)
			assert.Equal(t, test.dialled, dialled)
			assert.Equal(t, test.dialled == "", fetch.KindOf(err) == fetch.Forbidden, "%v", err)

			server := newOrigin(t, raw("HTTP/1.1 302 Found\r\nLocation: https://%s/result.mp4?sig=%s\r\n\r\n", test.host, secret))
			fetcher = newFetcher(t, func(o *fetch.Options) { o.AllowHosts = []string{test.hosts, "127.0.0.1"} })
			dialled = ""
			fetcher.SetDial(func(ctx context.Context, network, address string) (net.Conn, error) {
				if strings.HasPrefix(address, "127.0.0.1:") {
					return new(net.Dialer).DialContext(ctx, network, address)
				}
				dialled = address
				return nil, errDialled
			})
			_, err = fetcher.Fetch(t.Context(), fetch.Request{URL: server.link(), Key: key})
			require.Error(t, err)
			assertClean(t, err)
			assert.Equal(t, test.dialled, dialled, "through a redirect")
		})
	}
	for _, hosts := range []string{"fe80::1%eth0", "[fe80::1%25eth0]", "0.0.1", "127.1", "a b", "bücher..example", "example.com／x"} {
		_, err := fetch.New(fetch.Options{WorkDir: t.TempDir(), AllowHosts: []string{hosts}})
		require.ErrorContains(t, err, "FETCH_ALLOW_HOSTS", hosts)
	}
}

func TestUnusableLinks(t *testing.T) {
	t.Parallel()
	for link, text := range map[string]string{
		"pending":                         `download: the link "pending" is not an absolute URL`,
		"cdn.example/result.mp4":          `download: the link "cdn.example/…" is not an absolute URL`,
		"https://c dn.example/?" + secret: `download: the link "https://c dn.example/…" is unusable: its host is no valid name or address`,
	} {
		_, err := newFetcher(t).Fetch(t.Context(), fetch.Request{URL: link, Key: key})
		assert.Equal(t, fetch.Forbidden, fetch.KindOf(err))
		require.EqualError(t, err, text)
		assertClean(t, err)
	}
	server := newOrigin(t, status(http.StatusFound, "Location", "https://c dn.example/?"+secret))
	_, err := newFetcher(t).Fetch(t.Context(), fetch.Request{URL: server.link(), Key: key})
	assert.Equal(t, fetch.Transient, fetch.KindOf(err))
	require.ErrorContains(t, err, `the redirect has no usable target: the link "https://c dn.example/…" is unusable`)
	assertClean(t, err)
}
