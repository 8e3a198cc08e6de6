# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# What the scripts here have in common. Each is called as "SCRIPT [BUILD-DIR]", runs in a mount namespace of
# its own, on a tmpfs at $place that is gone with it, and has the programs in $idmount and $commands.
# IDM_BENCH_SMOKE=1: everything twice, to see that it works.

if [ "${IDM_BENCH_PRIVATE:-}" != 1 ]; then
  IDM_BENCH_PRIVATE=1 exec unshare --mount --propagation private "$0" "$@"
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
