# SPDX-License-Identifier: MIT
# results.service, in emergency.target: a source in fstab is missing.
# shellcheck shell=bash
# shellcheck disable=SC2317 # check calls the functions

# shellcheck source=tests/boot/lib.bash
. /boot-test/lib.bash

in_emergency() {
  state inactive local-fs.target multi-user.target && state failed home-bob-missing.mount &&
    journalctl -u home-bob-missing.mount | grep 'mount.idmap: /srv/missing: '
}

continues() {
  mkdir /srv/missing && systemctl default && state active local-fs.target multi-user.target home-bob-missing.mount &&
    owned 2000:2000 /home/bob/photos
}

{
  check_or_explain 'a missing source without nofail leads to emergency mode' in_emergency
  check_or_explain 'with the source, the boot continues' continues
} >/output

systemctl --no-block poweroff
