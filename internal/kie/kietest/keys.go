package kietest

import (
	"crypto/subtle"
	"net/http"
)

// keys are what the owner of an account makes and deletes at https://kie.ai. A
// simulator that is started again has those of its Options.
type keys struct {
	api  []string // none: any is accepted
	hmac string   // empty: callbacks are not signed
}

func keysOf(options Options) keys {
	made := keys{hmac: options.HMACKey}
	if options.APIKey != "" {
		made.api = []string{options.APIKey}
	}
	return made
}

// setKeys is POST /_sim/keys. What the body leaves out stays. The answer names
// no key: they may be real.
func (s *Server) setKeys(w http.ResponseWriter, r *http.Request) {
	var body struct {
		API  *[]string `json:"apiKeys"`
		HMAC *string   `json:"hmacKey"`
	}
	if problem := readJSON(w, r, &body); problem != "" {
		http.Error(w, problem, http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	if body.API != nil {
		s.keys.api = *body.API
	}
	if body.HMAC != nil {
		s.keys.hmac = *body.HMAC
	}
	held := s.keys
	s.mu.Unlock()
	writeJSON(w, http.StatusOK, map[string]any{"apiKeys": len(held.api), "signed": held.hmac != ""})
}

// knows reports whether an API key is accepted.
func (s *Server) knows(key string) bool {
	s.mu.Lock()
	accepted := s.keys.api
	s.mu.Unlock()
	for _, one := range accepted {
		if subtle.ConstantTimeCompare([]byte(key), []byte(one)) == 1 {
			return true
		}
	}
	return len(accepted) == 0
}

func (s *Server) hmacKey() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.keys.hmac
}
