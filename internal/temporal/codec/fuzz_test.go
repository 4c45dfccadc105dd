package codec_test

import (
	"errors"
	"testing"

	commonpb "go.temporal.io/api/common/v1"
	"google.golang.org/protobuf/proto"

	"lumaflow/internal/temporal/codec"
)

// FuzzDecode: whatever the server sends is passed as it is, opened, or an error
// that says so; what was sealed and then changed never opens.
func FuzzDecode(f *testing.F) {
	c := keys(f, "main:"+secret(1))
	// The processes that fuzz have to agree on it.
	genuine, _ := byHand(f, payload(`{"prompt":"snow"}`))
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
		opened, err := c.Decode([]*commonpb.Payload{given})
		var cant *codec.SealedError
		switch {
		case encoding != "binary/encrypted":
			if err != nil || !proto.Equal(given, opened[0]) {
				t.Fatalf("%q was not passed as it is: %v, %v", encoding, opened, err)
			}
		case string(data) == string(genuine):
			if err != nil || string(opened[0].GetData()) != `{"prompt":"snow"}` {
				t.Fatalf("what was sealed does not open: %v", err)
			}
		case !errors.As(err, &cant):
			t.Fatalf("it is not the codec's own and opens: %v, %v", opened, err)
		case cant.Held != (id == "main") || cant.KeyID != id:
			t.Fatalf("the error says something else: %+v", cant)
		}
	})
}
