package fetch

import (
	"context"
	"fmt"
	"net/netip"
	"syscall"
)

// Everything that IANA's special-purpose registries don't call globally
// reachable. IPv6 needs only the exceptions within 2000::/3, because nothing
// outside of it is public.
var (
	privateIPv4 = prefixes(
		"0.0.0.0/8",       // this network
		"10.0.0.0/8",      // private
		"100.64.0.0/10",   // carrier-grade NAT
		"127.0.0.0/8",     // loopback
		"169.254.0.0/16",  // link-local, cloud metadata
		"172.16.0.0/12",   // private
		"192.0.0.0/24",    // protocol assignments
		"192.0.2.0/24",    // documentation
		"192.88.99.0/24",  // 6to4 relays
		"192.168.0.0/16",  // private
		"198.18.0.0/15",   // benchmarks
		"198.51.100.0/24", // documentation
		"203.0.113.0/24",  // documentation
		"224.0.0.0/4",     // multicast
		"240.0.0.0/4",     // reserved, broadcast
	)
	globalIPv6  = netip.MustParsePrefix("2000::/3")
	privateIPv6 = prefixes(
		"2001::/23",     // protocol assignments, Teredo among them
		"2001:db8::/32", // documentation
		"2002::/16",     // 6to4
		"3ffe::/16",     // the former 6bone
		"3fff::/20",     // documentation
	)
	// nat64 addresses stand for the IPv4 address in their last four bytes, and
	// are all that a name resolves to in an IPv6-only network.
	nat64 = netip.MustParsePrefix("64:ff9b::/96")
)

func prefixes(texts ...string) []netip.Prefix {
	parsed := make([]netip.Prefix, len(texts))
	for i, text := range texts {
		parsed[i] = netip.MustParsePrefix(text)
	}
	return parsed
}

// embedded unwraps an IPv4 address that an IPv6 address stands for.
func embedded(address netip.Addr) netip.Addr {
	address = address.WithZone("").Unmap()
	if nat64.Contains(address) {
		bytes := address.As16()
		return netip.AddrFrom4([4]byte(bytes[12:]))
	}
	return address
}

// Public reports whether an address belongs to the public internet.
func Public(address netip.Addr) bool {
	address = embedded(address)
	refused := privateIPv4
	if address.Is6() {
		if !globalIPv6.Contains(address) {
			return false
		}
		refused = privateIPv6
	}
	for _, prefix := range refused {
		if prefix.Contains(address) {
			return false
		}
	}
	return address.IsValid()
}

// addressError refuses an address. It is a type of its own to be told from
// failures of the network after its way through net and net/http.
type addressError struct{ address netip.Addr }

func (e addressError) Error() string {
	return fmt.Sprintf("%s is not a public address, so it is not asked", e.address)
}

// guard checks the address that is about to be dialled. That is after name
// resolution, so a name can't show one address to a check and another to the
// connection, and it happens on every redirect.
func guard(allowPrivate bool) func(context.Context, string, string, syscall.RawConn) error {
	return func(_ context.Context, _, target string, _ syscall.RawConn) error {
		dialled, err := netip.ParseAddrPort(target)
		if err != nil {
			return addressError{}
		}
		address := dialled.Addr()
		// No development setup serves videos from link-local addresses, but
		// every cloud serves its machines' credentials there.
		if Public(address) || allowPrivate && !embedded(address).IsLinkLocalUnicast() {
			return nil
		}
		return addressError{address}
	}
}
