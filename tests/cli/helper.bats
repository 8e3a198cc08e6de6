#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# mount.idmap, run by the real mount(8).
load common
private_mounts

setup()
{
	set_up_mounts
	# mount(8) looks for its helpers in /sbin only, and records its mounts in /run.
	mkdir sbin
	cp "$MOUNT_IDMAP" sbin/mount.idmap
	mount -t overlay -o "lowerdir=/mnt/sbin:$(realpath /sbin)" sbin "$(realpath /sbin)"
	mount -t tmpfs run /run
	echo content >src/file
	mkdir src/below
	chown 1000:1000 src/file
	chown 5:6 src/below
}

teardown()
{
	tear_down_mounts
}

# mounted OWNER [OPTIONS]: dst is mounted once, its file has this owner, and the mount has these options.
mounted()
{
	same 'owner' "$1" "$(owner dst/file)"
	same 'mounts' 1 "$(mounts_at /mnt/dst)"
	same 'options' "${2:-rw,nosuid,nodev,relatime,idmapped}" "$(options_at /mnt/dst)"
}

# undo: unmounts by umount(8).
undo()
{
	quietly umount "${1:-dst}"
}

# idmap OPTIONS: mounts src at dst, by mount(8).
idmap()
{
	mount -t idmap -o "$1" src dst
}

@test "mount -t idmap, and umount" {
	noting mount -t idmap -o map=1000:2000 src dst
	mounted 2000:2000
	undo
	same 'mounts' 0 "$(mounts_at /mnt/dst)"
	noting mount src dst -o map=1000:2000 -t idmap
	mounted 2000:2000
	undo
	touch target
	noting mount -t idmap -o map=1000:2000 src/file target
	same 'owner' 2000:2000 "$(owner target)"
	undo target
}

@test "maps: with plus, quoted with commas, several, all dialects without a comma" {
	local map

	for map in map=u:1000:2000+g:1000:3000 'map="u:1000:2000,g:1000:3000"' map=u:1000:2000,map=g:1000:3000 \
		'map=u:1000:2000,ro,rw,map="g:1000:3000,u:7:8"' 'map=uidmap=1000:2000:1;gidmap=1000:3000:1' \
		'map=uids=1000-2000-1;gids=1000-3000-1' 'map=u:1000:2000 g:1000:3000'; do
		noting idmap "$map"
		mounted 2000:3000
		undo
	done
	noting idmap map=u:1000:2000,keep-rest
	mounted 2000:1000
	same 'the rest' 5:6 "$(owner dst/below)"
	undo
	chown 0:0 src/file
	noting idmap map=u:root:daemon+g:root:nogroup
	mounted "1:$(getent group nogroup | cut -d: -f3)"
}

@test "the map of a user namespace" {
	background unshare --user sleep infinity
	until [[ ! /proc/self/ns/user -ef /proc/${background[-1]}/ns/user ]]; do
		:
	done
	echo 1000 7 1 >"/proc/${background[-1]}/uid_map"
	echo 1000 8 1 >"/proc/${background[-1]}/gid_map"
	noting idmap "userns=${background[-1]}"
	mounted 7:8
	undo
	noting idmap "userns=/proc/${background[-1]}/ns/user"
	mounted 7:8
}

@test "words" {
	local words expected

	while read -r words expected; do
		noting idmap "map=1000:2000,$words"
		mounted 2000:2000 "$expected"
		undo
	done <<-'END'
		rw rw,nosuid,nodev,relatime,idmapped
		ro ro,nosuid,nodev,relatime,idmapped
		nosuid,nodev,noexec rw,nosuid,nodev,noexec,relatime,idmapped
		ro,nosymfollow ro,nosuid,nodev,relatime,nosymfollow,idmapped
		noatime,nodiratime rw,nosuid,nodev,noatime,nodiratime,idmapped
		strictatime rw,nosuid,nodev,idmapped
		defaults rw,nosuid,nodev,relatime,idmapped
		nofail,_netdev,noauto,x-systemd.automount,X-foo=1,comment=words rw,nosuid,nodev,relatime,idmapped
		unbindable rw,nosuid,nodev,relatime,idmapped unbindable
		private rw,nosuid,nodev,relatime,idmapped
	END
}

