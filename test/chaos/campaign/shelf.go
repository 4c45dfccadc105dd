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

// shelf watches the output folder while everything goes wrong: a file must be
// whole the moment it is seen under its final name, and never change.
type shelf struct {
	folder string

	mu   sync.Mutex
	seen map[string]string // hash at first sight, by name
}

func newShelf(folder string) *shelf { return &shelf{folder: folder, seen: map[string]string{}} }

// look takes the hash of every file that is new.
func (s *shelf) look() error {
	entries, err := os.ReadDir(s.folder)
	if err != nil {
		return fmt.Errorf("watch the videos: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, entry := range entries {
		name := entry.Name()
		if _, known := s.seen[name]; known || hidden(name) {
			continue
		}
		hash, err := hashFile(filepath.Join(s.folder, name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return fmt.Errorf("watch the videos: %w", err)
		}
		s.seen[name] = hash
	}
	return nil
}

// changed names the files that are not what they were at first sight. Receipts
// may be written again.
func (s *shelf) changed() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var changed []string
	for name, first := range s.seen {
		now, err := hashFile(filepath.Join(s.folder, name))
		if err != nil || now != first && filepath.Ext(name) != ".json" {
			changed = append(changed, name)
		}
	}
	return changed
}

func (s *shelf) names() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var names []string
	for name := range s.seen {
		names = append(names, name)
	}
	return names
}

// hidden files are those that the store writes before it publishes.
func hidden(name string) bool { return strings.HasPrefix(name, ".") }

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
