package kietest

import (
	"fmt"
	"net/http"
	"time"
)

// privateURL is an address that an SSRF guard must block.
const privateURL = "http://169.254.169.254/latest/meta-data/iam/security-credentials/"

// download serves a result under one of its links.
func (s *Server) download(w http.ResponseWriter, r *http.Request) {
	found := s.findLink(r.URL)
	if found == nil {
		denied(w)
		return
	}
	source := found.result
	if r.Method == http.MethodHead {
		if s.deadLink(w, found) {
			return
		}
		s.send(w, r, source.encodings[s.currentEncoding(source)])
		return
	}
	s.mu.Lock()
	source.task.downloads++
	s.mu.Unlock()
	faults, repeats := &source.faults, s.options.FaultRepeats
	switch {
	case s.deadLink(w, found):
	case s.inject(faults, NotYetThere, repeats):
		missing(w)
	case s.inject(faults, Download429, repeats):
		setRetryAfter(w, orElse(s.options.RetryAfter, time.Second))
		http.Error(w, "slow down", http.StatusTooManyRequests)
	case s.inject(faults, RedirectPrivate, 1):
		http.Redirect(w, r, privateURL, http.StatusFound)
	case s.inject(faults, HTML, repeats):
		webPage(w)
	default:
		s.transfer(w, r, source)
	}
}

// deadLink answers requests for dead links, as storage services do. It reports
// whether it has answered.
func (s *Server) deadLink(w http.ResponseWriter, l *link) bool {
	if !l.expires.IsZero() {
		return false
	}
	faults := &l.result.faults
	switch {
	case l.generation == 0 && s.inject(faults, LinkGone, unlimited):
		s.renewLink(l.result)
		if l.result.task.job.variant%2 == 0 {
			missing(w)
		} else {
			denied(w)
		}
	case s.inject(faults, LinkExpired, unlimited):
		denied(w)
	default:
		return false
	}
	return true
}

func denied(w http.ResponseWriter) {
	storageError(w, http.StatusForbidden, "AccessDenied", "Request has expired")
}

func missing(w http.ResponseWriter) {
	storageError(w, http.StatusNotFound, "NoSuchKey", "The specified key does not exist.")
}

func storageError(w http.ResponseWriter, status int, code, message string) {
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>%s</Code><Message>%s</Message></Error>\n", code, message)
}

// webPage sends the web page of a captive portal or CDN with the content type of a
// video.
func webPage(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "video/mp4")
	_, _ = fmt.Fprint(w, page("Please sign in"))
}

// forgedDownload serves a link that only a forged callback holds, and counts the
// request: the client has trusted the forgery.
func (s *Server) forgedDownload(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.counts.ForgedDownloads++
	s.mu.Unlock()
	s.log.Warn("a link from a forged callback was fetched", "path", r.URL.Path)
	clip := clips()[0]
	s.send(w, r, video{stock: clip.content, size: int64(len(clip.content)), sha256: clip.sha256})
}
