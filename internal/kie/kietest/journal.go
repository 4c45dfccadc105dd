package kietest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"
)

const journalName = "bill.jsonl"

// journal stores the bill on disk, one line for each change. A line is written with
// one call before its change has an effect, so that a killed process loses at most
// a change without effect. It is not synced: a crash of the machine may lose more.
// A nil journal stores nothing.
type journal struct {
	mu   sync.Mutex
	file *os.File
}

// entry is one line. Exactly one of its fields is set.
type entry struct {
	Charge  *chargeEntry    `json:"charge,omitempty"`
	Settled *callbacksEntry `json:"settled,omitempty"`
	TopUp   float64         `json:"topUp,omitempty"`
}

type chargeEntry struct {
	TaskID  string      `json:"taskId"`
	Request lumaRequest `json:"request"`
	Faults  []string    `json:"faults"`
	Variant uint64      `json:"lot"`
	Base    string      `json:"base"`
	Created time.Time   `json:"created"`
}

type callbacksEntry struct {
	TaskID         string `json:"taskId"`
	CallbackFailed bool   `json:"callbackFailed,omitempty"`
}

func (j *journal) charge(t *task) error {
	return j.write(entry{Charge: &chargeEntry{
		TaskID:  t.id,
		Request: t.request,
		Faults:  t.faults.chosen,
		Variant: t.job.variant,
		Base:    t.base,
		Created: t.created,
	}})
}

func (j *journal) callbacksEnded(t *task) error {
	return j.write(entry{Settled: &callbacksEntry{TaskID: t.id, CallbackFailed: t.callbackFailed}})
}

func (j *journal) topUp(credits float64) error { return j.write(entry{TopUp: credits}) }

func (j *journal) write(line entry) error {
	if j == nil {
		return nil
	}
	text, err := json.Marshal(line)
	if err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if _, err := j.file.Write(append(text, '\n')); err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	return nil
}

func (j *journal) close() error {
	if j == nil {
		return nil
	}
	return j.file.Close()
}

// openJournal reads the entries of earlier processes and appends to them. An
// incomplete last line is truncated.
func openJournal(root *os.Root) (*journal, []entry, error) {
	file, err := root.OpenFile(journalName, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, nil, fmt.Errorf("open the bill: %w", err)
	}
	entries, whole, err := readEntries(file)
	if err == nil {
		err = file.Truncate(whole)
	}
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("read the bill: %w", err), file.Close())
	}
	return &journal{file: file}, entries, nil
}

func readEntries(file io.Reader) (entries []entry, whole int64, err error) {
	text, err := io.ReadAll(file)
	if err != nil {
		return nil, 0, err
	}
	for {
		line, rest, ended := bytes.Cut(text, []byte("\n"))
		if !ended {
			return entries, whole, nil
		}
		var read entry
		if err := json.Unmarshal(line, &read); err != nil {
			return nil, 0, fmt.Errorf("line %d: %w", len(entries)+1, err)
		}
		entries = append(entries, read)
		whole += int64(len(line)) + 1
		text = rest
	}
}
