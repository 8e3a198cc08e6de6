#!/bin/bash
# SPDX-License-Identifier: MIT
# Runs the cases of all engines on this machine and in a root filesystem of Debian 13, and writes the table in
# docs/engines.md. Requires root, and a build of the tree.
#
#   sudo tests/engines/table.sh [BUILD-DIR]
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
source=$(cd "$here/../.." && pwd)
build=$(realpath "${1:-$source/build}")
root=${IDM_ROOT_BUILD:-$source/build-roots}
rows=$(mktemp)
trap 'rm -f "$rows"' EXIT

IDM_ENGINE_ROWS=$rows meson test -C "$build" --print-errorlogs cases
mkdir -p "$root/trixie"
rm -f "$root/trixie/rows"
IDM_ENGINE_ROWS=/build/rows "$source/tests/roots/run.sh" cases docker
"$here/engine-table.py" "$source/docs/engines.md" "$rows" "$root/trixie/rows"
