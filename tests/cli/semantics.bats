#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# The semantics of ID-mapped mounts for their users, on tmpfs and on ext4. The kernel implements them. These tests
# check the manual's statements about them, and that the intended map reaches the kernel.
load common
private_mounts

too_large='Value too large for defined data type'

setup()
{
	set_up_mounts
	rmdir src
	mkdir disk
}

teardown()
{
	tear_down_mounts
}

# with TYPE: mounts a new filesystem at disk. At dst the disk IDs 0 to 999 of disk/src are seen from 100000 on, and
# 1000 to 1999 from 2000 on.
with()
{
	echo "on $1"
	case $1 in
	tmpfs)
		mount -t tmpfs -o mode=755 disk disk
		;;
	ext4)
		truncate -s 32M image
		mkfs.ext4 -q image
		mount -o loop image disk
		;;
	esac
	mkdir disk/src
	chmod 777 disk/src
	noting idmount mount -m 0:100000:1000,1000:2000:1000 disk/src dst
}

# Unmounts everything that could keep the filesystem busy.
without()
{
	quietly idmount umount dst
	quietly umount disk
}

# on_both FUNCTION: runs it with each filesystem.
on_both()
{
	local type

	for type in tmpfs ext4; do
		with $type
		"$1"
		without
	done
}

# refuses WORDS COMMAND...: fails, with WORDS in the message.
refuses()
{
	local words=$1

	shift
	run "$@"
	echo "$output"
	((status != 0))
	[[ $output == *"$words"* ]]
}

@test "owners, both ways" {
	owners()
	{
		touch disk/src/{a,b}
		chown 1000:1001 disk/src/a
		same 'from the disk' $'2000:2001\n100000:100000' "$(owner dst/a dst/b)"

		as 2005 touch dst/file
		as 2005 mkdir dst/directory
		as 2005 ln -s nowhere dst/link
		as 2005 mkfifo dst/fifo
		as 100007 touch dst/root
		same 'to the disk' $'1005:1005\n1005:1005\n1005:1005\n1005:1005\n7:7' \
			"$(owner disk/src/{file,directory,link,fifo,root})"
		same 'and back' $'2005:2005\n100007:100007' "$(owner dst/file dst/root)"
	}
	on_both owners
}

@test "the owner that is seen decides about permissions" {
	permissions()
	{
		mkdir -m 700 disk/src/private
		echo secret >disk/src/private/file
		chown -R 1000:1000 disk/src/private
		same 'the seen owner' secret "$(as 2000 cat dst/private/file)"
		refuses 'Permission denied' as 1000 cat dst/private/file
		same 'the disk owner, on the disk' secret "$(as 1000 cat disk/src/private/file)"
		refuses 'Permission denied' as 2000 cat disk/src/private/file
		as 2000 chmod 755 dst/private
		as 2000 bash -c 'echo changed >dst/private/file'
		same 'the content' changed "$(as 1000 cat disk/src/private/file)"
		refuses 'Operation not permitted' as 1000 chmod 700 dst/private
	}
	on_both permissions
}

@test "a sticky directory" {
	sticky()
	{
		mkdir -m 1777 disk/src/tmp
		touch disk/src/tmp/{mine,other}
		chown 1000 disk/src/tmp/mine
		chown 1001 disk/src/tmp/other
		as 2000 rm -f dst/tmp/mine
		refuses 'Operation not permitted' as 2000 rm -f dst/tmp/other
	}
	on_both sticky
}

@test "chown through the mount" {
	chowning()
	{
		touch disk/src/file
		chown 2003:2004 dst/file
		same 'on the disk' 1003:1004 "$(owner disk/src/file)"
		chown 100000:100999 dst/file
		same 'on the disk' 0:999 "$(owner disk/src/file)"
		refuses "$too_large" chown 5000 dst/file
		refuses "$too_large" chown 0:0 dst/file
		same 'on the disk' 0:999 "$(owner disk/src/file)"
	}
	on_both chowning
}

@test "a copy of a tree through the mount" {
	copying()
	{
		mkdir -p tree/below
		touch tree/file tree/below/file
		chown -R 2000:2000 tree
		chown 2001:5 tree/below/file
		chmod 640 tree/file
		# Root makes the copy, so its ID has to be mapped there.
		idmount umount dst
		noting idmount mount -m 0:0:1000,1000:2000:1000 disk/src dst
		cp -a tree dst/tree
		same 'on the disk' $'1000:1000\n1000:1000\n1001:5' "$(owner disk/src/tree{,/file,/below/file})"
		same 'seen' "$(cd tree && find . -printf '%p %U:%G %m\n' | sort)" \
			"$(cd dst/tree && find . -printf '%p %U:%G %m\n' | sort)"
		rm -r tree
	}
	on_both copying
}

@test "an ID that is not mapped cannot make files" {
	making()
	{
		refuses "$too_large" as 1000 touch dst/file
		refuses "$too_large" as 1000 mkdir dst/file
		refuses "$too_large" touch dst/file
		same 'on the disk' '' "$(ls disk/src)"
	}
	on_both making
}

@test "a file whose owner is not mapped: seen as the overflow user's, and unchangeable" {
	nobodys()
	{
		echo content >disk/src/file
		chown 5000:5001 disk/src/file
		chmod 600 disk/src/file
		same 'seen' 65534:65534 "$(owner dst/file)"
		# Not even root can change it, who can do all that on the disk.
		refuses 'Permission denied' cat dst/file
		refuses 'Permission denied' bash -c 'echo >dst/file'
		refuses "$too_large" chmod 644 dst/file
		refuses "$too_large" chown 2000 dst/file
		refuses "$too_large" rm -f dst/file
		refuses 'Permission denied' as 65534 cat dst/file
		same 'on the disk' '5000:5001 content' "$(owner disk/src/file) $(<disk/src/file)"
		chmod 644 disk/src/file
		same 'for others' content "$(<dst/file)"
	}
	on_both nobodys
}

