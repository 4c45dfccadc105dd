package dial

import (
	"context"
	"slices"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
)

// dropInvalidHeaders makes every workflow id usable. The SDK (1.51) copies the id
// into a header for routing proxies; gRPC rejects a header value with anything but
// printable ASCII, and the SDK retries that like an outage until the deadline. A
// job whose id has an accent could be neither started nor signalled. Without the
// header the server uses the id in the request.
func dropInvalidHeaders(ctx context.Context, method string, request, reply any, conn *grpc.ClientConn, invoke grpc.UnaryInvoker, options ...grpc.CallOption) error {
	headers, _ := metadata.FromOutgoingContext(ctx)
	for key, values := range headers {
		if strings.HasPrefix(key, "temporal-") && slices.ContainsFunc(values, invalidHeader) {
			// FromOutgoingContext returns a copy.
			delete(headers, key)
			ctx = metadata.NewOutgoingContext(ctx, headers)
		}
	}
	return invoke(ctx, method, request, reply, conn, options...)
}

func invalidHeader(value string) bool {
	return strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r > '~' })
}
