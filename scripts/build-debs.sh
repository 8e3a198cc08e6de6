#!/bin/sh
# SPDX-License-Identifier: MIT
# Builds packages for Debian from this tree, in a copy of it. Installs what that requires, if it is root.
#
#   scripts/build-debs.sh [DIRECTORY]     the packages are there then; by default in build-debs
set -eu

source=$(cd "$(dirname "$0")/.." && pwd)
mkdir -p "${1:-$source/build-debs}"
result=$(cd "${1:-$source/build-debs}" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM

mkdir "$work/idmount"
tar -C "$source" -c --exclude './build*' --exclude ./.git --exclude ./.cache . | tar -C "$work/idmount" -x
cd "$work/idmount"
if [ "$(id -u)" = 0 ] && ! dpkg-checkbuilddeps 2>/dev/null; then
  apt-get update -qq </dev/null
  DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends build-essential </dev/null >/dev/null
  DEBIAN_FRONTEND=noninteractive apt-get build-dep -qq -y --no-install-recommends ./ </dev/null >/dev/null
fi
dpkg-buildpackage --no-sign
find "$work" -maxdepth 1 -type f -exec cp -t "$result" {} +
find "$work" -maxdepth 1 -name '*.deb' -printf "$result/%f\n"
