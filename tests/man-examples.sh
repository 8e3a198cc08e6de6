#!/bin/bash
# SPDX-License-Identifier: MIT
# Whether the examples of the manual compile, with the compiler's defaults and as libidmount(3) says for C99:
# man-examples.sh SOURCE_ROOT COMPILER...
set -eu

root=$1
shift
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0

# The blocks of the section EXAMPLE. A backslash is doubled in scdoc.
example()
{
	awk '/^# / { wanted = $0 == "# EXAMPLE" }
	     /^```/ { block = !block; next }
	     wanted && block' "$1" | sed 's/\\\\/\\/g'
}

compile()
{
	"$@" -Wall -Wextra -Werror -I"$root/include" -c -o "$work/example.o" "$work/example.c"
}

for page in "$root"/man/*.3.scd; do
	name=$(basename "$page" .scd)
	example "$page" >"$work/example.c"
	if ! [ -s "$work/example.c" ]; then
		echo "$name: there is no example"
		failed=1
	elif compile "$@" && compile "$@" -std=c99 -pedantic -D_POSIX_C_SOURCE=200809L; then
		echo "$name: compiles"
	else
		echo "$name: does not compile"
		failed=1
	fi
done
[ -e "$work/example.c" ] # else there was no page at all
exit $failed
