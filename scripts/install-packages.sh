#!/bin/bash
# SPDX-License-Identifier: MIT
# Installs what is needed from the packages of Debian or Ubuntu, as far as it is missing.
#
#   scripts/install-packages.sh build    to build, and for demo.sh
#   scripts/install-packages.sh test     for test.sh
set -eu

# Compiler and build system; json-c for the command, libsubid for "auto", scdoc for the man pages.
build=(gcc libc6-dev meson ninja-build pkg-config libjson-c-dev libsubid-dev scdoc)

test=(
  "${build[@]}"
  g++ clang                   # the header as C++; a second opinion on warnings
  bats jq                     # the tests of the command
  python3                     # the sum of all tests
  acl attr libcap2-bin        # ACLs, extended attributes and file capabilities through a mount
  e2fsprogs xfsprogs btrfs-progs erofs-utils squashfs-tools # filesystems to be mapped
  uidmap                      # newuidmap; /etc/subuid for "auto"
)

case ${1:-} in
  build) wanted=("${build[@]}") ;;
  test) wanted=("${test[@]}") ;;
  *)
    echo "usage: $0 build|test" >&2
    exit 2
    ;;
esac

if ! command -v apt-get >/dev/null; then
  echo "$0: no apt-get here; these packages, or what they are called here, are needed: ${wanted[*]}" >&2
  exit 0
fi

missing=()
for package in "${wanted[@]}"; do
  dpkg-query -W -f '${db:Status-Status}\n' "$package" 2>/dev/null | grep -qx installed || missing+=("$package")
done
[ ${#missing[@]} -gt 0 ] || exit 0

if [ "$(id -u)" != 0 ]; then
  echo "$0: these packages are missing, and installing them needs root: ${missing[*]}" >&2
  exit 1
fi
echo "installing ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
apt-get update -q </dev/null >/dev/null
apt-get install -q -y --no-install-recommends "${missing[@]}" </dev/null >/dev/null
