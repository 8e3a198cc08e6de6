#!/bin/bash
# SPDX-License-Identifier: MIT
# How many instructions the parts take that need no kernel, counted by callgrind: a figure that no load
# spoils, to hold a change against. Prints "PART INSTRUCTIONS" lines. Needs valgrind, but no root.
#
#   bench/cases/instructions.sh [BUILD-DIR]
set -eu

pure=${1:-build}/bench/pure
if ! type -P valgrind >/dev/null; then
  echo "$0: there is no valgrind" >&2
  exit 1
fi

counts=$(mktemp)
trap 'rm "$counts"' EXIT
for part in parse print compose json; do
  valgrind --tool=callgrind --callgrind-out-file="$counts" --toggle-collect="part_$part" "$pure" "$part" 2>/dev/null
  awk -v part="$part" '/^(totals|summary):/ { n = $2 } END { if (!n) exit 1; print part, n }' "$counts"
done
