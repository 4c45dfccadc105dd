package weburl_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lumaflow/internal/weburl"
)

// signed is a query as signers write it. No byte of it may change.
const signed = "?X-Amz-Credential=AKIA%2F20261127%2Fus-east-1%2fs3&sig=a%2Bb+c/d==&p=~acl=/*~hmac=0&x={1|2}^`[3]\\'!();:@,&%zz&100%"

func TestParse(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ link, host, target string }{
		"ordinary":           {"https://cdn.example/a/b.mp4", "cdn.example", "/a/b.mp4"},
		"no path":            {"https://cdn.example", "cdn.example", "/"},
		"query alone":        {"https://cdn.example?a=1", "cdn.example", "/?a=1"},
		"empty query":        {"https://cdn.example/a?", "cdn.example", "/a?"},
		"signed query":       {"https://cdn.example/a.mp4" + signed, "cdn.example", "/a.mp4" + signed},
		"escapes in a path":  {"https://cdn.example/a%2Fb%2fc%20d%C3%A9.mp4?x", "cdn.example", "/a%2Fb%2fc%20d%C3%A9.mp4?x"},
		"signs in a path":    {"https://cdn.example/a;b=c,d/(e)/~f/!$&'*+:@[g]", "cdn.example", "/a;b=c,d/(e)/~f/!$&'*+:@[g]"},
		"dots and slashes":   {"https://cdn.example//a/./b/../c//", "cdn.example", "//a/./b/../c//"},
		"blank":              {"https://cdn.example/my clip%2F1.mp4?n=my clip&s=%2F", "cdn.example", "/my%20clip%2F1.mp4?n=my%20clip&s=%2F"},
		"quotes":             {`https://cdn.example/"a"<b>.mp4?c="d"<e>`, "cdn.example", "/%22a%22%3Cb%3E.mp4?c=%22d%22%3Ce%3E"},
		"braces":             {"https://cdn.example/{a}|b^c`d\\e", "cdn.example", "/%7Ba%7D%7Cb%5Ec%60d%5Ce"},
		"control characters": {"https://cdn.example/a\r\nHost: x\t\x00\x7f?b\nc", "cdn.example", "/a%0D%0AHost:%20x%09%00%7F?b%0Ac"},
		"non-ASCII":          {"https://cdn.example/é/雪.mp4?q=雪", "cdn.example", "/%C3%A9/%E9%9B%AA.mp4?q=%E9%9B%AA"},
		"bytes that no text": {"https://cdn.example/\xff?\xfe", "cdn.example", "/%FF?%FE"},
		"a percent sign":     {"https://cdn.example/100%/50%2/%zz%41?100%", "cdn.example", "/100%25/50%252/%25zz%41?100%"},
		"around it":          {" \t\r\nhttps://cdn.example/a \n\x00", "cdn.example", "/a"},
		"fragment":           {"https://cdn.example/a?b#c?d", "cdn.example", "/a?b"},
		"upper case":         {"HTTPS://CDN.Example/A?B", "cdn.example", "/A?B"},
		"port":               {"https://cdn.example:8443/a", "cdn.example:8443", "/a"},
		"empty port":         {"https://cdn.example:/a", "cdn.example", "/a"},
		"final dot":          {"https://cdn.example./a", "cdn.example.", "/a"},
		"underscore":         {"https://my_bucket.s3.example/a", "my_bucket.s3.example", "/a"},
		"IDNA":               {"https://Bücher.example:8443/ü", "xn--bcher-kva.example:8443", "/%C3%BC"},
		"IDNA, sharp s":      {"https://faß.example/", "xn--fa-hia.example", "/"},
		"IDNA, encoded":      {"https://b%C3%BCcher.example/", "xn--bcher-kva.example", "/"},
		"IDNA, ASCII form":   {"https://XN--BCHER-KVA.example/", "xn--bcher-kva.example", "/"},
		"full-width letters": {"https://ｃｄｎ。ｅxample/", "cdn.example", "/"},
		"full-width address": {"https://１２７.0.0.1/", "127.0.0.1", "/"},
		"IPv4":               {"https://127.0.0.1:1/", "127.0.0.1:1", "/"},
		"IPv6":               {"https://[2001:DB8:0::1]:1/", "[2001:db8::1]:1", "/"},
		"another scheme":     {"ftp://cdn.example/a b", "cdn.example", "/a%20b"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			parsed, err := weburl.Parse(test.link)
			require.NoError(t, err)
			assert.Equal(t, test.host, parsed.Host)
			assert.Equal(t, test.target, parsed.RequestURI())
			assert.Nil(t, parsed.User)

			encoded, err := weburl.Encode(test.link)
			require.NoError(t, err)
			again, err := weburl.Encode(encoded)
			require.NoError(t, err)
			assert.Equal(t, encoded, again, "an encoded link changes no more")
		})
	}
}

