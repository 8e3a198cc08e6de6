#!/bin/bash
# shellcheck source-path=SCRIPTDIR
# SPDX-License-Identifier: MIT
# "idmount run -- true" on a busybox root beside bwrap and unshare, which make the same namespaces, but map no
# file. Needs a static busybox and bubblewrap. The lower bound are the bare system calls of the same confinement.
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

"$commands" --question "$question" "${lower_bound[@]}" --at-most 1 --rounds 101 \
  @ idmount "$idmount" run --rootfs "$root" -m 0:100000:65536 -- true \
  @ bwrap bwrap --unshare-all --share-net --bind "$root" / --proc /proc --dev /dev --ro-bind /sys /sys -- true \
  @ unshare unshare -Urmpf --mount-proc true \
  "${last[@]}"
