package callback_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

// Both brands have the same token, and no other word is a callback path.
func TestBrands(t *testing.T) {
	s := secrets(t, oldSecret)
	m := minter(t, "https://hooks.example.org/a", s)
	own := m.BrandURL("kie", "default", "j 1")
	assert.Equal(t, "https://hooks.example.org/a/callbacks/kie/j%201/", own[:len(own)-43])
	assert.Equal(t, m.URL("default", "j 1"), m.BrandURL("luma", "default", "j 1"))
	owner, ok := s.Owner(own, "default")
	assert.True(t, ok)
	assert.Equal(t, "j 1", owner)
	_, ok = s.Owner(m.BrandURL("veo", "default", "j 1"), "default")
	assert.False(t, ok)
}
