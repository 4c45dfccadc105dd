// Package historyfile keeps workflow histories in files for the tests: as JSON
// that every Temporal SDK replays, and as text with one line for each event.
package historyfile

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"

	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/api/temporalproto"
	"go.temporal.io/sdk/client"
)

// Read reads a history in JSON, as written by Write or by `temporal workflow show
// --output json`.
func Read(path string) (*historypb.History, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read a history: %w", err)
	}
	history, err := client.HistoryFromJSON(bytes.NewReader(text), client.HistoryJSONOptions{})
	if err != nil {
		return nil, fmt.Errorf("read the history in %s: %w", path, err)
	}
	return history, nil
}

// Write writes a history as JSON that every Temporal SDK can replay. The
// bytes depend on the history alone.
func Write(path string, history *historypb.History) error {
	text, err := temporalproto.CustomJSONMarshalOptions{}.Marshal(history)
	if err != nil {
		return fmt.Errorf("write the history in %s: %w", path, err)
	}
	// protojson varies the white space on purpose.
	var stable bytes.Buffer
	if err := json.Compact(&stable, text); err != nil {
		return fmt.Errorf("write the history in %s: %w", path, err)
	}
	text = bytes.Clone(stable.Bytes())
	stable.Reset()
	if err := json.Indent(&stable, text, "", "  "); err != nil {
		return fmt.Errorf("write the history in %s: %w", path, err)
	}
	stable.WriteByte('\n')
	if err := os.WriteFile(path, stable.Bytes(), 0o644); err != nil {
		return fmt.Errorf("write a history: %w", err)
	}
	return nil
}
