#!/bin/bash
# SPDX-License-Identifier: MIT
# Shows what idmount does, on a machine that has nothing for it yet. Leaves nothing but build/.
#
#   sudo ./demo.sh
set -eu
cd "$(dirname "$0")"

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
show() { printf '$ %s\n' "$*"; "$@"; }
[ -t 1 ] && [ -z "${NO_COLOR:-}" ] || say() { printf '\n%s\n' "$*"; }

if [ "$(id -u)" != 0 ]; then
  echo "demo.sh: mounting needs root: sudo ./demo.sh" >&2
  exit 1
fi
# A map is a user namespace.
if ! unshare --user true 2>/dev/null; then
  echo "demo.sh: the kernel refuses user namespaces here; causes are a chroot and a container's seccomp filter" >&2
  exit 1
fi

# ---- build ----

# Prints nothing unless the command fails.
quietly() {
  local output
  output=$("$@" 2>&1) || { printf '%s\n' "$output" >&2 && exit 1; }
}

if [ "${IDMOUNT_DEMO_PRIVATE:-}" != 1 ]; then
  scripts/install-packages.sh build
  if [ ! -f build/build.ninja ]; then
    quietly meson setup build -Dtests=false
  fi
  quietly ninja -C build
  # So that its owner can build and install it as README says, without sudo.
  chown -R --reference=. build
  # The rest runs in a mount namespace of its own: the host sees no mount.
  IDMOUNT_DEMO_PRIVATE=1 exec unshare --mount --propagation private "$PWD/demo.sh"
fi

PATH=$PWD/build:$PATH

# ---- a place for files of two owners ----

place=$(mktemp -d)
image=
leave() {
  cd /
  umount -R "$place" 2>/dev/null || :
  rmdir "$place"
  [ -z "$image" ] || rm -f "$image"
}
trap leave EXIT

mount -t tmpfs -o mode=755 demo "$place"
if ! idmount check "$place" >/dev/null 2>&1; then
  # tmpfs can be ID-mapped from Linux 6.3 on; ext4 from 5.12 on.
  umount "$place"
  image=$(mktemp)
  truncate -s 16M "$image"
  mkfs.ext4 -q "$image"
  mount -o loop "$image" "$place"
fi
cd "$place"
mkdir photos for-bob
echo sea >photos/beach.jpg
echo snow >photos/alps.jpg
chown 1000:1000 photos photos/beach.jpg
chown 1001:1001 photos/alps.jpg

# ---- the demonstration ----

say "Files of two owners, 1000 and 1001:"
show ls -ln photos

say "The same files at another place, where those of 1000 are 2000's. No chown:"
show idmount mount -m 1000:2000 --keep-rest photos for-bob
show ls -ln for-bob

say "What 2000 writes there is 1000's on disk:"
show setpriv --reuid 2000 --regid 2000 --clear-groups touch for-bob/new.jpg
show ls -ln photos/new.jpg

say "Every such mount can be listed, with its map:"
show idmount list

say "The map itself, drawn:"
show idmount map -m 1000:2000 --keep-rest

say "And undone:"
show idmount umount for-bob
show idmount list
show ls -ln photos
