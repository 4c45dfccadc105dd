package kie

import (
	"bytes"
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
	// uploadStall is how long an upload may stand still, and how long kie.ai
	// may take to answer once it has everything. There is no limit to the
	// whole: a large file on a thin line takes its time.
	uploadStall = 2 * time.Minute
	// defaultFolder is where uploads go that name no folder.
	defaultFolder = "lumaflow"
	// maxUploadName bounds, in bytes, what is kept of a file's own name.
	maxUploadName = 80
)

// Upload is a source video on its way to kie.ai. Uploads cost nothing.
type Upload struct {
	// Name is the file's name. Its extension is kept; the rest is made safe for
	// a URL and unique, because kie.ai overwrites a file of the same name while
	// its caches still serve the old one.
	Name string
	// Size is the length of Body in bytes; zero or less means unknown.
	Size int64
	// Body is read once, as the network takes it, and not closed. If Upload
	// fails, a read that was under way may end after it.
	Body io.Reader
	// Path is the folder at kie.ai; empty means one of lumaflow's own.
	Path string
}

// Upload streams a video to kie.ai, which keeps it for UploadLifetime or longer.
// It makes one attempt and follows no redirect; its errors are Temporary or
// Refused. It gives up when nothing has moved for two minutes, but does not
// bound the whole.
func (c *Client) Upload(ctx context.Context, upload Upload) (Uploaded, error) {
	ctx, watchdog := stall.Watch(ctx, uploadStall, fmt.Errorf("nothing moved for %v", uploadStall))
	defer watchdog.Stop()
	failed := func(err error) error {
		if context.Cause(ctx) != nil {
			err = context.Cause(ctx)
		}
		return &Error{Op: opUpload, Class: Temporary, Err: cause(err)}
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

	client := http.Client{Transport: c.transport, CheckRedirect: stay}
	response, err := client.Do(request)
	if err != nil {
		return Uploaded{}, failed(err)
	}
	return c.uploaded(c.receive(opUpload, "", response), upload.Size)
}

// frame returns what stands before and after the video in the multipart body.
func (u Upload) frame() (head, tail []byte, contentType string, err error) {
	folder := strings.Trim(u.Path, "/")
	if folder == "" {
		folder = defaultFolder
	}
	name, mediaType := uniqueName(u.Name)
	var frame bytes.Buffer
	form := multipart.NewWriter(&frame)
	header := textproto.MIMEHeader{
		"Content-Disposition": {`form-data; name="file"; filename="` + name + `"`},
		"Content-Type":        {mediaType},
	}
	if err := errors.Join(form.WriteField("uploadPath", folder), form.WriteField("fileName", name)); err != nil {
		return nil, nil, "", err
	}
	if _, err := form.CreatePart(header); err != nil {
		return nil, nil, "", err
	}
	split := frame.Len()
	if err := form.Close(); err != nil {
		return nil, nil, "", err
	}
	return frame.Bytes()[:split], frame.Bytes()[split:], form.FormDataContentType(), nil
}

// content is the video, held to its announced size.
func (u Upload) content() io.Reader {
	if u.Size <= 0 {
		return u.Body
	}
	return &exactReader{reader: u.Body, left: u.Size}
}

// uniqueName makes a name that no earlier upload has had and that needs no
// escapes, and names its media type.
func uniqueName(name string) (unique, mediaType string) {
	name = path.Base(strings.ReplaceAll(name, `\`, "/"))
	extension := strings.ToLower(path.Ext(name))
	switch extension {
	case ".mp4":
		mediaType = "video/mp4"
	case ".mov":
		mediaType = "video/quicktime"
	case ".avi":
		mediaType = "video/x-msvideo"
	default:
		extension, mediaType = strings.TrimRight(strings.Map(plainASCII, extension), "."), "application/octet-stream"
	}
	stem := strings.Trim(strings.Map(plainASCII, strings.TrimSuffix(name, path.Ext(name))), "-.")
	stem, extension = stem[:min(len(stem), maxUploadName)], extension[:min(len(extension), 10)]
	if stem == "" {
		stem = "video"
	}
	return stem + "-" + strings.ToLower(rand.Text()) + extension, mediaType
}

func plainASCII(r rune) rune {
	if r < 0x80 && isBase64URL(byte(r)) || r == '.' {
		return r
	}
	return '-'
}

// uploadBody tells when something moves, and leaves the caller's reader alone
// when the upload is over: net/http may go on reading for a moment.
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

// exactReader reads exactly as many bytes as were announced: a file that grows
// is cut, one that shrinks is an error.
type exactReader struct {
	reader io.Reader
	left   int64
}

func (r *exactReader) Read(bytes []byte) (int, error) {
	if r.left == 0 {
		return 0, io.EOF
	}
	n, err := r.reader.Read(bytes[:min(int64(len(bytes)), r.left)])
	r.left -= int64(n)
	switch {
	case err == io.EOF && r.left > 0:
		return n, errors.New("the file became shorter while it was uploaded")
	case err == io.EOF:
		return n, nil
	default:
		return n, err
	}
}
