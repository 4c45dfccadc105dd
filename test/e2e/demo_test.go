package e2e_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// The demo succeeds with its own clips and with a clip of the user.
func TestDemo(t *testing.T) {
	t.Parallel()
	output := t.TempDir()
	env := append(os.Environ(), "TEMPORAL_CLI="+cli)
	first := execute(t, env, binary, "demo", "--output-url", output)
	require.Zero(t, first.code, first.err)
	require.Contains(t, first.out, "5 jobs, 5 charges, 5 verified files.")
	require.NotContains(t, first.out+first.err, "\x1b", "no control characters in a file")
	clips, err := filepath.Glob(filepath.Join(output, "luma_result_*.mp4"))
	require.NoError(t, err)
	require.Len(t, clips, 5)
	sources, err := filepath.Glob(filepath.Join(output, "luma_source_*.mp4"))
	require.NoError(t, err)
	require.Len(t, sources, 5)

	env = append(env, "CODEC_KEYS="+codecKey("demo", 1))
	second := execute(t, env, binary, "demo", "--output-url", t.TempDir(), "--video", clips[0], "--prompt", "Paint it")
	require.Zero(t, second.code, second.err)
	require.Contains(t, second.out, "5 jobs, 5 charges, 5 verified files.")
	require.Contains(t, second.err, "Uploaded")
}
