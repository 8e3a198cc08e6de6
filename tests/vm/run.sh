#!/bin/bash
# SPDX-License-Identifier: MIT
set -euo pipefail

usage() {
  cat <<'HELP'
Usage: sudo tests/vm/run.sh [OPTION]... [TEST]...

Boots kernels of Debian's in emulated machines, runs the tests there, and prints a table: test by
kernel. TEST is a name in tests/meson.build, those of the suite cli with .bats behind it; without one,
all of the suites unit, integration and concurrent are run. The exit status is not 0 if one failed.

  --kernel K   5.10, 6.1, 6.12 or 7.2; may be repeated. Without it: these four. Other versions are looked
               for in the backports of Debian 13; one release, as 6.12.43, in those of Debian 12.
  --arch A     amd64, arm64 or riscv64; may be repeated. Without it: amd64. For arm64 the kernel is 6.12
               unless one is named. For riscv64 everything is compiled, and nothing is run.
  --short      a small choice of tests, and of kernels unless they are named: 5.10 and 6.1
  --keep DIR   leave there what the machines said, in DIR/ARCH-KERNEL/. Results that earlier runs have left
               there are part of the table and of --doc, if the program, and what it reads, is the same
               still. Of a test that has been run again the last result counts.
  --bench      benchmarks instead of tests, in few rounds: those whose way depends on the kernel. TEST is
               one of mount, overlay, plan and storm. --doc writes their table, into docs/performance.md
  --prepare    get and build everything, and boot nothing
  --tap        print TAP
  --doc FILE   write docs/kernels.md
  --proof      as ./test.sh runs it: --tap --short; with IDM_LONG=1 in the environment, --tap, and everything

Kernels and root filesystems come from Debian's archive, through apt and the mirror that this machine uses,
and are kept in IDM_VM_CACHE, else in ~/.cache/idmount-vm (XDG_CACHE_HOME). The programs are built in
IDM_VM_BUILD, else in build-vm. Needs root, for the owners of files in the images.
HELP
}

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
source=$(cd "$here/../.." && pwd)
cache=${IDM_VM_CACHE:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/idmount-vm}
build=${IDM_VM_BUILD:-$source/build-vm}
title=vm
# shellcheck source=tests/lib/problem.bash
. "$here/../lib/problem.bash"
# shellcheck source=tests/vm/fetch.sh
. "$here/fetch.sh"
# shellcheck source=tests/vm/machine.sh
. "$here/machine.sh"

# What ./test.sh runs always: each tests another part of a kernel, in a few seconds.
short_tests=(map-parse features tree filesystems overlay list umount plan)

# So many seconds has a machine for everything.
machine_seconds=7200
short_machine_seconds=400

kernels=() archs=() names=() report=(table) keep='' doc='' prepare='' short='' tap='' bench=''

# shellcheck disable=SC2317 # called in the end
finish() {
  local status=$?

  ! print_skipped || status=0
  rm -rf "$work"
  exit "$status"
}

add_options() {
  local value

  while [ $# -gt 0 ]; do
    case $1 in
      --kernel | --arch | --keep | --doc)
        [ $# -gt 1 ] || { echo "vm: $1 needs a value; see --help" >&2 && exit 2; }
        value=$2
        ;;
    esac
    case $1 in
      --kernel) [[ $value =~ ^[0-9]+\.[0-9]+(\.[0-9]+)?$ ]] || { echo "vm: $value is not a kernel such as 6.1" >&2 && exit 2; } ;;
      --arch) [[ $value =~ ^(amd64|arm64|riscv64)$ ]] || { echo "vm: $value is neither amd64, arm64 nor riscv64" >&2 && exit 2; } ;;
    esac
    case $1 in
      --kernel) kernels+=("$value") && shift ;;
      --arch) archs+=("$value") && shift ;;
      --keep) keep=$value && shift ;;
      --doc) doc=$value && shift ;;
      --bench) bench=yes ;;
      --prepare) prepare=yes ;;
      --short) short=yes ;;
      --tap) tap=yes ;;
      --proof)
        tap=yes
        if [ "${IDM_LONG:-}" = 1 ]; then archs=(amd64 arm64 riscv64); else short=yes; fi
        ;;
      --help | -h) usage && exit ;;
      -*) echo "vm: unknown option $1; see --help" >&2 && exit 2 ;;
      *) names+=("$1") ;;
    esac
    shift
  done
}

