//go:build darwin || linux

package fetch_test

import (
	"os"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if link := os.Getenv(childLink); link != "" {
		os.Exit(runChild(link, os.Getenv(childWorkDir)))
	}
	goleak.VerifyTestMain(m)
}
