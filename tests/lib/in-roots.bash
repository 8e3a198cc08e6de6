# SPDX-License-Identifier: MIT
# Sourced by scripts whose tests run in root filesystems of tests/roots/run.sh. `roots` is its path.
# shellcheck shell=bash
# shellcheck disable=SC2154 # the caller's variable

# shellcheck source=tests/lib/number-results.bash
. "${BASH_SOURCE[0]%/*}/number-results.bash"

skip() {
  echo "1..0 # SKIP $*"
  exit 0
}

# Where nothing may be skipped, run.sh fails, and so does this script.
prepare_root() { # SUITE KIND
  "$roots" --suite "$1" "--$2" --prepare && return
  [ "${IDM_MUST_RUN:-}" = 1 ] || skip "the root filesystems of $1 cannot be made"
  exit 1
}

# Runs a script of this tree, which prints lines of results.
in_root() { # SUITE KIND SCRIPT
  "$roots" --suite "$1" "--$2" --command "/source/tests/$3" </dev/null ||
    echo "not ok - $3 exits with status $?"
}
