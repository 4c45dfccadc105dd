package starter_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/serviceerror"

	"lumaflow/starter"
	"lumaflow/test/startertest"
)

func TestCancelWithoutJob(t *testing.T) {
	fake := startertest.New(t)
	_, err := starter.New(fake, starter.Options{}).Cancel(t.Context(), "nope", "", "")
	require.ErrorIs(t, err, starter.ErrNoJob)
	fake.Down = serviceerror.NewUnavailable("gone")
	_, err = starter.New(fake, starter.Options{}).Cancel(t.Context(), "nope", "", "")
	require.ErrorContains(t, err, "Temporal does not answer")
	require.Empty(t, fake.Cancels)
}
