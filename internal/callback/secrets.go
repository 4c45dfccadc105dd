package callback

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
)

const (
	// minSecretBytes is the length of a secret from which guessing it is no
	// easier than guessing a token.
	minSecretBytes = 32
	// howToMake ends every message about an unusable secret.
	howToMake = "make one with: openssl rand -base64 48"
	redacted  = "[redacted]"
)

// Secrets sign and recognise callback tokens: the first signs, all of them
// verify, so that a secret can be replaced while jobs are waiting. The zero
// value recognises nothing. Secrets are safe for concurrent use.
//
// Each secret lives in a closure only: no verb of fmt, no logger and no encoder
// can print what is in there, not even as a field of another struct.
type Secrets struct {
	signers []signer
}

type signer func(namespace, workflowID string) (token string)

// ParseSecrets reads CALLBACK_SECRET: one or several secrets, separated by
// commas, of at least 32 bytes each. Its errors name the variable and never
// quote it.
func ParseSecrets(value string) (Secrets, error) {
	if strings.TrimSpace(value) == "" {
		return Secrets{}, errors.New("CALLBACK_SECRET is not set; " + howToMake)
	}
	var secrets Secrets
	parts := strings.Split(value, ",")
	for i, part := range parts {
		key := strings.TrimSpace(part)
		if len(key) < minSecretBytes {
			return Secrets{}, fmt.Errorf("CALLBACK_SECRET: secret %d of %d has %d bytes but needs at least %d; %s",
				i+1, len(parts), len(key), minSecretBytes, howToMake)
		}
		secrets.signers = append(secrets.signers, signWith(key))
	}
	return secrets, nil
}

func signWith(key string) signer {
	return func(namespace, workflowID string) string {
		mac := hmac.New(sha256.New, []byte(key))
		io.WriteString(mac, "lumaflow callback v1\n"+namespace+"\n"+workflowID)
		return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
	}
}

// Verify reports whether token is what one of the secrets gives to this job.
// How long it takes depends on none of them.
func (s Secrets) Verify(namespace, workflowID, token string) bool {
	// The tokens are compared as text: base64 has several spellings for the
	// same bytes, and only one of them is ever minted.
	verified := 0
	for _, sign := range s.signers {
		verified |= subtle.ConstantTimeCompare([]byte(sign(namespace, workflowID)), []byte(token))
	}
	return verified == 1
}

// Owner says which job a callback URL was minted for, if it was minted with
// these secrets. Whatever stands in front of the callback path, scheme, host and
// prefix, is not looked at: CALLBACK_BASE_URL may have changed since.
func (s Secrets) Owner(rawURL, namespace string) (workflowID string, ok bool) {
	workflowID, token, ok := parse(rawURL)
	if !ok || !s.Verify(namespace, workflowID, token) {
		return "", false
	}
	return workflowID, true
}

// Owns reports whether rawURL is a callback URL of exactly this job.
func (s Secrets) Owns(rawURL, namespace, workflowID string) bool {
	owner, ok := s.Owner(rawURL, namespace)
	return ok && owner == workflowID
}

// String keeps the secrets out of formatted text.
func (s Secrets) String() string { return redacted }

// GoString keeps the secrets out of %#v.
func (s Secrets) GoString() string { return redacted }

// LogValue keeps the secrets out of logs.
func (s Secrets) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText keeps the secrets out of JSON and every other encoding of text.
func (s Secrets) MarshalText() ([]byte, error) { return []byte(redacted), nil }
