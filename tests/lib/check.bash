# SPDX-License-Identifier: MIT
# Sourced by the scripts that run in a root filesystem.
# shellcheck shell=bash

# Prints one result, and the output of the command if that fails. Directory and umask stay as they are. The
# caller outside counts these lines.
check() { # DESCRIPTION COMMAND...
  local description=$1

  shift
  if ("$@") >/tmp/log 2>&1; then
    echo "ok - $description"
    return
  fi
  tail -n 60 /tmp/log | sed 's/^/# /'
  echo "not ok - $description"
  return 1
}
