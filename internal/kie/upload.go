package kie

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"path"
	"strings"
	"sync/atomic"
	"time"

	"lumaflow/internal/stall"
)

const (
	opUpload   = "upload"
	uploadPath = "/api/file-stream-upload"
	// uploadStall bounds the time without progress, and the time from the last
	// byte of the body to the answer. The upload as a whole has no limit: its
	// time depends on the size of the file and the bandwidth.
	uploadStall = 2 * time.Minute
	// defaultFolder is the folder at kie.ai of uploads without a Path.
	defaultFolder = "lumaflow"
	// maxUploadName bounds, in bytes, the part of the name that comes from the
	// file's own name.
	maxUploadName = 80
)

// Upload is a source video to upload. kie.ai documents that uploads are free.
type Upload struct {
	// Name is the file's name. Its extension is kept; the rest is made URL-safe
	// and unique: kie.ai documents that a file of the same name is overwritten
	// while caches may still serve the old one.
	Name string
	// Size is the length of Body in bytes; zero or less means unknown.
	Size int64
	// Body is streamed once and not closed. If Upload fails, a Read in progress
	// may return after Upload has.
	Body io.Reader
	// Path is the folder at kie.ai; empty means "lumaflow".
	Path string
}

// Upload streams a video to kie.ai, which keeps it for at least UploadLifetime. It
// makes one attempt and follows no redirect; its errors are Temporary or Refused.
// It fails after two minutes without progress and has no other time limit.
func (c *Client) Upload(ctx context.Context, upload Upload) (Uploaded, error) {
	ctx, watchdog := stall.Watch(ctx, uploadStall, fmt.Errorf("nothing moved for %v", uploadStall))
	defer watchdog.Stop()
	failed := func(err error) error {
		return &Error{Op: opUpload, Class: Temporary, Err: withoutURL(cmp.Or(context.Cause(ctx), err))}
	}
	head, tail, contentType, err := upload.frame()
	if err != nil {
		return Uploaded{}, failed(err)
	}
	body := &uploadBody{
		reader:   io.MultiReader(bytes.NewReader(head), upload.content(), bytes.NewReader(tail)),
		progress: watchdog.Progress,
	}
	defer body.ended.Store(true)
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.uploads.JoinPath(uploadPath).String(), body)
	if err != nil {
		return Uploaded{}, failed(err)
	}
	if upload.Size > 0 {
		request.ContentLength = int64(len(head)) + upload.Size + int64(len(tail))
	}
	c.prepare(request, contentType)

	client := http.Client{Transport: c.transport, CheckRedirect: noRedirect}
	response, err := client.Do(request)
	if err != nil {
		return Uploaded{}, failed(err)
	}
	return c.uploaded(c.receive(opUpload, "", response), upload.Size)
}

// frame returns the parts of the multipart body before and after the video.
func (u Upload) frame() (head, tail []byte, contentType string, err error) {
	folder := cmp.Or(strings.Trim(u.Path, "/"), defaultFolder)
	name, mediaType := uniqueName(u.Name)
	var frame bytes.Buffer
	form := multipart.NewWriter(&frame)
	header := textproto.MIMEHeader{
		"Content-Disposition": {`form-data; name="file"; filename="` + name + `"`},
		"Content-Type":        {mediaType},
	}
	err = errors.Join(form.WriteField("uploadPath", folder), form.WriteField("fileName", name))
	_, partErr := form.CreatePart(header)
	split := frame.Len()
	if err := errors.Join(err, partErr, form.Close()); err != nil {
		return nil, nil, "", err
	}
	return frame.Bytes()[:split], frame.Bytes()[split:], form.FormDataContentType(), nil
}

// content is the video, limited to the announced size.
func (u Upload) content() io.Reader {
	if u.Size <= 0 {
		return u.Body
	}
	return &exactReader{io.LimitedReader{R: u.Body, N: u.Size}}
}

var mediaTypes = map[string]string{".mp4": "video/mp4", ".mov": "video/quicktime", ".avi": "video/x-msvideo"}

// uniqueName returns a random name that needs no escapes in a URL or header, and
// its media type.
func uniqueName(name string) (unique, mediaType string) {
	name = path.Base(strings.ReplaceAll(name, `\`, "/"))
	extension := strings.TrimRight(strings.Map(plainASCII, strings.ToLower(path.Ext(name))), ".")
	extension = extension[:min(len(extension), 10)]
	stem := strings.Trim(strings.Map(plainASCII, strings.TrimSuffix(name, path.Ext(name))), "-.")
	stem = cmp.Or(stem[:min(len(stem), maxUploadName)], "video")
	return stem + "-" + strings.ToLower(rand.Text()) + extension, cmp.Or(mediaTypes[extension], "application/octet-stream")
}

// plainASCII maps everything but ASCII letters, digits, "-", "_" and "." to "-".
func plainASCII(r rune) rune {
	switch {
	case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '_', r == '.':
		return r
	default:
		return '-'
	}
}

// uploadBody reports progress, and stops reading from the caller's reader once
// Upload has returned: net/http may read the body a moment longer.
type uploadBody struct {
	reader   io.Reader
	progress func()
	ended    atomic.Bool
}

func (b *uploadBody) Read(bytes []byte) (int, error) {
	if b.ended.Load() {
		return 0, errSealed
	}
	n, err := b.reader.Read(bytes)
	b.progress()
	return n, err
}

// exactReader reads exactly the announced size: it truncates a file that has
// grown, and fails if the file has shrunk.
type exactReader struct{ file io.LimitedReader }

func (r *exactReader) Read(bytes []byte) (int, error) {
	n, err := r.file.Read(bytes)
	if err == io.EOF && r.file.N > 0 {
		err = errors.New("the file became shorter while it was uploaded")
	}
	return n, err
}
