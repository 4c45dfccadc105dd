package doctor

import (
	"context"
	"fmt"
	"strings"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"google.golang.org/grpc/codes"

	"lumaflow/worker"
)

func (e *examination) lookAtTemporal(context.Context) Finding {
	server, err := e.server()
	if err != nil {
		return failf("%s", said(err))
	}
	if _, err := e.temporal(); err != nil {
		return failf("%s", said(err))
	}
	return okf("%s answers, namespace %s is there", server.Address, server.Namespace)
}

// inNamespace asks Temporal something, if that is possible at all.
func (e *examination) inNamespace(ask func(temporal client.Client, namespace string) Finding) Finding {
	temporal, err := e.temporal()
	if err != nil {
		return e.skipped("temporal", err, "Temporal can't be used")
	}
	// It has been read to dial.
	server, _ := e.server()
	return ask(temporal, server.Namespace)
}

func (e *examination) lookAtAttributes(ctx context.Context) Finding {
	return e.inNamespace(func(temporal client.Client, namespace string) Finding {
		missing, mistyped, err := worker.MissingAttributes(ctx, temporal, namespace)
		switch {
		case serviceerror.ToStatus(err).Code() == codes.PermissionDenied:
			return warnf("these credentials may not list the search attributes of namespace %s (%s): give them that right, or jobs can't be found by stage or task; they work just the same", namespace, said(err))
		case err != nil:
			return warnf("Temporal does not tell which search attributes there are (%s): without them jobs can't be found by stage or task, but work just the same", said(err))
		case len(mistyped) > 0:
			return warnf("%s is no keyword here, so jobs go without search attributes: `temporal operator search-attribute remove -n %s%s`, then lumaflow doctor --fix",
				strings.Join(mistyped, " and "), namespace, spread(" --name %s", mistyped))
		case len(missing) == 0:
			return okf("jobs can be found by stage and by task")
		case !e.Fix:
			return warnf("the namespace lacks %s, so jobs can't be found by stage or task, but work just the same: lumaflow doctor --fix creates them", strings.Join(missing, " and "))
		default:
			return create(ctx, temporal, namespace, missing)
		}
	})
}

// create makes the search attributes, where that is allowed.
func create(ctx context.Context, temporal client.Client, namespace string, names []string) Finding {
	types := map[string]enumspb.IndexedValueType{}
	for _, name := range names {
		types[name] = enumspb.INDEXED_VALUE_TYPE_KEYWORD
	}
	_, err := temporal.OperatorService().AddSearchAttributes(ctx, &operatorservice.AddSearchAttributesRequest{Namespace: namespace, SearchAttributes: types})
	list := strings.Join(names, " and ")
	switch code := serviceerror.ToStatus(err).Code(); {
	case err == nil:
		return okf("created %s; workers set them from the next minute on", list)
	case code == codes.PermissionDenied, code == codes.Unauthenticated, code == codes.Unimplemented:
		return warnf("%s can't be created with these credentials: on Temporal Cloud add them as keywords on the namespace's page or with `tcld namespace search-attributes add --namespace %s%s`, elsewhere have its operator run `temporal operator search-attribute create -n %s%s`",
			list, namespace, spread(" --search-attribute %s=Keyword", names), namespace, spread(" --name %s --type Keyword", names))
	default:
		return warnf("%s can't be created (%s); jobs work just the same", list, said(err))
	}
}

// spread repeats a format for each name.
func spread(format string, names []string) string {
	var text strings.Builder
	for _, name := range names {
		fmt.Fprintf(&text, format, name)
	}
	return text.String()
}
