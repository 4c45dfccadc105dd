package kietest

import (
	"fmt"
	"net/http"
	"time"
)

// metadataURL is where every SSRF guard must not go.
const metadataURL = "http://169.254.169.254/latest/meta-data/iam/security-credentials/"

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
		s.send(w, r, source.takes[s.currentTake(source)])
		return
	}
	s.mu.Lock()
	source.task.downloads++
	s.mu.Unlock()
	faults, several := &source.exposure, s.options.Strikes
	switch {
	case s.deadLink(w, found):
	case s.strike(faults, NotYetThere, several):
		missing(w)
	case s.strike(faults, Download429, several):
		setRetryAfter(w, orElse(s.options.RetryAfter, time.Second))
		http.Error(w, "slow down", http.StatusTooManyRequests)
	case s.strike(faults, RedirectPrivate, 1):
		http.Redirect(w, r, metadataURL, http.StatusFound)
	case s.strike(faults, HTML, several):
		webPage(w)
	default:
		s.transfer(w, r, source)
	}
}

// deadLink answers for links that are over, as storage services do.
func (s *Server) deadLink(w http.ResponseWriter, l *link) bool {
	if !l.expires.IsZero() {
		return false
	}
	faults := &l.result.exposure
	switch {
	case l.generation == 0 && s.strike(faults, LinkGone, always):
		s.revive(l.result)
		if l.result.task.job.lot%2 == 0 {
			missing(w)
		} else {
			denied(w)
		}
	case s.strike(faults, LinkExpired, always):
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
	fmt.Fprintf(w, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>%s</Code><Message>%s</Message></Error>\n", code, message)
}

// webPage is what captive portals and tired CDNs send instead of a video, with
// the type of one.
func webPage(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "video/mp4")
	fmt.Fprint(w, page("Please sign in"))
}

// forgedDownload serves what only a forged callback points to. Whoever fetches
// it has trusted a stranger, so it is booked.
func (s *Server) forgedDownload(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.counts.ForgedDownloads++
	s.mu.Unlock()
	s.log.Warn("a link from a forged callback was fetched", "path", r.URL.Path)
	bait := clips()[0]
	forged := video{stock: bait.content, size: int64(len(bait.content)), sha256: bait.sha256}
	s.send(w, r, forged)
}
