#!/usr/bin/env bash
# Releases HEAD in a clone, and uses it as a stranger would, outside the
# repository: go get of every module, README's code with every adaptor, go install
# of the command. What is not committed is not looked at. Needs git and Go.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
. "$root/scripts/release-lib.sh"
cd "$root"

version=v1.0.0-check
[[ $path != */v[0-9] ]] || version=${path##*/}.0.0-check
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

fail() {
	printf 'FAILED: %s\n' "$1" >&2
	exit 1
}

# --- the release, as a maintainer makes it -----------------------------------

printf -- '--- release %s of %s\n' "$version" "$(git log -1 --format='%h %s')"
[[ -z $(git status --porcelain) ]] || echo 'NOTE: there are changes that are not committed; they are not looked at'
clone=$scratch/clone
git clone --quiet --no-tags . "$clone"
git -C "$clone" checkout --quiet -B release
git -C "$clone" config user.name release-check
git -C "$clone" config user.email release-check@example.com
git -C "$clone" config commit.gpgSign false
git -C "$clone" config tag.gpgSign false

# It must not be possible without the work that a release takes, and not twice.
refused() {
	local out
	if out=$("$clone/scripts/release.sh" "$version" 2>&1); then
		fail "scripts/release.sh does its work although $1"
	fi
	[[ $out == *"$2"* ]] || fail "scripts/release.sh does not say that $1, but: $out"
}
refused 'CHANGELOG.md lacks the version' 'CHANGELOG.md has no heading'
(
	cd "$clone"
	# That work, in short.
	awk -v heading="## ${version#v} - $(date +%F)" \
		'/^## / && !done { done = 1; if (/Unreleased/) { print $0 "\n\n" heading; next } print heading "\n" } 1' CHANGELOG.md >"$scratch/text"
	cp "$scratch/text" CHANGELOG.md
	for file in README*.md docs/*.md; do
		grep -vE "$before_first" "$file" >"$scratch/text" || true
		cp "$scratch/text" "$file"
	done
	[[ ! -f README.zh-CN.md ]] || echo "$version" >>README.zh-CN.md
	git commit --quiet --all --message 'Ready'
)
"$clone/scripts/release.sh" "$version" >"$scratch/log" 2>&1 || { cat "$scratch/log" >&2 && fail 'scripts/release.sh'; }
refused 'there are tags of that version' "there is a tag $version already"

# shellcheck source=scripts/lib.sh
released=$(. "$clone/scripts/lib.sh" && released_modules)
# shellcheck disable=SC2086 # they are words
publish "$clone" "$version" $released

# --- README's code -----------------------------------------------------------

# block FROM prints the first block of Go in README.md behind a line that
# begins with FROM.
block() {
	awk -v from="$1" 'index($0, from) == 1 { there = 1 } inside && /^```$/ { exit } inside; there && /^```go$/ { there = inside = 1 }' README.md
}
lines=$(block '# ')
quick_start=$(block '## Quick start')
client='franz.New([]string{"localhost:9092"})'
[[ $lines == *"$client"* && $(wc -l <<<"$lines") == 4 ]] || fail "README.md does not begin with four lines of Go, one of them with $client"
[[ $quick_start == 'package main'* && $quick_start == *"$client"* ]] || fail "README.md's quick start is not a program with $client"

clients=$PWD/docs/clients.md
# constructor ADAPTOR prints the call that docs/clients.md has for that client.
constructor() {
	sed -nE "s#^ *producer, err := ($1\.New\(.*\)) *// .*#\1#p" "$clients"
}

# write_programs ADAPTOR writes both pieces of README's code, for that client, as
# the package lines and the program quickstart of the module in the working
# directory.
write_programs() {
	local call
	call=$(constructor "$1")
	[[ -n $call ]] || fail "docs/clients.md has no line with producer, err := $1.New("
	mkdir lines quickstart
	cat >lines/lines.go <<-PROGRAM
		package lines

		import (
			"log"

			"go.uber.org/zap"

			"$path"
			"$path/producer/franz"
		)

		func Lines() {
		$lines
		if err != nil {
			log.Fatal(err)
		}
		logger.Info("four lines")
		}
	PROGRAM
	printf '%s\n' "$quick_start" >quickstart/main.go
	local file text
	for file in lines/lines.go quickstart/main.go; do
		text=$(<"$file")
		text=${text//"$client"/"$call"}
		text=${text//"$path/producer/franz"/"$path/producer/$1"}
		# Nothing listens there. On 9092 something may.
		printf '%s\n' "${text//localhost:9092/127.0.0.1:1}" >"$file"
	done
}

# --- a stranger --------------------------------------------------------------

# get MODULE... makes a module of one's own and adds these to it.
get() {
	local module queries=()
	mkdir -p "$scratch/app/$1"
	cd "$scratch/app/$1"
	stranger go mod init example.com/app 2>/dev/null
	for module; do
		queries+=("$(module_path "$module")@$version")
	done
	stranger go get "${queries[@]}" >log 2>&1 || { cat log >&2 && fail "go get ${queries[*]}"; }
	local dir
	dir=$(stranger go list -m -f '{{.Dir}}' "$(module_path "$1")")
	[[ -f $dir/LICENSE ]] || fail "$(module_path "$1") comes without its licence"
}

# library MODULE: all packages of a module can be got and compiled.
library() {
	get "$1"
	stranger go get "$(module_path "$1")/...@$version" >log 2>&1 || { cat log >&2 && fail "go get $(module_path "$1")/..."; }
	stranger go build "$(module_path "$1")/..."
}

# adaptor MODULE: README's code compiles with it, and the quick start ends well
# without a Kafka, with its entry in the fallback.
adaptor() {
	get "$1" .
	write_programs "${1#producer/}"
	mkdir bin run
	# Two commands: with -o a package that is no program is left out.
	{ stranger go build ./lines && stranger go build -ldflags=-w -o bin ./quickstart; } || fail "README's code does not compile with $1"
	cd run
	${limit[@]+"${limit[@]}"} ../bin/quickstart >../log 2>&1 || { cat ../log >&2 && fail "README's quick start with $1, without a Kafka"; }
	grep -q 'order placed' kafka-fallback/*.log ||
		{ cat ../log >&2 && fail "README's quick start with $1, without a Kafka: its entry is not in the fallback"; }
}
limit=()
! command -v timeout >/dev/null || limit=(timeout 60)

# program MODULE: go install makes a command that knows its version.
program() {
	stranger go install "$(module_path "$1")@$version" >"$scratch/log" 2>&1 || { cat "$scratch/log" >&2 && fail "go install $(module_path "$1")"; }
	local said
	said=$("$scratch/bin/${1##*/}" version)
	echo "$said"
	[[ $said == *" $version"* ]] || fail "${1##*/} version does not name $version"
}

for module in $released; do
	compiles "$module" || continue
	case $module in
	producer/*) what=adaptor ;;
	cmd/*) what=program ;;
	*) what=library ;;
	esac
	printf -- '--- %s: %s\n' "$module" "$what"
	("$what" "$module")
done
