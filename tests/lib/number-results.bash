# SPDX-License-Identifier: MIT
# Sourced by scripts that print results of other machines as TAP.
# shellcheck shell=bash

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
