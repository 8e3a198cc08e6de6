#!/bin/sh
# SPDX-License-Identifier: MIT
# The child with a memory of its own unmaps all pages but those of its section and what it shares. So the code
# must use nothing elsewhere, such as a constant that the compiler keeps in .rodata: then a relocation names it.
set -u
object=$(find "$IDM_BUILD_ROOT/lib" -name '*userns-child-main.c.o' | head -n 1)

echo 1..1
case $(uname -m) in
  x86_64 | aarch64 | i686 | s390x) ;;
  *) # others have relocations within the section, too
    echo "ok 1 # SKIP not on this architecture"
    exit 0
    ;;
esac
outside=$(objdump -r -j idm_userns_child "$object" | grep -E '^[0-9a-f]+ R_')
if [ -z "$outside" ] && objdump -h "$object" | grep -q ' idm_userns_child '; then
  echo "ok 1 - the child's code uses nothing outside of its section"
else
  echo "$outside" | sed 's/^/# /'
  echo "not ok 1 - the child's code uses nothing outside of its section"
  exit 1
fi
