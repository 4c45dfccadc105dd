package kie

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// The headers of a signed callback.
const (
	TimestampHeader = "X-Webhook-Timestamp"
	SignatureHeader = "X-Webhook-Signature"
)

// SignatureWindow is the largest accepted difference between the timestamp of a
// signature and the receiver's clock, in either direction. kie.ai documents no
// window; observed: other users take five minutes.
const SignatureWindow = 5 * time.Minute

// The reasons to reject a callback's signature.
var (
	ErrNoSignature    = errors.New("the signature headers are missing or malformed")
	ErrStaleSignature = errors.New("the signature's timestamp is too far from this machine's clock")
	ErrBadSignature   = errors.New("the signature does not match")
)

// Sign returns the values of the two headers of a callback, in the format that
// kie.ai documents: the time in Unix seconds, and the padded base64 of
// HMAC-SHA256 over "<task id>.<timestamp>".
func Sign(key, taskID string, at time.Time) (timestamp, signature string) {
	timestamp = strconv.FormatInt(at.Unix(), 10)
	return timestamp, sign(key, taskID, timestamp)
}

func sign(key, taskID, timestamp string) string {
	mac := hmac.New(sha256.New, []byte(key))
	_, _ = io.WriteString(mac, taskID+"."+timestamp)
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// Verifier verifies the signatures of callbacks. The zero value requires none:
// kie.ai documents that it signs only for accounts with a webhook key.
type Verifier struct {
	keys []string
}

// ParseVerifier parses KIE_WEBHOOK_HMAC_KEY: the valid keys, separated by commas.
// Two keys serve a rotation; without a key no signature is required.
func ParseVerifier(keys string) (Verifier, error) {
	if strings.TrimSpace(keys) == "" {
		return Verifier{}, nil
	}
	var verifier Verifier
	for key := range strings.SplitSeq(keys, ",") {
		key = strings.TrimSpace(key)
		if key == "" {
			// HMAC accepts an empty key, so that everyone could sign.
			return Verifier{}, errors.New("KIE_WEBHOOK_HMAC_KEY holds an empty key: write key1,key2 or leave it unset")
		}
		verifier.keys = append(verifier.keys, key)
	}
	return verifier, nil
}

// Required reports whether callbacks must be signed.
func (v Verifier) Required() bool { return len(v.keys) > 0 }

// Sign returns the timestamp header of a callback and, for each key, the signature
// header that kie.ai would send with that key.
func (v Verifier) Sign(taskID string, at time.Time) (timestamp string, signatures []string) {
	for _, key := range v.keys {
		var signature string
		timestamp, signature = Sign(key, taskID, at)
		signatures = append(signatures, signature)
	}
	return timestamp, signatures
}

// Verify returns the authentic task id of a callback: the candidate that the
// signature covers, or the first candidate if no signature is required. Callers
// must use that id only. A signature does not cover the body and can be replayed
// within the window.
func (v Verifier) Verify(candidates []string, timestamp, signature string, now time.Time) (taskID string, err error) {
	if len(candidates) == 0 {
		return "", ErrNoTaskID
	}
	if !v.Required() {
		return candidates[0], nil
	}
	seconds, err := strconv.ParseInt(timestamp, 10, 64)
	if err != nil || strconv.FormatInt(seconds, 10) != timestamp || signature == "" {
		return "", ErrNoSignature
	}
	if age := now.Sub(time.Unix(seconds, 0)); age < -SignatureWindow || age > SignatureWindow {
		return "", ErrStaleSignature
	}
	// Without an early return the run time does not depend on the matching key
	// or id.
	for _, candidate := range candidates {
		for _, key := range v.keys {
			if subtle.ConstantTimeCompare([]byte(sign(key, candidate, timestamp)), []byte(signature)) == 1 {
				taskID = candidate
			}
		}
	}
	if taskID == "" {
		return "", ErrBadSignature
	}
	return taskID, nil
}

// Format keeps the keys out of everything that prints the verifier, logs included.
func (v Verifier) Format(state fmt.State, _ rune) {
	_, _ = fmt.Fprintf(state, "kie.Verifier(%d keys)", len(v.keys))
}
