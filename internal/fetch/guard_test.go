package fetch_test

import (
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lumaflow/internal/fetch"
)

func TestPublic(t *testing.T) {
	t.Parallel()
	tests := map[bool][]string{
		true: {
			"1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255",
			"128.0.0.0", "169.253.255.255", "169.255.0.0", "172.15.255.255", "172.32.0.0", "192.0.1.0", "192.167.255.255",
			"192.169.0.0", "198.17.255.255", "198.20.0.0", "203.0.114.0", "223.255.255.255",
			"2001:4860:4860::8888", "2606:4700::1111", "2a00::1", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8",
		},
		false: {
			"0.0.0.0", "0.1.2.3", "10.0.0.0", "10.255.255.255", "100.64.0.0", "100.127.255.255", "127.0.0.1", "127.255.255.255",
			"169.254.0.0", "169.254.169.254", "172.16.0.0", "172.31.255.255", "192.0.0.1", "192.0.0.170", "192.0.2.1",
			"192.88.99.1", "192.168.0.0", "192.168.255.255", "198.18.0.0", "198.19.255.255", "198.51.100.1", "203.0.113.1",
			"224.0.0.1", "239.255.255.255", "240.0.0.0", "255.255.255.255",
			"192.31.196.1", "192.52.193.1", "192.175.48.1", "2620:4f:8000::1",
			"::", "::1", "::7f00:1", "::a00:1", "fe80::1", "fe80::1%eth0", "febf::1", "fec0::1", "fc00::1", "fdff::1", "ff02::1",
			"100::1", "4000::1", "5f00::1", "2001::1", "2001:0:4136:e378:8000:63bf:3fff:fdd2", "2001:2::1", "2001:10::1",
			"2001:db8::1", "2002:7f00:1::1", "2002:808:808::1", "3ffe::1", "3fff::1",
			"::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::ffff:0:7f00:1",
			"64:ff9b::127.0.0.1", "64:ff9b::169.254.169.254", "64:ff9b::c0a8:1", "64:ff9b:1::8.8.8.8",
		},
	}
	for want, addresses := range tests {
		for _, address := range addresses {
			assert.Equal(t, want, fetch.Public(netip.MustParseAddr(address)), address)
		}
	}
	assert.False(t, fetch.Public(netip.Addr{}))
}

// Without AllowPrivate addresses that are not public are not contacted, in any
// notation.
func TestPrivateAddressesAreNotContacted(t *testing.T) {
	t.Parallel()
	server := newOrigin(t, func(http.ResponseWriter, *http.Request) { t.Error("the server was contacted") })
	_, port, _ := strings.Cut(strings.TrimPrefix(server.URL, "http://"), ":")
	fetcher := newFetcher(t, func(o *fetch.Options) { o.AllowPrivate = false })
	for _, host := range []string{
		"127.0.0.1", "localhost", "LOCALHOST", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0", "[::]",
		"10.0.0.1", "169.254.169.254", "[fe80::1]", "[fd00:ec2::254]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]",
	} {
		_, err := fetcher.Fetch(t.Context(), fetch.Request{URL: "https://" + host + ":" + port + "/result.mp4?sig=" + secret, Key: key})
		assert.Equal(t, fetch.Forbidden, fetch.KindOf(err), "%s: %v", host, err)
		require.ErrorContains(t, err, "not a public address", host)
		assertClean(t, err)
	}
	assert.Empty(t, server.ranges())
}

func TestForbiddenLinks(t *testing.T) {
	t.Parallel()
	server := newOrigin(t, func(http.ResponseWriter, *http.Request) { t.Error("the server was contacted") })
	tests := []struct {
		name, link, text string
		private          bool
		hosts            []string
	}{
		{"http", server.link(), "not https", false, nil},
		{"file", "file:///etc/passwd", "not an absolute URL", true, nil},
		{"file with a host", "file://localhost/etc/passwd", "not https", true, nil},
		{"ftp", "ftp://example.com/x", "not https", true, nil},
		{"relative", "/result.mp4", "not an absolute URL", true, nil},
		{"no host", "https:///result.mp4?sig=" + secret, "not an absolute URL", true, nil},
		{"malformed URL", "http://[::1?" + secret, `the link "http://[::1/…" is unusable`, true, nil},
		{"control characters in the host", "https://example.com\r\n/x?" + secret, "unusable", true, nil},
		{"empty", "", "not an absolute URL", true, nil},
		{"too long", server.link() + strings.Repeat("x", 1<<20), "longer", true, nil},
		{"user", strings.Replace(server.link(), "://", "://user:"+secret+"@", 1), "user name", true, nil},
		{"not on the list", server.link(), "FETCH_ALLOW_HOSTS", true, []string{"example.com,example.org"}},
		{"suffix, but no subdomain", "https://evilexample.com/" + secret, "FETCH_ALLOW_HOSTS", true, []string{"example.com"}},
		{"on the list, but private", "https://127.0.0.1/" + secret, "not a public address", false, []string{"127.0.0.1"}},
		{"cloud metadata, in development", "http://169.254.169.254/latest/" + secret, "not a public address", true, nil},
		{"cloud metadata, mapped", "http://[::ffff:169.254.169.254]/latest/" + secret, "not a public address", true, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			fetcher := newFetcher(t, func(o *fetch.Options) { o.AllowPrivate, o.AllowHosts = test.private, test.hosts })
			_, err := fetcher.Fetch(t.Context(), fetch.Request{URL: test.link, Key: key})
			assert.Equal(t, fetch.Forbidden, fetch.KindOf(err), "%v", err)
			require.ErrorContains(t, err, test.text)
			assertClean(t, err)
		})
	}
}

