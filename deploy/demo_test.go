package deploy_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// What the demo tells of results, with a stand-in for Temporal's CLI. It has no
// key, so with CODEC_KEYS it gets them encrypted.
func TestDemoTellsOfResults(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ result, says string }{
		"plain":     {`{"taskId":"t","videos":[{"location":"file:///videos/a.mp4","bytes":1}]}`, "demo: demo-plain is done: file:///videos/a.mp4\n"},
		"encrypted": {`{"metadata":{"encoding":"YmluYXJ5L2VuY3J5cHRlZA=="},"data":"AAAA"}`, "demo: demo-plain is done: its result is encrypted, see lumaflow status demo-plain in worker-1\n"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tools := t.TempDir()
			for tool, says := range map[string]string{"temporal": test.result, "wget": `{"charges": 5}`} {
				require.NoError(t, os.WriteFile(filepath.Join(tools, tool), []byte("#!/bin/sh\necho '"+says+"'\n"), 0o700))
			}
			run := exec.CommandContext(t.Context(), "sh", "compose/demo.sh")
			run.Env = append(os.Environ(), "PATH="+tools+":"+os.Getenv("PATH"), "KIE_BASE_URL=http://simulator:8090", "TASK_QUEUE=lumaflow")
			said, err := run.CombinedOutput()
			require.NoError(t, err, string(said))
			assert.Contains(t, string(said), test.says)
			assert.True(t, strings.HasSuffix(string(said), "demo: 0 of 5 jobs failed; the bill of the simulated kie.ai holds 5 charges\n"), string(said))
		})
	}
}
