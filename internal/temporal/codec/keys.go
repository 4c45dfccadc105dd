package codec

import (
	"cmp"
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

const (
	// Variable is the environment variable that holds the keys.
	Variable = "CODEC_KEYS"
	// PlaintextVariable is the environment variable that permits payloads which are
	// not encrypted.
	PlaintextVariable = "CODEC_ACCEPT_PLAINTEXT"
)

const (
	keyBytes = 32
	// createKey ends the errors about an unusable key.
	createKey = `make one with: echo "main:$(openssl rand -base64 32)"`
)

// validID is the format of a key id. A base64 key of 32 bytes is longer, so an id
// and a key in the wrong order are rejected and a key is never used as an id.
var validID = regexp.MustCompile(`^[A-Za-z0-9._-]{1,32}$`)

// key keeps its cipher in closures, which no verb of fmt, logger or encoder can
// print.
type key struct {
	id      string
	encrypt func(plain, associated []byte) []byte
	decrypt func(data, associated []byte) ([]byte, error)
}

// ParseKeys parses the value of CODEC_KEYS: empty, or a comma-separated list of
// id:key, each key 32 bytes in base64. The first key encrypts, all keys decrypt.
// Errors name the variable and the position of the key, and quote neither.
func ParseKeys(value string) (Codec, error) {
	if strings.TrimSpace(value) == "" {
		return Codec{}, nil
	}
	var codec Codec
	var raw []string
	parts := strings.Split(value, ",")
	for i, part := range parts {
		id, text, found := strings.Cut(strings.TrimSpace(part), ":")
		secret, err := decodeKey(text)
		switch {
		case !found || !validID.MatchString(id):
			return Codec{}, fmt.Errorf("%s: key %d of %d is not id:key with an id of at most 32 letters, digits, dots, dashes and underscores; %s", Variable, i+1, len(parts), createKey)
		case err != nil:
			return Codec{}, fmt.Errorf("%s: key %d of %d is not base64; %s", Variable, i+1, len(parts), createKey)
		case len(secret) != keyBytes:
			return Codec{}, fmt.Errorf("%s: key %d of %d has %d bytes but needs %d; %s", Variable, i+1, len(parts), len(secret), keyBytes, createKey)
		}
		if twin := slices.IndexFunc(codec.keys, func(other key) bool { return other.id == id }); twin >= 0 {
			return Codec{}, fmt.Errorf("%s: keys %d and %d of %d have the same id; give each its own", Variable, twin+1, i+1, len(parts))
		}
		if twin := slices.Index(raw, string(secret)); twin >= 0 {
			return Codec{}, fmt.Errorf("%s: keys %d and %d of %d are the same under two ids; %s", Variable, twin+1, i+1, len(parts), createKey)
		}
		key, err := newKey(id, secret)
		if err != nil {
			return Codec{}, fmt.Errorf("%s: key %d of %d: %w", Variable, i+1, len(parts), err)
		}
		raw = append(raw, string(secret))
		codec.keys = append(codec.keys, key)
	}
	return codec, nil
}

// AcceptPlaintext returns a codec that accepts payloads which are not encrypted if
// value, that of CODEC_ACCEPT_PLAINTEXT, is true; empty means false. It is for jobs
// that began without keys. Without keys it changes nothing.
func (c Codec) AcceptPlaintext(value string) (Codec, error) {
	value = strings.TrimSpace(value)
	accepts, err := strconv.ParseBool(cmp.Or(value, "false"))
	if err != nil {
		return Codec{}, fmt.Errorf("%s is %.40q: give true or false", PlaintextVariable, value)
	}
	c.acceptsPlaintext = accepts
	return c, nil
}

// decodeKey accepts both alphabets of base64, with and without padding.
func decodeKey(text string) ([]byte, error) {
	text = strings.NewReplacer("-", "+", "_", "/").Replace(strings.TrimRight(text, "="))
	return base64.RawStdEncoding.Strict().DecodeString(text)
}

func newKey(id string, secret []byte) (key, error) {
	block, err := aes.NewCipher(secret)
	if err != nil {
		return key{}, err
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return key{}, err
	}
	return key{
		id:      id,
		encrypt: func(plain, associated []byte) []byte { return aead.Seal(nil, nil, plain, associated) }, //nolint:gosec // The AEAD adds a random nonce.
		decrypt: func(data, associated []byte) ([]byte, error) { return aead.Open(nil, nil, data, associated) },
	}, nil
}
