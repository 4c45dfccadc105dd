package kie_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"maps"
	"mime"
	"mime/multipart"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lumaflow/internal/kie"
)

const uploadAnswer = `{"success":true,"code":200,"msg":"File uploaded successfully","data":{"fileName":"in.mp4","filePath":"videos/in.mp4",` +
	`"downloadUrl":"https://tempfile.redpandaai.co/in.mp4","mimeType":"video/mp4","uploadedAt":"2025-01-01T12:00:00.000Z"}}`

// uploaded is an upload as a server received it.
type uploaded struct {
	header   http.Header
	path     string
	length   int64
	fields   map[string]string
	order    []string
	fileName string
	fileType string
	content  string
}

func uploadServer(t *testing.T) (*kie.Client, *uploaded) {
	t.Helper()
	got := new(uploaded)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		*got = uploaded{header: r.Header, path: r.Method + " " + r.URL.Path, length: r.ContentLength, fields: map[string]string{}}
		_, parameters, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
		assert.NoError(t, err)
		form := multipart.NewReader(r.Body, parameters["boundary"])
		for {
			part, err := form.NextPart()
			if err != nil {
				break
			}
			content, err := io.ReadAll(part)
			if err != nil {
				break
			}
			got.order = append(got.order, part.FormName())
			if part.FormName() == "file" {
				got.fileName, got.fileType, got.content = part.FileName(), part.Header.Get("Content-Type"), string(content)
			} else {
				got.fields[part.FormName()] = string(content)
			}
		}
		_, _ = io.WriteString(w, uploadAnswer)
	}))
	t.Cleanup(server.Close)
	return newClient(t, kie.Options{UploadBaseURL: server.URL, UserAgent: "agent/1"}), got
}

func TestUpload(t *testing.T) {
	content := strings.Repeat("video ", 100_000)
	for name, size := range map[string]int64{"known length": int64(len(content)), "unknown length": 0, "negative length": -1} {
		t.Run(name, func(t *testing.T) {
			client, got := uploadServer(t)
			body := iotest.HalfReader(strings.NewReader(content))
			kept, err := client.Upload(t.Context(), kie.Upload{Name: "in.mp4", Size: size, Body: body, Path: "/videos/user/"})
			require.NoError(t, err)
			assert.Equal(t, kie.Uploaded{URL: "https://tempfile.redpandaai.co/in.mp4"}, kept)
			assert.Equal(t, "POST /api/file-stream-upload", got.path)
			assert.Equal(t, "Bearer "+testKey, got.header.Get("Authorization"))
			assert.Equal(t, "agent/1", got.header.Get("User-Agent"))
			assert.Equal(t, []string{"uploadPath", "fileName", "file"}, got.order)
			assert.Equal(t, "videos/user", got.fields["uploadPath"])
			assert.Equal(t, got.fileName, got.fields["fileName"])
			assert.Equal(t, "video/mp4", got.fileType)
			assert.Equal(t, content, got.content)
			if size > 0 {
				assert.Greater(t, got.length, size)
			} else {
				assert.EqualValues(t, -1, got.length)
			}
		})
	}
}

func TestUploadNames(t *testing.T) {
	tests := map[string]struct{ pattern, mediaType string }{
		"in.mp4":                           {`^in-[a-z0-9]{26}\.mp4$`, "video/mp4"},
		"My Film.MOV":                      {`^My-Film-[a-z0-9]{26}\.mov$`, "video/quicktime"},
		"a.avi":                            {`^a-[a-z0-9]{26}\.avi$`, "video/x-msvideo"},
		"../../etc/passwd":                 {`^passwd-[a-z0-9]{26}$`, "application/octet-stream"},
		`C:\films\in.mp4`:                  {`^in-[a-z0-9]{26}\.mp4$`, "video/mp4"},
		"":                                 {`^video-[a-z0-9]{26}$`, "application/octet-stream"},
		".":                                {`^video-[a-z0-9]{26}$`, "application/octet-stream"},
		"..":                               {`^video-[a-z0-9]{26}$`, "application/octet-stream"},
		".mp4":                             {`^video-[a-z0-9]{26}\.mp4$`, "video/mp4"},
		"雪.mp4":                            {`^video-[a-z0-9]{26}\.mp4$`, "video/mp4"},
		"a\"b\r\nX-Evil: 1.mp4":            {`^a-b--X-Evil--1-[a-z0-9]{26}\.mp4$`, "video/mp4"},
		"a.b/../x.y\"z":                    {`^x-[a-z0-9]{26}\.y-z$`, "application/octet-stream"},
		strings.Repeat("n", 5000) + ".mp4": {`^n{80}-[a-z0-9]{26}\.mp4$`, "video/mp4"},
		"x." + strings.Repeat("e", 5000):   {`^x-[a-z0-9]{26}\.e{9}$`, "application/octet-stream"},
	}
	names := map[string]bool{}
	for name, test := range tests {
		client, got := uploadServer(t)
		for range 2 {
			_, err := client.Upload(t.Context(), kie.Upload{Name: name, Body: strings.NewReader("x")})
			require.NoError(t, err)
			assert.Regexp(t, test.pattern, got.fileName, name)
			assert.Equal(t, test.mediaType, got.fileType, name)
			assert.Equal(t, "lumaflow", got.fields["uploadPath"])
			names[got.fileName] = true
		}
	}
	assert.Len(t, slices.Collect(maps.Keys(names)), 2*len(tests), "kie.ai overwrites files of the same name")
}

