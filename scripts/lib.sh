# shellcheck shell=bash
# What the other scripts share; to be sourced.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

# modules prints the directory of every module, the root (.) first. A module is
# a directory with a go.mod; nothing else has to be told about a new one.
modules() {
	(
		cd "$root" || exit
		if [[ -e .git ]] && command -v git >/dev/null; then
			git ls-files --cached --others --exclude-standard -- go.mod '*/go.mod'
		else
			find . -name go.mod | sed 's|^\./||'
		fi | grep -vE '(^|/)(testdata|vendor|\.kafka)/' | while read -r file; do
			[[ ! -f $file ]] || dirname "$file"
		done | sort -u
	)
}

# each_module COMMAND... runs the command in every module, also after one of
# them failed, and fails at the end if one did.
each_module() {
	local module failed=()
	for module in $(modules); do
		printf -- '--- %s: %s\n' "$module" "$*"
		(cd "$root/$module" && "$@") || failed+=("$module")
	done
	if ((${#failed[@]})); then
		printf 'FAILED in: %s\n' "${failed[*]}" >&2
		return 1
	fi
}

# race_works tries to build and run a small program with cgo and the race
# detector: that a gcc is installed says little about either. cgo_works does
# without the detector.
race_works() { probe_cgo -race; }
cgo_works() { probe_cgo; }

probe_cgo() {
	local dir rc=0
	dir=$(mktemp -d)
	printf 'module probe\n\ngo 1.20\n' >"$dir/go.mod"
	cat >"$dir/main.go" <<'PROBE'
package main

// static int one(void) { return 1; }
import "C"

func main() {
	done := make(chan C.int)
	go func() { done <- C.one() }()
	<-done
}
PROBE
	(cd "$dir" && CGO_ENABLED=1 go build "$@" -o probe . && ./probe) >"$dir/log" 2>&1 || rc=1
	rm -rf "$dir"
	return $rc
}
