# SPDX-License-Identifier: MIT
# Sourced by scripts that make machines or root filesystems. They set title, tap and work.
# shellcheck shell=bash
# shellcheck disable=SC2154 # the caller's variables

# Nothing can be run here, or not what is asked for. Where tests are only one part of many (TAP), that skips
# them, but not where nothing may be skipped.
problem() {
  echo "$title: $*" >&2
  [ -z "$tap" ] || [ "${IDM_MUST_RUN:-}" = 1 ] || echo "$*" >"$work/skipped"
  exit 1
}

# Prints TAP that says what problem() has said, if it skips the tests.
print_skipped() {
  [ -s "$work/skipped" ] && echo "1..0 # SKIP $(head -n 1 "$work/skipped")"
}
