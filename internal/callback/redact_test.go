package callback_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"lumaflow/internal/callback"
)

func TestRedactTokens(t *testing.T) {
	minted := minter(t, "https://hooks.example.org", secrets(t, oldSecret)).URL("default", "luma-1")
	token := minted[strings.LastIndex(minted, "/")+1:]
	tests := map[string]struct{ text, want string }{
		"empty":                  {"", ""},
		"no token":               {"task 0123456789abcdef0123456789abcdef failed: 失败", "task 0123456789abcdef0123456789abcdef failed: 失败"},
		"minted URL":             {"POST " + minted + " failed", "POST https://hooks.example.org/callbacks/luma/luma-1/[redacted] failed"},
		"token alone":            {token, "[redacted]"},
		"two tokens":             {token + " " + token + "\n", "[redacted] [redacted]\n"},
		"touches other text":     {"x_" + token + "_y", "[redacted]"},
		"one character short":    {token[1:], token[1:]},
		"invalid UTF-8 around":   {"\xff" + token + "\xff", "\xff[redacted]\xff"},
		"multi-byte text around": {"é" + token + "é", "é[redacted]é"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, test.want, callback.RedactTokens(test.text))
		})
	}
}
