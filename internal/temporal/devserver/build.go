package devserver

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

const (
	cliPackage = "github.com/temporalio/cli/cmd/temporal"

	// stopBuild is how long an abandoned build may take to clean up.
	stopBuild = 10 * time.Second

	// staleBuild is the age at which an unfinished binary is taken for the
	// remains of a killed build. No build takes nearly that long.
	staleBuild = 2 * time.Hour
)

// signOfLife is how often a silent build says that it is still at work.
var signOfLife = 20 * time.Second

// build builds Temporal's CLI from the versions in tools/go.mod and puts it at
// path, whole or not at all.
func build(ctx context.Context, path string, say io.Writer) error {
	if say == nil {
		say = io.Discard
	}
	root, err := moduleRoot(ctx)
	if err != nil {
		return err
	}
	folder := filepath.Dir(path)
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return fmt.Errorf("build Temporal's CLI: %w", err)
	}

	// Two builds at once would both be right, as the last rename wins, but
	// each would take twice as long.
	unlock, err := lock(ctx, path+".lock", func() {
		fmt.Fprintln(say, "another process is building the Temporal dev server: waiting for it")
	})
	if err != nil {
		return fmt.Errorf("build Temporal's CLI: %w", err)
	}
	defer unlock()
	if _, err := executable(path); err == nil {
		return nil
	}
	removeStale(path)

	unfinished, err := os.CreateTemp(folder, filepath.Base(path)+".unfinished-*")
	if err != nil {
		return fmt.Errorf("build Temporal's CLI: %w", err)
	}
	defer os.Remove(unfinished.Name())
	if err := unfinished.Close(); err != nil {
		return fmt.Errorf("build Temporal's CLI: %w", err)
	}

	fmt.Fprintln(say, "building the Temporal dev server: once, 4 to 5 minutes on two cores (a `temporal` on PATH or TEMPORAL_CLI saves this)")
	started := time.Now()
	if err := goBuild(ctx, root, unfinished.Name(), say); err != nil {
		return err
	}
	if err := os.Rename(unfinished.Name(), path); err != nil {
		return fmt.Errorf("build Temporal's CLI: %w", err)
	}
	fmt.Fprintf(say, "built %s in %s\n", path, time.Since(started).Round(time.Second))
	return nil
}

// goBuild compiles the CLI into the file out, and says every now and then that
// it still does.
func goBuild(ctx context.Context, root, out string, say io.Writer) error {
	var output bytes.Buffer
	cmd := exec.CommandContext(ctx, "go", "build", "-modfile="+filepath.Join("tools", "go.mod"), "-o", out, cliPackage)
	cmd.Dir = root
	// A workspace file further up would forbid -modfile.
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off")
	cmd.Stdout, cmd.Stderr = &output, &output
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = stopBuild

	started := time.Now()
	finished := make(chan error, 1)
	go func() { finished <- cmd.Run() }()
	alive := time.NewTicker(signOfLife)
	defer alive.Stop()
	for {
		select {
		case err := <-finished:
			if cause := context.Cause(ctx); err != nil && cause != nil {
				return fmt.Errorf("build Temporal's CLI: %w", cause)
			}
			if err != nil {
				return fmt.Errorf("build Temporal's CLI: %w: %s", err, lastLine(output.String()))
			}
			return nil
		case <-alive.C:
			fmt.Fprintf(say, "still building the Temporal dev server (%s)\n", time.Since(started).Round(time.Second))
		}
	}
}

// moduleRoot finds the source folder of lumaflow from the current folder.
func moduleRoot(ctx context.Context) (string, error) {
	const advice = "install it (https://docs.temporal.io/cli), or set TEMPORAL_CLI to the temporal binary, or run this with Go from lumaflow's source folder to have it built"
	output, err := exec.CommandContext(ctx, "go", "env", "GOMOD").Output()
	if cause := context.Cause(ctx); cause != nil {
		return "", fmt.Errorf("look for Temporal's CLI: %w", cause)
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

// removeStale removes what killed builds have left beside path.
func removeStale(path string) {
	remains, _ := filepath.Glob(path + ".unfinished-*")
	for _, name := range remains {
		if info, err := os.Lstat(name); err == nil && time.Since(info.ModTime()) > staleBuild {
			// Another time is soon enough if this one fails.
			_ = os.Remove(name)
		}
	}
}

// lastLine is the last line of a program's output that says something, cut to
// a length that an error message can carry.
func lastLine(output string) string {
	const longest = 300
	line := strings.TrimSpace(output)
	line = strings.TrimSpace(line[strings.LastIndexByte(line, '\n')+1:])
	if line == "" {
		return "it said nothing"
	}
	if len(line) > longest {
		line = strings.ToValidUTF8(line[:longest], "") + "..."
	}
	return line
}