func TestUploadAnswers(t *testing.T) {
	const keeps = "https://tempfile.redpandaai.co/a"
	tests := map[string]struct {
		answer reply
		want   kie.Uploaded
		class  kie.Class
		text   string
	}{
		"second documented shape": {
			reply{status: 200, body: `{"success":true,"code":200,"data":{"fileId":"f","fileSize":1,"fileUrl":"https://kieai.redpandaai.co/files/a","expiresAt":"2025-01-18T10:30:00Z"}}`},
			kie.Uploaded{URL: "https://kieai.redpandaai.co/files/a", Expires: time.Date(2025, 1, 18, 10, 30, 0, 0, time.UTC)}, 0, "",
		},
		"both":                   {reply{status: 200, body: `{"code":200,"data":{"fileUrl":"https://kie.ai/x","downloadUrl":"` + keeps + `"}}`}, kie.Uploaded{URL: keeps}, 0, ""},
		"invalid times":          {reply{status: 200, body: `{"code":200,"data":{"downloadUrl":"` + keeps + `","expiresAt":"tomorrow","fileSize":"1 B"}}`}, kie.Uploaded{URL: keeps}, 0, ""},
		"no link":                {reply{status: 200, body: `{"success":true,"code":200,"data":{}}`}, kie.Uploaded{}, kie.Temporary, "no link"},
		"link of another kind":   {reply{status: 200, body: `{"code":200,"data":{"downloadUrl":"file:///x"}}`}, kie.Uploaded{}, kie.Temporary, `link "file:///…" can't be used`},
		"link with a bad host":   {reply{status: 200, body: `{"code":200,"data":{"downloadUrl":"https://a b.example/x?sign=x"}}`}, kie.Uploaded{}, kie.Temporary, `link "https://a b.example/…" can't be used`},
		"link with blanks":       {reply{status: 200, body: `{"code":200,"data":{"downloadUrl":" https://new.example/my clip.mp4?s=%2F "}}`}, kie.Uploaded{URL: "https://new.example/my%20clip.mp4?s=%2F"}, 0, ""},
		"link that is no https":  {reply{status: 200, body: `{"code":200,"data":{"downloadUrl":"http://tempfile.redpandaai.co/a"}}`}, kie.Uploaded{}, kie.Refused, "not https"},
		"link with a user":       {reply{status: 200, body: `{"code":200,"data":{"downloadUrl":"https://redpandaai.co@evil.example/a"}}`}, kie.Uploaded{}, kie.Refused, "no proper link"},
		"link on a new host":     {reply{status: 200, body: `{"code":200,"data":{"downloadUrl":"https://cdn.new.example/a?sign=x"}}`}, kie.Uploaded{URL: "https://cdn.new.example/a?sign=x"}, 0, ""},
		"link on a private host": {reply{status: 200, body: `{"code":200,"data":{"downloadUrl":"https://10.0.0.1/a?sign=x"}}`}, kie.Uploaded{}, kie.Refused, "is on 10.0.0.1, which is no public host"},
		"another size":           {reply{status: 200, body: `{"code":200,"data":{"downloadUrl":"` + keeps + `","fileSize":7}}`}, kie.Uploaded{}, kie.Temporary, "kept 7 bytes of 1"},
		"no success":             {reply{status: 200, body: `{"success":false,"code":200,"data":{"downloadUrl":"` + keeps + `"}}`}, kie.Uploaded{}, kie.Temporary, ""},
		"wrong key":              {reply{status: 401, body: `{"success":false,"code":401,"msg":"m"}`}, kie.Uploaded{}, kie.Temporary, "does not accept the API key"},
		"malformed":              {reply{status: 400, body: `{"success":false,"code":400,"msg":"m"}`}, kie.Uploaded{}, kie.Refused, ""},
		"wrong method":           {reply{status: 405, body: `{"success":false,"code":405,"msg":"m"}`}, kie.Uploaded{}, kie.Refused, ""},
		"parameters":             {reply{status: 200, body: `{"success":false,"code":422,"msg":"m"}`}, kie.Uploaded{}, kie.Refused, ""},
		"too large":              {reply{status: 413, body: "<html>"}, kie.Uploaded{}, kie.Refused, ""},
		"redirect":               {reply{status: 307, header: http.Header{"Location": {"https://evil.example/"}}}, kie.Uploaded{}, kie.Refused, "set KIE_UPLOAD_BASE_URL"},
		"server error":           {reply{status: 500, body: `{"success":false,"code":500,"msg":"m"}`}, kie.Uploaded{}, kie.Temporary, ""},
		"web page":               {reply{status: 200, body: "<html>"}, kie.Uploaded{}, kie.Temporary, "check KIE_UPLOAD_BASE_URL"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			count := 0
			client := newClient(t, kie.Options{Transport: replies(&count, test.answer)})
			kept, err := client.Upload(t.Context(), kie.Upload{Name: "a.mp4", Size: 1, Body: strings.NewReader("x")})
			assert.Equal(t, test.want, kept)
			assert.Equal(t, 1, count)
			if test.class == 0 {
				require.NoError(t, err)
				return
			}
			failed := requireError(t, err)
			assert.Equal(t, test.class, failed.Class, failed)
			assert.Equal(t, "upload", failed.Op)
			assert.ErrorContains(t, err, test.text)
		})
	}
}

