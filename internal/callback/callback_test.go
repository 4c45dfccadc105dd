package callback_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lumaflow/internal/callback"
)

const (
	oldSecret = "0123456789abcdef0123456789abcdef"
	newSecret = "fedcba9876543210fedcba9876543210"
)

// specialIDs are ids that Temporal accepts and that have a meaning in paths, for
// clients and routers.
var specialIDs = []string{
	"luma-4f2a", ".", "..", "...", "a.b", "/", "//", "a/b", "/a/", "../../etc", "a/../b", "%", "%2F", "%2e%2e", "%zz", "100%",
	"a b", " ", "a+b", "a?b=c", "a#b", "a;b,c", "a&b=c", `a\b`, `"quoted"`, "{workflowID}", "a:b@c", "jobs/日本語/🎬", "é",
	"\x00", "a\nb", "a\r\nHost: x", "\t", "\x7f", "callbacks/luma/x/y", strings.Repeat("é", 500), strings.Repeat("/", 1000),
}

func secrets(t *testing.T, values ...string) callback.Secrets {
	t.Helper()
	parsed, err := callback.ParseSecrets(strings.Join(values, ","))
	require.NoError(t, err)
	return parsed
}

func minter(t *testing.T, base string, s callback.Secrets) *callback.Minter {
	t.Helper()
	m, err := callback.NewMinter(base, s)
	require.NoError(t, err)
	return m
}

// The tokens were computed with
// printf 'lumaflow callback v1\n…' | openssl dgst -sha256 -hmac … -binary | basenc --base64url
func TestURLHasTheDocumentedForm(t *testing.T) {
	tests := []struct{ secret, base, namespace, id, want string }{
		{
			oldSecret, "https://hooks.example.org", "default", "luma-1/a b",
			"https://hooks.example.org/callbacks/luma/luma-1%2Fa%20b/m1uwmQNGUNEBbdPg70arjIyh11quyFB4gkqAOGToLxs",
		},
		{
			newSecret, "http://127.0.0.1:8080/kie%2Fa/", "studio", "..",
			"http://127.0.0.1:8080/kie%2Fa/callbacks/luma/%2E%2E/zJ5oUboT4Ww7vR1jYrQs8s3QlkN40Pqwm5dQzNwshfA",
		},
	}
	for _, test := range tests {
		m := minter(t, test.base, secrets(t, test.secret))
		assert.Equal(t, test.want, m.URL(test.namespace, test.id))
		assert.Equal(t, test.want, m.URL(test.namespace, test.id), "minted again")
	}
}

func TestURLIsOneSegmentForEveryID(t *testing.T) {
	s := secrets(t, oldSecret)
	m := minter(t, "https://hooks.example.org/in", s)
	for _, id := range specialIDs {
		minted := m.URL("default", id)
		parsed, err := url.Parse(minted)
		require.NoError(t, err, "%q", id)
		segments := strings.Split(parsed.EscapedPath(), "/")
		require.Len(t, segments, 6, "%q: %s", id, minted)
		got, err := url.PathUnescape(segments[4])
		require.NoError(t, err)
		assert.Equal(t, id, got)
		assert.NotContains(t, []string{".", ".."}, segments[4])
		assert.Regexp(t, `^[A-Za-z0-9_-]{43}$`, segments[5])
		assert.True(t, s.Verify("default", id, segments[5]), "%q", id)
		assert.True(t, s.Owns(minted, "default", id), "%q: %s", id, minted)
	}
}

func TestURLsOfDifferentJobsDiffer(t *testing.T) {
	m := minter(t, "https://hooks.example.org", secrets(t, oldSecret))
	seen := map[string]string{}
	for _, id := range specialIDs {
		minted := m.URL("default", id)
		assert.Empty(t, seen[minted], "%q", id)
		seen[minted] = id
	}
}

