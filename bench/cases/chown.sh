#!/bin/bash
# shellcheck source-path=SCRIPTDIR
# SPDX-License-Identifier: MIT
# Seeing many files under other IDs: an ID-mapped mount beside "chown -R", on an ext4 that has all of them in
# memory already. IDM_BENCH_FILES says how many; 1,000,000 otherwise, for which a gigabyte and a half of memory
# is needed.
set -eu
. "$(dirname "$0")/measure.sh"

files=${IDM_BENCH_FILES:-1000000}
[ "${IDM_BENCH_SMOKE:-}" != 1 ] || files=100
if [ "$((files % 100))" != 0 ]; then
  echo "$0: IDM_BENCH_FILES has to be a multiple of 100" >&2
  exit 2
fi
question="seeing $files files under other IDs"

# A KiB for each on disk, and another for its inode in memory.
need=$((files * 2 + 200000))
available=$(awk '/^MemAvailable:/ { print $2 }' /proc/meminfo)
if [ "$available" -lt "$need" ]; then
  skipped "$question" 'memory is short'
  exit 0
fi

truncate -s $((files * 1024 + 134217728)) "$place/bench.image"
mkfs.ext4 -q -N $((files + 20000)) -E lazy_itable_init=1,lazy_journal_init=1 "$place/bench.image"
mkdir "$place/disk" "$place/seen" "$place/one"
mount -o loop "$place/bench.image" "$place/disk"
mkdir "$place/disk/many" "$place/disk/few"
touch "$place/disk/few/file"
per=$((files >= 100000 ? 1000 : 100))
seq -w "$per" >"$place/names"
for ((i = 0; i < files / per; i++)); do
  mkdir "$place/disk/many/$i"
  (cd "$place/disk/many/$i" && xargs touch <"$place/names")
done

mounted() { # DIRECTORY TARGET, as words of a command that sees a file there
  printf '%s\n' "$idmount" mount -o nosuid,nodev -m 0:100000:65536 "$1" "$2" + stat "$2" + "$idmount" umount "$2"
}
mapfile -t many < <(mounted "$place/disk/many" "$place/seen")
mapfile -t few < <(mounted "$place/disk/few" "$place/one")

"$commands" --question "$question" --at-least 1 --rounds 3 \
  @ 'mount, stat, umount' "${many[@]}" \
  @ 'chown -R' chown -R 100000:100000 "$place/disk/many" + chown -R 0:0 "$place/disk/many"
"$commands" --question "seeing $files files beside seeing one" --rounds 101 --at-most 1.1 \
  @ "$files files" "${many[@]}" \
  @ 'one file' "${few[@]}"
umount "$place/disk"
