#!/bin/bash
# shellcheck source-path=SCRIPTDIR
# SPDX-License-Identifier: MIT
# What is resident at most while a mount is made on the command line: idmount beside mount(8).
set -eu
. "$(dirname "$0")/measure.sh"

mkdir "$place/source" "$place/target" "$place/other"

# The lower bound is a program that uses of libc what any uses, and makes the bare calls, which needs Linux 6.15. It
# is the one that unmounts, too: the biggest process counts.
bare=$build/bench/bare-mount
map='0:100000:65536'
bound=() least=()
if "$bare" -m "$map" "$place/source" "$place/target" 2>/dev/null; then
  "$bare" -u "$place/target"
  bound=(--lower-bound)
  least=(@ 'bare calls' "$bare" -m "$map" "$place/source" "$place/target" + "$bare" -u "$place/target")
fi

"$commands" --question 'peak memory of idmount mount' --memory "${bound[@]}" --at-most 0.5 --rounds 21 \
  @ idmount "$idmount" mount -o nosuid,nodev -m "$map" "$place/source" "$place/target" + "$bare" -u "$place/target" \
  @ 'mount(8)' mount --bind "$place/source" "$place/other" + "$bare" -u "$place/other" \
  "${least[@]}"
