package dial

import (
	"context"
	"slices"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
)

// withoutUnsendable lets jobs have any id. The SDK (1.50) repeats the id of a
// workflow, as it is, in a header that helps proxies to route; gRPC refuses to
// send headers with anything but printable ASCII and the SDK takes that for an
// outage and tries again until its time is over. So a job whose id has an
// accent could be neither started nor worked on nor signalled. Without the
// header the server finds the id where it always has, in the request.
func withoutUnsendable(ctx context.Context, method string, request, reply any, conn *grpc.ClientConn, invoke grpc.UnaryInvoker, options ...grpc.CallOption) error {
	headers, _ := metadata.FromOutgoingContext(ctx)
	for key, values := range headers {
		if strings.HasPrefix(key, "temporal-") && slices.ContainsFunc(values, unsendable) {
			// FromOutgoingContext has made a copy.
			delete(headers, key)
			ctx = metadata.NewOutgoingContext(ctx, headers)
		}
	}
	return invoke(ctx, method, request, reply, conn, options...)
}

func unsendable(value string) bool {
	for i := range len(value) {
		if value[i] < ' ' || value[i] > '~' {
			return true
		}
	}
	return false
}
