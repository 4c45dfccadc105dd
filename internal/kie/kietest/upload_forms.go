package kietest

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"path"
	"strings"
	"time"
)

// maxField bounds, in bytes, a text field of a multipart upload.
const maxField = 4 << 10

// uploadStream is POST /api/file-stream-upload. The order of the fields does not
// matter.
func (s *Server) uploadStream(w http.ResponseWriter, r *http.Request) (*received, error) {
	r.Body = http.MaxBytesReader(w, r.Body, maxUpload)
	parts, err := r.MultipartReader()
	if err != nil {
		return nil, badUpload("the body must be multipart/form-data")
	}
	var file *received
	fields := map[string]string{}
	original := ""
	fail := func(err error) (*received, error) {
		if file != nil {
			_ = s.files.Remove(file.temporary)
		}
		return nil, err
	}
	for {
		part, err := parts.NextPart()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return fail(badUpload("the form broke off: %v", err))
		}
		if part.FormName() != "file" {
			if err := readField(fields, part); err != nil {
				return fail(err)
			}
			continue
		}
		if file != nil {
			return fail(badUpload("only one file can be uploaded"))
		}
		original = part.FileName()
		if file, err = s.receive(part); err != nil {
			return nil, err
		}
	}
	if file == nil {
		return nil, badUpload("file is required")
	}
	file.folder, file.name = fields["uploadPath"], orElse(fields["fileName"], original)
	return file, nil
}

func readField(fields map[string]string, part *multipart.Part) error {
	text, err := io.ReadAll(io.LimitReader(part, maxField+1))
	if err != nil || len(text) > maxField {
		return badUpload("field %q is too long", part.FormName())
	}
	fields[part.FormName()] = string(text)
	return nil
}

// uploadBase64 is POST /api/file-base64-upload.
func (s *Server) uploadBase64(w http.ResponseWriter, r *http.Request) (*received, error) {
	var body struct {
		Data       string `json:"base64Data"`
		UploadPath string `json:"uploadPath"`
		FileName   string `json:"fileName"`
	}
	const maxEncoded = 64 << 20 // kie.ai documents this endpoint for small files
	if problem := readJSONUpTo(w, r, &body, maxEncoded); problem != "" {
		return nil, badUpload("%s", problem)
	}
	data := body.Data
	if strings.HasPrefix(data, "data:") {
		_, data, _ = strings.Cut(data, ",")
	}
	if data == "" {
		return nil, badUpload("base64Data is required")
	}
	file, err := s.receive(base64.NewDecoder(base64.StdEncoding, strings.NewReader(data)))
	if err != nil {
		return nil, err
	}
	file.folder, file.name = body.UploadPath, body.FileName
	return file, nil
}

// uploadURL is POST /api/file-url-upload. kie.ai documents the timeout of 30 s.
func (s *Server) uploadURL(w http.ResponseWriter, r *http.Request) (*received, error) {
	var body struct {
		FileURL    string `json:"fileUrl"`
		UploadPath string `json:"uploadPath"`
		FileName   string `json:"fileName"`
	}
	if problem := readJSON(w, r, &body); problem != "" {
		return nil, badUpload("%s", problem)
	}
	if !isWebURL(body.FileURL) {
		return nil, badUpload("fileUrl must be an http or https URL")
	}
	ctx, cancel := context.WithTimeout(r.Context(), 30*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, body.FileURL, nil)
	if err != nil {
		return nil, badUpload("fileUrl: %v", withoutURL(err))
	}
	answer, err := s.client.Do(request)
	if err != nil {
		return nil, &uploadError{http.StatusInternalServerError, fmt.Sprintf("download of fileUrl failed: %v", withoutURL(err))}
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return nil, &uploadError{http.StatusInternalServerError, "download of fileUrl failed: " + answer.Status}
	}
	file, err := s.receive(http.MaxBytesReader(w, answer.Body, maxUpload))
	if err != nil {
		return nil, err
	}
	file.folder, file.name = body.UploadPath, orElse(body.FileName, plainName(request.URL.Path))
	return file, nil
}

// plainName is the last segment of a URL's path, empty if there is none.
func plainName(urlPath string) string {
	if name := path.Base(urlPath); name != "." && name != "/" {
		return name
	}
	return ""
}
