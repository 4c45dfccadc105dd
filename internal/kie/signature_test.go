package kie_test

import (
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lumaflow/internal/kie"
)

// The vectors were computed with openssl: kie.ai documents no vector with its key.
var vectors = []struct {
	taskID    string
	seconds   int64
	signature string
}{
	{"774d9a7dd608a0e49293903095e45a4c", 1755078480, "zqgV4cMp+Ui+SoYodzD74znhyJDMjeH6+qHvimGk5x4="},
	{"ee9c2715375b7837f8bb51d641ff5863", 1769670760, "Rnkdt30BYrQRHRTTZPVbPWvpV8NX6sTTZvi7GJmVyu4="},
}

const hmacKey = "test-hmac-key"

func TestSignVectors(t *testing.T) {
	for _, vector := range vectors {
		at := time.Unix(vector.seconds, 999_999_999)
		timestamp, signature := kie.Sign(hmacKey, vector.taskID, at)
		assert.Equal(t, vector.signature, signature)

		got, err := verifier(t, hmacKey).Verify([]string{vector.taskID}, timestamp, signature, at)
		require.NoError(t, err)
		assert.Equal(t, vector.taskID, got)
	}
}

func verifier(t *testing.T, keys string) kie.Verifier {
	t.Helper()
	verifier, err := kie.ParseVerifier(keys)
	require.NoError(t, err)
	return verifier
}

func TestSignWithEachKey(t *testing.T) {
	now := time.Unix(1755078480, 0)
	timestamp, signatures := verifier(t, "old, "+hmacKey).Sign("abc", now)
	require.Len(t, signatures, 2)
	for i, key := range []string{"old", hmacKey} {
		wantTime, want := kie.Sign(key, "abc", now)
		assert.Equal(t, wantTime, timestamp)
		assert.Equal(t, want, signatures[i])
	}
	_, signatures = kie.Verifier{}.Sign("abc", now)
	assert.Empty(t, signatures)
}

func TestVerify(t *testing.T) {
	now := time.Unix(1755078480, 0)
	timestamp, signature := kie.Sign(hmacKey, "abc", now)
	unpadded := strings.TrimRight(signature, "=")
	raw, err := base64.StdEncoding.DecodeString(signature)
	require.NoError(t, err)
	tests := map[string]struct {
		keys                 string
		candidates           []string
		timestamp, signature string
		want                 string
		err                  error
	}{
		"good":                     {hmacKey, []string{"abc"}, timestamp, signature, "abc", nil},
		"first of two keys":        {hmacKey + ",new", []string{"abc"}, timestamp, signature, "abc", nil},
		"second of two keys":       {"new, " + hmacKey + " ", []string{"abc"}, timestamp, signature, "abc", nil},
		"second of two candidates": {hmacKey, []string{"other", "abc"}, timestamp, signature, "abc", nil},
		"last of four":             {hmacKey, []string{"a", "b", "c", "abc"}, timestamp, signature, "abc", nil},
		"another key":              {"new", []string{"abc"}, timestamp, signature, "", kie.ErrBadSignature},
		"another id":               {hmacKey, []string{"abd", "ab"}, timestamp, signature, "", kie.ErrBadSignature},
		"no candidate":             {hmacKey, nil, timestamp, signature, "", kie.ErrNoTaskID},
		"no headers":               {hmacKey, []string{"abc"}, "", "", "", kie.ErrNoSignature},
		"no signature":             {hmacKey, []string{"abc"}, timestamp, "", "", kie.ErrNoSignature},
		"no timestamp":             {hmacKey, []string{"abc"}, "", signature, "", kie.ErrNoSignature},
		"milliseconds":             {hmacKey, []string{"abc"}, timestamp + "000", signature, "", kie.ErrStaleSignature},
		"timestamp with a plus":    {hmacKey, []string{"abc"}, "+" + timestamp, signature, "", kie.ErrNoSignature},
		"timestamp with a zero":    {hmacKey, []string{"abc"}, "0" + timestamp, signature, "", kie.ErrNoSignature},
		"timestamp with a blank":   {hmacKey, []string{"abc"}, " " + timestamp, signature, "", kie.ErrNoSignature},
		"hexadecimal":              {hmacKey, []string{"abc"}, "0x689c5d10", signature, "", kie.ErrNoSignature},
		"overflow":                 {hmacKey, []string{"abc"}, "99999999999999999999", signature, "", kie.ErrNoSignature},
		"far future":               {hmacKey, []string{"abc"}, "9223372036854775807", signature, "", kie.ErrStaleSignature},
		"far past":                 {hmacKey, []string{"abc"}, "-9223372036854775808", signature, "", kie.ErrStaleSignature},
		"unpadded":                 {hmacKey, []string{"abc"}, timestamp, unpadded, "", kie.ErrBadSignature},
		"URL alphabet":             {hmacKey, []string{"abc"}, timestamp, base64.URLEncoding.EncodeToString(raw) + "_", "", kie.ErrBadSignature},
		"with a newline":           {hmacKey, []string{"abc"}, timestamp, signature + "\n", "", kie.ErrBadSignature},
		"flipped":                  {hmacKey, []string{"abc"}, timestamp, "A" + signature[1:], "", kie.ErrBadSignature},
		"huge":                     {hmacKey, []string{"abc"}, timestamp, strings.Repeat("A", 1<<16), "", kie.ErrBadSignature},
		"not required":             {"", []string{"abc", "other"}, "", "", "abc", nil},
		"not required, no id":      {"", nil, "", "", "", kie.ErrNoTaskID},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := verifier(t, test.keys).Verify(test.candidates, test.timestamp, test.signature, now)
			assert.Equal(t, test.want, got)
			require.ErrorIs(t, err, test.err)
		})
	}
}

func TestVerifyWindow(t *testing.T) {
	signed := time.Unix(1755078480, 0)
	timestamp, signature := kie.Sign(hmacKey, "abc", signed)
	tests := map[time.Duration]error{
		0: nil, 5 * time.Minute: nil, -5 * time.Minute: nil,
		5*time.Minute + time.Nanosecond: kie.ErrStaleSignature, -5*time.Minute - time.Nanosecond: kie.ErrStaleSignature,
		24 * time.Hour: kie.ErrStaleSignature, -24 * time.Hour: kie.ErrStaleSignature,
	}
	for age, want := range tests {
		t.Run(age.String(), func(t *testing.T) {
			_, err := verifier(t, hmacKey).Verify([]string{"abc"}, timestamp, signature, signed.Add(age))
			require.ErrorIs(t, err, want)
		})
	}
}

func TestParseVerifier(t *testing.T) {
	for _, keys := range []string{"", " ", "\n"} {
		assert.False(t, verifier(t, keys).Required())
	}
	assert.True(t, verifier(t, "a").Required())
	assert.False(t, kie.Verifier{}.Required())
	for _, keys := range []string{",", "secret,", ",secret", "secret, ,other"} {
		_, err := kie.ParseVerifier(keys)
		require.ErrorContains(t, err, "KIE_WEBHOOK_HMAC_KEY")
		assert.NotContains(t, err.Error(), "secret")
	}
}
