package gallery

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"net"
	"net/http"
	"strings"
	"time"
)

// cookieLifetime is the time after which a browser needs the link with the token
// again.
const cookieLifetime = 30 * 24 * time.Hour

// guard admits requests. With a token, a request needs the cookie that the link with
// the token sets. Without one, its Host header must name this machine, because a
// foreign page could otherwise read the gallery under a name of its own that
// resolves to a loopback address (DNS rebinding).
type guard struct {
	token string
	// cookie is the name and value of the cookie. The value is derived from the
	// token, so that the cookie does not disclose it. Browsers share cookies between
	// ports; the name differs for another token.
	cookie, value string
}

func newGuard(token string) guard {
	if token == "" {
		return guard{}
	}
	mac := hmac.New(sha256.New, []byte(token))
	_, _ = mac.Write([]byte("lumaflow gallery cookie v1"))
	sum := base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
	return guard{token: token, cookie: "lumaflow_gallery_" + sum[:8], value: sum[8:]}
}

// admits answers a request that is not admitted, and one that carries the token.
func (g guard) admits(w http.ResponseWriter, r *http.Request, refuse func(http.ResponseWriter, int, string)) bool {
	if g.token == "" {
		if isLoopbackHost(r.Host) {
			return true
		}
		refuse(w, http.StatusForbidden, "This gallery answers to localhost and 127.0.0.1 only. For other names start it with --token.")
		return false
	}
	if cookie, err := r.Cookie(g.cookie); err == nil && equal(cookie.Value, g.value) {
		if r.URL.Query().Has("token") {
			withoutToken(w, r)
			return false
		}
		return true
	}
	if bearer, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok && equal(bearer, g.token) {
		return true
	}
	given := r.URL.Query().Get("token")
	if !equal(given, g.token) {
		text := "This gallery needs its token."
		if given != "" {
			text = "That is not the token of this gallery."
		}
		refuse(w, http.StatusUnauthorized, text)
		return false
	}
	//nolint:gosec // Secure is set wherever the browser came by https; loopback has none
	http.SetCookie(w, &http.Cookie{
		Name: g.cookie, Value: g.value, Path: "/", MaxAge: int(cookieLifetime.Seconds()), HttpOnly: true,
		// A link in the Temporal UI leads here from another site.
		SameSite: http.SameSiteLaxMode,
		Secure:   r.TLS != nil || r.Header.Get("X-Forwarded-Proto") == "https",
	})
	withoutToken(w, r)
	return false
}

// withoutToken redirects to the same page without the token in the address.
func withoutToken(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	query.Del("token")
	// Relative to the page, for a proxy that serves the gallery below a path.
	target := "./" + r.URL.EscapedPath()[strings.LastIndexByte(r.URL.EscapedPath(), '/')+1:]
	if len(query) > 0 {
		target += "?" + query.Encode()
	}
	w.Header().Set("Location", target)
	w.WriteHeader(http.StatusSeeOther)
}

// equal compares in constant time.
func equal(given, want string) bool {
	a, b := sha256.Sum256([]byte(given)), sha256.Sum256([]byte(want))
	return hmac.Equal(a[:], b[:])
}

// isLoopbackHost reports whether a Host header names this machine.
func isLoopbackHost(header string) bool {
	host, _, err := net.SplitHostPort(header)
	if err != nil {
		host = strings.Trim(header, "[]")
	}
	return IsLoopback(host)
}

// IsLoopback reports whether a host is localhost or a loopback address.
func IsLoopback(host string) bool {
	ip := net.ParseIP(host)
	return strings.EqualFold(host, "localhost") || ip != nil && ip.IsLoopback()
}
