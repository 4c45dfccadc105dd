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

	"lumaflow/internal/cli/jobs"
	"lumaflow/internal/command"
	"lumaflow/internal/kie"
	"lumaflow/internal/kie/kietest"
	"lumaflow/internal/media"
	"lumaflow/internal/store"
	"lumaflow/workflows"
)

// runJobs submits a job for every scenario and shows their progress until all
// have ended.
func (s *system) runJobs(ctx context.Context, streams command.Streams, prompt string, source workflows.ModifyVideoInput) ([]*outcome, error) {
	var outcomes []*outcome
	var ids []string
	for _, scenario := range scenarios {
		input := source
		input.Prompt = scenario.prompt(prompt)
		job, err := s.starter.SubmitAs(ctx, "demo-"+strings.ReplaceAll(scenario.name, " ", "-"), input)
		if err != nil {
			return nil, err
		}
		outcomes = append(outcomes, &outcome{scenario: scenario, job: job, prompt: input.Prompt})
		ids = append(ids, job.WorkflowID)
	}
	display := jobs.NewDisplay(streams.Err, ids)
	reports, err := s.starter.Wait(ctx, ids, display.Show)
	display.Close()
	for i, report := range reports {
		outcomes[i].report = report
	}
	return outcomes, err
}

// verifyJobs checks every job against the bill of the simulated kie.ai.
func (s *system) verifyJobs(ctx context.Context, outcomes []*outcome) error {
	ledger := s.kie.Ledger()
	var failed error
	for _, o := range outcomes {
		charge, err := o.check(ledger)
		if err == nil {
			err = s.verify(ctx, *o.report.Result, charge)
		}
		if o.err = err; err != nil {
			failed = errors.Join(failed, fmt.Errorf("%s: %w", o.scenario.name, o.err))
		}
	}
	if ledger.Charges != len(outcomes) {
		failed = errors.Join(failed, fmt.Errorf("%d jobs, but %d charges", len(outcomes), ledger.Charges))
	}
	return failed
}

// verify re-reads the stored files of a job: they must be videos with the bytes
// that the provider served, and the copy of the source.
func (s *system) verify(ctx context.Context, result workflows.ModifyVideoResult, charge kietest.Charge) error {
	if len(result.Videos) != len(charge.Results) || len(result.Videos) == 0 {
		return fmt.Errorf("task %s: %d files for %d results", charge.TaskID, len(result.Videos), len(charge.Results))
	}
	for i, video := range result.Videos {
		sum, err := s.inspect(ctx, video.Location)
		if err != nil {
			return fmt.Errorf("verify %s: %w", video.Location, err)
		}
		if sum != charge.Results[i].SHA256 || sum != video.SHA256 {
			return fmt.Errorf("the bytes of %s differ from those that kie.ai served", video.Location)
		}
	}
	return s.verifySource(ctx, store.Naming(kie.Brand(charge.Model)), charge.TaskID)
}

// verifySource re-reads the copy of the source of a task.
func (s *system) verifySource(ctx context.Context, names store.Naming, taskID string) error {
	receipt, err := s.videos.Receipt(ctx, names.ReceiptName("", taskID))
	switch {
	case err != nil:
		return err
	case receipt.Source == nil:
		return fmt.Errorf("the receipt of task %s names no source", taskID)
	case receipt.Source.Missing != "":
		return fmt.Errorf("the source of task %s is missing: %s", taskID, receipt.Source.Missing)
	}
	sum, err := s.inspect(ctx, receipt.Source.Location)
	if err != nil {
		return fmt.Errorf("verify %s: %w", receipt.Source.Location, err)
	}
	if sum != receipt.Source.SHA256 {
		return fmt.Errorf("the bytes of %s differ from those in its receipt", receipt.Source.Location)
	}
	return nil
}

// inspect copies a stored file, checks that it is a video and returns its SHA-256.
func (s *system) inspect(ctx context.Context, location string) (sum string, err error) {
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
	defer func() { _, _ = copied.Close(), os.Remove(copied.Name()) }()
	digest := sha256.New()
	size, err := io.Copy(io.MultiWriter(copied, digest), stored)
	if err != nil {
		return "", err
	}
	if _, err := media.InspectSource(copied, size); err != nil {
		return "", err
	}
	return hex.EncodeToString(digest.Sum(nil)), nil
}

// split splits a location into the store, as a path if it is a local folder, and
// the name of the file.
func split(location string) (folder, name string) {
	folder, name = path.Split(location)
	if parsed, err := url.Parse(folder); err == nil && parsed.Scheme == "file" {
		folder = filepath.Clean(parsed.Path)
	}
	return folder, name
}
