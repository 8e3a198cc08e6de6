#!/bin/bash
# shellcheck source-path=SCRIPTDIR
# SPDX-License-Identifier: MIT
# What is resident at most while a mount is made on the command line: idmount beside mount(8).
set -eu
. "$(dirname "$0")/measure.sh"

mkdir "$place/source" "$place/target" "$place/other"

# Unmounting counts too: the biggest process does. It is the smaller one on either side.
"$commands" --question 'peak memory of idmount mount' --memory --floor --at-most 0.5 --rounds 21 \
  @ idmount "$idmount" mount -m 0:100000:65536 "$place/source" "$place/target" + "$idmount" umount "$place/target" \
  @ 'mount(8)' mount --bind "$place/source" "$place/other" + "$idmount" umount "$place/other" \
  @ 'a process that does nothing' true
