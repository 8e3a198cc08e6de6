#!/bin/bash
# SPDX-License-Identifier: MIT
set -eu

usage() {
  cat <<'OUT'
Usage: sudo bench/run.sh [--plot] [--doc] [--smoke] [BUILD-DIR]

Measures everything that is here, on a machine that should have nothing else to do, in less than 20 minutes;
prints a line for each question: the figure of idmount, that of the yardstick, their ratio with its quartiles over
the rounds, the target, what the ratio would be if there were nothing but the bare system calls ("lower bound"), and
whether the target was met. See docs/performance.md. BUILD-DIR is one of meson's, "build" if not said; without
it, build-bench is made.

  --plot    draw pictures instead: the cost of a user namespace over resident memory, to docs/userns-cost.svg,
            100 containers that start at once, to docs/storm.svg, and the time of "chown -R" over the number of
            files, to docs/chown.svg. IDM_BENCH_NOTE is a remark in the last one, as on a busy machine
  --doc     besides, write the tables and the machine into docs/performance.md, and draw these pictures
  --smoke   everything once or twice, to see that it works; the figures mean nothing
OUT
}

plot= doc= smoke= build=
for argument; do
  case $argument in
    --plot) plot=yes ;;
    --doc) doc=yes ;;
    --smoke) smoke=yes ;;
    --help | -h) usage && exit ;;
    -*) echo "run.sh: unknown option $argument; see --help" >&2 && exit 2 ;;
    *) build=$argument ;;
  esac
done
if [ -n "$smoke" ]; then
  export IDM_BENCH_SMOKE=1
fi
if [ "${IDM_BENCH_SMOKE:-}" = 1 ] && [ -n "$doc$plot" ]; then
  echo "run.sh: figures that mean nothing are not for the document" >&2
  exit 2
fi
if [ "$(id -u)" != 0 ]; then
  echo "run.sh: mounts are made here, which needs root" >&2
  exit 1
fi

here=$(cd "$(dirname "$0")" && pwd)
source=$(dirname "$here")
if [ -z "$build" ]; then
  build=$source/build
fi
if [ ! -d "$build" ]; then
  build=$source/build-bench
  [ -f "$build/build.ninja" ] || meson setup "$build" "$source" --buildtype=release -Dtests=false -Dbench=true >/dev/null
  ninja -C "$build" >/dev/null
fi
build=$(realpath "$build")

rows=$(mktemp) where=$(mktemp) instructions=$(mktemp)
trap 'rm "$rows" "$where" "$instructions"' EXIT

owners_files='100 1000 10000 100000 1000000'

# That of the storm is drawn of the rows at hand.
draw() {
  "$here/lib/picture.py" storm "$rows" "$source/docs/storm.svg"
  : >"$rows"
  "$build/bench/userns" 0 4 16 64 256 1024
  "$here/lib/picture.py" userns "$rows" "$source/docs/userns-cost.svg"
  : >"$rows"
  for files in $owners_files; do
    IDM_BENCH_FILES=$files "$here/cases/chown.sh" "$build"
  done
  "$here/lib/picture.py" chown "$rows" "$source/docs/chown.svg"
  echo "docs/storm.svg, docs/userns-cost.svg and docs/chown.svg are drawn"
}

export IDM_BENCH_ROWS=$rows
if [ -n "$plot" ]; then
  "$build/bench/storm"
  draw
  exit
fi

if [ -z "$smoke" ] && awk '{ exit !($1 > 0.5) }' /proc/loadavg; then
  echo "run.sh: this machine has other work (load $(cut -d' ' -f1 /proc/loadavg)): the ratios are those of a busy one" >&2
fi
# oci-start.sh needs it, and skips two lines without it.
[ -n "$smoke" ] || "$here/lib/static-program.sh" "$build" >/dev/null || true
started=$SECONDS
for program in userns threads mount overlay storm plan through reaper children constant userns-map pure explain service rootless-files; do
  "$build/bench/$program"
done
for script in mount memory list run-true oci-start chown rootless; do
  "$here/cases/$script.sh" "$build"
done
echo
"$here/lib/table.py" summary "$rows"
echo "in $((SECONDS - started)) seconds"

if [ -n "$doc" ]; then
  "$build/bench/where" >"$where"
  "$here/cases/instructions.sh" "$build" >"$instructions"
  "$here/lib/table.py" markdown "$rows" "$where" "$instructions" "$source/docs/performance.md"
  echo "docs/performance.md is written"
  draw
fi