func TestUnusable(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ link, text string }{
		"empty":                    {"", `the link "" is not an absolute URL`},
		"blank":                    {" \n", `the link "" is not an absolute URL`},
		"word":                     {"pending", `the link "pending" is not an absolute URL`},
		"path":                     {"/secret.mp4?secret", `the link "/…" is not an absolute URL`},
		"no scheme":                {"me:secret@cdn.example/secret", `the link "cdn.example/…" is not an absolute URL`},
		"no host":                  {"https:///secret?secret", `the link "https:///…" is not an absolute URL`},
		"one slash":                {"https:/cdn.example/secret", `the link "https:/…" is not an absolute URL`},
		"too long":                 {"https://cdn.example/" + strings.Repeat("x", weburl.MaxLength), "the link is longer than 16 KiB"},
		"blank in the host":        {"https://cdn .example/secret", `the link "https://cdn .example/…" is unusable: its host is no valid name or address`},
		"backslash in the host":    {`https://cdn.example\@evil.example/`, "no valid name"},
		"escaped slash":            {"https://cdn.example%2F.evil.example/", "no valid name"},
		"escaped at":               {"https://cdn.example%40evil.example/", "no valid name"},
		"bad escape":               {"https://cdn%zz.example/", "no valid name"},
		"slash made by IDNA":       {"https://cdn.example／.evil.example/", "no valid name"},
		"a/c made by IDNA":         {"https://cdn.example℀.evil.example/", "no valid name"},
		"no text":                  {"https://cdn\xff.example/", "no valid name"},
		"control in the host":      {"https://cdn\n.example/secret", `"https://cdn\n.example/…"`},
		"empty label":              {"https://cdn..example/", "no valid name"},
		"dots alone":               {"https://../", "no valid name"},
		"long label":               {"https://" + strings.Repeat("x", 64) + ".example/", "no valid name"},
		"long host":                {"https://" + strings.Repeat("x.", 130) + "example/", "…\" is unusable"},
		"port alone":               {"https://:80/", "no valid name"},
		"port that is none":        {"https://cdn.example:8o/", "its port is no number"},
		"two ports":                {"https://cdn.example:80:90/", "its port is no number"},
		"IPv6 without brackets":    {"https://2001:db8::1/", "address and is none"},
		"zone":                     {"https://[fe80::1%25.cdn.example]/", "its host has a zone"},
		"zone, not encoded":        {"https://[fe80::1%eth0]/", "its host has a zone"},
		"brackets around a name":   {"https://[cdn.example]/", "no valid name"},
		"unclosed bracket":         {"https://[::1?secret", `"https://[::1/…" is unusable`},
		"text after the bracket":   {"https://[::1].cdn.example/", "its port is no number"},
		"short address":            {"https://127.1/", "ends like an address"},
		"number":                   {"https://2130706433/", "ends like an address"},
		"hexadecimal":              {"https://0x7F000001/", "ends like an address"},
		"octal":                    {"https://0177.0.0.1/", "ends like an address"},
		"name that ends in number": {"https://cdn.example.1/", "ends like an address"},
		"user":                     {"https://me:secret@cdn .example/", `the link "https://cdn .example/…" is unusable`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			parsed, err := weburl.Parse(test.link)
			require.ErrorContains(t, err, test.text, "%v", parsed)
			assert.NotContains(t, err.Error(), "secret")
			assert.NotContains(t, err.Error(), "\n")
			assert.Less(t, len(err.Error()), 300)
			_, err = weburl.Encode(test.link)
			require.Error(t, err)
		})
	}
	parsed, err := weburl.Parse("https://me:secret@cdn.example/")
	require.NoError(t, err)
	assert.NotNil(t, parsed.User, "a caller can refuse it")
}

