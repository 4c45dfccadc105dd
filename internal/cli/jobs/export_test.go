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
	WriteReport   = writeReport
	WriteEntries  = writeEntries
	WriteResults  = writeResults
	WriteOutcomes = writeOutcomes
	WriteRisks    = writeRisks
	ReadBatch     = readBatch
	ReadTasks     = readTasks
)

const (
	TallyInterval = tallyInterval
	MaxFile       = maxFile
)

// Terminal returns the display for terminals on any writer.
func Terminal(out io.Writer, width int, ids ...string) Display[starter.Progress] {
	return newBars(out, ids, mpb.WithWidth(width), mpb.WithAutoRefresh())
}

// BatchDisplay returns the display of a batch for pipes, BatchTerminal the one
// for terminals.
func BatchDisplay(out io.Writer, total int) Display[starter.Tally] {
	return newBatchDisplay(out, total)
}

func BatchTerminal(out io.Writer, width, total int) Display[starter.Tally] {
	return newBatchBar(out, total, mpb.WithWidth(width), mpb.WithAutoRefresh())
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
	orders, repeated, err := c.request(ctx, streams.In)
	if err != nil {
		return err
	}
	return c.run(ctx, s, orders, repeated, streams)
}

func (c *BatchCommand) RunOn(ctx context.Context, s *starter.Starter, streams command.Streams) error {
	orders, repeated, err := c.request(ctx, streams.In)
	if err != nil {
		return err
	}
	return c.run(ctx, s, orders, repeated, streams)
}
