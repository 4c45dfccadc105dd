// Package codec encrypts the payloads that jobs store on the Temporal server:
// inputs, results, signals, heartbeats, summaries and failure texts. A reader of
// the server's database, UI or backups gets the list of jobs and their outcomes,
// but no prompt and no URL.
//
// Each payload is encrypted with AES-256-GCM under a random nonce and carries the
// id of its key, in the form of Temporal's encryption samples: encoding
// binary/encrypted, the key id in encryption-key-id, the data as nonce, ciphertext
// and tag, the plaintext a marshalled payload. A payload of a job also carries its
// tag (see owner) in encryption-job, which is authenticated with it: the converters
// decrypt it for no other job. Payloads without that field are those of earlier
// versions and of Temporal's CLI, and are decrypted for any job.
//
// With a key, the converters refuse payloads that are not encrypted, except the
// input of a workflow: people start jobs with Temporal's CLI. A Codec by itself,
// for the codec server, has no job and passes them.
//
// Limits:
//   - Within one job an attacker with write access to the server's database cannot
//     forge a payload, but can replace it by another one of the same job.
//   - Nonces are random. After 2^32 payloads under one key, some hundred million
//     jobs, the probability of a repeated nonce is one in four billion: rotate
//     the key before that.
//   - Only payloads are encrypted. Workflow ids, activity types, failure types,
//     search attributes, times and sizes stay readable, and are not authenticated.
package codec

import (
	"fmt"

	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/sdk/converter"
	"google.golang.org/protobuf/proto"
)

const (
	// encodingEncrypted is the encoding of an encrypted payload, metadataKeyID
	// the metadata field with the id of its key, metadataJob that with the tag of
	// its job.
	encodingEncrypted = "binary/encrypted"
	metadataKeyID     = "encryption-key-id"
	metadataJob       = "encryption-job"
)

// Codec encrypts payloads with its first key and decrypts with any of its keys.
// The zero value has no key: it encrypts nothing and passes every unencrypted
// payload. A Codec is safe for concurrent use.
type Codec struct {
	keys             []key
	acceptsPlaintext bool
	refused          func(Refusal)
}

// Encrypts reports whether the codec has a key.
func (c Codec) Encrypts() bool { return len(c.keys) > 0 }

// AcceptsPlaintext reports whether the codec has a key and takes payloads that are not
// encrypted.
func (c Codec) AcceptsPlaintext() bool { return c.Encrypts() && c.acceptsPlaintext }

// Encode returns encrypted copies of payloads, which belong to no job.
func (c Codec) Encode(payloads []*commonpb.Payload) ([]*commonpb.Payload, error) {
	return c.encrypt(payloads, owner{})
}

// Decode decrypts the encrypted payloads, of any job, and passes the others. The
// first payload that no key decrypts ends it with a *KeyError.
func (c Codec) Decode(payloads []*commonpb.Payload) ([]*commonpb.Payload, error) {
	return c.decrypt(payloads, func(payload *commonpb.Payload) (*commonpb.Payload, error) {
		if !isEncrypted(payload) {
			return payload, nil
		}
		return c.open(payload)
	})
}

func isEncrypted(payload *commonpb.Payload) bool {
	return string(payload.GetMetadata()[converter.MetadataEncoding]) == encodingEncrypted
}

func (c Codec) encrypt(payloads []*commonpb.Payload, of owner) ([]*commonpb.Payload, error) {
	if !c.Encrypts() {
		return payloads, nil
	}
	encrypted := make([]*commonpb.Payload, len(payloads))
	for i, payload := range payloads {
		plain, err := proto.Marshal(payload)
		if err != nil {
			return nil, fmt.Errorf("encrypt a payload: %w", err)
		}
		metadata := map[string][]byte{
			converter.MetadataEncoding: []byte(encodingEncrypted),
			metadataKeyID:              []byte(c.keys[0].id),
		}
		tag := of.tag()
		if tag != nil {
			metadata[metadataJob] = tag
		}
		encrypted[i] = &commonpb.Payload{Metadata: metadata, Data: c.keys[0].encrypt(plain, tag)}
	}
	return encrypted, nil
}

func (c Codec) decrypt(payloads []*commonpb.Payload, open func(*commonpb.Payload) (*commonpb.Payload, error)) ([]*commonpb.Payload, error) {
	decrypted := make([]*commonpb.Payload, len(payloads))
	for i, payload := range payloads {
		var err error
		if decrypted[i], err = open(payload); err != nil {
			return nil, err
		}
	}
	return decrypted, nil
}

// open decrypts one payload, of any job. It tries the key with the payload's key id first and then the others. The
// id is a hint: a key may be renamed, and a payload encrypted by mistake with
// another key of the same id stays readable. GCM rejects a wrong key.
func (c Codec) open(payload *commonpb.Payload) (*commonpb.Payload, error) {
	failed := &KeyError{KeyID: string(payload.GetMetadata()[metadataKeyID])}
	for _, sameID := range []bool{true, false} {
		for _, key := range c.keys {
			if (key.id == failed.KeyID) != sameID {
				continue
			}
			failed.Held = failed.Held || sameID
			decrypted := &commonpb.Payload{}
			if plain, err := key.decrypt(payload.GetData(), payload.GetMetadata()[metadataJob]); err == nil && proto.Unmarshal(plain, decrypted) == nil {
				return decrypted, nil
			}
		}
	}
	return nil, failed
}

// KeyError reports a payload that none of the keys decrypts.
type KeyError struct {
	// KeyID is the id of the payload's key, as stored on the server: it may hold
	// anything.
	KeyID string
	// Held reports that the codec has a key of that id, which does not decrypt the
	// payload.
	Held bool
}

// Error names the missing key and the variable that must hold it.
func (e *KeyError) Error() string {
	if e.Held {
		return fmt.Sprintf("encrypted with codec key %.40q, but the key of that id in %s does not open it: add the key that was used, under any id", e.KeyID, Variable)
	}
	return fmt.Sprintf("encrypted with codec key %.40q, which %s does not hold: add that key", e.KeyID, Variable)
}
