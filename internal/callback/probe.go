package callback

import (
	"crypto/rand"
	"regexp"
)

const (
	probePrefix = "lumaflow-doctor."
	// oddities are what proxies that rewrite paths stumble over.
	oddities = "/a b%2Fé"
)

var probeID = regexp.MustCompile(`^lumaflow-doctor\.[A-Z2-7]{26}(` + regexp.QuoteMeta(oddities) + `)?$`)

// ProbeID makes a workflow id under which the doctor posts to a webhook:
// "lumaflow-doctor." and 26 characters by chance, others on every call. A job
// can't have it, since nobody could know these 130 bits before, so whatever is
// posted there wakes nothing; and its token is of no use for any other id.
func ProbeID() string { return probePrefix + rand.Text() }

// OddProbeID makes a probe's id that arrives only if everything in between
// passes paths on as they are.
func OddProbeID() string { return ProbeID() + oddities }

// IsProbe reports whether a workflow id looks like a probe's. It proves nothing:
// anybody may claim such an id.
func IsProbe(workflowID string) bool { return probeID.MatchString(workflowID) }
