package campaign

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
)

// Every encryptedEvery-th seed runs with CODEC_KEYS.
const encryptedEvery = 3

// codecKeys is CODEC_KEYS of a seed; empty means no encryption.
func codecKeys(seed int64) string {
	if seed%encryptedEvery != 0 {
		return ""
	}
	return "chaos:" + worldSecrets.codec
}

// verifyEncryption requires that the database of an encrypted seed holds no
// prompt, no failure message (both contain "job " and the id) and no URL.
func (r *seedRun) verifyEncryption(jobs []jobResult) {
	if !r.w.codec.Encrypts() {
		return
	}
	plaintexts := [][]byte{[]byte(videoURL), []byte("http://127.0.0.1")}
	for _, checked := range jobs {
		plaintexts = append(plaintexts, []byte("job "+checked.job.id))
	}
	err := filepath.WalkDir(filepath.Dir(r.w.path(databaseFile)), func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		for _, text := range plaintexts {
			if bytes.Contains(content, text) {
				r.problem("%s holds %q in plain text, although the jobs are encrypted", filepath.Base(path), text)
			}
		}
		return err
	})
	if err != nil {
		r.problem("search for plain text: %v", err)
	}
}
