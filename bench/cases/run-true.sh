#!/bin/bash
# shellcheck source-path=SCRIPTDIR
# SPDX-License-Identifier: MIT
# "idmount run -- true" on a busybox root beside bwrap and unshare, which make the same namespaces, but map no
# file. Needs a static busybox and bubblewrap. The lower bound are the bare system calls of the same confinement.
# Then the same with 10,000 mounts on the host, beside itself with few. There the lower bound is a program in a
# copy of the mount table, which each new mount namespace begins with. The last is an ordinary user's, who maps
# one ID only.
set -eu
. "$(dirname "$0")/measure.sh"

question='idmount run -- true'
for program in busybox bwrap; do
  if ! has "$program"; then
    skipped "$question" "there is no $program"
    exit 0
  fi
done

root=$place/root
mkdir -p "$root"/{bin,proc,dev,sys}
cp "$(type -P busybox)" "$root/bin/busybox"
ln -s busybox "$root/bin/true"

# Before Linux 6.15 there is no lower bound.
bare=("$build/bench/bare-run" "$root" true)
lower_bound=() last=()
if "${bare[@]}" 2>/dev/null; then
  lower_bound=(--lower-bound) last=(@ 'bare system calls' "${bare[@]}")
fi

"$commands" --question "$question" "${lower_bound[@]}" --at-most 1 --at-most 1.1 --rounds 101 \
  @ idmount "$idmount" run --rootfs "$root" -m 0:100000:65536 -- true \
  @ bwrap bwrap --unshare-all --share-net --bind "$root" / --proc /proc --dev /dev --ro-bind /sys /sys -- true \
  @ unshare unshare -Urmpf --mount-proc true \
  "${last[@]}"

"$commands" --question "$question, 10,000 mounts" --lower-bound --at-most 1.2 --rounds 41 --among-mounts \
  @ idmount "$idmount" run --rootfs "$root" -m 0:100000:65536 -- true \
  @ 'the same, few mounts' "$idmount" run --rootfs "$root" -m 0:100000:65536 -- true \
  @ 'unshare -m' unshare -m true

question="$question, ordinary user, 10,000 mounts"
user=(setpriv --reuid 65534 --regid 65534 --clear-groups)
# The user finds the command and the root filesystem here.
chmod 755 "$place"
cp "$idmount" "$place/idmount"
chown -R 65534:65534 "$root"
if ! reason=$("${user[@]}" "$place/idmount" run --rootfs "$root" -m 0:65534:1 -- true 2>&1); then
  skipped "$question" "$(head -n 1 <<<"$reason")"
  exit 0
fi

"$commands" --question "$question" --lower-bound --at-most 1.2 --rounds 41 --among-mounts \
  @ idmount "${user[@]}" "$place/idmount" run --rootfs "$root" -m 0:65534:1 -- true \
  @ 'the same, few mounts' "${user[@]}" "$place/idmount" run --rootfs "$root" -m 0:65534:1 -- true \
  @ 'unshare -Um' "${user[@]}" unshare -Um true
