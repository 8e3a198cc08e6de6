#!/bin/bash
# SPDX-License-Identifier: MIT
# In a root with what the build requires: builds, installs and uninstalls as README says. fresh.sh starts this, and
# counts the lines of results.
# shellcheck disable=SC2317 # check calls the functions
# shellcheck disable=SC2016 # patterns, and texts for the inner shell
set -u

# shellcheck source=tests/lib/check.bash
. /source/tests/lib/check.bash

# This is root already.
sudo() {
  "$@"
}

# The tree without builds. The tests are left out, since others build them.
copy_tree() {
  mkdir -p /tmp/tree && tar -C /source -c --exclude='./build*' --exclude=./.git . | tar -C /tmp/tree -x --no-same-owner &&
    chown -R root: /tmp/tree
}

nothing_missing() {
  [ -z "$(scripts/install-packages.sh build)" ]
}

# A line of README that begins with this, without the comment.
readme_line() { # BEGINNING
  grep -F -m 1 "$1" README.md
}

# As root, in a tree that an ordinary user has unpacked.
demo() {
  chown -R 1000:1000 /tmp/tree && ./demo.sh
}

as_user() { # COMMAND...
  setpriv --reuid 1000 --regid 1000 --clear-groups env HOME=/tmp/home "$@"
}

# That user builds in the directory that demo.sh has made.
install_as_readme() {
  local line

  line=$(readme_line 'meson setup build -Dtests=false && ') && as_user sh -euc "$line" &&
    line=$(readme_line 'sudo meson install -C build') && eval "$line"
}

files() {
  find / -xdev \( -path /build -o -path /source -o -path /tmp -o -path /proc -o -path /var/cache/ldconfig \
    -o -path /etc/ld.so.cache -o -path /var/lib/dpkg -o -path /var/log \) -prune -o ! -type d -print | sort
}

programs_run() {
  cd / && idmount --version && idmount-overlayfs --version && idmountd --version
}

no_benchmarks() {
  [ -z "$(find build -path '*/bench/*' -type f -perm -100; find build -path '*/tests/*' -type f -perm -100)" ]
}

# The program of README, by its command.
readme_program() {
  local command

  mkdir -p /tmp/box && sed -n '/^```c$/,/^```$/ { /^```/!p }' README.md >/tmp/box/box.c &&
    command=$(sed -n 's/^`\(cc box.c [^`]*\)`.*/\1/p' README.md) && [ -n "$command" ] && cd /tmp/box && eval "$command -o box" &&
    mkdir -p /srv/image /run/box/root && mount -t tmpfs image /srv/image && touch /srv/image/file && ./box &&
    [ "$(stat -c %u:%g /run/box/root/file)" = 100000:100000 ] && umount /run/box/root /srv/image
}

mounts() {
  sh /tmp/tree/debian/tests/mounts
}

uninstall() {
  local line

  line=$(readme_line 'ninja -C build uninstall') && eval "$line"
}

nothing_left() {
  files >/tmp/after
  diff /tmp/before /tmp/after
}

# An ordinary user, who owns nothing outside.
own_prefix() {
  mkdir -p /tmp/home && cp -r /tmp/tree /tmp/home/tree && rm -rf /tmp/home/tree/build && chown -R 1000:1000 /tmp/home &&
    as_user sh -euc '
    cd ~/tree
    eval "$1"
    eval "$2"
    ~/idmount/bin/idmount --version
    ~/idmount/sbin/mount.idmap --version
    export PKG_CONFIG_PATH="$(dirname "$(find ~/idmount -name idmount.pc)")"
    cc /tmp/box/box.c $(pkg-config --cflags --libs idmount) -o ~/box
    ninja -C build-own uninstall
    [ -z "$(find ~/idmount ! -type d)" ]' sh "$(readme_line 'meson setup build-own ')" "$(readme_line 'ninja -C build-own install')"
}

copy_tree && cd /tmp/tree || exit
files >/tmp/before
check 'scripts/install-packages.sh has installed all that the build requires' nothing_missing
check 'demo.sh shows it' demo
check 'the commands of README build it in the directory of demo.sh, without sudo, and install it' install_as_readme || exit 0
check 'the programs are found' programs_run
check 'without the tests, neither tests nor benchmarks are built' no_benchmarks
check 'the program of README compiles, and finds the library' readme_program
check 'the command and mount(8) mount, list and unmount' mounts
check 'the command of README uninstalls it' uninstall
check 'nothing is left' nothing_left
check "with a prefix of one's own, an ordinary user installs and uninstalls it" own_prefix
exit 0 # the results say the rest
