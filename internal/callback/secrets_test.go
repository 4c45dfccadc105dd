package callback_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lumaflow/internal/callback"
)

func TestParseSecrets(t *testing.T) {
	long := strings.Repeat("k", 32)
	tests := []struct{ name, value, wantError string }{
		{"one", long, ""},
		{"several", long + "," + oldSecret, ""},
		{"white space", " " + long + " ,\n" + oldSecret + "\n", ""},
		{"bytes count, not characters", strings.Repeat("é", 16), ""},
		{"unset", "", "CALLBACK_SECRET is not set"},
		{"blank", " \n", "CALLBACK_SECRET is not set"},
		{"too short", long[1:], "CALLBACK_SECRET: secret 1 of 1 has 31 bytes but needs at least 32"},
		{"padded with blanks", long[1:] + " ", "has 31 bytes"},
		{"second too short", long + ",hunter2", "secret 2 of 2 has 7 bytes"},
		{"trailing comma", long + ",", "secret 2 of 2 has 0 bytes"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := callback.ParseSecrets(test.value)
			if test.wantError == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, test.wantError)
			require.ErrorContains(t, err, "openssl rand -base64 48")
			assert.NotContains(t, err.Error(), "kkk")
			assert.NotContains(t, err.Error(), "hunter2")
		})
	}
}

func token(t *testing.T, s callback.Secrets) string {
	t.Helper()
	minted := minter(t, "https://hooks.example.org", s).URL("default", "x")
	return minted[strings.LastIndex(minted, "/")+1:]
}

func TestRotation(t *testing.T) {
	before, during, after := secrets(t, oldSecret), secrets(t, newSecret, oldSecret), secrets(t, newSecret)
	minted := token(t, before)
	assert.True(t, during.Verify("default", "x", minted), "a token minted before the rotation")
	assert.False(t, after.Verify("default", "x", minted), "a removed secret")
	assert.Equal(t, token(t, after), token(t, during), "the first signs")
}

func TestVerifyIsStrict(t *testing.T) {
	s := secrets(t, newSecret, oldSecret)
	good := token(t, s)
	tests := []struct{ name, namespace, id, token string }{
		{"empty", "default", "x", ""},
		{"cut", "default", "x", good[:42]},
		{"longer", "default", "x", good + "A"},
		{"padded", "default", "x", good + "="},
		{"line break, which base64 decoders skip", "default", "x", good[:10] + "\n" + good[10:]},
		{"other case", "default", "x", strings.ToLower(good)},
		{"other job", "default", "y", good},
		{"other namespace", "studio", "x", good},
		{"no job", "default", "", good},
	}
	require.True(t, s.Verify("default", "x", good))
	for _, test := range tests {
		assert.False(t, s.Verify(test.namespace, test.id, test.token), test.name)
	}
	assert.False(t, callback.Secrets{}.Verify("default", "x", good), "the zero value")
	assert.False(t, callback.Secrets{}.Verify("default", "x", ""))
}

// The last character of a token holds two bits that lenient base64 decoders
// ignore, so that they accept four spellings of a token.
func TestVerifyAcceptsOneSpelling(t *testing.T) {
	s := secrets(t, oldSecret)
	good := token(t, s)
	accepted := 0
	for _, last := range "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_" {
		if s.Verify("default", "x", good[:42]+string(last)) {
			accepted++
		}
	}
	assert.Equal(t, 1, accepted)
}

func TestSecretsAreNotPrinted(t *testing.T) {
	s := secrets(t, oldSecret, newSecret)
	holder := struct {
		Public  callback.Secrets
		private callback.Secrets
		minter  *callback.Minter
	}{s, s, minter(t, "https://hooks.example.org", s)}

	var printed bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		fmt.Fprintf(&printed, verb, s)
		fmt.Fprintf(&printed, verb, &s)
		fmt.Fprintf(&printed, verb, holder)
		fmt.Fprintf(&printed, verb, *holder.minter)
	}
	slog.New(slog.NewTextHandler(&printed, nil)).Info("x", "secrets", s, "holder", holder)
	slog.New(slog.NewJSONHandler(&printed, nil)).Info("x", "secrets", s, "holder", holder)
	encoded, err := json.Marshal(holder)
	require.NoError(t, err)
	printed.Write(encoded)
	assert.JSONEq(t, `{"Public":"[redacted]"}`, string(encoded))

	for _, secret := range []string{oldSecret, newSecret} {
		assert.NotContains(t, printed.String(), secret)
		assert.NotContains(t, printed.String(), fmt.Sprintf("%x", secret))
		assert.NotContains(t, printed.String(), strings.Trim(fmt.Sprintf("%d", []byte(secret)), "[]"))
	}
}
