#!/bin/sh
# SPDX-License-Identifier: MIT
# Installs what building and testing need from the distribution's own packages, if something is missing.
#
#   scripts/install-packages.sh [build] [test] [long]
set -eu

# GROUP PACKAGE why. A "?" behind the name: left out where the release has no such package.
packages() {
  cat <<'END'
build dpkg-dev      tells meson where libraries go
build gcc           compiler; its sanitizers come with it
build libc6-dev     headers of the C library
build libsubid-dev? maps from /etc/subuid
build meson         the build
build ninja-build   the build
build pkg-config    finds where completions go
build scdoc         man pages
test  bats          tests of the command
test  attr          extended attributes through an overlay
test  btrfs-progs   makes a btrfs to map
test  buildah       images of ordinary users
test  bubblewrap    a yardstick of bench/
test  busybox-static a root filesystem to run in
test  catatonit     the first process of podman's pods
test  clang         second opinion on every line; its analyzer
test  cppcheck      a third one
test  codespell     finds what is misspelt
test  libjansson-dev JSON is read by it, too, while fuzzing
test  libjson-c-dev and by this one
test  libclang-rt-14-dev? libFuzzer, and the sanitizers of Debian 12's clang
test  containerd    lists of mounts, from its snapshots
test  crun          bundles to read, containers to map mounts in
test  debian-archive-keyring kernels and root filesystems to test on are verified by it
test  debootstrap   a root filesystem of a newer release to test in
test  kmod          modules of these kernels
test  qemu-system-x86 machines for them
test  xz-utils      modules of these kernels
test  acl           ACLs through a mount
test  e2fsprogs     makes an ext4 to map
test  fish          completion
test  erofs-utils   makes an erofs to map
test  gcc-aarch64-linux-gnu compiles for arm64
test  gcc-arm-linux-gnueabihf compiles for armhf
test  gcc-i686-linux-gnu compiles for i386
test  gcc-powerpc64le-linux-gnu compiles for ppc64el
test  gcc-riscv64-linux-gnu compiles for riscv64
test  gcc-s390x-linux-gnu compiles for s390x
test  golang-go     the package for Go (450 MB on disk)
test  fuse-overlayfs a yardstick of bench/
test  g++           the header as C++
test  jq            JSON that the command prints
test  libcap2-bin   file capabilities through a mount
test  mount         mounts what was made
test  libc6-dev-arm64-cross headers for arm64, and static programs
test  libc6-dev-armhf-cross the same for armhf
test  libc6-dev-i386-cross the same for i386, and a loader for programs
test  libc6-dev-ppc64el-cross the same for ppc64el
test  libc6-dev-riscv64-cross the same for riscv64
test  libc6-dev-s390x-cross the same for s390x
test  musl-tools    static programs that are small
test  mypy          types of the Python package
test  podman        containers with idmount in them
test  procps        finds processes that are left
test  protobuf-compiler talks to containerd as Kubernetes does
test  python3-grpcio talks to containerd as Kubernetes does
test  python3-kubernetes manifests for Kubernetes
test  python3-protobuf talks to containerd as Kubernetes does
test  runc          bundles to read, containers to map mounts in
test  squashfs-tools makes a squashfs to map
test  valgrind      watches the library's memory
test  systemd       boots with the units of the service
test  qemu-user     runs the assembly of other architectures
test  uidmap        maps of ordinary users
test  xfsprogs      makes an xfs to map
test  zsh           completion
long  qemu-system-arm a machine for tests on arm64
END
}

# A program of that name, wherever it is from, will do as well: Docker's containerd.io has a containerd and a
# runc of its own, and would have to go for those of the distribution.
is_installed() {
  [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ] || command -v "$1" >/dev/null
}

# The wanted packages that are not there; those that may be missing keep their "?".
missing() {
  packages | while read -r group package _; do
    case " $* " in
      *" $group "*) is_installed "${package%\?}" || echo "$package" ;;
    esac
  done
}

[ $# -gt 0 ] || set -- build test
if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
  exit 0 # not Debian or its like: the build names what is missing
fi
wanted=$(missing "$@")
[ -n "$wanted" ] || exit 0
if [ "$(id -u)" != 0 ]; then
  required=$(echo "$wanted" | grep -v '?$' || true)
  [ -z "$required" ] && exit 0
  echo "missing packages: $(echo $required)" >&2
  echo "install them, or run this as root" >&2
  exit 1
fi

export DEBIAN_FRONTEND=noninteractive
apt-get update -qq </dev/null
available=
for package in $wanted; do
  case $package in
    *\?) apt-cache show "${package%\?}" >/dev/null 2>&1 || continue ;;
  esac
  available="$available ${package%\?}"
done
[ -n "$available" ] || exit 0
echo "installing$available"
# shellcheck disable=SC2086 # a list of words
apt-get install -qq -y --no-remove --no-install-recommends $available </dev/null >/dev/null
