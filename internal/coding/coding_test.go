package coding_test

import (
	"bytes"
	"compress/flate"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lumaflow/internal/coding"
	"lumaflow/test/compressed"
)

func deflated(text string) string {
	var body bytes.Buffer
	writer, _ := flate.NewWriter(&body, flate.BestCompression)
	_, _ = io.WriteString(writer, text)
	_ = writer.Close()
	return body.String()
}

func TestNewReader(t *testing.T) {
	t.Parallel()
	const text = `{"code":200,"msg":"success","data":{"taskId":"774d9a7dd608a0e49293903095e45a4c"}}`
	video := "\x00\x00\x00\x18ftypisom\x00\x00\x02\x00isomiso2\x00\x00\x00\x08moov" + strings.Repeat("\x00\x00\x01media", 200)
	long := strings.Repeat("The quick brown fox. ", 10_000)
	tests := map[string]struct{ label, body, want, name string }{
		"plain":                   {"", text, text, ""},
		"identity":                {"identity", text, text, ""},
		"aws-chunked":             {"aws-chunked", video, video, ""},
		"utf-8":                   {"utf-8", video, video, ""},
		"binary":                  {"binary", video, video, ""},
		"no word":                 {" ,, ", video, video, ""},
		"br, but plain":           {"br", video, video, ""},
		"gzip":                    {"gzip", compressed.Gzip(text), text, "gzip"},
		"x-gzip":                  {"x-gzip", compressed.Gzip(long), long, "gzip"},
		"gzip without a label":    {"", compressed.Gzip(video), video, "gzip"},
		"gzip, labelled deflate":  {"deflate", compressed.Gzip(text), text, "gzip"},
		"gzip behind aws-chunked": {"aws-chunked, gzip", compressed.Gzip(video), video, "gzip"},
		"gzip, but plain":         {"gzip", video, video, ""},
		"gzip of two members":     {"gzip", compressed.Gzip("a", long), "a" + long, "gzip"},
		"gzip and other bytes":    {"gzip", compressed.Gzip(text) + "\n\n", text, "gzip"},
		"gzip of nothing":         {"gzip", compressed.Gzip(""), "", "gzip"},
		"deflate":                 {"deflate", compressed.Zlib(text), text, "deflate"},
		"deflate in a list":       {"identity, DEFLATE", compressed.Zlib(video), video, "deflate"},
		"deflate, no header":      {"deflate", deflated(text), text, "deflate"},
		"deflate, no header, big": {"deflate", deflated(long), long, "deflate"},
		"deflate, video":          {"deflate", deflated(video), video, "deflate"},
		"deflate, but plain":      {"deflate", video, video, ""},
		"deflate, but JSON":       {"deflate", text, text, ""},
		"deflate, but a word":     {"deflate", "ok", "ok", ""},
		"deflate without a label": {"", deflated(text), deflated(text), ""},
		"empty":                   {"gzip", "", "", ""},
		"one byte":                {"deflate", "x", "x", ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, body := range []io.Reader{strings.NewReader(test.body), iotest.OneByteReader(strings.NewReader(test.body)), iotest.DataErrReader(strings.NewReader(test.body))} {
				decoded, coded, err := coding.NewReader(body, http.Header{"Content-Encoding": {test.label}})
				require.NoError(t, err)
				assert.Equal(t, test.name, coded)
				_, _ = decoded.Peek(512)
				got, err := io.ReadAll(decoded)
				require.NoError(t, err)
				assert.Equal(t, test.want, string(got))
			}
		})
	}
}

func TestBrokenCodings(t *testing.T) {
	t.Parallel()
	text := strings.Repeat("0123456789abcdef", 64) + "the end"
	whole := compressed.Gzip(text)
	flipped := []byte(whole)
	flipped[len(flipped)-6] ^= 1
	tests := map[string]struct {
		label, body string
		corrupt     bool
	}{
		"header alone":    {"gzip", "\x1f\x8b\x08", false},
		"unknown flags":   {"gzip", "\x1f\x8b\x08\x02" + strings.Repeat("\x00", 30), true},
		"cut off":         {"gzip", whole[:len(whole)-12], false},
		"without trailer": {"gzip", whole[:len(whole)-8], false},
		"wrong checksum":  {"gzip", string(flipped), true},
		"wrong bytes":     {"gzip", whole[:10] + strings.Repeat("\xff", 40), true},
		"zlib, cut off":   {"deflate", compressed.Zlib(text)[:20], false},
		"zlib, wrong sum": {"deflate", compressed.Zlib(text)[:len(compressed.Zlib(text))-1] + "x", true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			decoded, _, err := coding.NewReader(strings.NewReader(test.body), http.Header{"Content-Encoding": {test.label}})
			var got []byte
			if err == nil {
				got, err = io.ReadAll(decoded)
			}
			require.Error(t, err)
			assert.Equal(t, test.corrupt, coding.Corrupt(err), "%v", err)
			if name == "without trailer" {
				assert.Equal(t, text, string(got), "the bytes before the error are returned")
			}
		})
	}
}

// A bomb is decoded as far as it is read.
func TestBomb(t *testing.T) {
	t.Parallel()
	bomb := compressed.Gzip(strings.Repeat("\x00", 64<<20))
	input := strings.NewReader(bomb)
	decoded, coded, err := coding.NewReader(input, http.Header{})
	require.NoError(t, err)
	assert.Equal(t, "gzip", coded)
	n, err := io.CopyN(io.Discard, decoded, 1<<20)
	require.NoError(t, err)
	assert.EqualValues(t, 1<<20, n)
	assert.Greater(t, input.Len(), len(bomb)/2, "the rest is not read")
}

// FuzzNewReader checks that no body panics, and that bytes without a coding are
// returned as they are.
//
//	go test ./internal/coding -run '^$' -fuzz '^FuzzNewReader$' -fuzztime 10m
func FuzzNewReader(f *testing.F) {
	for _, body := range []string{"", "x", "\x1f\x8b\x08", compressed.Gzip("a", "b"), compressed.Zlib("a"), deflated("a"), "\x00\x00\x00\x18ftypisom", `{"code":200}`} {
		for _, label := range []string{"", "gzip", "deflate", "br, deflate"} {
			f.Add(label, []byte(body))
		}
	}
	f.Fuzz(func(t *testing.T, label string, body []byte) {
		decoded, coded, err := coding.NewReader(bytes.NewReader(body), http.Header{"Content-Encoding": {label}})
		if err != nil {
			assert.NotEmpty(t, coded)
			return
		}
		got, err := io.ReadAll(io.LimitReader(decoded, 1<<20))
		if coded == "" {
			require.NoError(t, err)
			assert.Equal(t, string(body), string(got))
		}
	})
}
