# SPDX-License-Identifier: MIT
# results.service: the machine has booted with all mounts in fstab.
# shellcheck shell=bash
# shellcheck disable=SC2317 # check calls the functions

# shellcheck source=tests/boot/lib.bash
. /boot-test/lib.bash

mounted_early() {
  state active local-fs.target multi-user.target && same 'owners' $'2000:2000\n2000:2000' "$(cat /run/early)"
}

by_name() {
  owned 2000:2000 /home/bob/named && ! touch /home/bob/named/file
}

created() {
  owned 2000:2000 /home/bob/new/deep && owned 2000:2000 /home/bob/made/deep
}

quoted() {
  owned 2000:2000 '/home/bob/my photos' && owned 2000:2000 '/home/bob/50%i ä' &&
    findmnt -n -o OPTIONS '/home/bob/my photos' | grep -w nosuid
}

single_file() {
  same 'the file' 2000:2000 "$(stat -c %u:%g /home/bob/alps.jpg)"
}

by_automount() {
  local unit=home-bob-auto

  state active "$unit.automount" && state inactive "$unit.mount" &&
    owned 2000:2000 /home/bob/auto && state active "$unit.mount" &&
    systemctl stop "$unit.mount" && owned 2000:2000 /home/bob/auto
}

for_service() {
  state active reader.service && same 'owner' 2000:2000 "$(cat /run/reader)"
}

missing_source() {
  state failed home-bob-missing.mount && journalctl -u home-bob-missing.mount | grep 'mount.idmap: /srv/missing: '
}

# systemd creates a directory, where a file should be.
missing_file() {
  state failed home-bob-file.mount && [ -d /home/bob/file ] && rmdir /home/bob/file
}

# With _netdev, systemd derives no order from the source.
after_network() {
  owned 2000:2000 /home/bob/net
}

fstab_is_checked() {
  same 'faults' "$(cat /boot-test/normal/faults)" "$(idmount check --fstab 2>&1)"
}

units_are_right() {
  systemd-analyze verify --man=no /etc/systemd/system/home-bob-data.{mount,automount} idmount@srv-box.service
}

examples() {
  owned 2000:2000 /home/bob/data && state active home-bob-data.mount &&
    systemctl stop home-bob-data.automount home-bob-data.mount && [ -z "$(ls /home/bob/data)" ] &&
    systemctl start home-bob-data.mount && owned 2000:2000 /home/bob/data
}

list_of_mounts() {
  local unit=idmount@srv-box.service

  owned 101000:101000 /srv/box && owned 101000:101000 /srv/box/more && systemctl stop "$unit" &&
    [ ! -e /srv/box ] && systemctl start "$unit" && owned 101000:101000 /srv/box || return
  exec 3</srv/box/alps.jpg
  systemctl stop "$unit"
  state failed "$unit" && owned 101000:101000 /srv/box || return
  exec 3<&-
  # The journal is there until it is undone.
  ! systemctl start "$unit" && idmount undo --journal /run/idmount-srv-box.journal &&
    systemctl reset-failed "$unit" && systemctl start "$unit" && owned 101000:101000 /srv/box
}

new_map() {
  sed -i '/photos.*bob.photos/s/1000:2000/1000:1000/' /etc/fstab && systemctl daemon-reload &&
    owned 2000:2000 /home/bob/photos && systemctl restart home-bob-photos.mount && owned 1000:1000 /home/bob/photos
}

not_reloaded() {
  ! systemctl reload home-bob-photos.mount && state active home-bob-photos.mount && owned 1000:1000 /home/bob/photos
}

busy() {
  exec 3</home/bob/photos/alps.jpg
  ! systemctl stop home-bob-photos.mount && state active home-bob-photos.mount && owned 1000:1000 /home/bob/photos ||
    return
  exec 3<&-
  systemctl stop home-bob-photos.mount
  ! mountpoint -q /home/bob/photos && systemctl start home-bob-photos.mount && owned 1000:1000 /home/bob/photos
}

autopkgtest() {
  sh /boot-test/mounts
}

{
  check_or_explain 'fstab is mounted before local-fs.target, in the order of the filesystems' mounted_early
  check_or_explain 'a map of names' by_name
  check_or_explain 'missing targets are created' created
  check_or_explain 'quotes, blanks and other characters' quoted
  check_or_explain 'a single file' single_file
  check_or_explain 'RequiresMountsFor= mounts a line with noauto' for_service
  check_or_explain 'x-systemd.automount' by_automount
  check_or_explain 'a missing source with nofail: the unit fails, and the boot continues' missing_source
  check_or_explain 'a missing target of a file: systemd creates a directory, and the unit fails' missing_file
  check_or_explain '_netdev with x-systemd.requires-mounts-for=' after_network
  check_or_explain 'idmount check --fstab finds the lines that fail, and no other' fstab_is_checked
  check_or_explain 'systemd-analyze verify finds no fault in the units' units_are_right
  check_or_explain 'the examples of .mount and .automount' examples
  check_or_explain 'idmount@.service' list_of_mounts
  check_or_explain 'daemon-reload and restart change the map' new_map
  check_or_explain 'a reload is refused, and the mount stays' not_reloaded
  check_or_explain 'a mount in use is not stopped' busy
  check_or_explain 'the autopkgtest of the packages' autopkgtest
} >/output

systemctl --no-block poweroff
