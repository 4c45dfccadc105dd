package media

import "time"

// inspectMP4 is the verdict about an MP4 or MOV. delivered means that no bytes are
// missing at the end.
func inspectMP4(r *reader, delivered bool) (Video, error) {
	x, err := readIndex(r)
	if err != nil {
		return Video{}, err
	}
	pictures := x.pictures()
	switch {
	case len(x.tracks) == 0:
		return Video{}, problemf(NoPicture, x.movie.start, "it has no tracks")
	case len(pictures) == 0:
		return Video{}, x.noPicture()
	}
	video := Video{Extension: x.extension}
	var longest time.Duration
	for _, t := range pictures {
		if t.codec == "" {
			return Video{}, problemf(NoPicture, x.movie.start, "its picture track %d names no codec", t.id)
		}
		if t.edited > 0 && x.scale == 0 {
			return Video{}, problemf(Malformed, x.movie.start, "the edit list of its track %d has no time scale (mvhd box)", t.id)
		}
		if t.width*t.height > video.Width*video.Height {
			video.Width, video.Height = t.width, t.height
		}
		if duration := x.durationOf(t); duration > longest {
			longest = duration
			video.Frame = toDuration(t.units, t.scale) / time.Duration(t.samples) //nolint:gosec // below 2^60 bytes
		}
	}
	longest = x.longest()
	if !delivered {
		if err := x.checkFinish(longest); err != nil {
			return Video{}, err
		}
	}
	video.Duration = max(longest, toDuration(x.duration, x.scale))
	return video, nil
}

// noPicture is the reason why no track has pictures.
func (x *index) noPicture() error {
	for _, t := range x.tracks {
		if t.handler == handlerPicture {
			return problemf(NoPicture, x.movie.start, "its picture track has no samples")
		}
	}
	return problemf(NoPicture, x.movie.start, "it has no picture track (its tracks: %s)", x.handlers())
}

// durationOf is the presented duration of a track.
func (x *index) durationOf(t *track) time.Duration {
	duration := toDuration(t.units, t.scale)
	if edited := toDuration(t.edited, x.scale); edited > 0 && edited < duration {
		return edited
	}
	return duration
}

// longest is the duration of the longest picture or sound track.
func (x *index) longest() (longest time.Duration) {
	for _, t := range x.tracks {
		if t.bytes > 0 {
			longest = max(longest, x.durationOf(t))
		}
	}
	return longest
}
