#!/usr/bin/env bash
# Fails, with the difference, where go.mod or go.sum is not what go mod tidy
# would write.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

each_module go mod tidy -diff
