package runs

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
)

// CollectorID is the id of the job that collects a task. One task has one, so that
// it is collected once however often proof of it arrives.
func CollectorID(taskID string) string { return JobID("adopt", taskID, "") }

// JobID derives a job id from the fields that identify the job: the first half of
// the SHA-256 over the fields, each prefixed with its length as 8 bytes,
// big-endian, so that different lists of fields differ.
func JobID(fields ...string) string {
	hash := sha256.New()
	for _, field := range fields {
		hash.Write(binary.BigEndian.AppendUint64(nil, uint64(len(field))))
		hash.Write([]byte(field))
	}
	return "luma-" + hex.EncodeToString(hash.Sum(nil)[:sha256.Size/2])
}
