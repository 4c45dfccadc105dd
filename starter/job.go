package starter

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"time"

	"lumaflow/workflows"
)

// Job is a job that Submit has started or found.
type Job struct {
	WorkflowID string
	RunID      string
	// StartedAt is when an existing job was started.
	StartedAt time.Time
	// Existing says that the job was there before and nothing was started.
	Existing bool
	// Again says that the job was started after a run of it that failed and left
	// nothing paid.
	Again bool
	// State is that of the job: an existing one is open or has completed.
	State State
}

// JobID derives the id of a job from what it asks for, so that the same request
// is the same job. Key tells takes of the same request apart. Name, windows and
// deadlines don't matter: they change how a job runs, not what is paid for. Nor
// does the address of a video whose content is known.
func JobID(input workflows.ModifyVideoInput, key string) string {
	if input.TaskID != "" {
		return "luma-" + digest("adopt", input.TaskID, key)
	}
	video := input.VideoURL
	if input.VideoSHA256 != "" {
		// No address looks like that.
		video = "sha256:" + input.VideoSHA256
	}
	return "luma-" + digest("submit", input.Prompt, video, input.Watermark, key)
}

// digest is the first half of the SHA-256 over the fields, each with its length
// in front as 8 bytes, big-endian, so that no two lists of fields run together.
func digest(fields ...string) string {
	hash := sha256.New()
	for _, field := range fields {
		hash.Write(binary.BigEndian.AppendUint64(nil, uint64(len(field))))
		hash.Write([]byte(field))
	}
	return hex.EncodeToString(hash.Sum(nil)[:sha256.Size/2])
}
