#!/bin/bash
# SPDX-License-Identifier: MIT
set -euo pipefail

usage() {
  cat <<'END'
Usage: scripts/musl.sh [--source DIR] PLACE

Prepares what static programs of a few hundred kB are made with: json-c for musl, of which Debian has the source
alone, and PLACE/musl.ini, which tells meson of it:

  scripts/musl.sh build-musl-libs
  meson setup build-musl --native-file build-musl-libs/musl.ini -Dstatic=true -Dtests=false --buildtype=minsize
  ninja -C build-musl

  --source DIR  the unpacked source of json-c; without it, that of this Debian release is got through apt and
                the mirror that this machine uses, and verified by it

Needs musl-gcc (musl-tools), cmake, make, the kernel's headers (linux-libc-dev), and without --source
dpkg-source (dpkg-dev).
END
}

problem() {
  echo "musl.sh: $*" >&2
  exit 1
}

need() { # COMMAND PACKAGE
  command -v "$1" >/dev/null || problem "$1 is missing: install $2"
}

source_of_json_c='' place=''
while [ $# -gt 0 ]; do
  case $1 in
    --source)
      [ -d "${2:-}" ] || { echo "musl.sh: --source needs a directory; see --help" >&2 && exit 2; }
      source_of_json_c=$(realpath "$2") && shift
      ;;
    --help | -h) usage && exit ;;
    -*) echo "musl.sh: $1: unknown option; see --help" >&2 && exit 2 ;;
    *)
      [ -z "$place" ] || { echo "musl.sh: $1: one PLACE is enough; see --help" >&2 && exit 2; }
      place=$1
      ;;
  esac
  shift
done
[ -n "$place" ] || { echo "musl.sh: PLACE is missing; see --help" >&2 && exit 2; }

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
mkdir -p "$place"
place=$(realpath "$place")
[ ! -e "$place/musl.ini" ] || exit 0
need musl-gcc musl-tools
need cmake cmake
need make make
work=$(mktemp -d "$place/work.XXXXXX")
trap 'rm -rf "$work"' EXIT

# The kernel's headers, and nothing else that glibc has beside them: musl-gcc knows its own alone.
link_headers() {
  local triple name

  triple=$(gcc -print-multiarch)
  mkdir -p "$place/include"
  for name in linux asm-generic "$triple/asm"; do
    [ -d "/usr/include/$name" ] || problem "/usr/include/$name is missing: install linux-libc-dev"
    ln -sfn "/usr/include/$name" "$place/include/$(basename "$name")"
  done
}

# Prints the directory that it is unpacked to.
get_source() {
  need dpkg-source dpkg-dev
  (
    cache=$work
    # shellcheck source=scripts/own-apt.sh
    . "$here/own-apt.sh"
    [ -n "$release" ] || problem 'this is not Debian: --source has to say where the source of json-c is'
    enter_suite "$release" "$(dpkg --print-architecture)" deb-src
    cd "$work"
    apt-get source -qq --download-only json-c >log 2>&1 || { cat log >&2 && problem 'the source of json-c cannot be got'; }
    dpkg-source --extract ./json-c_*.dsc json-c >log 2>&1 || { cat log >&2 && problem 'the source of json-c cannot be unpacked'; }
  )
}

build_json_c() { # SOURCE
  {
    CFLAGS='-Os -ffunction-sections -fdata-sections' cmake -S "$1" -B "$work/build" -DCMAKE_C_COMPILER=musl-gcc \
      -DCMAKE_BUILD_TYPE=None -DBUILD_SHARED_LIBS=OFF -DBUILD_TESTING=OFF -DDISABLE_WERROR=ON \
      -DCMAKE_INSTALL_PREFIX="$place" -DCMAKE_INSTALL_LIBDIR=lib &&
      make -C "$work/build" install
  } >"$work/log" 2>&1 || { tail -n 40 "$work/log" >&2 && problem 'json-c does not compile'; }
}

link_headers
if [ -z "$source_of_json_c" ]; then
  get_source
  source_of_json_c=$work/json-c
fi
build_json_c "$source_of_json_c"
cat >"$work/musl.ini" <<END
[binaries]
c = 'musl-gcc'
pkgconfig = 'pkg-config'
[built-in options]
c_args = ['-idirafter', '$place/include']
[properties]
pkg_config_libdir = '$place/lib/pkgconfig'
END
mv "$work/musl.ini" "$place/musl.ini"
