#!/bin/bash
# SPDX-License-Identifier: MIT
set -euo pipefail

usage() {
  cat <<'END'
Usage: scripts/musl.sh PLACE

Writes PLACE/musl.ini, which tells meson how static programs of a few hundred kB are made with musl:

  scripts/musl.sh build-musl-libs
  meson setup build-musl --native-file build-musl-libs/musl.ini -Dstatic=true -Dtests=false --buildtype=minsize
  ninja -C build-musl

Needs musl-gcc (musl-tools) and the kernel's headers (linux-libc-dev).
END
}

problem() {
  echo "musl.sh: $*" >&2
  exit 1
}

place=''
while [ $# -gt 0 ]; do
  case $1 in
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
command -v musl-gcc >/dev/null || problem 'musl-gcc is missing: install musl-tools'

# The kernel's headers, and nothing else that glibc has beside them: musl-gcc knows its own alone.
triple=$(gcc -print-multiarch)
mkdir -p "$place/include"
place=$(realpath "$place")
for name in linux asm-generic "$triple/asm"; do
  [ -d "/usr/include/$name" ] || problem "/usr/include/$name is missing: install linux-libc-dev"
  ln -sfn "/usr/include/$name" "$place/include/$(basename "$name")"
done
cat >"$place/musl.ini" <<END
[binaries]
c = 'musl-gcc'
[built-in options]
c_args = ['-idirafter', '$place/include']
END
