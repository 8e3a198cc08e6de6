#!/bin/bash
# SPDX-License-Identifier: MIT
# A whole "idmount mount" process beside "mount --bind" of the same paths, and the same for umount: in
# turn, round by round, medians. Runs in a mount namespace of its own.
#
#   sudo bench/mount.sh [BUILD-DIR] [ROUNDS]
set -eu

if [ "${IDMOUNT_BENCH_PRIVATE:-}" != 1 ]; then
  IDMOUNT_BENCH_PRIVATE=1 exec unshare --mount --propagation private "$0" "$@"
fi

idmount=$(realpath "${1:-build}/idmount")
rounds=${2:-201}

dir=$(mktemp -d)
trap 'umount -l "$dir"; rmdir "$dir"' EXIT
mount -t tmpfs bench "$dir"
mkdir "$dir/source" "$dir/target"

# Microseconds that one command takes.
timed() {
  local start=$EPOCHREALTIME end
  "$@"
  end=$EPOCHREALTIME
  echo $((${end/./} - ${start/./}))
}

median() {
  sort -n "$1" | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'
}

for ((i = 0; i < rounds; i++)); do
  timed "$idmount" mount -m 0:100000:65536 "$dir/source" "$dir/target" >>"$dir/1-idmount-mount"
  timed "$idmount" umount "$dir/target" >>"$dir/2-idmount-umount"
  timed mount --bind "$dir/source" "$dir/target" >>"$dir/3-mount-bind"
  timed umount "$dir/target" >>"$dir/4-umount"
done

ours=$(median "$dir/1-idmount-mount")
theirs=$(median "$dir/3-mount-bind")
ours_u=$(median "$dir/2-idmount-umount")
theirs_u=$(median "$dir/4-umount")
printf '%-18s %10s %10s %8s   (microseconds for a whole process, medians of %d)\n' '' idmount mount\(8\) ratio "$rounds"
printf '%-18s %10d %10d %8.2f\n' mount "$ours" "$theirs" "$(echo "$ours $theirs" | awk '{print $1 / $2}')"
printf '%-18s %10d %10d %8.2f\n' umount "$ours_u" "$theirs_u" "$(echo "$ours_u $theirs_u" | awk '{print $1 / $2}')"
