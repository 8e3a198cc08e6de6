#!/bin/sh
# SPDX-License-Identifier: MIT
# man-page.sh SCDOC BINDIR: turns the scdoc text on standard input into a man page, which names the programs where they
# are installed. The first line of a page with a table tells man(1) to run tbl(1).
set -eu
page=$(sed "s:/usr/local/bin/idmount:$2/idmount:" | "$1")
case $page in
  *'
.TS
'*) printf '%s\n' "'\\\" t" ;;
esac
printf '%s\n' "$page"
