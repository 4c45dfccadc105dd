package replay

import (
	"fmt"
	"regexp"
	"strconv"

	historypb "go.temporal.io/api/history/v1"

	"lumaflow/internal/oneline"
)

// maxReason bounds the bytes of an SDK error text in a reason.
const maxReason = 300

// The texts of the SDK's non-determinism errors. The attributes after the names
// have about a thousand characters.
var (
	missing = regexp.MustCompile(`missing replay command for (\w+)(?:: (.*))?$`)
	extra   = regexp.MustCompile(`extra replay command for (\w+)(?:: (.*))?$`)
	differs = regexp.MustCompile(`history event is (\w+)(?:: (.*))?, replay command is (\w+)(?:: (.*))?$`)
	// expected and lookup refer to an event by its number.
	expected = regexp.MustCompile(`command was expected in history event position (\d+)`)
	lookup   = regexp.MustCompile(`lookup failed for scheduledEventID to activityID: scheduleEventID: (\d+)`)
	// activityType matches the activity type in the attributes.
	activityType = regexp.MustCompile(`ActivityType:\(Name:(\w+)`)
	// otherResult matches a completed job that would end in another way.
	otherResult = regexp.MustCompile(`^replay workflow doesn't return the same result as the last event`)
)

// explain gives the reason of a failed replay in one line.
func explain(err error, events []*historypb.HistoryEvent) string {
	text := oneline.Clean(err.Error())
	if found := differs.FindStringSubmatch(text); found != nil {
		return "its history has " + named(found[1], found[2]) + " where this build does " + named(found[3], found[4])
	}
	if found := missing.FindStringSubmatch(text); found != nil {
		return "its history has " + named(found[1], found[2]) + ", which this build does not do"
	}
	if found := extra.FindStringSubmatch(text); found != nil {
		return "this build does " + named(found[1], found[2]) + ", which its history does not have"
	}
	for _, pattern := range []*regexp.Regexp{expected, lookup} {
		if found := pattern.FindStringSubmatch(text); found != nil {
			return "its history has " + numbered(found[1], events) + ", which this build does not do there"
		}
	}
	return oneline.Truncate(text, maxReason)
}

func named(what, attributes string) string {
	if found := activityType.FindStringSubmatch(attributes); found != nil {
		return what + " " + found[1]
	}
	return what
}

// numbered names an event by its type and number.
func numbered(number string, events []*historypb.HistoryEvent) string {
	for _, event := range events {
		if strconv.FormatInt(event.GetEventId(), 10) != number {
			continue
		}
		what := event.GetEventType().String()
		if name := event.GetActivityTaskScheduledEventAttributes().GetActivityType().GetName(); name != "" {
			what += " " + oneline.Clean(name)
		}
		return fmt.Sprintf("%s (event %s)", what, number)
	}
	return "event " + number
}