need() { # COMMAND PACKAGE
  command -v "$1" >/dev/null || problem "$1 is missing: install $2"
}

# ---- what is run ----

# Lines "SUITE NAME" of all tests that can be asked for.
known_tests() { # ARCH
  if [ -n "$bench" ]; then
    printf 'bench %s\n' mount overlay plan storm
    return
  fi
  meson introspect --tests "$build/$1" | python3 -c '
import json, sys
for test in json.load(sys.stdin):
    suite = test["suite"][0].split(":")[-1]
    bats = suite == "cli" and test["cmd"][-1].endswith(".bats") and test["name"] not in ("examples", "install")  # of the whole build
    if suite in ("unit", "integration", "concurrent", "hostile") or bats:
        print(suite, test["name"] + (".bats" if bats else ""))'
}

chosen_tests() { # ARCH
  local known name

  known=$(known_tests "$1")
  if [ ${#names[@]} -gt 0 ]; then
    for name in "${names[@]}"; do
      awk -v name="$name" '$2 == name { print; found = 1 } END { exit !found }' <<<"$known" ||
        problem "there is no test $name"
    done
  else
    grep -vE '^(cli|hostile) ' <<<"$known"
  fi
}

# The sum of a program, and of what it reads: results of different programs have different ones.
sum_of() { # FILE...
  cat "$@" "$work/inputs" | sha256sum | cut -d' ' -f1
}

# Of what all programs read: the binaries beside them, the header, and fixtures.
sum_of_inputs() { # ARCH
  (cd "$source" && find include tests/fixtures tests/vm/guest -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum &&
    cd "$build/$1" && sha256sum idmount mount.idmap idmountd) >"$work/inputs"
}

# What scripts read, too: each other.
sum_of_scripts() {
  (cd "$source" && find completion man tests/cli tests/engines tests/hostile tests/lib -type f -print0 | LC_ALL=C sort -z |
    xargs -0 sha256sum) | sha256sum | cut -d' ' -f1
}

program_of() { # ARCH SUITE NAME
  case $2 in
    bench) echo "$build/$1/bench/$3" ;;
    *) echo "$build/$1/tests/test-$3" ;;
  esac
}

# Lines "NAME SUM" of all programs that can be asked for and are not scripts: kept results of others do not count.
write_sums() { # ARCH
  local suite name

  sum_of_inputs "$1"
  known_tests "$1" | grep -vE '^(cli|hostile) ' | while read -r suite name; do
    [ ! -e "$(program_of "$1" "$suite" "$name")" ] || echo "$name $(sum_of "$(program_of "$1" "$suite" "$name")")"
  done >"$results/sums-$1"
}

cross_file() { # ARCH: for meson
  local cpu=aarch64 name=aarch64-linux-gnu

  [ "$1" = arm64 ] || { cpu=riscv64 && name=riscv64-linux-gnu; }
  # Of libsubid only its header is needed, which is the same everywhere: it is loaded when it is asked for.
  mkdir -p "$build/headers-$1"
  [ ! -e /usr/include/shadow/subid.h ] || ln -sfn /usr/include/shadow "$build/headers-$1/shadow"
  cat <<CROSS
[binaries]
c = '$name-gcc'
ar = '$name-ar'
strip = '$name-strip'
pkgconfig = 'pkg-config'
[built-in options]
c_args = ['-I$build/headers-$1']
[properties]
pkg_config_libdir = '$(pkg-config --variable pc_path pkg-config)'
[host_machine]
system = 'linux'
cpu_family = '$cpu'
cpu = '$cpu'
endian = 'little'
CROSS
}

