#!/bin/sh
# SPDX-License-Identifier: MIT
# A test program under valgrind: memory that is not its own, not written yet, or lost, fails the test at hand.
#
#   valgrind.sh PROGRAM
set -u
log=$(mktemp -d) || exit
[ "${IDM_LONG:-}" = 1 ] || export IDM_SLOW=1 # fewer rounds of what is tried at random
trap 'rm -rf "$log"' EXIT
# Each of its tests is a process, with a log of its own.
valgrind --quiet --error-exitcode=99 --leak-check=full --errors-for-leak-kinds=definite,indirect,possible \
  --log-file="$log/%p" "$1"
status=$?
echo "# proof memory: 1 programs under valgrind"
# Its warnings about system calls that it does not know yet are not errors of the tests.
[ $status = 0 ] || cat "$log"/* | grep -v '^--' | head -n 100 | sed 's/^/# /'
exit $status
