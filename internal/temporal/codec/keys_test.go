package codec_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lumaflow/internal/temporal/codec"
)

// secret is a key of 32 bytes whose base64 differs between the two alphabets.
func secret(fill byte) string {
	return base64.StdEncoding.EncodeToString(append([]byte{0xfb, 0xff, 0xbf}, bytes.Repeat([]byte{fill}, 29)...))
}

func keys(t testing.TB, value string) codec.Codec {
	t.Helper()
	parsed, err := codec.ParseKeys(value)
	require.NoError(t, err)
	return parsed
}

func TestParseKeys(t *testing.T) {
	t.Parallel()
	one := secret(1)
	for _, value := range []string{
		"main:" + one,
		" main:" + one + " ",
		"main:" + strings.TrimRight(one, "="),
		"main:" + strings.NewReplacer("+", "-", "/", "_").Replace(one),
		"A.b_c-9:" + one + ", " + strings.Repeat("x", 32) + ":" + secret(2) + ",old:" + secret(3),
	} {
		parsed, err := codec.ParseKeys(value)
		require.NoError(t, err, value)
		assert.True(t, parsed.Encrypts(), value)
	}
	for _, value := range []string{"", "  ", "\n"} {
		parsed, err := codec.ParseKeys(value)
		require.NoError(t, err)
		assert.False(t, parsed.Encrypts())
	}
}

func TestParseKeysErrors(t *testing.T) {
	t.Parallel()
	one, two := secret(1), secret(2)
	short := base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{7}, 16))
	long := base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{7}, 33))
	hexKey := strings.Repeat("5e", 32)
	tests := []struct{ name, value, want string }{
		{"no id", one, "key 1 of 1 is not id:key"},
		{"empty id", ":" + one, "key 1 of 1 is not id:key"},
		{"no key", "main:", "key 1 of 1 has 0 bytes but needs 32"},
		{"swapped", one + ":main", "key 1 of 1 is not id:key"},
		{"swapped without padding", strings.TrimRight(secret(0x41), "=") + ":main", "key 1 of 1 is not id:key"},
		{"blank in the id", "my key:" + one, "key 1 of 1 is not id:key"},
		{"long id", strings.Repeat("x", 33) + ":" + one, "key 1 of 1 is not id:key"},
		{"id with a line break", "a\nb:" + one, "key 1 of 1 is not id:key"},
		{"not base64", "main:" + one[:20] + "!" + one[21:], "key 1 of 1 is not base64"},
		{"truncated base64", "main:" + one[:41], "key 1 of 1 is not base64"},
		{"16 bytes", "main:" + short, "key 1 of 1 has 16 bytes but needs 32"},
		{"33 bytes", "main:" + long, "key 1 of 1 has 33 bytes but needs 32"},
		{"hex", "main:" + hexKey, "key 1 of 1 has 48 bytes but needs 32"},
		{"second key too short", "main:" + one + ",old:" + short, "key 2 of 2 has 16 bytes"},
		{"empty second", "main:" + one + ",", "key 2 of 2 is not id:key"},
		{"same id", "a:" + one + ",b:" + two + ",a:" + secret(3), "keys 1 and 3 of 3 have the same id"},
		{"same key", "a:" + one + ",b:" + strings.TrimRight(one, "="), "keys 1 and 2 of 2 are the same under two ids"},
		{"semicolon", "a:" + one + ";b:" + two, "key 1 of 1 is not base64"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			parsed, err := codec.ParseKeys(test.value)
			require.ErrorContains(t, err, "CODEC_KEYS: "+test.want)
			assert.NotContains(t, err.Error(), "\n")
			assert.False(t, parsed.Encrypts())
			for _, key := range []string{one, two, short, long, hexKey, strings.TrimRight(secret(0x41), "=")} {
				assert.NotContains(t, err.Error(), key[:12])
			}
		})
	}
}

func TestKeysAreRedacted(t *testing.T) {
	t.Parallel()
	parsed := keys(t, "main:"+secret(1))
	var out bytes.Buffer
	slog.New(slog.NewTextHandler(&out, nil)).Info("text", "codec", parsed, "in", struct{ C codec.Codec }{parsed})
	slog.New(slog.NewJSONHandler(&out, nil)).Info("json", "codec", parsed, "in", struct{ C codec.Codec }{parsed})
	encoded, err := json.Marshal(parsed) //nolint:staticcheck // The test holds that nothing is encoded.
	require.NoError(t, err)
	out.Write(encoded)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%q"} {
		fmt.Fprintf(&out, verb+" "+verb+"\n", parsed, struct{ c codec.Codec }{parsed})
	}
	raw, err := base64.StdEncoding.DecodeString(secret(1))
	require.NoError(t, err)
	for _, key := range []string{secret(1), string(raw), hex.EncodeToString(raw[:8]), fmt.Sprintf("%v", raw[:8]), strings.Trim(fmt.Sprintf("%d", raw[:8]), "[]")} {
		assert.NotContains(t, out.String(), key)
	}
}
