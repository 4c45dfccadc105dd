package activities_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/converter"

	"lumaflow/activities"
	"lumaflow/internal/fetch"
	"lumaflow/internal/kie"
)

const day = 24 * time.Hour

// warnings are the lines of the log about videos that kie.ai will delete.
func (b *bench) warnings(t *testing.T) []map[string]any {
	t.Helper()
	var found []map[string]any
	for line := range bytes.Lines(b.log.Bytes()) {
		var entry map[string]any
		require.NoError(t, json.Unmarshal(line, &entry))
		if _, about := entry["hoursLeft"]; about {
			found = append(found, entry)
		}
	}
	return found
}

// From day 7 on the log tells of a finished video that is not stored, with what
// is left of kie.ai's 14 days and the next command.
func TestDownloadWarnsOfDeletion(t *testing.T) {
	cut := &fetch.Error{Kind: fetch.Transient, Err: errors.New("connection reset")}
	const goesOn, over = "the job tries on; see what is in its way with: lumaflow status default-test-workflow-id", "lumaflow rescue " + task
	tests := []struct {
		name  string
		ended time.Duration
		// unknown is a task of which nobody knows when it ended, warned how long
		// ago the log told of it last, late a job whose deadline has passed.
		unknown bool
		warned  time.Duration
		late    bool
		err     error
		// left is -1 if nothing is to be logged.
		left int
		next string
	}{
		{name: "six days", ended: 7*day - time.Minute, err: cut, left: -1},
		{name: "seven days", ended: 7 * day, err: cut, left: 168, next: goesOn},
		{name: "ten days", ended: 10*day + time.Minute, err: cut, left: 95, next: goesOn},
		{name: "ten days, and the last attempt", ended: 10 * day, late: true, err: cut, left: 96, next: over},
		{name: "told an hour ago", ended: 10 * day, warned: time.Hour, err: cut, left: 96, next: goesOn},
		{name: "told just now", ended: 10 * day, warned: 59 * time.Minute, err: cut, left: -1},
		{name: "past its time", ended: 20 * day, err: cut, left: 0, next: goesOn},
		{name: "not known when", unknown: true, err: cut, left: -1},
		{name: "stored", ended: 10 * day, left: -1},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			b := newBench(t)
			b.serves(map[string]error{given: test.err})
			var last activities.DownloadProgress
			b.SetOnActivityHeartbeatListener(func(_ *activity.Info, details converter.EncodedValues) {
				require.NoError(t, details.Get(&last))
			})
			if test.warned > 0 {
				b.SetHeartbeatDetails(activities.DownloadProgress{Warned: b.now.Add(-test.warned)})
			}
			input := b.wanted()
			if !test.unknown {
				input.EndedAt = b.now.Add(-test.ended)
			}
			if test.late {
				input.Until = b.now
			}
			_, err := b.download(t, input)
			require.Equal(t, test.err != nil, err != nil)
			warnings := b.warnings(t)
			if test.left < 0 {
				require.Empty(t, warnings)
				return
			}
			require.Len(t, warnings, 1)
			require.Equal(t, "WARN", warnings[0]["level"])
			require.Equal(t, "default-test-workflow-id", warnings[0]["job"])
			require.Equal(t, task, warnings[0]["taskId"])
			require.EqualValues(t, test.left, warnings[0]["hoursLeft"])
			require.Equal(t, test.next, warnings[0]["next"])
			require.Contains(t, warnings[0]["error"], "connection reset")
			require.True(t, last.Warned.Equal(b.now), "the next attempt knows")
		})
	}
}

// A dead link is taken for a deleted video only when kie.ai's 14 days are well
// over: until then it may be renewed.
func TestDownloadOfADeletedVideo(t *testing.T) {
	dead := &fetch.Error{Kind: fetch.LinkDead, StatusCode: 404}
	tests := []struct {
		name  string
		ended time.Duration
		err   error
		gone  bool
	}{
		{"in time", 13 * day, dead, false},
		{"in the hours around the deletion", 15*day - time.Minute, dead, false},
		{"after it", 15 * day, dead, true},
		{"after it, for another reason", 15 * day, &fetch.Error{Kind: fetch.Transient}, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			b := newBench(t)
			b.serves(map[string]error{given: test.err, reminted: test.err, reread: test.err})
			input := b.wanted()
			input.EndedAt = b.now.Add(-test.ended)
			_, err := b.download(t, input)
			failed := failedAs(t, err)
			require.Equal(t, test.gone, failed.NonRetryable())
			require.Equal(t, test.gone, failed.Type() == activities.MediaGone)
		})
	}
}

func TestPollWarnsOfDeletion(t *testing.T) {
	b := newBench(t)
	b.records(kie.Record{State: kie.Succeeded, Flag: 1, CompletedAt: b.now.Add(-10 * day)}, nil)
	_, err := b.poll(t, activities.PollInput{TaskID: task, Until: b.now.Add(time.Hour)})
	require.Equal(t, activities.Pending, failedAs(t, err).Type())
	warnings := b.warnings(t)
	require.Len(t, warnings, 1)
	require.EqualValues(t, 96, warnings[0]["hoursLeft"])

	b = newBench(t)
	b.records(kie.Record{State: kie.Pending, CompletedAt: b.now.Add(-10 * day)}, nil)
	_, err = b.poll(t, activities.PollInput{TaskID: task, Until: b.now.Add(time.Hour)})
	require.Error(t, err)
	require.Empty(t, b.warnings(t), "the task runs")
}
