#!/bin/bash
# SPDX-License-Identifier: MIT
set -euo pipefail

usage() {
  cat <<'HELP'
Usage: sudo tests/boot/run.sh [OPTION]...

Boots Debian in emulated machines, with systemd as the first process and ID-mapped mounts in fstab and in units, and
prints TAP. One machine boots as usual. Another one lacks a source in fstab.

  --suite S    bookworm (systemd 252, Linux 6.1) or trixie (systemd 257, Linux 6.12); may be repeated. Without it: both,
               or trixie alone if this machine is newer than bookworm
  --keep DIR   leave there what the machines said, in DIR/SUITE-BOOT/
  --prepare    get everything, and boot nothing
  --proof      as ./test.sh runs it: without --suite bookworm alone, unless IDM_LONG=1 is in the environment

The programs are those of IDM_BUILD_ROOT, else of build-gcc. Kernels are in the cache of tests/vm/run.sh, and root
filesystems in that of tests/roots/run.sh. Needs root.
HELP
}

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
source=$(cd "$here/../.." && pwd)
caches=${XDG_CACHE_HOME:-${HOME:-/root}/.cache}
cache=${IDM_VM_CACHE:-$caches/idmount-vm}
root_cache=${IDM_ROOT_CACHE:-$caches/idmount-roots}
build=${IDM_BUILD_ROOT:-$source/build-gcc}
title=boot
# shellcheck source=tests/lib/problem.bash
. "$here/../lib/problem.bash"
# shellcheck source=tests/lib/number-results.bash
. "$here/../lib/number-results.bash"
# shellcheck source=tests/vm/fetch.sh
. "$here/../vm/fetch.sh"
# shellcheck source=tests/vm/machine.sh
. "$here/../vm/machine.sh"
# shellcheck source=tests/roots/root.sh
. "$here/../roots/root.sh"

# So many seconds has a machine for everything.
machine_seconds=1500

suites=() keep='' prepare='' tap=''

# shellcheck disable=SC2317 # called in the end
finish() {
  local status=$?

  ! print_skipped || status=0
  rm -rf "$work"
  exit "$status"
}

refuse() {
  echo "boot: $*; see --help" >&2
  exit 2
}

# The programs want the libc that they were linked with, or a newer one.
choose_suites() {
  suites=(trixie)
  [ "$release" = bookworm ] || return 0
  suites=(bookworm)
  [ -n "$tap" ] && [ "${IDM_LONG:-}" != 1 ] || suites+=(trixie)
}

add_options() {
  while [ $# -gt 0 ]; do
    case $1 in
      --suite)
        [[ ${2-} =~ ^(bookworm|trixie)$ ]] || refuse "expected --suite bookworm or trixie, got ${2-nothing}"
        suites+=("$2") && shift
        ;;
      --keep) keep=${2:?boot: --keep needs a directory} && shift ;;
      --prepare) prepare=yes ;;
      --proof) tap=yes ;;
      --help | -h) usage && exit ;;
      *) refuse "unknown option $1" ;;
    esac
    shift
  done
  [ ${#suites[@]} != 0 ] || choose_suites
}

need() { # COMMAND PACKAGE
  command -v "$1" >/dev/null || problem "$1 is missing: install $2"
}

kernel_of() { # SUITE
  case $1 in
    bookworm) echo 6.1 ;;
    trixie) echo 6.12 ;;
  esac
}

