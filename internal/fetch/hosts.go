package fetch

import (
	"fmt"
	"strings"
)

// parseHosts flattens and checks the host allow-list.
func parseHosts(lists []string) ([]string, error) {
	var hosts []string
	for _, list := range lists {
		for host := range strings.SplitSeq(list, ",") {
			host = canonicalHost(strings.TrimSpace(host))
			if host == "" {
				continue
			}
			if strings.ContainsAny(host, "/:*@?# ") || strings.HasPrefix(host, ".") {
				return nil, fmt.Errorf("FETCH_ALLOW_HOSTS: %q is not a host name: write it like example.com, subdomains are included", host)
			}
			hosts = append(hosts, host)
		}
	}
	return hosts, nil
}

// allowedHost reports whether host or a parent domain of it is on the list. An
// empty list allows every host.
func allowedHost(hosts []string, host string) bool {
	host = canonicalHost(host)
	for _, allowed := range hosts {
		if host == allowed || strings.HasSuffix(host, "."+allowed) {
			return true
		}
	}
	return len(hosts) == 0
}

func canonicalHost(host string) string {
	return strings.ToLower(strings.TrimSuffix(host, "."))
}
