package kietest

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"regexp"
	"strconv"
	"time"
)

// transfer sends the bytes of a result, or part of them.
func (s *Server) transfer(w http.ResponseWriter, r *http.Request, source *result) {
	take := s.nextTake(source)
	video := source.takes[take]
	start := rangeStart(r)
	resumes := start > 0 && (r.Header.Get("If-Range") == "" || r.Header.Get("If-Range") == video.etag())

	faults, several := &source.exposure, s.options.Strikes
	switch {
	case s.strike(faults, Stall, 1):
		w = halfway(w, s.stall(r))
	case s.strike(faults, Truncated, several):
		w = halfway(w, hangUp)
	case s.strike(faults, Reset, several):
		w = halfway(w, resetConnection)
	case s.lures(source, start, take):
		w = halfway(w, hangUp)
	case resumes && s.strike(faults, NoRange, always):
		r = withRange(r, "")
	case resumes && s.strike(faults, WrongRange, several):
		r = withRange(r, fmt.Sprintf("bytes=%d-", start/2))
	}
	s.send(w, r, video)
}

// send serves one video with ranges, conditions and HEAD.
func (s *Server) send(w http.ResponseWriter, r *http.Request, v video) {
	content, err := s.open(v)
	if err != nil {
		s.log.Error("could not open a result", "error", err)
		missing(w)
		return
	}
	defer content.Close()
	w.Header().Set("Content-Type", "video/mp4")
	w.Header().Set("ETag", v.etag())
	http.ServeContent(w, r, "", time.Time{}, content)
}

// lures cuts a download from its start, so that the client comes back for the
// rest and meets the fault that only a resumed download can show. A client that
// never resumes is let go after a while.
func (s *Server) lures(r *result, start int64, take int) bool {
	first := r.faces(EtagChanged) && take == 0
	later := start == 0 && (r.faces(NoRange) && !s.met(&r.exposure, NoRange) ||
		r.faces(WrongRange) && !s.met(&r.exposure, WrongRange))
	s.mu.Lock()
	defer s.mu.Unlock()
	if first || later && r.lures < s.options.Strikes {
		r.lures++
		return true
	}
	return false
}

// nextTake chooses the encoding of a download: etag-changed serves one that
// nobody gets whole, and another from the second download on.
func (s *Server) nextTake(r *result) int {
	s.mu.Lock()
	r.transfers++
	again := r.transfers > 1
	s.mu.Unlock()
	if again {
		s.strike(&r.exposure, EtagChanged, 1)
	}
	if r.faces(EtagChanged) && !again {
		return 0
	}
	return len(r.takes) - 1
}

// currentTake is the encoding that a HEAD sees.
func (s *Server) currentTake(r *result) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.transfers == 0 {
		return 0
	}
	return len(r.takes) - 1
}

var rangePattern = regexp.MustCompile(`^bytes=(\d{1,18})-\d*$`)

// rangeStart is the first byte a request asks for.
func rangeStart(r *http.Request) int64 {
	match := rangePattern.FindStringSubmatch(r.Header.Get("Range"))
	if match == nil {
		return 0
	}
	start, _ := strconv.ParseInt(match[1], 10, 64) // 18 digits always fit
	return start
}

func withRange(r *http.Request, header string) *http.Request {
	changed := r.Clone(r.Context())
	changed.Header.Del("Range")
	if header != "" {
		changed.Header.Set("Range", header)
	}
	return changed
}

// halfwayWriter lets half of a body pass and then does harm. The header still
// promises all of it.
type halfwayWriter struct {
	http.ResponseWriter
	harm harm
	left int64
}

// harm ends a connection in one bad way. It returns or panics with what stops
// the handler.
type harm func(http.ResponseWriter) error

func halfway(w http.ResponseWriter, does harm) http.ResponseWriter {
	return &halfwayWriter{ResponseWriter: w, harm: does}
}

func (w *halfwayWriter) WriteHeader(status int) {
	length, _ := strconv.ParseInt(w.Header().Get("Content-Length"), 10, 64) // none leaves nothing to pass
	w.left = length / 2
	w.ResponseWriter.WriteHeader(status)
}

func (w *halfwayWriter) Write(p []byte) (int, error) {
	pass := p[:min(int64(len(p)), w.left)]
	n, err := w.ResponseWriter.Write(pass)
	w.left -= int64(n)
	if err != nil || w.left > 0 {
		return n, err
	}
	if err := http.NewResponseController(w.ResponseWriter).Flush(); err != nil {
		return n, err
	}
	return n, w.harm(w.ResponseWriter)
}

// hangUp closes the connection in good order, too early.
func hangUp(http.ResponseWriter) error { panic(http.ErrAbortHandler) }

// stall sends nothing more until the client leaves or the server closes.
func (s *Server) stall(r *http.Request) harm {
	return func(w http.ResponseWriter) error {
		select {
		case <-r.Context().Done():
		case <-s.ctx.Done():
		}
		return hangUp(w)
	}
}

var errReset = errors.New("the connection was reset on purpose")

// resetConnection ends a connection with a TCP RST. What was sent before may
// get lost with it.
func resetConnection(w http.ResponseWriter) error {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		// HTTP/2 has no connection to take over; its abort is a reset too.
		panic(http.ErrAbortHandler)
	}
	socket := conn
	if wrapped, ok := conn.(*tls.Conn); ok {
		socket = wrapped.NetConn()
	}
	if tcp, ok := socket.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // without it the close is a mere FIN
	}
	_ = socket.Close()
	return errReset
}
