#!/bin/bash
# shellcheck source-path=SCRIPTDIR
# SPDX-License-Identifier: MIT
# "idmount run -- true" on a busybox root beside bwrap and unshare, which make the same namespaces, but map no
# file. Needs a static busybox and bubblewrap.
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

"$commands" --question "$question" --at-most 1 --rounds 101 \
  @ idmount "$idmount" run --rootfs "$root" -m 0:100000:65536 -- true \
  @ bwrap bwrap --unshare-all --share-net --bind "$root" / --proc /proc --dev /dev --ro-bind /sys /sys -- true \
  @ unshare unshare -Urmpf --mount-proc true
