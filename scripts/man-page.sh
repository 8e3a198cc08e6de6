#!/bin/sh
# SPDX-License-Identifier: MIT
# man-page.sh SCDOC: turns the scdoc text on standard input into a man page. The first line of a page with a table
# tells man(1) to run tbl(1).
set -eu
page=$("$1")
case $page in
  *'
.TS
'*) printf '%s\n' "'\\\" t" ;;
esac
printf '%s\n' "$page"
