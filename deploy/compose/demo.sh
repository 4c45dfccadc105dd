#!/bin/sh
# Submits five jobs with different faults of the simulated kie.ai and waits for
# their videos. Uses Temporal's CLI alone, which reads TEMPORAL_ADDRESS and
# TEMPORAL_NAMESPACE.
set -eu

case $KIE_BASE_URL in
http://simulator:*) ;;
*)
	echo "demo: the workers are at $KIE_BASE_URL, where these jobs would be paid, so none is submitted." >&2
	echo "demo: rehearse with: docker compose --env-file deploy/demo.env --profile demo up -d" >&2
	exit 1
	;;
esac

# submit NAME FAULT starts a job; a job that exists is not started again.
submit() {
	temporal workflow start --task-queue "$TASK_QUEUE" --type ModifyVideo \
		--workflow-id "demo-$1" --id-conflict-policy UseExisting --id-reuse-policy AllowDuplicateFailedOnly \
		--input "{\"prompt\":\"Turn the street into a snowy winter night$2\",\"videoUrl\":\"$KIE_BASE_URL/clips/squares.mp4\"}" >/dev/null 2>&1 ||
		temporal workflow describe --workflow-id "demo-$1" >/dev/null
	echo "demo: submitted demo-$1"
}

submit plain ""
submit callback-lost " [fault: callback-lost]"
submit response-lost " [fault: response-lost]"
submit download-reset " [fault: reset]"
submit link-expired " [fault: link-expired]"

failed=0
for name in plain callback-lost response-lost download-reset link-expired; do
	if output=$(temporal workflow result --workflow-id "demo-$name" 2>&1); then
		location=$(echo "$output" | sed -n 's/.*"location":"\([^"]*\)".*/\1/p')
		# With CODEC_KEYS the result is encrypted, and this CLI has no key.
		echo "demo: demo-$name is done: ${location:-its result is encrypted, see lumaflow status demo-$name in worker-1}"
	else
		echo "$output" >&2
		failed=$((failed + 1))
	fi
done
charges=$(wget -q -O - "$KIE_BASE_URL/_sim/ledger" | sed -n 's/.*"charges": *\([0-9]*\).*/\1/p')
echo "demo: $failed of 5 jobs failed; the bill of the simulated kie.ai holds $charges charges"
[ "$failed" -eq 0 ]
