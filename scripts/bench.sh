#!/usr/bin/env bash
# Runs benchmark/cmd/bench, on a Kafka of its own where a JDK and Maven are at
# hand, and makes the tables of what came of it.
#   scripts/bench.sh [SET] [FLAGS FOR cmd/bench]     SET: short (default), classic, calls, faults,
#                                             growth, memory; full: all five
# BENCH_PORT is the port of that Kafka (19800). It is not KAFKA_PORT: data stored
# there are deleted at the end. BENCH_RESULTS is the directory for the results
# (benchmark/results; empty: none are kept). Tables are made of those in
# benchmark/results alone.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

set=short
if [[ ${1:-} == [a-z]* ]]; then
	set=$1
	shift
fi
export KAFKA_PORT=${BENCH_PORT:-19800} KAFKA_NODES=1 KAFKA_TOPIC=
# Without these, as with a Kafka of one's own elsewhere, nothing would be like
# what is written down.
unset KAFKA_BROKERS KAFKA_SECURE KAFKA_PROXIED
script=$root/scripts/kafka.sh
results=${BENCH_RESULTS-results}

compiles producer/confluent || true # switches cgo off where it does not work
cd "$root/benchmark"
work=$(mktemp -d)
cleanup() {
	local rc=$?
	trap - EXIT INT TERM
	"$script" clean >/dev/null 2>&1 || true
	rm -rf "$work"
	exit $rc
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

go build -o "$work/bench" ./cmd/bench
flags=()
[[ -z $results ]] || flags+=(-out "$results")
if [[ $set == ci ]]; then
	: # needs none
elif command -v java >/dev/null && command -v mvn >/dev/null; then
	flags+=(-script "$script")
else
	echo 'NOTE: no JDK or no Maven here: the cases on Apache Kafka are left out'
fi
sets=("$set")
[[ $set != full ]] || sets=(classic calls faults growth memory)
rc=0
for set in "${sets[@]}"; do
	"$work/bench" -set "$set" ${flags[@]+"${flags[@]}"} "$@" || rc=$?
done
[[ $results != results ]] || go run ./cmd/tables || rc=$?
((rc == 0))
