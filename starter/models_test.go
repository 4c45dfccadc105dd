package starter_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/serviceerror"

	"lumaflow/internal/paid"
	"lumaflow/starter"
	"lumaflow/test/startertest"
)

// The models in use are those in the memos of the listed jobs; a job without a memo
// names none.
func TestModelsInUse(t *testing.T) {
	fake := startertest.New(t)
	s := starter.New(fake, starter.Options{})
	models, err := s.ModelsInUse(t.Context())
	require.NoError(t, err)
	require.Empty(t, models)

	fake.Job("not-paid-yet")
	fake.Job("a").Memo = &paid.Facts{TaskID: "t1", Model: "wan/2-7-videoedit", PaidOpen: true}
	fake.Job("b").Memo = &paid.Facts{TaskID: "t2", Model: "aleph"}
	fake.Job("c").End(statusCompleted, time.Minute).Memo = &paid.Facts{TaskID: "t3", Model: "wan/2-7-videoedit"}
	models, err = s.ModelsInUse(t.Context())
	require.NoError(t, err)
	require.Equal(t, []string{"aleph", "wan/2-7-videoedit"}, models)

	fake.Job("d").End(statusTerminated, time.Minute).Memo = &paid.Facts{TaskID: "t4"}
	models, err = s.ModelsInUse(t.Context())
	require.NoError(t, err)
	require.Equal(t, []string{"aleph", "luma", "wan/2-7-videoedit"}, models)
	require.Zero(t, fake.StatusQueries)

	fake.ListError = serviceerror.NewUnavailable("down")
	_, err = s.ModelsInUse(t.Context())
	require.Error(t, err)
}
