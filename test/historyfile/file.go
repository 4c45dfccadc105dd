package histories

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"

	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/api/temporalproto"
	"go.temporal.io/sdk/client"
)

// ReadFile reads a history as WriteFile writes it, or as `temporal workflow show
// --output json` prints it.
func ReadFile(path string) (*historypb.History, error) {
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

// WriteFile writes a history as JSON that every Temporal SDK can replay. The
// same history is always the same text.
func WriteFile(path string, history *historypb.History) error {
	text, err := temporalproto.CustomJSONMarshalOptions{}.Marshal(history)
	if err != nil {
		return fmt.Errorf("write the history in %s: %w", path, err)
	}
	// Protocol buffers vary the blanks in their JSON on purpose.
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
