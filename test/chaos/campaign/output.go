package campaign

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
)

// output watches the output folder during a seed: a published file must be
// complete when it appears, and never change.
type output struct {
	folder string

	mu     sync.Mutex
	hashes map[string]string // of the first scan that found the file, by name
}

func newOutput(folder string) *output { return &output{folder: folder, hashes: map[string]string{}} }

// scan hashes every new file.
func (o *output) scan() error {
	entries, err := os.ReadDir(o.folder)
	if err != nil {
		return fmt.Errorf("scan the output folder: %w", err)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, entry := range entries {
		name := entry.Name()
		if _, known := o.hashes[name]; known || unpublished(name) {
			continue
		}
		hash, err := hashFile(filepath.Join(o.folder, name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return fmt.Errorf("scan the output folder: %w", err)
		}
		o.hashes[name] = hash
	}
	return nil
}

// changed lists the files whose hash differs from that of their first scan.
// Receipts may be rewritten.
func (o *output) changed() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	var changed []string
	for name, first := range o.hashes {
		now, err := hashFile(filepath.Join(o.folder, name))
		if err != nil || now != first && filepath.Ext(name) != ".json" {
			changed = append(changed, name)
		}
	}
	return changed
}

func (o *output) names() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	var names []string
	for name := range o.hashes {
		names = append(names, name)
	}
	return names
}

// unpublished reports whether a name is that of a temporary file of the store.
func unpublished(name string) bool { return strings.HasPrefix(name, ".") }

func hashFile(path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer file.Close()
	hash := sha256.New()
	if _, err := io.Copy(hash, file); err != nil {
		return "", err
	}
	return hex.EncodeToString(hash.Sum(nil)), nil
}
