package supervisor_test

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"lumaflow/test/supervisor"
)

func TestOpenFiles(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("OpenFiles reads Linux's /proc")
	}
	folder, err := filepath.EvalSymlinks(t.TempDir())
	require.NoError(t, err)
	require.Empty(t, supervisor.OpenFiles(os.Getpid(), folder))
	held, err := os.Create(filepath.Join(folder, "held"))
	require.NoError(t, err)
	require.Equal(t, []string{held.Name()}, supervisor.OpenFiles(os.Getpid(), folder))
	require.NoError(t, held.Close())
	require.Empty(t, supervisor.OpenFiles(os.Getpid(), folder))
}
