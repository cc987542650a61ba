#!/usr/bin/env bash
# Services log into a real Kafka through an outage, and a real search engine is
# asked for every entry (integration/pipeline). Both are started here, on ports of
# their own, and are gone with their data at the end.
#   scripts/pipeline.sh [FLAGS FOR GO TEST]
# PIPELINE_PORT is Kafka's port (19600; the controller's is 1000 above), OpenSearch
# has those 50 and 150 above it.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

port=${PIPELINE_PORT:-19600}
export KAFKA_PORT=$port KAFKA_NODES=1 KAFKA_TOPIC='' KAFKA_SCRIPT=$root/scripts/kafka.sh
export OPENSEARCH_PORT=$((port + 50))
unset KAFKA_SECURE KAFKA_PROXIED
opensearch=$root/scripts/opensearch.sh

cleanup() {
	local rc=$?
	trap - EXIT INT TERM
	((rc == 0)) || "$opensearch" log 2>/dev/null | tail -n 15 || true
	"$KAFKA_SCRIPT" clean || true
	"$opensearch" clean || true
	exit $rc
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

"$KAFKA_SCRIPT" start
"$opensearch" start
KAFKA_BROKERS=$("$KAFKA_SCRIPT" env)
OPENSEARCH_URL=$("$opensearch" env)
export KAFKA_BROKERS=${KAFKA_BROKERS#*=} OPENSEARCH_URL=${OPENSEARCH_URL#*=}

cd "$root/integration"
go test -v -count=1 -timeout 10m "$@" ./pipeline
