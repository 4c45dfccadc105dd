package manifest

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// The columns whose cells are no text: objectColumn holds a JSON object, boolColumn true
// or false in any case, as spreadsheets write it.
const (
	objectColumn = "options"
	boolColumn   = "unchecked"
)

// csv reads records whose fields the header names. An empty cell is a field that the
// job lacks.
func (r *reading) csv(from io.Reader) error {
	buffered := bufio.NewReader(from)
	if mark, _ := buffered.Peek(3); bytes.Equal(mark, []byte("\ufeff")) {
		_, _ = buffered.Discard(len(mark))
	}
	records := csv.NewReader(buffered)
	records.ReuseRecord = true
	header, err := records.Read()
	if err == io.EOF {
		return nil
	}
	problems := &Problems{}
	if err == nil {
		header = trimmed(header)
		err = r.format.CheckColumns(header)
	}
	if err != nil {
		if wrong, malformed := errors.AsType[*csv.ParseError](err); malformed {
			err = csvError(wrong, 0, 0)
		}
		problems.add(1, err)
		return problems
	}
	for {
		record, err := records.Read()
		if err == io.EOF {
			return problems.errOrNil()
		}
		if wrong, malformed := errors.AsType[*csv.ParseError](err); malformed {
			problems.add(wrong.StartLine, csvError(wrong, len(header), len(record)))
			if !errors.Is(err, csv.ErrFieldCount) {
				// A wrong quote leaves the bounds of all later fields undefined.
				return problems
			}
			continue
		}
		if err != nil {
			return fmt.Errorf("read the manifest: %w", err)
		}
		if r.skip() {
			continue
		}
		line, _ := records.FieldPos(0)
		object, err := objectOf(header, record)
		if err == nil {
			err = r.line(line, object)
		}
		switch {
		case errors.Is(err, errStop):
			return err
		case err != nil:
			problems.add(line, err)
		}
	}
}

// csvError describes a malformed record, whose line is known, and its remedy.
func csvError(wrong *csv.ParseError, columns, cells int) error {
	switch {
	case errors.Is(wrong, csv.ErrFieldCount):
		return fmt.Errorf("cells in the row: %d, columns of the header: %d; put a cell that holds a comma in quotes", cells, columns)
	case errors.Is(wrong, csv.ErrBareQuote):
		return errors.New(`a cell holds a quote without being quoted: write "a ""quoted"" word"`)
	case errors.Is(wrong, csv.ErrQuote):
		return errors.New("a quoted cell has no end, or text after its end")
	default:
		return wrong.Err
	}
}

func trimmed(names []string) []string {
	columns := make([]string, len(names))
	for i, name := range names {
		columns[i] = strings.TrimSpace(name)
	}
	return columns
}

// objectOf returns a record as a JSON object.
func objectOf(header, record []string) ([]byte, error) {
	object, size := map[string]any{}, 0
	for i, cell := range record {
		if size += len(cell); size > MaxLine {
			return nil, errors.New("it is longer than 1 MiB")
		}
		switch {
		case !utf8.ValidString(cell):
			return nil, errors.New("it is no text (UTF-8)")
		case strings.TrimSpace(cell) == "":
		default:
			value, err := valueOf(header[i], cell)
			if err != nil {
				return nil, err
			}
			object[header[i]] = value
		}
	}
	return json.Marshal(object)
}

// valueOf returns a cell as a value for JSON.
func valueOf(column, cell string) (any, error) {
	switch strings.ToLower(column) {
	case objectColumn:
		var object map[string]json.RawMessage
		if json.Unmarshal([]byte(cell), &object) != nil {
			return nil, fmt.Errorf(`%s is no JSON object: write "{""resolution"":""720p""}"`, column)
		}
		return object, nil
	case boolColumn:
		switch strings.ToLower(strings.TrimSpace(cell)) {
		case "true":
			return true, nil
		case "false":
			return false, nil
		}
		return nil, fmt.Errorf("%s is %.40q: give true or false", column, cell)
	default:
		return cell, nil
	}
}
