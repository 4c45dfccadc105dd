package fetch

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"lumaflow/internal/weburl"
)

// parseHosts flattens the host allow-list and converts it to the form that is
// dialled.
func parseHosts(lists []string) ([]string, error) {
	var hosts []string
	for _, list := range lists {
		for entry := range strings.SplitSeq(list, ",") {
			entry = strings.TrimSpace(entry)
			if entry == "" {
				continue
			}
			host, err := weburl.Host(entry)
			if err != nil {
				return nil, fmt.Errorf("FETCH_ALLOW_HOSTS: %q is not a host name: write it like example.com, subdomains are included", entry)
			}
			hosts = append(hosts, host)
		}
	}
	return hosts, nil
}

// allowedHost reports whether a host is on the list. A name is also allowed by a
// parent domain, an address only by itself. An empty list allows every host.
func allowedHost(hosts []string, host string) bool {
	if len(hosts) == 0 {
		return true
	}
	host = strings.TrimSuffix(host, ".")
	address, notAddress := netip.ParseAddr(host)
	return slices.ContainsFunc(hosts, func(allowed string) bool {
		if notAddress != nil {
			return strings.HasSuffix("."+host, "."+allowed)
		}
		listed, err := netip.ParseAddr(allowed)
		return err == nil && listed.Unmap() == address.Unmap()
	})
}
