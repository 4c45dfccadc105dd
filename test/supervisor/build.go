package supervisor

import (
	"context"
	"fmt"
	"os/exec"
)

// Build compiles a package of this module to a program at path. The program has
// no revision, so that its behaviour does not depend on the state of the
// checkout.
func Build(ctx context.Context, path, importPath string) error {
	output, err := exec.CommandContext(ctx, "go", "build", "-buildvcs=false", "-o", path, importPath).CombinedOutput()
	if err != nil {
		return fmt.Errorf("build %s: %w\n%s", importPath, err, output)
	}
	return nil
}
