// Package callback mints and verifies the per-job callback URL: the worker mints
// it before it submits, kie.ai posts to it, the webhook verifies it.
//
// The URL holds the workflow id of the job and a token, an HMAC that proves that
// lumaflow minted the URL. So the webhook needs no table of URLs, and a task whose
// submission had no answer can still be matched to its job. A token permits one
// thing: to signal that job.
package callback

import (
	"errors"
	"net/url"
	"strconv"
	"strings"
)

const (
	// Route is the path of callbacks, as a gorilla/mux template. Its variables
	// are path-escaped.
	Route = prefix + "{brand:luma|kie}/{workflowID}/{token}"

	prefix = "/callbacks/"
	// LumaBrand is the brand of Luma Modify, kie that of all other models.
	LumaBrand, kie = "luma", "kie"
)

// Minter mints callback URLs. It is safe for concurrent use.
type Minter struct {
	base    string
	secrets Secrets
}

// NewMinter returns a Minter for CALLBACK_BASE_URL, the public address of the
// webhook: an absolute http or https URL without user, query and fragment. A path
// becomes a prefix of the callback path, which the proxy in front of the webhook
// must strip. Its errors name the variable and never quote it.
func NewMinter(baseURL string, secrets Secrets) (*Minter, error) {
	base, err := url.Parse(strings.TrimSpace(baseURL))
	if err != nil {
		// The cause is dropped: it quotes parts of the URL, possibly of a password.
		return nil, errors.New("CALLBACK_BASE_URL can't be read as a URL; set it to something like https://hooks.example.org")
	}
	if problem := baseProblem(base); problem != "" {
		return nil, errors.New("CALLBACK_BASE_URL " + problem + "; set it to something like https://hooks.example.org")
	}
	if len(secrets.signers) == 0 {
		return nil, errors.New("CALLBACK_BASE_URL needs CALLBACK_SECRET, which is not set; " + howToGenerate)
	}
	return &Minter{base: strings.TrimRight(base.String(), "/"), secrets: secrets}, nil
}

// baseProblem describes why a base URL is invalid, empty if it is valid.
func baseProblem(base *url.URL) string {
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

// URL returns the callback URL of a job of Luma Modify, signed with the first secret.
// The result depends on nothing else.
func (m *Minter) URL(namespace, workflowID string) string {
	return m.BrandURL(LumaBrand, namespace, workflowID)
}

// BrandURL is URL for the brand "luma" or "kie".
func (m *Minter) BrandURL(brand, namespace, workflowID string) string {
	return m.base + prefix + brand + "/" + escape(workflowID) + "/" + m.secrets.signers[0](namespace, workflowID)
}

// escape returns a workflow id as one path segment. Only the ids "." and ".." have
// escaped dots, since clients and routers resolve them as path steps. Clients
// that follow the WHATWG URL standard resolve even the escaped form: callbacks of
// such a job get lost with them, and it relies on polling.
func escape(workflowID string) string {
	if workflowID == "." || workflowID == ".." {
		return strings.ReplaceAll(workflowID, ".", "%2E")
	}
	return url.PathEscape(workflowID)
}

// parse splits a callback URL. It ignores everything before the callback path.
func parse(rawURL string) (workflowID, token string, ok bool) {
	parsed, err := url.Parse(rawURL)
	if err != nil || baseProblem(parsed) != "" {
		return "", "", false
	}
	path := parsed.EscapedPath()
	start := strings.LastIndex(path, prefix)
	if start < 0 {
		return "", "", false
	}
	brand, rest, _ := strings.Cut(path[start+len(prefix):], "/")
	if brand != LumaBrand && brand != kie {
		return "", "", false
	}
	id, token, found := strings.Cut(rest, "/")
	if !found || strings.Contains(token, "/") {
		return "", "", false
	}
	workflowID, err = url.PathUnescape(id)
	return workflowID, token, err == nil
}
