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

// warnings returns the log lines about videos that kie.ai will delete.
func (f *fixture) warnings(t *testing.T) []map[string]any {
	t.Helper()
	var found []map[string]any
	for line := range bytes.Lines(f.log.Bytes()) {
		var entry map[string]any
		require.NoError(t, json.Unmarshal(line, &entry))
		if _, about := entry["hoursLeft"]; about {
			found = append(found, entry)
		}
	}
	return found
}

// From day 7 on the log warns of a finished video that is not stored, with the
// rest of kie.ai's 14 days and the next command.
func TestDownloadWarnsOfDeletion(t *testing.T) {
	cut := &fetch.Error{Kind: fetch.Transient, Err: errors.New("connection reset")}
	const retries, over = "the job retries; see the reason with: lumaflow status default-test-workflow-id", "lumaflow rescue " + taskID
	tests := []struct {
		name  string
		ended time.Duration
		// unknown is a task whose end is unknown, warned the age of the last warning,
		// late a job whose deadline has passed.
		unknown bool
		warned  time.Duration
		late    bool
		err     error
		// left is -1 if no warning is expected.
		left int
		next string
	}{
		{name: "six days", ended: 7*day - time.Minute, err: cut, left: -1},
		{name: "seven days", ended: 7 * day, err: cut, left: 168, next: retries},
		{name: "ten days", ended: 10*day + time.Minute, err: cut, left: 95, next: retries},
		{name: "ten days, and the last attempt", ended: 10 * day, late: true, err: cut, left: 96, next: over},
		{name: "warned an hour ago", ended: 10 * day, warned: time.Hour, err: cut, left: 96, next: retries},
		{name: "warned just now", ended: 10 * day, warned: 59 * time.Minute, err: cut, left: -1},
		{name: "after the deletion", ended: 20 * day, err: cut, left: 0, next: retries},
		{name: "the end is unknown", unknown: true, err: cut, left: -1},
		{name: "stored", ended: 10 * day, left: -1},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			f := newFixture(t)
			f.serveLinks(map[string]error{inputLink: test.err})
			var last activities.DownloadProgress
			f.SetOnActivityHeartbeatListener(func(_ *activity.Info, details converter.EncodedValues) {
				require.NoError(t, details.Get(&last))
			})
			if test.warned > 0 {
				f.SetHeartbeatDetails(activities.DownloadProgress{Warned: f.now.Add(-test.warned)})
			}
			input := f.downloadInput()
			if !test.unknown {
				input.EndedAt = f.now.Add(-test.ended)
			}
			if test.late {
				input.Until = f.now
			}
			_, err := f.download(t, input)
			require.Equal(t, test.err != nil, err != nil)
			warnings := f.warnings(t)
			if test.left < 0 {
				require.Empty(t, warnings)
				return
			}
			require.Len(t, warnings, 1)
			require.Equal(t, "WARN", warnings[0]["level"])
			require.Equal(t, "default-test-workflow-id", warnings[0]["job"])
			require.Equal(t, taskID, warnings[0]["taskId"])
			require.EqualValues(t, test.left, warnings[0]["hoursLeft"])
			require.Equal(t, test.next, warnings[0]["next"])
			require.Contains(t, warnings[0]["error"], "connection reset")
			require.True(t, last.Warned.Equal(f.now), "the next attempt reads it")
		})
	}
}

// A dead link means a deleted video only a day after kie.ai's 14 days: until then
// it may be renewed.
func TestDownloadOfADeletedVideo(t *testing.T) {
	dead := &fetch.Error{Kind: fetch.LinkDead, StatusCode: 404}
	tests := []struct {
		name  string
		ended time.Duration
		err   error
		gone  bool
	}{
		{"before the deletion", 13 * day, dead, false},
		{"around the deletion", 15*day - time.Minute, dead, false},
		{"a day after the deletion", 15 * day, dead, true},
		{"a day after the deletion, for another reason", 15 * day, &fetch.Error{Kind: fetch.Transient}, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			f := newFixture(t)
			f.serveLinks(map[string]error{inputLink: test.err, remintedLink: test.err, recordLink: test.err})
			input := f.downloadInput()
			input.EndedAt = f.now.Add(-test.ended)
			_, err := f.download(t, input)
			failed := failedAs(t, err)
			require.Equal(t, test.gone, failed.NonRetryable())
			require.Equal(t, test.gone, failed.Type() == activities.MediaGone)
		})
	}
}

func TestPollWarnsOfDeletion(t *testing.T) {
	f := newFixture(t)
	f.setRecord(kie.Record{State: kie.Succeeded, Flag: 1, CompletedAt: f.now.Add(-10 * day)}, nil)
	_, err := f.poll(t, activities.PollInput{TaskID: taskID, Until: f.now.Add(time.Hour)})
	require.Equal(t, activities.Pending, failedAs(t, err).Type())
	warnings := f.warnings(t)
	require.Len(t, warnings, 1)
	require.EqualValues(t, 96, warnings[0]["hoursLeft"])

	f = newFixture(t)
	f.setRecord(kie.Record{State: kie.Pending, CompletedAt: f.now.Add(-10 * day)}, nil)
	_, err = f.poll(t, activities.PollInput{TaskID: taskID, Until: f.now.Add(time.Hour)})
	require.Error(t, err)
	require.Empty(t, f.warnings(t), "the task is running")
}
