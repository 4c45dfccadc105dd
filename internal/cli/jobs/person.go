package jobs

import (
	"os"
	"os/user"
	"strings"

	"lumaflow/internal/command"
	"lumaflow/internal/oneline"
)

// maxPerson and maxReason are the greatest lengths of texts in the history, in bytes.
const (
	maxPerson = 200
	maxReason = 500
)

// person is the flag of the commands that decide about a job.
type person struct {
	As string `placeholder:"NAME" help:"Name of the person or tool that decides, for the history of the job and its status; not checked (the user and the host)."`
}

// name returns the given name or the default.
func (p person) name() (string, error) {
	given := oneline.Clean(p.As)
	if len(given) > maxPerson {
		return "", command.Usagef("--as has %d bytes: give at most %d", len(given), maxPerson)
	}
	if given != "" {
		return given, nil
	}
	return oneline.Truncate(userAtHost(), maxPerson-len("…")), nil
}

func userAtHost() string {
	name, host := os.Getenv("USER"), "unknown"
	if current, err := user.Current(); err == nil {
		// On Windows the domain stands before the name.
		name = current.Username[strings.LastIndex(current.Username, `\`)+1:]
	}
	if name == "" {
		name = "unknown"
	}
	if known, err := os.Hostname(); err == nil {
		host = known
	}
	return name + "@" + host
}
