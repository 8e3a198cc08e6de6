#!/bin/bash
# SPDX-License-Identifier: MIT
set -euo pipefail

usage() {
  cat <<'HELP'
Usage: sudo tests/roots/run.sh [OPTION]... [TEST]...
       sudo tests/roots/run.sh [OPTION]... --command COMMAND...

Makes a root filesystem of another release of Debian's, builds this tree in it, and runs tests there. TEST is a name in
tests/meson.build, or a suite with a colon behind it; without one, a choice of them is run. The exit status is not 0 if one failed.

  --suite S    bookworm, trixie or sid; without it: trixie
  --command    run COMMAND there instead, in a shell: this tree is at /source, a build directory at /build
  --bare       with nothing installed but apt
  --packaging  with what builds and checks packages, and nothing else
  --fresh      with what scripts/install-packages.sh installs for a build, and nothing else
  --network    with the host's network
  --prepare    make the root filesystem, and run nothing
  --proof      as ./test.sh runs it: print TAP; with IDM_LONG=1 in the environment in sid, too

Packages come from Debian's archive, through the mirror that this machine's apt uses. They and the root filesystems
are kept in IDM_ROOT_CACHE, else in ~/.cache/idmount-roots (XDG_CACHE_HOME). Remove it to get newer ones. The programs
are built in IDM_ROOT_BUILD, else in build-roots. Needs root.
HELP
}

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
source=$(cd "$here/../.." && pwd)
cache=${IDM_ROOT_CACHE:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/idmount-roots}
build=${IDM_ROOT_BUILD:-$source/build-roots}
title=roots
# shellcheck source=tests/lib/problem.bash
. "$here/../lib/problem.bash"
# shellcheck source=tests/roots/root.sh
. "$here/root.sh"

# To build, and what the tests call.
packages=(
  acl attr bats bsdextrautils btrfs-progs buildah busybox-static catatonit containerd crun dpkg-dev e2fsprogs
  erofs-utils fish gcc jq kmod libc6-dev libcap2-bin libsubid-dev meson mount ninja-build passwd pkg-config podman
  procps protobuf-compiler psmisc python3 python3-grpcio python3-kubernetes python3-protobuf runc scdoc
  squashfs-tools uidmap util-linux-extra xfsprogs zsh
)
# To build packages of Debian and of others, and to check them.
packaging_packages=(
  autopkgtest build-essential debhelper dh-python libsubid-dev lintian man-db meson pkg-config python3 rpm rpmlint scdoc
)
# The parts in which releases differ: the compiler, libc, mount(8), and the engines.
chosen_tests=(
  unit: features tree filesystems overlay list umount child
  map mount helper
  cases containerd containerd-config cri docs podman rootless-images rootless-volumes
)

suite=trixie packages_of='' network='' prepare='' tap='' command='' names=()

# shellcheck disable=SC2317 # called in the end
finish() {
  local status=$?

  trap '' HUP INT TERM
  ! print_skipped || status=0
  remove_traces || true
  rm -rf --one-file-system "$work"
  exit "$status"
}

refuse() {
  echo "roots: $*; see --help" >&2
  exit 2
}

add_options() {
  while [ $# -gt 0 ]; do
    case $1 in
      --suite)
        [[ ${2-} =~ ^(bookworm|trixie|sid)$ ]] || refuse "expected --suite bookworm, trixie or sid, got ${2-nothing}"
        suite=$2 && shift
        ;;
      --bare | --packaging | --fresh) packages_of=${1#--} ;;
      --network) network=yes ;;
      --prepare) prepare=yes ;;
      --proof) tap=yes ;;
      --command) command=yes && shift && names=("$@") && return ;;
      --help | -h) usage && exit ;;
      -*) refuse "unknown option $1" ;;
      *) names+=("$1") ;;
    esac
    shift
  done
}

need() { # COMMAND PACKAGE
  command -v "$1" >/dev/null || problem "$1 is missing: install $2"
}

