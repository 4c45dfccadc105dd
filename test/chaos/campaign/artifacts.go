package campaign

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"lumaflow/test/supervisor"
)

// verifyNoOtherFiles requires that the processes wrote no files but to their
// store, their work folder and their logs.
func (r *seedRun) verifyNoOtherFiles() {
	err := filepath.WalkDir(r.w.folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(r.w.folder, path)
		if err != nil {
			return err
		}
		name = filepath.ToSlash(name)
		allowed := slices.Contains([]string{".", "schedule.txt", diskFolder, homeFolder}, name)
		for _, folder := range []string{logsFolder, filepath.Dir(databaseFile), videosFolder, workFolder} {
			allowed = allowed || name == folder || strings.HasPrefix(name, folder+"/")
		}
		if !allowed {
			r.problem("%s was written outside the output folder", name)
		}
		return nil
	})
	if err != nil {
		r.problem("search for other files: %v", err)
	}
}

// verifySecrets requires that no history, log or stored file holds a key or the
// token of a job.
func (r *seedRun) verifySecrets(jobs []jobResult) {
	secrets := map[string]string{
		worldSecrets.apiKey: "a key", worldSecrets.callback: "a key", worldSecrets.hmac: "a key", worldSecrets.codec: "a key",
	}
	for _, checked := range jobs {
		url := r.w.minter.URL(namespace, checked.job.id)
		secrets[url[strings.LastIndex(url, "/")+1:]] = "a callback token"
	}
	search := func(place string, content []byte) {
		for secret, kind := range secrets {
			if bytes.Contains(content, []byte(secret)) {
				r.problem("%s is in %s", kind, place)
				return
			}
		}
	}
	for _, checked := range jobs {
		// The binary form holds payloads without a further encoding.
		content, err := proto.Marshal(checked.history.events)
		if err != nil {
			r.problem("marshal the history of %s: %v", checked.job.id, err)
		}
		search("the history of "+checked.job.id, content)
	}
	for _, folder := range []string{logsFolder, videosFolder} {
		err := filepath.WalkDir(r.w.path(folder), func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() || filepath.Ext(path) == ".mp4" {
				return err
			}
			content, err := os.ReadFile(path)
			search(filepath.Base(path), content)
			return err
		})
		if err != nil {
			r.problem("search for secrets: %v", err)
		}
	}
}

// writeHistories writes the histories and the bill to the folder of the seed.
func (r *seedRun) writeHistories(jobs []jobResult) error {
	folder := r.w.path("histories")
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	for _, checked := range jobs {
		text, err := protojson.MarshalOptions{Indent: " "}.Marshal(checked.history.events)
		if err != nil {
			return fmt.Errorf("write the history of %s: %w", checked.job.id, err)
		}
		if err := os.WriteFile(filepath.Join(folder, checked.job.id+".json"), text, 0o600); err != nil {
			return err
		}
	}
	bill, err := json.MarshalIndent(r.w.kie.Ledger(), "", " ")
	if err != nil {
		return err
	}
	return os.WriteFile(r.w.path("bill.json"), bill, 0o600)
}

// writeSummary writes the times of the injected deaths and the problems to the
// folder of the seed.
func (r *seedRun) writeSummary() error {
	var text strings.Builder
	for _, kind := range Deaths() {
		for _, at := range r.injected[kind] {
			_, _ = fmt.Fprintf(&text, "%s  %s\n", at.Format(time.RFC3339Nano), kind)
		}
	}
	for _, problem := range r.problems {
		_, _ = fmt.Fprintln(&text, problem)
	}
	return os.WriteFile(r.w.path("summary.txt"), []byte(text.String()), 0o600)
}

// closeDisk unmounts the small disk. With keep its files stay in the folder of the
// seed.
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
		_, _ = fmt.Fprintln(os.Stderr, "chaos: copy the files from the disk of", w.folder, "failed:", err)
	}
	unmountDisk(w.path(diskFolder))
	if os.Remove(w.path(diskFolder)) == nil {
		_ = os.Rename(kept, w.path(diskFolder))
	}
}

// verifyNoOpenFiles waits until the workers have closed every file of a job. An
// attempt that was given up closes its files when it is cancelled.
func (r *seedRun) verifyNoOpenFiles(ctx context.Context) {
	if runtime.GOOS != "linux" {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for _, worker := range r.w.workers {
		for {
			open := supervisor.OpenFiles(worker.PID(), r.w.path(diskFolder))
			if len(open) == 0 {
				break
			}
			if sleep(ctx, time.Second) != nil {
				r.problem("%s has open files without an open job: %s", worker.Name(), strings.Join(open, ", "))
				break
			}
		}
	}
}
