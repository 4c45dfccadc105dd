package doctor

import (
	"context"
	"fmt"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strings"

	"github.com/alecthomas/kong"

	"lumaflow/internal/command"
	"lumaflow/internal/fetch"
)

// kieSubmitsPerSecond is kie.ai's limit for an account, 20 per 10 s.
const kieSubmitsPerSecond = 2

// BeforeReset is called by kong before it reads the environment. A malformed
// variable is a usage error of the other commands; here it is a finding, and the
// default applies. A malformed flag stays a usage error.
func (c *Command) BeforeReset(reading *kong.Context) error {
	for _, flag := range reading.Selected().Flags {
		i := slices.IndexFunc(flag.Tag.Envs, func(name string) bool { _, set := os.LookupEnv(name); return set })
		if i < 0 {
			continue
		}
		variable := flag.Tag.Envs[i]
		value := os.Getenv(variable)
		err := flag.Reset()
		if err == nil && (flag.Enum == "" || flag.EnumMap()[value]) {
			continue
		}
		problem := fmt.Sprintf("%s is %q: give one of %s", variable, value, flag.Enum)
		if err != nil {
			problem = command.ParseError(err).Error()
		}
		c.malformed = append(c.malformed, problem)
		flag.Tag.Envs = nil
	}
	return nil
}

// checkSettings checks the settings that no other check uses.
func (e *examination) checkSettings(ctx context.Context) Finding {
	problems := e.malformed
	if err := e.Pace(); err != nil {
		problems = append(problems, err.Error())
	}
	if err := e.Gallery(); err != nil {
		problems = append(problems, err.Error())
	}
	version, err := e.Version()
	if err != nil {
		problems = append(problems, err.Error())
	}
	if len(problems) > 0 {
		return failf("%s", strings.Join(problems, "; "))
	}
	var warnings []string
	if base, err := url.Parse(e.KieBaseURL); err == nil && plainOnPublicHost(base) {
		warnings = append(warnings, "KIE_BASE_URL is plain http on a public host, so the API key can be read in transit: use https")
	}
	if e.FetchAllowPrivate && !e.simulated(ctx) {
		warnings = append(warnings, "FETCH_ALLOW_PRIVATE is on, so that a result link may lead into your own network: unset it unless kie.ai is simulated")
	}
	if e.SubmitsPerSecond > kieSubmitsPerSecond && !e.simulated(ctx) {
		warnings = append(warnings, fmt.Sprintf("SUBMITS_PER_SECOND is %g, above kie.ai's limit of 20 per 10 s, so that it refuses submissions and jobs are held: set at most %d",
			e.SubmitsPerSecond, kieSubmitsPerSecond))
	}
	if len(warnings) > 0 {
		return warnf("%s", strings.Join(warnings, "; and "))
	}
	deployment := ""
	if version.DeploymentName != "" {
		deployment = fmt.Sprintf("; workers are version %s of deployment %s", version.BuildID, version.DeploymentName)
	}
	first, byModel := e.FirstPoll()
	others := ""
	if byModel {
		others = " (other models than luma: by their usual time)"
	}
	return okf("at most %g submissions per second, polls after %s%s and then every %s%s", e.SubmitsPerSecond, first, others, e.PollInterval, deployment)
}

// plainOnPublicHost reports whether requests to a URL cross the internet without
// encryption. It does not resolve names: names without a dot, localhost and the
// domains .localhost, .local and .internal are not public.
func plainOnPublicHost(base *url.URL) bool {
	if base.Scheme != "http" {
		return false
	}
	host := strings.ToLower(strings.TrimSuffix(base.Hostname(), "."))
	if address, err := netip.ParseAddr(host); err == nil {
		return fetch.Public(address)
	}
	dot := strings.LastIndex(host, ".")
	return dot >= 0 && !slices.Contains([]string{"localhost", "local", "internal"}, host[dot+1:])
}
