package devserver

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"

	"go.temporal.io/sdk/temporal"
)

// Version is the release of Temporal's CLI that a build of ours makes: the one
// tools/go.mod pins.
const Version = "1.5.1"

// Find returns the absolute path of Temporal's CLI: what $TEMPORAL_CLI names,
// else `temporal` on PATH, else an earlier build of ours in the user cache
// folder, else what the SDK has downloaded before, else a new build from
// tools/go.mod. Nothing is downloaded but the Go modules of such a build.
//
// A build takes minutes, so what happens is told to say, in plain lines.
// Several processes may call Find at once. When ctx ends, a build is abandoned
// and leaves nothing behind.
func Find(ctx context.Context, say io.Writer) (string, error) {
	if named := os.Getenv("TEMPORAL_CLI"); named != "" {
		path, err := executable(named)
		if err != nil {
			return "", fmt.Errorf("TEMPORAL_CLI=%s is no program that can be run: set it to the temporal binary of Temporal's CLI, or unset it", named)
		}
		return path, nil
	}
	if path, err := executable("temporal"); err == nil {
		return path, nil
	}

	built, noCache := builtPath()
	if noCache == nil {
		if path, err := executable(built); err == nil {
			return path, nil
		}
	}
	if path, err := executable(downloadedPath()); err == nil && trusted(path) {
		return path, nil
	}
	if noCache != nil {
		return "", fmt.Errorf("there is no folder to build Temporal's CLI in (%w): set HOME, or TEMPORAL_CLI to the temporal binary", noCache)
	}
	if err := build(ctx, built, say); err != nil {
		return "", err
	}
	return built, nil
}

// executable resolves a path, or a name on PATH, to the absolute path of a
// file that may be executed.
func executable(name string) (string, error) {
	path, err := exec.LookPath(name)
	if err != nil {
		return "", err
	}
	return filepath.Abs(path)
}

// builtPath is where a build of ours is kept.
func builtPath() (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(cache, "lumaflow", "temporal-"+Version+executableSuffix()), nil
}

// downloadedPath is where the SDK's StartDevServer keeps the binary that it
// downloads by default: a fixed name in a folder that others can write to, so
// the file must be trusted before it is run.
func downloadedPath() string {
	return filepath.Join(os.TempDir(), "temporal-cli-go-sdk-"+temporal.SDKVersion+executableSuffix())
}

func executableSuffix() string {
	if runtime.GOOS == "windows" {
		return ".exe"
	}
	return ""
}
