#!/bin/bash
# shellcheck source-path=SCRIPTDIR
# SPDX-License-Identifier: MIT
# What mounting and unmounting costs on the command line, whole processes: idmount beside mount(8).
set -eu
. "$(dirname "$0")/measure.sh"

mkdir "$place/source" "$place/target" "$place/other"

"$commands" --question 'idmount mount and umount, the processes' --lower-bound --at-most 0.8 --rounds 201 \
  @ idmount "$idmount" mount -o nosuid,nodev -m 0:100000:65536 "$place/source" "$place/target" + "$idmount" umount "$place/target" \
  @ 'mount --bind, umount' mount --bind "$place/source" "$place/other" + umount "$place/other" \
  @ 'two processes that do nothing' true + true