@test "access control lists" {
	acls()
	{
		touch disk/src/file
		setfacl -m u:1000:rw,g:1001:r disk/src/file
		same 'seen' $'user:2000:rw-\ngroup:2001:r--' "$(getfacl -cn dst/file | grep '[0-9]')"
		setfacl -m u:2002:r,g:100003:rw dst/file
		same 'on the disk' $'user:1000:rw-\nuser:1002:r--\ngroup:3:rw-\ngroup:1001:r--' \
			"$(getfacl -cn disk/src/file | grep '[0-9]')"
		refuses 'Invalid argument' setfacl -m u:5000:r dst/file

		chmod 600 disk/src/file
		setfacl -m u:1000:rw disk/src/file
		as 2000 cat dst/file
		refuses 'Permission denied' as 1000 cat dst/file

		mkdir -m 777 disk/src/directory
		setfacl -d -m u:1005:rwx disk/src/directory
		as 2000 touch dst/directory/new
		same 'inherited, seen' 'user:2005:rwx	#effective:rw-' "$(getfacl -cn dst/directory/new | grep '[0-9]')"

		setfacl -m u:5000:r disk/src/file
		same 'not mapped' 'user:4294967295:r--' "$(getfacl -cn dst/file | grep 4294967295)"
	}
	on_both acls
}

# Prints the capabilities of dst/grep, when an ordinary user runs it.
effective()
{
	as 4321 dst/grep CapEff /proc/self/status | cut -f2
}

@test "file capabilities work if the disk's root is seen as root" {
	capabilities()
	{
		local cap_net_raw=0000000000002000 none=0000000000000000

		cp "$(command -v grep)" disk/src/grep
		setcap cap_net_raw+ep disk/src/grep
		same 'root is 100000' 'dst/grep cap_net_raw=ep [rootid=100000]' "$(getcap -n dst/grep)"
		same 'effective' $none "$(effective)"
		idmount umount dst

		noting idmount mount -m 0:0:1000 disk/src dst
		same 'root is root' 'dst/grep cap_net_raw=ep' "$(getcap -n dst/grep)"
		same 'effective' $cap_net_raw "$(effective)"
		idmount umount dst

		noting idmount mount -m 0:0:1000 -o nosuid disk/src dst
		same 'effective with nosuid' $none "$(effective)"
		setcap cap_net_admin+ep dst/grep
		same 'set through the mount' 'disk/src/grep cap_net_admin=ep' "$(getcap -n disk/src/grep)"
	}
	on_both capabilities
}

@test "a directory with set-group-ID passes its group on" {
	groups()
	{
		mkdir disk/src/shared
		chown 1000:1005 disk/src/shared
		chmod 2775 disk/src/shared
		as 2000 touch dst/shared/file
		as 2000 mkdir dst/shared/below
		same 'on the disk' $'1000:1005 644\n1000:1005 2755' "$(stat -c '%u:%g %a' disk/src/shared/{file,below})"
		same 'seen' $'2000:2005 644\n2000:2005 2755' "$(stat -c '%u:%g %a' dst/shared/{file,below})"
	}
	on_both groups
}

# rename FROM TO: renames without a copy, unlike mv.
rename()
{
	perl -e 'rename($ARGV[0], $ARGV[1]) or die "$!\n"' "$@"
}

@test "links and renames: within the mount, not across mounts" {
	across()
	{
		local crossing='Invalid cross-device link'

		as 2000 touch dst/file
		refuses "$crossing" ln dst/file disk/src/link
		refuses "$crossing" ln disk/src/file dst/link
		refuses "$crossing" rename dst/file disk/src/renamed
		refuses "$crossing" rename disk/src/file dst/renamed
		same 'what is there' file "$(ls disk/src)"
		as 2000 ln dst/file dst/link
		as 2000 perl -e 'rename "dst/file", "dst/renamed" or die'
		same 'what is there' $'link\nrenamed' "$(ls disk/src)"
		same 'links' 2 "$(stat -c %h disk/src/link)"
	}
	on_both across
}

@test "a single file" {
	one_file()
	{
		echo content >disk/src/file
		chown 1000:1000 disk/src/file
		touch target
		noting idmount mount -m 1000:3000 disk/src/file target
		same 'owner' 3000:3000 "$(owner target)"
		chmod 600 disk/src/file
		as 3000 bash -c 'echo changed >target'
		same 'content' changed "$(<disk/src/file)"
		refuses 'Permission denied' as 2000 cat target
		refuses 'Device or resource busy' rm target
		quietly idmount umount target
		same 'what was below' '' "$(<target)"
	}
	on_both one_file
}

@test "a change on either side is seen on the other at once" {
	both_sides()
	{
		as 2000 bash -c 'echo one >dst/file'
		exec {file}<>disk/src/file
		as 2000 bash -c 'echo two >>dst/file'
		same 'content' $'one\ntwo' "$(cat <&"$file")"
		exec {file}<&-
		chown 1005:1005 disk/src/file
		same 'owner' 2005:2005 "$(owner dst/file)"
		rm disk/src/file
		[[ ! -e dst/file ]]
	}
	on_both both_sides
}
