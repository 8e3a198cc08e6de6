# SPDX-License-Identifier: MIT
# Sourced by what runs in the machine.
# shellcheck shell=bash

# shellcheck source=tests/lib/check.bash
. /boot-test/check.bash

same() { # WHAT EXPECTED GOT
  [ "$2" = "$3" ] || { echo "$1: expected $2, got $3" && return 1; }
}

# The owners of the file in a directory of the tests.
owned() { # OWNER DIRECTORY
  same "$2" "$1" "$(stat -c %u:%g "$2/alps.jpg")"
}

state() { # STATE UNIT...
  local unit

  for unit in "${@:2}"; do
    same "$unit" "$1" "$(systemctl is-active "$unit")" || return
  done
}

# Says more if a test has failed.
check_or_explain() { # DESCRIPTION COMMAND...
  check "$@" || journalctl --no-pager --quiet | grep -v ' kernel: ' | tail -n 100 | sed 's/^/# /'
}
