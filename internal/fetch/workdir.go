package fetch

import (
	"cmp"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"io/fs"
	"os"
	"regexp"
	"time"
)

const (
	namePrefix  = "lumaflow-"
	bytesSuffix = ".part"
	stateSuffix = ".json"
)

func openWorkDir(dir string) (*os.Root, error) {
	// Each attempt creates the folder if it is missing: it may be in a cache that
	// has been cleared.
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	return os.OpenRoot(dir)
}

func workName(key string) string {
	sum := sha256.Sum256([]byte(key))
	return namePrefix + hex.EncodeToString(sum[:16])
}

func privateName(base string) string {
	return base + "-" + rand.Text() + bytesSuffix
}

// prepareWorkDir creates dir, proves that it can be written, and removes abandoned
// work files.
func prepareWorkDir(dir string, before time.Time) error {
	root, err := openWorkDir(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	probe := privateName(workName("probe"))
	file, err := root.OpenFile(probe, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	if err := cmp.Or(file.Close(), root.Remove(probe)); err != nil {
		return err
	}
	sweep(root, before)
	return nil
}

var workFile = regexp.MustCompile(`^` + namePrefix + `[0-9a-f]{32}(-[A-Z2-7]{26})?(\.part|\.json|\.json\.new)$`)

// sweep removes work files that were last modified before a time. It takes no lock:
// an attempt that was suspended for weeks keeps its open file, which then has no
// name. Other files stay, and so does a file that can't be removed.
func sweep(dir *os.Root, before time.Time) {
	entries, _ := fs.ReadDir(dir.FS(), ".")
	for _, entry := range entries {
		if !workFile.MatchString(entry.Name()) || !entry.Type().IsRegular() {
			continue
		}
		if info, err := entry.Info(); err == nil && info.ModTime().Before(before) {
			_ = dir.Remove(entry.Name())
		}
	}
}
