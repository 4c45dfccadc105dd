package jobs

import (
	"context"
	"io"

	"github.com/vbauerster/mpb/v8"

	"lumaflow/internal/clip"
	"lumaflow/internal/command"
	"lumaflow/starter"
	"lumaflow/workflows"
)

// Unexported names that the tests use.
var (
	WriteReport  = writeReport
	WriteEntries = writeEntries
	WriteResults = writeResults
	WriteRisks   = writeRisks
	WriteBatch   = writeBatch
	BatchError   = batchError
	ReadTasks    = readTasks
)

const (
	CountsInterval = countsInterval
	MaxFile        = maxFile
)

// Terminal returns the display for terminals on any writer.
func Terminal(out io.Writer, width int, ids ...string) Display[starter.Progress] {
	return newBars(out, ids, mpb.WithWidth(width), mpb.WithAutoRefresh())
}

// Counts is the progress of many jobs.
type Counts = counts

// NewCounts returns counts; the fields are unexported.
func NewCounts(ended, total int, text, note string) Counts { return counts{ended, total, text, note} }

// CountsDisplay returns the display of many jobs for pipes, CountsTerminal the one for
// terminals.
func CountsDisplay(out io.Writer, total int) Display[Counts] { return newCountsDisplay(out, total) }

func CountsTerminal(out io.Writer, width, total int) Display[Counts] {
	return newCountsBar(out, total, mpb.WithWidth(width), mpb.WithAutoRefresh())
}

// UploadTerminal returns the display of an upload for terminals.
func UploadTerminal(out io.Writer, width int, video *clip.Clip) clip.Progress {
	return newUploadBar(out, video, mpb.WithWidth(width), mpb.WithAutoRefresh())
}

func (c *SubmitCommand) Request(ctx context.Context, stdin io.Reader) (workflows.ModifyVideoInput, error) {
	request, err := c.request(ctx, stdin)
	if err != nil {
		return workflows.ModifyVideoInput{}, err
	}
	defer request.close()
	return request.input, nil
}

// RunOn is Run with a job client in place of a connection.
func (c *SubmitCommand) RunOn(ctx context.Context, s *starter.Starter, streams command.Streams) error {
	request, err := c.request(ctx, streams.In)
	if err != nil {
		return err
	}
	defer request.close()
	return c.run(ctx, request.through(s, streams.Err), request.input, streams)
}

func (c *StatusCommand) RunOn(ctx context.Context, s *starter.Starter, streams command.Streams) error {
	return c.run(ctx, s, streams)
}

func (c *ListCommand) RunOn(ctx context.Context, s *starter.Starter, streams command.Streams) error {
	return c.run(ctx, s, streams)
}

func (c *WaitCommand) RunOn(ctx context.Context, s *starter.Starter, streams command.Streams) error {
	return c.run(ctx, s, streams)
}

func (c *CancelCommand) RunOn(ctx context.Context, s *starter.Starter, streams command.Streams) error {
	by, reason, err := c.request()
	if err != nil {
		return err
	}
	return c.run(ctx, s, by, reason, streams)
}

func (c *ResolveCommand) RunOn(ctx context.Context, s *starter.Starter, streams command.Streams) error {
	resolution, err := c.resolution()
	if err != nil {
		return err
	}
	return c.run(ctx, s, resolution, streams)
}

func (c *RescueCommand) RunOn(ctx context.Context, s *starter.Starter, streams command.Streams) error {
	tasks, repeated, err := c.request(ctx, streams.In)
	if err != nil {
		return err
	}
	return c.run(ctx, s, tasks, repeated, streams)
}

func (c *BatchRunCommand) RunOn(ctx context.Context, s *starter.Starter, streams command.Streams) error {
	request, err := c.request(ctx, streams.In)
	if err != nil {
		return err
	}
	return c.run(ctx, s, request, streams)
}

func (c *BatchStatusCommand) RunOn(ctx context.Context, s *starter.Starter, streams command.Streams) error {
	return c.run(ctx, s, streams)
}

func (c *BatchPauseCommand) RunOn(ctx context.Context, s *starter.Starter, streams command.Streams) error {
	return c.sendOn(ctx, s, streams, c.update())
}

func (c *BatchResumeCommand) RunOn(ctx context.Context, s *starter.Starter, streams command.Streams) error {
	return c.sendOn(ctx, s, streams, c.update())
}

func (c *BatchStopCommand) RunOn(ctx context.Context, s *starter.Starter, streams command.Streams) error {
	return c.sendOn(ctx, s, streams, c.update())
}

func (c *BatchRetryCommand) RunOn(ctx context.Context, s *starter.Starter, streams command.Streams) error {
	return c.run(ctx, s, streams)
}

func (c *BatchSetConcurrencyCommand) RunOn(ctx context.Context, s *starter.Starter, streams command.Streams) error {
	return c.sendOn(ctx, s, streams, c.update())
}

// Request is the batch that the flags describe, without a connection.
func (c *BatchRunCommand) Request(ctx context.Context, stdin io.Reader) (starter.BatchRequest, starter.BatchFile, error) {
	request, err := c.request(ctx, stdin)
	return request.BatchRequest, request.file, err
}
