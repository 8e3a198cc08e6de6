#!/bin/sh
# SPDX-License-Identifier: MIT
# The header compiles by itself, without a warning, wherever a program may include it.
set -u
cd "$IDM_SOURCE_ROOT" || exit 1

program='
#include <idmount.h>
#include <idmount.h>
struct idm_tree_options options = IDM_TREE_OPTIONS_INIT;
struct idm_attach_options attach = IDM_ATTACH_OPTIONS_INIT;
struct idm_mount_options mount_options = IDM_MOUNT_OPTIONS_INIT;
struct idm_child_options child = IDM_CHILD_OPTIONS_INIT;
struct idm_child_mount child_mount = IDM_CHILD_MOUNT_INIT;
struct idm_overlay_options overlay = IDM_OVERLAY_OPTIONS_INIT;
struct idm_plan_add_options mount = IDM_PLAN_ADD_OPTIONS_INIT;
struct idm_plan_read_options text = IDM_PLAN_READ_OPTIONS_INIT;
struct idm_plan_apply_options apply = IDM_PLAN_APPLY_OPTIONS_INIT;
struct idm_check_result result = IDM_CHECK_RESULT_INIT;
int main(void) { return idm_version() == 0 || options.flags != child.flags || mount_options.flags || attach.flags; }
'
number=0 failed=0

report() { # GOOD WHAT
  number=$((number + 1))
  [ "$1" = 0 ] || failed=1
  [ "$1" = 0 ] && echo "ok $number - $2" || echo "not ok $number - $2"
}

# Uses each of the compilers that is installed. At least one is required.
compile() { # LANGUAGE STANDARD COMPILER...
  language=$1 standard=$2 tried=
  shift 2
  for compiler; do
    command -v "$compiler" >/dev/null || continue
    tried=yes
    output=$(printf '%s' "$program" | "$compiler" -x "$language" -std="$standard" -pedantic -Wall \
      -Wextra -Werror -Wconversion -Wshadow -fsyntax-only -Iinclude - 2>&1)
    status=$?
    [ -z "$output" ] || echo "$output" | sed 's/^/# /'
    report $status "as $standard with $compiler"
  done
  [ -z "$tried" ] || return
  if [ "${IDM_MUST_RUN:-}" = 1 ]; then
    echo "# IDM_MUST_RUN=1, but no compiler found: $*"
    report 1 "as $standard"
  else
    report 0 "as $standard # SKIP no compiler found: $*"
  fi
}

compile c c11 gcc clang
compile c c17 gcc clang
compile c c2x gcc clang
compile c++ c++11 g++ clang++
compile c++ c++17 g++ clang++
compile c++ c++20 g++ clang++
echo "1..$number"
exit $failed
