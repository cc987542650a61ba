#!/usr/bin/env bash
# Runs every fuzz test of every module for FUZZTIME each (10s).
set -euo pipefail
. "$(dirname "$0")/lib.sh"

# fuzz PACKAGE NAME runs a fuzz test. When the time is over while a worker is busy, the
# go command now and then calls that a failure, "context deadline exceeded", without an
# input that fails (golang/go#75804, mended in Go 1.27): then it is run again.
fuzz() {
	local try log
	log=$(mktemp)
	for try in 1 2 3; do
		if go test -run '^$' -fuzz "^$2\$" -fuzztime "${FUZZTIME:-10s}" "$1" 2>&1 | tee "$log"; then
			rm -f "$log"
			return
		fi
		if ! grep -q 'context deadline exceeded' "$log" || grep -q 'Failing input' "$log"; then
			break
		fi
		((try == 3)) || echo 'the time was over, and nothing had failed: once more'
	done
	rm -f "$log"
	return 1
}

count=0
for module in $(modules); do
	compiles "$module" || continue
	cd "$root/$module"
	for package in $(go list -f '{{.Dir}}' ./...); do
		# Only where there are some: -list has to compile the tests.
		grep -qs '^func Fuzz' "$package"/*_test.go || continue
		for name in $(go test -list '^Fuzz' "$package" | grep '^Fuzz' || true); do
			printf -- '--- %s: %s\n' "$package" "$name"
			fuzz "$package" "$name"
			count=$((count + 1))
		done
	done
done
echo "$count fuzz tests run"
