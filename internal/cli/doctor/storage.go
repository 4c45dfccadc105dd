package doctor

import (
	"context"
	"fmt"

	"github.com/dustin/go-humanize"
)

const (
	// littleSpace is what ten results of kie.ai's largest size come to; it takes
	// sources of up to 500 MB.
	littleSpace = 5_000_000_000
	// noSpace is less than one of them.
	noSpace = 500_000_000
)

func (e *examination) lookAtOutput(ctx context.Context) Finding {
	videos, err := e.Store(ctx)
	if err != nil {
		return failf("%s", said(err))
	}
	local, ok := videos.(interface{ Folder() string })
	if !ok {
		return okf("videos can be stored and read")
	}
	return judgeSpace("videos", local.Folder(), "OUTPUT_URL")
}

func (e *examination) lookAtWork(context.Context) Finding {
	fetcher, err := e.Fetcher(e.logger)
	if err != nil {
		return failf("%s", said(err))
	}
	return judgeSpace("partial downloads", fetcher.WorkDir(), "WORK_DIR")
}

// judgeSpace is about a folder that can be written.
func judgeSpace(what, folder, variable string) Finding {
	free, err := freeSpace(folder)
	if err != nil {
		return okf("%s can be written to %s; how much space is left there can't be asked (%s)", what, folder, said(err))
	}
	return judgeFree(fmt.Sprintf("%s can be written to %s", what, folder), variable, free)
}

func judgeFree(fine, variable string, free uint64) Finding {
	const advice = "make room, or set %s to a larger disk"
	switch {
	case free < noSpace:
		return failf("%s, but only %s are free, which may not hold one: "+advice, fine, humanize.Bytes(free), variable)
	case free < littleSpace:
		return warnf("%s, but only %s are free: "+advice, fine, humanize.Bytes(free), variable)
	default:
		return okf("%s, %s are free", fine, humanize.Bytes(free))
	}
}
