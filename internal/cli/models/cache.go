package models

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"time"
)

const (
	// cacheTime is the time for which an answer counts. kie.ai permits one request a
	// second for the whole catalogue.
	cacheTime = 10 * time.Minute
	// maxCache bounds, in bytes, a file that is read.
	maxCache = 1 << 20
)

// cache keeps the catalogue's facts in a file of the user, one for each address of
// kie.ai. A file that can't be read or written is none.
type cache struct {
	path    string
	now     func() time.Time
	Entries map[string]entry `json:"models"`
}

type entry struct {
	At   time.Time `json:"at"`
	Live live      `json:"live"`
}

func openCache(address string, now func() time.Time) *cache {
	c := &cache{now: now}
	if folder, err := os.UserCacheDir(); err == nil {
		name := sha256.Sum256([]byte(address))
		c.path = filepath.Join(folder, "lumaflow", "models-"+hex.EncodeToString(name[:8])+".json")
		if info, err := os.Stat(c.path); err == nil && info.Size() <= maxCache {
			data, _ := os.ReadFile(c.path)
			_ = json.Unmarshal(data, c)
		}
	}
	if c.Entries == nil {
		c.Entries = map[string]entry{}
	}
	return c
}

func (c *cache) get(name string) (found live, fresh bool) {
	one, ok := c.Entries[name]
	age := c.now().Sub(one.At)
	return one.Live, ok && age >= 0 && age < cacheTime
}

func (c *cache) put(name string, found live) { c.Entries[name] = entry{c.now(), found} }

// save writes the file whole or not at all.
func (c *cache) save() {
	data, err := json.Marshal(c)
	if err != nil || c.path == "" || os.MkdirAll(filepath.Dir(c.path), 0o700) != nil {
		return
	}
	file, err := os.CreateTemp(filepath.Dir(c.path), ".models-*")
	if err != nil {
		return
	}
	_, err = file.Write(data)
	if closed := file.Close(); err == nil && closed == nil && os.Rename(file.Name(), c.path) == nil {
		return
	}
	_ = os.Remove(file.Name())
}
