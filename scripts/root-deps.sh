#!/usr/bin/env bash
# The root module is what a service imports: outside its tests it may depend on
# zap, and on what zap itself needs, and on nothing else.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
cd "$root"

allowed='github.com/zapkafka/zapkafka go.uber.org/zap go.uber.org/multierr'
required='go.uber.org/zap go.uber.org/goleak' # goleak: tests only
rc=0

for os in linux darwin windows; do
	for path in $(CGO_ENABLED=0 GOOS=$os go list -deps -f '{{if not .Standard}}{{.Module.Path}}{{end}}' ./... | sort -u); do
		if [[ " $allowed " != *" $path "* ]]; then
			echo "on $os the root module depends on $path: it belongs into a module of its own" >&2
			rc=1
		fi
	done
done

for path in $(go list -m -f '{{if not (or .Main .Indirect)}}{{.Path}}{{end}}' all); do
	if [[ " $required " != *" $path "* ]]; then
		echo "the root's go.mod requires $path; allowed: $required" >&2
		rc=1
	fi
done

if grep -nE '^(replace|exclude|toolchain)\b' go.mod >&2; then
	echo "the root's go.mod may have no replace, exclude or toolchain line: the first two do nothing for those who import it, the last is theirs to choose" >&2
	rc=1
fi

((rc)) || echo 'the root module depends on zap alone'
exit $rc
