// Package chaos proves the promise by breaking everything: seeded runs of real
// processes on a real Temporal server, in which the provider misbehaves in every
// way it knows, processes are killed and paused at random moments and the disk
// is full. Afterwards the bill, the disk, the histories and the logs must agree
// that nobody paid twice, nothing was lost and every failure can be seen.
package campaign

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"

	"lumaflow/internal/command"
	"lumaflow/internal/kie/kietest"
	"lumaflow/internal/temporal/devserver"
)

// maxJobs is what one dev server with its file database carries well.
const maxJobs = 200

// Command runs a campaign of seeds.
type Command struct {
	Seeds    int      `default:"10" help:"How many seeds to run (${default})."`
	From     int64    `default:"1" help:"The first seed (${default}); the others follow."`
	Jobs     int      `default:"25" help:"Jobs of each seed (${default})."`
	Parallel int      `default:"4" help:"Seeds that run side by side (${default})."`
	Faults   []string `placeholder:"NAME" help:"What may go wrong: faults of the simulated kie.ai and deaths by name, or all. Default: all."`
	Folder   string   `placeholder:"DIR" help:"Where seeds leave their logs and histories. Default: a new temporary folder."`
	Keep     bool     `help:"Keep the folders of seeds that went well, too."`
	JSON     bool     `name:"json" help:"Print the report as JSON."`
}

// Help shows what a campaign does.
func (Command) Help() string {
	text := `One seed is one schedule: which job meets which faults of the provider, and which process is killed or paused when.
Everything is real but kie.ai: two workers, a webhook and a Temporal server on its file database, as processes. A seed takes one
to two minutes, mostly of waiting; every 25th takes twelve, because it has jobs whose record-info is down for ten. The
exit code is 0 only if every seed kept the promise and everything that should go wrong really did.

Examples:
  lumaflow chaos
  lumaflow chaos --seeds 200 --from 1 --jobs 25 --parallel 6
  lumaflow chaos --seeds 1 --from 17 --keep            (one seed again, with everything it logged)
  lumaflow chaos --faults response-lost,worker-killed

The deaths:

`
	for _, death := range Deaths() {
		text += "  " + death + "\n"
	}
	return text + "\nThe faults of the provider are those of: lumaflow simulate --help"
}

// Run plays the seeds and prints the report. The error is nil only if all kept
// the promise.
func (c *Command) Run(ctx context.Context, streams command.Streams) error {
	plan, err := c.plan(ctx, streams)
	if err != nil {
		return err
	}
	report, err := plan.run(ctx)
	shown := c.show(streams.Out, report)
	if err != nil {
		return err
	}
	return errors.Join(shown, report.verdict())
}

func (c *Command) show(w io.Writer, report *Report) error {
	if !c.JSON {
		return report.print(w)
	}
	return command.WriteJSON(w, report)
}

// plan checks everything before anything is started.
func (c *Command) plan(ctx context.Context, streams command.Streams) (*campaign, error) {
	switch {
	case c.Seeds < 1:
		return nil, command.Usagef("--seeds: %d is no number of seeds: give 1 or more", c.Seeds)
	case c.Jobs < 1 || c.Jobs > maxJobs:
		return nil, command.Usagef("--jobs: %d is not between 1 and %d", c.Jobs, maxJobs)
	case c.From > math.MaxInt64-int64(c.Seeds):
		return nil, command.Usagef("--from: there are no %d seeds from %d on", c.Seeds, c.From)
	case c.Parallel < 1:
		return nil, command.Usagef("--parallel: %d is not 1 or more", c.Parallel)
	}
	chosen, err := newMenu(c.Faults)
	if errors.Is(err, kietest.ErrUnknownFault) {
		return nil, command.Usagef("--faults: %w; lumaflow chaos --help and lumaflow simulate --help list them all", err)
	}
	if err != nil {
		return nil, err
	}
	binary, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("start lumaflow's own processes: %w", err)
	}
	if _, err := devserver.Find(ctx, streams.Err); err != nil {
		return nil, command.Usagef("a Temporal server is needed: %w", err)
	}
	folder, err := c.makeFolder()
	if err != nil {
		return nil, err
	}
	withDisk := canMount()
	if !withDisk && chosen.kills(DiskFull) {
		fmt.Fprintln(streams.Err, "disk-full is left out: a small disk can't be mounted here; it takes Linux and root, or: unshare -Urm lumaflow chaos")
	}
	return &campaign{
		seeds: c.Seeds, from: c.From, jobs: c.Jobs, parallel: c.Parallel, faults: c.Faults,
		menu: chosen, binary: binary, folder: folder, withDisk: withDisk, keep: c.Keep, say: streams.Err,
	}, nil
}

// makeFolder makes the folder of the campaign. Its path is the one that the
// system itself shows for the files in it.
func (c *Command) makeFolder() (string, error) {
	folder := c.Folder
	if folder == "" {
		var err error
		if folder, err = os.MkdirTemp("", "lumaflow-chaos-"); err != nil {
			return "", fmt.Errorf("make a folder for the seeds: %w", err)
		}
	}
	folder, err := filepath.Abs(folder)
	if err == nil {
		err = os.MkdirAll(folder, 0o700)
	}
	if err == nil {
		folder, err = filepath.EvalSymlinks(folder)
	}
	if err != nil {
		return "", command.Usagef("--folder: %w", err)
	}
	return folder, nil
}
