package command

import (
	"errors"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// fromVariable is the end of kong's text about a value of an environment variable.
var fromVariable = regexp.MustCompile(`^--[\w-]+: (.*) \(from envar (\w+)=(?s:.*)\)$`)

// notPermitted is kong's text about a value outside of a list. It has the flag even if
// the value is from the environment.
var notPermitted = regexp.MustCompile(`^--([\w-]+)( must be one of .*)$`)

// usageTexts are kong's texts and the messages in their place.
var usageTexts = []struct {
	pattern *regexp.Regexp
	message string
}{
	{regexp.MustCompile(`^expected "<id>( \.\.\.)?"$`), "the job id is missing: `lumaflow list` shows the ids"},
	{regexp.MustCompile(`^expected "<batch-id>( <n>)?"$`), "the batch id is missing: `lumaflow batch FILE` prints it when it starts one"},
	{regexp.MustCompile(`^expected "<n>"$`), "the number is missing: give the greatest number of open jobs"},
	{regexp.MustCompile(`^expected "<file>"$`), "the batch file is missing: give a file with one job a line, or - for standard input"},
	{regexp.MustCompile(`^expected "<url>"$`), "the address is missing: give one, like http://127.0.0.1:9464/readyz"},
	{regexp.MustCompile(`^expected one of "demo".*`), "the command is missing: `lumaflow --help` lists all"},
	{regexp.MustCompile(`^([\w-]+): expected duration but got "?([^":]*)"?.*`), `$1 is "$2": give a duration with its unit, such as 30s or 10m`},
	{regexp.MustCompile(`^([\w-]+): slog: level string ("[^"]*").*`), "$1 is $2: give debug, info, warn or error"},
	{regexp.MustCompile(`^([\w-]+): expected a float but got ("[^"]*").*`), "$1 is $2: give a number"},
	{regexp.MustCompile(`^<?([\w-]+)>?: expected (?:an int|a valid \d+ bit u?int) but got ("[^"]*").*`), "$1 is $2: give a whole number"},
	{regexp.MustCompile(`^([\w-]+): bool value must be .* but got ("[^"]*")$`), "$1 is $2: give true or false"},
	{regexp.MustCompile(`^([\w-]+): (?:expected .* value but got "EOL"|missing value).*`), "$1 has no value: give one, or leave the flag out"},
	{regexp.MustCompile(`^([\w-]+): expected (?:int|uint|float)\d* value but got "(-[\d.]+)" .*`), "$1 is $2: give a number that is not negative"},
	{regexp.MustCompile(`^([\w-]+): .* value but got "(-[^"]*)" \((?:short|long) flag\); perhaps .*`), "$1 has no value: give one, or leave the flag out; a value that begins with a dash is given as $1=$2"},
	{regexp.MustCompile(`^([\w-]+) must be one of (.*) but got ("[^"]*")$`), "$1 is $3: give one of $2"},
}

// ParseError returns the usage error for an error of the command line. Its text has
// the name of the variable if the value is from the environment. A text of kong's
// without a message of its own stays.
func ParseError(err error) error {
	text := err.Error()
	failed, located := errors.AsType[*kong.ParseError](err)
	if parts := fromVariable.FindStringSubmatch(text); parts != nil {
		text = parts[2] + ": " + parts[1]
	} else if parts := notPermitted.FindStringSubmatch(text); parts != nil && located {
		text = setting(failed.Context, parts[1]) + parts[2]
	}
	if located && failed.Context.Selected() == nil {
		if argument, unknown := strings.CutPrefix(text, "unexpected argument "); unknown {
			return Usagef("there is no command %s (`lumaflow --help` lists all)", argument)
		}
	}
	for _, known := range usageTexts {
		if known.pattern.MatchString(text) {
			return Usagef("%s", known.pattern.ReplaceAllString(text, known.message))
		}
	}
	return Usagef("%w", err)
}

// setting is what set the value of a flag: the flag, or else its variable.
func setting(parsed *kong.Context, name string) string {
	given := func(part *kong.Path) bool { return part.Flag != nil && part.Flag.Name == name }
	if !slices.ContainsFunc(parsed.Path, given) {
		for _, flag := range parsed.Flags() {
			for _, variable := range flag.Envs {
				if flag.Name == name && os.Getenv(variable) != "" {
					return variable
				}
			}
		}
	}
	return "--" + name
}
