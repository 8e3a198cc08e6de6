#!/bin/sh
# SPDX-License-Identifier: MIT
# One fuzz target for some time: IDM_FUZZ_SECONDS from the environment, else 6, or an hour if IDM_LONG=1.
# Begins with the seeds and the corpus of the tree; what it finds beyond those stays in the build directory,
# and the next run continues there. Output is TAP.
#
#   run.sh TARGET PROGRAM
set -u
name=$1 program=$(realpath "$2")
: "${IDM_SOURCE_ROOT:?}" "${IDM_BUILD_ROOT:?}"
if [ "${IDM_LONG:-}" = 1 ]; then usually=3600; else usually=6; fi
seconds=${IDM_FUZZ_SECONDS:-$usually}

found=$IDM_BUILD_ROOT/fuzz/$name
mkdir -p "$found"
log=$found.log
set --
for directory in seeds corpus; do
  [ ! -d "$IDM_SOURCE_ROOT/tests/fuzz/$directory/$name" ] || set -- "$@" "$IDM_SOURCE_ROOT/tests/fuzz/$directory/$name"
done

# The programs check their output themselves. None is to create anything, least of all here; here,
# and not in the tree, libFuzzer would save what it finds.
place=$(mktemp -d)
cd "$place" || exit

# fail WHAT: ends it, with the end of what the program has said, but for its lines of progress.
fail()
{
  echo "not ok 1 - $name: $1"
  grep -v '^#[0-9]' "$log" | tail -n 60 | sed 's/^/# /'
  cd /
  rm -rf "$place"
  exit 1
}

# fuzz ARGUMENT...
fuzz()
{
  "$program" -timeout=20 -rss_limit_mb=2048 -close_fd_mask=3 -artifact_prefix="$found-" "$@" >"$log" 2>&1 </dev/null
}

echo 1..1

# Each file of the tree is there since it reaches what no other does. Where they no longer do, the target
# rejects everything at its entry, and could not fail.
fuzz -runs=0 "$place" "$@" || fail "exit status $? with the files of the tree"
files=$(find "$@" -type f | wc -l)
kept=$(sed -n 's|^#.*INITED.* corp: \([0-9]*\)/.*|\1|p' "$log")
[ "$((2 * ${kept:-0}))" -ge "$files" ] ||
  fail "of the tree's $files files only ${kept:-0} reach something of their own"

set -- "$found" "$@"
case $name in
  json) set -- "$@" "$IDM_SOURCE_ROOT/tests/fixtures/json" "$IDM_SOURCE_ROOT/tests/fixtures/plans" ;;
  containerd | oci | bundle) set -- "$@" "$IDM_SOURCE_ROOT/tests/fixtures/plans" ;;
esac
dictionary=$IDM_SOURCE_ROOT/tests/fuzz/dictionaries/$name
[ ! -f "$dictionary" ] || set -- "-dict=$dictionary" "$@"

fuzz -max_total_time="$seconds" -max_len=8192 -print_final_stats=1 "$@"
status=$?
cd /
rmdir "$place" || fail "files were created in $place"

tried=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
[ -z "$tried" ] || echo "# proof fuzzing: $tried inputs"
[ "$status" = 0 ] || fail "exit status $status"
[ "${tried:-0}" -gt 0 ] || fail 'nothing was tried'
echo "ok 1 - $name: $tried inputs in $seconds seconds"
