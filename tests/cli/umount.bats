#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# "idmount umount", on the real kernel.
load common
private_mounts

setup()
{
	set_up_mounts
	echo content >src/file
	mkdir src/below
	idmount mount -m 0:7 src dst
}

teardown()
{
	tear_down_mounts
}

idmount_umount='idmount: umount:'
in_use='the mount is in use'

# busy_hint TARGET
busy_hint()
{
	echo "hint: \"fuser -vm $1\" lists its users; --lazy detaches it anyway, --recursive unmounts those below it first"
}

# Prints the mounts at and below dst, in the order of the table.
below_dst()
{
	awk '$5 ~ "^/mnt/dst(/|$)" { print $5 }' /proc/self/mountinfo
}

@test "undoes a mount, mapped or not" {
	quietly idmount umount dst
	same 'mounts' '' "$(below_dst)"
	mount -t tmpfs plain dst
	quietly idmount umount /mnt/dst/
	same 'mounts' '' "$(below_dst)"
}

@test "undoes the top mount, one at a time" {
	mount -t tmpfs top dst
	quietly idmount umount dst
	same 'owner' 7:7 "$(owner dst/file)"
	quietly idmount umount dst
	refused 1 "$idmount_umount dst: unmount: it is not a mount point" \
		idmount umount dst
}

@test "an empty target is refused" {
	cd dst
	refused 1 "$idmount_umount unmount: the path is empty" idmount umount ''
	refused 1 "$idmount_umount unmount: the path is empty" idmount umount --lazy --recursive ''
}

@test "undoes the mount of a file" {
	touch target
	idmount mount -m 0:7 src/file target
	quietly idmount umount target
	same 'content' '' "$(<target)"
}

@test "several targets, one of them bad: the others are unmounted" {
	mkdir second third
	idmount mount -m 0:7 src second
	idmount mount -m 0:7 src third
	fails 1 "$idmount_umount missing: unmount: No such file or directory
$idmount_umount src: unmount: it is not a mount point" \
		idmount umount dst missing second src third
	same 'mounts' '0 0 0' "$(mounts_at /mnt/dst) $(mounts_at /mnt/second) $(mounts_at /mnt/third)"
	same 'directories' $'dst\nsecond\nsrc\nthird' "$(ls)"
}

@test "a mount that is in use, with and without --lazy" {
	exec {file}<dst/file
	refused 1 "$idmount_umount dst: unmount: $in_use
$(busy_hint dst)" idmount umount dst
	quietly idmount umount -l dst
	same 'mounts' '' "$(below_dst)"
	same 'the file' content "$(cat <&"$file")"
	exec {file}<&-
}

@test "a mount with others below it is in use" {
	mount -t tmpfs below dst/below
	refused 1 "$idmount_umount dst: unmount: $in_use
$(busy_hint dst)" idmount umount dst
	quietly idmount umount --lazy dst
	same 'mounts' '' "$(below_dst)"
}

@test "-R: all below it, and nothing else" {
	mkdir dst2
	idmount mount -m 0:7 src dst2
	mount -t tmpfs below dst/below
	mkdir dst/below/a 'dst/below/b c' dst/below/a/deep
	mount -t tmpfs a dst/below/a
	mkdir dst/below/a/deep
	mount -t tmpfs deep dst/below/a/deep
	mount -t tmpfs again dst/below/a/deep
	mount -t tmpfs blank 'dst/below/b c'
	same 'mounts' 6 "$(below_dst | wc -l)"
	quietly idmount umount -R dst
	same 'mounts' '' "$(below_dst)"
	same 'another one' 1 "$(mounts_at /mnt/dst2)"
	same 'the source' content "$(<src/file)"
}

@test "-R: the top one of several stacked mounts, with the mounts below it" {
	mount -t tmpfs below dst/below
	mount -t tmpfs top dst
	mkdir dst/other
	mount -t tmpfs other dst/other
	quietly idmount umount --recursive dst
	same 'mounts' $'/mnt/dst\n/mnt/dst/below' "$(below_dst)"
	same 'owner' 7:7 "$(owner dst/file)"
}

@test "-R: names the mount that is in use, and stops there" {
	mount -t tmpfs below dst/below
	mkdir dst/below/a dst/below/b
	mount -t tmpfs a dst/below/a
	mount -t tmpfs b dst/below/b
	touch dst/below/a/file
	exec {file}<dst/below/a/file
	fails 1 "$idmount_umount /mnt/dst/below/a: unmount: $in_use
$(busy_hint /mnt/dst/below/a)" idmount umount -R dst
	# It unmounts the deepest first, and later mounts before earlier ones.
	same 'mounts' $'/mnt/dst\n/mnt/dst/below\n/mnt/dst/below/a' "$(below_dst)"
	quietly idmount umount -R --lazy dst
	same 'mounts' '' "$(below_dst)"
	exec {file}<&-
}

# Prints the ID-mapped mounts below /mnt.
mapped_below_mnt()
{
	idmount list -rno target | grep '^/mnt/'
}

@test "-a: all ID-mapped mounts, also stacked ones and those in each other, and no other" {
	mkdir plain src/below/deep
	mount -t tmpfs plain plain
	idmount mount -m 0:8 src dst
	idmount mount -m 0:9 src/below/deep dst/below
	idmount mount -m 0:9 -o shared src src
	quietly idmount umount -a
	same 'mounts' '' "$(idmount list)"
	same 'others' '0 1' "$(mounts_at /mnt/dst) $(mounts_at /mnt/plain)"
	quietly idmount umount --all
}

