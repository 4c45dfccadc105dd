package kietest_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"lumaflow/internal/kie/kietest"
)

// release ends all held renders, and requires their number.
func (p *provider) release(t *testing.T, want int) {
	t.Helper()
	status, text, err := p.call(t, http.MethodPost, "/_sim/release", nil)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, status)
	require.JSONEq(t, fmt.Sprintf(`{"released":%d}`, want), string(text))
}

// A release ends the renders that are held at that time, not later ones.
func TestHeldRenderEndsWithARelease(t *testing.T) {
	kie := start(t, kietest.Options{})
	held := fields{"prompt": "snow [render: held]", "videoUrl": source}
	first, second := kie.accepted(t, held), kie.accepted(t, held)
	kie.finished(t, fields{"prompt": "rain", "videoUrl": source})
	require.Zero(t, kie.record(t, first).SuccessFlag)
	kie.release(t, 2)
	kie.ended(t, first)
	kie.ended(t, second)

	third := kie.accepted(t, held)
	kie.finished(t, fields{"prompt": "rain again", "videoUrl": source})
	require.Zero(t, kie.record(t, third).SuccessFlag)
	kie.release(t, 1)
	kie.ended(t, third)
	kie.release(t, 0)

	early := fields{"prompt": "hail [render: held] [fault: callback-early]", "videoUrl": source, "callBackUrl": newReceiver(t).url}
	kie.finished(t, early)
}
