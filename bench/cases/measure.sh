# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# What the scripts here have in common. Each is called as "SCRIPT [BUILD-DIR]", runs in a mount namespace of
# its own, on a tmpfs at $place that is gone with it, and has the programs in $idmount and $commands.
# IDM_BENCH_SMOKE=1: everything twice, to see that it works. A script that needs more than a mount namespace has
# options of unshare(1) in the array "private" before.

[ -v private ] || private=()
if [ "${IDM_BENCH_PRIVATE:-}" != 1 ]; then
  IDM_BENCH_PRIVATE=1 exec unshare --mount --propagation private "${private[@]}" "$0" "$@"
fi
unset IDM_BENCH_PRIVATE

build=$(realpath "${1:-build}")
idmount=$build/idmount
commands=$build/bench/commands
for program in "$idmount" "$commands"; do
  [ -x "$program" ] || { echo "$0: $program is missing: build it first" >&2 && exit 1; }
done

# All mounts disappear with the last process of this namespace.
place=/mnt
mount -t tmpfs -o size=100%,mode=700 bench "$place"

has() {
  type -P "$1" >/dev/null
}

# A line of the table for what cannot be measured here.
skipped() { # QUESTION WHY
  printf '%-58s skipped: %s\n' "$1" "$2"
  [ -z "${IDM_BENCH_ROWS:-}" ] ||
    printf '%s\t%s\t\t\t\t\t\t\t\tskipped: %s\n' "$(basename "$0")" "$1" "$2" >>"$IDM_BENCH_ROWS"
}

# A line of the table for a count that has to be 0.
counted() { # QUESTION COUNT UNIT YARDSTICK ITS-COUNT
  local verdict=met

  [ "$2" = 0 ] || verdict=missed
  [ "${IDM_BENCH_SMOKE:-}" != 1 ] || verdict='not measured'
  printf '%-58s %12s %12s  %-34s %7s  %-15s %-8s %-12s %s\n' "$1" "$2 $3" "$5" "$4" '' '' "<= 0 $3" '' "$verdict"
  [ -z "${IDM_BENCH_ROWS:-}" ] ||
    printf '%s\t%s\t%s\t%s\t%s\t\t\t%s\t\t%s\n' "$(basename "$0")" "$1" "$2 $3" "$4" "$5" "<= 0 $3" "$verdict" >>"$IDM_BENCH_ROWS"
}
