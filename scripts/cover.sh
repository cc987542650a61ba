#!/usr/bin/env bash
# Prints how much of each module its own tests cover; the profiles stay beside
# the modules as cover.out.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
unset KAFKA_BROKERS KAFKA_SCRIPT

for module in $(modules); do
	compiles "$module" || continue
	cd "$root/$module"
	printf -- '--- %s\n' "$module"
	go test -timeout 5m -coverpkg=./... -coverprofile=cover.out ./...
	go tool cover -func=cover.out | tail -n 1
done
