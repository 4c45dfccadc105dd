package proxy

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

	"golang.org/x/net/proxy"
)

const (
	// tunnelTimeout bounds one connection: to the proxy, and from there to the target.
	tunnelTimeout = 10 * time.Second
	// maxHeader bounds, in bytes, the answer to CONNECT.
	maxHeader = 64 << 10
)

var (
	errTimeout     = errors.New("it gives no answer within " + tunnelTimeout.String())
	errCertificate = errors.New("its TLS certificate is not valid for it, or not trusted here")
	errNoProxy     = errors.New("it does not answer as a proxy")
)

// Tunnel opens connections through a proxy.
type Tunnel struct{ Proxy *url.URL }

// DialContext returns a connection to a target, host:port, within 10 seconds. A proxy
// of any scheme resolves the host if it is a name. Errors are *Error, or the cause of
// the end of ctx.
func (t Tunnel) DialContext(ctx context.Context, network, target string) (net.Conn, error) {
	bounded, cancel := context.WithTimeout(ctx, tunnelTimeout)
	defer cancel()
	connection, err := t.dial(bounded, network)
	if err != nil {
		return nil, t.failed(ctx, bounded, &Error{Err: err})
	}
	open := t.connect
	if t.Proxy.Scheme == "socks5" || t.Proxy.Scheme == "socks5h" {
		open = t.socks
	}
	if err := open(bounded, connection, network, target); err != nil {
		_ = connection.Close()
		failed, ok := errors.AsType[*Error](err)
		if !ok {
			failed = &Error{Err: err}
		}
		failed.Refused = true
		return nil, t.failed(ctx, bounded, failed)
	}
	return connection, nil
}

func (t Tunnel) failed(ctx, bounded context.Context, failed *Error) error {
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case bounded.Err() != nil:
		failed.Err = errTimeout
	}
	failed.Proxy = Address(t.Proxy)
	return failed
}

// dial opens the connection to the proxy itself. Its address is a setting, so it may
// be private.
func (t Tunnel) dial(ctx context.Context, network string) (net.Conn, error) {
	connection, err := new(net.Dialer).DialContext(ctx, network, Address(t.Proxy))
	if err != nil || t.Proxy.Scheme != "https" {
		return connection, err
	}
	encrypted := tls.Client(connection, &tls.Config{ServerName: t.Proxy.Hostname(), NextProtos: []string{"http/1.1"}})
	if err := encrypted.HandshakeContext(ctx); err != nil {
		_ = connection.Close()
		if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
			err = errCertificate
		}
		return nil, err
	}
	return encrypted, nil
}

// socks opens the connection by SOCKS5 (RFC 1928).
func (t Tunnel) socks(ctx context.Context, connection net.Conn, network, target string) error {
	var auth *proxy.Auth
	if user := t.Proxy.User; user != nil {
		auth = &proxy.Auth{User: user.Username()}
		auth.Password, _ = user.Password()
	}
	dialer, err := proxy.SOCKS5(network, Address(t.Proxy), auth, present{connection})
	if err != nil {
		return err
	}
	// The result wraps the connection and adds nothing to it.
	_, err = dialer.(proxy.ContextDialer).DialContext(ctx, network, target)
	if outer, ok := errors.AsType[*net.OpError](err); ok {
		// It repeats the addresses.
		err = outer.Err
	}
	return err
}

// present is a dialer whose connection is already open.
type present struct{ connection net.Conn }

func (p present) Dial(string, string) (net.Conn, error) { return p.connection, nil }

func (p present) DialContext(context.Context, string, string) (net.Conn, error) {
	return p.connection, nil
}

// connect opens the connection by CONNECT (RFC 9110, section 9.3.6).
func (t Tunnel) connect(ctx context.Context, connection net.Conn, _, target string) error {
	// The end of ctx interrupts a read or write.
	stop := context.AfterFunc(ctx, func() { _ = connection.SetDeadline(time.Unix(1, 0)) })
	request := &http.Request{Method: http.MethodConnect, URL: &url.URL{Opaque: target}, Host: target, Header: http.Header{}}
	if user := t.Proxy.User; user != nil {
		password, _ := user.Password()
		request.Header.Set("Proxy-Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(user.Username()+":"+password)))
	}
	if err := request.Write(connection); err != nil {
		return err
	}
	reader := bufio.NewReader(&io.LimitedReader{R: connection, N: maxHeader})
	response, err := http.ReadResponse(reader, request) //nolint:bodyclose // the connection is the body
	if !stop() {
		return context.Cause(ctx)
	}
	if err != nil {
		return errNoProxy
	}
	if err := CheckConnect(ctx, t.Proxy, request, response); err != nil {
		return err
	}
	if reader.Buffered() > 0 {
		// Both HTTP and TLS begin with the client.
		return errNoProxy
	}
	return nil
}
