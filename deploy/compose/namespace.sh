#!/bin/sh
# Makes the namespace of the jobs and the two search attributes by which they
# are found. Taking the same step again does no harm. The CLI reads the address
# from TEMPORAL_ADDRESS.
set -eu

looks=60
until temporal operator cluster health >/dev/null 2>&1; do
	looks=$((looks - 1))
	if [ "$looks" -eq 0 ]; then
		echo "namespace: Temporal at $TEMPORAL_ADDRESS does not answer; its log tells more: docker compose logs temporal" >&2
		exit 1
	fi
	sleep 2
done

operator() { temporal operator "$@" --namespace "$TEMPORAL_NAMESPACE"; }

if operator namespace describe >/dev/null 2>&1; then
	operator namespace update --retention "$RETENTION"
else
	operator namespace create --retention "$RETENTION"
fi

known=$(operator search-attribute list)
for attribute in LumaStage LumaTaskId; do
	case $known in
	*"$attribute"*) ;;
	*) operator search-attribute create --name "$attribute" --type Keyword ;;
	esac
done
echo "namespace: $TEMPORAL_NAMESPACE is ready; it remembers finished jobs for $RETENTION"
