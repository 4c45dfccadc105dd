package webhook

import (
	"container/list"
	"context"
	"net"
	"net/http"
	"sync"
)

// maxConnections bounds the open connections. The next one closes the connection that
// has waited longest for a request or for the rest of one, so that slow and idle
// connections can't keep others out.
const maxConnections = 2000

// connections is a listener with a bounded number of open connections.
type connections struct {
	net.Listener
	limit int

	mu   sync.Mutex
	open int
	// waiting are the connections whose request is not read to its end, the one that
	// has waited longest first.
	waiting *list.List
}

// connection is an open connection. place is its element of waiting, nil while its
// request is processed and after it is closed.
type connection struct {
	net.Conn
	of     *connections
	place  *list.Element
	closed bool
}

func newConnections(listener net.Listener, limit int) *connections {
	return &connections{Listener: listener, limit: limit, waiting: list.New()}
}

// Accept never blocks for the limit. If every open connection is processed, which
// maxInFlight excludes for long, the new one is closed: kie.ai repeats its callback.
func (l *connections) Accept() (net.Conn, error) {
	for {
		accepted, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		conn := &connection{Conn: accepted, of: l}
		if excess := l.add(conn); excess != nil {
			_ = excess.Close()
			if excess == conn {
				continue
			}
		}
		return conn, nil
	}
}

// add returns the connection that must be closed, if any.
func (l *connections) add(conn *connection) (excess *connection) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.open++
	conn.place = l.waiting.PushBack(conn)
	if l.open <= l.limit {
		return nil
	}
	return l.waiting.Front().Value.(*connection)
}

// changed is the ConnState hook of the server: the wait begins again after the header
// of a request, since a proxy sends callbacks on connections that were idle, and after
// an answer.
func (l *connections) changed(conn net.Conn, state http.ConnState) {
	waits, ours := conn.(*connection)
	if !ours || state != http.StateActive && state != http.StateIdle {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case waits.closed:
	case waits.place != nil:
		l.waiting.MoveToBack(waits.place)
	default:
		waits.place = l.waiting.PushBack(waits)
	}
}

// Close closes the connection and makes room for another one.
func (c *connection) Close() error {
	c.of.mu.Lock()
	c.leave()
	if !c.closed {
		c.closed = true
		c.of.open--
	}
	c.of.mu.Unlock()
	return c.Conn.Close()
}

// leave removes the connection from those that wait. The caller holds the lock.
func (c *connection) leave() {
	if c.place != nil {
		c.of.waiting.Remove(c.place)
		c.place = nil
	}
}

type connectionKey struct{}

// withConnection is the ConnContext hook of the server.
func withConnection(ctx context.Context, conn net.Conn) context.Context {
	return context.WithValue(ctx, connectionKey{}, conn)
}

// keepOpen excludes the connection of a request from being closed for others, from
// the end of its body to its answer.
func keepOpen(ctx context.Context) {
	if conn, ours := ctx.Value(connectionKey{}).(*connection); ours {
		conn.of.mu.Lock()
		defer conn.of.mu.Unlock()
		conn.leave()
	}
}