// A link may be on any public host, or on the upload host of a test.
func TestUploadLinkHosts(t *testing.T) {
	tests := []struct {
		uploads, link string
		ok            bool
	}{
		{"https://kieai.redpandaai.co", "https://tempfile.redpandaai.co/a", true},
		{"https://kieai.redpandaai.co", "https://files.moved.example/a", true},
		{"https://kieai.redpandaai.co", "https://bücher.example/a", true},
		{"https://kieai.redpandaai.co", "https://203.0.114.7/a", true},
		{"https://kieai.redpandaai.co", "https://[2606:4700::1111]:8443/a", true},
		{"https://kieai.redpandaai.co", "http://files.moved.example/a", false},
		{"https://kieai.redpandaai.co", "http://kieai.redpandaai.co/a", false},
		{"https://kieai.redpandaai.co", "https://localhost/a", false},
		{"https://kieai.redpandaai.co", "https://minio/a", false},
		{"https://kieai.redpandaai.co", "https://minio./a", false},
		{"https://kieai.redpandaai.co", "https://minio.kie.internal/a", false},
		{"https://kieai.redpandaai.co", "https://minio.localhost/a", false},
		{"https://kieai.redpandaai.co", "https://127.0.0.1/a", false},
		{"https://kieai.redpandaai.co", "https://192.168.1.1/a", false},
		{"https://kieai.redpandaai.co", "https://169.254.169.254/a", false},
		{"https://kieai.redpandaai.co", "https://[::ffff:10.0.0.1]/a", false},
		{"https://kieai.redpandaai.co", "https://[fd00::1]/a", false},
		{"https://upload.reseller.internal", "https://upload.reseller.internal:8443/a", true},
		{"http://127.0.0.1:8090", "http://127.0.0.1:9000/a", true},
		{"http://127.0.0.1:8090", "https://files.moved.example/a", true},
		{"http://127.0.0.1:8090", "http://10.9.0.1/a", false},
		{"http://localhost:8090", "http://LOCALHOST/a", true},
		{"http://localhost:8090", "http://otherhost/a", false},
	}
	for _, test := range tests {
		answer := reply{status: 200, body: `{"code":200,"data":{"downloadUrl":"` + test.link + `"}}`}
		client := newClient(t, kie.Options{UploadBaseURL: test.uploads, Transport: replies(new(int), answer)})
		_, err := client.Upload(t.Context(), kie.Upload{Name: "a.mp4", Body: strings.NewReader("x")})
		assert.Equal(t, test.ok, err == nil, "%s from %s: %v", test.link, test.uploads, err)
	}
}

