package callback

import (
	"crypto/rand"
	"regexp"
)

const (
	probePrefix = "lumaflow-doctor."
	// escapes is a suffix that proxies which rewrite paths change.
	escapes = "/a b%2Fé"
)

var probeID = regexp.MustCompile(`^lumaflow-doctor\.[A-Z2-7]{26}(` + regexp.QuoteMeta(escapes) + `)?$`)

// ProbeID returns a new workflow id for a callback of lumaflow doctor:
// "lumaflow-doctor." and 26 random characters. The 130 random bits rule out that a
// job has the id, so a callback to it signals no job; its token is valid for no
// other id.
func ProbeID() string { return probePrefix + rand.Text() }

// EscapedProbeID returns a new probe id whose URL is only recognised if no proxy
// rewrites its path.
func EscapedProbeID() string { return ProbeID() + escapes }

// IsProbe reports whether a workflow id has the form of a probe id. It is no proof:
// every sender can use such an id.
func IsProbe(workflowID string) bool { return probeID.MatchString(workflowID) }
