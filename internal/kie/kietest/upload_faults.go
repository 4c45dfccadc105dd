package kietest

import (
	"fmt"
	"io"
	"net/http"
	"slices"
)

// The faults of uploads. They are apart from the others because an upload
// belongs to no job: nothing is paid, and no prompt can name them.
const (
	UploadReset = "upload-reset"
	UploadStall = "upload-stall"
	Upload500   = "upload-500"
	UploadHTML  = "upload-html"
	UploadLost  = "upload-lost"
)

var uploadCatalogue = []Fault{
	{Name: UploadReset, Description: "the connection is reset midway"},
	{Name: UploadStall, Description: "the server stops reading midway and stays connected"},
	{Name: Upload500, Description: "nothing is kept, the answer is HTTP 500"},
	{Name: UploadHTML, Description: "nothing is kept, the answer is a web page with status 200"},
	{Name: UploadLost, Description: "the file is kept, the connection is reset without an answer"},
}

// UploadFaults lists what can be done to an upload.
func UploadFaults() []Fault { return slices.Clone(uploadCatalogue) }

func exposedUploads(names []string) (exposure, error) {
	for _, name := range names {
		if !slices.ContainsFunc(uploadCatalogue, func(fault Fault) bool { return fault.Name == name }) {
			return exposure{}, fmt.Errorf("%w %q", ErrUnknownFault, name)
		}
	}
	return exposedTo(names), nil
}

// spoil ends the next upload before it is taken, if the menu says so.
func (s *Server) spoil(w http.ResponseWriter, r *http.Request) (spoilt bool) {
	faults := &s.uploading
	switch {
	case s.strike(faults, UploadReset, 1):
		read(r, r.ContentLength/2)
		_ = resetConnection(w) // it says that it has reset it
	case s.strike(faults, UploadStall, 1):
		read(r, r.ContentLength/2)
		_ = s.stall(r)(w) // it panics to hang up
	case s.strike(faults, Upload500, 1):
		read(r, maxUpload)
		writeJSON(w, http.StatusInternalServerError, uploadAnswer{Code: codeServerError, Msg: "Internal Server Error"})
	case s.strike(faults, UploadHTML, 1):
		read(r, maxUpload)
		w.Header().Set("Content-Type", "text/html")
		_, _ = io.WriteString(w, page("Just a moment...")) // a client that left is no concern of a server
	default:
		return false
	}
	return true
}

// read takes what a client sends and forgets it, if it comes to an error, too.
func read(r *http.Request, bytes int64) { _, _ = io.CopyN(io.Discard, r.Body, bytes) }
