package clip

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"lumaflow/internal/command"
	"lumaflow/internal/media"
)

// cut is the option of ffmpeg for the longest duration of a source of the model.
func (c *Clip) cut() string { return fmt.Sprintf("-t %.1f", c.model.Clip.MaxTime.Seconds()-0.1) }

// isMatroska reports whether the file begins like an MKV or WebM (RFC 8794, EBML header).
// Some models take them; package media can't inspect them.
func (c *Clip) isMatroska() bool {
	begin := make([]byte, 4)
	_, err := io.ReadFull(c.content(), begin)
	return err == nil && string(begin) == "\x1aE\xdf\xa3"
}

// checkLimits checks the limits of a model beside size and greatest duration. Its errors
// are usage errors.
func (c *Clip) checkLimits(video media.Video, duration time.Duration) error {
	limits := c.model.Clip
	shorter, longer := min(video.Width, video.Height), max(video.Width, video.Height)
	switch {
	case len(limits.Formats) > 0 && !slices.Contains(limits.Formats, video.Extension):
		return command.Usagef("%s is in the format %s and model %s takes %s: convert it: %s", c, strings.TrimPrefix(video.Extension, "."), c.model.Name,
			strings.ReplaceAll(strings.Join(limits.Formats, ", "), ".", ""), c.ffmpeg("-movflags +faststart", "-converted.mp4"))
	case limits.MinTime > 0 && duration > 0 && duration < limits.MinTime:
		return command.Usagef("%s lasts %v and model %s takes at least %v", c, duration, c.model.Name, limits.MinTime)
	case limits.MinPixels > 0 && shorter > 0 && shorter < limits.MinPixels, limits.MaxPixels > 0 && longer > limits.MaxPixels:
		return command.Usagef("%s has %d x %d pixels and model %s takes sides of %s%s", c, video.Width, video.Height, c.model.Name, limits.Sides(), c.scale(shorter, longer))
	default:
		return nil
	}
}

// scale is the end of a message with the command that brings both sides within the
// bounds of the model; empty if none does that at the same aspect ratio.
func (c *Clip) scale(shorter, longer int) string {
	limits := c.model.Clip
	side, change := limits.MinPixels, "increase"
	if shorter >= side {
		side, change = limits.MaxPixels, "decrease"
	}
	tooLong := change == "increase" && limits.MaxPixels > 0 && longer*side > shorter*limits.MaxPixels
	tooShort := change == "decrease" && shorter*side < longer*limits.MinPixels
	if tooLong || tooShort {
		return ""
	}
	// Rounding changes the aspect ratio, and ffmpeg would keep it by pixels that are not
	// square, with another declared width.
	filter := fmt.Sprintf("-vf scale=%d:%d:force_original_aspect_ratio=%s:force_divisible_by=2,setsar=1", side, side, change)
	return ": scale it: " + c.ffmpeg(filter, "-scaled.mp4")
}
