#!/bin/bash
# SPDX-License-Identifier: MIT
# fresh.sh [SUITE]...: the commands of README in root filesystems that have nothing but what the build requires: of
# Debian 13, with IDM_LONG=1 also of Debian 12. Prints TAP. Needs root.
set -uo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
roots=$here/run.sh
export IDM_ROOT_BUILD=${IDM_FRESH_BUILD:-$here/../../build-fresh}
# shellcheck source=tests/lib/in-roots.bash
. "$here/../lib/in-roots.bash"
if [ $# = 0 ]; then
  set -- trixie
  [ "${IDM_LONG:-}" != 1 ] || set -- trixie bookworm
fi

[ "$(id -u)" = 0 ] || skip 'needs root'
for suite; do
  prepare_root "$suite" fresh
done
for suite; do
  in_root "$suite" fresh roots/fresh-inside.sh | sed -u "s/^\(ok\|not ok\) - /&$suite: /"
done | number_results
