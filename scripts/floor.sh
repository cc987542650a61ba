#!/usr/bin/env bash
# Tests the root module with the oldest Go that its go.mod admits.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
cd "$root"

floor=$(sed -n 's/^go \([0-9.]*\)$/\1/p' go.mod)
case $floor in
1.20) floor=1.20.14 ;; # its last release; before 1.21 the first has no .0
1.*.*) ;;
1.*) floor=$floor.0 ;;
*)
	echo 'go.mod has no go line' >&2
	exit 1
	;;
esac

export GOTOOLCHAIN=go$floor
go version
go vet ./...
# Many tests wait: more of them at once than there are cores.
go test -timeout 5m -parallel 8 "$@" ./...
