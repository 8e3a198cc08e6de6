#!/bin/bash
# SPDX-License-Identifier: MIT
# surroundings.sh PROGRAM...: runs test programs as an ordinary user, as nohup(1) starts them, and where no cgroup
# filesystem is mounted. There a test succeeds, or is skipped. Prints TAP.
# shellcheck disable=SC2317 # try calls the functions
set -u

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/lib/number-results.bash
. "$here/lib/number-results.bash"

# A test that was skipped elsewhere would be a failure with that in the environment.
unset IDM_MUST_RUN
[ "${IDM_LONG:-}" = 1 ] || export IDM_SLOW=1

try() { # DESCRIPTION COMMAND...
  if "${@:2}" >"$log" 2>&1; then
    echo "ok - $1"
  else
    sed 's/^/# /' "$log"
    echo "not ok - $1"
  fi
}

as_user() { # PROGRAM
  (
    trap '' HUP
    exec setpriv --reuid 65534 --regid 65534 --clear-groups --inh-caps=-all -- "$1"
  )
}

without_cgroups() { # PROGRAM
  # shellcheck disable=SC2016 # the inner shell's
  unshare --mount sh -c 'umount -R /sys/fs/cgroup 2>/dev/null; exec "$0"' "$1"
}

if [ "$(id -u)" != 0 ]; then
  echo '1..0 # SKIP needs root'
  exit
fi
log=$(mktemp)
trap 'rm -f "$log"' EXIT
for program; do
  name=${program##*/test-}
  try "$name, as an ordinary user below nohup" as_user "$program"
  try "$name, without a cgroup filesystem" without_cgroups "$program"
done | number_results
