package supervisor

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
)

// coverageVariable names the folder into which an instrumented program writes its
// coverage when it ends by itself.
const coverageVariable = "GOCOVERDIR"

// Build compiles a package of this module to a program at path. The program has
// no revision, so that its behaviour does not depend on the state of the
// checkout. It is instrumented if GOCOVERDIR is set.
func Build(ctx context.Context, path, importPath string) error {
	arguments := []string{"build", "-buildvcs=false", "-o", path}
	if os.Getenv(coverageVariable) != "" {
		arguments = append(arguments, "-cover", "-covermode=atomic", "-coverpkg=lumaflow/...")
	}
	output, err := exec.CommandContext(ctx, "go", append(arguments, importPath)...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("build %s: %w\n%s", importPath, err, output)
	}
	return nil
}

// Environment returns the environment of a program that Build has compiled: an
// instrumented program warns on stderr if GOCOVERDIR is missing.
func Environment(env []string) []string {
	if folder := os.Getenv(coverageVariable); folder != "" && env != nil {
		return append(slices.Clip(env), coverageVariable+"="+folder)
	}
	return env
}
