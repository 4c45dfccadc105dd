package demo

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"

	"lumaflow/command"
	"lumaflow/fetch"
	"lumaflow/luma/lumatest"
	"lumaflow/starter"
	"lumaflow/workflows"
)

// perform submits a job for every scene and shows them until all have ended.
func (s *stage) perform(ctx context.Context, streams command.Streams, prompt string, source workflows.ModifyVideoInput) ([]*performance, error) {
	var performances []*performance
	var ids []string
	for _, scene := range scenes {
		played := &performance{scene: scene, prompt: scene.prompt(prompt)}
		id := "demo-" + strings.ReplaceAll(scene.name, " ", "-")
		input := source
		input.Prompt = played.prompt
		job, err := s.starter.SubmitAs(ctx, id, input)
		if err != nil {
			return nil, err
		}
		played.job = job
		performances, ids = append(performances, played), append(ids, job.WorkflowID)
	}
	display := starter.NewDisplay(streams.Err, ids)
	reports, err := s.starter.Wait(ctx, ids, display.Show)
	display.Close()
	for i, report := range reports {
		performances[i].report = report
	}
	return performances, err
}

// review checks every job against the bill of the simulated kie.ai.
func (s *stage) review(performances []*performance) error {
	ledger := s.kie.Ledger()
	var failed error
	for _, played := range performances {
		if played.verdict = played.check(ledger); played.verdict != nil {
			failed = errors.Join(failed, fmt.Errorf("%s: %w", played.name, played.verdict))
		}
	}
	if ledger.Charges != len(performances) {
		failed = errors.Join(failed, fmt.Errorf("%d jobs, but %d charges", len(performances), ledger.Charges))
	}
	return failed
}

// verify re-reads the stored files: they must be videos and, byte for byte,
// what the provider served.
func verify(result workflows.ModifyVideoResult, charge lumatest.Charge) error {
	if len(result.Videos) != len(charge.Results) || len(result.Videos) == 0 {
		return fmt.Errorf("task %s: %d files for %d results", charge.TaskID, len(result.Videos), len(charge.Results))
	}
	for i, video := range result.Videos {
		path, err := localPath(video.Location)
		if err != nil {
			return err
		}
		if _, err := fetch.Inspect(path); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		sum, err := hashFile(path)
		if err != nil {
			return err
		}
		if sum != charge.Results[i].SHA256 || sum != video.SHA256 {
			return fmt.Errorf("%s is not what kie.ai served", path)
		}
	}
	return nil
}

func localPath(location string) (string, error) {
	parsed, err := url.Parse(location)
	if err != nil || parsed.Scheme != "file" {
		return "", fmt.Errorf("%s is not a local file", location)
	}
	return parsed.Path, nil
}

func hashFile(path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("verify a stored video: %w", err)
	}
	defer file.Close()
	hash := sha256.New()
	if _, err := io.Copy(hash, file); err != nil {
		return "", fmt.Errorf("verify a stored video: %w", err)
	}
	return hex.EncodeToString(hash.Sum(nil)), nil
}

// print shows what happened, what it cost and where everything is.
func (s *stage) print(w io.Writer, performances []*performance) {
	fmt.Fprintln(w)
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "JOB\tWHAT WENT WRONG\tHOW IT WAS SAVED\tFILE\tSIZE")
	verified := 0
	folder := s.output
	for _, played := range performances {
		saved, file, size := played.rescue, "-", "-"
		if played.verdict != nil {
			saved = "NOT SAVED"
		} else {
			video := played.report.Result.Videos[0]
			path, _ := localPath(video.Location) // verified just now
			folder, file = filepath.Split(path)
			size = fmt.Sprintf("%.1f kB", float64(video.Bytes)/1000)
			verified++
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", played.name, played.wrong, saved, file, size)
	}
	table.Flush()
	ledger := s.kie.Ledger()
	fmt.Fprintf(w, "\n%d jobs, %d charges, %d verified files.\n", len(performances), ledger.Charges, verified)
	fmt.Fprintf(w, "Files:       %s\n", filepath.Clean(folder))
	if s.keep {
		fmt.Fprintf(w, "Temporal UI: %s\n", s.server.UIURL())
		fmt.Fprintf(w, "The bill:    %s/_sim/ledger\n", s.kieURL)
		fmt.Fprintf(w, "Look around: TEMPORAL_ADDRESS=%s lumaflow list\n", s.server.Address())
		if s.encrypted {
			fmt.Fprintf(w, "Encrypted:   lumaflow codec-server --codec-origin %s lets the UI decrypt\n", s.server.UIURL())
		}
	} else {
		fmt.Fprintf(w, "Temporal UI: %s (it ends with the demo; --keep stays up)\n", s.server.UIURL())
	}
}
