package kietest

import (
	"fmt"
	"net/http"
	"strings"
)

// api guards a route of api.kie.ai. refuseKey answers requests without a valid
// key.
func (s *Server) api(next http.HandlerFunc, refuseKey func(w http.ResponseWriter, code int, msg string)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if s.blocked(w, r) {
			return
		}
		if problem := s.unauthorized(r); problem != "" {
			refuseKey(w, codeUnauthorized, problem)
			return
		}
		next(w, r)
	}
}

// blocked simulates the CDN in front of both hosts.
func (s *Server) blocked(w http.ResponseWriter, r *http.Request) bool {
	if !s.options.RequireUserAgent || strings.HasPrefix(r.UserAgent(), "Mozilla/5.0") {
		return false
	}
	w.Header().Set("Content-Type", "text/plain")
	w.WriteHeader(http.StatusForbidden)
	_, _ = fmt.Fprint(w, "error code: 1010")
	return true
}

func (s *Server) unauthorized(r *http.Request) (problem string) {
	scheme, key, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	switch {
	case !strings.EqualFold(scheme, "Bearer") || strings.TrimSpace(key) == "":
		return "You do not have access permissions"
	case !s.acceptsKey(key):
		return "Unauthorized: the API key is not valid"
	default:
		return ""
	}
}
