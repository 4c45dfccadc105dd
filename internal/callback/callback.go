// Package callback is the one home of the per-job callback URL: the worker
// mints it before it submits, kie.ai posts to it, the webhook recognises it.
//
// The URL names the job by its workflow id and proves by a token that lumaflow
// minted it, so that there is no table to look it up in, and a task whose
// submission was never answered can still be matched to its job. The token is
// as good as a password for exactly one thing: waking that job.
package callback

import (
	"errors"
	"net/url"
	"strconv"
	"strings"
)

const (
	// Route is the path that callbacks are posted to, as a gorilla/mux
	// template. Both variables are path-escaped.
	Route = prefix + "{workflowID}/{token}"

	prefix = "/callbacks/luma/"
)

// Minter makes callback URLs. It is safe for concurrent use.
type Minter struct {
	base    string
	secrets Secrets
}

// NewMinter makes a Minter for CALLBACK_BASE_URL, the address under which the
// internet reaches the webhook: an absolute http or https URL without user,
// query and fragment. A path is kept and put in front of the callback path; the
// proxy in front of the webhook has to take it off again. Its errors name the
// variable and never quote it.
func NewMinter(baseURL string, secrets Secrets) (*Minter, error) {
	base, err := url.Parse(strings.TrimSpace(baseURL))
	if err != nil {
		// The cause is not passed on: it quotes parts of the URL, which may be
		// those of a password.
		return nil, errors.New("CALLBACK_BASE_URL can't be read as a URL; set it to something like https://hooks.example.org")
	}
	if wrong := fault(base); wrong != "" {
		return nil, errors.New("CALLBACK_BASE_URL " + wrong + "; set it to something like https://hooks.example.org")
	}
	if len(secrets.signers) == 0 {
		return nil, errors.New("CALLBACK_BASE_URL needs CALLBACK_SECRET, which is not set; " + howToMake)
	}
	return &Minter{base: strings.TrimRight(base.String(), "/"), secrets: secrets}, nil
}

// fault says what makes a base URL unusable.
func fault(base *url.URL) string {
	switch {
	case base.Scheme != "http" && base.Scheme != "https":
		return "must begin with http:// or https://"
	case base.Hostname() == "":
		return "has no host"
	case !validPort(base.Port()):
		return "has a port that does not exist"
	case base.User != nil:
		return "must not hold a user or a password"
	case base.RawQuery != "" || base.ForceQuery:
		return "must not have a query"
	case base.Fragment != "":
		return "must not have a fragment"
	}
	return ""
}

func validPort(port string) bool {
	number, err := strconv.ParseUint(port, 10, 16)
	return port == "" || err == nil && number > 0
}

// URL returns the callback URL of a job, signed with the first secret. It is
// the same on every call.
func (m *Minter) URL(namespace, workflowID string) string {
	return m.base + prefix + escape(workflowID) + "/" + m.secrets.signers[0](namespace, workflowID)
}

// escape makes one path segment of any workflow id. Dots are left alone except
// in the two ids that every client and router would take for a step in the
// path. Some clients (those of the WHATWG URL standard) take even the escaped
// form for one: a job with such an id relies on polling with them.
func escape(workflowID string) string {
	if workflowID == "." || workflowID == ".." {
		return strings.ReplaceAll(workflowID, ".", "%2E")
	}
	return url.PathEscape(workflowID)
}

// parse takes a callback URL apart, whatever stands in front of the callback
// path.
func parse(rawURL string) (workflowID, token string, ok bool) {
	parsed, err := url.Parse(rawURL)
	if err != nil || fault(parsed) != "" {
		return "", "", false
	}
	path := parsed.EscapedPath()
	start := strings.LastIndex(path, prefix)
	if start < 0 {
		return "", "", false
	}
	id, token, found := strings.Cut(path[start+len(prefix):], "/")
	if !found || strings.Contains(token, "/") {
		return "", "", false
	}
	workflowID, err = url.PathUnescape(id)
	return workflowID, token, err == nil
}
