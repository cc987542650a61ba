#!/usr/bin/env bash
# Compiles the root module and its tests for the systems that nothing here runs.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
cd "$root"

for target in windows/amd64 darwin/arm64 freebsd/amd64 linux/386; do
	echo "--- $target"
	CGO_ENABLED=0 GOOS=${target%/*} GOARCH=${target#*/} go build ./...
	CGO_ENABLED=0 GOOS=${target%/*} GOARCH=${target#*/} go vet ./...
done
