#!/bin/bash
# shellcheck source-path=SCRIPTDIR
# SPDX-License-Identifier: MIT
# Finding the ID-mapped mounts among many. See list.c.
set -eu
. "$(dirname "$0")/measure.sh"

exec "$build/bench/list" "$idmount"
