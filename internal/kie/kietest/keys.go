package kietest

import (
	"crypto/subtle"
	"net/http"
)

// keys are the keys that the owner of an account manages at https://kie.ai. They
// are not part of the state: a restart resets them to the Options.
type keys struct {
	api  []string // empty: any is accepted
	hmac string   // empty: callbacks are not signed
}

func keysOf(options Options) keys {
	initial := keys{hmac: options.HMACKey}
	if options.APIKey != "" {
		initial.api = []string{options.APIKey}
	}
	return initial
}

// setKeys is POST /_sim/keys. Members that are absent keep their value. The answer
// holds no key: keys may be real.
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

// acceptsKey reports whether an API key is valid.
func (s *Server) acceptsKey(key string) bool {
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
