#!/usr/bin/env bash
# Formatting, vet, golangci-lint and shellcheck over every module.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
cd "$root"

golangci_version=v2.15.0

failed=()

echo '--- gofmt'
unformatted=$(for module in $(modules); do
	find "$module" -maxdepth 1 -name '*.go' -print
	find "$module" -mindepth 1 -type d \( -name '.*' -o -name testdata -o -exec test -f '{}/go.mod' \; \) -prune \
		-o -mindepth 2 -name '*.go' -print
done | sort -u | tr '\n' '\0' | xargs -0 gofmt -l)
if [[ -n $unformatted ]]; then
	printf 'not formatted, run gofmt -w on:\n%s\n' "$unformatted"
	failed+=(gofmt)
fi

each_module go vet ./... || failed+=('go vet')

linter=$root/bin/golangci-lint
if [[ $("$linter" version 2>/dev/null) != *" ${golangci_version#v} "* ]]; then
	echo "--- installing golangci-lint $golangci_version into bin/ (takes a minute or two, once)"
	log=$(mktemp)
	if ! GOBIN=$root/bin GOFLAGS='' go install \
		"github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$golangci_version" >"$log" 2>&1; then
		tail -n 20 "$log" >&2
		echo 'golangci-lint could not be installed' >&2
		exit 1
	fi
	rm -f "$log"
fi
"$linter" config verify || failed+=(.golangci.yml)
each_module "$linter" run --config "$root/.golangci.yml" ./... || failed+=(golangci-lint)

if command -v shellcheck >/dev/null; then
	echo '--- shellcheck'
	shellcheck -x -P scripts scripts/*.sh .ci/run || failed+=(shellcheck)
else
	echo '--- shellcheck: not installed, skipped'
fi

if ((${#failed[@]})); then
	printf -v list '%s, ' "${failed[@]}"
	printf 'LINT FAILED: %s\n' "${list%, }" >&2
	exit 1
fi
