package fetch

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/netip"
	"os"
)

// The tests of this package are external. These are the unexported parts that they
// use.

func ParseContentRange(header string) (first, last, total int64, err error) {
	parsed, err := parseContentRange(header)
	return parsed.first, parsed.last, parsed.total, err
}

// WorkFiles are the names of the bytes and of the checkpoint of a key.
func WorkFiles(key string) (bytes, state string) {
	return workName(key) + bytesSuffix, workName(key) + stateSuffix
}

const CheckpointEvery = checkpointEvery

// LockPresent locks a file that was opened before, if it still has its name.
func LockPresent(dir *os.Root, file *os.File, name string) (bool, error) {
	return lockPresent(dir, file, name)
}

// SetDial replaces the dialer and its guard.
func (f *Fetcher) SetDial(dial func(ctx context.Context, network, address string) (net.Conn, error)) {
	f.transport.DialContext = dial
}

// SetRoots replaces the trusted certificates.
func (f *Fetcher) SetRoots(roots *x509.CertPool) {
	f.transport.TLSClientConfig = &tls.Config{RootCAs: roots}
}

// SetLookup replaces the resolver of names that a proxy connects to.
func (f *Fetcher) SetLookup(lookup func(ctx context.Context, network, host string) ([]netip.Addr, error)) {
	f.lookup = lookup
}
