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
	"path"
	"path/filepath"
	"strings"
	"text/tabwriter"

	"github.com/dustin/go-humanize"

	"lumaflow/internal/cli/jobs"
	"lumaflow/internal/command"
	"lumaflow/internal/kie/kietest"
	"lumaflow/internal/media"
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
	display := jobs.NewDisplay(streams.Err, ids)
	reports, err := s.starter.Wait(ctx, ids, display.Show)
	display.Close()
	for i, report := range reports {
		performances[i].report = report
	}
	return performances, err
}

// review checks every job against the bill of the simulated kie.ai.
func (s *stage) review(ctx context.Context, performances []*performance) error {
	ledger := s.kie.Ledger()
	var failed error
	for _, played := range performances {
		played.verdict = played.check(ledger, func(result workflows.ModifyVideoResult, charge kietest.Charge) error {
			return s.verify(ctx, result, charge)
		})
		if played.verdict != nil {
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
func (s *stage) verify(ctx context.Context, result workflows.ModifyVideoResult, charge kietest.Charge) error {
	if len(result.Videos) != len(charge.Results) || len(result.Videos) == 0 {
		return fmt.Errorf("task %s: %d files for %d results", charge.TaskID, len(result.Videos), len(charge.Results))
	}
	for i, video := range result.Videos {
		sum, err := s.inspect(ctx, video.Location)
		if err != nil {
			return fmt.Errorf("verify %s: %w", video.Location, err)
		}
		if sum != charge.Results[i].SHA256 || sum != video.SHA256 {
			return fmt.Errorf("%s is not what kie.ai served", video.Location)
		}
	}
	return nil
}

// inspect copies a stored file, looks whether it is a video and returns its
// SHA-256.
func (s *stage) inspect(ctx context.Context, location string) (sum string, err error) {
	_, name := split(location)
	stored, err := s.videos.Open(ctx, name)
	if err != nil {
		return "", err
	}
	defer stored.Close()
	copied, err := os.CreateTemp(s.folder, "stored-")
	if err != nil {
		return "", err
	}
	defer os.Remove(copied.Name())
	defer copied.Close()
	digest := sha256.New()
	size, err := io.Copy(io.MultiWriter(copied, digest), stored)
	if err != nil {
		return "", err
	}
	if _, err := media.InspectMP4(copied, size); err != nil {
		return "", err
	}
	return hex.EncodeToString(digest.Sum(nil)), nil
}

// split takes a location apart into where all files are, as one would type it,
// and the name of the file.
func split(location string) (where, name string) {
	where, name = path.Split(location)
	if parsed, err := url.Parse(where); err == nil && parsed.Scheme == "file" {
		where = filepath.Clean(parsed.Path)
	}
	return where, name
}

// print shows what happened, what it cost and where everything is.
func (s *stage) print(w io.Writer, performances []*performance) {
	fmt.Fprintln(w)
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "JOB\tWHAT WENT WRONG\tHOW IT WAS SAVED\tFILE\tSIZE")
	verified := 0
	where := s.output
	for _, played := range performances {
		saved, file, size := played.rescue, "-", "-"
		if played.verdict != nil {
			saved = "NOT SAVED"
		} else {
			video := played.report.Result.Videos[0]
			where, file = split(video.Location)
			size = humanize.Bytes(uint64(video.Bytes))
			verified++
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", played.name, played.wrong, saved, file, size)
	}
	table.Flush()
	ledger := s.kie.Ledger()
	fmt.Fprintf(w, "\n%d jobs, %d charges, %d verified files.\n", len(performances), ledger.Charges, verified)
	fmt.Fprintf(w, "Files:       %s\n", where)
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
