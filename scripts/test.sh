#!/usr/bin/env bash
# Tests every module with nothing but Go: no Kafka, no Docker, and where there
# is no C compiler without the race detector, which it then says.
#   scripts/test.sh [FLAGS FOR GO TEST]
set -euo pipefail
. "$(dirname "$0")/lib.sh"

# Tests against a real Kafka are `make integration`.
unset KAFKA_BROKERS KAFKA_SCRIPT

without=
if race_works; then
	export CGO_ENABLED=1
	flags=(-race)
else
	export CGO_ENABLED=0
	flags=()
	without='no working C compiler here: tests run WITHOUT -race'
	for module in $(modules); do
		[[ $needs_cgo != *" $module "* ]] || without+=", and not at all in $module"
	done
	printf 'NOTE: %s\n' "$without"
fi

logs=$(mktemp -d)
trap 'rm -rf "$logs"' EXIT
failed=()
# Many tests wait: more of them at once than there are cores.
at_once=(-parallel 4)

# go_test MODULE FLAGS... tests a module, and says with which flags.
go_test() {
	local module=$1
	shift
	printf -- '--- %s: go test%s\n' "$module" "${*:+ $*}"
	(cd "$root/$module" && go test -timeout 5m "$@")
}

begun=()
# begin NAME MODULE FLAGS... does that in the background, two at once. collect
# waits for all, prints what each of them said, and knows which failed.
begin() {
	local name=$1
	shift
	while (($(jobs -rp | wc -l) >= 2)); do
		wait -n || true
	done
	begun+=("$name")
	go_test "$@" >"$logs/${#begun[@]}" 2>&1 || touch "$logs/${#begun[@]}.failed" &
}

collect() {
	local i
	wait
	for i in "${!begun[@]}"; do
		cat "$logs/$((i + 1))"
		[[ ! -e $logs/$((i + 1)).failed ]] || failed+=("${begun[i]}")
	done
	rm -f "$logs"/*
	begun=()
}

# Tests wait most of the time, for a disk that is slow or brokers that do not answer:
# two modules at once, those first that take longest.
longest=(. integration)
for module in "${longest[@]}" $(modules); do
	[[ -z $without || $needs_cgo != *" $module "* ]] || continue
	[[ " ${begun[*]-} " == *" $module "* ]] ||
		begin "$module" "$module" ${flags[@]+"${flags[@]}"} "${at_once[@]}" "$@" ./...
done
collect

# The race detector allocates by itself and watches the heap alone: what a call
# allocates, what a client holds and the arenas beside the heap need a run
# without it.
if [[ -z $without ]]; then
	printf -- '--- without the race detector: what it distorts, and a client that it cannot bear\n'
	for module in . producer/franz producer/kafkago producer/ibmsarama producer/confluent; do
		begin "$module without -race" "$module" -run 'Alloc|Overhead|Mapped|Unmap|Arena' .
	done
	begin 'integration without -race' integration -run '^Test(Contract|Partition)$/^shopifysarama$' ./conformance
	collect
fi

[[ -z $without ]] || printf 'NOTE: %s\n' "$without"
if ((${#failed[@]})); then
	printf 'FAILED in: %s\n' "${failed[*]}" >&2
	exit 1
fi
