package devserver

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/gofrs/flock"

	"lumaflow/internal/oneline"
)

const (
	cliPackage = "github.com/temporalio/cli/cmd/temporal"

	// interruptTimeout is the time for a cancelled build to remove its files.
	interruptTimeout = 10 * time.Second

	// lockInterval is the pause between two attempts to lock.
	lockInterval = 200 * time.Millisecond

	// staleAge is the age at which an unfinished binary belongs to a killed build;
	// a build takes minutes.
	staleAge = 2 * time.Hour
)

// progressInterval is the period of the progress lines of a build.
var progressInterval = 20 * time.Second

// build builds Temporal's CLI with the versions in tools/go.mod and puts the
// complete binary at path. It builds under a lock: a second build at the same time
// would produce the same binary and double the time of both.
func build(ctx context.Context, root, path string, progress io.Writer) error {
	folder := filepath.Dir(path)
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	unlock, err := lock(ctx, path+".lock", progress)
	if err != nil {
		return err
	}
	defer unlock()
	if _, err := executable(path); err == nil {
		return nil
	}
	removeStale(path)
	unfinished, err := os.CreateTemp(folder, filepath.Base(path)+".unfinished-*")
	if err != nil {
		return err
	}
	// After the rename there is nothing to remove.
	defer func() { _ = os.Remove(unfinished.Name()) }()
	if err := unfinished.Close(); err != nil {
		return err
	}
	report(progress, "building the Temporal dev server: once, 4 to 5 minutes on two cores (a `temporal` on PATH or TEMPORAL_CLI saves this)")
	started := time.Now()
	if err := goBuild(ctx, root, unfinished.Name(), progress); err != nil {
		return err
	}
	if err := os.Rename(unfinished.Name(), path); err != nil {
		return err
	}
	report(progress, "built %s in %s", path, time.Since(started).Round(time.Second))
	return nil
}

// lock takes the lock file at path. The system releases the lock of a process that
// dies. On a file system without locks it does nothing.
func lock(ctx context.Context, path string, progress io.Writer) (unlock func(), err error) {
	file := flock.New(path)
	unlock = func() { _ = file.Close() }
	if locked, err := file.TryLock(); locked || err != nil {
		return unlock, nil
	}
	report(progress, "another process is building the Temporal dev server: waiting for it")
	if locked, _ := file.TryLockContext(ctx, lockInterval); !locked && ctx.Err() != nil {
		unlock()
		return nil, context.Cause(ctx)
	}
	return unlock, nil
}

// report writes a line. A progress that cannot be written does not end a build.
func report(progress io.Writer, format string, arguments ...any) {
	_, _ = fmt.Fprintf(progress, format+"\n", arguments...)
}

// goBuild compiles the CLI into the file out and writes a progress line every 20
// seconds.
func goBuild(ctx context.Context, root, out string, progress io.Writer) error {
	var output bytes.Buffer
	cmd := exec.CommandContext(ctx, "go", "build", "-modfile="+filepath.Join("tools", "go.mod"), "-o", out, cliPackage)
	cmd.Dir = root
	// -modfile is invalid in a workspace, which a parent folder may define.
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off")
	cmd.Stdout, cmd.Stderr = &output, &output
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = interruptTimeout

	started := time.Now()
	finished := make(chan error, 1)
	go func() { finished <- cmd.Run() }()
	tick := time.NewTicker(progressInterval)
	defer tick.Stop()
	for {
		select {
		case err := <-finished:
			if cause := context.Cause(ctx); err != nil && cause != nil {
				return cause
			}
			if err != nil {
				return fmt.Errorf("%w: %s", err, lastLine(output.String()))
			}
			return nil
		case <-tick.C:
			report(progress, "still building the Temporal dev server (%s)", time.Since(started).Round(time.Second))
		}
	}
}

// moduleRoot returns lumaflow's source folder, which must contain the current folder.
func moduleRoot(ctx context.Context) (string, error) {
	const advice = "install it (https://docs.temporal.io/cli), or set TEMPORAL_CLI to the temporal binary, or run this with Go from lumaflow's source folder to have it built"
	output, err := exec.CommandContext(ctx, "go", "env", "GOMOD").Output()
	if cause := context.Cause(ctx); cause != nil {
		return "", fmt.Errorf("find Temporal's CLI: %w", cause)
	}
	if errors.Is(err, exec.ErrNotFound) {
		return "", fmt.Errorf("there is neither Temporal's CLI nor Go to build it on this machine: %s", advice)
	}
	if err != nil {
		return "", fmt.Errorf("there is no Temporal CLI on this machine, and `go env GOMOD` failed (%w): %s", err, advice)
	}
	root := filepath.Dir(strings.TrimSpace(string(output)))
	tools, err := os.ReadFile(filepath.Join(root, "tools", "go.mod"))
	if err != nil || !bytes.HasPrefix(tools, []byte("module lumaflow/tools\n")) {
		return "", fmt.Errorf("there is no Temporal CLI on this machine: %s", advice)
	}
	return root, nil
}

// removeStale removes the unfinished binaries of killed builds.
func removeStale(path string) {
	unfinished, _ := filepath.Glob(path + ".unfinished-*")
	for _, name := range unfinished {
		if info, err := os.Lstat(name); err == nil && time.Since(info.ModTime()) > staleAge {
			// The next build tries again.
			_ = os.Remove(name)
		}
	}
}

// lastLine returns the last line of a program's output that is not blank, at most
// maxLine bytes of it.
func lastLine(output string) string {
	const maxLine = 300
	line := strings.TrimSpace(output)
	line = line[strings.LastIndexByte(line, '\n')+1:]
	return cmp.Or(oneline.Truncate(line, maxLine), "no output")
}
