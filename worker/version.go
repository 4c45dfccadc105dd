package worker

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"go.temporal.io/sdk/worker"

	"lumaflow/internal/command"
)

// The longest names in bytes that Temporal's server (1.29) accepts by default.
const (
	maxDeploymentName = 480
	maxBuildID        = 255
)

// Version returns the worker deployment version of the settings; the zero value
// means an unversioned worker. Without a build id it is the revision, which is one
// code by definition; a given build id is not checked against the code. Its errors
// are usage errors.
func (s *Settings) Version() (worker.WorkerDeploymentVersion, error) {
	var none worker.WorkerDeploymentVersion
	switch {
	case s.DeploymentName == "" && s.BuildID == "":
		return none, nil
	case s.DeploymentName == "":
		return none, command.Usagef("TEMPORAL_WORKER_BUILD_ID is set but TEMPORAL_DEPLOYMENT_NAME is not: set both, or neither for workers without a version")
	}
	build := s.BuildID
	if build == "" {
		build = command.Revision()
	}
	switch {
	case build == "":
		return none, command.Usagef("TEMPORAL_DEPLOYMENT_NAME is set but this build has no revision: set TEMPORAL_WORKER_BUILD_ID")
	case s.BuildID == "" && command.Modified():
		return none, command.Usagef("TEMPORAL_DEPLOYMENT_NAME is set but this build has changes that its revision %s does not: commit them before you build, or set TEMPORAL_WORKER_BUILD_ID", build)
	}
	if err := checkName("TEMPORAL_DEPLOYMENT_NAME", s.DeploymentName, maxDeploymentName); err != nil {
		return none, err
	}
	if strings.ContainsAny(s.DeploymentName, ".:") {
		return none, command.Usagef("TEMPORAL_DEPLOYMENT_NAME is %q: Temporal takes no name with a dot or a colon in it", s.DeploymentName)
	}
	if err := checkName("TEMPORAL_WORKER_BUILD_ID", build, maxBuildID); err != nil {
		return none, err
	}
	return worker.WorkerDeploymentVersion{DeploymentName: s.DeploymentName, BuildID: build}, nil
}

// checkName rejects names that Temporal's server would reject at each poll, and
// names with characters that a log does not show.
func checkName(variable, name string, longest int) error {
	switch {
	case len(name) > longest:
		return command.Usagef("%s has %d bytes: Temporal takes at most %d", variable, len(name), longest)
	case strings.HasPrefix(name, "__"):
		return command.Usagef("%s is %q: Temporal keeps names that begin with __ for itself", variable, name)
	case !utf8.ValidString(name) || strings.ContainsFunc(name, func(r rune) bool { return unicode.IsSpace(r) || !unicode.IsPrint(r) }):
		return command.Usagef("%s is %q: give a name without blanks and control characters", variable, name)
	}
	return nil
}

// deployment returns the deployment options of a worker with that version.
func deployment(version worker.WorkerDeploymentVersion) worker.DeploymentOptions {
	return worker.DeploymentOptions{UseVersioning: version != (worker.WorkerDeploymentVersion{}), Version: version}
}

// SetCurrent returns the command that routes the new jobs to a version.
func SetCurrent(deploymentName, buildID string) string {
	return "temporal worker deployment set-current-version --deployment-name " + deploymentName + " --build-id " + buildID
}