@test "-a: an older mount that was moved onto later ones is unmounted first" {
	mkdir second third
	idmount mount -m 0:7 src second
	idmount mount -m 0:8 src third
	idmount mount -m 0:9 src dst
	mount --move second dst/below
	mount --move third dst
	quietly idmount umount -a
	same 'mounts' '' "$(idmount list)"
}

@test "-a: mounts that are in use or covered stay, and the others go" {
	mkdir second
	idmount mount -m 0:7 src second
	mount -t tmpfs below second/below
	mount -t tmpfs cover dst
	fails 1 "$idmount_umount /mnt/second: unmount: $in_use
$(busy_hint /mnt/second)
$idmount_umount /mnt/dst: unmount: another mount covers it" idmount umount -a
	fails 1 "$idmount_umount /mnt/dst: unmount: another mount covers it" idmount umount -aR
	same 'mounts' /mnt/dst "$(mapped_below_mnt)"
	umount dst
	exec {file}<dst/file
	fails 1 "$idmount_umount /mnt/dst: unmount: $in_use
$(busy_hint /mnt/dst)" idmount umount -a
	quietly idmount umount -al
	same 'mounts' '' "$(below_dst)"
	exec {file}<&-
	refused 2 "$idmount_umount src: -a unmounts all, and expects no TARGET" idmount umount -a src
}

# The command may mount through the link, too. So the victim is told by its source.
has_victim()
{
	grep -q ' /mnt/victim/data .* tmpfs victim ' /proc/self/mountinfo
}

# flip DIRECTORY: exchanges a and b in it without end.
flip()
{
	exec python3 -c '
import ctypes, os, sys
libc = ctypes.CDLL(None)
os.chdir(sys.argv[1])
while True:
    libc.renameat2(-100, b"a", -100, b"b", 2)
' "$1"
}

@test "-a: a directory above that is exchanged for a link leads to no other mount" {
	local flipper

	mkdir -p home/a/data victim/data
	ln -s /mnt/victim home/b
	mount -t tmpfs victim victim/data
	(flip /mnt/home) 3>&- &
	flipper=$!
	for ((i = 0; i < 100; i++)); do
		idmount mount -m 0:8 src home/a/data 2>/dev/null || true
		idmount umount -a 2>/dev/null || true
		has_victim || break
	done
	kill "$flipper"
	wait "$flipper" || true
	has_victim
}

@test "-R: names with line ends and backslashes" {
	local name

	for name in $'a\nb' 'a\b' '\040' 'a b' $'\xff'; do
		mkdir "src/$name"
		mount -t tmpfs odd "dst/$name"
	done
	quietly idmount umount -R dst
	same 'mounts' '' "$(below_dst)"
}

@test "-R: at a mount without others below" {
	quietly idmount umount -R dst
	same 'mounts' '' "$(below_dst)"
}

@test "a symbolic link is refused, whatever the options" {
	local option behind

	ln -s dst link
	for option in '' -R --lazy; do
		for behind in / // /. /./; do
			refused 1 "$idmount_umount link$behind: unmount: the target is a symbolic link
hint: name the place that it points to" idmount umount $option "link$behind"
		done
		refused 1 "$idmount_umount link/../link/x/..: unmount: the path to its final \"..\" contains a symbolic link" \
			idmount umount $option link/../link/x/..
		refused 1 "$idmount_umount link: unmount: the target is a symbolic link
hint: name the place that it points to" idmount umount $option link
	done
}

@test "a target that is no mount point, or missing" {
	local option

	for option in '' -R --lazy; do
		refused 1 "$idmount_umount src: unmount: it is not a mount point" \
			idmount umount $option src
		refused 1 "$idmount_umount dst/file: unmount: it is not a mount point" \
			idmount umount $option dst/file
		refused 1 "$idmount_umount missing: unmount: No such file or directory" idmount umount $option missing
	done
}

@test "a mount that another user namespace locked" {
	refused 1 "$idmount_umount dst: unmount: another user namespace locked the mount, or it is in another mount namespace" \
		unshare --user --map-root-user --mount "$IDMOUNT" umount dst
}

@test "without the privilege" {
	refused 1 "$idmount_umount dst: unmount: it requires CAP_SYS_ADMIN in the user namespace that owns this mount namespace" \
		as 4321 "$IDMOUNT" umount dst
	refused 1 "$idmount_umount dst: unmount: it requires CAP_SYS_ADMIN in the user namespace that owns this mount namespace" \
		as 4321 "$IDMOUNT" umount -R dst
}

@test "below a shared mount, at its peers too" {
	mkdir parent peer
	mount --bind parent parent
	mount --make-shared parent
	mount --bind parent peer
	mkdir parent/dst
	idmount mount -m 0:7 src parent/dst
	same 'mounts' '1 1' "$(mounts_at /mnt/parent/dst) $(mounts_at /mnt/peer/dst)"
	quietly idmount umount parent/dst
	same 'mounts' '0 0' "$(mounts_at /mnt/parent/dst) $(mounts_at /mnt/peer/dst)"
}

@test "a wrong command line" {
	refused 2 "$idmount_umount a TARGET is missing; see \"idmount help umount\"" idmount umount
	refused 2 "$idmount_umount a TARGET is missing; see \"idmount help umount\"" idmount umount -R --lazy
	refused 2 "$idmount_umount -x: unknown option; see \"idmount help umount\"" idmount umount -x dst
	refused 2 "$idmount_umount --force: unknown option; see \"idmount help umount\"" idmount umount dst --force
	refused 1 "$idmount_umount -R: unmount: No such file or directory" idmount umount -- -R
}
