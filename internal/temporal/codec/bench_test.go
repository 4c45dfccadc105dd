package codec_test

import (
	"strconv"
	"strings"
	"testing"

	commonpb "go.temporal.io/api/common/v1"
)

// BenchmarkCodec encrypts and decrypts one payload: 500 bytes, the size of a job's
// input, and 2 MiB, Temporal's limit for one payload.
func BenchmarkCodec(b *testing.B) {
	c := keys(b, "main:"+secret(1))
	for _, size := range []int{500, 2 << 20} {
		b.Run(strconv.Itoa(size), func(b *testing.B) {
			plain := []*commonpb.Payload{payload(strings.Repeat("x", size))}
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				encrypted, err := c.Encode(plain)
				if err != nil {
					b.Fatal(err)
				}
				if _, err := c.Decode(encrypted); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