# In the root, with names of tests. A name with a colon is that of a suite.
# shellcheck disable=SC2016 # for the inner shell
build_and_test='
  cd /source
  [ -e /build/build.ninja ] || meson setup /build -Dwerror=true -Ddebug=false >/build/setup.txt 2>&1 || { cat /build/setup.txt >&2 && exit 1; }
  ninja -C /build -k 0 >/build/ninja.txt 2>&1 || { grep -v "^\[[0-9]*/[0-9]*\] " /build/ninja.txt | tail -n 80 >&2 && exit 1; }
  rm -rf /build/meson-logs/testlog.json
  for name; do
    shift
    case $name in
      *:) list=$(meson test -C /build --no-rebuild --list --suite "${name%:}" | sed -n "s,.* / ,,p; s,.* - idmount:,,p")
        [ -n "$list" ] || { echo "the suite $name has no tests" >&2 && exit 1; }
        set -- "$@" $list ;;
      *) set -- "$@" "$name" ;;
    esac
  done
  meson test -C /build --no-rebuild "$@" >/build/meson-logs/output.txt 2>&1
  [ -s /build/meson-logs/testlog.json ] || { tail -n 20 /build/meson-logs/output.txt >&2 && exit 1; }
'

# What a release has besides: engines, and the API server's code.
add_packages_of_suite() {
  case $suite in
    # tests/meson.build says why not in Debian 12.
    trixie | sid) packages+=(docker.io docker-cli) && chosen_tests+=(docker kube-play) ;;
  esac
  # libsubid 4.20 in sid rejects ranges past the last ID by itself, and two of these tests expect idmount's own error.
  [ "$suite" = sid ] || chosen_tests+=(subid)
  [ "$suite" != sid ] || { packages+=(golang-go golang-k8s-apiserver-dev) && chosen_tests+=(admission); }
}

choose_packages() {
  case $packages_of in
    '') add_packages_of_suite ;;
    bare) packages=() ;;
    fresh) mapfile -t packages < <(sed -n 's/^build *\([^ ?]*\).*/\1/p' "$source/scripts/install-packages.sh") ;;
    packaging)
      packages=("${packaging_packages[@]}")
      # For the directory of units: systemd.pc has moved.
      [ "$suite" = bookworm ] && packages+=(systemd) || packages+=(systemd-dev)
      ;;
  esac
}

run_suite() { # SUITE
  local suite=$1 packages=("${packages[@]}") chosen_tests=("${chosen_tests[@]}") name

  choose_packages
  name=$suite${packages_of:+-$packages_of}
  make_root "$name" "$suite" "${packages[@]}"
  [ -z "$prepare" ] || return 0
  if [ -n "$command" ]; then
    run_in_root "$name" "$build/$name" bash -c "${names[*]}"
    return
  fi
  [ ${#names[@]} -eq 0 ] || chosen_tests=("${names[@]}")
  run_in_root "$name" "$build/$suite" sh -c "$build_and_test" sh "${chosen_tests[@]}" ||
    { echo "roots: the tests cannot be built or run in $suite" >&2 && exit 1; }
}

main() {
  local suites=("$suite")

  [ "$(id -u)" = 0 ] || problem "it needs root"
  [ -n "$release" ] || problem "it needs Debian, for the packages of a root filesystem"
  need apt-get apt
  need debootstrap debootstrap
  need busybox busybox-static
  [ -z "$tap" ] || [ "${IDM_LONG:-}" != 1 ] || suites+=(sid)
  for suite in "${suites[@]}"; do
    run_suite "$suite"
    remove_traces
  done
  [ -n "$prepare$command" ] || "$here/report.py" "$build" "${suites[@]}"
}

add_options "$@"
mkdir -p "$cache"
work=$(mktemp -d "$cache/work.XXXXXX")
trap finish EXIT
trap 'exit 1' HUP INT TERM
main
exit
