package doctor

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/alecthomas/kong"
)

// BeforeReset is called by kong before it reads the environment. A variable that
// can't be read would end the command with a usage error, which is what it does
// to the worker; here it is a finding, and its default is used instead. What is
// wrong on the command line stays a usage error.
func (c *Command) BeforeReset(reading *kong.Context) error {
	for _, flag := range reading.Selected().Flags {
		variable, value, set := fromEnvironment(flag)
		if !set {
			continue
		}
		err := flag.Reset()
		if err == nil && (flag.Enum == "" || flag.EnumMap()[value]) {
			continue
		}
		problem := fmt.Sprintf("%s is %q: give one of %s", variable, value, flag.Enum)
		if err != nil {
			reason, _, _ := strings.Cut(err.Error(), " (from envar ")
			problem = fmt.Sprintf("%s can't be used: %s", variable, reason)
		}
		c.malformed = append(c.malformed, problem)
		flag.Tag.Envs = nil
	}
	return nil
}

func fromEnvironment(flag *kong.Flag) (variable, value string, set bool) {
	for _, variable := range flag.Tag.Envs {
		if value, set := os.LookupEnv(variable); set {
			return variable, value, true
		}
	}
	return "", "", false
}

// lookAtSettings is for the settings that no other check uses.
func (e *examination) lookAtSettings(ctx context.Context) Finding {
	problems := e.malformed
	if err := e.Pace(); err != nil {
		problems = append(problems, err.Error())
	}
	version, err := e.Version()
	if err != nil {
		problems = append(problems, err.Error())
	}
	switch {
	case len(problems) > 0:
		return failf("%s", strings.Join(problems, "; "))
	case e.FetchAllowPrivate && !e.rehearsal(ctx):
		return warnf("FETCH_ALLOW_PRIVATE is on, so that a result link may lead into your own network: unset it where kie.ai is the real one")
	}
	rhythm := fmt.Sprintf("at most %g submissions per second, polls after %s and then every %s", e.SubmitsPerSecond, e.PollAfter, e.PollInterval)
	if version.DeploymentName == "" {
		return okf("%s", rhythm)
	}
	return okf("%s; workers are version %s of deployment %s", rhythm, version.BuildID, version.DeploymentName)
}
