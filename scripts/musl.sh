#!/bin/sh
# SPDX-License-Identifier: MIT
# Writes PLACE/musl.ini for `meson setup --native-file`: musl-gcc, and the kernel's headers. Links to these are in
# PLACE/include, without glibc's headers beside them. Needs musl-tools and linux-libc-dev.
set -eu
[ $# = 1 ] || { echo 'usage: scripts/musl.sh PLACE' >&2 && exit 2; }
mkdir -p "$1/include"
place=$(realpath "$1")
for name in linux asm-generic "$(gcc -print-multiarch)/asm"; do
  ln -sfn "/usr/include/$name" "$place/include/${name##*/}"
done
cat >"$place/musl.ini" <<END
[binaries]
c = 'musl-gcc'
[built-in options]
c_args = ['-idirafter', '$place/include']
END
