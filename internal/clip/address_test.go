package clip_test

import (
	"runtime"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lumaflow/internal/clip"
	"lumaflow/internal/command"
)

func TestLocal(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("the test uses paths with slashes")
	}
	for argument, path := range map[string]string{
		"clip.mp4":                        "clip.mp4",
		"./clip.mov":                      "./clip.mov",
		"../a b/clip.avi":                 "../a b/clip.avi",
		"/films/clip.mp4":                 "/films/clip.mp4",
		`C:\films\clip.mp4`:               `C:\films\clip.mp4`,
		"C:/films/clip.mp4":               "C:/films/clip.mp4",
		`\\server\films\clip.mp4`:         `\\server\films\clip.mp4`,
		"cdn.example.org/in.mp4":          "cdn.example.org/in.mp4",
		"take:2.mp4":                      "take:2.mp4",
		"100%.mp4":                        "100%.mp4",
		"file:///films/clip.mp4":          "/films/clip.mp4",
		"FILE:///films/my%20clip%232.mp4": "/films/my clip#2.mp4",
		"file://localhost/films/clip.mp4": "/films/clip.mp4",
		"file:/films/clip.mp4":            "/films/clip.mp4",
	} {
		got, local, err := clip.Local(argument)
		require.NoError(t, err, argument)
		assert.True(t, local, argument)
		assert.Equal(t, path, got)
	}
	for _, address := range []string{"https://cdn.example.org/in.mp4", "http://x/y", "HTTPS://CDN.example.org/in.mp4", "https:///x", "http:x"} {
		_, local, err := clip.Local(address)
		require.NoError(t, err, address)
		assert.False(t, local, address)
	}
	for argument, text := range map[string]string{
		"ftp://secret@x/in.mp4":      "neither an http or https URL nor a file",
		"s3://bucket/secret.mp4":     "neither an http or https URL nor a file",
		"file://host/secret.mp4":     "another machine",
		"file:secret.mp4":            "not a valid file URL",
		"file://":                    "not a valid file URL",
		"file:///in.mp4?sign=secret": "not a valid file URL",
		"file:///in.mp4#secret":      "not a valid file URL",
		"file:///secret%zz.mp4":      "not a valid file URL",
	} {
		_, _, err := clip.Local(argument)
		require.ErrorContains(t, err, text, argument)
		assert.Equal(t, command.ExitUsage, command.ExitCode(err))
		assert.NotContains(t, err.Error(), "secret")
	}
}
