package campaign_test

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"lumaflow/test/chaos/campaign"
)

// The look for open files finds one that is there.
func TestOpenFiles(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("other systems do not tell")
	}
	folder, err := filepath.EvalSymlinks(t.TempDir())
	require.NoError(t, err)
	require.Empty(t, campaign.OpenFiles(os.Getpid(), folder))
	held, err := os.Create(filepath.Join(folder, "held"))
	require.NoError(t, err)
	require.Equal(t, []string{held.Name()}, campaign.OpenFiles(os.Getpid(), folder))
	require.NoError(t, held.Close())
	require.Empty(t, campaign.OpenFiles(os.Getpid(), folder))
}
