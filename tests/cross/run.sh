#!/bin/bash
# SPDX-License-Identifier: MIT
# run.sh [ARCHITECTURE]...: compiles the library, the command and the service for other architectures of Debian, with
# warnings as errors. Runs the assembly of each in an emulator, and the command for i386 by this kernel. Prints TAP.
# The short form does not optimise the library: its warnings and its assembly are what differs between architectures, and
# the assembly is compiled with -O2 besides.
# shellcheck disable=SC2317 # check calls the functions
set -uo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
source=$(cd "$here/../.." && pwd)
build=${IDM_CROSS_BUILD:-$source/build-cross}
[ "${IDM_LONG:-}" = 1 ] && optimization=2 || optimization=0
declare -A emulators=([i386]=qemu-i386 [armhf]=qemu-arm [arm64]=qemu-aarch64 [s390x]=qemu-s390x
  [ppc64el]=qemu-ppc64le [riscv64]=qemu-riscv64)
[ $# -gt 0 ] || set -- i386 armhf arm64 s390x ppc64el riscv64
number=0 failed=0

check() { # DESCRIPTION COMMAND...
  local description=$1

  shift
  number=$((number + 1))
  if "$@" >"$build/log" 2>&1; then
    echo "ok $number - $description"
    return
  fi
  tail -n 40 "$build/log" | sed 's/^/# /'
  echo "not ok $number - $description"
  failed=1
  return 1
}

skip() { # DESCRIPTION REASON
  number=$((number + 1))
  if [ "${IDM_MUST_RUN:-}" = 1 ]; then
    echo "not ok $number - $1: $2"
    failed=1
  else
    echo "ok $number - $1 # SKIP $2"
  fi
}

compiler_of() { # ARCHITECTURE
  sed -n "s/^c = '\(.*\)'/\1/p" "$here/$1.ini"
}

compile() { # ARCHITECTURE DIRECTORY OPTION...
  local architecture=$1 directory=$2

  shift 2
  [ -f "$directory/build.ninja" ] ||
    meson setup "$directory" "$source" --cross-file "$here/$architecture.ini" -Dwerror=true -Ddebug=false -Dman=disabled \
      -Dtests=false -Dsystemdsystemunitdir=no "$@" || return
  ninja -C "$directory"
}

run_assembly() { # ARCHITECTURE DIRECTORY
  "$(compiler_of "$1")" -std=gnu17 -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -O2 -Wall -Wextra -Werror -static -fno-stack-protector \
    -I "$source" -I "$source/include" -o "$2/raw-syscall" "$here/raw-syscall.c" "$source/lib/sys/raw-syscall.c" &&
    "${emulators[$1]}" "$2/raw-syscall"
}

# Programs in namespaces, from the library's executor to its delegate. Static programs need no libraries for i386. The
# long form has all tests that static programs have.
run_command() { # DIRECTORY
  local name names=(run) files=()

  [ "${IDM_LONG:-}" != 1 ] || names=(apply bundle helper list oci-hook oci-runtime overlay run run-confinement umount)
  for name in "${names[@]}"; do
    files+=("$source/tests/cli/$name.bats")
  done
  IDM_SOURCE_ROOT=$source IDM_BUILD_ROOT=$1 IDMOUNT=$1/idmount MOUNT_IDMAP=$1/mount.idmap IDM_LIBC=glibc \
    IDMOUNT_OVERLAYFS=$1/idmount-overlayfs bats --tap "${files[@]}"
}

# On a 64-bit kernel.
try_command() { # ARCHITECTURE DIRECTORY
  check "$1: static programs compile" compile "$1" "$2" -Dstatic=true --buildtype=minsize || return
  if [ "$(id -u)" = 0 ] && "$2/idmount" --version >/dev/null 2>&1; then
    check "$1: the command starts programs in namespaces" run_command "$2"
  else
    skip "$1: the command starts programs in namespaces" 'this kernel runs no such program, or the caller is not root'
  fi
}

try_architecture() { # ARCHITECTURE
  local directory=$build/$1

  if ! command -v "$(compiler_of "$1")" >/dev/null; then
    skip "$1: it compiles" "$(compiler_of "$1") is missing"
    return
  fi
  mkdir -p "$directory"
  check "$1: library, command and service compile without a warning" compile "$1" "$directory" -Dlibsubid=disabled -Doptimization=$optimization || return
  if command -v "${emulators[$1]}" >/dev/null; then
    check "$1: the assembly works" run_assembly "$1" "$directory"
  else
    skip "$1: the assembly works" "${emulators[$1]} is missing: install qemu-user"
  fi
  [ "$1" != i386 ] || try_command "$1" "$directory-static"
}

mkdir -p "$build"
for architecture; do
  [ -f "$here/$architecture.ini" ] || { echo "cross: unknown architecture $architecture" >&2 && exit 2; }
  try_architecture "$architecture"
done
echo "1..$number"
exit $failed
