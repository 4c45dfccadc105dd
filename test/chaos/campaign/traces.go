package campaign

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

// judgeFolders looks for files where none has any business: no process of
// lumaflow writes anything but its store and its work folder.
func (p *playing) judgeFolders() {
	err := filepath.WalkDir(p.folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(p.folder, path)
		if err != nil {
			return err
		}
		name = filepath.ToSlash(name)
		inPlace := slices.Contains([]string{".", "schedule.txt", diskFolder, homeFolder}, name)
		for _, folder := range []string{logsFolder, filepath.Dir(databaseFile), videosFolder, workFolder} {
			inPlace = inPlace || name == folder || strings.HasPrefix(name, folder+"/")
		}
		if !inPlace {
			p.problem("%s was written outside the output folder", name)
		}
		return nil
	})
	if err != nil {
		p.problem("look for stray files: %v", err)
	}
}

// judgeSecrets looks for the keys and for the token of every job in all that is
// left behind.
func (p *playing) judgeSecrets(lives []life) {
	hidden := [][]byte{[]byte(worldSecrets.apiKey), []byte(worldSecrets.callback), []byte(worldSecrets.hmac), []byte(worldSecrets.codec)}
	keys := len(hidden)
	for _, lived := range lives {
		url := p.minter.URL(namespace, lived.job.id)
		hidden = append(hidden, []byte(url[strings.LastIndex(url, "/")+1:]))
	}
	show := func(where string, content []byte) {
		for i, secret := range hidden {
			if bytes.Contains(content, secret) {
				what := "a callback token"
				if i < keys {
					what = "a key"
				}
				p.problem("%s shows in %s", what, where)
				return
			}
		}
	}
	for _, lived := range lives {
		// In the binary form payloads stand as they are.
		content, err := proto.Marshal(lived.story.history)
		if err != nil {
			p.problem("read the history of %s: %v", lived.job.id, err)
		}
		show("the history of "+lived.job.id, content)
	}
	for _, folder := range []string{logsFolder, videosFolder} {
		err := filepath.WalkDir(p.path(folder), func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() || filepath.Ext(path) == ".mp4" {
				return err
			}
			content, err := os.ReadFile(path)
			show(filepath.Base(path), content)
			return err
		})
		if err != nil {
			p.problem("look for secrets: %v", err)
		}
	}
}

// keepHistories writes what a failed seed is understood by. Those of a seed that
// went well go with its folder.
func (p *playing) keepHistories(lives []life) error {
	folder := p.path("histories")
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	for _, lived := range lives {
		text, err := protojson.MarshalOptions{Indent: " "}.Marshal(lived.story.history)
		if err != nil {
			return fmt.Errorf("write the history of %s: %w", lived.job.id, err)
		}
		if err := os.WriteFile(filepath.Join(folder, lived.job.id+".json"), text, 0o600); err != nil {
			return err
		}
	}
	bill, err := json.MarshalIndent(p.kie.Ledger(), "", " ")
	if err != nil {
		return err
	}
	return os.WriteFile(p.path("bill.json"), bill, 0o600)
}

// keepStory writes down what struck when, and what was found wrong.
func (p *playing) keepStory() error {
	var text strings.Builder
	for _, kind := range Deaths() {
		for _, at := range p.struck[kind] {
			fmt.Fprintf(&text, "%s  %s\n", at.Format(time.RFC3339Nano), kind)
		}
	}
	for _, problem := range p.problems {
		fmt.Fprintln(&text, problem)
	}
	return os.WriteFile(p.path("story.txt"), []byte(text.String()), 0o600)
}

// closeDisk unmounts the small disk, and first moves what lies on it to the
// folder if that is to be kept.
func (w *world) closeDisk(keep bool) {
	if w.disk == nil {
		return
	}
	if !keep {
		unmountDisk(w.path(diskFolder))
		return
	}
	kept := w.path("kept")
	if err := os.CopyFS(kept, os.DirFS(w.path(diskFolder))); err != nil && !errors.Is(err, fs.ErrNotExist) {
		fmt.Fprintln(os.Stderr, "chaos: what lay on the disk of", w.folder, "is lost:", err)
	}
	unmountDisk(w.path(diskFolder))
	if os.Remove(w.path(diskFolder)) == nil {
		_ = os.Rename(kept, w.path(diskFolder))
	}
}
