#!/bin/bash
# SPDX-License-Identifier: MIT
set -u

usage() {
  cat <<'END'
Usage: sudo ./test.sh [--quick] [--long] [--suite NAME]

Builds idmount with gcc, with clang, with the address, undefined-behaviour and thread sanitizers, to be
fuzzed, and as static programs with glibc and with musl, and runs all tests. Installs what that needs (see
scripts/install-packages.sh). Writes to build-*/ alone. The last line is the count of all single tests; the
exit status is not 0 if one failed.

  --quick       with gcc only
  --long        the proofs in their long form, which takes hours; see docs/testing.md
  --suite NAME  only the tests of this suite: unit, integration, concurrent, cli, engines, hostile, abi,
                bindings, vm, boot, roots, packages, cross, analysis or fuzz, or one of the proofs:
                proof-pid-reuse and so on

Without root the tests that need it are skipped. With CI=true in the environment, a skipped test is a
failed one (IDM_MUST_RUN=1).
END
}

quick= suite=
while [ $# -gt 0 ]; do
  case $1 in
    --quick) quick=yes ;;
    --long) export IDM_LONG=1 ;;
    --suite) suite=${2:?--suite needs a name} && shift ;;
    --help | -h) usage && exit ;;
    *) echo "test.sh: unknown option $1; see --help" >&2 && exit 2 ;;
  esac
  shift
done

cd "$(dirname "$0")" || exit 1
exec </dev/null
no_skip=
if [ "${CI:-}" = true ]; then
  export IDM_MUST_RUN=1
  no_skip=--no-skip
fi
# Thread sanitizers of some releases cannot cope with all the randomness that newer kernels put into addresses.
fixed_addresses=
! setarch -R true 2>/dev/null || fixed_addresses="setarch -R"

tested=() # build directories
targets=  # of a build; all if empty
without=  # a suite that the next tests leave out
chosen=   # the next tests, by name; all if empty
# Most tests wait for the kernel half of their time, or for an emulated machine. So many fill the gaps.
at_once=$((2 * $(nproc) + 1))
failed=0  # besides tests: builds, and what is looked at below

# Shows only what went wrong.
quietly() {
  local log
  log=$(mktemp -p "$directory" log.XXXXXX)
  if "$@" >"$log" 2>&1; then
    rm "$log"
    return 0
  fi
  echo "FAILED: $*"
  grep -v '^\[[0-9]*/[0-9]*\] ' "$log" | tail -n 80 # without ninja's progress
  rm "$log"
  return 1
}

build() { # NAME COMPILER MESON-OPTION...
  local name=$1 compiler=$2
  shift 2
  directory=build-$name
  mkdir -p "$directory"
  printf '%-6s building\n' "$name"
  if [ ! -f "$directory/build.ninja" ]; then
    CC=$compiler quietly meson setup "$directory" -Dwerror=true "$@" || return
  fi
  quietly ninja -C "$directory" $targets
}

run_tests() { # NAME SUITE WRAPPER...
  local name=$1 only=$2 directory=build-$1
  shift 2
  # Not every build has tests of every suite. The list names suites only where there are several.
  if [ -n "$only" ] && ! meson test -C "$directory" --no-rebuild --list --suite "$only" 2>/dev/null | grep -qv '^No suitable'; then
    return
  fi
  printf '%-6s testing: ' "$name"
  rm -f "$directory/meson-logs/testlog.json"
  # shellcheck disable=SC2086 # a list of names
  "$@" meson test -C "$directory" --no-rebuild --num-processes "$at_once" ${without:+--no-suite "$without"} ${IDM_LONG:+--timeout-multiplier=12} ${only:+--suite "$only"} $chosen >"$directory/meson-logs/output.txt" 2>&1
  if [ ! -s "$directory/meson-logs/testlog.json" ]; then
    echo "FAILED: no test was run"
    tail -n 20 "$directory/meson-logs/output.txt"
    failed=$((failed + 1))
    return
  fi
  scripts/summary.py --brief "$directory"
  tested+=("$directory")
}

build_failed() {
  failed=$((failed + 1))
}

mounts() {
  cut -d' ' -f4- /proc/self/mountinfo | sort
}

scripts/install-packages.sh build test ${IDM_LONG:+long} || exit
mounts_before=$(mounts)

if build gcc gcc; then
  run_tests gcc "$suite"
else
  build_failed
fi
if [ -z "$quick" ]; then
  # For its warnings: no program of it runs.
  build clang clang -Doptimization=0 -Ddebug=false || build_failed
  if build static gcc -Dstatic=true --buildtype=minsize -Ddebug=false; then
    # The others run as the static programs with musl, and that of `run` as those for i386 with glibc.
    [ -n "${IDM_LONG:-}" ] || chosen='static apply helper list map'
    [ -n "$suite" ] && [ "$suite" != cli ] || run_tests static cli
    chosen=
  else
    build_failed
  fi
  if directory=build-musl-libs && mkdir -p $directory && quietly scripts/musl.sh $directory &&
    build musl musl-gcc --native-file build-musl-libs/musl.ini -Dstatic=true --buildtype=minsize -Ddebug=false; then
    [ -n "$suite" ] && [ "$suite" != cli ] || run_tests musl cli
  else
    build_failed
  fi
  # With -O1, as the sanitizers' manuals advise: compiling costs two fifths less, and fewer accesses are optimised away.
  if build asan gcc -Db_sanitize=address,undefined -Doptimization=1; then
    # Engines take long. The hook and the front run under the sanitizers in the suite cli, too.
    [ -n "$suite${IDM_LONG:-}" ] || without=engines
    run_tests asan "$suite"
    without=
  else
    build_failed
  fi
  if [ -z "$suite" ] || [ "$suite" = fuzz ] || [ "$suite" = proof-fuzzing ]; then
    targets=fuzz
    if build fuzz clang -Dfuzz=true -Dman=disabled -Db_sanitize=address,undefined; then
      run_tests fuzz fuzz
    else
      build_failed
    fi
    targets=
  fi
  if [ -z "$suite" ] || [ "$suite" = concurrent ]; then
    targets=concurrent
    if build tsan gcc -Db_sanitize=thread; then
      # shellcheck disable=SC2086 # a command and its option, or nothing
      run_tests tsan concurrent $fixed_addresses
    else
      build_failed
    fi
    targets=
  fi
fi

# ---- the summary; its last line is the last line of all ----

mounts_after=$(mounts)
if [ "$mounts_before" != "$mounts_after" ]; then
  echo "FAILED: the mounts are not as before"
  diff <(echo "$mounts_before") <(echo "$mounts_after")
  failed=$((failed + 1))
fi
scripts/summary.py $no_skip --failed "$failed" "${tested[@]}"