@test "recursive, mkdir and replace" {
	mount -t tmpfs below src/below
	touch src/below/file
	chown 1000:1000 src/below/file
	noting idmap map=1000:2000,recursive,noexec
	mounted 2000:2000 rw,nosuid,nodev,noexec,relatime,idmapped
	same 'below' 2000:2000 "$(owner dst/below/file)"
	undo dst/below
	undo

	noting mount -t idmap -o map=1000:2000,mkdir src /mnt/new/deep
	same 'owner' 2000:2000 "$(owner new/deep/file)"

	noting idmap map=1000:2000
	noting idmap map=1000:3000,replace
	mounted 3000:3000
}

@test "a read-only source stays read-only, though mount(8) passes rw" {
	mount --bind src src
	mount -o remount,bind,ro,noexec src
	noting idmap map=1000:2000
	mounted 2000:2000 ro,nosuid,nodev,noexec,relatime,idmapped
}

@test "nosuid,nodev are added where another's files appear as root's" {
	local note='mount.idmap: note: added nosuid,nodev, since files of user 1000 appear as root'\''s'

	run -0 --separate-stderr idmap map=1000:0
	[[ $stderr == "$note"* ]]
	same 'lines' 1 "${#stderr_lines[@]}"
	mounted 0:0 rw,nosuid,nodev,relatime,idmapped
	undo
	quietly idmap map=1000:0,nosuid,nodev
	mounted 0:0 rw,nosuid,nodev,relatime,idmapped
	undo
	quietly /sbin/mount.idmap /mnt/src /mnt/dst -o map=1000:0,suid,dev
	mounted 0:0 rw,relatime,idmapped
	undo
	# mount(8) does not pass these two on. The helper has other words for fstab.
	quietly idmap map=1000:0,allow-suid,allow-dev
	mounted 0:0 rw,relatime,idmapped
}

@test "a set-user-ID program of user 4321 does not make user 4321 another user" {
	cp /usr/bin/id src/id
	chown 4321:4321 src/id
	chmod 6755 src/id
	noting idmap map=4321:4322
	same 'without' '4321 4321' "$(as 4321 dst/id -u) $(as 4321 dst/id -g)"
	undo
	noting idmap map=g:4321:42,keep-rest
	same 'the group' '4321 4321' "$(as 4321 dst/id -u) $(as 4321 dst/id -g)"
	undo
	noting idmap map=4321:4322,allow-suid
	same 'with allow-suid' '4322 4322' "$(as 4321 dst/id -u) $(as 4321 dst/id -g)"
}

@test "a place where another ID can store set-user-ID programs of root is noted" {
	fails 0 'mount.idmap: note: /mnt/src: user 1000 can store set-user-ID programs of root there, and every user can run them; put it below a directory of mode 0700, or on a mount that is nosuid' \
		idmap map=0:1000,allow-suid,allow-dev
	undo
	chmod 700 /mnt
	quietly idmap map=0:1000,allow-suid,allow-dev
}

# kernel_has FEATURE: by its name in "idmount check".
kernel_has()
{
	"$IDMOUNT" check --json | jq -e --arg name "$1" '.features[] | select(.name == $name).available' >/dev/null
}

# ---- fstab ----

@test "mount -a, and again: the second run changes nothing" {
	local before

	mkdir 'a b' 'c d' second third fourth
	cp -a src/file 'a b'
	cat >fstab <<-'END'
		# SOURCE        TARGET       TYPE   OPTIONS
		/mnt/src        /mnt/dst     idmap  map=1000:2000,keep-rest                  0 0
		/mnt/a\040b     /mnt/c\040d  idmap  map="u:1000:2000,g:1000:3000",ro,nofail  0 0
		/mnt/src        /mnt/second  idmap  map=u:1000:2000+g:1000:3000,noexec,x-systemd.automount,nofail  0 0
		/mnt/src        /mnt/third   idmap  noauto,map=1000:5                        0 0
		/mnt/src        /mnt/fourth  idmap  defaults,map=1000:6,recursive            0 2
	END
	noting mount -a -T fstab
	mounted 2000:2000
	same 'the rest' 5:6 "$(owner dst/below)"
	same 'c d' '2000:3000 1' "$(owner 'c d/file') $(mounts_at '/mnt/c\\040d')"
	same 'second' '2000:3000 rw,nosuid,nodev,noexec,relatime,idmapped' "$(owner second/file) $(options_at /mnt/second)"
	same 'third' 0 "$(mounts_at /mnt/third)"
	same 'fourth' 6:6 "$(owner fourth/file)"

	before=$(state)
	noting mount -a -T fstab
	same 'what is there after the second run' "$before" "$(state)"

	noting mount -T fstab /mnt/third
	same 'third' 5:5 "$(owner third/file)"
	undo 'c d'
	noting mount -a -T fstab
	same 'c d' '2000:3000 1' "$(owner 'c d/file') $(mounts_at '/mnt/c\\040d')"
	same 'dst' 1 "$(mounts_at /mnt/dst)"
}

