#!/usr/bin/env bash
# Runs the demo with one of the Kafka clients.
#   scripts/demo.sh CLIENT
set -euo pipefail
. "$(dirname "$0")/lib.sh"

client=$1
flags=()
if [[ $client == confluent ]]; then
	# The only client that is not Go alone is built in on demand only.
	if ! cgo_works; then
		echo 'CLIENT=confluent is the C library librdkafka: it needs a C compiler (Debian: gcc), and none works here (or CGO_ENABLED is 0)' >&2
		exit 1
	fi
	export CGO_ENABLED=1
	tags=confluent
	if ldd --version 2>&1 | grep -qi musl; then
		tags+=,musl # of its prebuilt libraries the one for Alpine and its like
	fi
	flags=(-tags "$tags")
fi
cd "$root/examples"
go run ${flags[@]+"${flags[@]}"} ./quickstart -client "$client"