func TestUploadOfAChangingFile(t *testing.T) {
	client, got := uploadServer(t)
	_, err := client.Upload(t.Context(), kie.Upload{Name: "a.mp4", Size: 5, Body: strings.NewReader("12345678")})
	require.NoError(t, err)
	assert.Equal(t, "12345", got.content, "the announced size")

	_, err = client.Upload(t.Context(), kie.Upload{Name: "a.mp4", Size: 500, Body: strings.NewReader("123")})
	_ = requireError(t, err)
	require.ErrorContains(t, err, "the file became shorter while it was uploaded")

	broken := errors.New("bad sector")
	_, err = client.Upload(t.Context(), kie.Upload{Name: "a.mp4", Body: iotest.ErrReader(broken)})
	_ = requireError(t, err)
	require.ErrorIs(t, err, broken)
}

// zeros is an endless reader.
type zeros struct{}

func (zeros) Read(into []byte) (int, error) {
	clear(into)
	return len(into), nil
}

func TestUploadIsStreamed(t *testing.T) {
	const size = 64 << 20
	var received int64
	client := newClient(t, kie.Options{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
		var err error
		received, err = io.Copy(io.Discard, r.Body)
		require.NoError(t, err)
		assert.Equal(t, r.ContentLength, received)
		return reply{status: 200, body: uploadAnswer}.response(r), nil
	})})
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := client.Upload(t.Context(), kie.Upload{Name: "a.mp4", Size: size, Body: zeros{}})
	runtime.ReadMemStats(&after)
	require.NoError(t, err)
	assert.Greater(t, received, int64(size))
	assert.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(size/8), "bytes allocated")
}

func TestUploadStopsReadingTheBody(t *testing.T) {
	var kept io.Reader
	client := newClient(t, kie.Options{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
		kept = r.Body
		return reply{status: 401}.response(r), nil
	})})
	body := strings.NewReader("video")
	_, err := client.Upload(t.Context(), kie.Upload{Name: "a.mp4", Body: body})
	_ = requireError(t, err)
	_, err = io.Copy(io.Discard, kept)
	require.Error(t, err)
	assert.Equal(t, 5, body.Len(), "the body was read after Upload returned")
}

func TestUploadStalls(t *testing.T) {
	tests := map[string]func(net.Conn){
		"server stops reading": func(conn net.Conn) {
			_, _ = io.CopyN(io.Discard, conn, 100_000)
			<-time.After(time.Hour)
		},
		"no answer": func(conn net.Conn) {
			_ = readRequest(conn)
			waitForEnd(conn)
		},
	}
	for name, serve := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client := newClient(t, kie.Options{UploadBaseURL: "http://up.test", Transport: pipes(t, serve)})
				begin := time.Now()
				_, err := client.Upload(t.Context(), kie.Upload{Name: "a.mp4", Body: bytes.NewReader(make([]byte, 1<<20))})
				assert.Equal(t, kie.Temporary, requireError(t, err).Class)
				require.ErrorContains(t, err, "nothing moved for 2m0s")
				assert.Equal(t, 2*time.Minute, time.Since(begin))
			})
		})
	}

	t.Run("slow progress", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			client := newClient(t, kie.Options{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
				piece := make([]byte, 1000)
				for {
					if _, err := r.Body.Read(piece); err != nil {
						return reply{status: 200, body: uploadAnswer}.response(r), r.Context().Err()
					}
					<-time.After(time.Minute)
				}
			})})
			begin := time.Now()
			_, err := client.Upload(t.Context(), kie.Upload{Name: "a.mp4", Body: bytes.NewReader(make([]byte, 100_000))})
			require.NoError(t, err)
			assert.Greater(t, time.Since(begin), time.Hour)
		})
	})

	t.Run("cancelled", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		client, _ := uploadServer(t)
		_, err := client.Upload(ctx, kie.Upload{Name: "a.mp4", Body: strings.NewReader("x")})
		_ = requireError(t, err)
		require.ErrorIs(t, err, context.Canceled)
	})
}
