#!/usr/bin/env bash
# Runs the integration tests on a real Kafka: on the one that KAFKA_BROKERS
# names, else on one of its own, which it stops afterwards.
#   scripts/integration.sh [FLAGS FOR GO TEST]
set -euo pipefail
. "$(dirname "$0")/lib.sh"

kafka=$root/scripts/kafka.sh
started=

cleanup() {
	local rc=$?
	trap - EXIT INT TERM
	if [[ -n $started ]]; then
		((rc == 0)) || { echo "--- the broker's last warnings" && "$kafka" log | grep -E ' (WARN|ERROR|FATAL) ' | tail -n 15; } || true
		"$kafka" stop || true
	fi
	exit $rc
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

[[ -f $root/integration/go.mod ]] || {
	echo 'there is no integration/ here' >&2
	exit 1
}

own=$("$kafka" env)
own=${own#*=}
if [[ -z ${KAFKA_BROKERS:-} ]]; then
	"$kafka" status >/dev/null || started=yes
	"$kafka" start
	KAFKA_BROKERS=$own
fi
export KAFKA_BROKERS

# Tests freeze and kill the broker through the script, so they are given it only
# where the broker is the script's.
if [[ $KAFKA_BROKERS == "$own" ]] && "$kafka" status >/dev/null; then
	export KAFKA_SCRIPT=$kafka
else
	unset KAFKA_SCRIPT
fi

flags=()
if race_works; then
	export CGO_ENABLED=1
	flags=(-race)
else
	export CGO_ENABLED=0
	echo 'NOTE: no working C compiler here: tests run WITHOUT -race'
fi

printf -- '--- integration: KAFKA_BROKERS=%s go test%s\n' "$KAFKA_BROKERS" "${flags[*]:+ ${flags[*]}}"
cd "$root/integration"
# The packages below are what these tests are made of; make test tests them.
# -v: figures are wanted of tests that pass, too.
go test ${flags[@]+"${flags[@]}"} -v -count=1 -timeout 20m "$@" .

(($# == 0)) || exit 0

# The contract on a real Kafka. Its cases with faults take minutes for each client
# and are run on embedded brokers by make test; make conformance runs all here.
[[ -n ${CONFORMANCE_FAULTS:-} ]] || unset KAFKA_SCRIPT
contract() {
	go test -v -count=1 -timeout 60m "$@" ./conformance | grep -vE '^ *(---|===) '
}
contract ${flags[@]+"${flags[@]}"} -run '^TestContractOnKafka$'
((${#flags[@]} == 0)) || contract -run '^TestContractOnKafka$/^shopifysarama$'
