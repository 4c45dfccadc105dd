package bucket_test

import (
	"bytes"
	"cmp"
	"crypto/md5"
	"encoding/base64"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

const azureAccount = "studio"

// azureServer is a subset of Azure Blob Storage according to its REST reference:
// Put Blob, Get Blob (Properties), Delete Blob, List Blobs.
type azureServer struct {
	*httptest.Server
	mu    sync.Mutex
	blobs map[string]azureBlob
	etags int
}

type azureBlob struct {
	content  []byte
	header   http.Header
	etag     string
	modified string
}

func newAzure(t testing.TB) *azureServer {
	s := &azureServer{blobs: map[string]azureBlob{}}
	s.Server = httptest.NewServer(http.HandlerFunc(s.serve))
	t.Cleanup(s.Close)
	return s
}

func (s *azureServer) url(parameters ...string) string {
	return "azblob://films?" + strings.Join(append([]string{"protocol=http", "domain=" + s.Listener.Addr().String()}, parameters...), "&")
}

func (s *azureServer) serve(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	container, key, isBlob := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"+azureAccount+"/"), "/")
	blob, exists := s.blobs[key]
	switch {
	case container != "films":
		azureRefuses(w, http.StatusNotFound, "ContainerNotFound")
	case !isBlob:
		s.list(w, r)
	case r.Method == http.MethodPut:
		s.put(w, r, key, body)
	case !exists:
		azureRefuses(w, http.StatusNotFound, "BlobNotFound")
	case r.Method == http.MethodDelete:
		delete(s.blobs, key)
		w.WriteHeader(http.StatusAccepted)
	default:
		maps.Copy(w.Header(), blob.header)
		w.Header().Set("ETag", blob.etag)
		w.Header().Set("Last-Modified", blob.modified)
		w.Header().Set("x-ms-creation-time", blob.modified)
		w.Header().Set("Content-Length", strconv.Itoa(len(blob.content)))
		if r.Method == http.MethodGet {
			_, _ = w.Write(blob.content)
		}
	}
}

func (s *azureServer) put(w http.ResponseWriter, r *http.Request, key string, body []byte) {
	sum := md5.Sum(body)
	digest := base64.StdEncoding.EncodeToString(sum[:])
	blob, exists := s.blobs[key]
	switch {
	case r.URL.Query().Has("comp") || r.Header.Get("x-ms-blob-type") != "BlockBlob":
		azureRefuses(w, http.StatusBadRequest, "NotAPutBlob")
	case cmp.Or(r.Header.Get("Content-MD5"), "none") != digest:
		azureRefuses(w, http.StatusBadRequest, "Md5Mismatch")
	case exists && r.Header.Get("If-None-Match") == "*":
		azureRefuses(w, http.StatusConflict, "BlobAlreadyExists")
	case r.Header.Get("If-Match") != "" && r.Header.Get("If-Match") != blob.etag:
		azureRefuses(w, http.StatusPreconditionFailed, "ConditionNotMet")
	default:
		s.etags++
		header := http.Header{}
		header.Set("Content-Type", r.Header.Get("x-ms-blob-content-type"))
		header.Set("Content-MD5", digest)
		for name, values := range r.Header {
			if strings.HasPrefix(name, "X-Ms-Meta-") {
				header[name] = values
			}
		}
		s.blobs[key] = azureBlob{bytes.Clone(body), header, fmt.Sprintf(`"0x%X"`, s.etags), time.Now().UTC().Format(http.TimeFormat)}
		w.Header().Set("ETag", s.blobs[key].etag)
		w.WriteHeader(http.StatusCreated)
	}
}

func (s *azureServer) list(w http.ResponseWriter, r *http.Request) {
	prefix, delimiter := r.URL.Query().Get("prefix"), r.URL.Query().Get("delimiter")
	_, _ = fmt.Fprintf(w, `<?xml version="1.0"?><EnumerationResults><Blobs>`)
	for _, key := range slices.Sorted(maps.Keys(s.blobs)) {
		name, below := strings.CutPrefix(key, prefix)
		if !below || delimiter != "" && strings.Contains(name, delimiter) {
			continue
		}
		_, _ = fmt.Fprintf(w, `<Blob><Name>%s</Name><Properties><Last-Modified>%s</Last-Modified><Content-Length>%d</Content-Length></Properties></Blob>`,
			key, s.blobs[key].modified, len(s.blobs[key].content))
	}
	_, _ = fmt.Fprint(w, `</Blobs><NextMarker/></EnumerationResults>`)
}

func azureRefuses(w http.ResponseWriter, status int, code string) {
	w.Header().Set("x-ms-error-code", code)
	w.WriteHeader(status)
}
