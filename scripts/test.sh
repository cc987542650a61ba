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

# test_module MODULE FLAGS... says what it does, and leaves a file if it failed.
test_module() {
	local module=$1
	shift
	printf -- '--- %s: go test%s\n' "$module" "${flags[*]:+ ${flags[*]}}"
	(cd "$root/$module" && go test ${flags[@]+"${flags[@]}"} -timeout 5m "$@" ./...) || touch "$logs/${module//\//-}.failed"
}

# Those of the clients wait most of the time, for brokers that do not answer: two
# of them at once. What they print is kept until all of them are done.
together=()
for module in $(modules); do
	[[ -z $without || $needs_cgo != *" $module "* ]] || continue
	if [[ $module == producer/* ]]; then
		together+=("$module")
	else
		test_module "$module" "$@"
	fi
done
for module in ${together[@]+"${together[@]}"}; do
	while (($(jobs -rp | wc -l) >= 2)); do
		wait -n || true
	done
	test_module "$module" "$@" >"$logs/${module//\//-}" 2>&1 &
done
wait
for module in ${together[@]+"${together[@]}"}; do
	cat "$logs/${module//\//-}"
done
for module in $(modules); do
	[[ ! -e $logs/${module//\//-}.failed ]] || failed+=("$module")
done

# The race detector allocates by itself and watches the heap alone: what a call
# allocates, what a client holds and the arenas beside the heap need a run
# without it.
if [[ -z $without ]]; then
	for module in . producer/franz producer/kafkago producer/ibmsarama producer/confluent; do
		printf -- '--- %s: go test, what the race detector distorts\n' "$module"
		(cd "$root/$module" && go test -timeout 5m -run 'Alloc|Overhead|Mapped|Unmap|Arena' .) || failed+=("$module without -race")
	done
	printf -- '--- integration: go test, the client that the race detector cannot bear\n'
	(cd "$root/integration" && go test -timeout 5m -run '^Test(Contract|Partition)$/^shopifysarama$' ./conformance) || failed+=('integration without -race')
fi

[[ -z $without ]] || printf 'NOTE: %s\n' "$without"
if ((${#failed[@]})); then
	printf 'FAILED in: %s\n' "${failed[*]}" >&2
	exit 1
fi
