package starter

import (
	"context"
	"io"

	"github.com/vbauerster/mpb/v8"

	"lumaflow/internal/command"
	"lumaflow/workflows"
)

var (
	Plain        = plain
	Summary      = summary
	WriteReport  = writeReport
	WriteEntries = writeEntries
	WriteResults = writeResults
	Activities   = []string{submitActivity, pollActivity, downloadActivity, identifyActivity, receiptActivity}
)

// Terminal is the display for terminals on something that is none.
func Terminal(out io.Writer, width int, ids ...string) Display {
	return newBars(out, ids, mpb.WithWidth(width), mpb.WithAutoRefresh())
}

func (f Filter) Query() string { return f.query() }

func (c *SubmitCommand) Request(ctx context.Context, stdin io.Reader) (workflows.ModifyVideoInput, error) {
	asked, err := c.order(ctx, stdin)
	if err != nil {
		return workflows.ModifyVideoInput{}, err
	}
	defer asked.close()
	return asked.input, nil
}

func (c *SubmitCommand) RunOn(ctx context.Context, s *Starter, streams command.Streams) error {
	asked, err := c.order(ctx, streams.In)
	if err != nil {
		return err
	}
	defer asked.close()
	return c.run(ctx, asked.through(s, streams.Err), asked.input, streams)
}

func (c *StatusCommand) RunOn(ctx context.Context, s *Starter, streams command.Streams) error {
	return c.run(ctx, s, streams)
}

func (c *ListCommand) RunOn(ctx context.Context, s *Starter, streams command.Streams) error {
	return c.run(ctx, s, streams)
}

func (c *WaitCommand) RunOn(ctx context.Context, s *Starter, streams command.Streams) error {
	return c.run(ctx, s, streams)
}

func (c *CancelCommand) RunOn(ctx context.Context, s *Starter, streams command.Streams) error {
	return c.run(ctx, s, streams)
}

func (c *ResolveCommand) RunOn(ctx context.Context, s *Starter, streams command.Streams) error {
	decision, err := c.decision()
	if err != nil {
		return err
	}
	return c.run(ctx, s, decision, streams)
}

// Outage and the others are how long things may take.
const (
	Outage         = outage
	CancelPatience = cancelPatience
	ResolveTimeout = resolveTimeout
	DefaultTimeout = defaultTimeout
	MaxInterval    = maxInterval
	TallyInterval  = tallyInterval
	Hands          = hands
	MaxFile        = maxFile
	MaxOrders      = maxOrders
)

func (c *RescueCommand) RunOn(ctx context.Context, s *Starter, streams command.Streams) error {
	orders, repeated, err := c.request(ctx, streams)
	if err != nil {
		return err
	}
	return c.run(ctx, s, orders, repeated, streams)
}

func (c *RescueCommand) Orders(ctx context.Context, stdin io.Reader) ([]Order, int, error) {
	return c.orders(ctx, stdin)
}

func (c *BatchCommand) RunOn(ctx context.Context, s *Starter, streams command.Streams) error {
	orders, repeated, err := c.request(ctx, streams)
	if err != nil {
		return err
	}
	return c.run(ctx, s, orders, repeated, streams)
}

func (c *BatchCommand) Orders(ctx context.Context, stdin io.Reader) ([]Order, int, error) {
	return c.orders(ctx, stdin)
}

// TallyDisplay shows many jobs as on a pipe, TallyTerminal as on a terminal.
func TallyDisplay(out io.Writer, total int) tallyDisplay { return newTallyDisplay(out, total) }

func TallyTerminal(out io.Writer, width, total int) tallyDisplay {
	return newTallyBar(out, total, mpb.WithWidth(width), mpb.WithAutoRefresh())
}
