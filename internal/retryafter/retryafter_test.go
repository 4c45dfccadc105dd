package retryafter_test

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"

	"lumaflow/internal/retryafter"
)

func TestDelay(t *testing.T) {
	const longest = 10 * time.Minute
	// synctest starts its clock at 2000-01-01 00:00:00 UTC.
	start := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
	date := func(at time.Time) string { return at.Format(http.TimeFormat) }
	server := start.AddDate(10, 0, 0)
	tests := map[string]struct {
		value, date string
		want        time.Duration
	}{
		"no header":              {},
		"seconds":                {value: "37", want: 37 * time.Second},
		"seconds with blanks":    {value: " 37 ", want: 37 * time.Second},
		"zero":                   {value: "0"},
		"negative":               {value: "-5"},
		"fraction":               {value: "1.5"},
		"text":                   {value: "soon"},
		"the limit":              {value: "600", want: longest},
		"above the limit":        {value: "601", want: longest},
		"largest integer":        {value: "18446744073709551615", want: longest},
		"above every integer":    {value: "18446744073709551616"},
		"date":                   {value: date(start.Add(42 * time.Second)), want: 42 * time.Second},
		"date in the past":       {value: date(start.Add(-time.Hour))},
		"date above the limit":   {value: date(start.Add(time.Hour)), want: longest},
		"date of another clock":  {value: date(server.Add(42 * time.Second)), date: date(server), want: 42 * time.Second},
		"Date header is no date": {value: date(start.Add(42 * time.Second)), date: "yesterday", want: 42 * time.Second},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				header := http.Header{}
				if test.value != "" {
					header.Set("Retry-After", test.value)
				}
				if test.date != "" {
					header.Set("Date", test.date)
				}
				assert.Equal(t, test.want, retryafter.Delay(header, longest))
			})
		})
	}
}
