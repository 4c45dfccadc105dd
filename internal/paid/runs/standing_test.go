package runs_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/converter"

	"lumaflow/internal/paid/runs"
	"lumaflow/test/startertest"
)

// Many ids are listed in queries of at most 100.
func TestListedInParts(t *testing.T) {
	fake := startertest.New(t)
	var ids []string
	want := map[string]int{}
	for i := range 250 {
		ids = append(ids, fmt.Sprint("job-", i))
		if i%50 == 0 {
			fake.Job(ids[i])
			want[ids[i]] = 1
		}
	}
	listed, err := runs.Reader{Server: fake, Data: converter.GetDefaultDataConverter()}.Listed(t.Context(), ids)
	require.NoError(t, err)
	require.Equal(t, want, listed)
	most := 0
	for _, query := range fake.Queries {
		most = max(most, strings.Count(query, "'job-"))
	}
	require.Equal(t, 100, most)
}
