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

// The demo's report of results, with a fake of Temporal's CLI. The demo has no key,
// so with CODEC_KEYS it receives them encrypted.
func TestDemoReport(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ result, want string }{
		"plain":     {`{"taskId":"t","videos":[{"location":"file:///videos/a.mp4","bytes":1}]}`, "demo: demo-plain is done: file:///videos/a.mp4\n"},
		"encrypted": {`{"metadata":{"encoding":"YmluYXJ5L2VuY3J5cHRlZA=="},"data":"AAAA"}`, "demo: demo-plain is done: its result is encrypted, see lumaflow status demo-plain in worker-1\n"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tools := t.TempDir()
			for tool, output := range map[string]string{"temporal": test.result, "wget": `{"charges": 5}`} {
				require.NoError(t, os.WriteFile(filepath.Join(tools, tool), []byte("#!/bin/sh\necho '"+output+"'\n"), 0o700))
			}
			run := exec.CommandContext(t.Context(), "sh", "compose/demo.sh")
			run.Env = append(os.Environ(), "PATH="+tools+":"+os.Getenv("PATH"), "KIE_BASE_URL=http://simulator:8090", "TASK_QUEUE=lumaflow")
			output, err := run.CombinedOutput()
			require.NoError(t, err, string(output))
			assert.Contains(t, string(output), test.want)
			assert.True(t, strings.HasSuffix(string(output), "demo: 0 of 5 jobs failed; the bill of the simulated kie.ai holds 5 charges\n"), string(output))
		})
	}
}
