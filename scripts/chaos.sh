#!/usr/bin/env bash
# Does to Kafka, the network, the disk and the program what production does, on
# Kafkas of its own, and looks for every entry (integration/chaos).
#   scripts/chaos.sh [short] [FLAGS FOR GO TEST]
# CHAOS_PORT is the port of the first Kafka (19200); others have those 20 and 100
# above. It is not KAFKA_PORT: data stored there are deleted at the end.
# CHAOS_SCENARIO and CHAOS_CLIENT choose, SOAK is the length of the soak.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

flags=(-timeout 12h)
if [[ ${1:-} == short ]]; then
	shift
	flags=(-timeout 20m -chaos.short)
fi
export KAFKA_SCRIPT=$root/scripts/kafka.sh
port=${CHAOS_PORT:-19200}

# What an interrupted run leaves.
cleanup() {
	local rc=$?
	trap - EXIT INT TERM
	KAFKA_PORT=$port KAFKA_NODES=1 "$KAFKA_SCRIPT" clean 2>/dev/null || true
	KAFKA_PORT=$((port + 20)) KAFKA_NODES=1 "$KAFKA_SCRIPT" clean 2>/dev/null || true
	KAFKA_PORT=$((port + 100)) KAFKA_NODES=3 "$KAFKA_SCRIPT" clean 2>/dev/null || true
	exit $rc
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

export CGO_ENABLED=1
# The figures are those of programs without the race detector; the short form has
# it in all programs which are not measured.
if race_works; then
	export CHAOS_RACE=yes
else
	unset CHAOS_RACE
	cgo_works || {
		export CGO_ENABLED=0
		echo 'NOTE: no working C compiler here: neither confluent nor the race detector'
	}
fi

cd "$root/integration"
rc=0
go test ./chaos -v -count=1 -run '^TestChaos$' "${flags[@]}" -chaos.port "$port" \
	-chaos.scenario "${CHAOS_SCENARIO:-}" -chaos.clients "${CHAOS_CLIENT:-}" -chaos.soak "${SOAK:-0s}" "$@" || rc=$?
# A scenario that failed is in the table too.
[[ ${flags[*]} == *short* ]] || go test ./chaos -count=1 -run '^TestResults$' -update
((rc == 0))
