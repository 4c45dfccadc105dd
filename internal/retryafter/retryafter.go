// Package retryafter reads the Retry-After header of HTTP responses.
package retryafter

import (
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Delay returns the delay in Retry-After, at most longest. It is zero
// without the header, and if the header is neither a number of seconds nor a
// date (RFC 9110, section 10.2.3). A date is compared with the response's own
// Date header, so that a wrong clock on this machine does not matter; without
// that header it is compared with this machine's clock.
func Delay(header http.Header, longest time.Duration) time.Duration {
	value := strings.TrimSpace(header.Get("Retry-After"))
	if seconds, err := strconv.ParseUint(value, 10, 64); err == nil {
		return min(time.Duration(min(seconds, math.MaxInt32))*time.Second, longest)
	}
	until, err := http.ParseTime(value)
	if err != nil {
		return 0
	}
	now, err := http.ParseTime(header.Get("Date"))
	if err != nil {
		now = time.Now()
	}
	return min(max(until.Sub(now), 0), longest)
}
