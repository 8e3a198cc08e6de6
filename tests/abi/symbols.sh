#!/bin/sh
# SPDX-License-Identifier: MIT
# What the header declares, what the symbol map lists and what the shared library exports is the same.
# Every function that blocks or allocates holds cancellation off (lib/base/cancel.h).
set -u
cd "$IDM_SOURCE_ROOT" || exit 1

declared=$(cc -E -P -x c include/idmount.h | grep -oE '\bidm_[a-z0-9_]+ ?\(' | tr -d ' (' |
  grep -Ev '_freep$|^idm_closep$' | sort -u)
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

# These neither block nor allocate. idm_reaper_add() says why it has it further inside.
pure='idm_attach_options_init idm_check_result_init idm_child_mount_init idm_child_options_init idm_explain_inode_init idm_explain_options_init idm_explain_result_init idm_mount_options_init idm_overlay_options_init idm_plan_add_options_init idm_plan_apply_options_init idm_plan_read_options_init idm_tree_options_init idm_list_iter_next idm_feature_iter_next idm_explain_iter_next idm_error_part idm_error_step_text idm_explain idm_explain_copy idm_map_check idm_map_entries idm_map_equal idm_map_print idm_map_to_disk idm_map_to_seen idm_reaper_add idm_reaper_fd idm_version'
holding=$(awk '
  /^[a-z].*\(/ { name = "" } # a static function
  /^[a-z].*[ *]idm_[a-z_]+\(/ { match($0, /idm_[a-z_]+\(/); name = substr($0, RSTART, RLENGTH - 1) }
  /^\{/ { first = 1; next }
  first && name && /^\tHOLD_CANCEL;/ { print name }
  { first = 0 }' $(find lib -name '*.c') | sort -u)
wanted=$(for name in $listed; do echo " $pure " | grep -qF " $name " || echo "$name"; done)

echo "1..3"
compare 1 "the header" "$declared" "the symbol map" "$listed"
compare 2 "the symbol map" "$listed" "the library" "$exported"
compare 3 "the functions that block or allocate" "$wanted" "those that hold cancellation off" "$holding"
exit $failed