# All programs, in $build/ARCH. The library is in each; libc is that of the machines: of the same release.
build_tests() { # ARCH
  local options=() targets=() suite name

  mkdir -p "$build"
  # Another run may build there.
  exec 8>"$build/lock"
  flock 8
  if [ "$1" != "$(dpkg --print-architecture)" ]; then
    cross_file "$1" >"$build/$1.cross"
    options=(--cross-file "$build/$1.cross")
  fi
  if [ ! -e "$build/$1/build.ninja" ]; then
    meson setup "$build/$1" "$source" -Dwerror=true -Ddebug=false -Dman=disabled -Dc_link_args=-s "${options[@]}" >"$work/log" 2>&1 ||
      { cat "$work/log" >&2 && problem "the tests for $1 cannot be configured"; }
  fi
  # What is to be built may have changed since.
  nice ninja -C "$build/$1" build.ninja >"$work/log" 2>&1 ||
    { cat "$work/log" >&2 && problem "the tests for $1 cannot be configured"; }
  chosen_tests "$1" >"$work/chosen"
  known_tests "$1" | sed -nE '/^(cli|hostile) /!s/^.* //p' >"$results/known"
  # Not the shared library, which nothing of this is linked with.
  while read -r suite name; do
    case $suite in
      cli) ;;
      bench) targets+=("bench/$name") ;;
      hostile) targets+=(tests/attack tests/attack-library) ;;
      *) targets+=("tests/test-$name") ;;
    esac
  done <"$work/chosen"
  # Kept results count if their programs are what they were.
  [ -z "$keep" ] || [ -n "$bench" ] || mapfile -t -O "${#targets[@]}" targets < <(sed 's:^:tests/test-:' "$results/known")
  targets+=(idmount mount.idmap idmountd)
  nice ninja -C "$build/$1" "${targets[@]}" >"$work/log" 2>&1 ||
    { cat "$work/log" >&2 && problem "the tests for $1 do not compile"; }
  exec 8>&-
}

# The disk with what is run. In the machine it is /share.
make_share() { # ARCH
  local share=$work/share suite name scripts sum

  scripts=$(sum_of_scripts)
  rm -rf "$share"
  mkdir -p "$share/source" "$share/build" "$share/tests"
  cp -r "$source"/{completion,include,man,tests} "$share/source/"
  cp "$build/$1/idmount" "$build/$1/mount.idmap" "$build/$1/idmountd" "$share/build/"
  cp "$here/guest" "$share/guest"
  chmod 755 "$share/guest"
  while read -r suite name; do
    if [ "$suite" = bench ]; then
      sum=$(sum_of "$build/$1/bench/$name")
      cp "$build/$1/bench/$name" "$share/tests/bench-$name"
      # A tmpfs can be mapped since Linux 6.3 only.
      echo "$name $sum env IDM_BENCH_PLACE=/disk IDM_BENCH_ROUNDS=5 IDM_BENCH_ROWS=/dev/stdout /share/tests/bench-$name"
    elif [ "$suite" = cli ]; then
      echo "$name $scripts bats --tap /share/source/tests/cli/$name"
    elif [ "$suite" = hostile ]; then
      cp "$build/$1/tests/attack" "$build/$1/tests/attack-library" "$share/tests/"
      echo "$name $scripts /share/source/tests/hostile/escapes.py --group ${name#escapes-}"
    else
      cp "$build/$1/tests/test-$name" "$share/tests/"
      echo "$name $(sum_of "$build/$1/tests/test-$name") /share/tests/test-$name"
    fi
  done <"$work/chosen" >"$share/list"
  echo "idmount-check $(sum_of "$build/$1/idmount") /share/build/idmount check --json" >>"$share/list"
  make_image "$work/share.img" share "$share" 64
  rm -rf "$share"
}

# ---- machines ----