func TestAllowedHosts(t *testing.T) {
	t.Parallel()
	data := video(100_000, 1)
	server := newOrigin(t, compliant(data, etag))
	link := strings.Replace(server.link(), "127.0.0.1", "LocalHost", 1)
	for _, hosts := range []string{"localhost", "LOCALHOST.", " example.com , localhost "} {
		fetcher := newFetcher(t, func(o *fetch.Options) { o.AllowHosts = []string{hosts} })
		file, err := fetcher.Fetch(t.Context(), fetch.Request{URL: link, Key: key})
		require.NoError(t, err, hosts)
		require.NoError(t, file.Close())
	}
	for _, hosts := range []string{"https://example.com", "example.com:443", "*.example.com", ".example.com", "a@b", "example.com/x"} {
		_, err := fetch.New(fetch.Options{WorkDir: t.TempDir(), AllowHosts: []string{hosts}})
		require.ErrorContains(t, err, "FETCH_ALLOW_HOSTS", hosts)
	}
}

func TestRedirects(t *testing.T) {
	t.Parallel()
	data := video(100_000, 1)
	to := func(location string) http.HandlerFunc { return status(http.StatusFound, "Location", location) }
	hops := func(n int, last http.HandlerFunc) []http.HandlerFunc {
		var script []http.HandlerFunc
		for range n {
			script = append(script, to("/next?sig="+secret))
		}
		return append(script, last)
	}
	tests := []struct {
		name   string
		script []http.HandlerFunc
		kind   fetch.Kind
		text   string
	}{
		{"ten", hops(10, compliant(data, etag)), 0, ""},
		{"eleven", hops(11, compliant(data, etag)), fetch.Forbidden, "more than 10 redirects"},
		{"permanent", steps(status(308, "Location", "/x"), compliant(data, etag)), 0, ""},
		{"to a forbidden host", steps(to("http://localhost:1/?sig=" + secret)), fetch.Forbidden, "FETCH_ALLOW_HOSTS"},
		{"to a forbidden address", steps(to("http://169.254.169.254/?sig=" + secret)), fetch.Forbidden, "not a public address"},
		{"to a forbidden scheme", steps(to("file://127.0.0.1/etc/passwd")), fetch.Forbidden, "not https"},
		{"without a host", steps(to("http:///x")), fetch.Transient, `the redirect has no usable target: the link "http:///…" is not an absolute URL`},
		{"with a user", steps(to("http://user:" + secret + "@127.0.0.1/")), fetch.Forbidden, "user name"},
		{"to a dead link", hops(1, status(403)), fetch.LinkDead, "HTTP 403"},
		{"too long a target", steps(to("/" + strings.Repeat("x", 20_000))), fetch.Transient, "no usable target"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			server := newOrigin(t, test.script...)
			fetcher := newFetcher(t, func(o *fetch.Options) { o.AllowHosts = []string{"127.0.0.1", "169.254.169.254"} })
			file, err := fetcher.Fetch(t.Context(), fetch.Request{URL: server.link(), Key: key})
			assert.Equal(t, test.kind, fetch.KindOf(err), "%v", err)
			for _, request := range server.requests {
				assert.Empty(t, request.Referer())
				assert.Equal(t, "identity", request.Header.Get("Accept-Encoding"))
			}
			if test.kind != 0 {
				require.ErrorContains(t, err, test.text)
				assertClean(t, err)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, sum(data), file.SHA256)
			require.NoError(t, file.Close())
		})
	}
}

// A redirected request keeps the Range and the If-Range.
func TestResumeThroughRedirect(t *testing.T) {
	t.Parallel()
	data := video(900_000, 1)
	server := newOrigin(t, breakAfter(data, etag, 400_000), status(307, "Location", "/elsewhere"), compliant(data, etag))
	fetcher := newFetcher(t)
	_, err := fetcher.Fetch(t.Context(), fetch.Request{URL: server.link(), Key: key})
	require.Error(t, err)
	file, err := fetcher.Fetch(t.Context(), fetch.Request{URL: server.link(), Key: key})
	require.NoError(t, err)
	assert.Equal(t, []string{"", "bytes=400000-", "bytes=400000-"}, server.ranges())
	assert.Equal(t, sum(data), file.SHA256)
	require.NoError(t, file.Close())
}

func TestUntrustedCertificate(t *testing.T) {
	t.Parallel()
	server := newTLSOrigin(t)
	_, err := newFetcher(t).Fetch(t.Context(), fetch.Request{URL: server + "/result.mp4?sig=" + secret, Key: key})
	assert.Equal(t, fetch.Transient, fetch.KindOf(err))
	require.ErrorContains(t, err, "certificate")
	assertClean(t, err)
}
