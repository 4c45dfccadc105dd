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

func (e *examination) checkTemporal(context.Context) Finding {
	if _, err := e.temporal(); err != nil {
		return failf("%s", brief(err))
	}
	// e.temporal has loaded the same settings without an error.
	server, _ := e.server()
	return okf("%s answers, namespace %s exists", server.Address, server.Namespace)
}

func (e *examination) checkAttributes(ctx context.Context) Finding {
	temporal, err := e.temporal()
	if err != nil {
		return e.skipped("temporal", err, "Temporal can't be used")
	}
	server, _ := e.server()
	namespace := server.Namespace
	missing, mistyped, err := worker.MissingAttributes(ctx, temporal, namespace)
	switch {
	case serviceerror.ToStatus(err).Code() == codes.PermissionDenied:
		return warnf("these credentials may not list the search attributes of namespace %s (%s): give them that permission, or jobs can't be found by stage or task; they work all the same", namespace, brief(err))
	case err != nil:
		return warnf("the search attributes can't be listed (%s): without them jobs can't be found by stage or task, but work all the same", brief(err))
	case len(mistyped) > 0:
		return warnf("%s has a type other than keyword here, so jobs set no search attributes: `temporal operator search-attribute remove -n %s%s`, then lumaflow doctor --fix",
			strings.Join(mistyped, " and "), namespace, repeat(" --name %s", mistyped))
	case len(missing) == 0:
		return okf("jobs can be found by stage and by task")
	case !e.Fix:
		return warnf("the namespace lacks %s, so jobs can't be found by stage or task, but work all the same: lumaflow doctor --fix creates them", strings.Join(missing, " and "))
	default:
		return create(ctx, temporal, namespace, missing)
	}
}

// create creates the search attributes, if the credentials may.
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
		return warnf("%s can't be created with these credentials: on Temporal Cloud add them as keywords on the namespace's page or with `tcld namespace search-attributes add --namespace %s%s`, elsewhere ask its operator to run `temporal operator search-attribute create -n %s%s`",
			list, namespace, repeat(" --search-attribute %s=Keyword", names), namespace, repeat(" --name %s --type Keyword", names))
	default:
		return warnf("%s can't be created (%s); jobs work all the same", list, brief(err))
	}
}

// repeat formats each name and joins the results.
func repeat(format string, names []string) string {
	var text strings.Builder
	for _, name := range names {
		fmt.Fprintf(&text, format, name)
	}
	return text.String()
}
