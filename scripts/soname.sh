#!/bin/sh
# SPDX-License-Identifier: MIT
# Prints the name under which programs look for a shared library: soname.sh LIBRARY.so
set -eu
name=$(readelf -d "$1" | sed -n 's/.*(SONAME).*\[\(.*\)\]$/\1/p')
[ -n "$name" ] || { echo "$1 has no soname" >&2; exit 1; }
echo "$name"
