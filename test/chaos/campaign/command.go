// Package campaign runs seeds of fault injection and verifies the promise after
// each: at most one charge a job, no video lost, every failure visible. A seed
// runs real processes on a real Temporal server. The simulated kie.ai injects
// every fault of its menu, processes are killed and paused at random moments and
// the disk is filled. Afterwards the bill, the stored files, the histories and
// the logs are checked against each other.
package campaign

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"

	"lumaflow/internal/command"
	"lumaflow/internal/kie/kietest"
	"lumaflow/internal/temporal/devserver"
	"lumaflow/test/supervisor"
)

// maxJobs bounds the load on one dev server with its file database.
const maxJobs = 200

// Command runs a campaign of seeds.
type Command struct {
	Seeds    int      `default:"10" help:"How many seeds to run (${default})."`
	From     int64    `default:"1" help:"The first seed (${default}); the others follow."`
	Jobs     int      `default:"25" help:"Jobs of each seed (${default})."`
	Parallel int      `default:"4" help:"Seeds that run side by side (${default})."`
	Faults   []string `placeholder:"NAME" help:"Faults to inject: faults of the simulated kie.ai and deaths by name, or all. Default: all."`
	Folder   string   `placeholder:"DIR" help:"Folder for the logs and histories of the seeds. Default: a new temporary folder."`
	Keep     bool     `help:"Keep the folders of passed seeds, too."`
	JSON     bool     `name:"json" help:"Print the report as JSON."`
	Binary   string   `placeholder:"FILE" help:"The lumaflow program to run. Default: built from this module."`
}

// Help shows what a campaign does.
func (Command) Help() string {
	var text strings.Builder
	text.WriteString(`One seed is one schedule: which job meets which faults of the provider, and which process is killed or paused when.
Everything is real but kie.ai: two workers, a webhook and a Temporal server on its file database, as processes. A seed takes one
to two minutes, mostly of waiting; every 25th takes twelve, because record-info is down for ten minutes for some of its jobs. The
exit code is 0 only if every seed passed and every planned fault really happened.

Examples:
  go run ./test/chaos
  go run ./test/chaos --seeds 200 --from 1 --jobs 25 --parallel 6
  go run ./test/chaos --seeds 1 --from 17 --keep        (one seed again, with all its logs)
  go run ./test/chaos --faults response-lost,worker-killed

The deaths:

`)
	for _, death := range Deaths() {
		text.WriteString("  " + death + "\n")
	}
	text.WriteString("\nThe faults of the provider are those of: lumaflow simulate --help")
	return text.String()
}

// Run runs the seeds and prints the report. The error is nil only if all seeds
// passed.
func (c *Command) Run(ctx context.Context, streams command.Streams) error {
	planned, err := c.plan(ctx, streams)
	if err != nil {
		return err
	}
	if planned.binary, err = filepath.Abs(c.Binary); err != nil {
		return command.Usagef("--binary: %w", err)
	}
	if c.Binary == "" {
		folder, err := os.MkdirTemp("", "lumaflow-chaos-build-")
		if err != nil {
			return fmt.Errorf("build lumaflow: %w", err)
		}
		defer func() { _ = os.RemoveAll(folder) }()
		planned.binary = filepath.Join(folder, "lumaflow")
		if err := supervisor.Build(ctx, planned.binary, "lumaflow"); err != nil {
			return err
		}
	}
	report, err := planned.run(ctx)
	printErr := c.print(streams.Out, report)
	if err != nil {
		return err
	}
	return errors.Join(printErr, report.failure())
}

func (c *Command) print(w io.Writer, report *Report) error {
	if !c.JSON {
		return report.print(w)
	}
	return command.WriteJSON(w, report)
}

// plan validates the flags and the machine before any process starts.
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
		return nil, command.Usagef("--faults: %w; --help lists the deaths, lumaflow simulate --help the faults of the provider", err)
	}
	if err != nil {
		return nil, err
	}
	if _, err := devserver.Find(ctx, streams.Err); err != nil {
		return nil, command.Usagef("a Temporal server is needed: %w", err)
	}
	folder, err := c.makeFolder()
	if err != nil {
		return nil, err
	}
	withDisk := canMount()
	if !withDisk && chosen.includes(DiskFull) {
		_, _ = fmt.Fprintln(streams.Err, "disk-full is left out: a small disk can't be mounted here; it takes Linux and root, or: unshare -Urm go run ./test/chaos")
	}
	return &campaign{
		seeds: c.Seeds, from: c.From, jobs: c.Jobs, parallel: c.Parallel, faults: c.Faults,
		menu: chosen, folder: folder, withDisk: withDisk, keep: c.Keep, progress: streams.Err,
	}, nil
}

// makeFolder creates the folder of the campaign and resolves its links: /proc
// shows open files by their resolved path.
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
