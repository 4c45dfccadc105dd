package kietest

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path"
	"strings"
	"time"
)

// maxUpload bounds one upload in bytes. kie.ai documents no limit for uploads, and
// 500 MB for Luma's source videos.
const maxUpload = 1 << 30

const uploadRoot = "uploads"

// uploadAnswer is the envelope of the upload host.
type uploadAnswer struct {
	Success bool          `json:"success"`
	Code    int           `json:"code"`
	Msg     string        `json:"msg"`
	Data    *uploadedFile `json:"data,omitempty"`
}

type uploadedFile struct {
	FileName    string `json:"fileName"`
	FilePath    string `json:"filePath"`
	DownloadURL string `json:"downloadUrl"`
	FileSize    int64  `json:"fileSize"`
	MimeType    string `json:"mimeType"`
	UploadedAt  string `json:"uploadedAt"`
	// ExpiresAt is documented in the quickstart only.
	ExpiresAt string `json:"expiresAt,omitempty"`
}

// uploadError is a failed upload. For the upload host kie.ai documents HTTP
// statuses other than 200.
type uploadError struct {
	status int
	msg    string
}

func (e *uploadError) Error() string { return e.msg }

func badUpload(format string, args ...any) error {
	return &uploadError{http.StatusBadRequest, fmt.Sprintf(format, args...)}
}

// uploads guards the routes of the upload host and writes their answers.
func (s *Server) uploads(receive func(http.ResponseWriter, *http.Request) (*received, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if s.blocked(w, r) {
			return
		}
		if problem := s.unauthorized(r); problem != "" {
			writeJSON(w, http.StatusUnauthorized, uploadAnswer{Code: codeUnauthorized, Msg: problem})
			return
		}
		if s.injectUploadFault(w, r) {
			return
		}
		file, err := s.keep(receive(w, r))
		if err == nil && s.inject(&s.uploadFaults, UploadLost, 1) {
			_ = resetConnection(w) // always errReset
			return
		}
		if err != nil {
			failed := &uploadError{http.StatusInternalServerError, err.Error()}
			errors.As(err, &failed)
			writeJSON(w, failed.status, uploadAnswer{Code: failed.status, Msg: failed.msg})
			return
		}
		file.DownloadURL = s.base(r) + (&url.URL{Path: "/" + uploadRoot + "/" + file.FilePath}).EscapedPath()
		writeJSON(w, http.StatusOK, uploadAnswer{Success: true, Code: codeOK, Msg: "File uploaded successfully", Data: file})
	}
}

// received is an upload on disk under a temporary name.
type received struct {
	temporary string
	size      int64
	folder    string
	name      string
}

// receive streams an upload to disk.
func (s *Server) receive(body io.Reader) (*received, error) {
	temporary := "incoming-" + newID()
	file, err := s.files.Create(temporary)
	if err != nil {
		return nil, fmt.Errorf("keep an upload: %w", err)
	}
	size, err := io.Copy(file, body)
	if err := errors.Join(err, file.Close()); err != nil {
		_ = s.files.Remove(temporary)
		return nil, badUpload("the upload broke off: %v", err)
	}
	return &received{temporary: temporary, size: size}, nil
}

// keep renames an upload to its final name. It replaces a file of the same name, as
// kie.ai documents.
func (s *Server) keep(upload *received, err error) (*uploadedFile, error) {
	if err != nil {
		return nil, err
	}
	if upload.name == "" {
		upload.name = strings.ToLower(rand.Text()) + ".mp4"
	}
	filePath := path.Join(upload.folder, upload.name)
	if problem := upload.problem(); problem != nil {
		_ = s.files.Remove(upload.temporary)
		return nil, problem
	}
	target := path.Join(uploadRoot, filePath)
	if err := s.files.MkdirAll(path.Dir(target), 0o755); err != nil {
		_ = s.files.Remove(upload.temporary)
		return nil, badUpload("uploadPath can't be used: %v", err)
	}
	if err := s.files.Rename(upload.temporary, target); err != nil {
		_ = s.files.Remove(upload.temporary)
		return nil, badUpload("fileName can't be used: %v", err)
	}
	now := s.options.Now().UTC()
	if err := s.files.Chtimes(target, now, now); err != nil {
		return nil, fmt.Errorf("keep an upload: %w", err)
	}
	s.mu.Lock()
	s.counts.Uploads++
	s.mu.Unlock()
	file := &uploadedFile{
		FileName:   upload.name,
		FilePath:   filePath,
		FileSize:   upload.size,
		MimeType:   mimeType(upload.name),
		UploadedAt: now.Format(time.RFC3339Nano),
	}
	if s.options.UploadLifetime != defaultUploadLifetime {
		file.ExpiresAt = now.Add(s.options.UploadLifetime).Format(time.RFC3339Nano)
	}
	return file, nil
}

// mimeType does not depend on the MIME tables of this machine.
func mimeType(name string) string {
	switch strings.ToLower(path.Ext(name)) {
	case ".mp4":
		return "video/mp4"
	case ".mov":
		return "video/quicktime"
	case ".avi":
		return "video/x-msvideo"
	default:
		return "application/octet-stream"
	}
}

// problem rejects names outside the upload folder.
func (u *received) problem() error {
	switch {
	case u.folder == "":
		return badUpload("uploadPath is required")
	case !fs.ValidPath(u.folder) || strings.ContainsAny(u.folder, "\\\x00"):
		return badUpload("uploadPath must be a plain path without leading or trailing slash")
	case !fs.ValidPath(u.name) || strings.ContainsAny(u.name, "/\\\x00") || u.name == ".":
		return badUpload("fileName must be a plain file name")
	default:
		return nil
	}
}

// upload serves an uploaded file.
func (s *Server) upload(w http.ResponseWriter, r *http.Request) {
	file, err := s.files.Open(path.Join(uploadRoot, r.PathValue("path")))
	if err != nil {
		missing(w)
		return
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil || !info.Mode().IsRegular() || s.deleted(info, s.options.Now()) {
		missing(w)
		return
	}
	w.Header().Set("ETag", fmt.Sprintf(`"%x-%x"`, info.Size(), info.ModTime().UnixNano()))
	http.ServeContent(w, r, info.Name(), info.ModTime(), file)
}

// deleted reports whether the lifetime of an upload was over at a time. Its file
// stays on disk.
func (s *Server) deleted(info os.FileInfo, at time.Time) bool {
	return !at.Before(info.ModTime().Add(s.options.UploadLifetime))
}

// uploaded returns the upload of a task's video URL, whatever host name the URL
// uses. gone is true for a URL under the server's own address without an upload,
// or whose upload was deleted when the task was created.
func (s *Server) uploaded(t *task) (name string, info os.FileInfo, gone bool) {
	gone = strings.HasPrefix(t.request.VideoURL, t.base+"/"+uploadRoot+"/")
	address, err := url.Parse(t.request.VideoURL)
	if err != nil {
		return "", nil, gone
	}
	inside, ok := strings.CutPrefix(address.Path, "/"+uploadRoot+"/")
	if !ok || !fs.ValidPath(inside) {
		return "", nil, gone
	}
	name = path.Join(uploadRoot, inside)
	info, err = s.files.Stat(name)
	if err != nil || !info.Mode().IsRegular() || s.deleted(info, t.created) {
		return "", nil, gone
	}
	return name, info, false
}
