package bucket_test

import (
	"net/http/httptest"

	"github.com/fsouza/fake-gcs-server/fakestorage"
)

// gcs is the Google Cloud Storage of all tests; its address is one variable of
// the environment. Every test has a bucket of its own.
var gcs *fakestorage.Server

// startGCS starts it and returns its host.
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
