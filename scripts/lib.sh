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
		fi | grep -vE '(^|/)(testdata|vendor|\.kafka|\.opensearch)/' | while read -r file; do
			[[ ! -f $file ]] || dirname "$file"
		done | sort -u
	)
}

# The directories at the top whose modules are for this repository alone and are
# never tagged. Every other module is released.
unreleased=' benchmark docs examples integration '

# released_modules prints the directory of every module that is released, the
# root (.) first.
released_modules() {
	local module
	for module in $(modules); do
		[[ $unreleased == *" ${module%%/*} "* ]] || printf '%s\n' "$module"
	done
}

# Modules that are cgo through and through. All others build without.
needs_cgo=' producer/confluent '

# cgo_works tries to build a small program with cgo: that Go finds a gcc says
# little about it.
cgo_works() {
	local dir rc=0
	dir=$(mktemp -d)
	printf 'module probe\n\ngo 1.20\n' >"$dir/go.mod"
	printf 'package main\n\n// #include <stdlib.h>\nimport "C"\n\nfunc main() { C.free(nil) }\n' >"$dir/main.go"
	[[ $(go env CGO_ENABLED) == 1 ]] && (cd "$dir" && go build -o probe .) >"$dir/log" 2>&1 || rc=1
	rm -rf "$dir"
	return $rc
}

# compiles MODULE says whether the module can be compiled here, and if not, that
# it is left out and why. Without a C compiler that works cgo is switched off for
# the rest of the script: Go by itself does that only where it finds none at all.
compiles() {
	if [[ -z ${cgo_here:-} ]]; then
		cgo_here=yes
		cgo_works || { cgo_here=no && export CGO_ENABLED=0; }
	fi
	[[ $cgo_here == no && $needs_cgo == *" $1 "* ]] || return 0
	printf 'NOTE: %s is left out: it needs cgo, which has no working C compiler here or is switched off\n' "$1" >&2
	return 1
}

# each_module COMMAND... runs the command in every module, also after one of
# them failed, and fails at the end if one did. Modules that cannot be compiled
# here are left out, unless the command is go mod, which compiles nothing.
each_module() {
	local module failed=()
	for module in $(modules); do
		[[ "$1 $2" == 'go mod' ]] || compiles "$module" || continue
		printf -- '--- %s: %s\n' "$module" "$*"
		(cd "$root/$module" && "$@") || failed+=("$module")
	done
	if ((${#failed[@]})); then
		printf 'FAILED in: %s\n' "${failed[*]}" >&2
		return 1
	fi
}

# race_works tries to build and run a small program with cgo and the race
# detector: that a gcc is installed says little about either.
race_works() {
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
	(cd "$dir" && CGO_ENABLED=1 go build -race -o probe . && ./probe) >"$dir/log" 2>&1 || rc=1
	rm -rf "$dir"
	return $rc
}