# The output of the tests is in the file `output`, that of the kernel in the file `console`.
boot() { # KERNEL ARCH SECONDS
  local place=$results/$2-$1 disk kept

  mkdir -p "$place"
  # What is there already stays: the report drops what is of other programs.
  for kept in output console; do
    [ ! -e "$place/$kept" ] || cat "$place/$kept" >>"$place/earlier-$kept"
  done
  make_initramfs "$1" "$2"
  disks=()
  for disk in "root:$cache/$2/$root.img" "modules:$cache/$2/linux-$1/modules.img" "share:$work/share.img" "disk:$work/disk.img"; do
    add_disk "${disk%%:*}" "${disk#*:}"
  done
  boot_machine "$place" "$1" "$2" "$3"
  cp "$cache/$2/linux-$1/release" "$place/release"
}

run_arch() { # ARCH
  local these=("${kernels[@]}") kernel extra=()

  build_tests "$1"
  write_sums "$1"
  # There is no machine of Debian 12's for it.
  if [ "$1" = riscv64 ]; then
    mkdir -p "$results/$1"
    wc -l <"$work/chosen" >"$results/$1/compiled"
    return
  fi
  if [ ${#these[@]} = 0 ]; then
    these=(5.10 6.1 6.12 7.2)
    [ -z "$short" ] || these=(5.10 6.1)
    [ -z "$bench" ] || these=(6.1 6.12 7.2)
    [ "$1" != arm64 ] || these=(6.12)
  fi
  root=root
  if [ -z "$short" ]; then
    root='root-more'
    extra=("${more_packages[@]}")
  fi
  (
    flock 9
    for kernel in "${these[@]}"; do
      fetch_kernel "$kernel" "$1"
    done
    fetch_root "$1" "$root" "${packages[@]}" "${extra[@]}"
  ) 9>"$cache/lock"
  [ -z "$prepare" ] || return 0
  make_share "$1"
  for kernel in "${these[@]}"; do
    boot "$kernel" "$1" "$([ -n "$short" ] && echo "$short_machine_seconds" || echo "$machine_seconds")"
  done
}

needed_packages() { # ARCH
  case $1 in
    amd64) need qemu-system-x86_64 qemu-system-x86 ;;
    arm64)
      need qemu-system-aarch64 qemu-system-arm
      need aarch64-linux-gnu-gcc 'gcc-aarch64-linux-gnu and libc6-dev-arm64-cross'
      ;;
    riscv64) need riscv64-linux-gnu-gcc 'gcc-riscv64-linux-gnu and libc6-dev-riscv64-cross' ;;
  esac
}

add_options "$@"
[ ${#archs[@]} -gt 0 ] || archs=(amd64)
[ -z "$short" ] || [ ${#names[@]} -gt 0 ] || names=("${short_tests[@]}")
[ -z "$tap" ] || report=(tap)
mkdir -p "$cache"
work=$(mktemp -d "$cache/work.XXXXXX")
trap finish EXIT
trap 'exit 1' HUP INT TERM

main() {
  local arch

  [ "$(id -u)" = 0 ] || problem "it needs root"
  # The programs want the libc that they were linked with, or a newer one.
  [ -n "$release" ] || problem "it needs Debian, for the packages of the machines"
  need apt-get apt
  need meson meson
  need depmod kmod
  need busybox busybox-static
  need mkfs.ext4 e2fsprogs
  need xz xz-utils
  for arch in "${archs[@]}"; do
    needed_packages "$arch"
  done
  results=$work/results
  [ -z "$keep" ] || results=$(mkdir -p "$keep" && cd "$keep" && pwd)
  mkdir -p "$results"
  truncate -s 512M "$work/disk.img"
  mkfs.ext4 -q -F -O ^metadata_csum_seed,^orphan_file -L disk "$work/disk.img"
  for arch in "${archs[@]}"; do
    run_arch "$arch"
  done
  [ -z "$prepare" ] || return 0
  if [ -n "$bench" ]; then
    "$source/bench/lib/table.py" machines "$results" ${doc:+"$doc"}
    return
  fi
  [ -z "$doc" ] || report+=(--doc "$doc")
  python3 "$here/report.py" "${report[@]}" "$results"
}

main
exit
