package callback

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strings"
)

const (
	// minSecretBytes is the length of a token's HMAC: a shorter secret would be
	// easier to guess than a token.
	minSecretBytes = 32
	// howToGenerate ends every message about an invalid secret.
	howToGenerate = "make one with: openssl rand -base64 48"
	redacted      = "[redacted]"
)

// Secrets sign and verify callback tokens: the first signs, all verify, so that a
// secret can be rotated while jobs wait. The zero value verifies nothing. Secrets
// are safe for concurrent use.
//
// Each secret is held by a closure only: fmt, loggers and encoders do not print
// captured variables, not even of a field of another struct.
type Secrets struct {
	signers []signer
}

type signer func(namespace, workflowID string) (token string)

// ParseSecrets parses CALLBACK_SECRET: one or more secrets of at least 32 bytes,
// separated by commas. Its errors name the variable and never quote it.
func ParseSecrets(value string) (Secrets, error) {
	if strings.TrimSpace(value) == "" {
		return Secrets{}, errors.New("CALLBACK_SECRET is not set; " + howToGenerate)
	}
	var secrets Secrets
	parts := strings.Split(value, ",")
	for i, part := range parts {
		key := strings.TrimSpace(part)
		if len(key) < minSecretBytes {
			return Secrets{}, fmt.Errorf("CALLBACK_SECRET: secret %d of %d has %d bytes but needs at least %d; %s",
				i+1, len(parts), len(key), minSecretBytes, howToGenerate)
		}
		secrets.signers = append(secrets.signers, signWith(key))
	}
	return secrets, nil
}

func signWith(key string) signer {
	return func(namespace, workflowID string) string {
		mac := hmac.New(sha256.New, []byte(key))
		mac.Write([]byte("lumaflow callback v1\n" + namespace + "\n" + workflowID))
		return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
	}
}

// Verify reports whether one of the secrets signs this job with token. Its run time
// does not depend on the secrets or the token.
func (s Secrets) Verify(namespace, workflowID, token string) bool {
	// The tokens are compared as text: lenient base64 has several spellings of the
	// same bytes, and only one is minted.
	verified := 0
	for _, sign := range s.signers {
		verified |= subtle.ConstantTimeCompare([]byte(sign(namespace, workflowID)), []byte(token))
	}
	return verified == 1
}

// Owner returns the job of a callback URL that was minted with these secrets.
// Scheme, host and everything else before the callback path is ignored:
// CALLBACK_BASE_URL may have changed since.
func (s Secrets) Owner(rawURL, namespace string) (workflowID string, ok bool) {
	workflowID, token, ok := parse(rawURL)
	if !ok || !s.Verify(namespace, workflowID, token) {
		return "", false
	}
	return workflowID, true
}

// Owns reports whether rawURL is a callback URL of this job.
func (s Secrets) Owns(rawURL, namespace, workflowID string) bool {
	owner, ok := s.Owner(rawURL, namespace)
	return ok && owner == workflowID
}

// Format keeps the secrets out of formatted text.
func (s Secrets) Format(state fmt.State, _ rune) { _, _ = io.WriteString(state, redacted) }

// MarshalText keeps the secrets out of logs, JSON and all other text encodings.
func (s Secrets) MarshalText() ([]byte, error) { return []byte(redacted), nil }