@test "mount TARGET, from /etc/fstab" {
	echo '/mnt/src /mnt/dst idmap map=1000:2000,ro 0 0' >fstab
	mount --bind fstab /etc/fstab
	noting mount /mnt/dst
	mounted 2000:2000 ro,nosuid,nodev,relatime,idmapped
	undo
	noting mount /mnt/dst -o map=5:6
	same 'owner' 2000:2000 "$(owner dst/file)"
	undo
	noting mount --all
	mounted 2000:2000 ro,nosuid,nodev,relatime,idmapped
}

@test "nofail: no source, no failure" {
	echo '/mnt/missing /mnt/dst idmap map=1000:2000,nofail 0 0' >fstab
	noting mount -a -T fstab
	same 'mounts' 0 "$(mounts_at /mnt/dst)"
	echo '/mnt/missing /mnt/dst idmap map=1000:2000 0 0' >fstab
	refused 32 'mount.idmap: /mnt/missing: open tree: No such file or directory' mount -a -T fstab
	# Any other error is a failure.
	echo '/proc /mnt/dst idmap map=1000:2000,nofail 0 0' >fstab
	refused 32 "mount.idmap: /proc: map tree: the filesystem (proc) cannot be ID-mapped
$some_can" mount -T fstab /mnt/dst
}

# ---- already mounted ----

@test "already mounted: the same source and an equal map, in whatever notation" {
	local map

	noting idmap map=1000:2000:5+5:6
	for map in map=5:6+1000:2000:5 map=1000:2000,map=1001:2001:4,map=b:5:6 'map="u:1000:2000:5,g:1000:2000:5,5:6"'; do
		run -0 --separate-stderr mount -v -t idmap -o "$map" src dst
		same 'standard output' 'mount.idmap: /mnt/dst: already mounted' "$output"
	done
	mounted 2000:2000

	noting idmap map=1000:2001
	same 'mounts' 2 "$(mounts_at /mnt/dst)"
	same 'the other map' 2001:2001 "$(owner dst/file)"
	mkdir other
	noting mount -t idmap -o map=1000:2001 other dst
	same 'mounts' 3 "$(mounts_at /mnt/dst)"
}

# Without listmount(2), the library reads mountinfo. That has no map.
before_615()
{
	without_call 458 38 "$@"
}

