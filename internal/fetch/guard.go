package fetch

import (
	"context"
	"fmt"
	"net/netip"
	"syscall"

	"code.dny.dev/ssrf"
)

// publicAddresses holds the ranges of IANA's special-purpose registries, and of
// IPv6 everything outside of 2000::/3, as package ssrf maintains them.
var publicAddresses = ssrf.New(ssrf.WithAnyNetwork(), ssrf.WithAnyPort(), ssrf.WithDeniedV6Prefixes(
	// The former 6bone was returned to IANA and is in no registry. (RFC 3701)
	netip.MustParsePrefix("3ffe::/16"),
))

// embedded unwraps the IPv4 address that an IPv6 address represents. An address
// behind NAT64 has it in the last four bytes; in an IPv6-only network every name
// of an IPv4 host resolves to one.
func embedded(address netip.Addr) netip.Addr {
	address = address.WithZone("").Unmap()
	if ssrf.IPv6NAT64Prefix.Contains(address) {
		bytes := address.As16()
		return netip.AddrFrom4([4]byte(bytes[12:]))
	}
	return address
}

// Public reports whether an address belongs to the public internet.
func Public(address netip.Addr) bool {
	return address.IsValid() && publicAddresses.SafeAddr(embedded(address)) == nil
}

// addressError rejects an address. Its own type distinguishes it from failures of
// the network after net and net/http have wrapped it.
type addressError struct{ address netip.Addr }

func (e addressError) Error() string {
	return fmt.Sprintf("%s is not a public address, so it is not contacted", e.address)
}

// approve rejects addresses that are not public. allowPrivate admits them, except
// link-local ones: no development setup serves videos from those, but every cloud
// serves the credentials of its machines there.
func approve(address netip.Addr, allowPrivate bool) error {
	if Public(address) || allowPrivate && !embedded(address).IsLinkLocalUnicast() {
		return nil
	}
	return addressError{address}
}

// guard checks an address immediately before it is dialled. At that point the
// name is resolved, so it can't resolve to one address for the check and to
// another for the connection. Every redirect dials, so every redirect is checked.
func guard(allowPrivate bool) func(context.Context, string, string, syscall.RawConn) error {
	return func(_ context.Context, _, target string, _ syscall.RawConn) error {
		dialled, err := netip.ParseAddrPort(target)
		if err != nil {
			return addressError{}
		}
		return approve(dialled.Addr(), allowPrivate)
	}
}
