// Package codec encrypts what jobs leave on the Temporal server: inputs,
// results, signals, heartbeats, summaries, and the texts of failures. Whoever
// reads the server's database, its UI or its backups sees which jobs there are
// and how they end, but no prompt and no address.
//
// Each payload is sealed by AES-256-GCM under a fresh random nonce and marked
// with the id of its key, in the form of Temporal's own encryption samples:
// encoding binary/encrypted, the key's name in encryption-key-id, the data
// nonce, ciphertext and tag in this order, the plaintext the marshalled payload.
// What is not marked so passes as it is: jobs that were started without
// encryption, by Temporal's CLI say, run as before.
//
// What this can't do:
//   - A sealed payload is not bound to its job. Neither Temporal's UI nor a
//     heartbeat says which job a payload belongs to, so there is nothing to bind
//     it to. Who can write to the server's database can't make a payload, but
//     can put one in the place of another, of whatever job, or an old one.
//   - Nonces are random. After 2^32 payloads under one key, some hundred million
//     jobs, the chance that two share a nonce reaches one in four billion: take a
//     new key before that.
//   - Names are not payloads: workflow ids, activity types, failure types and
//     search attributes stay readable, and so do times and sizes.
package codec

import (
	"context"
	"fmt"

	commonpb "go.temporal.io/api/common/v1"
	failurepb "go.temporal.io/api/failure/v1"
	"go.temporal.io/api/proxy"
	"go.temporal.io/sdk/converter"
	"google.golang.org/protobuf/proto"
)

const (
	// encrypted marks a sealed payload, metadataKeyID is where its key is named.
	encrypted     = "binary/encrypted"
	metadataKeyID = "encryption-key-id"
)

// Codec seals payloads with its first key and opens them with any of its keys.
// The zero value has none: it seals nothing and passes everything that is not
// sealed. A Codec is safe for concurrent use.
type Codec struct {
	keys []key
}

// Seals reports whether there are keys.
func (c Codec) Seals() bool { return len(c.keys) > 0 }

// Encode seals payloads. It returns new ones.
func (c Codec) Encode(payloads []*commonpb.Payload) ([]*commonpb.Payload, error) {
	if !c.Seals() {
		return payloads, nil
	}
	sealed := make([]*commonpb.Payload, len(payloads))
	for i, payload := range payloads {
		plain, err := proto.Marshal(payload)
		if err != nil {
			return nil, fmt.Errorf("encrypt a payload: %w", err)
		}
		sealed[i] = &commonpb.Payload{
			Metadata: map[string][]byte{
				converter.MetadataEncoding: []byte(encrypted),
				metadataKeyID:              []byte(c.keys[0].id),
			},
			Data: c.keys[0].seal(plain),
		}
	}
	return sealed, nil
}

// Decode opens the payloads that are sealed and passes the others. The first
// that it can't open makes it an error, a *SealedError.
func (c Codec) Decode(payloads []*commonpb.Payload) ([]*commonpb.Payload, error) {
	opened := make([]*commonpb.Payload, len(payloads))
	for i, payload := range payloads {
		if string(payload.GetMetadata()[converter.MetadataEncoding]) != encrypted {
			opened[i] = payload
			continue
		}
		var err error
		if opened[i], err = c.open(payload); err != nil {
			return nil, err
		}
	}
	return opened, nil
}

// open tries the key that is named first and then the others: the id is a hint,
// so that a key can be renamed, and what was sealed by mistake with a wrong key of
// the same id is not lost. No key opens what another has sealed.
func (c Codec) open(sealed *commonpb.Payload) (*commonpb.Payload, error) {
	failed := &SealedError{KeyID: string(sealed.GetMetadata()[metadataKeyID])}
	for _, named := range []bool{true, false} {
		for _, key := range c.keys {
			if (key.id == failed.KeyID) != named {
				continue
			}
			failed.Held = failed.Held || named
			opened := &commonpb.Payload{}
			if plain, err := key.open(sealed.GetData()); err == nil && proto.Unmarshal(plain, opened) == nil {
				return opened, nil
			}
		}
	}
	return nil, failed
}

// Open makes a message of Temporal's, in place, what it would be if nothing in
// it had been sealed: every payload is opened and every failure has its text.
// Search attributes are never sealed.
func (c Codec) Open(ctx context.Context, message proto.Message) error {
	err := proxy.VisitPayloads(ctx, message, proxy.VisitPayloadsOptions{
		Visitor: func(_ *proxy.VisitPayloadsContext, payloads []*commonpb.Payload) ([]*commonpb.Payload, error) {
			return c.Decode(payloads)
		},
		SkipSearchAttributes: true,
	})
	if err != nil {
		return err
	}
	return proxy.VisitFailures(ctx, message, proxy.VisitFailuresOptions{
		Visitor: func(_ *proxy.VisitFailuresContext, failure *failurepb.Failure) error {
			converter.DecodeCommonFailureAttributes(converter.GetDefaultDataConverter(), failure)
			failure.EncodedAttributes = nil
			return nil
		},
	})
}

// SealedError means that a payload can't be opened.
type SealedError struct {
	// KeyID names the key that it is sealed with. It comes from the server.
	KeyID string
	// Held says that there is a key of that id. It does not open it, and no other
	// key does.
	Held bool
}

// Error says what is missing and names the setting.
func (e *SealedError) Error() string {
	if e.Held {
		return fmt.Sprintf("encrypted with codec key %.40q, but the key of that id in %s does not open it: add the key that was used, under any id", e.KeyID, Variable)
	}
	return fmt.Sprintf("encrypted with codec key %.40q, which %s does not hold: add that key", e.KeyID, Variable)
}
