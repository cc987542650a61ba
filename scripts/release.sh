#!/usr/bin/env bash
# Prepares a release in this clone: commits, and a tag for each module that is
# released (lib.sh says which). It pushes nothing, and prints what to push.
#   scripts/release.sh VERSION [--dry-run]
# With --dry-run nothing is left of it.
#
# There are two commits. In the first every module requires the others at VERSION.
# It is for the branch, and keeps the replace lines, which nobody heeds who imports
# a module. But go install ...@VERSION refuses a go.mod that has any: in the second
# commit, off the branch, the modules in cmd/ have the others' checksums instead.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
. "$root/scripts/release-lib.sh"
cd "$root"

if (($# < 1 || $# > 2)) || [[ ${2:---dry-run} != --dry-run ]]; then
	echo 'usage: scripts/release.sh VERSION [--dry-run]' >&2
	exit 2
fi
version=$1
number='(0|[1-9][0-9]*)'
word="($number|[0-9]*[A-Za-z-][0-9A-Za-z-]*)"
if ! [[ $version =~ ^v$number\.$number\.$number(-$word(\.$word)*)?$ ]]; then
	echo "the version is $version, but must be one such as v1.2.3 or v1.3.0-rc.1" >&2
	exit 2
fi
major=${BASH_REMATCH[1]}

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

released=$(released_modules)
programs=() # what is in cmd/
libraries=()
tags=()
for module in $released; do
	tags+=("$(tag "$module" "$version")")
	if [[ $module == cmd/* ]]; then
		programs+=("$module")
	else
		libraries+=("$module")
	fi
done

# --- what has to be right before ---------------------------------------------

problems=()

# required MODULE and replaced MODULE print what its go.mod names: the modules of
# this repository that it requires, and all that have a replace line.
required() {
	sed -nE "s#^(require )?[[:space:]]*($path(/[^ ]*)?) v.*#\2#p" "$1/go.mod"
}
replaced() {
	sed -nE 's#^(replace )?[[:space:]]*([^ ]+)( v[^ ]*)? => .*#\2#p' "$1/go.mod"
}

check_repository() {
	branch=$(git symbolic-ref -q --short HEAD) || problems+=('no branch is checked out, for the release commit to be on')
	[[ -z $(git status --porcelain) ]] || problems+=('there are changes that are not committed (git status)')
	local tag
	for tag in "${tags[@]}"; do
		! git rev-parse -q --verify "refs/tags/$tag" >/dev/null || problems+=("there is a tag $tag already")
	done
}

check_documents() {
	local literal=${version#v}
	literal=${literal//./\\.}
	grep -qE "^## \[?v?$literal\]?( |$)" CHANGELOG.md ||
		problems+=("CHANGELOG.md has no heading \"## ${version#v} - $(date +%F)\"")
	awk '/^## / { unreleased = /Unreleased/; next } unreleased && NF { exit 1 }' CHANGELOG.md ||
		problems+=('CHANGELOG.md has something under Unreleased still, which is for the heading of the version')
	[[ ! -f README.zh-CN.md ]] || grep -qE "(^|[^0-9.])v?$literal([^0-9A-Za-z.-]|\.?([[:space:]]|$))" README.zh-CN.md ||
		problems+=("README.zh-CN.md does not name $version as the version it is of: bring it up to date")
	local line
	while read -r line; do
		problems+=("$line: there is a release now")
	done < <(grep -noE "$before_first" README*.md docs/*.md)
}

check_modules() {
	if ((major > 1)) && [[ $path != */v$major ]]; then
		problems+=("go.mod says module $path, which is for v0 and v1: $version needs $path/v$major")
	fi
	local module other
	for module in $released; do
		for other in $(required "$module"); do
			other=${other#"$path"}
			grep -qxF -- "$([[ -z $other ]] && echo . || echo "${other#/}")" <<<"$released" ||
				problems+=("$module/go.mod requires ${other#/}, which is not released (see scripts/lib.sh)")
		done
		for other in $(replaced "$module"); do
			[[ $other == "$path" || $other == "$path"/* ]] ||
				problems+=("$module/go.mod replaces $other, and who imports the module would get another")
		done
	done
}

check_repository
check_documents
check_modules
if ((${#problems[@]})); then
	printf 'not ready for %s:\n' "$version" >&2
	printf -- '- %s\n' "${problems[@]}" >&2
	exit 1
fi

# --- the commits and tags, in a clone ----------------------------------------

clone=$scratch/clone
git clone --quiet --no-tags --branch "$branch" "$root" "$clone"
for key in user.name user.email user.signingKey commit.gpgSign tag.gpgSign; do
	! value=$(git config "$key") || git -C "$clone" config "$key" "$value"
done

# tag_modules MODULE... tags them where the clone is.
tag_modules() {
	local module
	for module; do
		git -C "$clone" tag -a -m "$(module_path "$module") $version" "$(tag "$module" "$version")"
	done
}

for module in $(modules); do
	edits=()
	for other in $(required "$module"); do
		edits+=("-require=$other@$version")
	done
	((${#edits[@]} == 0)) || (cd "$clone/$module" && go mod edit "${edits[@]}")
done
git -C "$clone" commit --quiet --all --message "Release $version"
tag_modules "${libraries[@]}"

if ((${#programs[@]})); then
	publish "$clone" "$version" "${libraries[@]}"
	git -C "$clone" checkout --quiet --detach
	for module in "${programs[@]}"; do
		edits=()
		for other in $(replaced "$module"); do
			edits+=("-dropreplace=$other")
		done
		(
			cd "$clone/$module"
			((${#edits[@]} == 0)) || go mod edit "${edits[@]}"
			stranger go mod tidy >"$scratch/log" 2>&1 || { cat "$scratch/log" >&2 && exit 1; }
		)
		if git -C "$clone" diff -U0 -- "$module/go.sum" | grep -E '^[-+][^-+]' | grep -vE "^\+${path}[ /]" >&2; then
			echo "these lines of $module/go.sum change with go mod tidy: it is not tidy" >&2
			exit 1
		fi
	done
	git -C "$clone" commit --quiet --all --message "Release $version: what go install builds has no replace lines"
	tag_modules "${programs[@]}"
fi

# --- into this repository ----------------------------------------------------

git -C "$clone" --no-pager log --stat --oneline "$(git rev-parse HEAD).."
printf 'tag %s\n' "${tags[@]}"
if [[ ${2:-} == --dry-run ]]; then
	echo 'dry run: nothing of this was kept'
	exit 0
fi
git fetch --quiet --no-tags "$clone" "$branch"
git merge --quiet --ff-only FETCH_HEAD
specs=()
for tag in "${tags[@]}"; do
	specs+=("refs/tags/$tag:refs/tags/$tag")
done
git fetch --quiet --no-tags --atomic "$clone" "${specs[@]}"
cat <<PUSH

$version is prepared on $branch. To publish it, once the gate passes there:
  git push --atomic origin $branch ${tags[*]}
To take it back instead:
  git tag -d ${tags[*]} && git reset --hard HEAD~1
PUSH
