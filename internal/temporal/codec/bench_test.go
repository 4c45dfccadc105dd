package codec_test

import (
	"fmt"
	"strings"
	"testing"

	commonpb "go.temporal.io/api/common/v1"
)

// BenchmarkCodec seals and opens one payload, of the size of a job's input and
// of the largest that Temporal stores in one piece.
func BenchmarkCodec(b *testing.B) {
	c := keys(b, "main:"+secret(1))
	for _, size := range []int{500, 2 << 20} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			plain := []*commonpb.Payload{payload(strings.Repeat("x", size))}
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				sealed, err := c.Encode(plain)
				if err != nil {
					b.Fatal(err)
				}
				if _, err := c.Decode(sealed); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
