package fetch_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"lumaflow/internal/fetch"
)

func TestContentRange(t *testing.T) {
	t.Parallel()
	tests := []struct {
		header             string
		first, last, total int64
		ok                 bool
	}{
		{"bytes 0-99/1000", 0, 99, 1000, true},
		{"bytes 999-999/1000", 999, 999, 1000, true},
		{"bytes 5-9/*", 5, 9, -1, true},
		{"bytes */1000", -1, -1, 1000, true},
		{"Bytes 0-0/1", 0, 0, 1, true},
		{" bytes  0-0/1 ", 0, 0, 1, true},
		{"", 0, 0, 0, false},
		{"bytes", 0, 0, 0, false},
		{"bytes */*", 0, 0, 0, false},
		{"bytes 0-99", 0, 0, 0, false},
		{"bytes 9-5/100", 0, 0, 0, false},
		{"bytes 0-100/100", 0, 0, 0, false},
		{"bytes -1-5/100", 0, 0, 0, false},
		{"bytes +1-5/100", 0, 0, 0, false},
		{"bytes 1-/100", 0, 0, 0, false},
		{"bytes 1/100", 0, 0, 0, false},
		{"bytes 0x1-5/100", 0, 0, 0, false},
		{"bytes 1_0-50/100", 0, 0, 0, false},
		{"bytes 0-5/9223372036854775808", 0, 0, 0, false},
		{"bytes 0-9223372036854775807/*", 0, 0, 0, false},
		{"items 0-5/100", 0, 0, 0, false},
		{"bytes=0-5/100", 0, 0, 0, false},
	}
	for _, test := range tests {
		first, last, total, err := fetch.ParseContentRange(test.header)
		assert.Equal(t, test.ok, err == nil, test.header)
		if test.ok {
			assert.Equal(t, []int64{test.first, test.last, test.total}, []int64{first, last, total}, test.header)
		}
	}
}
