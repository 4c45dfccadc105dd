package kietest

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
)

const (
	maxResults    = 8
	maxResultSize = math.MaxUint32
)

var (
	faultMarker   = regexp.MustCompile(`\[fault:([^\]]*)\]`)
	sizeMarker    = regexp.MustCompile(`\[size:([^\]]*)\]`)
	resultsMarker = regexp.MustCompile(`\[results:([^\]]*)\]`)
	renderMarker  = regexp.MustCompile(`\[render:([^\]]*)\]`)
	sizePattern   = regexp.MustCompile(`^(\d{1,10})\s*([KMG]i?)?B?$`)
)

var sizeUnits = map[string]int64{
	"": 1, "K": 1e3, "M": 1e6, "G": 1e9, "Ki": 1 << 10, "Mi": 1 << 20, "Gi": 1 << 30,
}

// markers are the instructions for the simulator in a prompt.
type markers struct {
	faults  []string // nil without a fault marker
	size    int64    // of each result in bytes; 0 keeps that of the base video
	results int
	held    bool // until POST /_sim/release
}

// readMarkers is strict: a test with a misspelled fault must not pass without it.
func readMarkers(prompt string) (markers, error) {
	found := markers{results: 1}
	for _, match := range faultMarker.FindAllStringSubmatch(prompt, -1) {
		for name := range strings.SplitSeq(match[1], ",") {
			found.faults = append(found.faults, strings.TrimSpace(name))
		}
	}
	if found.faults != nil {
		checked, err := checkFaults(found.faults)
		if err != nil {
			return markers{}, err
		}
		found.faults = checked
	}
	if match := sizeMarker.FindStringSubmatch(prompt); match != nil {
		size, err := parseSize(strings.TrimSpace(match[1]))
		if err != nil {
			return markers{}, err
		}
		found.size = size
	}
	if match := resultsMarker.FindStringSubmatch(prompt); match != nil {
		count, err := strconv.Atoi(strings.TrimSpace(match[1]))
		if err != nil || count < 1 || count > maxResults {
			return markers{}, fmt.Errorf("results %q is not a number from 1 to %d", match[1], maxResults)
		}
		found.results = count
	}
	if match := renderMarker.FindStringSubmatch(prompt); match != nil {
		if strings.TrimSpace(match[1]) != "held" {
			return markers{}, fmt.Errorf("render %q is not held", match[1])
		}
		found.held = true
	}
	return found, nil
}

func parseSize(text string) (int64, error) {
	match := sizePattern.FindStringSubmatch(text)
	if match == nil {
		return 0, fmt.Errorf("size %q is not a number with B, KB, MB, GB, KiB, MiB or GiB", text)
	}
	number, err := strconv.ParseInt(match[1], 10, 64)
	if err != nil {
		return 0, fmt.Errorf("size %q: %w", text, err)
	}
	unit := sizeUnits[match[2]]
	if number > maxResultSize/unit {
		return 0, fmt.Errorf("size %q is more than %d bytes", text, int64(maxResultSize))
	}
	return number * unit, nil
}
