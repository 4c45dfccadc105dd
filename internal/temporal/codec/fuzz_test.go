package codec_test

import (
	"errors"
	"testing"

	commonpb "go.temporal.io/api/common/v1"
	"google.golang.org/protobuf/proto"

	"lumaflow/internal/temporal/codec"
)

// FuzzDecode: Decode passes a payload unchanged, decrypts it, or returns a
// KeyError; a changed ciphertext never decrypts.
func FuzzDecode(f *testing.F) {
	c := keys(f, "main:"+secret(1))
	// A fixed nonce gives the same corpus in every fuzzing process.
	genuine, _ := encryptSample(f, payload(`{"prompt":"snow"}`))
	f.Add("binary/encrypted", "main", genuine)
	f.Add("binary/encrypted", "main", genuine[:len(genuine)-1])
	f.Add("binary/encrypted", "main", []byte{})
	f.Add("binary/encrypted", "gone", genuine)
	f.Add("binary/encrypted", "", genuine[:11])
	f.Add("json/plain", "main", []byte(`"plain"`))
	f.Add("binary/encrypted ", "main", genuine)
	f.Add("", "\x00\xff", []byte("x"))
	f.Fuzz(func(t *testing.T, encoding, id string, data []byte) {
		given := &commonpb.Payload{
			Metadata: map[string][]byte{"encoding": []byte(encoding), "encryption-key-id": []byte(id)},
			Data:     data,
		}
		decrypted, err := c.Decode([]*commonpb.Payload{given})
		var failed *codec.KeyError
		switch {
		case encoding != "binary/encrypted":
			if err != nil || !proto.Equal(given, decrypted[0]) {
				t.Fatalf("a payload of encoding %q was not passed unchanged: %v, %v", encoding, decrypted, err)
			}
		case string(data) == string(genuine):
			if err != nil || string(decrypted[0].GetData()) != `{"prompt":"snow"}` {
				t.Fatalf("the ciphertext was not decrypted: %v", err)
			}
		case !errors.As(err, &failed):
			t.Fatalf("a changed ciphertext was decrypted: %v, %v", decrypted, err)
		case failed.Held != (id == "main") || failed.KeyID != id:
			t.Fatalf("unexpected key error: %+v", failed)
		}
	})
}
