package codec

import (
	"crypto/sha256"
	"fmt"

	"go.temporal.io/sdk/converter"
)

// jobFormat is the first byte of a tag: the version of its format. Payloads without
// a tag are of version 1.
const jobFormat = 2

// owner is the job of a payload: a workflow id with all its runs. A reset, a retry
// and continue-as-new keep both parts. The zero value is an unknown job.
type owner struct{ namespace, workflowID string }

// ownerOf returns the job of a context of the SDK (1.51). The contexts of an activity
// and of its workflow name the same job. That of a child workflow and of an external
// signal names their target. A heartbeat by task token alone, Nexus and standalone
// activities name none.
func ownerOf(of converter.SerializationContext) owner {
	switch of := of.(type) {
	case converter.WorkflowSerializationContext:
		return owner{of.Namespace, of.WorkflowID}
	case converter.ActivitySerializationContext:
		return owner{of.Namespace, of.WorkflowID}
	default:
		return owner{}
	}
}

func (o owner) known() bool { return o.workflowID != "" }

// tag identifies the job in the metadata of its payloads: jobFormat and the SHA-256
// of both parts. It is the additional authenticated data of the encryption. A
// workflow id itself may have 1000 bytes, and a summary has 400 altogether. It is nil
// for an unknown job.
func (o owner) tag() []byte {
	if !o.known() {
		return nil
	}
	// The length separates the parts: both may hold any character.
	sum := sha256.Sum256(fmt.Appendf(nil, "lumaflow payload\n%d\n%s%s", len(o.namespace), o.namespace, o.workflowID))
	return append([]byte{jobFormat}, sum[:]...)
}
