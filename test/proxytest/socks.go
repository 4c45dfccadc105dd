package proxytest

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

// NewSOCKS runs a SOCKS5 proxy (RFC 1928, RFC 1929).
func NewSOCKS(t testing.TB, options Options) *Proxy {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	p := &Proxy{options: options, URL: &url.URL{Scheme: "socks5", Host: listener.Addr().String(), User: options.User}}
	p.tunnels.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			p.track(client)
			p.tunnels.Go(func() {
				if p.serveSOCKS(client) != nil {
					_ = client.Close()
				}
			})
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		p.closeTunnels()
		p.tunnels.Wait()
	})
	return p
}

var errRefused = errors.New("refused")

func (p *Proxy) serveSOCKS(client net.Conn) error {
	if err := p.authenticate(client); err != nil {
		return err
	}
	head := make([]byte, 4) // version, command, reserved, type of the address
	if _, err := io.ReadFull(client, head); err != nil {
		return err
	}
	var host string
	if head[3] == 3 {
		name, err := readCounted(client)
		if err != nil {
			return err
		}
		host = string(name)
	} else {
		address := make([]byte, map[byte]int{1: 4, 4: 16}[head[3]])
		if _, err := io.ReadFull(client, address); err != nil {
			return err
		}
		parsed, _ := netip.AddrFromSlice(address)
		host = parsed.String()
	}
	port := make([]byte, 2)
	if _, err := io.ReadFull(client, port); err != nil {
		return err
	}
	target := net.JoinHostPort(host, strconv.Itoa(int(binary.BigEndian.Uint16(port))))
	address, refusal := p.route(target)
	server, err := net.Dial("tcp", address)
	if err != nil || refusal != 0 {
		_, _ = client.Write([]byte{5, 2, 0, 1, 0, 0, 0, 0, 0, 0}) // not allowed by the rules
		return errRefused
	}
	_, _ = client.Write([]byte{5, 0, 0, 1, 0, 0, 0, 0, 0, 0})
	p.join(client, server)
	return nil
}

func (p *Proxy) authenticate(client net.Conn) error {
	version := make([]byte, 1)
	if _, err := io.ReadFull(client, version); err != nil {
		return err
	}
	if _, err := readCounted(client); err != nil {
		return err
	}
	if p.options.User == nil {
		_, err := client.Write([]byte{5, 0})
		return err
	}
	if _, err := client.Write([]byte{5, 2}); err != nil {
		return err
	}
	if _, err := io.ReadFull(client, version); err != nil {
		return err
	}
	user, err := readCounted(client)
	if err != nil {
		return err
	}
	password, err := readCounted(client)
	if err != nil {
		return err
	}
	if want, _ := p.options.User.Password(); string(user) != p.options.User.Username() || string(password) != want {
		_, _ = client.Write([]byte{1, 1})
		return errRefused
	}
	_, err = client.Write([]byte{1, 0})
	return err
}

// readCounted reads bytes after their number in one byte.
func readCounted(from io.Reader) ([]byte, error) {
	count := make([]byte, 1)
	if _, err := io.ReadFull(from, count); err != nil {
		return nil, err
	}
	text := make([]byte, count[0])
	_, err := io.ReadFull(from, text)
	return text, err
}
