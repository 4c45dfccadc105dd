package doctor

import (
	"context"
	"fmt"

	"github.com/dustin/go-humanize"

	"lumaflow/internal/proxy"
)

const (
	// lowSpace holds ten results of the largest size in bytes: kie.ai documents
	// sources of up to 500 MB.
	lowSpace = 5_000_000_000
	// minSpace holds one of them.
	minSpace = 500_000_000
)

func (e *examination) checkOutput(ctx context.Context) Finding {
	videos, err := e.Store(ctx)
	if err != nil {
		return failf("%s", brief(err))
	}
	local, ok := videos.(interface{ Folder() string })
	if !ok {
		return okf("videos can be stored and read")
	}
	return spaceFinding("videos", local.Folder(), "OUTPUT_URL")
}

func (e *examination) checkWork(context.Context) Finding {
	fetcher, err := e.Fetcher(e.logger)
	if err != nil {
		return failf("%s", brief(err))
	}
	return spaceFinding("partial downloads", fetcher.WorkDir(), "WORK_DIR")
}

func (e *examination) checkProxy(ctx context.Context) Finding {
	if _, err := proxy.FromEnvironment(); err != nil {
		return failf("%s", brief(err))
	}
	fetcher, err := e.Fetcher(e.logger)
	if err != nil {
		return e.skipped("work", err, "the check of partial downloads fails")
	}
	through, err := e.CheckProxy(ctx, fetcher)
	switch {
	case err != nil:
		return failf("%s", brief(err))
	case through == "":
		return okf("results are downloaded directly")
	default:
		return okf("results can be downloaded through the proxy %s", through)
	}
}

// spaceFinding evaluates the free space of a writable folder.
func spaceFinding(what, folder, variable string) Finding {
	writable := fmt.Sprintf("%s can be written to %s", what, folder)
	free, err := freeSpace(folder)
	if err != nil {
		return okf("%s; its free space is unknown (%s)", writable, brief(err))
	}
	return freeFinding(writable, variable, free)
}

func freeFinding(writable, variable string, free uint64) Finding {
	switch {
	case free < minSpace:
		return failf("%s, but only %s are free, which may not hold one: free some, or set %s to a larger disk", writable, humanize.Bytes(free), variable)
	case free < lowSpace:
		return warnf("%s, but only %s are free: free some, or set %s to a larger disk", writable, humanize.Bytes(free), variable)
	default:
		return okf("%s, %s are free", writable, humanize.Bytes(free))
	}
}
