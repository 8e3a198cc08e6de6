#!/bin/bash
# SPDX-License-Identifier: MIT
# "idmount run -- true" on a busybox root beside bwrap and unshare, which make the same namespaces, but map no
# file: in turn, round by round, medians. Runs in a mount namespace of its own. Needs busybox (static) and, to
# compare with it, bubblewrap.
#
#   sudo bench/run-true.sh [BUILD-DIR] [ROUNDS]
set -eu

if [ "${IDMOUNT_BENCH_PRIVATE:-}" != 1 ]; then
  IDMOUNT_BENCH_PRIVATE=1 exec unshare --mount --propagation private "$0" "$@"
fi

idmount=$(realpath "${1:-build}/idmount")
rounds=${2:-201}

dir=$(mktemp -d)
trap 'umount -l "$dir"; rmdir "$dir"' EXIT
mount -t tmpfs bench "$dir"
mkdir -p "$dir"/root/{bin,proc,dev,sys}
cp "$(type -P busybox)" "$dir/root/bin/busybox"
ln -s busybox "$dir/root/bin/true"

# Microseconds that one command takes.
timed() {
  local start=$EPOCHREALTIME end
  "$@" </dev/null
  end=$EPOCHREALTIME
  echo $((${end/./} - ${start/./}))
}

median() {
  sort -n "$1" | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'
}

for ((i = 0; i < rounds; i++)); do
  timed "$idmount" run --rootfs "$dir/root" -m 0:100000:65536 -- true >>"$dir/idmount"
  ! type -P bwrap >/dev/null ||
    timed bwrap --unshare-all --share-net --bind "$dir/root" / --proc /proc --dev /dev --ro-bind /sys /sys -- true >>"$dir/bwrap"
  timed unshare -Urmpf --mount-proc true >>"$dir/unshare"
done

ours=$(median "$dir/idmount")
printf '%-24s %10s %14s   (microseconds for a whole run, medians of %d)\n' '' time idmount/this "$rounds"
printf '%-24s %10d\n' 'idmount run -- true' "$ours"
for other in bwrap unshare; do
  [ -f "$dir/$other" ] || continue
  theirs=$(median "$dir/$other")
  printf '%-24s %10d %14.2f\n' "$other -- true" "$theirs" "$(echo "$ours $theirs" | awk '{print $1 / $2}')"
done