# A root filesystem with systemd, as an image.
fetch_system() { # SUITE
  local image=$cache/$arch/boot-$1.img tree

  mkdir -p "$root_cache"
  cache=$root_cache make_root "boot-$1" "$1" dbus kmod systemd-sysv udev
  [ "$image" -nt "$root_cache/boot-$1-$arch.packages" ] && return
  tree=$work/tree
  cp -a "$root_cache/boot-$1-$arch" "$tree"
  mkdir "$tree"/{disk,modules,share}
  rm -rf "$tree"/usr/lib/modules "$tree"/var/lib/apt/lists/* "$tree"/var/cache/apt/*
  ln -s /modules "$tree/usr/lib/modules"
  make_image "$work/system.img" root "$tree" 100
  mv "$work/system.img" "$image"
  rm -rf "$tree"
}

fetch() { # SUITE
  (
    flock 9
    fetch_kernel "$(kernel_of "$1")" "$arch"
    fetch_system "$1"
  ) 9>"$cache/lock"
  # Of any release: it is static.
  [ -e "$cache/$arch/busybox" ] || cp -L "$(command -v busybox)" "$cache/$arch/busybox"
}

# The disk with the installed programs and units, and with this directory.
make_share() {
  local share=$work/share

  mkdir -p "$share"
  meson install -C "$build" --no-rebuild --quiet --strip --destdir "$share/all" >"$work/log" 2>&1 ||
    { cat "$work/log" >&2 && problem "the programs in $build cannot be installed"; }
  mkdir -p "$share/install/usr"/{sbin,local/bin}
  cp -r "$share"/all/usr/local/{bin,lib,sbin} "$share/install/usr/local/"
  cp "$share/all/sbin/mount.idmap" "$share/install/usr/sbin/"
  rm -rf "$share/all" "$share"/install/usr/local/lib/*/*.{a,so*}
  cp -r "$here" "$share/boot"
  cp "$source/tests/lib/check.bash" "$source/debian/tests/mounts" "$share/boot/"
  mkdir -p "$share/boot/normal/units"
  cp "$source"/contrib/systemd/*.{mount,automount} "$share/boot/normal/units/"
  cp "$here/guest" "$share/guest"
  chmod 755 "$share/guest"
  make_image "$work/share.img" share "$share" 8
  truncate -s 64M "$work/disk.img"
  mkfs.ext4 -q -F -O ^metadata_csum_seed,^orphan_file -L disk "$work/disk.img"
}

# One machine. The file PLACE/results has the results.
boot_system() { # SUITE BOOT
  local kernel place=$results/$1-$2 disk

  kernel=$(kernel_of "$1")
  disks=()
  for disk in "root:$cache/$arch/boot-$1.img" "modules:$cache/$arch/linux-$kernel/modules.img" \
    "share:$work/share.img" "disk:$work/disk.img"; do
    add_disk "${disk%%:*}" "${disk#*:}"
  done
  boot_machine "$place" "$kernel" "$arch" "$machine_seconds" systemd.show_status=1 "idm_boot=$2"
}

# The console has a line for each unit that has been stopped, in their order.
stopped_before() { # PLACE UNIT UNIT
  sed 's/\x1b\[[0-9;]*m//g' "$1/console" |
    awk -v first="$2" -v second="$3" '/Unmounted/ {
      if (index($0, first)) seen = NR
      if (index($0, second)) found = seen
    } END { exit !found }'
}

print_results() { # SUITE BOOT
  local place=$results/$1-$2

  tr -d '\r' <"$place/output" | grep -E '^(ok|not ok|#) ' || true
  grep -q '^#vm done' "$place/output" || echo 'not ok - the machine gets to its end'
  [ "$2" = normal ] || return 0
  stopped_before "$place" home-bob-disk.mount srv-disk.mount || echo -n 'not '
  echo 'ok - at the shutdown, a mount is gone before the filesystem of its source'
}

main() {
  local suite boot

  [ "$(id -u)" = 0 ] || problem 'it needs root'
  [ -n "$release" ] || problem 'it needs Debian, for the packages of the machines'
  [ "$arch" = amd64 ] || problem "it has machines for amd64 alone, not for $arch"
  need apt-get apt
  need debootstrap debootstrap
  need busybox busybox-static
  need mkfs.ext4 e2fsprogs
  need depmod kmod
  need xz xz-utils
  need qemu-system-x86_64 qemu-system-x86
  for suite in "${suites[@]}"; do
    fetch "$suite"
  done
  [ -z "$prepare" ] || return 0
  results=$work/results
  [ -z "$keep" ] || results=$(mkdir -p "$keep" && cd "$keep" && pwd)
  make_share
  for suite in "${suites[@]}"; do
    make_initramfs "$(kernel_of "$suite")" "$arch"
    # Both at once.
    boot_system "$suite" emergency &
    boot_system "$suite" normal
    wait
  done
  for suite in "${suites[@]}"; do
    for boot in normal emergency; do
      print_results "$suite" "$boot" | sed "s/^\(ok\|not ok\) - /&$suite: /"
    done
  done | number_results
}

add_options "$@"
mkdir -p "$cache"
work=$(mktemp -d "$cache/work.XXXXXX")
trap finish EXIT
trap 'exit 1' HUP INT TERM
main
exit
