#!/bin/sh
# Creates the namespace of the jobs and the three search attributes. Idempotent. The
# CLI reads TEMPORAL_ADDRESS.
set -eu

operator() { temporal operator "$@" --namespace "$TEMPORAL_NAMESPACE"; }

# retry COMMAND… repeats a command until it succeeds, for two minutes.
retry() {
	attempts=60
	until output=$("$@" 2>&1); do
		attempts=$((attempts - 1))
		if [ "$attempts" -eq 0 ]; then
			echo "$output" >&2
			echo "namespace: Temporal at $TEMPORAL_ADDRESS gives no usable answer; check its log: docker compose logs temporal" >&2
			exit 1
		fi
		sleep 2
	done
}

retry temporal operator cluster health
if operator namespace describe >/dev/null 2>&1; then
	operator namespace update --retention "$RETENTION"
else
	operator namespace create --retention "$RETENTION"
fi

# The server's services load a new namespace with a delay.
retry operator search-attribute list
for attribute in LumaStage LumaTaskId LumaBatch; do
	case $output in
	*"$attribute"*) ;;
	*) operator search-attribute create --name "$attribute" --type Keyword ;;
	esac
done
echo "namespace: $TEMPORAL_NAMESPACE is ready; it keeps finished jobs for $RETENTION"
