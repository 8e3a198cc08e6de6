#!/bin/bash
# SPDX-License-Identifier: MIT
# Runs the cases of all engines on this machine and in a root filesystem of Debian 13, with IDM_LONG=1 also in one of sid,
# and writes the table in docs/engines.md. Requires root, and a build of the tree.
#
#   sudo tests/engines/table.sh [BUILD-DIR]
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
source=$(cd "$here/../.." && pwd)
build=$(realpath "${1:-$source/build}")
root=${IDM_ROOT_BUILD:-$source/build-roots}
rows=$(mktemp)
trap 'rm -f "$rows"' EXIT
suites=(trixie) files=()
[ "${IDM_LONG:-}" != 1 ] || suites+=(sid)

IDM_ENGINE_ROWS=$rows meson test -C "$build" --print-errorlogs cases
for suite in "${suites[@]}"; do
  mkdir -p "$root/$suite"
  rm -f "$root/$suite/rows"
  IDM_ENGINE_ROWS=/build/rows "$source/tests/roots/run.sh" --suite "$suite" cases docker
  files+=("$root/$suite/rows")
done
"$here/engine-table.py" "$source/docs/engines.md" "$rows" "${files[@]}"
