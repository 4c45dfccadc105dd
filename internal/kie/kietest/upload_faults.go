package kietest

import (
	"fmt"
	"io"
	"net/http"
	"slices"
)

// The faults of uploads. They cost nothing. An upload belongs to no job, so that
// Options.UploadFaults chooses them and not a prompt.
const (
	UploadReset = "upload-reset"
	UploadStall = "upload-stall"
	Upload500   = "upload-500"
	UploadHTML  = "upload-html"
	UploadLost  = "upload-lost"
)

var uploadFaultMenu = []Fault{
	{Name: UploadReset, Description: "the connection is reset midway"},
	{Name: UploadStall, Description: "the server stops reading midway and stays connected"},
	{Name: Upload500, Description: "nothing is kept, the answer is HTTP 500"},
	{Name: UploadHTML, Description: "nothing is kept, the answer is a web page with status 200"},
	{Name: UploadLost, Description: "the file is kept, the connection is reset without an answer"},
}

// UploadFaults returns the menu of upload faults.
func UploadFaults() []Fault { return slices.Clone(uploadFaultMenu) }

func newUploadFaults(names []string) (faultSet, error) {
	for _, name := range names {
		if !slices.ContainsFunc(uploadFaultMenu, func(fault Fault) bool { return fault.Name == name }) {
			return faultSet{}, fmt.Errorf("%w %q", ErrUnknownFault, name)
		}
	}
	return newFaultSet(names), nil
}

// injectUploadFault answers an upload with the next fault of the menu that ends it
// before it is stored. It reports whether there was one.
func (s *Server) injectUploadFault(w http.ResponseWriter, r *http.Request) (injected bool) {
	faults := &s.uploadFaults
	switch {
	case s.inject(faults, UploadReset, 1):
		discard(r, r.ContentLength/2)
		_ = resetConnection(w) // always errReset
	case s.inject(faults, UploadStall, 1):
		discard(r, r.ContentLength/2)
		_ = s.stall(r)(w) // always panics
	case s.inject(faults, Upload500, 1):
		discard(r, maxUpload)
		writeJSON(w, http.StatusInternalServerError, uploadAnswer{Code: codeServerError, Msg: "Internal Server Error"})
	case s.inject(faults, UploadHTML, 1):
		discard(r, maxUpload)
		w.Header().Set("Content-Type", "text/html")
		_, _ = io.WriteString(w, page("Just a moment...")) // the client may have disconnected
	default:
		return false
	}
	return true
}

// discard reads a part of a request's body.
func discard(r *http.Request, bytes int64) { _, _ = io.CopyN(io.Discard, r.Body, bytes) }
