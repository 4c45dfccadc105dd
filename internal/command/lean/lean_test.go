package lean_test

import (
	"errors"
	"fmt"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"

	"lumaflow/internal/command/lean"
)

func TestStay(t *testing.T) {
	stop := lean.Stay(t.Context())
	// Types, constants and tables of the program are needed again.
	require.EqualError(t, fmt.Errorf("read %v: %w", map[string][]int{"a": {1}}, errors.ErrUnsupported), "read map[a:[1]]: unsupported operation")
	stop()
}

// The loader writes into a position-independent program before it runs; that must
// not be given back. Distributions build such programs.
func TestStayInAPositionIndependentProgram(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the standard library anew")
	}
	output, err := exec.CommandContext(t.Context(), "go", "test", "-buildmode=pie", "-run", "^TestStay$", ".").CombinedOutput()
	require.NoError(t, err, string(output))
}
