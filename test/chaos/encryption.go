package chaos

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
)

// encryptedEvery is how often a seed runs with CODEC_KEYS.
const encryptedEvery = 3

// codecKeys are those of a seed; empty means that nothing is encrypted.
func codecKeys(seed int64) string {
	if seed%encryptedEvery != 0 {
		return ""
	}
	return "chaos:" + worldSecrets.codec
}

// judgeCiphertext looks for what jobs are about in all that the Temporal server
// has written, if it is encrypted: the prompts and failures, which begin with
// the job, and every address.
func (p *playing) judgeCiphertext(lives []life) {
	if !p.codec.Encrypts() {
		return
	}
	readable := [][]byte{[]byte(videoURL), []byte("http://127.0.0.1")}
	for _, lived := range lives {
		readable = append(readable, []byte("job "+lived.job.id))
	}
	err := filepath.WalkDir(filepath.Dir(p.path(databaseFile)), func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		for _, text := range readable {
			if bytes.Contains(content, text) {
				p.problem("%q can be read in %s, although the jobs are encrypted", text, filepath.Base(path))
			}
		}
		return err
	})
	if err != nil {
		p.problem("look for what is not encrypted: %v", err)
	}
}
