//go:build darwin || linux

package fetch_test

import (
	"os"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if link := os.Getenv(victimLink); link != "" {
		os.Exit(victim(link, os.Getenv(victimWorkDir)))
	}
	goleak.VerifyTestMain(m)
}
