#!/usr/bin/env bash
# Compiles the modules, without cgo, for the systems that nothing here runs, the
# root module's tests too; for Linux it also sees that the result is statically
# linked. Of the modules that need cgo it sees that they say so.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

export CGO_ENABLED=0
# The root module for more than the others: it has files for each system. What is
# not released is run where it is built, but people read the examples anywhere.
targets='linux/amd64 linux/arm64 darwin/arm64 windows/amd64'
root_targets='freebsd/amd64 linux/386'
few_targets='windows/amd64'

compile() {
	printf -- '--- %s: %s\n' "$1" "$2"
	cd "$root/$1"
	GOOS=${2%/*} GOARCH=${2#*/} go build ./...
	[[ $1 != . ]] || GOOS=${2%/*} GOARCH=${2#*/} go vet ./...
}

for module in $(modules); do
	if [[ $needs_cgo == *" $module "* ]]; then
		# It must not build, and say why.
		printf -- '--- %s: without cgo\n' "$module"
		if message=$(cd "$root/$module" && go build ./... 2>&1); then
			echo "$module builds without cgo: is it still right to leave it out here?" >&2
			exit 1
		elif [[ $message != *needs_cgo* ]]; then
			printf 'without cgo %s does not build, and does not say why:\n%s\n' "$module" "$message" >&2
			exit 1
		fi
		continue
	fi
	these=$targets
	case $module in
	benchmark | integration) continue ;;
	docs | examples) these=$few_targets ;;
	esac
	for target in $these; do
		(compile "$module" "$target")
	done
done
for target in $root_targets; do
	(compile . "$target")
done

# A program of ours needs nothing of the system that it runs on.
program=$(mktemp)
trap 'rm -f "$program"' EXIT
(cd "$root/examples" && GOOS=linux GOARCH=amd64 go build -o "$program" ./quickstart)
if ! command -v readelf >/dev/null; then
	echo 'NOTE: there is no readelf here, so nobody looks whether the program is static'
elif readelf -d "$program" 2>/dev/null | grep -q NEEDED; then
	echo 'a program built without cgo wants shared libraries:' >&2
	readelf -d "$program" >&2
	exit 1
fi
