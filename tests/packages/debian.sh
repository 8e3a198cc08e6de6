#!/bin/bash
# SPDX-License-Identifier: MIT
# debian.sh [SUITE]...: builds and checks the packages in root filesystems of Debian 12, with IDM_LONG=1 also of Debian
# 13, and installs them in clean ones. Prints TAP. Needs root. tests/roots/run.sh makes the root filesystems.
set -uo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
roots=$here/../roots/run.sh
# shellcheck source=tests/lib/in-roots.bash
. "$here/../lib/in-roots.bash"
export IDM_ROOT_BUILD=${IDM_PACKAGES_BUILD:-$here/../../build-packages}
if [ $# = 0 ]; then
  set -- bookworm
  [ "${IDM_LONG:-}" != 1 ] || set -- bookworm trixie
fi

test_suite() {
  local result=$IDM_ROOT_BUILD/$1-bare/result

  rm -rf "$result" "$IDM_ROOT_BUILD/$1-packaging/result"
  in_root "$1" packaging packages/build.sh
  mkdir -p "${result%/*}"
  mv "$IDM_ROOT_BUILD/$1-packaging/result" "$result" && in_root "$1" bare packages/install.sh
}

[ "$(id -u)" = 0 ] || skip 'needs root'
for suite; do
  prepare_root "$suite" packaging
  prepare_root "$suite" bare
done
for suite; do
  test_suite "$suite" | sed -u "s/^\(ok\|not ok\) - /&$suite: /"
done | number_results
