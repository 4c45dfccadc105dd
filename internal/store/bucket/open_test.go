package bucket_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lumaflow/internal/store"
)

func TestOpenRejects(t *testing.T) {
	t.Parallel()
	const region = "region=eu-central-1"
	tests := []struct{ url, text string }{
		{"s3://", "names no bucket"},
		{"s3://?prefix=videos/", "names no bucket"},
		{"gs:///films", "names no bucket"},
		{"s3://%", "malformed URL"},
		{"s3://fi lms", "malformed URL"},
		{"s3://key:" + secret + "@films", "credentials don't belong"},
		{"s3://localhost:9000/films", "?endpoint="},
		{"s3://films/videos", "s3://BUCKET?prefix=videos/"},
		{"gs://films#x", "%23"},
		{"s3://films?region=%zz", "malformed parameters"},
		{"s3://films?region=a;endpoint=b", "malformed parameters"},
		{"s3://films?region=a&region=b", `"region" is given twice`},
		{"s3://films?key=one.mp4&" + region, "one name"},
		{"s3://films", "S3 needs a region"},
		{"s3://films?colour=red&" + region, `unknown query parameter "colour"`},
		{"s3://films?secret_access_key=" + secret, "unknown query parameter"},
		{"s3://films?use_path_style=perhaps&" + region, "use_path_style"},
		{"s3://films?ssetype=rot13&" + region, "ssetype"},
		{"s3://films?profile=nobody&" + region, "nobody"},
		{"s3://films?endpoint=minio:9000&" + region, "https://minio.example.org:9000"},
		{"s3://films?endpoint=//minio:9000&" + region, "https://minio.example.org:9000"},
		{"s3://films?endpoint=http://key:" + secret + "@minio:9000&" + region, "https://minio.example.org:9000"},
		{"s3://films?prefix=videos", "ends with a slash"},
		{"s3://films?prefix=/", "empty part"},
		{"s3://films?prefix=/videos/", "empty part"},
		{"s3://films?prefix=a//b/", "empty part"},
		{"s3://films?prefix=a/../b/", "empty part"},
		{"s3://films?prefix=./", "empty part"},
		{"s3://films?prefix=a%0Ab/", "not all clouds accept"},
		{"s3://films?prefix=a%3Fb/", "not all clouds accept"},
		{"s3://films?prefix=%ff/", "not all clouds accept"},
		{"s3://films?prefix=" + strings.Repeat("x", 600) + "/", "over 512 bytes"},
		{"gs://films?colour=red", `invalid query parameter "colour"`},
		{"gs://films?grpc=true", "grpc is not supported"},
		{"gs://films?zonal=true", "zonal is not supported"},
		{"gs://films?anonymous=perhaps", "anonymous"},
		{"azblob://films?colour=red", `unknown query parameter "colour"`},
		{"azblob://films?protocol=gopher", "protocol"},
		{"mem://?colour=red", `invalid query parameter "colour"`},
		{"ftp://films", "azblob://, file://, gs://, mem://, s3://"},
	}
	for _, test := range tests {
		_, err := store.Open(t.Context(), test.url)
		require.ErrorContains(t, err, test.text, test.url)
		var malformed *store.URLError
		require.ErrorAs(t, err, &malformed, test.url)
		require.ErrorContains(t, err, "OUTPUT_URL: ", test.url)
		assert.NotContains(t, err.Error(), secret)
		assert.NotContains(t, err.Error(), "\n")
		assert.Less(t, len(err.Error()), 300, test.url)
		t.Log(err)
	}
}

// Not parallel: the environment applies to the whole process.
func TestOpenWithoutCredentials(t *testing.T) {
	for _, name := range []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "STORAGE_EMULATOR_HOST"} {
		t.Setenv(name, "")
	}
	t.Setenv("GOOGLE_APPLICATION_CREDENTIALS", "/nowhere/key.json")
	for url, words := range map[string]string{
		"s3://films?region=eu-central-1": "set AWS_ACCESS_KEY_ID",
		"gs://films":                     "set GOOGLE_APPLICATION_CREDENTIALS",
	} {
		_, err := store.Open(t.Context(), url)
		require.ErrorContains(t, err, "OUTPUT_URL: no credentials for ", url)
		require.ErrorContains(t, err, words)
		assert.NotContains(t, err.Error(), "\n")
		var malformed *store.URLError
		assert.NotErrorAs(t, err, &malformed, "the URL is valid")
		t.Log(err)
	}
	for _, url := range []string{"s3://films?region=eu-central-1&anonymous=true", "gs://films?anonymous=true", "gs://films?access_id=-"} {
		_, err := store.Open(t.Context(), url)
		require.NoError(t, err, url)
	}
}
