package kie

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strconv"
	"strings"
	"time"
)

// The headers of a signed callback.
const (
	TimestampHeader = "X-Webhook-Timestamp"
	SignatureHeader = "X-Webhook-Signature"
)

// SignatureWindow is how far the timestamp of a signature may lie from the
// receiver's clock, either way. kie.ai documents no window; five minutes are
// common.
const SignatureWindow = 5 * time.Minute

// Why a callback's signature is not accepted.
var (
	ErrNoSignature    = errors.New("the signature headers are missing or malformed")
	ErrStaleSignature = errors.New("the signature's timestamp is too far from this machine's clock")
	ErrBadSignature   = errors.New("the signature does not match")
)

// Sign makes the two headers of a callback as kie.ai does: the time in Unix
// seconds, and the padded base64 of HMAC-SHA256 over "<task id>.<timestamp>".
func Sign(key, taskID string, at time.Time) (timestamp, signature string) {
	timestamp = strconv.FormatInt(at.Unix(), 10)
	return timestamp, sign(key, taskID, timestamp)
}

func sign(key, taskID, timestamp string) string {
	mac := hmac.New(sha256.New, []byte(key))
	_, _ = io.WriteString(mac, taskID+"."+timestamp)
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// Verifier checks the signatures of callbacks. The zero value requires none:
// kie.ai signs only after its user has created a key.
type Verifier struct {
	keys []string
}

// ParseVerifier takes the keys that are valid now, separated by commas: two
// while they are rotated, none to require no signature.
func ParseVerifier(keys string) (Verifier, error) {
	if strings.TrimSpace(keys) == "" {
		return Verifier{}, nil
	}
	var verifier Verifier
	for key := range strings.SplitSeq(keys, ",") {
		key = strings.TrimSpace(key)
		if key == "" {
			// HMAC takes an empty key, and anybody can sign with it.
			return Verifier{}, errors.New("KIE_WEBHOOK_HMAC_KEY holds an empty key: write key1,key2 or leave it unset")
		}
		verifier.keys = append(verifier.keys, key)
	}
	return verifier, nil
}

// Required reports whether callbacks must be signed.
func (v Verifier) Required() bool { return len(v.keys) > 0 }

// Sign makes the headers of a callback with each of the keys in turn, as kie.ai
// would if that were its key.
func (v Verifier) Sign(taskID string, at time.Time) (timestamp string, signatures []string) {
	for _, key := range v.keys {
		var signature string
		timestamp, signature = Sign(key, taskID, at)
		signatures = append(signatures, signature)
	}
	return timestamp, signatures
}

// Verify returns the task id that a callback is about: the one of the
// candidates that the signature covers, or the first if no signature is
// required. Everything that follows must use that id and no other. A signature
// does not cover the body and can be replayed within the window.
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
	// No early end: the time it takes tells nothing about which key or id fits.
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

// Format keeps the keys out of whatever prints the verifier.
func (v Verifier) Format(state fmt.State, _ rune) {
	_, _ = fmt.Fprintf(state, "luma.Verifier(%d keys)", len(v.keys))
}

// LogValue keeps the keys out of logs.
func (v Verifier) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(v)) }
