#!/usr/bin/env bash
# Runs every fuzz test of every module for FUZZTIME each (10s).
set -euo pipefail
. "$(dirname "$0")/lib.sh"

count=0
for module in $(modules); do
	compiles "$module" || continue
	cd "$root/$module"
	for package in $(go list -f '{{.Dir}}' ./...); do
		# Only where there are some: -list has to compile the tests.
		grep -qs '^func Fuzz' "$package"/*_test.go || continue
		for name in $(go test -list '^Fuzz' "$package" | grep '^Fuzz' || true); do
			printf -- '--- %s: %s\n' "$package" "$name"
			go test -run '^$' -fuzz "^$name\$" -fuzztime "${FUZZTIME:-10s}" "$package"
			count=$((count + 1))
		done
	done
done
echo "$count fuzz tests run"
