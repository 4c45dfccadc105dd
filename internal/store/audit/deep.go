package audit

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"lumaflow/internal/media"
)

// reading is the content of a file and, in a deep audit, why it is no video.
type reading struct {
	content
	fault string
}

// inspection inspects a file after it has been read. It does nothing without a
// source.
type inspection struct {
	source io.ReaderAt
	// copied is a temporary copy of a file that can only be read in order.
	copied *os.File
}

// inspection prepares the inspection of an open file.
func (a *audit) inspection(file io.Reader) (inspection, error) {
	if !a.options.Deep {
		return inspection{}, nil
	}
	if source, ok := file.(io.ReaderAt); ok {
		return inspection{source: source}, nil
	}
	copied, err := os.CreateTemp("", "lumaflow-audit-*")
	if err != nil {
		return inspection{}, fmt.Errorf("copy for the inspection: %w", err)
	}
	return inspection{source: copied, copied: copied}, nil
}

func (i inspection) write(bytes []byte) error {
	if i.copied == nil {
		return nil
	}
	if _, err := i.copied.Write(bytes); err != nil {
		return fmt.Errorf("copy for the inspection: %w", err)
	}
	return nil
}

// fault returns why the file is no complete video, empty if it is one.
func (i inspection) fault(size int64) (string, error) {
	if i.source == nil {
		return "", nil
	}
	_, err := media.InspectSource(i.source, size)
	if failed, ok := errors.AsType[*media.Error](err); ok {
		return failed.Error(), nil
	}
	return "", err
}

func (i inspection) close() {
	if i.copied != nil {
		_, _ = i.copied.Close(), os.Remove(i.copied.Name())
	}
}

// reportFault reports a file that has the listed bytes and is no video.
func (a *audit) reportFault(ctx context.Context, l listing, fault string) {
	if fault == "" {
		return
	}
	// The task is empty if the receipt can't be read any more.
	receipt, _ := a.store.Receipt(ctx, l.receipt)
	a.problem(Finding{Kind: NotAVideo, File: l.file, Receipt: l.receipt, TaskID: receipt.TaskID, Detail: fault})
}