func TestResolve(t *testing.T) {
	t.Parallel()
	base, err := weburl.Parse("https://cdn.example/a%2Fb/c.mp4?old")
	require.NoError(t, err)
	tests := map[string]struct{ reference, want string }{
		"absolute":        {"https://Other.example/x y?" + signed[1:], "https://other.example/x%20y" + signed},
		"without scheme":  {"//bücher.example/x y", "https://xn--bcher-kva.example/x%20y"},
		"rooted":          {"/x%2Fy z?a b%2F#c", "https://cdn.example/x%2Fy%20z?a%20b%2F"},
		"relative":        {"../d.mp4", "https://cdn.example/d.mp4"},
		"beside":          {"d%2Fe é", "https://cdn.example/a%2Fb/d%2Fe%20%C3%A9"},
		"query alone":     {"?new=1|2", "https://cdn.example/a%2Fb/c.mp4?new=1|2"},
		"backslashes":     {`\\evil.example\x`, "https://cdn.example/a%2Fb/%5C%5Cevil.example%5Cx"},
		"control":         {"/x\r\nSet-Cookie: y", "https://cdn.example/x%0D%0ASet-Cookie:%20y"},
		"blanks around":   {" /x ", "https://cdn.example/x"},
		"empty":           {" ", ""},
		"no host":         {"https:///x", ""},
		"slashes alone":   {"///evil.example/x", ""},
		"bad host":        {"//cdn .example/x", ""},
		"zone":            {"//[fe80::1%25eth0]/x", ""},
		"too long":        {"/" + strings.Repeat("x", weburl.MaxLength), ""},
		"scheme, no host": {"javascript:alert(1)", ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			resolved, err := weburl.Resolve(base, test.reference)
			if test.want == "" {
				require.Error(t, err)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, test.want, resolved.Scheme+"://"+resolved.Host+resolved.RequestURI())
		})
	}
}

func TestHost(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"Example.COM": "example.com", "example.com.": "example.com", "bücher.example": "xn--bcher-kva.example",
		"127.0.0.1": "127.0.0.1", "[2001:DB8::1]": "2001:db8::1", "2001:db8::1": "2001:db8::1", "localhost": "localhost",
		"": "", ".example.com": "", "*.example.com": "", "example.com:443": "", "https://example.com": "", "a@b": "", "example.com/x": "",
		"fe80::1%eth0": "", "[fe80::1%eth0]": "", "0.0.1": "", "a b": "",
	} {
		host, err := weburl.Host(name)
		if want == "" {
			require.Error(t, err, name)
			continue
		}
		require.NoError(t, err, name)
		assert.Equal(t, want, host)
	}
}

// A server receives the link unchanged.
func TestSentBytes(t *testing.T) {
	t.Parallel()
	received := make(chan string, 1)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { received <- r.RequestURI }))
	defer server.Close()
	parsed, err := weburl.Parse(server.URL + "/my clip%2F{1}.mp4" + signed)
	require.NoError(t, err)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://replaced.example", nil)
	require.NoError(t, err)
	request.URL, request.Host = parsed, parsed.Host
	response, err := server.Client().Do(request)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	assert.Equal(t, "/my%20clip%2F%7B1%7D.mp4"+signed, <-received)
}

// FuzzParse checks the invariants of a link of any origin: the result is ASCII, its
// host is a plain name or address, a second encoding changes nothing, and errors hold
// no more of the link than its host.
//
//	go test ./internal/weburl -run '^$' -fuzz '^FuzzParse$' -fuzztime 10m
func FuzzParse(f *testing.F) {
	for _, link := range []string{
		"https://cdn.example/a b?c d#e", "https://Bücher.example:8443/%zz" + signed, "https://[fe80::1%25eth0]/", "https://１２７.1/",
		`https://a\@b/`, "https://me:pw@cdn.example/", "//cdn.example", "https:///x", "a:b", "https://cdn.example//x", "https://a.example:99999/",
	} {
		f.Add(link)
	}
	base, err := weburl.Parse("https://base.example/a")
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, link string) {
		check := func(parsed *url.URL, err error) {
			if err != nil {
				assert.Less(t, len(err.Error()), 1000)
				return
			}
			assert.Regexp(t, `^([a-z0-9._-]+|\[[0-9a-f:.]+\])(:[0-9]{1,5})?$`, parsed.Host)
			assert.Regexp(t, `^[!-~]*$`, parsed.RequestURI())
			assert.Empty(t, parsed.Fragment)
			again, err := weburl.Parse(parsed.Scheme + "://" + parsed.Host + parsed.RequestURI())
			require.NoError(t, err)
			assert.Equal(t, parsed.Host, again.Host)
			assert.Equal(t, parsed.RequestURI(), again.RequestURI())
		}
		check(weburl.Parse(link))
		check(weburl.Resolve(base, link))
		encoded, err := weburl.Encode(link)
		if err == nil {
			second, err := weburl.Encode(encoded)
			require.NoError(t, err)
			assert.Equal(t, encoded, second)
		}
	})
}
