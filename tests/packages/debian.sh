#!/bin/bash
# SPDX-License-Identifier: MIT
# debian.sh [SUITE]...: builds and checks the packages in root filesystems of Debian 12, with IDM_LONG=1 also of Debian
# 13, and installs them in clean ones. Prints TAP. Needs root. tests/roots/run.sh makes the root filesystems.
set -uo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
roots=$here/../roots/run.sh
export IDM_ROOT_BUILD=${IDM_PACKAGES_BUILD:-$here/../../build-packages}
if [ $# = 0 ]; then
  set -- bookworm
  [ "${IDM_LONG:-}" != 1 ] || set -- bookworm trixie
fi

skip() {
  echo "1..0 # SKIP $*"
  exit 0
}

# Where nothing may be skipped, run.sh fails, and so does this script.
prepare() { # SUITE
  local kind

  for kind in packaging bare; do
    "$roots" --suite "$1" "--$kind" --prepare && continue
    [ "${IDM_MUST_RUN:-}" = 1 ] || skip "the root filesystems of $1 cannot be made"
    exit 1
  done
}

in_root() { # SUITE KIND SCRIPT
  "$roots" --suite "$1" "--$2" --command "/source/tests/packages/$3" </dev/null ||
    echo "not ok - $3 exits with status $?"
}

test_suite() {
  local result=$IDM_ROOT_BUILD/$1-bare/result

  rm -rf "$result" "$IDM_ROOT_BUILD/$1-packaging/result"
  in_root "$1" packaging build.sh
  mkdir -p "${result%/*}"
  mv "$IDM_ROOT_BUILD/$1-packaging/result" "$result" && in_root "$1" bare install.sh
}

# The numbers and the plan of TAP.
number_results() {
  local line number=0 failed=0

  while IFS= read -r line; do
    [[ $line != "not ok - "* ]] || failed=1
    [[ $line != ?(not )"ok - "* ]] || line=${line/ok -/ok $((++number)) -}
    printf '%s\n' "$line"
  done
  echo "1..$number"
  [ "$number" != 0 ] && return $failed
}

[ "$(id -u)" = 0 ] || skip 'needs root'
for suite; do
  prepare "$suite"
done
for suite; do
  test_suite "$suite" | sed -u "s/^\(ok\|not ok\) - /&$suite: /"
done | number_results
