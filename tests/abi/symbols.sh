#!/bin/sh
# SPDX-License-Identifier: MIT
# What the header declares, what the symbol map lists and what the shared library exports is the same.
set -u
cd "$IDM_SOURCE_ROOT" || exit 1

declared=$(cc -E -P -x c include/idmount.h | grep -oE '\bidm_[a-z0-9_]+ ?\(' | tr -d ' (' | sort -u)
listed=$(grep -oE '^[[:space:]]+idm_[a-z0-9_]+;' lib/libidmount.map | tr -d ' \t;' | sort)
exported=$(nm -D --defined-only "$IDM_LIBRARY" | awk '$2 != "A" { sub(/@.*/, "", $3); print $3 }' | sort)

failed=0
compare() { # NUMBER WHAT NAMES OTHER-WHAT NAMES
  if [ -n "$3" ] && [ "$3" = "$5" ]; then
    echo "ok $1 - $2 and $4"
    return
  fi
  for name in $3; do
    echo "$5" | grep -qx "$name" || echo "# only in $2: $name"
  done
  for name in $5; do
    echo "$3" | grep -qx "$name" || echo "# only in $4: $name"
  done
  echo "not ok $1 - $2 and $4"
  failed=1
}

echo "1..2"
compare 1 "the header" "$declared" "the symbol map" "$listed"
compare 2 "the symbol map" "$listed" "the library" "$exported"
exit $failed
