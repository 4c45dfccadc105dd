#!/bin/sh
# Makes the namespace of the jobs and the two search attributes by which they
# are found. Taking the same step again does no harm. The CLI reads the address
# from TEMPORAL_ADDRESS.
set -eu

operator() { temporal operator "$@" --namespace "$TEMPORAL_NAMESPACE"; }

# patiently COMMAND… takes it again until it succeeds, for two minutes.
patiently() {
	looks=60
	until told=$("$@" 2>&1); do
		looks=$((looks - 1))
		if [ "$looks" -eq 0 ]; then
			echo "$told" >&2
			echo "namespace: Temporal at $TEMPORAL_ADDRESS does not answer as it should; its log tells more: docker compose logs temporal" >&2
			exit 1
		fi
		sleep 2
	done
}

patiently temporal operator cluster health
if operator namespace describe >/dev/null 2>&1; then
	operator namespace update --retention "$RETENTION"
else
	operator namespace create --retention "$RETENTION"
fi

# The server's parts hear of a new namespace a moment later.
patiently operator search-attribute list
for attribute in LumaStage LumaTaskId; do
	case $told in
	*"$attribute"*) ;;
	*) operator search-attribute create --name "$attribute" --type Keyword ;;
	esac
done
echo "namespace: $TEMPORAL_NAMESPACE is ready; it remembers finished jobs for $RETENTION"
