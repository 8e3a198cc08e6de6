#!/bin/bash
# SPDX-License-Identifier: MIT
# static-program.sh BUILD: builds the program of docs/engines.md, "A static program", in BUILD/static, and prints its
# path. A program that is up to date costs a fraction of a second. Fails without musl-tools, meson or ninja. Its words
# are in BUILD/static.log then.
set -eu
source=$(realpath "$(dirname "$0")/../..")
build=$(realpath "$1")

build_static() {
  "$source/scripts/musl.sh" "$build/static-musl"
  if [ ! -f "$build/static/build.ninja" ]; then
    CC=musl-gcc meson setup "$build/static" "$source" --native-file "$build/static-musl/musl.ini" \
      -Dstatic=true -Dtests=false --buildtype=minsize
  fi
  ninja -C "$build/static" idmount
}

build_static >"$build/static.log" 2>&1
echo "$build/static/idmount"
