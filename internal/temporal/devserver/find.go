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

// Version is the version of Temporal's CLI in tools/go.mod.
const Version = "1.5.1"

// Find returns the absolute path of Temporal's CLI: the program in $TEMPORAL_CLI,
// else `temporal` on PATH, else an earlier build in the user cache folder, else an
// earlier download of the SDK, else a new build from tools/go.mod. It downloads only
// the Go modules of such a build.
//
// A build takes minutes and reports to progress, which may be nil. Several processes
// may call Find at once; they share a build. When ctx ends, a build is stopped and
// its files are removed.
func Find(ctx context.Context, progress io.Writer) (string, error) {
	if named := os.Getenv("TEMPORAL_CLI"); named != "" {
		path, err := executable(named)
		if err != nil {
			return "", fmt.Errorf("TEMPORAL_CLI=%s is not an executable program: set it to the temporal binary of Temporal's CLI, or unset it", named)
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
	root, err := moduleRoot(ctx)
	if err != nil {
		return "", err
	}
	if progress == nil {
		progress = io.Discard
	}
	if err := build(ctx, root, built, progress); err != nil {
		return "", fmt.Errorf("build Temporal's CLI: %w", err)
	}
	return built, nil
}

// executable resolves a path, or a name on PATH, to the absolute path of an
// executable file.
func executable(name string) (string, error) {
	path, err := exec.LookPath(name)
	if err != nil {
		return "", err
	}
	return filepath.Abs(path)
}

// builtPath is the path of lumaflow's own build.
func builtPath() (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(cache, "lumaflow", "temporal-"+Version+executableSuffix()), nil
}

// downloadedPath is the path of the binary that the SDK's StartDevServer downloads.
// Its name is fixed and other users can write to its folder, so it must be trusted
// before it is run.
func downloadedPath() string {
	return filepath.Join(os.TempDir(), "temporal-cli-go-sdk-"+temporal.SDKVersion+executableSuffix())
}

func executableSuffix() string {
	if runtime.GOOS == "windows" {
		return ".exe"
	}
	return ""
}
