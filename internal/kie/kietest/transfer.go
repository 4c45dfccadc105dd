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

// transfer sends a result or a range of it, with the faults of the transfer.
func (s *Server) transfer(w http.ResponseWriter, r *http.Request, source *result) {
	encoding := s.nextEncoding(source)
	video := source.encodings[encoding]
	start := rangeStart(r)
	resumes := start > 0 && (r.Header.Get("If-Range") == "" || r.Header.Get("If-Range") == video.etag())

	faults, repeats := &source.faults, s.options.FaultRepeats
	switch {
	case s.inject(faults, Stall, 1):
		w = halfway(w, s.stall(r))
	case s.inject(faults, Truncated, repeats):
		w = halfway(w, hangUp)
	case s.inject(faults, Reset, repeats):
		w = halfway(w, resetConnection)
	case s.cutForResume(source, start, encoding):
		w = halfway(w, hangUp)
	case resumes && s.inject(faults, NoRange, unlimited):
		r = withRange(r, "")
	case resumes && s.inject(faults, WrongRange, repeats):
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

// cutForResume reports whether a download is cut so that the client resumes it:
// some faults affect resumed downloads only. The number of cuts is limited, for
// clients that never resume.
func (s *Server) cutForResume(r *result, start int64, encoding int) bool {
	first := r.faults.has(EtagChanged) && encoding == 0
	later := start == 0 && (r.faults.has(NoRange) && !s.wasInjected(&r.faults, NoRange) ||
		r.faults.has(WrongRange) && !s.wasInjected(&r.faults, WrongRange))
	s.mu.Lock()
	defer s.mu.Unlock()
	if first || later && r.cuts < s.options.FaultRepeats {
		r.cuts++
		return true
	}
	return false
}

// nextEncoding chooses the encoding of a download. With the fault etag-changed the
// first download gets an encoding that is never sent whole, and all later ones get
// another.
func (s *Server) nextEncoding(r *result) int {
	s.mu.Lock()
	r.transfers++
	first := r.transfers == 1
	s.mu.Unlock()
	if !first {
		s.inject(&r.faults, EtagChanged, 1)
	}
	if r.faults.has(EtagChanged) && first {
		return 0
	}
	return len(r.encodings) - 1
}

// currentEncoding is the encoding for HEAD.
func (s *Server) currentEncoding(r *result) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.transfers == 0 {
		return 0
	}
	return len(r.encodings) - 1
}

var rangePattern = regexp.MustCompile(`^bytes=(\d{1,18})-\d*$`)

// rangeStart is the first byte of a requested range.
func rangeStart(r *http.Request) int64 {
	match := rangePattern.FindStringSubmatch(r.Header.Get("Range"))
	if match == nil {
		return 0
	}
	start, _ := strconv.ParseInt(match[1], 10, 64) // 18 digits fit
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

// halfwayWriter writes the first half of a body and then breaks the connection. The
// Content-Length is that of the whole body.
type halfwayWriter struct {
	http.ResponseWriter
	interrupt interruption
	left      int64
}

// interruption ends a connection early. It returns or panics with the error that
// ends the handler.
type interruption func(http.ResponseWriter) error

func halfway(w http.ResponseWriter, interrupt interruption) http.ResponseWriter {
	return &halfwayWriter{ResponseWriter: w, interrupt: interrupt}
}

func (w *halfwayWriter) WriteHeader(status int) {
	length, _ := strconv.ParseInt(w.Header().Get("Content-Length"), 10, 64) // without a length nothing is written
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
	return n, w.interrupt(w.ResponseWriter)
}

// hangUp closes the connection before the end of the body.
func hangUp(http.ResponseWriter) error { panic(http.ErrAbortHandler) }

// stall sends nothing more until the client disconnects or the server closes.
func (s *Server) stall(r *http.Request) interruption {
	return func(w http.ResponseWriter) error {
		select {
		case <-r.Context().Done():
		case <-s.ctx.Done():
		}
		return hangUp(w)
	}
}

var errReset = errors.New("the connection was reset on purpose")

// resetConnection ends a connection with a TCP RST, which may discard bytes that
// were sent before.
func resetConnection(w http.ResponseWriter) error {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		// An HTTP/2 connection can't be hijacked; aborting resets the stream.
		panic(http.ErrAbortHandler)
	}
	socket := conn
	if wrapped, ok := conn.(*tls.Conn); ok {
		socket = wrapped.NetConn()
	}
	if tcp, ok := socket.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // without it Close sends FIN
	}
	_ = socket.Close()
	return errReset
}
