package kietest

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
	"time"
)

// FFmpeg returns a function for Options.Modify that applies a painting-like filter
// to the first 10 s of a video. ok is false if there is no ffmpeg on PATH.
func FFmpeg() (modify func(ctx context.Context, in, out string) error, ok bool) {
	binary, err := exec.LookPath("ffmpeg")
	if err != nil {
		return nil, false
	}
	return func(ctx context.Context, in, out string) error {
		run := exec.CommandContext(ctx, binary, "-nostdin", "-v", "error", "-y",
			"-i", in, "-t", "10",
			// libx264 requires even dimensions for yuv420p.
			"-vf", "scale=trunc(iw/2)*2:trunc(ih/2)*2,edgedetect=mode=colormix:high=0.1,format=yuv420p",
			"-movflags", "+faststart", "-f", "mp4", out)
		run.WaitDelay = 5 * time.Second
		if output, err := run.CombinedOutput(); err != nil {
			return fmt.Errorf("ffmpeg: %w: %s", err, lastLine(string(output)))
		}
		return nil
	}, true
}

func lastLine(text string) string {
	text = strings.TrimSpace(text)
	return text[strings.LastIndexByte(text, '\n')+1:]
}
