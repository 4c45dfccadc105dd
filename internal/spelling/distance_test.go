package spelling_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"lumaflow/internal/spelling"
)

func TestDistance(t *testing.T) {
	for _, test := range []struct {
		a, b string
		want int
	}{
		{"", "", 0}, {"", "abc", 3}, {"resolution", "resolution", 0}, {"abcd", "acbd", 2}, {"kitten", "sitting", 3}, {"flaw", "lawn", 2},
	} {
		require.Equal(t, test.want, spelling.Distance(test.a, test.b), "%s, %s", test.a, test.b)
		require.Equal(t, test.want, spelling.Distance(test.b, test.a), "%s, %s", test.b, test.a)
	}
}
