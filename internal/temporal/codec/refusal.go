package codec

import (
	"bytes"
	"errors"

	commonpb "go.temporal.io/api/common/v1"
)

// Reason is the reason of a refusal.
type Reason string

// The reasons of a refusal.
const (
	// Plaintext is a payload that is not encrypted.
	Plaintext Reason = "plaintext"
	// OtherJob is a payload that was encrypted for another job or namespace.
	OtherJob Reason = "other-job"
	// Unopened is a payload that the key of its id does not open: it was changed, or
	// encrypted with another key under the same id.
	Unopened Reason = "unopened"
	// UnknownKey is a payload whose key id is none of the codec's: it was made up, or a
	// key is missing.
	UnknownKey Reason = "unknown-key"
)

// Reasons are all reasons of a refusal.
func Reasons() []Reason { return []Reason{Plaintext, OtherJob, Unopened, UnknownKey} }

// Refusal is a refused payload: an attack on the server's database, or a process
// with other settings.
type Refusal struct {
	// Namespace and WorkflowID are the job that the payload was read for; empty if
	// Temporal's SDK does not name it.
	Namespace, WorkflowID string
	Reason                Reason
}

// Observe returns a codec whose converters call observe for every refusal, in any
// goroutine.
func (c Codec) Observe(observe func(Refusal)) Codec {
	c.refused = observe
	return c
}

func (c Codec) observe(of owner, reason Reason) {
	if c.refused != nil {
		c.refused(Refusal{Namespace: of.namespace, WorkflowID: of.workflowID, Reason: reason})
	}
}

// RefusedError reports a payload that was not encrypted, or not for its job.
type RefusedError struct {
	// Reason is Plaintext or OtherJob.
	Reason Reason
}

// Error is one sentence with the next step. It holds nothing of the payload.
func (e *RefusedError) Error() string {
	if e.Reason == OtherJob {
		return "refused: encrypted for another job or namespace; it was moved in the Temporal database"
	}
	return "refused: not encrypted, although " + Variable + " is set; if the job began without keys, set " + PlaintextVariable + "=true until it has ended"
}

// Unreadable returns the *KeyError or *RefusedError in the chain of err: the payload
// exists, and this process can't use it. It returns nil if there is none.
func Unreadable(err error) error {
	if refused, ok := errors.AsType[*RefusedError](err); ok {
		return refused
	}
	if missing, ok := errors.AsType[*KeyError](err); ok {
		return missing
	}
	return nil
}

// admit decrypts a payload of a job. Plaintext is true if the payload may be one that
// is not encrypted.
func (c Codec) admit(payload *commonpb.Payload, of owner, plaintext bool) (*commonpb.Payload, error) {
	if !isEncrypted(payload) {
		if !c.Encrypts() || c.acceptsPlaintext || plaintext {
			return payload, nil
		}
		c.observe(of, Plaintext)
		return nil, &RefusedError{Plaintext}
	}
	tag, tagged := payload.GetMetadata()[metadataJob]
	if tagged && of.known() && c.Encrypts() && !bytes.Equal(tag, of.tag()) {
		c.observe(of, OtherJob)
		return nil, &RefusedError{OtherJob}
	}
	opened, err := c.open(payload)
	if missing, ok := errors.AsType[*KeyError](err); ok && c.Encrypts() {
		reason := UnknownKey
		if missing.Held {
			reason = Unopened
		}
		c.observe(of, reason)
	}
	return opened, err
}