@test "already mounted, before Linux 6.15: a record has the map" {
	local unknown='mount.idmap: /mnt/dst: already mounted, with a map that this kernel does not tell, and mount.idmap has no record of it'

	mkdir other
	printf '/mnt/%s idmap map=1000:2000,keep-rest 0 0\n' 'src /mnt/dst' 'src /mnt/other' >fstab
	noting before_615 mount -a -T fstab
	noting before_615 mount -a -T fstab
	run -0 --separate-stderr before_615 mount -v -t idmap -o map=1000:2000,keep-rest src dst
	same 'standard output' 'mount.idmap: /mnt/dst: already mounted' "$output"
	same 'mounts' '1 1' "$(mounts_at /mnt/dst) $(mounts_at /mnt/other)"
	same 'records' 2 "$(ls /run/mount.idmap | wc -l)"
	same 'access' '755 0 600 0' "$(stat -c '%a %u' /run/mount.idmap "$(ls -d /run/mount.idmap/* | head -n 1)" | xargs)"
	# Another map is put on top, as on newer kernels, and replaces the record.
	noting before_615 mount -t idmap -o map=1000:2001 src dst
	noting before_615 mount -t idmap -o map=1000:2001 src dst
	same 'mounts' 2 "$(mounts_at /mnt/dst)"
	umount dst
	refused 32 "$unknown" before_615 mount -t idmap -o map=1000:2001 src dst
	umount dst
	# The record is of another mount now, or in a directory that others can write. The short ID can be the same again:
	# then the owner tells them apart, if the map has it.
	chown 1000:1000 src
	run -0 "$IDMOUNT" mount -m 1000:2002 src dst
	refused 32 "$unknown" before_615 mount -t idmap -o map=1000:2001 src dst
	umount dst
	noting before_615 mount -t idmap -o map=1000:2001 src dst
	chmod 777 /run/mount.idmap
	refused 32 "$unknown" before_615 mount -t idmap -o map=1000:2001 src dst
	chmod 755 /run/mount.idmap
	sed -i 's/^boot .*/boot x/' /run/mount.idmap/*
	refused 32 "$unknown" before_615 mount -t idmap -o map=1000:2001 src dst
	umount dst
	rm -r /run/mount.idmap
	# A filter that knows half of the calls: the mount that is there is no reason for a second one.
	noting mount -t idmap -o map=1000:2001 src dst
	run -32 --separate-stderr without_call 457 1 mount -t idmap -o map=1000:2001 src dst
	[[ $stderr == 'mount.idmap: '*': list mounts: Operation not permitted' ]]
	umount dst
	same 'mounts' 0 "$(mounts_at /mnt/dst)"
	# A mount succeeds without a record, too.
	touch /run/mount.idmap
	noting before_615 mount -t idmap -o map=1000:2001 src dst
	same 'mounts' 1 "$(mounts_at /mnt/dst)"
}

@test "a kernel that tells maps needs no record" {
	noting mount -t idmap -o map=1000:2000 src dst
	if kernel_has statmount-idmap; then
		[[ ! -e /run/mount.idmap ]]
	else
		same 'records' 1 "$(ls /run/mount.idmap | wc -l)"
	fi
}

@test "not already mounted: a place within a mount that shows the same files" {
	# At /mnt/dst/below the first line shows the same as the second one, but with other options.
	cat >fstab <<-'END'
		/mnt/src        /mnt/dst        idmap  map=1000:2000+5:6     0 0
		/mnt/src/below  /mnt/dst/below  idmap  map=1000:2000+5:6,ro  0 0
	END
	noting mount -a -T fstab
	same 'options' 'ro,nosuid,nodev,relatime,idmapped' "$(options_at /mnt/dst/below)"
	noting mount -a -T fstab
	same 'mounts' '1 1' "$(mounts_at /mnt/dst) $(mounts_at /mnt/dst/below)"
}

# ---- flags ----

@test "-f: mounts nothing, but reads the options" {
	noting mount -f -t idmap -o map=1000:2000 src dst
	same 'mounts' 0 "$(mounts_at /mnt/dst)"
	refused 1 'mount.idmap: foo: unknown option; see mount.idmap(8)' mount -f -t idmap -o map=1000:2000,foo src dst
}

@test "-v: prints what was done" {
	local recorded=

	run -0 --separate-stderr mount -v -t idmap -o map=1000:2000,nosuid,nodev src dst
	same 'standard output' 'mount.idmap: /mnt/src mounted on /mnt/dst' "$output"
	kernel_has statmount-idmap || recorded=$'\n'"mount.idmap: recorded the map in $(echo /run/mount.idmap/*)"
	same 'steps' "mount.idmap: idmount $(idmount --version | cut -d' ' -f2), Linux $(uname -r), user 0
mount.idmap: map: 1000:2000:1
mount.idmap: source /mnt/src: / of work (tmpfs), at /mnt, rw,relatime,private
mount.idmap: made a user namespace with this map
mount.idmap: copied /mnt/src, and mapped the copy
mount.idmap: attached the copy at /mnt/dst$recorded" "$stderr"
	mounted 2000:2000
}

@test "-n and -s" {
	noting mount -n -t idmap -o map=1000:2000 src dst
	mounted 2000:2000
	undo
	noting mount -s -t idmap -o map=1000:2000,foo,bar=1 src dst
	mounted 2000:2000
	undo
	# -s may be anywhere.
	noting /sbin/mount.idmap /mnt/src /mnt/dst -o foo,map=1000:2000 -s
	mounted 2000:2000
	undo
	refused 1 'mount.idmap: 1000:2000:x: parse map: expected a number, got "x"' \
		/sbin/mount.idmap /mnt/src /mnt/dst -s -o map=1000:2000:x
}

@test "a block device as source" {
	local device tag

	truncate -s 16M image
	mkfs.ext4 -q -L 'a b' image
	device=$(losetup --find --show image) || skip 'there is no loop device'
	[[ -b $device ]] || skip 'the loop device is not in /dev'
	noting mount -t idmap -o map=0:1000 "$device" dst
	same 'owner' 1000:1000 "$(owner dst)"
	same 'mounts' 1 "$(mounts_at /mnt/dst)"
	# mount -a may run repeatedly.
	noting "$MOUNT_IDMAP" "$device" dst -o map=0:1000
	same 'mounts' 1 "$(mounts_at /mnt/dst)"
	tag=UUID=$(blkid -s UUID -o value "$device")
	noting "$MOUNT_IDMAP" "$tag" dst -o map=0:1000
	noting "$MOUNT_IDMAP" "LABEL=a b" dst -o map=0:1000
	same 'mounts' 1 "$(mounts_at /mnt/dst)"
	undo
	# Without mount(8) there is the tag alone.
	noting before_615 "$MOUNT_IDMAP" "$tag" dst -o map=0:1000
	noting before_615 "$MOUNT_IDMAP" "$tag" dst -o map=0:1000
	noting before_615 "$MOUNT_IDMAP" "$device" dst -o map=0:1000
	same 'mounts' 1 "$(mounts_at /mnt/dst)"
	undo
	refused 32 'mount.idmap: LABEL=none: find device: findfs(8) knows no such device' \
		"$MOUNT_IDMAP" LABEL=none dst -o map=0:1000
	run -0 --separate-stderr "$MOUNT_IDMAP" LABEL=none dst -v -o map=0:1000,nofail
	same 'nofail' 'mount.idmap: LABEL=none: does not exist, which is no failure (nofail)' "$output"
	refused 1 "mount.idmap: owner:0: owner stands for the owner of a file or directory, and $device is a block device" \
		"$MOUNT_IDMAP" "$tag" dst -o map=owner:0
	# mount(8) makes a path of it.
	noting mount -t idmap -o map=0:2000,fstype=ext4,noexec "$tag" dst
	same 'owner' 2000:2000 "$(owner dst)"
	same 'options' rw,nosuid,nodev,noexec,relatime,idmapped "$(options_at /mnt/dst)"
	undo
	echo "$tag /mnt/dst idmap map=0:1000 0 0" >fstab
	prints '1 line checked' "$IDMOUNT" check --fstab fstab
	run -0 mount -a -T fstab
	same 'owner' 1000:1000 "$(owner dst)"
	undo
	refused 1 'mount.idmap: fstype= ext4: expected a block device as source, got /mnt/src' \
		mount -t idmap -o map=0:1000,fstype=ext4 src dst
	losetup --detach "$device"
	# Files of a btrfs have another device number than the device.
	grep -qw btrfs /proc/filesystems || return 0
	rm image
	truncate -s 320M image
	mkfs.btrfs -q image >/dev/null 2>&1
	device=$(losetup --find --show image)
	echo "$device /mnt/dst idmap map=0:1000 0 0" >fstab
	noting mount -a -T fstab
	noting mount -a -T fstab
	same 'mounts' 1 "$(mounts_at /mnt/dst)"
	undo
	noting before_615 mount -a -T fstab
	noting before_615 mount -a -T fstab
	same 'mounts' 1 "$(mounts_at /mnt/dst)"
	undo
	losetup --detach "$device"
}

@test "recursive,skip-unmappable" {
	mkdir src/proc
	mount -t proc proc src/proc
	refused 1 'mount.idmap: skip-unmappable requires recursive' mount -t idmap -o map=1000:2000,skip-unmappable src dst
	fails 0 'mount.idmap: note: /mnt/src/proc: left out: the filesystem (proc) cannot be ID-mapped' \
		mount -t idmap -o map=1000:1000,recursive,skip-unmappable src dst
	mounted 1000:1000 rw,relatime,idmapped
	undo
}

@test "map=owner:ID, the owner of the source" {
	chown 1000:100 src
	chown 1000:100 src/file
	noting mount -t idmap -o map=owner:0 src dst
	mounted 0:0
	# mount -a may run repeatedly.
	noting mount -t idmap -o map=owner:0 src dst
	mounted 0:0
	undo
	noting mount -t idmap -o map=u:owner:7+g:owner:8 src dst
	mounted 7:8
	undo
	quietly mount -t idmap -o map=owner:0,nofail missing dst
	refused 32 'mount.idmap: missing: parse map: No such file or directory' mount -t idmap -o map=owner:0 missing dst
	refused 1 'mount.idmap: owner and remap exclude each other: the owner on disk is not the one that the source shows' \
		mount -t idmap -o map=owner:0,remap src dst
}

@test "-N: in another mount namespace" {
	local process

	background unshare --mount --propagation private sleep infinity
	process=${background[-1]}
	until [[ ! /proc/self/ns/mnt -ef /proc/$process/ns/mnt ]]; do
		:
	done
	noting mount -N "$process" -t idmap -o map=1000:2000 /mnt/src /mnt/dst
	same 'mounts here' 0 "$(mounts_at /mnt/dst)"
	same 'mounts there' 1 "$(grep -c ' /mnt/dst .*idmapped' "/proc/$process/mountinfo")"
	quietly umount -N "$process" /mnt/dst
	noting /sbin/mount.idmap /mnt/src /mnt/dst -N "/proc/$process/ns/mnt" -o map=1000:2000
	same 'mounts there' 1 "$(grep -c ' /mnt/dst .*idmapped' "/proc/$process/mountinfo")"
	same 'mounts here' 0 "$(mounts_at /mnt/dst)"

	# The source of that namespace decides.
	mkdir only
	nsenter --target "$process" --mount sh -c 'umount /mnt/dst; mount -t tmpfs -o uid=3000,gid=4000 only /mnt/only'
	noting /sbin/mount.idmap /mnt/only /mnt/dst -N "$process" -o map=owner:5
	same 'owner there' 5:5 "$(nsenter --target "$process" --mount stat -c %u:%g /mnt/dst)"

	refused 2 'mount.idmap: /proc/4194305/ns/mnt: open mount namespace: No such file or directory' \
		/sbin/mount.idmap /mnt/src /mnt/dst -N 4194305 -o map=1000:2000
	refused 2 'mount.idmap: /proc/self/ns/user: enter mount namespace: Invalid argument' \
		/sbin/mount.idmap /mnt/src /mnt/dst -N /proc/self/ns/user -o map=1000:2000
	# Nothing waits for a FIFO, and no device is opened.
	mkfifo fifo
	mknod device c 1 3
	for file in fifo device .; do
		fails 2 "mount.idmap: $file: open mount namespace: Invalid argument" \
			timeout 10 "$MOUNT_IDMAP" /mnt/src /mnt/dst -N $file -o map=1000:2000
	done
}

# The namespace can be that of a container, whose files an attacker has written.
@test "-N: neither a program nor a name service of the other namespace is used" {
	local device process

	truncate -s 16M image
	mkfs.ext4 -q -L idm-other image
	device=$(losetup --find --show image) || skip 'there is no loop device'
	printf '#!/bin/sh\necho "$0" >>/mnt/executed\necho /dev/null\n' >program
	chmod 755 program
	mkdir other
	background unshare --mount --propagation private sh -c '
		mount --bind program /sbin/findfs && mount --bind program /sbin/blkid
		mount -t tmpfs etc /etc && echo idm-evil:x:7777:7777::/: >/etc/passwd
		mount -t tmpfs other /mnt/other && chown 1000:1000 /mnt/other
		exec sleep infinity'
	process=${background[-1]}
	until [[ $(tr '\0' ' ' <"/proc/$process/cmdline") == sleep* ]]; do
		:
	done
	there()
	{
		nsenter --target "$process" --mount stat -c %u:%g /mnt/dst
		nsenter --target "$process" --mount umount /mnt/dst
	}
	noting /sbin/mount.idmap "$device" /mnt/dst -N "$process" -o map=0:5
	same 'a device' 5:5 "$(there)"
	noting /sbin/mount.idmap LABEL=idm-other /mnt/dst -N "$process" -o map=0:5
	same 'a label' 5:5 "$(there)"
	refused 32 'mount.idmap: LABEL=idm-none: find device: findfs(8) knows no such device' \
		/sbin/mount.idmap LABEL=idm-none /mnt/dst -N "$process" -o map=0:5
	quietly /sbin/mount.idmap LABEL=idm-none /mnt/dst -N "$process" -o map=0:5,nofail
	quietly /sbin/mount.idmap /mnt/none /mnt/dst -N "$process" -o map=owner:5,nofail
	refused 32 'mount.idmap: /mnt/none: open source: No such file or directory' \
		/sbin/mount.idmap /mnt/none /mnt/dst -N "$process" -o map=0:5
	losetup --detach "$device"
	noting /sbin/mount.idmap /mnt/other /mnt/dst -N "$process" -o map=owner:daemon
	same 'an owner' "$(id -u daemon):$(id -g daemon)" "$(there)"
	refused 32 'mount.idmap: owner:idm-evil: parse map: unknown user "idm-evil"' \
		/sbin/mount.idmap /mnt/other /mnt/dst -N "$process" -o map=owner:idm-evil
	same 'mounts there' '' "$(grep idmapped "/proc/$process/mountinfo" || :)"
	[[ ! -e executed ]]
}

# ---- refusals ----

@test "remount" {
	noting idmap map=1000:2000
	refused 1 'mount.idmap: remount: an idmap mount cannot be changed; unmount it and mount it again, or use "replace"' \
		mount -t idmap -o remount,ro,map=1000:2000 src dst
	echo '/mnt/src /mnt/dst idmap map=1000:2000 0 0' >fstab
	refused 1 'mount.idmap: remount: an idmap mount cannot be changed; unmount it and mount it again, or use "replace"' \
		mount -T fstab -o remount,ro /mnt/dst
	mounted 2000:2000
}

@test "wrong usage: 1" {
	refused 1 'mount.idmap: foo: unknown option; see mount.idmap(8)' idmap map=1000:2000,foo
	refused 1 'mount.idmap: g:1000:2000: unknown option; see mount.idmap(8)' idmap map=u:1000:2000,g:1000:2000
	local option # mount(8) itself removes the value of some
	for option in ro nosuid rnoatime defaults recursive keep-rest remap on-top mkdir replace allow-suid nofail noauto; do
		refused 1 "mount.idmap: $option: expected no value, got \"1\"" \
			/sbin/mount.idmap src dst -o "map=1000:2000,$option=1"
	done
	refused 1 'mount.idmap: recursive: expected no value, got ""' idmap map=1000:2000,recursive=
	refused 1 'mount.idmap: foo=1: unknown option; see mount.idmap(8)' idmap map=1000:2000,foo=1
	refused 1 'mount.idmap: 1000:2x: parse map: expected a number, got "2x"' idmap map=1000:2x
	refused 1 'mount.idmap: u:1:3:1: add to map: overlaps u:1:2:1: both have the disk ID 1' idmap map=1:2+1:3
	refused 1 "mount.idmap: check map: the map has no gid entries; the kernel requires both sides
hint: add one such as g:0:100000:65536, or -o keep-rest to let every gid keep its number" idmap map=u:1000:2000
	local usage='mount.idmap: usage: mount.idmap SOURCE TARGET [-sfnv] [-N NAMESPACE] [-t TYPE] -o map=MAP[,OPTION]...'
	refused 1 "$usage" /sbin/mount.idmap
	refused 1 "$usage" /sbin/mount.idmap src -o map=0:1
	refused 1 "$usage" /sbin/mount.idmap src dst third -o map=0:1
	refused 1 "$usage" /sbin/mount.idmap src dst -o map=0:1 -z
	refused 1 "$usage" /sbin/mount.idmap src dst -o
}

@test "--help and --version, alone" {
	prints "mount.idmap $(idmount --version | cut -d' ' -f2)" "$MOUNT_IDMAP" --version
	prints "mount.idmap $(idmount --version | cut -d' ' -f2)" "$MOUNT_IDMAP" -V
	prints 'usage: mount.idmap SOURCE TARGET [-sfnv] [-N NAMESPACE] [-t TYPE] -o map=MAP[,OPTION]...
mount(8) runs it for the type idmap; see mount.idmap(8).' "$MOUNT_IDMAP" --help
	same '-h' "$("$MOUNT_IDMAP" --help)" "$("$MOUNT_IDMAP" -h)"
	run -1 --separate-stderr "$MOUNT_IDMAP" --help src dst -o map=0:1
	same 'mounts' 0 "$(mounts_at /mnt/dst)"
	run -1 --separate-stderr bash -c '"$0" --version >/dev/full' "$MOUNT_IDMAP"
}

@test "no map" {
	run -1 --separate-stderr idmap ro
	# The message uses the words of -o.
	[[ $stderr == 'mount.idmap: a map is missing'*map=* ]]
	same 'mounts' 0 "$(mounts_at /mnt/dst)"
	run -1 --separate-stderr /sbin/mount.idmap /mnt/src /mnt/dst
	[[ $stderr == 'mount.idmap: a map is missing'*map=* ]]
}

@test "a quote that is not closed" {
	local before

	before=$(state)
	run -1 --separate-stderr /sbin/mount.idmap /mnt/src /mnt/dst -o 'ro,map="1000:2000'
	[[ $stderr == *'"1000:2000'* || $stderr == *quote* ]]
	same 'what is there' "$before" "$(state)"
}

@test "a mount that failed: 32" {
	refused 32 'mount.idmap: missing: open tree: No such file or directory' \
		mount -t idmap -o map=1000:2000 missing dst
	refused 32 "mount.idmap: /proc: map tree: the filesystem (proc) cannot be ID-mapped
$some_can" mount -t idmap -o map=1000:2000 /proc dst
	refused 32 'mount.idmap: /mnt/src/file: open target: expected a directory as target, like the source; got a file' \
		mount -t idmap -o map=1000:2000 src src/file
	refused 32 'mount.idmap: no-such-user:0: parse map: unknown user "no-such-user"' idmap map=no-such-user:0
	refused 32 'mount.idmap: write uid map: it requires CAP_SETUID in this user namespace
hint: run it as root; an ordinary user runs it under unshare --user --map-root-user --map-auto --mount, or uses idmount run' \
		as 4321 "$(realpath /sbin/mount.idmap)" /mnt/src /mnt/dst -o map=0:1
	# A mount at the target stays the same.
	mount -t tmpfs old dst
	touch dst/old
	refused 32 "mount.idmap: /proc: map tree: the filesystem (proc) cannot be ID-mapped
$some_can" mount -t idmap -o map=1000:2000 /proc dst
	undo
}

# ---- hints ----

@test "hints name options behind -o" {
	refused 32 'mount.idmap: /mnt/missing: open target: the target does not exist
hint: create it first, or ask for it (-o mkdir)' mount -t idmap -o map=0:1 src /mnt/missing
	refused 32 'mount.idmap: /mnt/dst: attach: the target is not a mount point
hint: -o replace requires a mount point as target' idmap map=0:1,replace
	refused 1 'mount.idmap: userns: expected a path or a process number' idmap userns=
	refused 1 'mount.idmap: userns: expected a process number, got 0' idmap userns=0
	# The mounts below are locked by another user namespace. There only idmountd maps, and it maps one mount.
	mount -t tmpfs below src/below
	refused 32 'mount.idmap: /mnt/src: map tree: mounts below the source are locked by another user namespace: a copy without them would uncover hidden files
hint: choose a directory without mounts below it: idmountd maps one mount' \
		unshare --user --map-root-user --mount /sbin/mount.idmap /mnt/src /mnt/dst -o map=0:0
}

@test "no target is behind a symbolic link" {
	local behind

	mkdir victim victim/inside
	ln -s victim link
	for behind in / /. /./ /inside/..; do
		# mount(8) resolves links itself. So the test calls the helper directly, as mount(8) does.
		run -32 --separate-stderr "$MOUNT_IDMAP" src "link$behind" -o map=1000:2000
		[[ $stderr == "mount.idmap: link$behind: open target: "*'symbolic link'* ]]
		same 'mounts' 0 "$(mounts_at /mnt/victim)"
	done
}

@test "a mapped source is refused, or gets the requested map" {
	local refusal='mount.idmap: /mnt/dst: map tree: the source is on a mount that is ID-mapped already' option

	mkdir second
	idmap map=1000:2000
	if ! kernel_has open-tree-attr; then
		fails 32 "$refusal
hint: replacing a map is not supported by this kernel (needs Linux 6.15)" mount -t idmap -o map=2000:4000 dst second
		for option in remap on-top; do
			run -32 --separate-stderr mount -t idmap -o map=2000:4000,$option dst second
			[[ $stderr == 'mount.idmap: /mnt/dst: '*'not supported by this kernel (needs Linux 6.15)' ]]
		done
		same 'mounts' 0 "$(mounts_at /mnt/second)"
		umount dst
		return
	fi
	fails 32 "$refusal
hint: -o remap replaces its map, -o on-top adds to it" mount -t idmap -o map=2000:4000 dst second
	noting mount -t idmap -o map=1000:3000,remap dst second
	same 'owner' 3000:3000 "$(owner second/file)"
	umount second
	noting mount -t idmap -o map=2000:4000,on-top dst second
	same 'owner' 4000:4000 "$(owner second/file)"
	# A second "mount -a" finds it mounted.
	quietly "$MOUNT_IDMAP" /mnt/dst /mnt/second -o map=2000:4000,on-top
	same 'mounts' 1 "$(mounts_at /mnt/second)"
	umount second
	fails 1 'mount.idmap: remap and on-top exclude each other' \
		mount -t idmap -o map=2000:4000,on-top,remap dst second
	umount dst
}
