package callback_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"lumaflow/internal/callback"
)

func TestProbeIDs(t *testing.T) {
	for _, newID := range []func() string{callback.ProbeID, callback.EscapedProbeID} {
		id := newID()
		assert.True(t, callback.IsProbe(id), id)
		assert.True(t, strings.HasPrefix(id, "lumaflow-doctor."), id)
		assert.NotEqual(t, id, newID(), "the same id twice")
		for _, other := range []string{id + "x", "x" + id, id[:20], strings.ToLower(id), id + "\n", strings.Replace(id, ".", "-", 1)} {
			assert.False(t, callback.IsProbe(other), other)
		}
	}
	for _, id := range specialIDs {
		assert.False(t, callback.IsProbe(id), id)
	}
}

func TestProbeURLs(t *testing.T) {
	s := secrets(t, oldSecret)
	m := minter(t, "https://hooks.example.org", s)
	for _, id := range []string{callback.ProbeID(), callback.EscapedProbeID()} {
		url := m.URL("default", id)
		owner, ok := s.Owner(url, "default")
		assert.True(t, ok)
		assert.Equal(t, id, owner)
		assert.False(t, s.Owns(url, "default", callback.ProbeID()), "the token of a probe is valid for another one")
		assert.False(t, s.Owns(url, "studio", id))
	}
}
