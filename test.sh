#!/bin/bash
# SPDX-License-Identifier: MIT
# Builds everything in every way and runs every test. Installs what it needs (Debian, Ubuntu).
#
#   sudo ./test.sh [--quick]
#
#   --quick   one build instead of four
#
# As root all tests run, each in a mount namespace of its own; without root those that need it are
# skipped, which is a failure where CI=true is set. Leaves nothing but build-test/.
set -u
cd "$(dirname "$0")" || exit 1

quick=
case ${1:-} in
  '') ;;
  --quick) quick=1 ;;
  *)
    sed -n '3,11s/^# \{0,1\}//p' "$0"
    [ "${1:-}" = --help ] && exit 0
    exit 2
    ;;
esac

[ "${CI:-}" != true ] || export IDM_MUST_RUN=1
scripts/install-packages.sh test || exit 1

builds=() # those whose tests have been run
broken=

# Says what happens, and shows the whole output only if it goes wrong.
step() {
  local what=$1 log start=$SECONDS
  shift
  log=$(mktemp)
  printf '%-60s' "$what"
  if "$@" >"$log" 2>&1 </dev/null; then
    printf 'good  %4d s\n' $((SECONDS - start))
  else
    printf 'WRONG %4d s\n' $((SECONDS - start))
    tail -n 400 "$log"
    broken=1
    rm -f "$log"
    return 1
  fi
  rm -f "$log"
}

# build NAME COMPILER [MESON-OPTION]...
build() {
  local name=$1 compiler=$2
  shift 2
  rm -rf "build-test/$name"
  step "build $name" env CC="$compiler" meson setup "build-test/$name" -Dwerror=true "$@" &&
    step "compile $name" ninja -C "build-test/$name"
}

# run NAME [MESON-TEST-OPTION]...
run() {
  local name=$1
  shift
  builds+=("build-test/$name")
  step "test $name" meson test -C "build-test/$name" --no-rebuild --print-errorlogs "$@"
}

build plain gcc && run plain
if [ -z "$quick" ]; then
  build clang clang
  build address gcc -Db_sanitize=address,undefined -Db_lundef=false && run address
  build thread gcc -Db_sanitize=thread -Db_lundef=false && run thread --suite concurrent
fi

scripts/sum.py "${builds[@]}"
status=$?
[ -z "$broken" ] || exit 1
exit $status
