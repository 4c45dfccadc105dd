package bucket_test

import (
	"net/http/httptest"

	"github.com/fsouza/fake-gcs-server/fakestorage"
)

// gcs is shared by all tests, since its address is an environment variable. Each
// test has its own bucket.
var gcs *fakestorage.Server

// startGCS starts gcs and returns its host.
func startGCS() (host string, stop func(), err error) {
	listening := httptest.NewUnstartedServer(nil)
	host = listening.Listener.Addr().String()
	gcs, err = fakestorage.NewServerWithOptions(fakestorage.Options{NoListener: true, PublicHost: host})
	if err != nil {
		return "", nil, err
	}
	listening.Config.Handler = gcs.HTTPHandler()
	listening.Start()
	return host, listening.Close, nil
}