func TestBaseURL(t *testing.T) {
	s := secrets(t, oldSecret)
	tests := []struct {
		name, base, wantPrefix, wantError string
	}{
		{name: "plain", base: "https://hooks.example.org", wantPrefix: "https://hooks.example.org/callbacks/luma/"},
		{name: "trailing slash", base: "https://hooks.example.org/", wantPrefix: "https://hooks.example.org/callbacks/luma/"},
		{name: "http and port", base: "http://[::1]:8080", wantPrefix: "http://[::1]:8080/callbacks/luma/"},
		{name: "prefix", base: "https://example.org/a/b/", wantPrefix: "https://example.org/a/b/callbacks/luma/"},
		{name: "white space", base: " https://example.org\n", wantPrefix: "https://example.org/callbacks/luma/"},
		{name: "upper case", base: "HTTPS://example.org", wantPrefix: "https://example.org/callbacks/luma/"},
		{name: "empty", base: "", wantError: "must begin with http:// or https://"},
		{name: "no scheme", base: "hooks.example.org", wantError: "must begin with http:// or https://"},
		{name: "host and port only", base: "localhost:8080", wantError: "must begin with http:// or https://"},
		{name: "other scheme", base: "ftp://example.org", wantError: "must begin with http:// or https://"},
		{name: "no host", base: "https:///path", wantError: "has no host"},
		{name: "port only", base: "https://:8080", wantError: "has no host"},
		{name: "opaque", base: "https:example.org", wantError: "has no host"},
		{name: "port too high", base: "https://example.org:70000", wantError: "port"},
		{name: "password", base: "https://user:hunter2@example.org", wantError: "user or a password"},
		{name: "broken password", base: "https://user:hunter2/x@example.org", wantError: "can't be read"},
		{name: "query", base: "https://example.org/?a=b", wantError: "query"},
		{name: "empty query", base: "https://example.org/?", wantError: "query"},
		{name: "fragment", base: "https://example.org/#a", wantError: "fragment"},
		{name: "control character", base: "https://example.org/\x01", wantError: "can't be read"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			m, err := callback.NewMinter(test.base, s)
			if test.wantError == "" {
				require.NoError(t, err)
				assert.True(t, strings.HasPrefix(m.URL("default", "x"), test.wantPrefix+"x/"), m.URL("default", "x"))
				return
			}
			require.ErrorContains(t, err, test.wantError)
			require.ErrorContains(t, err, "CALLBACK_BASE_URL")
			assert.NotContains(t, err.Error(), "hunter2")
			assert.NotContains(t, err.Error(), "\n")
		})
	}

	_, err := callback.NewMinter("https://example.org", callback.Secrets{})
	require.ErrorContains(t, err, "CALLBACK_SECRET")
}

func TestOwnsOnlyTheJobsOwnURL(t *testing.T) {
	s := secrets(t, oldSecret)
	const id = "luma-1/é"
	own := minter(t, "https://hooks.example.org", s).URL("default", id)
	path := strings.TrimPrefix(own, "https://hooks.example.org")
	token := own[strings.LastIndex(own, "/")+1:]
	tests := []struct {
		name, url string
		want      bool
	}{
		{"own", own, true},
		{"moved to another host", "http://10.0.0.1:9000" + path, true},
		{"after a prefix", "https://example.org/a/b" + path, true},
		{"after a prefix like the callback path", "https://example.org/callbacks/luma" + path, true},
		{"lower case escapes", strings.ReplaceAll(own, "%2F", "%2f"), true},
		{"another job", minter(t, "https://hooks.example.org", s).URL("default", "luma-2"), false},
		{"another namespace", minter(t, "https://hooks.example.org", s).URL("studio", id), false},
		{"another secret", minter(t, "https://hooks.example.org", secrets(t, newSecret)).URL("default", id), false},
		{"slash of the id not escaped", strings.ReplaceAll(own, "%2F", "/"), false},
		{"trailing slash", own + "/", false},
		{"another segment", own + "/x", false},
		{"query", own + "?a=b", false},
		{"fragment", own + "#a", false},
		{"user", strings.Replace(own, "https://", "https://a:b@", 1), false},
		{"path only", path, false},
		{"other scheme", "ftp://example.org" + path, false},
		{"no token", strings.TrimSuffix(own, token), false},
		{"token cut short", own[:len(own)-1], false},
		{"padded token", own + "=", false},
		{"another callback path", strings.Replace(own, "/luma/", "/veo/", 1), false},
		{"empty", "", false},
		{"not a URL", "https://%zz", false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			assert.Equal(t, test.want, s.Owns(test.url, "default", id), test.url)
		})
	}
}

func FuzzOwns(f *testing.F) {
	s, err := callback.ParseSecrets(oldSecret)
	require.NoError(f, err)
	m, err := callback.NewMinter("https://hooks.example.org/prefix", s)
	require.NoError(f, err)
	for _, id := range specialIDs {
		f.Add(id, m.URL("default", id))
	}
	f.Fuzz(func(t *testing.T, id, other string) {
		minted := m.URL("default", id)
		if !s.Owns(minted, "default", id) {
			t.Fatalf("the URL of %q is not recognised: %s", id, minted)
		}
		// Every other recognised URL ends in the same token.
		if s.Owns(other, "default", id) && !strings.HasSuffix(other, minted[strings.LastIndex(minted, "/"):]) {
			t.Fatalf("%s is recognised as the URL of %q", other, id)
		}
	})
}
