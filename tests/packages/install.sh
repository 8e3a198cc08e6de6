#!/bin/bash
# SPDX-License-Identifier: MIT
# In a root with nothing but apt: installs the packages in /build/result, tries them and purges them. debian.sh starts
# this, and counts the lines of results.
# shellcheck disable=SC2317 # check calls the functions
set -u

# shellcheck source=tests/lib/check.bash
. /source/tests/lib/check.bash

# What dpkg and ldconfig write for themselves is left out.
files() {
  find / -xdev \( -path /build -o -path /source -o -path /tmp -o -path /proc -o -path /var/lib/dpkg -o -path /var/log \
    -o -path /var/cache/ldconfig -o -path /etc/ld.so.cache \) -prune -o -print | sort
}

install_packages() {
  local deb packages=()

  # Python is not here. The tests of the packages use that one.
  for deb in /build/result/*.deb; do
    [[ $deb == *-dbgsym_* || $deb == */python3-* ]] || packages+=("$deb")
  done
  [ ${#packages[@]} = 3 ] && dpkg -i "${packages[@]}"
}

units_present() {
  local directory

  for directory in /usr/lib/systemd/system /lib/systemd/system; do
    [ -f "$directory/idmountd.service" ] && [ -f "$directory/idmountd.socket" ] && [ -f "$directory/idmount@.service" ] && return
  done
  return 1
}

# /etc has no link to the units, and the service has created no socket.
service_is_off() {
  [ -z "$(find /etc -lname '*idmount*')" ] && [ ! -e /run/idmount ]
}

service_starts() {
  local pid try

  /usr/sbin/idmountd --socket /run/idmountd-test.sock &
  pid=$!
  for ((try = 0; try < 600; try++)); do
    [ -S /run/idmountd-test.sock ] && break
    sleep 0.1
  done
  [ -S /run/idmountd-test.sock ] && kill "$pid"
  wait "$pid"
  rm -f /run/idmountd-test.sock
}

commands_run() {
  idmount --version && idmount-overlayfs --version && idmountd --version && idmount-oci-runtime --help &&
    [ "$(readlink -f /sbin/mount.idmap)" = /usr/sbin/mount.idmap ]
}

library_is_found() {
  ldconfig -p | grep -F libidmount.so.0
}

# zsh of Debian ignores the directory of zsh itself.
completions_present() {
  ls /usr/share/bash-completion/completions/idmount /usr/share/fish/vendor_completions.d/idmount.fish \
    /usr/share/zsh/vendor-completions/_idmount
}

purge() {
  dpkg --purge libidmount-dev libidmount0 idmount
}

nothing_left() {
  files >/tmp/after
  diff /tmp/before /tmp/after
}

files >/tmp/before
check 'the packages install in a system with nothing else' install_packages || exit
check 'the programs run' commands_run
check 'the library is found' library_is_found
check 'the units are there' units_present
check 'completions are where the shells of Debian look' completions_present
check 'the service does not run by itself' service_is_off
check 'the command and mount(8) mount, list and unmount' /source/debian/tests/mounts
check 'the service runs when asked to' service_starts
check 'the packages can be purged' purge
check 'nothing is left' nothing_left
exit 0 # the results say the rest
