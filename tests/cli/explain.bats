#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# "idmount explain", on the real kernel. Each verdict is beside what a process gets. Each cure is run as printed.
load common
private_mounts

setup()
{
	set_up_mounts
}

teardown()
{
	tear_down_mounts
}

# as UID COMMAND...
as()
{
	setpriv --reuid "$1" --regid "$1" --clear-groups "${@:2}"
}

# explain_as UID OPTION... PATH
explain_as()
{
	as "$1" "$program" explain "${@:2}"
}

# The program where other users reach it.
reachable()
{
	program=/mnt/idmount
	cp "$IDMOUNT" "$program"
	chmod 755 "$program"
}

# member NAME: prints a member of the first refusal.
member()
{
	jq -r "[.[].steps[] | select(.allowed | not)][0].$1"
}

# cures UID ACCESS PATH COMMAND...: COMMAND fails as UID, explain names a cure, and COMMAND succeeds after it.
cures()
{
	local uid=$1 access=$2 path=$3 cure

	shift 3
	run ! as "$uid" "$@"
	run -1 explain_as "$uid" "$access" --json "$path"
	cure=$(member cure <<<"$output")
	[[ $cure != null && $cure != *'777'* ]]
	echo "cure: $cure"
	PATH=/mnt:$PATH sh -c "$cure"
	run -0 explain_as "$uid" "$access" "$path"
	as "$uid" "$@"
}

@test "a service that the mode leaves out gets an ACL entry" {
	reachable
	touch src/file
	chmod 640 src/file
	cures 1033 --read /mnt/src/file cat /mnt/src/file
	cures 1033 --write /mnt/src/file dd if=/dev/null of=/mnt/src/file conv=notrunc status=none
	same 'the others' 0 "$(stat -c %a src/file | tail -c 2)"
}

@test "an ACL entry permits nothing to users whom the mask limits" {
	local file=/mnt/src/file

	reachable
	touch src/file
	chmod 640 src/file
	setfacl -m u:1001:rwx src/file
	setfacl -m m::r src/file
	run -1 explain_as 1033 --write --json "$file"
	same 'the cure that would widen the mask' null "$(member cure <<<"$output")"
	cures 1033 --read "$file" cat "$file"
	as 1001 test -r "$file"
	run ! as 1001 test -w "$file"
	# The process's own entry.
	setfacl -b src/file
	chmod 640 src/file
	setfacl -m u:1033:rw src/file
	setfacl -m m::r src/file
	run -1 idmount explain --user 1033:1033 --write "$file"
	[[ $output == *'EACCES: the mask of the ACL removes w from the ACL entry of user 1033'* ]]
	cures 1033 --write "$file" dd if=/dev/null of="$file" conv=notrunc status=none
}

@test "a parent directory of mode 0700" {
	reachable
	mkdir -m 700 src/private
	mkdir src/private/deep
	touch src/private/deep/file
	run -1 explain_as 1000 --read /mnt/src/private/deep/file
	[[ ${lines[-2]} == '  note     run the cures as root' ]]
	[[ ${lines[-1]} == '  note     run this command again after the cure: what is behind that directory is not judged: /mnt/src/private/deep: look up path: '* ]]
	run -1 idmount explain --user 1000:1000 --read /mnt/src/private/deep/file
	[[ $output != *'as root'* && $output != *' again after the cure'* ]]
	[[ $output == *'search   refused, EACCES: the mode of others lacks x'* ]]
	cures 1000 --read /mnt/src/private/deep/file cat /mnt/src/private/deep/file
}

@test "no cure that would fail" {
	local cure

	reachable
	echo x >src/file
	chmod 600 src/file
	# No other mount shows the file.
	mount -t tmpfs -o mode=755 none dst
	cp -p src/file dst
	mount -o remount,bind,ro dst
	run -1 idmount explain --user 1000:1000 --read /mnt/dst/file
	[[ $output == *'the mode of others lacks r'* && $output != *setfacl* ]]
	chattr +i src/file && cure=immutable || cure=none # tmpfs: from Linux 6.6 on
	run -1 idmount explain --user 1000:1000 --read /mnt/src/file
	[[ $cure == none || $output != *setfacl* ]]
	chattr -i src/file || true
	# The mount has no disk ID for user 3000.
	idmount mount --mkdir -m 0:0,1000:2000 src mapped
	run -1 idmount explain --user 3000:3000 --read /mnt/mapped/file
	[[ $output != *setfacl* ]]
	# A name that would be an option.
	cd src
	cp file ./-f
	chmod 600 ./-f
	run -1 idmount explain --user 1000:1000 --read -- -f
	[[ $output == *'setfacl -m u:1000:r ./-f'* ]]
}

# Prints the cures of $output without the number of each file.
cures_without_file()
{
	sed -n 's/^  cure *//p' <<<"$output" | sed 's/ --file [0-9:]*//'
}

@test "a closed file on a read-only mount: the cure names its path on one that is writable" {
	local member cure

	reachable
	mkdir -p src/closed/deep ro other hidden
	echo text >src/closed/deep/file
	chmod 600 src/closed/deep/file
	chmod 700 src/closed
	mount --bind src/closed ro
	mount -o remount,bind,ro ro
	cures 1000 --exec /mnt/ro ls /mnt/ro/deep
	cures 1000 --read /mnt/ro/deep/file cat /mnt/ro/deep/file
	setfacl -b src/closed/deep/file src/closed
	# Behind a map, the entry is for the ID on disk.
	mkdir mapped
	noting idmount mount -o ro -m 0:0,1000:2000 src/closed mapped
	run -1 idmount explain --user 2000:2000 --read /mnt/mapped/deep/file
	same 'the cures' $'idmount cure /mnt/src/closed setfacl -m u:1000:x\nidmount cure /mnt/src/closed/deep/file setfacl -m u:1000:r' "$(cures_without_file)"
	PATH=/mnt:$PATH sh -ec "$(sed -n 's/^  cure *//p' <<<"$output")"
	run -0 idmount explain --user 2000:2000 --read /mnt/mapped/deep/file
	as 2000 cat /mnt/mapped/deep/file
	setfacl -b src/closed/deep/file src/closed
	# Without an ID on disk, no entry is possible.
	run -1 idmount explain --user 1000:1000 --exec /mnt/mapped
	[[ $output == *'the mode of others lacks x'* && $output != *'  cure'* ]]
	umount mapped
	# As the volume of a container, which does not have that path.
	background unshare --mount sh -c 'mount --bind /mnt/ro /mnt/dst && mount -t tmpfs none /mnt/src && exec setpriv --reuid 1000 --regid 1000 --clear-groups sleep 1000'
	member=${background[-1]}
	until [[ $(cat "/proc/$member/comm") == sleep ]]; do
		sleep 0.1
	done
	run -1 idmount explain --pid "$member" --read /mnt/dst/deep/file
	same 'the cures' $'idmount cure /mnt/src/closed setfacl -m u:1000:x\nidmount cure /mnt/src/closed/deep/file setfacl -m u:1000:r' "$(cures_without_file)"
	PATH=/mnt:$PATH sh -ec "$(sed -n 's/^  cure *//p' <<<"$output")"
	run -0 idmount explain --pid "$member" --read /mnt/dst/deep/file
	as 1000 cat "/proc/$member/root/mnt/dst/deep/file"
	setfacl -b src/closed/deep/file
	# Neither a place that another mount covers, nor a mapped mount, nor the source that has a map itself.
	mount --bind src/closed other
	mount -t tmpfs none src
	run -1 idmount explain --pid "$member" --read /mnt/dst/deep/file
	same 'the cure' 'idmount cure /mnt/other/deep/file setfacl -m u:1000:r' "$(cures_without_file)"
	noting idmount mount -m 0:0,1000:2000 other hidden
	umount other
	run -1 idmount explain --pid "$member" --read /mnt/dst/deep/file
	[[ $output == *'the mode of others lacks r'* && $output != *'  cure'* ]]
}

@test "no cure by setfacl without ACLs, and none by remount for an overlay without an upper layer" {
	reachable
	mount -t ramfs none dst
	mkdir -m 755 dst/d
	echo >dst/d/file
	chmod 600 dst/d/file
	run ! setfacl -m u:1000:r dst/d/file
	run -1 idmount explain --user 1000:1000 --read /mnt/dst/d/file
	[[ $output == *'the mode of others lacks r'* && $output != *cure* ]]
	mkdir low low2 over
	echo >low/file
	mount -t overlay -o lowerdir=/mnt/low:/mnt/low2 none over
	run -1 idmount explain --write /mnt/over/file
	[[ $output == *'refused, EROFS: the filesystem is read-only'* && $output != *cure* ]]
}

@test "a cure for a name with a newline is one line for bash" {
	local cure file=$'/mnt/src/a\nb\'c\\d'

	touch "$file"
	chmod 600 "$file"
	run -1 idmount explain --user 1000:1000 --read "$file"
	cure=$(sed -n 's/^  cure *//p' <<<"$output")
	echo "$cure"
	bash -c "$cure"
	as 1000 cat "$file"
}

# same_errno COMMAND...: refused reads the verdict of the last access about the last path.
same_errno()
{
	local path=${*: -1} access=$1 verdict

	shift
	verdict=$(idmount explain --user 1000:1000 "$access" --json "$path" | jq -r '.[].steps[-1].errno')
	same "$access $path" "$(kernel_errno as 1000 "$@")" "$verdict"
}

@test "a read-only subvolume of btrfs refuses before the mode does, and no mount option cures that" {
	local owner

	truncate -s 256M image
	mkfs.btrfs -q image >/dev/null 2>&1
	mount -o loop image dst
	btrfs -q subvolume create dst/volume
	mkdir -m 777 dst/volume/directory
	echo text >dst/volume/file
	echo text >dst/volume/own
	chown 1000:1000 dst/volume/own
	btrfs -q subvolume snapshot -r dst/volume dst/snapshot
	btrfs property set dst/volume ro true
	for owner in own file; do
		same_errno --read cat "/mnt/dst/volume/$owner"
		same_errno --write truncate -cs 5 "/mnt/dst/volume/$owner"
		same_errno --chmod chmod 644 "/mnt/dst/volume/$owner"
		same_errno --unlink rm "/mnt/dst/volume/$owner"
	done
	same_errno --create mktemp -p /mnt/dst/volume/directory
	run -1 idmount explain --write /mnt/dst/snapshot/own
	[[ $output == *'refused, EROFS: the subvolume is read-only'* && $output != *cure* ]]
	# Its directory is in another subvolume.
	btrfs -q subvolume create dst/empty
	btrfs property set dst/empty ro true
	run -0 idmount explain --unlink /mnt/dst/empty
	rmdir dst/empty
	mount -o remount,ro dst
	run -1 idmount explain --write /mnt/dst/snapshot/own
	[[ $output == *'refused, EROFS: the filesystem is read-only'* ]]
	umount dst
}

# in_removed MODE: what creating a file in dst gets, which is a mount of a removed directory.
in_removed()
{
	mkdir src/volume
	chmod "$1" src/volume
	mount --bind src/volume dst
	[[ -z ${2-} ]] || mount -o "remount,bind,$2" dst
	rmdir src/volume
	same_errno --create mktemp -p /mnt/dst
	umount dst
}

@test "no file is created in a directory that has been removed, as a volume that was replaced on the host" {
	local type

	in_removed 777
	in_removed 777 ro
	in_removed 755
	in_removed 700
	for type in ext4 btrfs xfs; do
		truncate -s 400M image
		"mkfs.$type" -q image >/dev/null 2>&1
		mount -o loop image src
		in_removed 777
		umount src
		rm image
	done
	mkdir src/volume
	mount --bind src/volume dst
	rmdir src/volume
	run -1 idmount explain --create /mnt/dst
	[[ $output == *'create   refused, ENOENT: the directory has been removed'* && $output != *cure* ]]
	# An overlay counts links of its own.
	umount dst
	mkdir over src/lower src/lower/volume src/upper src/work
	mount -t overlay -o lowerdir=src/lower,upperdir=src/upper,workdir=src/work none over
	mount --bind over/volume dst
	run -0 idmount explain --create /mnt/dst
	rmdir over/volume
	run -1 idmount explain --create /mnt/dst
	run ! touch dst/new
}

@test "a directory of autofs is not known, and nothing triggers a mount" {
	local access

	mkfifo requests
	exec 9<>requests
	# autofs writes to a pipe, and never to one of its own process group.
	mount -t autofs -o "fd=9,pgrp=$(ps -o pgid= $$ | tr -d ' '),minproto=5,maxproto=5,direct" none dst
	for access in --read --exec --create --chmod; do
		run -1 setsid -w "$IDMOUNT" explain "$access" /mnt/dst
		[[ $output == *'not known'* && $output == *'autofs'* ]]
	done
	run -1 setsid -w "$IDMOUNT" explain --user 1000:1000 --create /mnt/dst
	[[ $output == *'not known, EACCES: '*'unless the filesystem that autofs mounts there permits it'* && $output != *cure* ]]
	run -1 setsid -w "$IDMOUNT" explain --read /mnt/dst/file
	[[ $output == *'/mnt/dst/file: explain access: No such file or directory'*'autofs mounts nothing for this command: list the directory first'* ]]
	run ! read -r -t 0 -u 9
	umount dst
	# Names that autofs has, and mounts when they are opened.
	mount -t autofs -o "fd=9,pgrp=$(ps -o pgid= $$ | tr -d ' '),minproto=5,maxproto=5,indirect" none dst
	mkdir dst/name
	run -0 timeout 10 setsid -w "$IDMOUNT" explain --owners --exec /mnt
	run -1 timeout 10 setsid -w "$IDMOUNT" explain --owners --exec /mnt/dst
	[[ $output == *'note     a directory could not be read'* ]]
	run ! read -r -t 0 -u 9
	umount dst
	exec 9<&-
}

@test "an access control list of thousands of entries decides as a short one" {
	local n uid

	reachable
	touch src/file
	for n in 499 501 8180; do
		seq -f 'u:%.0f:r' 10001 "$((10000 + n))" >entries
		setfacl -b -M entries src/file
		chmod 640 src/file
		for uid in 10000 10001 "$((10000 + n))" "$((10001 + n))"; do
			same "$n entries, user $uid" "$(kernel_errno as "$uid" cat src/file)" \
				"$(explain_as "$uid" --read --json /mnt/src/file | jq -r '.[].steps[-1].errno')"
		done
	done
}

@test "a cure names the file also by bytes that are printed in octal" {
	local name cure

	for name in $'\377\376' $'\302\23331m' $'a\u202eb' $'a\u2028b' 'ü!x' $'\n\377\'\\!a'; do
		touch "/mnt/src/$name"
		chmod 600 "/mnt/src/$name"
		run -1 idmount explain --user 1000:1000 --read "/mnt/src/$name"
		cure=$(sed -n 's/^  cure *//p' <<<"$output")
		echo "$cure"
		# A file with the name that is printed would be another one.
		bash -c "$cure"
		as 1000 cat "/mnt/src/$name"
	done
}

@test "a file that a read-only mapped mount leaves out can be read with a larger map" {
	reachable
	echo x >src/file
	chown 1001:1001 src/file
	chmod 640 src/file
	noting idmount mount -o ro -m 0:100000:1000 src dst
	cures 0 --read /mnt/dst/file cat /mnt/dst/file
	run ! touch dst/new
}

@test "a larger map keeps suid and dev of the mount" {
	reachable
	echo x >src/file
	chown 1001:1001 src/file
	chmod 640 src/file
	noting idmount mount -o suid,dev -m 0:100000:1000 src dst
	cures 0 --read /mnt/dst/file cat /mnt/dst/file
	[[ $(findmnt -no VFS-OPTIONS dst) != *no[sd]* ]]
}

# remap_for UID ACCESS PATH: runs the cure that root gets, since only root sees the owner on disk.
remap_for()
{
	run -1 idmount explain --user "$1:$1" "$2" --json "$3"
	PATH=/mnt:$PATH sh -c "$(member cure <<<"$output")"
	run -0 explain_as "$1" "$2" "$3"
	same 'the errno of the kernel' null "$(try_with "$2" "$3" as "$1")"
}

@test "a larger map: the owner keeps its number where that is enough" {
	reachable
	touch src/{closed,open}
	chown 1001:1001 src/*
	chmod 640 src/closed
	chmod 666 src/open
	# With 1001:0, a set-user-ID program of user 1001 would be root's.
	noting idmount mount -o suid -m 0:100000:1000 src dst
	cures 0 --read /mnt/dst/closed cat /mnt/dst/closed
	same 'the owner' 1001:1001 "$(owner dst/closed)"
	# A user whom the mode of others permits.
	idmount umount dst
	noting idmount mount -m 0:100000:1000 src dst
	remap_for 1000 --write /mnt/dst/open
	same 'the owner' 1001:1001 "$(owner dst/open)"
	# As its owner only.
	idmount umount dst
	noting idmount mount -m 0:100000:1000 src dst
	remap_for 1000 --read /mnt/dst/closed
	same 'the owner' 1000:1000 "$(owner dst/closed)"
	# The number is in use.
	idmount umount dst
	noting idmount mount -m 0:1001:1 src dst
	cures 0 --read /mnt/dst/closed cat /mnt/dst/closed
	same 'the owner' 0:0 "$(owner dst/closed)"
}

@test "the ACL is shown with the group and the mask" {
	touch src/file
	chmod 664 src/file
	setfacl -m u:1001:rwx,m::r src/file
	run -0 idmount explain --read /mnt/src/file
	[[ $output == *'group::rw-'*'mask::r--'*'user:1001:rwx'* ]]
}

@test "owners below a directory that the caller cannot search: not complete" {
	reachable
	mkdir -m 700 src/closed
	mkdir -m 744 src/listed
	touch src/{closed,listed}/file
	for directory in closed listed; do
		run explain_as 1000 --owners --json "/mnt/src/$directory"
		same "$directory" false "$(jq '.[0].complete' <<<"$output")"
		run explain_as 1000 --owners "/mnt/src/$directory"
		[[ $output == *'note     a directory could not be read'* ]]
	done
}

@test "a share of a group" {
	reachable
	mkdir -m 2770 src/share
	chgrp 1500 src/share
	run -0 setpriv --reuid 1000 --regid 1000 --groups 1500 "$program" explain --create /mnt/src/share
	cures 1000 --create /mnt/src/share touch /mnt/src/share/new
}

@test "an owner whose own bits are missing" {
	reachable
	touch src/file
	chown 1000:1000 src/file
	chmod 070 src/file
	cures 1000 --read /mnt/src/file cat /mnt/src/file
}

@test "EOVERFLOW: the mount has no ID on disk for a new file" {
	reachable
	chmod 777 src
	noting idmount mount -m 0:100000:1000 src dst
	run as 1000 touch /mnt/dst/new
	[[ $output == *'Value too large'* ]]
	run -1 explain_as 1000 --create /mnt/dst
	[[ $output == *'refused, EOVERFLOW: the mount maps no ID on disk to user 1000 and group 1000'* ]]
}

@test "a file and a directory that the map leaves out, for root too" {
	reachable
	mkdir -m 700 src/secret
	touch src/file src/secret/file
	chown -R 1001:1001 src/secret src/file
	chmod 640 src/file
	noting idmount mount -m 0:100000:1000 src dst
	run ! cat dst/secret/file
	run -1 idmount explain --read /mnt/dst/secret/file
	[[ $output == *'capabilities do not count, since the mount does not map the owner or group'* ]]
	cures 0 --read /mnt/dst/secret/file cat /mnt/dst/secret/file
	idmount umount dst
	noting idmount mount -m 0:100000:1000 src dst
	cures 0 --write /mnt/dst/file dd if=/dev/null of=/mnt/dst/file conv=notrunc status=none
}

@test "a read-only mount" {
	reachable
	touch src/file
	chown 1000 src/file
	mount --bind src dst
	mount -o remount,bind,ro dst
	cures 1000 --write /mnt/dst/file dd if=/dev/null of=/mnt/dst/file conv=notrunc status=none
}

# flags PID: those of /mnt/dst in the mount namespace of the process.
flags()
{
	awk '$5 == "/mnt/dst" { print $6 }' "/proc/$1/mountinfo"
}

@test "a read-only mount in another namespace: the other flags stay, and no program of that namespace runs" {
	local member cure

	touch src/file
	chmod 666 src/file
	mount --bind src dst
	mount -o remount,bind,ro,nosuid,nodev,noexec,noatime dst
	printf '#!/bin/sh\n: >/mnt/ran\n' >fake
	chmod 755 fake
	# In there, mount(8) does not find the flags.
	background unshare --mount sh -c "mount -t tmpfs none /proc && mount --bind /mnt/fake '$(realpath "$(type -P mount)")' && exec sleep 1000"
	member=${background[-1]}
	until [[ $(cat "/proc/$member/comm") == sleep ]]; do
		sleep 0.1
	done
	run -1 idmount explain --pid "$member" --write --json /mnt/dst/file
	cure=$(member cure <<<"$output")
	echo "$cure"
	# A sanitizer looks for leaks there when the program exits, and fails.
	PATH=${IDMOUNT%/*}:$PATH sh -c "$cure" || grep -q __asan_init "$IDMOUNT"
	same 'the flags' rw,nosuid,nodev,noexec,noatime "$(flags "$member")"
	same 'those of the caller' ro,nosuid,nodev,noexec,noatime "$(flags self)"
	run -0 idmount explain --pid "$member" --write /mnt/dst/file
	[[ ! -e ran ]]
}

@test "the cure of a read-only mount changes no other mount of the container" {
	local member cure

	mkdir -p src/on/data src/secret
	touch src/file
	chmod 666 src/file
	mkdir other
	mount --bind src/on/data dst
	mount --bind src src/on/data
	mount -o remount,bind,ro src/on/data
	mount --bind other src/secret
	mount -o remount,bind,ro src/secret
	background unshare --mount sleep 1000
	member=${background[-1]}
	until [[ $(cat "/proc/$member/comm") == sleep ]]; do
		sleep 0.1
	done
	run -1 idmount explain --pid "$member" --write --json /mnt/src/on/data/file
	cure=$(member cure <<<"$output")
	[[ $cure == "idmount cure --pid $member --file "*' --clear ro /mnt/src/on/data' ]]
	mv src/on src/off
	mkdir src/on
	ln -s /mnt/src/secret src/on/data
	run -1 env PATH="${IDMOUNT%/*}:$PATH" sh -c "$cure"
	same 'the other mount' ro "$(awk '$5 == "/mnt/src/secret" { print $6 }' "/proc/$member/mountinfo" | cut -d, -f1)"
	rm -r src/on
	mv src/off src/on
	PATH=${IDMOUNT%/*}:$PATH sh -c "$cure"
	same 'the mount' rw "$(awk '$5 == "/mnt/src/on/data" { print $6 }' "/proc/$member/mountinfo" | cut -d, -f1)"
	run -0 idmount explain --pid "$member" --write /mnt/src/on/data/file
	# Where a user of the host can replace the directory.
	chown 1000 src/on
	run -1 idmount explain --write --json /mnt/src/on/data/file
	cure=$(member cure <<<"$output")
	[[ $cure == 'idmount cure --file '*' --clear ro /mnt/src/on/data' ]]
	PATH=${IDMOUNT%/*}:$PATH sh -c "$cure"
	run -0 idmount explain --write /mnt/src/on/data/file
	# What is no mount.
	run -1 idmount cure --file "$(stat -c %Hd:%Ld:%i src/file)" --clear ro src/file
	same 'no mount' 'idmount: cure: src/file: change the mount: Invalid argument' "$output"
}

@test "a program on a mount with noexec, and capabilities on one with nosuid" {
	reachable
	cp /bin/true src/program
	chmod 755 src/program
	mount --bind src dst
	mount -o remount,bind,noexec,nosuid dst
	setcap cap_net_raw,cap_chown+p src/program
	run -0 explain_as 1000 /mnt/dst/program
	[[ $output == *'file capabilities CAP_CHOWN, CAP_NET_RAW, for root ID 0'* ]]
	[[ $output == *'do nothing: the mount has nosuid'* ]]
	cures 1000 --exec /mnt/dst/program /mnt/dst/program
}

# privilege NAME: prints a member of what the program gets.
privilege()
{
	explain_as 1000 --json /mnt/dst/program | jq -c ".[0].privileges.$1"
}

@test "file capabilities and set-user-ID bits that nosuid disables: the cure makes them count" {
	local cure

	reachable
	cp /bin/cat src/program
	chmod 755 src/program
	mount --bind src dst
	mount -o remount,bind,nosuid dst
	same 'no privileges' null "$(explain_as 1000 --json /mnt/dst/program | jq -c '.[0].privileges')"
	setcap cap_net_raw+ep src/program
	same 'the set' $'CapEff:\t0000000000000000' "$(as 1000 dst/program /proc/self/status | grep CapEff)"
	same 'names' '["CAP_NET_RAW"]' "$(privilege capabilities)"
	same 'they do not count' false "$(privilege count)"
	# No access is refused, so it is no cure of one.
	[[ $(explain_as 1000 --exec /mnt/dst/program) != *cure\ * ]]
	cure=$(explain_as 1000 --exec /mnt/dst/program | sed -n 's/^ *to let them count: //p')
	same 'the cure' 'mount -o remount,bind,suid /mnt/dst' "$cure"
	same 'the cure in JSON' "\"$cure\"" "$(privilege cure)"
	sh -c "$cure"
	same 'the set' $'CapEff:\t0000000000002000' "$(as 1000 dst/program /proc/self/status | grep CapEff)"
	same 'they count' '[true,null]' "$(explain_as 1000 --json /mnt/dst/program | jq -c '.[0].privileges | [.count, .cure]')"
	setcap -r src/program
	chmod 4755 src/program
	same 'the user' $'Uid:\t1000\t0\t0\t0' "$(as 1000 dst/program /proc/self/status | grep Uid)"
	same 'the bit' '[[],true,true]' "$(explain_as 1000 --json /mnt/dst/program | jq -c '.[0].privileges | [.capabilities, .setUserId, .count]')"
}

# compare_privileges OPTION... : COMMAND_PREFIX...: what the program gets is what the command says, by "count".
compare_privileges()
{
	local options=() status gets

	while [[ $1 != : ]]; do
		options+=("$1")
		shift
	done
	shift
	status=$("$@" /mnt/dst/program /proc/self/status)
	gets=false
	! grep -q $'^Cap\(Eff\|Prm\):\t.*2000$' <<<"$status" || gets=true
	! grep -q $'^Uid:\t[0-9]*\t[0-9]*[^0-9]' <<<"$status" || [[ $(awk '/^Uid:/ { print $2 == $3 }' <<<"$status") == 1 ]] || gets=true
	same "${options[*]}: counts" "$gets" "$(idmount explain "${options[@]}" --json /mnt/dst/program | jq '.[0].privileges.count')"
	compared+=" $gets"
}

@test "file capabilities and set-user-ID bits that do not count: root ID, no_new_privs, owners that are not mapped" {
	local compared='' map kind user

	reachable
	cp /bin/cat src/program
	start_container '0 100000 2000'
	# In this mount namespace: a mount of another one grants nothing.
	background nsenter --target "$pid" --user --setuid 0 --setgid 0 -- setpriv --reuid 1000 --regid 1000 --clear-groups sleep 1000
	member=${background[-1]}
	until [[ $(cat "/proc/$member/comm") == sleep ]]; do
		sleep 0.1
	done
	background setpriv --reuid 1000 --regid 1000 --clear-groups --no-new-privs sleep 1000
	for map in none 0:0:200000 0:100000:2000 7:7:1; do
		[[ $map == none ]] && mount --bind src dst || noting idmount mount -o suid -m "$map" src dst
		for kind in plain 100000 100007 setuid-0 setuid-7 setuid-100007; do
			setcap -r src/program 2>/dev/null || :
			chown 0:0 src/program
			chmod 755 src/program
			case $kind in
			plain) setcap cap_net_raw+ep src/program ;;
			setuid-*)
				chown "${kind#setuid-}:${kind#setuid-}" src/program
				chmod 4755 src/program
				;;
			*) setcap -n "$kind" cap_net_raw+ep src/program ;;
			esac
			echo "map $map, $kind"
			idmount explain --user 1000:1000 /mnt/dst/program | grep -E 'count|do nothing|note' || :
			[[ $(idmount explain --json /mnt/dst/program | jq '.[0].unseen | length') == 0 ]] || continue
			compare_privileges --user 1000:1000 : as 1000
			compare_privileges --pid "$member" : nsenter --target "$pid" --user --setuid 0 --setgid 0 -- setpriv --reuid 1000 --regid 1000 --clear-groups
			compare_privileges --pid "${background[-1]}" : as 1000 setpriv --no-new-privs
		done
		umount dst
	done
	echo "$compared"
	[[ $compared == *true*false*true* ]]
}

@test "a file that can only be appended to: the message names the way that works" {
	local file=/mnt/src/file append=(sh -c 'echo line >>/mnt/src/file')

	reachable
	touch "$file"
	chmod 666 "$file"
	chattr +a "$file" 2>/dev/null || skip 'this filesystem has no such attribute'
	run -1 explain_as 1000 --write --json "$file"
	same 'the reason' 'it can only be appended to; with O_APPEND, as by >> in a shell, it is written' "$(member reason <<<"$output")"
	same 'the errno' "$(try_with --write "$file" as 1000)" "$(member errno <<<"$output")"
	as 1000 "${append[@]}"
	run -1 explain_as 0 --unlink --json "$file"
	same 'the reason of a removal' 'it can only be appended to' "$(member reason <<<"$output")"
	mount --bind src dst
	mount -o remount,bind,ro dst
	run -1 explain_as 1000 --write --json /mnt/dst/file
	same 'on a read-only mount' 'it can only be appended to' "$(member reason <<<"$output")"
	cures 1000 --write "$file" dd if=/dev/null of="$file" conv=notrunc status=none
}

@test "an ACL with IDs that the map leaves out: no cure by setfacl, which would fail" {
	local name

	touch src/{one,two,none}
	chown 5:5 src/*
	chmod 640 src/*
	setfacl -m u:2000:r src/one
	setfacl -m u:2000:r,u:2001:r,g:2000:r src/two
	setfacl -m u:7:r src/none
	noting idmount mount -m 0:0:1000 src dst
	for name in one two; do
		run ! setfacl -m u:33:r "dst/$name"
		run -1 idmount explain --user 33:33 --read --json "/mnt/dst/$name"
		same "the cure of $name" null "$(member cure <<<"$output")"
	done
	run -1 idmount explain --user 33:33 --read --json /mnt/dst/none
	sh -c "$(member cure <<<"$output")"
	run -0 idmount explain --user 33:33 --read /mnt/dst/none
	as 33 cat dst/none
}

@test "an empty mask of an ACL: the message says that no entry counts" {
	reachable
	touch src/file
	setfacl -m u:1000:rw src/file
	chmod 600 src/file
	run ! as 1000 cat src/file
	run -1 explain_as 1000 --read --json /mnt/src/file
	same 'the reason' 'the mask of the ACL is empty, so no entry of it counts; the mode of others lacks r' "$(member reason <<<"$output")"
	chmod 604 src/file
	as 1000 cat src/file
	run -0 explain_as 1000 --read /mnt/src/file
}

@test "an immutable file" {
	reachable
	touch src/file
	chmod 666 src/file
	chattr +i src/file 2>/dev/null || skip 'this filesystem has no such attribute'
	run -1 explain_as 1000 --write --json /mnt/src/file
	same 'the reason' 'it is immutable' "$(member reason <<<"$output")"
	cures 1000 --write /mnt/src/file dd if=/dev/null of=/mnt/src/file conv=notrunc status=none
}

# start_container [ENTRY...]: starts a process in a user namespace with this map, and sets $pid. Without a map, it has
# 1000 IDs from 100000 on.
start_container()
{
	local map

	map=$(printf '%s\n' "${@:-0 100000 1000}")
	background unshare --user --mount sh -c 'while ! read -r _ </proc/self/uid_map; do sleep 0.1; done; exec sleep 1000'
	pid=${background[-1]}
	until [[ $(stat -Lc %i "/proc/$pid/ns/user") != "$(stat -Lc %i /proc/self/ns/user)" ]]; do
		sleep 0.1
	done
	# In one write(2).
	cat <<<"$map" >"/proc/$pid/uid_map"
	cat <<<"$map" >"/proc/$pid/gid_map"
	until [[ $(cat "/proc/$pid/comm") == sleep ]]; do
		sleep 0.1
	done
}

# inside COMMAND...: runs it in the container, as its root.
inside()
{
	inside_as 0 "$@"
}

# inside_as ID COMMAND...: runs it in the container, as this user and group.
inside_as()
{
	nsenter --target "$pid" --user --mount --setuid "$1" --setgid "$1" -- "${@:2}"
}

# cures_inside ID ACCESS PATH COMMAND...: as cures, for a user of the container.
cures_inside()
{
	local id=$1 access=$2 path=$3 cure

	shift 3
	run ! inside_as "$id" "$@"
	run -1 idmount explain --pid "$pid" --user "$id:$id" "$access" --json "$path"
	cure=$(member cure <<<"$output")
	[[ $cure != null && $cure != *'777'* ]]
	echo "cure: $cure"
	PATH=${IDMOUNT%/*}:$PATH sh -c "$cure"
	run -0 idmount explain --pid "$pid" --user "$id:$id" "$access" "$path"
	inside_as "$id" "$@"
}

@test "files of the host's user in a container, which are of user nobody there" {
	local cure

	touch src/file
	chown 1000:1000 src/file
	chmod 660 src/file
	start_container
	same 'the owner inside' 65534:65534 "$(inside stat -c %u:%g /mnt/src/file)"
	run ! inside cat /mnt/src/file
	run -1 idmount explain --pid "$pid" --read --write /mnt/src/file
	[[ $output == *'inside: owner unmapped, seen as 65534 (user nobody), since the user namespace has no number for it'* ]]
	[[ $output == *'refused, EACCES: the mode of others lacks r'* ]]
	run -1 idmount explain --pid "$pid" --user 0:0 --write /mnt/src/file
	[[ $output == *"to own it: run a new container with --annotation 'io.idmount.map/"*"=idmap=uids=@1000-0-1;gids=@1000-0-1'"* ]]
	same 'to own it, by a relative path' "$(idmount explain --pid "$pid" --write --json /mnt/src/file | jq -r '.[0].toOwn')" \
		"$(idmount explain --pid "$pid" --write --json "$(realpath -m --relative-to "$(readlink "/proc/$pid/cwd")" /mnt/src/file)" | jq -r '.[0].toOwn')"
	run -1 idmount explain --userns "$pid" --user 0:0 --write /mnt/src/file
	[[ $output == *'to own it: as root: idmount mount -m u:1000:'*' /mnt/src/file /mnt/src/file'* ]]
	cure=$(sed -n 's/^ *to own it: as root: //p' <<<"$output")
	PATH=${IDMOUNT%/*}:$PATH sh -c "$cure"
	run -0 idmount explain --userns "$pid" --user 0:0 --write /mnt/src/file
	idmount umount src/file
	cure=$(idmount explain --pid "$pid" --read --json /mnt/src/file | member cure)
	[[ $cure == "idmount cure --pid $pid --file "*" /mnt/src/file setfacl -m u:"*':r' ]]
	PATH=${IDMOUNT%/*}:$PATH sh -c "$cure"
	run -0 idmount explain --pid "$pid" --read /mnt/src/file
}

# cure_inside ACCESS PATH: sets cure.
cure_inside()
{
	run -1 idmount explain --pid "$pid" --user 5:5 "$1" --json "$2"
	cure=$(member cure <<<"$output")
	[[ $cure == "idmount cure --pid $pid --file "* ]]
}

# refuses_another: the cure changes nothing.
refuses_another()
{
	run -1 env PATH="${IDMOUNT%/*}:$PATH" sh -c "$cure"
	[[ $output == 'idmount: cure: '* && ${#lines[@]} == 1 ]]
	same 'the ACL of the host' '' "$(getfacl --skip-base --omit-header host/secret host)"
}

@test "a cure never changes a file of the host, whatever a container makes of the name" {
	local cure

	mkdir src/directory src/data host
	touch src/directory/file host/secret host/file
	chmod 600 src/directory/file host/secret
	chmod 700 src/data host
	start_container
	cure_inside --read /mnt/src/directory/file
	# A link in place of the file, another file, and a link in place of the directory.
	mv src/directory/file src/directory/moved
	ln -s /mnt/host/secret src/directory/file
	refuses_another
	[[ $output == *'expected the file of --file, got another one'* ]]
	rm src/directory/file
	touch src/directory/file
	refuses_another
	mv src/directory src/moved
	ln -s /mnt/host src/directory
	refuses_another
	[[ $output == *'look up path: expected no symbolic link on the way'* ]]
	# Another process with this number, which has the host's root directory.
	cure=${cure/--pid $pid/--pid $$} refuses_another
	# Back in its place.
	rm src/directory
	mv src/moved src/directory
	mv src/directory/moved src/directory/file
	PATH=${IDMOUNT%/*}:$PATH sh -c "$cure"
	inside_as 5 cat /mnt/src/directory/file
	# The directory of a file that cannot be removed.
	touch src/data/file
	chmod 755 src/data
	cure_inside --unlink /mnt/src/data/file
	mv src/data src/moved
	ln -s /mnt/host src/data
	refuses_another
	rm src/data
	mv src/moved src/data
	PATH=${IDMOUNT%/*}:$PATH sh -c "$cure"
	inside_as 5 rm /mnt/src/data/file
}

@test "the cure of an immutable file in a container, by its descriptor" {
	local flag cure

	mkdir src/directory
	touch src/directory/file
	chown 100005:100005 src/directory src/directory/file
	start_container
	for flag in i a; do
		chattr "+$flag" src/directory/file
		cure_inside --write /mnt/src/directory/file
		[[ $cure == *" --clear $flag /mnt/src/directory/file" ]]
		PATH=${IDMOUNT%/*}:$PATH sh -c "$cure"
		inside_as 5 dd if=/dev/null of=/mnt/src/directory/file conv=notrunc status=none
	done
	chattr +i src/directory
	cure_inside --create /mnt/src/directory
	PATH=${IDMOUNT%/*}:$PATH sh -c "$cure"
	inside_as 5 touch /mnt/src/directory/new
}

# exposed PATH yes|no: whether the cure names the file by its number.
exposed()
{
	local cure

	run -1 idmount explain --user 5:5 --read --json "$1"
	cure=$(member cure <<<"$output")
	echo "$cure"
	case $2 in
	yes) [[ $cure == "idmount cure --file "*" $1 setfacl -m u:5:r" ]] ;;
	no) [[ $cure == "setfacl -m u:5:r $1" ]] ;;
	esac
	PATH=${IDMOUNT%/*}:$PATH sh -c "$cure"
	as 5 cat "$1"
}

@test "a cure in a directory of other users changes no other file" {
	mkdir src/own src/theirs src/group src/sticky src/theirs/below src/sticky/below
	touch src/own/file src/theirs/below/file src/group/file src/sticky/own src/sticky/theirs src/sticky/below/file
	chmod 600 src/*/file src/sticky/* src/theirs/below/file src/sticky/below/file
	chmod 755 src/sticky/below
	chown 1000:1000 src/theirs src/sticky/theirs
	chmod 775 src/group
	chmod 1777 src/sticky
	exposed /mnt/src/own/file no
	chown 1000:1000 src/own/file
	setfacl -b src/own/file
	exposed /mnt/src/own/file no
	exposed /mnt/src/theirs/below/file yes
	exposed /mnt/src/group/file yes
	exposed /mnt/src/sticky/own no
	exposed /mnt/src/sticky/theirs yes
	exposed /mnt/src/sticky/below/file no
	chown 1000:1000 src/sticky/below
	setfacl -b src/sticky/below/file
	exposed /mnt/src/sticky/below/file yes
}

@test "a cure on a mapped mount: the owner on disk can replace the file, too" {
	mkdir src/theirs
	touch src/theirs/file
	chmod 600 src/theirs/file
	chown -R 100000:100000 src/theirs
	noting idmount mount -m 100000:0:65536 src/theirs dst
	exposed /mnt/dst/file yes
}

@test "a cure on a filesystem of another user: its server can replace the file" {
	[[ -c /dev/fuse ]] || skip 'no FUSE here'
	mkdir low
	touch low/file
	chmod 600 low/file
	background fuse-overlayfs -f -o lowerdir=/mnt/low,squash_to_root,allow_other dst
	until mountpoint -q dst; do
		sleep 0.1
	done
	run -1 idmount explain --user 5:5 --read --json /mnt/dst/file
	[[ $(member cure <<<"$output") == 'idmount cure --file '* ]]
	umount dst
}

# without_cure PATH [OPTION...]: the access is refused, and no command is printed.
without_cure()
{
	run -1 idmount explain --user 5:5 --create "${@:2}" "$1"
	[[ $output != *'  cure'* && $output != *'to own it'* ]]
}

@test "no cure names a mount that another user, or a container, can exchange" {
	local place other

	mkdir -p src/own src/theirs/fs src/theirs/volume src/theirs/file
	for place in src/own src/theirs/fs; do
		mount -t tmpfs -o mode=777 none "$place"
		mount -o remount,ro "$place"
		mount -o remount,bind,rw "$place"
	done
	# The filesystem is read-only: in another mount namespace, mount(8) would believe the fstab there.
	run -1 idmount explain --user 5:5 --create --json /mnt/src/own
	same 'the cure' 'mount -o remount,rw /mnt/src/own' "$(member cure <<<"$output")"
	background unshare --mount sleep 1000
	other=${background[-1]}
	until [[ $(cat "/proc/$other/comm") == sleep ]]; do
		sleep 0.1
	done
	without_cure /mnt/src/own --pid "$other"
	cd src/own
	without_cure .
	cd /mnt
	# The map.
	chmod 777 src/theirs/volume
	noting idmount mount -m 1000:1000:1 src/theirs/volume src/theirs/volume
	run -1 idmount explain --user 5:5 --create --json /mnt/src/theirs/volume
	[[ $(member cure <<<"$output") == 'idmount mount --remap --replace '* ]]
	chown 1000:1000 src/theirs src/theirs/file
	without_cure /mnt/src/theirs/volume
	without_cure /mnt/src/theirs/fs
	start_container
	run -1 idmount explain --userns "$pid" --user 0:0 --create /mnt/src/theirs/file
	echo "$output"
	[[ $output != *'idmount mount'*' /mnt/src/theirs/file'* ]]
}

@test "the cure of a mount changes no other mount of the same directory" {
	local cure

	touch src/file
	chmod 666 src/file
	mkdir -p a/volume b/volume
	mount --bind src a/volume
	mount --bind src b/volume
	mount -o remount,bind,ro a/volume
	mount -o remount,bind,ro,nosuid b/volume
	run -1 idmount explain --pid "$$" --user 5:5 --write --json /mnt/a/volume/file
	cure=$(member cure <<<"$output")
	[[ $cure == *' --clear ro /mnt/a/volume' ]]
	mv a c
	mv b a
	run -1 env PATH="${IDMOUNT%/*}:$PATH" sh -c "$cure"
	[[ $output == *'expected the file of --file, got another one'* ]]
	same 'read-only mounts' 2 "$(awk '$6 ~ /^ro/ && $5 ~ /volume$/' /proc/self/mountinfo | wc -l)"
	mv a b
	mv c a
	PATH=${IDMOUNT%/*}:$PATH sh -c "$cure" || grep -q __asan_init "$IDMOUNT"
	same 'the mount' rw "$(awk '$5 == "/mnt/a/volume" { print substr($6, 1, 2) }' /proc/self/mountinfo)"
}

@test "idmount cure: wrong usage, a missing file, a missing command, and the status of the command" {
	local id arguments

	touch src/file
	id=$(stat -c %Hd:%Ld:%i src/file)
	for arguments in "--file $id" "--file $id src/file" 'src/file true' '--file 1:2 src/file true' \
		'--file 1:2:x src/file true' "--file $id --clear ro src/file true" "--file $id --clear rw src/file" "--file $id --clear ro" '--file +1:2:3 src/file true' '--file 1:2:3: src/file true' \
		'--file 1:2:3:0 src/file true' '--file 1:2:3:4:5 src/file true' "--file $id --clear x src/file" \
		'--file 4294967297:2:3 src/file true' "--pid 0 --file $id src/file true"; do
		# shellcheck disable=SC2086 # words
		run -2 idmount cure $arguments
		same "$arguments" 1 "${#lines[@]}"
	done
	same 'no file' 'idmount: cure: src/missing: look up path: No such file or directory' "$(idmount cure --file "$id" src/missing true 2>&1)"
	same 'no command' 'idmount: cure: /mnt/missing: execute: No such file or directory' "$(idmount cure --file "$id" src/file /mnt/missing 2>&1)"
	run -7 idmount cure --file "$id" src/file sh -c 'exit 7'
	# Options of the command are its own.
	same 'the file' "$id" "$(idmount cure --file "$id" src/file stat -L -c %Hd:%Ld:%i)"
	same 'a directory' directory "$(idmount cure --file "$(stat -c %Hd:%Ld:%i src)" src stat -c %F)"
}

@test "a directory on the way that the container does not own: how to own it" {
	local option

	mkdir src/directory
	touch src/directory/file
	chown -R 1000:1000 src/directory
	chmod 700 src/directory
	start_container
	run -1 idmount explain --pid "$pid" --user 0:0 --read /mnt/src/directory/file
	[[ $output == *'search   refused, EACCES: '*'inside: owner unmapped, seen as 65534 (user nobody), since the user namespace has no number for it'*'to own it: run a new container with'*'cure     idmount cure '*' setfacl'* ]]
	option=$(sed -n 's/^ *to own it: //p' <<<"$output" | head -n 1)
	same 'the line in JSON' "$option" "$(idmount explain --pid "$pid" --user 0:0 --read --json /mnt/src/directory/file | jq -r '.[0].toOwn')"
	same 'as of the directory itself' "$option" "$(idmount explain --pid "$pid" --user 0:0 --read --json /mnt/src/directory | jq -r '.[0].toOwn')"
	[[ $option == *"=idmap=uids=@1000-0-1;gids=@1000-0-1'" ]]
}

@test "what a container should not own, or cannot: files of the host's root, and a filesystem without maps" {
	local owner

	touch src/file
	start_container
	for owner in 0:0 0:1000 1000:0; do
		chown "$owner" src/file
		run -1 idmount explain --pid "$pid" --user 5:5 --write /mnt/src/file
		[[ $output != *'to own it'* && $output == *'cure     idmount cure '*' setfacl -m u:100005:'* ]]
	done
	run -0 idmount explain --userns "$pid" --user 5:5 /mnt/src
	[[ $output == *'inside: owner unmapped'* && $output != *'to own it'* ]]
	# As a device that a container gets.
	mount -t ramfs none dst
	touch dst/file
	chown 1000:1000 dst/file
	start_container
	run ! idmount mount -m 1000:100005 dst dst
	run -1 idmount explain --pid "$pid" --user 5:5 --write /mnt/dst/file
	[[ $output == *'inside: owner unmapped'* && $output != *'to own it'* ]]
}

@test "a file whose owner a process may not change: the cure assigns it" {
	reachable
	mkdir src/data
	touch src/data/own src/data/mine
	chown 1000:1000 src/data/mine
	noting idmount mount -m 0:100000:1000 src dst
	start_container
	# As the first command of an image for a database, on a volume of the host's root.
	cures_inside 0 --chown=7:8 /mnt/src/data chown 7:8 /mnt/src/data
	same 'on disk' 100007:100008 "$(owner src/data)"
	cures_inside 33 --chown=33 /mnt/src/data/own chown 33 /mnt/src/data/own
	same 'on disk' 100033:0 "$(owner src/data/own)"
	cures 1000 --chown=1000:1000 /mnt/src/data/own chown 1000:1000 /mnt/src/data/own
	chgrp 0 src/data/mine
	cures 1000 --chown=:7 /mnt/src/data/mine chown :7 /mnt/src/data/mine
	# Of root of a container, the group alone does not count.
	run -1 idmount explain --pid "$pid" --user 0:0 --chown :7 /mnt/src
	[[ $output == *'chown    refused, EPERM'* && $output != *'  cure'* ]]
	run -1 idmount explain --pid "$pid" --user 0:0 --chown 5000:7 /mnt/src
	[[ $output == *'chown    refused, EINVAL'* && $output != *'  cure'* ]]
	# The process would not own it.
	run -1 idmount explain --user 1000:1000 --chown 5:5 /mnt/src
	[[ $output == *'chown    refused, EPERM'* && $output != *'  cure'* ]]
	# A map counts otherwise.
	run -1 idmount explain --pid "$pid" --user 5:5 --chown 5:5 /mnt/dst
	[[ $output != *'  cure'* ]]
}

@test "EOVERFLOW in a container: a volume with a map that the user is in" {
	local map

	chown 1000:1000 src
	noting idmount mount -m 1000:100000:1 src dst
	start_container
	chmod 777 src
	run ! inside_as 33 touch /mnt/dst/new
	run -1 idmount explain --pid "$pid" --user 33:33 --create /mnt/dst
	[[ $output == *'create   refused, EOVERFLOW: the mount maps no ID on disk to user 100033 and group 100033'* ]]
	map=$(sed -n "s/^ *to own it: .*=idmap=\(.*\)'$/\1/p" <<<"$output")
	same 'the map' 'uids=@1000-33-1;gids=@1000-33-1' "$map"
	same 'in JSON' "$map" "$(idmount explain --pid "$pid" --user 33:33 --create --json /mnt/dst | jq -r '.[0].toOwn' | sed "s/.*=idmap=//; s/'$//")"
	# As its owner, the user could not create a file either.
	chmod 555 src
	run -1 idmount explain --pid "$pid" --user 33:33 --create /mnt/dst
	[[ $output != *'to own it'* ]]
}

@test "a user namespace with the map of the initial one is another one" {
	local parent change

	reachable
	touch src/file
	chown 7009:7009 src/file
	noting idmount mount -m 7001:7001:3 src dst
	start_container '0 0 4294967295'
	start_root
	run -0 idmount explain --pid "$member" /mnt/dst/file
	[[ $output == *'user namespace: 0:0:4294967295'* && $output != *'not visible'* ]]
	for change in 7001 7001:7001 :7001; do
		run idmount explain --pid "$member" --json --chown "$change" /mnt/dst/file
		same "chown $change" "$(kernel_errno inside chown "$change" /mnt/dst/file)" "$(jq -r '.[0].steps[-1].errno' <<<"$output")"
	done
	run -1 idmount explain --pid "$member" --chown 7001:7001 /mnt/dst/file
	[[ $output == *'chown    refused, EPERM: it requires CAP_CHOWN'* ]]
	# The initial one, asked about from inside, where its file is closed.
	background sleep 1000
	parent=${background[-1]}
	run -1 inside "$program" explain --pid "$parent" --chown 7001:7001 /mnt/dst/file
	[[ $output == *'chown    not known, EPERM: it requires CAP_CHOWN'*', unless the process has CAP_CHOWN where the filesystem was mounted'* ]]
	[[ $output == *'what the process may do there, is not visible'* ]]
	chown 7001:7001 dst/file
}

# kernel_errno COMMAND...: the errno that COMMAND prints; null if it succeeds.
kernel_errno()
{
	local message

	if message=$(LC_ALL=C "$@" 2>&1); then
		echo null
		return
	fi
	case $message in
	*': Device or resource busy') echo EBUSY ;;
	*': Directory not empty') echo ENOTEMPTY ;;
	*': Invalid argument') echo EINVAL ;;
	*': No such file or directory') echo ENOENT ;;
	*': Read-only file system') echo EROFS ;;
	*': Permission denied') echo EACCES ;;
	*': Operation not permitted') echo EPERM ;;
	*': Value too large for defined data type') echo EOVERFLOW ;;
	*': Text file busy') echo ETXTBSY ;;
	*': Too many levels of symbolic links') echo ELOOP ;;
	*) echo "another one: $message" ;;
	esac
}

# removal_errno UID PATH: the errno of the kernel for a removal that fails.
removal_errno()
{
	local remove=rmdir

	[[ -d $2 ]] || remove=unlink
	kernel_errno as "$1" "$remove" "$2"
}

@test "a mount point, the root directory and a path that ends in a dot are not removed" {
	local path uid

	reachable
	mkdir -m 755 src/closed
	mkdir -m 777 src/open src/readonly
	mkdir -m 1777 src/sticky
	mkdir src/closed/mount src/open/mount src/readonly/mount src/sticky/mount
	touch src/open/file
	ln -s mount src/open/link
	chown 1000 src/sticky/mount
	mount --bind src/readonly src/readonly
	for path in closed open readonly sticky; do
		mount --bind dst "src/$path/mount"
	done
	mount --bind src/open/file src/open/file
	mount -o remount,bind,ro src/readonly
	for uid in 0 1000; do
		for path in / // /. /.. . ./ .. src/open/. src/open/.. /mnt /mnt/ src/closed/mount src/open/mount \
			src/open/mount/ src/open/../open/mount src/open/file src/readonly/mount src/sticky/mount; do
			run -1 --separate-stderr explain_as "$uid" --unlink --json "$path"
			same "user $uid, $path" "$(removal_errno "$uid" "$path")" "$(member errno <<<"$output")"
			run -1 --separate-stderr explain_as "$uid" --unlink "$path"
		done
	done
	run -1 explain_as 0 --unlink /mnt/src/open/mount
	[[ $output == *'unlink   refused, EBUSY: it is a mount point'* ]]
	run -1 explain_as 0 --unlink /
	[[ $output == *'unlink   refused, EBUSY: it is the root directory'* ]]
	run -1 explain_as 1000 --unlink --json /mnt/src/closed/mount
	same 'the cure' 'setfacl -m u:1000:rwx /mnt/src/closed' "$(member cure <<<"$output")"
	sh -c "$(member cure <<<"$output")"
	run -1 explain_as 1000 --unlink --json /mnt/src/closed/mount
	same 'the next reason' 'it is a mount point' "$(member reason <<<"$output")"
	same 'all accesses' 'read write unlink chmod' \
		"$(explain_as 0 --read --write --unlink --chmod --json /mnt/src/open/mount | jq -r '[.[].steps[-4:][].access] | join(" ")' || :)"
}

@test "a symbolic link is removed, not its destination" {
	reachable
	ln -s none src/link
	run -1 explain_as 1000 --unlink /mnt/src/link
	[[ $output == *'unlink   refused, EACCES: its directory: the mode of others lacks w'* ]]
	cures 1000 --unlink /mnt/src/link unlink /mnt/src/link
}

@test "an owner that the mount leaves out, in a container" {
	touch src/file
	chown 1000:1000 src/file
	noting idmount mount -m 0:100000:1000 src dst
	start_container
	same 'the owner inside' 65534:65534 "$(inside stat -c %u:%g /mnt/dst/file)"
	run -0 idmount explain --pid "$pid" /mnt/dst/file
	[[ $output == *'inside: owner unmapped, since the mount does not map it'* ]]
}

@test "an error names the path that it is about" {
	touch src/file
	mkdir src/deep
	ln -s .. src/deep/up
	run -1 --separate-stderr idmount explain --create /mnt/src/file
	same 'the error' 'idmount: explain: /mnt/src/file: explain access: expected a directory, got a regular file' "$stderr"
	run -1 --separate-stderr idmount explain --chmod --unlink /mnt/src/deep/up
	same 'the error' 'idmount: explain: /mnt/src: explain access: expected a path that ends in a name' "$stderr"
}

# json_error: the step, the path and the errno of an error, as JSON has them.
json_error()
{
	jq -c '.[0].error | [.step, .path, .errno]'
}

@test "a place that is closed to the caller is no verdict: the error names it, and who may look" {
	local explain=(idmount explain --read) member

	reachable
	# The process passes by its group. Root does not, as the map leaves the owner out.
	mkdir -p src/group/deep
	touch src/group/deep/file
	chown 2000:5 src/group
	chmod 750 src/group
	noting idmount mount -m 0:100:100 src dst
	background setpriv --reuid 1000 --regid 1000 --groups 105 sleep 1000
	member=${background[-1]}
	until [[ $(cat "/proc/$member/comm") == sleep ]]; do
		sleep 0.1
	done
	run -1 --separate-stderr "${explain[@]}" --pid "$member" --json /mnt/dst/group/deep/file
	same 'the message' $'idmount: explain: /mnt/dst/group/deep: look up path: Permission denied for the caller, which is no verdict about the process\nhint: run idmount explain as a user who may look there; the user of the process is 1000' "$stderr"
	same 'the error in JSON' '["look up path","/mnt/dst/group/deep","EACCES"]' "$(json_error <<<"$output")"
	same 'a refused step' '' "$(jq '.[].steps[] | select(.allowed | not)' <<<"$output")"
	setpriv --reuid 1000 --regid 1000 --groups 105 cat dst/group/deep/file
	run -0 setpriv --reuid 1000 --regid 1000 --groups 105 "$program" explain --read --json /mnt/dst/group/deep/file
	same 'no error' 'null' "$(jq -c '.[0].error' <<<"$output")"
	run -1 --separate-stderr idmount explain --json /mnt/none
	same 'another error' '["explain access","/mnt/none","ENOENT"]' "$(json_error <<<"$output")"
	# A FUSE filesystem of user 1000. No server is required for the refusal.
	mkdir fuse
	exec 9<>/dev/fuse || skip 'no FUSE here'
	mount -i -t fuse -o fd=9,rootmode=40000,user_id=1000,group_id=1000 none fuse
	run -1 --separate-stderr "${explain[@]}" --user 1000:1000 --json /mnt/fuse/directory/file 9>&-
	exec 9>&-
	same 'the error in JSON' '["look up path","/mnt/fuse","EACCES"]' "$(json_error <<<"$output")"
	[[ $stderr == *'admits only its own user'*'; run idmount explain as a user who may look there; the user of the process is 1000' ]]
}

# on_terminal OPTION... PATH: prints what explain prints on a terminal.
on_terminal()
{
	script -qec "'$IDMOUNT' explain $*" /dev/null | tr -d '\r' || :
}

@test "a directory of a rootless container that is closed to its user: the hint is podman unshare" {
	local member first

	reachable
	mkdir -m 700 src/inner
	touch src/inner/file
	chown -R 100005:100005 src/inner
	background setpriv --reuid 1000 --regid 1000 --clear-groups unshare --user sleep 1000
	first=${background[-1]}
	until [[ $(cat "/proc/$first/comm") == sleep ]]; do
		sleep 0.1
	done
	printf '0 1000 1\n1 100000 1000\n' | tee "/proc/$first/uid_map" >"/proc/$first/gid_map"
	background nsenter --target "$first" --user --setuid 0 --setgid 0 sleep 1000
	member=${background[-1]}
	until [[ $(cat "/proc/$member/comm") == sleep ]]; do
		sleep 0.1
	done
	run -1 explain_as 1000 --pid "$member" /mnt/src/inner/file
	[[ $output == *"hint: run it as podman unshare idmount explain, as root of the rootless container's user namespace"* ]]
	# What podman unshare does.
	run -0 nsenter --target "$first" --user --setuid 0 --setgid 0 "$program" explain --pid "$member" /mnt/src/inner/file
}

@test "on a terminal the steps are a drawing, whose last mark is the verdict" {
	local text

	touch src/file
	chown 1001:1001 src/file
	chmod 640 src/file
	noting idmount mount -m 0:0:1000 src dst
	text=$(NO_COLOR=1 LC_ALL=C.UTF-8 on_terminal --user 5:5 --read /mnt/dst/file)
	same 'the marks' '● ● ● ● ● ● ● ✘' "$(sed -n 's/^\(●\|✘\|✔\) .*/\1/p' <<<"$text" | xargs)"
	[[ $text == *$'\n│          owner seen as 65534 (user nobody): no map entry names disk ID 1001'* ]]
	[[ $text == *$'\n✘ read     refused, EACCES: the mode of others lacks r'* && $text != *$'\033'* ]]
	text=$(LC_ALL=C.UTF-8 on_terminal --user 5:5 --read /mnt/src)
	[[ $text == *$'\n\033[32m✔ \033[0mread     allowed' ]]
	# In other locales, and for programs, the lines begin with blanks.
	same 'marks in ASCII' '' "$(LC_ALL=C on_terminal --read /mnt/dst/file | sed 1d | grep -v '^  ' || :)"
	same 'marks in a pipe' '' "$(LC_ALL=C.UTF-8 idmount explain --read /mnt/dst/file | sed 1d | grep -v '^  ' || :)"
}

@test "on a narrow terminal the lines are broken at blanks, and commands stay whole" {
	local text

	mkdir -m 750 src/directory
	touch src/directory/file
	chown -R 1000:1000 src/directory
	start_container
	text=$(NO_COLOR=1 LC_ALL=C.UTF-8 script -qec "stty cols 60; '$IDMOUNT' explain --pid $pid --user 0:0 --read /mnt/src/directory/file" /dev/null | tr -d '\r' || :)
	echo "$text"
	same 'the mark and the rest' $'✘ search   refused, EACCES: the mode of others lacks x;\n           capabilities do not count, since the user' "$(grep -A1 '^✘' <<<"$text")"
	same 'the next lines' $'           namespace of the process does not have the owner\n           or group' "$(grep -A1 'namespace of the process' <<<"$text")"
	[[ $text == *$'\n  cure     idmount cure --pid '"$pid --file "*' /mnt/src/directory setfacl -m u:100000:x'* ]]
	same 'long lines' '' "$(grep -v 'to own it\|^  cure' <<<"$text" | sed 's/[^ -~]\+/x/' | awk 'length > 60')"
	# In a pipe, no line is broken.
	same 'in a pipe' 1 "$(idmount explain --pid "$pid" --user 0:0 --read /mnt/src/directory/file | grep -c 'refused, .*owner or group$')"
}

@test "the process as it counts itself, and the capabilities that rules about files know" {
	touch src/file
	start_container
	run -0 idmount explain --pid "$pid" --user 0:0 /mnt/src/file
	[[ $output == *$'process  user 100000, group 100000, groups none\n           inside: user 0, group 0\n           capabilities for files: CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, CAP_FOWNER\n           user namespace: 0:100000:1000\n'* ]]
	run -0 idmount explain --user 5:6 /mnt/src/file
	[[ $output == *$'process  user 5, group 6, groups 6\n           capabilities for files: none\n           user namespace: that of the caller\n'* ]]
	# The group of the file has a number inside, too.
	chown 100005:100006 src/file
	run -0 idmount explain --pid "$pid" --user 0:0 /mnt/src/file
	[[ $output == *'inside: owner 5, group 6'* ]]
	chgrp 7 src/file
	run -0 idmount explain --pid "$pid" --user 0:0 /mnt/src/file
	[[ $output == *'inside: owner 5, group unmapped'* ]]
}

# fact FILTER OPTION... PATH: prints a part of the JSON.
fact()
{
	idmount explain --json "${@:2}" | jq -c ".[0] | $1"
}

@test "the facts in JSON: the process, the file and the mount with its map" {
	local file=/mnt/dst/file

	touch src/file
	chown 1001:1 src/file
	chmod 4640 src/file
	setfacl -m u:7:rw,g:2000:r src/file
	noting idmount mount -m 0:100000:1000 -o nosuid src dst
	same 'the file' '["regular file","4660",1001,1,null,100001,false,false]' \
		"$(fact '.file | [.type, .mode, .owner, .group, .seenOwner, .seenGroup, .immutable, .appendOnly]' "$file")"
	same 'the ACL' '[["user",7,"rw"],["group",null,"r"]]' "$(fact '[.file.acl[] | [.kind, .id, .permissions]]' "$file")"
	same 'its group and mask' '["r","rw"]' "$(fact '[.file.aclGroup, .file.aclMask]' "$file")"
	setfacl -m g::-,m::- src/file
	same 'empty ones' '["",""]' "$(fact '[.file.aclGroup, .file.aclMask]' "$file")"
	same 'none of them' '[null,null]' "$(fact '[.file.aclGroup, .file.aclMask]' /mnt/src)"
	same 'the mount' '["/mnt/dst","tmpfs",true,[{"disk":0,"seen":100000,"count":1000}]]' \
		"$(fact '.mount | [.target, .fstype, (.flags | contains("nosuid")), .uidMap]' "$file")"
	same 'the process' '[5,6,[6],[],null]' \
		"$(fact '.process | [.user, .group, .groups, .capabilities, .uidMap]' --user 5:6 "$file")"
	start_container
	same 'the process of a container' '[100000,["CAP_CHOWN",true],[{"disk":0,"seen":100000,"count":1000}]]' \
		"$(fact '.process | [.user, [.capabilities[0], (.capabilities | length > 30)], .uidMap]' --pid "$pid" --user 0:0 "$file")"
	same 'no map' '[null,null]' "$(fact '.mount | [.uidMap, .gidMap]' /mnt/src/file)"
	same 'a way that ends' '[null,null,null]' "$(idmount explain --json /mnt/none 2>/dev/null | jq -c '.[0] | [.process, .file, .mount]')"
}

@test "a file that does not exist yet: its directory is what to ask about" {
	cd src
	fails_with_hint '--create /mnt/src' --create /mnt/src/new
	fails_with_hint '--create /mnt/src' --read --write /mnt/src/new
	fails_with_hint '--create .' --create new
	fails_with_hint '--create .' --create ./new
	fails_with_hint '--create /' --create /none-of-that-name
	run -1 idmount explain --read new
	[[ $output != *hint* ]]
	run -1 idmount explain --create none/new
	[[ $output == *'./none: '* && $output != *hint* ]]
	run -0 idmount explain --create /mnt/src
}

# fails_with_hint OPTIONS ARGUMENT...: OPTIONS are those of another command, which succeeds.
fails_with_hint()
{
	run -1 --separate-stderr idmount explain "${@:2}"
	same 'the hint' "hint: for a new file, name its directory: $1" "${stderr_lines[1]}"
	# shellcheck disable=SC2086 # an option and its argument
	idmount explain $1
}

@test "wrong usage, and what does not exist" {
	fails 2 'idmount: explain: expected PATH; see "idmount help explain"' idmount explain
	fails 2 'idmount: explain: --pid: x: expected a process number' idmount explain --pid x /
	fails 2 'idmount: explain: --chown: 1:x: expected UID, UID:GID or :GID' idmount explain --chown 1:x /
	run -1 --separate-stderr idmount explain /mnt/none
	same 'the error' 'idmount: explain: /mnt/none: explain access: No such file or directory' "$stderr"
}

# credentials OPTION...: prints the user, the group and the groups that explain uses for /mnt/src.
credentials()
{
	idmount explain "$@" /mnt/src | sed -n 's/^  process  user \([0-9]*\), group \([0-9]*\), groups/\1:\2/p'
}

@test "the credentials of a user: as setpriv with its groups, by name and by number" {
	local user=explain-user name

	cp /etc/passwd /etc/group .
	echo "$user:x:1040:1041::/:/bin/sh" >>passwd
	printf '%s\n' "$user:x:1041:" "explain-share:x:1042:other,$user" "explain-none:x:1043:" >>group
	mount --bind passwd /etc/passwd
	mount --bind group /etc/group
	for name in "$user" 1040; do
		same "groups of $name" '1040:1041 1041 1042' "$(credentials --user "$name")"
		same "groups of $name with a group" '1040:1043 1042 1043' \
			"$(credentials --user "$name:explain-none" | awk '{ print $1; $1 = ""; print | "tr \" \" \"\\n\" | sed /^$/d | sort" }' | xargs)"
	done
	same 'an ID without an account' '9999:5 none' "$(credentials --user 9999:5)"
	mkdir -m 2770 src/share
	chgrp 1042 src/share
	run -0 idmount explain --user "$user" --create /mnt/src/share
	setpriv --reuid "$user" --regid "$user" --init-groups touch src/share/new
	run -1 idmount explain --user 9999:5 --create /mnt/src/share
	run ! setpriv --reuid 9999 --regid 5 --clear-groups touch src/share/new
	# Root has the capabilities that it gets, and other users have none.
	touch src/secret
	chmod 0 src/secret
	run -0 idmount explain --user root --read --write /mnt/src/secret
	run -1 setpriv --bounding-set -dac_override,-dac_read_search "$IDMOUNT" explain --user root --read /mnt/src/secret
	run ! setpriv --bounding-set -dac_override,-dac_read_search cat /mnt/src/secret
	run -1 idmount explain --user "$user" --read /mnt/src/secret
}

@test "the credentials of a user in a container, and in its user namespace" {
	local user code

	chmod 755 src
	touch src/file
	chown 100033:100033 src/file
	chmod 600 src/file
	start_container
	for user in 33 0 34; do
		[[ $user == 34 ]] && code=1 || code=0
		run "-$code" nsenter --target "$pid" --user --mount --setuid "$user" --setgid "$user" cat /mnt/src/file
		run "-$code" idmount explain --pid "$pid" --user "$user:$user" --read /mnt/src/file
		run "-$code" idmount explain --userns "$pid" --user "$user:$user" --read /mnt/src/file
	done
	same 'the user outside' '100033:100033 none' "$(credentials --userns "$pid" --user 33:33)"
	# Root of the container does not have the owner.
	chown 5:5 src/file
	run -1 nsenter --target "$pid" --user --mount --setuid 0 --setgid 0 cat /mnt/src/file
	run -1 idmount explain --userns "$pid" --user 0:0 --read /mnt/src/file
	[[ $output == *'capabilities do not count'* ]]
	run -1 --separate-stderr idmount explain --pid "$pid" --user 1000:0 /mnt/src/file
	same 'the error' 'idmount: explain: /: explain access: the user namespace does not have user 1000' "$stderr"
	fails 2 'idmount: explain: --user: root: expected UID:GID, since the name service knows no user of another user namespace' \
		idmount explain --pid "$pid" --user root /
}

# engine NAME COMMAND: an engine that runs COMMAND, before those that are installed.
engine()
{
	mkdir -p engines
	printf '#!/bin/sh\n%s\n' "$2" >"engines/$1"
	chmod 755 "engines/$1"
}

# explain_container ID: prints the credentials, or the error, with the engines above.
explain_container()
{
	PATH=/mnt/engines idmount explain --container "$1" --read /mnt/src
}

@test "a container by its name: each engine is asked, and they have to agree" {
	local name number

	start_container
	number=$pid
	for name in podman docker runc crun; do
		engine "$name" 'exit 1'
	done
	engine ctr 'exit 1'
	run -1 explain_container web
	same 'the error in JSON' '[]' "$(idmount explain --container web --json /mnt 2>/dev/null)"
	same 'the error' 'idmount: explain: --container: web: none of podman, docker, runc, crun and ctr knows it; for a rootless container of podman, its user runs podman unshare idmount explain' "$output"
	# An engine that does not work. Its last line says why.
	for name in podman docker; do
		engine "$name" "printf 'a warning\\nError: runroot must be set\\n' >&2; exit 125"
		run -1 explain_container web
		[[ $output == *" and ctr knows it"*"; $name says: Error: runroot must be set" ]]
		engine "$name" "echo 'Error: no such container web' >&2; exit 125"
		run -1 explain_container web
		[[ $output != *says* ]]
	done
	for name in podman docker; do
		engine "$name" "[ \"\$*\" = 'container inspect --format {{.State.Pid}} web' ] && echo $number"
		run -0 explain_container web
		[[ $output == *'user namespace: 0:100000:1000'* ]]
		run -1 explain_container other
		engine "$name" 'exit 1'
	done
	# docker has no hooks, and its own runtime would ignore the annotation in silence.
	chown 5000:5000 src
	engine docker "echo $number"
	PATH=/mnt/engines:$PATH run -0 idmount explain --container web --user 0:0 /mnt/src
	[[ $output == *"to own it: run a new container with --runtime idmount --annotation 'io.idmount.map/"*"'"*'requires docker 24'* ]]
	engine docker 'exit 1'
	for name in runc crun; do
		engine "$name" "[ \"\$*\" = 'state web' ] && echo '{\"id\": \"web\", \"pid\": $number, \"status\": \"running\"}'"
		run -0 explain_container web
		[[ $output == *'user namespace: 0:100000:1000'* ]]
		engine "$name" 'exit 1'
	done
	engine ctr "[ \"\$*\" = '--namespace k8s.io tasks list' ] && printf 'TASK    PID    STATUS\\nweb2    1    RUNNING\\nweb     $number  RUNNING\\n'"
	export CONTAINERD_ADDRESS=/none
	run -0 explain_container web
	[[ $output == *'user namespace: 0:100000:1000'* ]]
	run -1 explain_container we
	# Two engines know the same container, or two.
	engine runc "echo '{\"pid\": $number}'"
	run -0 explain_container web
	engine podman 'echo 1'
	run -1 explain_container web
	same 'the error' "idmount: explain: --container: web: process 1, says podman; process $number, says runc" "$output"
	rm -r engines
	engine docker 'echo 0'
	run -1 explain_container web
	same 'the error' 'idmount: explain: --container: web: not running, says docker' "$output"
	rm -r engines
	mkdir engines
	run -1 explain_container web
	fails 2 'idmount: explain: --container: expected a name or an ID, got "-x"' idmount explain --container=-x /
	fails 2 'idmount: explain: --pid and --container exclude each other' idmount explain --pid 1 --container x /
	fails 2 'idmount: explain: --userns requires --user' idmount explain --userns 1 /
	fails 2 'idmount: explain: --userns excludes --pid and --container' idmount explain --userns 1 --pid 1 --user 0:0 /
}

@test "a container of another machine's engine is not asked for" {
	local number name

	start_container
	number=$pid
	for name in docker podman; do
		mkdir -p engines
		rm -rf engines/*
		engine "$name" "[ \"\$DOCKER_HOST\$CONTAINER_HOST\$CONTAINER_CONNECTION\$DOCKER_CONTEXT\" = default ] && echo $number"
		export DOCKER_HOST=tcp://a CONTAINER_HOST=ssh://a CONTAINER_CONNECTION=a DOCKER_CONTEXT=a
		run -0 explain_container web
	done
}

@test "a container that exits while it is looked up" {
	local number

	start_container
	number=$pid
	engine podman "[ -e /mnt/again ] && echo 1 && exit; echo $number; : >/mnt/again"
	run -1 explain_container web
	same 'the error' "idmount: explain: --container: web: process $number, says podman, and then another" "$output"
	rm again
	engine podman "[ -e /mnt/again ] && exit 1; echo $number; : >/mnt/again"
	run -1 explain_container web
	same 'the error' "idmount: explain: --container: web: process $number, says podman, and then another" "$output"
	# The answer is from before it exited.
	engine podman 'echo 4194305'
	run -1 explain_container web
	same 'the error' 'idmount: explain: --container: web: process 4194305, says podman: No such process' "$output"
}

@test "an engine whose child keeps the pipe open, and one that does not answer" {
	local number

	start_container
	number=$pid
	: >hold
	engine podman "while [ -e /mnt/hold ]; do /bin/sleep 0.1; done 2>/dev/null & echo $number"
	run -0 explain_container web 3>&-
	rm hold
	[[ $output == *'user namespace: 0:100000:1000'* ]]
	engine docker 'exec /bin/sleep 1000'
	run -1 explain_container web 3>&-
	same 'the error' 'idmount: explain: --container: web: docker does not answer, and was killed after 10 seconds' "$output"
}

# layer PATH: prints the line about the layer, and checks the path in JSON.
layer()
{
	local line

	line=$(idmount explain --pid "${layer_pid:-$$}" "$1" | sed -n 's/^  layer    //p')
	if [[ $line == *': owner '* ]]; then
		same 'the path in JSON' "${line#*, }" "$(idmount explain --pid "${layer_pid:-$$}" --json "$1" |
			jq -r '.[0].layer'): ${line#*: }"
	fi
	echo "$line"
}

@test "an overlay: the layer that a file comes from, with the map of that layer" {
	mkdir -p low/{a,b}/deep 'low/c d:e\f' upper work over
	touch low/a/deep/top low/b/deep/{top,bottom,gone,owned} 'low/c d:e\f/odd'
	chown 7:8 low/b/deep/owned
	noting idmount mount -m 0:1000:10 low/b low/b
	mount -t overlay -o 'lowerdir=low/a:low/b:low/c d\:e\\f,upperdir=upper,workdir=work' none over
	touch over/deep/new
	rm over/deep/gone
	echo >>over/deep/bottom
	same 'of the top lower layer' 'lower 1, low/a/deep/top: owner 0, group 0, map: none' "$(layer over/deep/top)"
	same 'of the mapped one' 'lower 2, low/b/deep/owned: owner 7, group 8, map: 0:1000:10' "$(layer over/deep/owned)"
	same 'of a copied-up file' 'upper, upper/deep/bottom: owner 1000, group 1000, map: none' "$(layer over/deep/bottom)"
	same 'of a new file' 'upper, upper/deep/new: owner 0, group 0, map: none' "$(layer over/deep/new)"
	same 'of the root directory' 'upper, upper: owner 0, group 0, map: none' "$(layer over)"
	same 'of an odd name' 'lower 3, low/c d:e\f/odd: owner 0, group 0, map: none' "$(layer over/odd)"
	same 'relative' 'lower 1, low/a/deep/top: owner 0, group 0, map: none' "$(layer ./over/../over/deep/top)"
	# A bind mount of a part, and a file that is not the overlay's.
	mount --bind over/deep dst
	same 'below a bind mount' 'lower 1, low/a/deep/top: owner 0, group 0, map: none' "$(layer /mnt/dst/top)"
	umount low/b
	same 'a layer that is not mapped any more' 'not visible' "$(layer over/deep/owned)"
	mv low/a low/moved
	same 'a layer that moved' 'not visible' "$(layer over/deep/top)"
	mkdir -p low/a/deep
	echo other >low/a/deep/top
	same 'another file of that name' 'not visible' "$(layer over/deep/top)"
	same 'no overlay' '' "$(layer src)"
}

# try_access ACCESS NAME COMMAND_PREFIX...: tries it on /mnt/over/NAME.
try_access()
{
	local access=$1 name=$2 path=/mnt/over/$2

	shift 2
	case $access in
	--read)
		if [[ -d low/$name ]]; then
			"$@" ls "$path"
		else
			"$@" head -c 1 "$path"
		fi
		;;
	--write) "$@" dd if=/dev/null of="$path" conv=notrunc status=none ;;
	--exec)
		if [[ -d low/$name ]]; then
			"$@" stat "$path/."
		else
			"$@" "$path"
		fi
		;;
	--create) "$@" touch "$path/new" ;;
	--chmod) "$@" chmod 600 "$path" ;;
	esac &>/dev/null
}

# compare_accesses OPTION... : COMMAND_PREFIX...: each access to each file of the overlay is the kernel's.
compare_accesses()
{
	local options=() name access kernel

	while [[ $1 != : ]]; do
		options+=("$1")
		shift
	done
	shift
	for name in $(ls low); do
		for access in --read --write --exec --create --chmod; do
			[[ -d low/$name && $access == --write || ! -d low/$name && $access == --create ]] && continue
			# A file that is copied up is in another layer.
			remake_overlay
			run idmount explain "${options[@]}" "$access" "/mnt/over/$name"
			[[ $output != *'not known'* && $output != *'the layers of the overlay also decide'* ]]
			kernel=0
			try_access "$access" "$name" "$@" || kernel=1
			echo "${options[*]} $access $name: $output"
			same "$access $name" "$kernel" "$status"
			compared=$((compared + 1))
			[[ $output != *'in its layer, to user'* ]] || in_layer=$((in_layer + 1))
		done
	done
}

@test "an overlay asks its layers as the process that mounted it" {
	local compared=0 in_layer=0 layers=lowerdir=low,upperdir=upper,workdir=work

	mkdir -m 755 low upper work over
	cp /bin/true low/program
	chmod 711 low/program
	mkdir -m 750 low/directory
	mkdir -m 777 low/open
	mkdir -m 700 low/own
	for file in group acl all; do
		echo >"low/$file"
	done
	chmod 640 low/group low/acl
	chmod 666 low/all
	chown 7:100004 low/*
	chown 7:7 low/acl low/program
	chown 100000:100000 low/own
	setfacl -m u:100005:rw low/acl
	start_container '0 100000 65536'
	chown 100000:100000 upper work
	remake_overlay()
	{
		inside umount /mnt/over || :
		rm -rf upper/* work/*
		(cd / && inside mount -t overlay -o "userxattr,${layers//=/=/mnt/}" none /mnt/over)
	}
	remake_overlay
	start_member 4
	compare_accesses --pid "$member" : inside setpriv --reuid 1000 --regid 1000 --groups 4
	compare_accesses --pid "$pid" --user 5:5 : inside_as 5
	compare_accesses --pid "$pid" --user 0:0 : inside
	# Root of the host has all capabilities. The mounter lacks them for such files.
	background nsenter --target "$pid" --mount sleep 1000
	member=${background[-1]}
	until [[ $(cat "/proc/$member/comm") == sleep ]]; do
		sleep 0.1
	done
	compare_accesses --pid "$member" : nsenter --target "$pid" --mount
	echo "$compared accesses, $in_layer refused in the layer"
	((in_layer > 5))
	run -1 idmount explain --pid "$pid" --user 5:5 --read /mnt/over/acl
	[[ $output == *'read     refused, EACCES: in its layer, to user 100000, which mounted the overlay: the mode of others lacks r'* ]]
	# The kernel does not map an overlay.
	[[ $output != *cure* && $output != *'to own it'* ]]
	# A user who may not read the map does not learn who mounted it.
	reachable
	run nsenter --target "$pid" --mount setpriv --reuid 1000 --regid 1000 --clear-groups "$program" explain --read /mnt/over/all
	[[ $output == *'note     the layers of the overlay also decide'* && $output != *'in its layer'* ]]
}

@test "an overlay of root with a mapped layer" {
	local compared=0 in_layer=0

	mkdir -m 755 low upper work over
	mkdir -m 750 low/directory
	for file in mapped left-out; do
		echo >"low/$file"
	done
	chmod 600 low/*
	chown 1001:1001 low/left-out low/directory
	noting idmount mount -m 0:1000:1000 low low
	remake_overlay()
	{
		umount over 2>/dev/null || :
		rm -rf upper/* work/*
		mount -t overlay -o lowerdir=low,upperdir=upper,workdir=work none over
	}
	remake_overlay
	reachable
	compare_accesses --user 1000:1000 : as 1000
	compare_accesses --user root : env
	((compared >= 8))
}

@test "an overlay in a container, of a layer that the host mapped: owners that the map leaves out" {
	local name access kernel

	reachable
	mkdir -m 755 low upper work over map
	for name in mapped closed open; do
		echo >"low/$name"
		chmod 600 "low/$name"
	done
	chown 7:7 low/mapped
	chown 2000:2000 low/closed low/open
	chmod 666 low/open
	noting idmount mount -m 0:100000:1000 low map
	start_container '0 100000 65536'
	chown 100000:100000 upper work
	(cd / && inside mount -t overlay -o userxattr,lowerdir=/mnt/map,upperdir=/mnt/upper,workdir=/mnt/work none /mnt/over)
	for name in closed open mapped; do
		for access in --read --write --chmod --unlink; do
			run idmount explain --pid "$pid" --user 0:0 "$access" --json "/mnt/over/$name"
			kernel=$(try_with "$access" "/mnt/over/$name" inside)
			same "$access $name" "$kernel" "$(jq -r '.[0].steps[-1].errno' <<<"$output")"
		done
	done
	# In there, the kernel does not tell such an owner from one of the host.
	run -1 inside "$program" explain --write /mnt/over/open
	[[ $output == *'write    not known, EACCES: the map of its layer does not have the owner and the group, unless'* ]]
}

# compare_changes OPTION... : COMMAND_PREFIX...: removals and new owners of each file have the kernel's errno.
compare_changes()
{
	local options=() place change kernel

	while [[ $1 != : ]]; do
		options+=("$1")
		shift
	done
	shift
	for place in {own,foreign,closed,sticky,lower}/{own,foreign,lower}; do
		for change in unlink 'chown 5' 'chown :5' 'chown 0:0'; do
			remake_overlay
			[[ -e low/$place || -e seed/$place ]] || continue
			run idmount explain "${options[@]}" --json --${change/ /=} "/mnt/over/$place"
			echo "${options[*]} $change $place: $output"
			[[ $output != *'the layers of the overlay also decide'* ]]
			# shellcheck disable=SC2086 # a command and its argument
			kernel=$(kernel_errno "$@" $change "/mnt/over/$place")
			same "$change $place" "$kernel" "$(jq -r '.[0].steps[-1].errno' <<<"$output")"
			compared=$((compared + 1))
			[[ $output != *'in its layer, to user'* ]] || in_layer=$((in_layer + 1))
		done
	done
}

@test "removals and new owners in an overlay: the layers of the file and of its directory decide" {
	local compared=0 in_layer=0 directory member

	mkdir -m 755 low upper work over seed
	# The mounter could not merge a directory that it may not write to.
	mkdir -m 777 low/{own,foreign,lower} seed/{own,foreign,closed,sticky}
	for directory in low/* seed/*; do
		touch "$directory"/{own,foreign}
		chown 100005:100005 "$directory/own"
		chown 7:7 "$directory/foreign"
	done
	for directory in own foreign lower; do
		touch "low/$directory/lower"
		chown 100005:100005 "low/$directory/lower"
	done
	# The mounter lacks capabilities for a directory of user 7.
	chown 100000:100000 {low,seed}/own
	chown 7:7 {low,seed}/foreign seed/{closed,sticky}
	chmod 755 seed/closed
	chmod 1777 seed/sticky
	start_container '0 100000 65536'
	remake_overlay()
	{
		inside umount /mnt/over || :
		rm -rf upper work
		mkdir -m 755 upper work
		cp -a seed/. upper
		chown 100000:100000 upper work
		(cd / && inside mount -t overlay -o userxattr,lowerdir=/mnt/low,upperdir=/mnt/upper,workdir=/mnt/work none /mnt/over)
	}
	remake_overlay
	compare_changes --pid "$pid" --user 5:5 : inside_as 5
	compare_changes --pid "$pid" --user 0:0 : inside
	background nsenter --target "$pid" --mount sleep 1000
	member=${background[-1]}
	until [[ $(cat "/proc/$member/comm") == sleep ]]; do
		sleep 0.1
	done
	compare_changes --pid "$member" : nsenter --target "$pid" --mount
	echo "$compared changes, $in_layer refused in the layer"
	((in_layer > 5))
}

# try_with ACCESS PATH COMMAND_PREFIX...: the errno of the kernel.
try_with()
{
	local access=$1 path=$2

	shift 2
	case $access in
	--read) kernel_errno "$@" dd of=/dev/null if="$path" status=none ;;
	--write) kernel_errno "$@" dd if=/dev/null of="$path" conv=notrunc status=none ;;
	--unlink) kernel_errno "$@" unlink "$path" ;;
	--chmod) kernel_errno "$@" chmod 640 "$path" ;;
	esac
}

@test "an overlay of a layer whose map leaves owners out: the errno is the kernel's" {
	local name access uid

	reachable
	mkdir -m 777 low upper work over
	for name in {mapped,owner,group,both,overflow,open}{,-fixed}; do
		echo >"low/$name"
		chmod 640 "low/$name"
	done
	chmod 666 low/open*
	chmod 600 low/overflow-fixed
	chown 7:7 low/mapped*
	chown 2000:7 low/owner*
	chown 7:2000 low/group*
	chown 2000:2000 low/both* low/open*
	chown 65534:65534 low/overflow*
	# An immutable file that all users may read does not show that it has no owner.
	rm low/open-fixed
	chattr +i low/*-fixed || rm low/*-fixed
	for name in $(ls low); do
		for access in --read --write --chmod --unlink; do
			for uid in 0 1007; do
				idmount overlay --upper-ids disk -m 0:1000:1000,65534:65534:1 -L low -U upper -W work over
				run explain_as 0 --user "$uid:$uid" "$access" --json "/mnt/over/$name"
				echo "$output"
				same "user $uid, $access $name" "$(try_with "$access" "/mnt/over/$name" as "$uid")" "$(jq -r '.[0].steps[-1].errno' <<<"$output")"
				umount over
				rm -rf upper/* work/*
			done
		done
	done
	idmount overlay --upper-ids disk -m 0:1000:1000 -L low -U upper -W work over
	run -1 idmount explain --write --unlink --chmod /mnt/over/both
	[[ $output == *'file     /mnt/over/both: owner unmapped, group unmapped'* ]]
	[[ $output == *'write    refused, EACCES: the map of its layer does not have the owner and the group'* ]]
	[[ $output == *'unlink   refused, EOVERFLOW: the map of its layer does not have the owner and the group'* ]]
	[[ $output == *'chmod    refused, EOVERFLOW: the map of its layer does not have the owner and the group'* ]]
	[[ $output != *cure* && $output != *'owner or group on disk is not visible'* ]]
	# Only root can find out whether 65534 is the owner.
	run -1 explain_as 65534 --read --chmod /mnt/over/both
	[[ $output == *'chmod    not known, EOVERFLOW: the map of its layer does not have the owner and the group, unless the file has the owner that is shown'* ]]
	run -1 explain_as 1000 --chmod /mnt/over/both
	[[ $output == *'chmod    refused, EPERM: the process does not own it; EOVERFLOW, if the file has no owner'* ]]
	[[ $output != *cure* ]]
	run -0 explain_as 65534 --read /mnt/over/open
	# Nor whether its mounter may read it, which the kernel refuses here.
	run ! setpriv --reuid 1000 --regid 1007 --clear-groups cat over/owner
	run -1 setpriv --reuid 1000 --regid 1007 --clear-groups "$program" explain --read /mnt/over/owner
	[[ $output == *'read     not known, EACCES: in its layer, to user 0, which mounted the overlay: '*', unless the file has the owner that is shown'* ]]
	run -1 idmount explain --user 1000:1007 --read /mnt/over/owner
	[[ $output == *'read     refused, EACCES: in its layer, to user 0, which mounted the overlay: '* ]]
}

@test "a merged directory of an overlay: each layer decides, as the mounter reads all of them" {
	local uid access kernel

	reachable
	mkdir -m 755 low upper work over
	mkdir low/{d,hidden,closed,open} upper/{d,hidden} map
	chown 7009:7009 low/{d,hidden,closed}
	chown 7001:7001 low/open upper/{d,hidden}
	chmod 070 low/{d,hidden,closed}
	chmod 770 low/open upper/{d,hidden}
	touch upper/d/up
	setfattr -n trusted.overlay.opaque -v y upper/hidden
	noting idmount mount -m 7001:7001 low map
	mount -t overlay -o lowerdir=/mnt/map,upperdir=/mnt/upper,workdir=/mnt/work none over
	for uid in 0 7001; do
		for directory in d hidden open; do
			for access in --read --create; do
				run idmount explain --user "$uid:$uid" "$access" --json "/mnt/over/$directory"
				echo "$output"
				if [[ $access == --read ]]; then
					kernel=$(kernel_errno as "$uid" ls "/mnt/over/$directory")
				else
					kernel=$(kernel_errno as "$uid" touch "/mnt/over/$directory/new")
					[[ $kernel != null ]] || rm "/mnt/over/$directory/new"
				fi
				same "user $uid, $access $directory" "$kernel" "$(jq -r '.[0].steps[-1].errno' <<<"$output")"
				same "user $uid, $access $directory: is known" "$([[ $kernel != null ]] || echo true)$([[ $kernel == null ]] || echo false)" \
					"$(jq -r '.[0].steps[-1].allowed' <<<"$output")"
			done
		done
	done
	# A search depends on the name: the upper layer has this one.
	run -1 idmount explain --exec /mnt/over/d
	[[ $output == *'search   not known, EACCES: in its layer, to user 0, which mounted the overlay:'*', unless a layer above it has the name' ]]
	run -0 idmount explain --read --write /mnt/over/d/up
	cat over/d/up
	# The layers below are not visible.
	umount over
	umount map
	rm -rf work/* upper/d
	mkdir low2 upper/d
	idmount overlay -m 0:0:8000 -L low -L low2 -U upper -W work over
	run -1 idmount explain --read --json /mnt/over/d
	same 'layers that are not visible' null "$(jq .[0].steps[-1].allowed <<<"$output")"
	[[ $output == *'"the layers of the overlay also decide"'* ]]
}

@test "detached layers of idmount overlay: a change is allowed only where it works" {
	local access path kernel

	reachable
	mkdir -m 755 low upper work over
	mkdir low/{d,own}
	touch low/{d,own}/f
	chown 7009:7009 low/d
	chown -R 7001:7001 low/own low/d/f
	for path in d/f own/f own; do
		for access in --write --chmod --unlink; do
			[[ $path != own || $access == --chmod ]] || continue
			idmount overlay -m 7001:7001 -L low -U upper -W work over
			run explain_as 0 "$access" --json "/mnt/over/$path"
			echo "$output"
			kernel=$(try_with "$access" "/mnt/over/$path" env)
			same "$access $path" "$kernel" "$(jq -r '.[0].steps[-1].errno' <<<"$output")"
			same "$access $path: is known" "$([[ $kernel == null ]] && echo true || echo false)" "$(jq -r '.[0].steps[-1].allowed' <<<"$output")"
			umount over
			rm -rf upper/* work/*
		done
	done
	# A map of the upper layer decides, too, and is not visible.
	idmount overlay -m 0:0,7001:7001 --upper-ids disk -L low -U upper -W work over
	run -1 idmount explain --chmod --json /mnt/over/own/f
	same 'a mapped upper layer' null "$(jq '.[0].steps[-1].allowed' <<<"$output")"
	run -1 idmount explain --chmod /mnt/over/own/f
	[[ $output == *'chmod    not known: the layers of the overlay also decide'* ]]
}

@test "a mapped upper layer of an overlay: owners that its map leaves out cannot be stored" {
	local access path kernel

	mkdir -m 755 disk map over
	mkdir disk/{low,upper,work}
	touch disk/low/{stored,left-out,group,acl}
	chown 5:5 disk/low/stored disk/low/acl
	chown 7:5 disk/low/left-out
	chown 5:7 disk/low/group
	setfacl -m u:7:r disk/low/acl
	mkdir disk/low/{d,set-gid}
	chown 5:5 disk/low/{d,set-gid}
	chmod 2777 disk/low/set-gid
	noting idmount mount -m 0:0,5:5,1000:1000 disk map
	remount_over()
	{
		! mountpoint -q over || umount over
		rm -rf disk/work/* disk/upper/*
		mount -t overlay -o lowerdir=/mnt/disk/low,upperdir=/mnt/map/upper,workdir=/mnt/map/work none over
	}
	for path in stored left-out group acl; do
		for access in --write --chmod --unlink --chown=5 --chown=7 --chown=:7; do
			remount_over
			run idmount explain "$access" --json "/mnt/over/$path"
			if [[ $access == --chown* ]]; then
				kernel=$(kernel_errno chown "${access#--chown=}" "/mnt/over/$path")
			else
				kernel=$(try_with "$access" "/mnt/over/$path" env)
			fi
			same "$access $path" "$kernel" "$(jq -r '.[0].steps[-1].errno' <<<"$output")"
		done
	done
	for path in d set-gid; do
		remount_over
		run setpriv --reuid 0 --regid 7 --clear-groups "$IDMOUNT" explain --create --json "/mnt/over/$path"
		same "create in $path" "$(kernel_errno setpriv --reuid 0 --regid 7 --clear-groups touch "/mnt/over/$path/new")" \
			"$(jq -r '.[0].steps[-1].errno' <<<"$output")"
	done
	remount_over
	run -1 idmount explain --write /mnt/over/left-out
	[[ $output == *'refused, EOVERFLOW: the overlay cannot copy it to the upper layer: the map of the upper layer leaves out the owner or group of the file'* ]]
	run -1 idmount explain --chown 7 /mnt/over/stored
	[[ $output == *'refused, EOVERFLOW: the map of the upper layer leaves out the new owner or group'* ]]
}

@test "the layer of a file behind opaque and renamed directories" {
	mkdir -m 755 low low2 upper work over
	mkdir -p low/{opaque,renamed,plain}/d low2/{opaque,renamed,plain}/d upper/{opaque,elsewhere}
	touch low/{opaque,renamed,plain}/d/low low2/{opaque,renamed,plain}/d/low2
	mkdir upper/opaque/d
	touch upper/opaque/d/upper
	chmod 700 low/opaque/d
	chmod 755 low{,2}/renamed/d
	setfattr -n trusted.overlay.opaque -v y upper/opaque
	setfattr -n trusted.overlay.redirect -v renamed upper/elsewhere
	mount -t overlay -o lowerdir=/mnt/low:/mnt/low2,upperdir=/mnt/upper,workdir=/mnt/work,redirect_dir=on none over
	same 'a renamed directory' '/mnt/low/renamed/d/low' "$(idmount explain --json /mnt/over/elsewhere/d/low | jq -r '.[0].layer')"
	same 'in the layer below' '/mnt/low2/renamed/d/low2' "$(idmount explain --json /mnt/over/elsewhere/d/low2 | jq -r '.[0].layer')"
	same 'not merged' '/mnt/upper/opaque/d/upper' "$(idmount explain --json /mnt/over/opaque/d/upper | jq -r '.[0].layer')"
	mv over/plain over/moved
	same 'renamed by the overlay' '/mnt/low2/plain/d/low2' "$(idmount explain --json /mnt/over/moved/d/low2 | jq -r '.[0].layer')"
	# The directory of the layer below would refuse it to the mounter, if it was merged.
	umount over
	chown 7009:7009 low/opaque/d
	mkdir map
	noting idmount mount -m 0:0:7000 low map
	mount -t overlay -o lowerdir=/mnt/map:/mnt/low2,upperdir=/mnt/upper,workdir=/mnt/work none over
	run -0 idmount explain --read /mnt/over/opaque/d
	ls over/opaque/d
}

@test "an overlay in a container that root of the host has mounted there, with userxattr: its mounter is found" {
	local access kernel

	mkdir -m 755 low upper work over
	touch low/file
	chmod 640 low/file
	chown 7:100005 low/file
	chmod 777 upper
	mount -t overlay -o userxattr,lowerdir=/mnt/low,upperdir=/mnt/upper,workdir=/mnt/work none over
	start_container '0 100000 65536'
	# Root of the host reads what root of the container would not.
	run -0 idmount explain --pid "$pid" --user 5:5 --read /mnt/over/file
	for access in --read --write --unlink; do
		run idmount explain --pid "$pid" --user 5:5 --json "$access" /mnt/over/file
		kernel=$(try_with "$access" /mnt/over/file inside_as 5)
		same "$access" "$kernel" "$(jq -r '.[0].steps[-1].errno' <<<"$output")"
		same "$access: is known" "$([[ $kernel == null ]] && echo true || echo false)" "$(jq -r '.[0].steps[-1].allowed' <<<"$output")"
	done
}

@test "a missing name behind a layer that refuses the search: for each process" {
	mkdir -m 755 low low2 over
	mkdir low/d low2/d
	chown 7009:7009 low/d
	chmod 750 low/d
	chmod 777 low2/d
	idmount overlay -m 0:0:7000 -L low2 -L low over
	same 'the errno' EACCES "$(kernel_errno cat /mnt/over/d/new)"
	run -1 --separate-stderr idmount explain --read /mnt/over/d/new
	same 'the error' 'idmount: explain: /mnt/over/d/new: explain access: Permission denied for every process: a layer of the overlay refuses the search to the process that mounted it' "$stderr"
}

@test "65534 as an owner or a group alone, and a sticky directory that the map of a layer leaves out" {
	reachable
	mkdir -m 755 low low2 map over
	mkdir -m 1777 low/sticky
	touch low/{owner,group} low/sticky/file
	chown 65534:7009 low/owner
	chown 7009:65534 low/group
	chown 7009:7009 low/sticky
	noting idmount mount -m 0:0:7000,65534:65534 low map
	mount -t overlay -o lowerdir=/mnt/map:/mnt/low2,upperdir=/mnt/src,workdir=/mnt/dst none over
	for name in owner group; do
		for change in --chown=5 --chown=:5; do
			run -1 idmount explain --user 5:5 "$change" --json "/mnt/over/$name"
			same "$change $name" "$(kernel_errno as 5 chown "${change#--chown=}" "/mnt/over/$name")" "$(member errno <<<"$output")"
		done
	done
	run -1 idmount explain --user 5:5 --unlink --json /mnt/over/sticky/file
	same 'the sticky directory' "$(kernel_errno as 5 unlink /mnt/over/sticky/file)" "$(member errno <<<"$output")"
}

@test "a group that the map of a read-only overlay's layer leaves out, of a file that root may read as its owner" {
	mkdir -m 755 low low2 map over
	touch low/file
	chown 0:65534 low/file
	chmod 700 low/file
	noting idmount mount -m 0:0 low map
	mount -t overlay -o ro,lowerdir=/mnt/map:/mnt/low2 none over
	run -0 idmount explain --json --read /mnt/over/file
	same 'the group' null "$(jq '.[0].file.group' <<<"$output")"
}

@test "an overlay of a container: a file of user 65534 in a layer without a map has that owner" {
	local access

	mkdir -m 755 low upper work over
	for access in read write chmod unlink; do
		echo >"low/$access"
		chmod 600 "low/$access"
		chown 65534:65534 "low/$access"
	done
	start_container '0 100000 65534'
	chown 100000:100000 low upper work
	(cd / && inside mount -t overlay -o userxattr,lowerdir=/mnt/low,upperdir=/mnt/upper,workdir=/mnt/work none /mnt/over)
	for access in --read --write --chmod --unlink; do
		run idmount explain --pid "$pid" --user 0:0 "$access" "/mnt/over/${access#--}"
		echo "$output"
		[[ $output != *'not known'* && $output != *'the map of its layer'* && $output != *'on disk is not visible'* ]]
		run idmount explain --pid "$pid" --user 0:0 "$access" --json "/mnt/over/${access#--}"
		same "$access" "$(try_with "$access" "/mnt/over/${access#--}" inside)" "$(jq -r '.[0].steps[-1].errno' <<<"$output")"
	done
}

@test "a read-only overlay of a container: the layer refuses the search before that" {
	local directory access kernel

	mkdir -m 755 low low2 over
	mkdir -m 755 low/open
	# The mounter has to read a directory to find it: its attributes are user.overlay.*.
	mkdir -m 744 low/closed
	mkdir -m 700 low/own
	chown -R 7:7 low
	chown 100005:100005 low/own
	start_container '0 100000 65536'
	(cd / && inside mount -t overlay -o userxattr,lowerdir=/mnt/low:/mnt/low2 none /mnt/over)
	background nsenter --target "$pid" --mount sleep 1000
	member=${background[-1]}
	until [[ $(cat "/proc/$member/comm") == sleep ]]; do
		sleep 0.1
	done
	for directory in open closed own; do
		run idmount explain --pid "$member" --create --json "/mnt/over/$directory"
		kernel=$(kernel_errno nsenter --target "$pid" --mount mkdir "/mnt/over/$directory/new")
		same "create in $directory" "$kernel" "$(jq -r '.[0].steps[-1].errno' <<<"$output")"
	done
	same 'a layer that is closed to the mounter' EACCES "$(kernel_errno nsenter --target "$pid" --mount mkdir /mnt/over/closed/new)"
}

@test "rootless podman: a volume of another subordinate ID" {
	touch src/file
	chown 100032:100032 src src/file
	chmod 750 src
	start_container '0 1000 1' '1 100000 65536'
	run -1 idmount explain --pid "$pid" --user 999:999 --read /mnt/src/file
	[[ $output == *'search   refused, EACCES: the mode of others lacks x'* ]]
	# Root of the container may, since its user namespace has the owner.
	inside cat /mnt/src/file
	run -0 idmount explain --pid "$pid" --user 0:0 --read --write /mnt/src/file
	cures_inside 999 --read /mnt/src/file cat /mnt/src/file
	cures_inside 999 --write /mnt/src/file dd if=/dev/null of=/mnt/src/file conv=notrunc status=none
}

@test "podman: :idmap on a named volume that podman has chowned" {
	chown 100000:100000 src
	noting idmount mount -m 0:100000:65536 src dst
	start_container '0 100000 65536'
	same 'the owner inside' 65534:65534 "$(inside stat -c %u:%g /mnt/dst)"
	run ! inside touch /mnt/dst/new
	run -1 idmount explain --pid "$pid" --user 0:0 --create /mnt/dst
	[[ $output == *'owner seen as 65534 (user nobody): no map entry names disk ID 100000'*'inside: owner unmapped, since the mount does not map it'* ]]
	[[ $output == *'create   refused, EACCES: the mount does not map the owner 100000 and the group 100000'* ]]
	chown 0:0 src
	run -0 idmount explain --pid "$pid" --user 0:0 --create /mnt/dst
	inside touch /mnt/dst/new
}

# start_root: starts root of the container, with all capabilities there, and sets $member.
start_root()
{
	background nsenter --target "$pid" --user --mount --setuid 0 --setgid 0 -- sleep 1000
	member=${background[-1]}
	until [[ $(cat "/proc/$member/comm") == sleep ]]; do
		sleep 0.1
	done
}

# start_member GROUP: starts a process of user 1000 in the container, with that supplementary group, and sets $member.
start_member()
{
	background nsenter --target "$pid" --user --mount --setuid 0 --setgid 0 -- \
		setpriv --reuid 1000 --regid 1000 --groups "$1" sleep 1000
	member=${background[-1]}
	until [[ $(cat "/proc/$member/comm") == sleep ]]; do
		sleep 0.1
	done
}

@test "Kubernetes: fsGroup on a volume of a pod with hostUsers false" {
	local create=(--reuid 1000 --regid 1000 --groups 2000 -- touch)

	chgrp 2000 src
	chmod 2775 src
	noting idmount mount -m 0:100000:65536 src dst
	start_container '0 100000 65536'
	start_member 2000
	run ! inside setpriv "${create[@]}" /mnt/src/new
	run -1 idmount explain --pid "$member" --create /mnt/src
	[[ $output == *'create   refused, EACCES: the mode of others lacks w'* ]]
	# The same volume, mapped.
	run -0 idmount explain --pid "$member" --create /mnt/dst
	inside setpriv "${create[@]}" /mnt/dst/new
	same 'on disk' 1000:2000 "$(owner src/new)"
}

@test "docker: a directory of the host's root with userns-remap" {
	start_container '0 231072 65536'
	run -1 idmount explain --pid "$pid" --user 0:0 --create /mnt/src
	[[ $output == *'since the user namespace of the process does not have the owner or group'* ]]
	cures_inside 0 --create /mnt/src touch /mnt/src/new
	same 'on disk' 231072:231072 "$(owner src/new)"
}

@test "an overlay whose upper directory does not belong to the container" {
	mkdir low upper work
	idmount overlay -m 0:100000:65536 -L low -U upper -W work dst
	start_container '0 100000 65536'
	run ! inside touch /mnt/dst/new
	run -1 idmount explain --pid "$pid" --user 0:0 --create /mnt/dst
	[[ $output == *'layer    upper, /mnt/upper: owner 0, group 0, map: none'* ]]
	[[ $output == *'create   refused, EACCES: the mode of others lacks w'* ]]
	# An overlay keeps the owner that it has read once.
	mkdir upper2 work2
	chown 100000:100000 upper2
	noting idmount overlay -m 0:100000:65536 -L low -U upper2 -W work2 src
	start_container '0 100000 65536'
	# The lower layer is a detached mount. If it had closed this directory to the mounter, the name could not be looked up.
	run -1 idmount explain --pid "$pid" --user 0:0 --create /mnt/src
	[[ $output == *'create   not known: the layers of the overlay also decide'* && $output != *refused* ]]
	inside touch /mnt/src/new
}

# table OPTION... PATH: prints the table of owners.
table()
{
	idmount explain --owners "$@" | sed -n '/^KIND/,$p' | sed 's/  */ /g'
}

@test "a mount point: the owners on disk, as the mount shows them, and in a container" {
	reachable
	mkdir -p src/deep/deeper
	touch src/file src/deep/file src/deep/deeper/{file,other}
	chown 5:6 src/file
	chown 2000:6 src/deep/deeper/file
	mount -t tmpfs none src/deep/deeper/mount -o uid=7,X-mount.mkdir
	noting idmount mount -o nosuid,nodev -m 0:100000:1000 src dst
	same 'with a map' $'KIND DISK SEEN INSIDE FILES MAY\nuser 0 100000 100000 6 rwx\nuser 5 100005 100005 1 r-x\nuser 2000 unmapped unmapped 1 -
group 0 100000 100000 6 r-x\ngroup 6 100006 100006 2 r-x' "$(table /mnt/dst)"
	# The root directory of the other mount does not count.
	same 'without a map' $'KIND DISK SEEN INSIDE FILES MAY\nuser 0 0 0 5 rwx\nuser 5 5 5 1 r-x\nuser 2000 2000 2000 1 r-x\ngroup 0 0 0 5 r-x
group 6 6 6 2 r-x' "$(table /mnt/src)"
	same 'without the privilege' 'user ? unmapped unmapped 1 -' \
		"$(explain_as 1000 --owners /mnt/dst | sed -n '/^user *?/s/  */ /gp')"
	start_container '0 100000 6'
	# Also of the ID that the map leaves out, in another mount namespace.
	same 'in a container' $'user 0 100000 0 6 rwx\nuser 5 100005 5 1 r-x\nuser 2000 unmapped unmapped 1 -\ngroup 0 100000 0 6 r-x\ngroup 6 100006 unmapped 2 -' \
		"$(table --pid "$pid" /mnt/dst | grep -E '^(user|group) [0-9]')"
	same 'as JSON' '[["user",5,100005,5,1,"r-x"],["group",6,100006,null,2,null],true]' "$(idmount explain --owners --json \
		--userns "$pid" --user 0:0 /mnt/dst | jq -c '.[0] | [(.owners[1,-1] | [.kind, .disk, .seen, .inside, .files, .may]), .complete]')"
	fails_with_line 'expected a directory, got a regular file' idmount explain --owners /mnt/src/file
}

# kernel_may PATH COMMAND...: what a process that COMMAND starts may do with the directory, as the table says it.
kernel_may()
{
	"${@:2}" sh -c 'for bit in r w x; do if test "-$bit" "$1"; then printf %s "$bit"; else printf -; fi; done' sh "$1"
}

# compare_permissions PATH OPTION...: each owner of the table with a number inside, and the kernel. Processes are of user
# or group 900 besides.
compare_permissions()
{
	local path=$1 kind inside may user group n=0 start=(setpriv --clear-groups)

	[[ $2 != --pid ]] || start=(nsenter --target "$3" --user --mount)
	while read -r kind _ _ inside _ may; do
		[[ $kind == user || $kind == group ]] && [[ $inside != unmapped ]] || continue
		user=900 group=900
		[[ $kind == user ]] && user=$inside || group=$inside
		if [[ ${start[0]} == setpriv ]]; then
			same "$path, $kind $inside" "$(kernel_may "$path" "${start[@]}" --reuid "$user" --regid "$group")" "$may"
		else
			same "$path, $kind $inside" "$(kernel_may "$path" "${start[@]}" --setuid "$user" --setgid "$group" --)" "$may"
		fi
		n=$((n + 1))
	done < <(table "${@:2}" "$path")
	((n >= 6))
}

@test "a mount point: what each owner may do with it is what the kernel permits" {
	local mode

	touch src/{0,5,7,9}
	chown 5:6 src/5
	chown 7:8 src/7
	chown 9:9 src/9
	chown 5:6 src
	noting idmount mount -m 0:100000:1000 src dst
	mkdir ro
	mount --bind src ro
	mount -o remount,bind,ro ro
	start_container
	for mode in 0750 0705 0077 2530 1777 acl; do
		if [[ $mode == acl ]]; then
			setfacl -m u:7:rx,g:8:w,m::rwx src
		else
			chmod "$mode" src
		fi
		compare_permissions /mnt/src --user 0:0
		compare_permissions /mnt/ro --user 0:0
		compare_permissions /mnt/dst --pid "$pid" --user 0:0
	done
}

@test "a mount point on an overlay: the layers decide what each owner may do with it, too" {
	local id

	mkdir low up work over
	touch low/{0,5,7}
	chown 5:6 low low/5
	chown 7:8 low/7
	chmod 750 low
	mount -t overlay over -o "lowerdir=low,upperdir=up,workdir=work" over
	compare_permissions /mnt/over --user 0:0
	# Each one requires many system calls.
	for id in {1000..1059}; do
		touch "over/$id"
		chown "$id:$id" "over/$id"
	done
	same 'rows' '100 26' "$(idmount explain --owners --json over | jq -r '.[0].owners | map(.may == "???") | "\(map(select(not)) | length) \(map(select(.)) | length)"')"
}

# fails_with_line TEXT COMMAND...
fails_with_line()
{
	run -1 --separate-stderr "${@:2}"
	[[ $stderr == *"$1" ]]
}

# explain_inside OPTION... PATH: prints the lines of the verdicts, as root of the container sees them.
explain_inside()
{
	inside "$program" explain "$@" | sed -n 's/^  \(read\|write\|create\|unlink\|chmod\|chown\) */\1 /p'
}

@test "a map that is partly visible, or not at all: never allowed where a hidden entry decides" {
	local hidden='unless a map entry that is not visible here does'

	reachable
	touch src/old src/left-out
	chown 1500:1500 src src/old
	chown 7:7 src/left-out
	chmod 666 src/left-out
	noting idmount mount -m 1500:100033:1 src dst
	start_container
	# Root of the container gets EOVERFLOW.
	run ! inside touch /mnt/dst/new
	run -1 inside "$program" explain --create /mnt/dst
	[[ $output == *'map: 1500:33:1 (partly visible)'* ]]
	[[ $output == *"create   not known, EOVERFLOW: the mount maps no ID on disk to user 0 and group 0, $hidden"* ]]
	run -1 inside "$program" explain --chown 0:0 /mnt/dst/old
	[[ $output == *"chown    not known, EOVERFLOW: "*"$hidden"* ]]
	same 'in JSON' null "$(inside "$program" explain --create --json /mnt/dst | jq '.[0].steps[-1].allowed')"
	# The visible entry decides.
	run -0 inside "$program" explain --read --write --chmod --unlink /mnt/dst/old
	inside dd if=/dev/null of=/mnt/dst/old conv=notrunc status=none
	run ! inside dd if=/dev/null of=/mnt/dst/left-out conv=notrunc status=none
	run -1 inside "$program" explain --write /mnt/dst/left-out
	[[ $output == *"write    not known, EACCES: "*"$hidden"* ]]
	# The owner shows an entry that is partly outside of the container, so it is not visible.
	idmount umount dst
	noting idmount mount -m 1400:100900:200 src dst
	start_container
	same 'the owner inside' 65534 "$(inside stat -c %u /mnt/dst/old)"
	chown 1450:1450 src src/old
	same 'the owner inside' 950 "$(inside stat -c %u /mnt/dst/old)"
	run -0 inside "$program" explain --read --write --chmod /mnt/dst/old
	[[ $output == *'map: not visible from here'* ]]
	inside chmod 600 /mnt/dst/old
	run -1 inside "$program" explain --create /mnt/dst
	run -1 inside "$program" explain --chown 951:951 /mnt/dst/old
	[[ $output == *"chown    not known, EOVERFLOW: "*"$hidden"* ]]
	inside chown 951:951 /mnt/dst/old
}

# all_cures UID OPTION... PATH: runs the cures in the order printed.
all_cures()
{
	local cure

	explain_as "$@" >cures || :
	while read -r cure; do
		sh -c "$cure"
	done < <(sed -n 's/^  cure *//p' cures)
}

@test "the cures of one file together permit all" {
	local access

	reachable
	touch src/file
	chmod 700 src/file
	mkdir -m 700 src/directory
	all_cures 1033 --read --write --exec /mnt/src/file
	run -0 explain_as 1033 --read --write --exec /mnt/src/file
	as 1033 test -r /mnt/src/file -a -w /mnt/src/file -a -x /mnt/src/file
	# Each one of them, too.
	setfacl -b src/file
	for access in --read --write; do
		same "the cure of $access" 'setfacl -m u:1033:rw /mnt/src/file' \
			"$(explain_as 1033 --read --write --json /mnt/src/file | jq -r ".[].steps[] | select(\"--\" + .access == \"$access\").cure")"
	done
	same 'the least one' 'setfacl -m u:1033:r /mnt/src/file' "$(explain_as 1033 --read --json /mnt/src/file | member cure)"
	# The common accesses.
	chmod 700 src/file
	all_cures 1033 /mnt/src/file
	run -0 explain_as 1033 --read --write --exec /mnt/src/file
	all_cures 1033 /mnt/src/directory
	run -0 explain_as 1033 --read --exec --create /mnt/src/directory
	as 1033 touch /mnt/src/directory/new
}

@test "a file in a directory that the map leaves out is not removed: the owner is the directory's" {
	mkdir -m 777 src/directory
	touch src/directory/file
	chown 7:7 src/directory
	chown 1001:1001 src/directory/file
	noting idmount mount -m 1001:2001 src dst
	run -1 idmount explain --unlink --json /mnt/dst/directory/file
	same 'the reason' 'its directory: the mount does not map the owner 7 and the group 7' "$(member reason <<<"$output")"
}

@test "an owner that the caller's user namespace lacks, on a mount without a map" {
	local lacks='since the user namespace of the process does not have the owner or group'

	reachable
	touch src/closed src/open
	chmod 600 src/closed
	chmod 666 src/open
	setfacl -m u:200005:r src/closed
	chown 200004:200004 src/closed src/open
	start_container
	run ! inside cat /mnt/src/closed
	run -1 inside "$program" explain --read /mnt/src/closed
	[[ $output == *"read     refused, EACCES: the mode of others lacks r; capabilities do not count, $lacks"* ]]
	[[ $output == *'file     /mnt/src/closed: owner not visible, group not visible, '* ]]
	[[ $output == *'user:unknown:r--'* && $output != *42949672* && $output != *cure* ]]
	# The mount has no map, so the kernel writes the owner back.
	inside dd if=/dev/null of=/mnt/src/open conv=notrunc status=none
	run -0 inside "$program" explain --write /mnt/src/open
	run ! inside chown 0 /mnt/src/open
	[[ $output == *'Operation not permitted'* ]]
	run -1 inside "$program" explain --chown 0 /mnt/src/open
	[[ $output == *"chown    refused, EPERM: it requires CAP_CHOWN; capabilities do not count, $lacks"* ]]
	run ! inside chown 5000 /mnt/src/open
	[[ $output == *'Invalid argument'* ]]
	run -1 inside "$program" explain --chown 5000 /mnt/src/open
	[[ $output == *'chown    refused, EINVAL: the user namespace of the process does not have user 5000'* ]]
	run -1 inside "$program" explain --chmod /mnt/src/open
	[[ $output == *"chmod    refused, EPERM: the process does not own it; capabilities do not count, $lacks"* ]]
}

@test "a directory that the map leaves out: cures by a larger map" {
	local tries=0

	reachable
	mkdir -m 777 src/directory
	touch src/directory/{file,other}
	chown 7:7 src/directory
	chown 1001:1001 src src/directory/*
	noting idmount mount -m 1001:2001 src dst
	# The creator and the directory.
	while ! touch dst/directory/new; do
		run -1 idmount explain --create --json /mnt/dst/directory
		echo "cure: $(member cure <<<"$output")"
		PATH=/mnt:$PATH sh -c "$(member cure <<<"$output")"
		((++tries < 4))
	done
	run -0 idmount explain --create /mnt/dst/directory
	same 'the directory' '7:7' "$(stat -c %u:%g dst/directory)"
	idmount umount dst
	noting idmount mount -m 1001:2001 src dst
	cures 0 --unlink /mnt/dst/directory/other unlink /mnt/dst/directory/other
	# On the way.
	idmount umount dst
	chmod 700 src/directory
	noting idmount mount -m 1001:2001,0:0:1 src dst
	cures 0 --read /mnt/dst/directory/file cat /mnt/dst/directory/file
}

# Without reading a directory, which would change them.
times()
{
	stat -c '%n %x %y %z' /mnt/strict/{,low,low/deep,low/deep/file,upper,work}
}

@test "nothing changes: no time of a file, with owners and with the layers of an overlay" {
	local before

	mkdir strict over
	mount -t tmpfs -o strictatime none strict
	mkdir -p strict/{low/deep,upper,work}
	touch strict/low/deep/file
	setfacl -m u:5:r strict/low/deep/file
	mount -t overlay -o lowerdir=strict/low,upperdir=strict/upper,workdir=strict/work none over
	before=$(times)
	sleep 0.01
	idmount explain --owners --read --write --exec --chmod --chown 5:5 /mnt/strict/low || :
	idmount explain --read --write --exec --unlink --chmod --chown 5:5 /mnt/strict/low/deep/file /mnt/over/deep/file || :
	same 'the times' "$before" "$(times)"
}

@test "a filesystem of a user namespace: root of the host cannot create a file as an ID that it lacks" {
	local member

	start_container
	inside mount -t tmpfs -o mode=777 none /mnt/dst
	background nsenter --target "$pid" --mount sleep 1000
	member=${background[-1]}
	until [[ $(cat "/proc/$member/comm") == sleep ]]; do
		sleep 0.1
	done
	run -1 env LC_ALL=C nsenter --target "$pid" --mount touch /mnt/dst/new
	[[ $output == *'Value too large for defined data type' ]]
	run -1 idmount explain --pid "$member" --create /mnt/dst
	[[ $output == *'filesystem of the user namespace: 0:100000:1000'* ]]
	same 'the same in JSON' '[{"disk":0,"seen":100000,"count":1000}]' \
		"$(fact .mount.filesystemUserNamespace.uidMap --pid "$member" /mnt/dst)"
	[[ $output == *'create   refused, EOVERFLOW: the user namespace that mounted the filesystem does not have user 0 and group 0'* ]]
	inside touch /mnt/dst/new
	run -0 idmount explain --pid "$pid" --user 0:0 --create /mnt/dst
	run -0 idmount explain --pid "$member" --user 100000:100000 --create /mnt/dst
}

@test "a mount point on another mount of its filesystem is not removed" {
	local uid path

	reachable
	mkdir -m 777 src/open src/closed
	mkdir src/open/{directory,free} src/closed/directory
	touch "src/open/a file" src/open/free-file
	chmod 755 src/closed
	mount --bind src dst
	mount --bind src/open/free src/open/directory
	mount --bind src/open/free src/closed/directory
	mount --bind src/open/free-file "src/open/a file"
	for uid in 0 1000; do
		for path in open/directory 'open/a file' closed/directory; do
			run -1 explain_as "$uid" --unlink --json "/mnt/dst/$path"
			same "user $uid, $path" "$(removal_errno "$uid" "/mnt/dst/$path")" "$(member errno <<<"$output")"
		done
	done
	run -1 explain_as 1000 --unlink /mnt/dst/open/directory
	[[ $output == *'unlink   refused, EBUSY: it is a mount point on another mount of its filesystem'* ]]
	run -0 explain_as 1000 --unlink /mnt/dst/open/free
	# Without that mount the kernel removes it.
	umount src/open/directory
	run -0 explain_as 1000 --unlink /mnt/dst/open/directory
	as 1000 rmdir dst/open/directory
}

@test "an owner that is shown as 65534: each that it can be is judged" {
	reachable
	touch src/unmapped src/own src/fixed
	chown 100001:100001 src/unmapped
	chown 65534:65534 src/own src/fixed
	chmod 666 src/*
	chmod 600 src/fixed
	noting idmount mount -m 0:0:65536 src dst
	# The ordinary user cannot make a copy of the mount without its map.
	same 'no owner' EACCES "$(kernel_errno as 1000 sh -c ': >>/mnt/dst/unmapped')"
	same 'the owner' null "$(kernel_errno as 1000 sh -c ': >>/mnt/dst/own')"
	for file in unmapped own; do
		run -1 explain_as 1000 --write "/mnt/dst/$file"
		[[ $output == *'write    not known, EACCES: the mount does not map the owner'*', unless the file has the owner that is shown'* ]]
	done
	# Both refuse, with two errors.
	run -1 explain_as 1000 --chmod /mnt/dst/fixed
	[[ $output == *'chmod    refused, EPERM: the process does not own it; EOVERFLOW, if the file has no owner'* ]]
	# Root can make one.
	run -0 idmount explain --write /mnt/dst/own
	run -1 idmount explain --write /mnt/dst/unmapped
	[[ $output == *'write    refused, EACCES: the mount does not map the owner 100001'* ]]
}

@test "an owner that the caller's user namespace lacks can be the one that is shown" {
	local file

	reachable
	touch src/{hidden,own}
	chown 7009:7009 src/hidden
	chown 65534:65534 src/own
	chmod 600 src/*
	start_container '0 0 1000
65534 65534 1'
	start_root
	same 'no number' EACCES "$(kernel_errno inside cat /mnt/src/hidden)"
	same 'the owner' null "$(kernel_errno inside cat /mnt/src/own)"
	for file in hidden own; do
		run -1 inside "$program" explain --pid "$member" --read "/mnt/src/$file"
		[[ $output == *'read     not known, EACCES: '*', unless the file has the owner that is shown'* ]]
	done
}

@test "a process of the caller's user namespace, whose files in /proc are closed to the caller" {
	reachable
	touch src/file src/other
	chown 100005:100005 src/file
	chown 5:5 src/other
	chmod 600 src/*
	start_container
	start_root
	same 'root there' null "$(kernel_errno inside cat /mnt/src/file)"
	same 'another owner' EACCES "$(kernel_errno inside cat /mnt/src/other)"
	# The kernel shows the caller's own namespace with the IDs of the one above.
	run -0 inside_as 1 "$program" explain --pid "$member" --read /mnt/src/file
	[[ $output == *'user namespace: 0:0:1000'* ]]
	run -1 inside_as 1 "$program" explain --pid "$member" --read /mnt/src/other
	# As of the files of the caller, with those open.
	run -0 inside "$program" explain --pid "$member" --read /mnt/src/file
	# A map that fits both is in doubt.
	start_container '0 1 1
1 0 1'
	start_root
	run inside_as 1 "$program" explain --pid "$member" --read /mnt/src/file
	[[ $output == *'some IDs of the process are not visible from this user namespace'* ]]
}

# member_of PID USERNS: runs the command as root of that user namespace, in the mount namespace of the process.
member_of()
{
	nsenter --target "$1" --mount -- nsenter --user="/proc/$2/ns/user" --setuid 0 --setgid 0 -- "${@:3}"
}

@test "two user namespaces with the same map: only the one that mounted the filesystem counts" {
	local mounter other ns

	reachable
	start_container
	mounter=$pid
	start_container
	other=$pid
	nsenter --target "$mounter" --user --mount --setuid 0 --setgid 0 -- sh -c 'mount -t tmpfs none /mnt/src &&
		touch /mnt/src/file && chown 7:7 /mnt/src/file'
	nsenter --target "$mounter" --mount -- "$program" mount -m 0:100000 /mnt/src /mnt/dst
	for ns in "$other" "$mounter"; do
		run nsenter --target "$mounter" --mount -- "$program" explain --userns "$ns" --user 0:0 --chown 0:0 --json /mnt/dst/file
		echo "$output"
		same 'is known' null "$(jq '.[].steps[-1] | select(.allowed == null)' <<<"$output" | grep . || echo null)"
		same "process $ns" "$(kernel_errno member_of "$mounter" "$ns" chown 0:0 /mnt/dst/file)" "$(jq -r '.[].steps[-1].errno' <<<"$output")"
	done
}

@test "copies of an overlay: an ACL and a directory that maps leave out, and no copy for access(2)" {
	local path access

	reachable
	mkdir -m 755 disk map over
	mkdir disk/{low,upper,work}
	mkdir disk/low/{acl,default,directory,both} disk/upper/both
	touch disk/low/{acl,default,directory,both}/file disk/low/file
	setfacl -m u:9000:rwx disk/low/acl disk/low/file
	setfacl -d -m g:9000:rwx disk/low/default
	chmod 1777 disk/low/{acl,default,directory,both} disk/upper/both
	chmod 666 disk/low/*/file
	chown 9000:9000 disk/upper/both
	noting idmount mount -m 0:0:8000 disk map
	remount_over()
	{
		! mountpoint -q over || umount over
		rm -rf disk/work/* disk/upper/{acl,default,directory,file}
		rm -f disk/upper/both/{file,new}
		mount -t overlay -o "lowerdir=/mnt/map/low,upperdir=/mnt/$1/upper,workdir=/mnt/$1/work" none over
	}
	for upper in disk map; do
		for path in acl default directory both file acl/file default/file directory/file both/file; do
			for access in --write --chmod --create; do
				[[ $access != --create || $path != *file ]] || continue
				remount_over "$upper"
				run explain_as 0 "$access" --json "/mnt/over/$path"
				case $access in
				--write)
					# As access(2), a test of a directory copies nothing.
					if [[ $path == *file ]]; then
						kernel=$(kernel_errno sh -c ': >>"$1"' - "/mnt/over/$path")
					else
						kernel=$([[ -w /mnt/over/$path ]] && echo null || echo EACCES)
					fi
					;;
				--chmod) kernel=$(kernel_errno chmod g+w "/mnt/over/$path") ;;
				*) kernel=$(kernel_errno touch "/mnt/over/$path/new") ;;
				esac
				same "$upper, $access $path" "$kernel" "$(jq -r '.[0].steps[-1].errno' <<<"$output")"
				same "$upper, $access $path: is known" "$([[ $kernel == null ]] && echo true || echo false)" \
					"$(jq -r '.[0].steps[-1].allowed' <<<"$output")"
			done
		done
	done
	remount_over disk
	run -1 idmount explain --write /mnt/over/acl/file
	[[ $output == *'refused, EINVAL: the overlay cannot copy it to the upper layer: an ACL of the file, or of a directory on the way, has an ID that the map of a layer leaves out'* ]]
	remount_over map
	run -1 idmount explain --write /mnt/over/both/file
	[[ $output == *'the map of the upper layer leaves out the owner or group of the directory for the copy'* ]]
}

@test "a new name in a read-only overlay: each layer is searched for it, before the kernel sees that" {
	reachable
	mkdir -m 755 low map over
	mkdir -p low/d low2/d
	chown 7009:7009 low/d
	chmod 750 low/d
	chmod 777 low2/d
	noting idmount mount -m 0:0:7000 low map
	mount -t overlay -o lowerdir=/mnt/low2:/mnt/map none over
	run -1 idmount explain --user 1000:1000 --create --json /mnt/over/d
	same 'the errno' "$(kernel_errno as 1000 touch /mnt/over/d/new)" "$(member errno <<<"$output")"
	same 'the errno' EACCES "$(member errno <<<"$output")"
	# Only root reads which directories are opaque.
	run -1 explain_as 1000 --create /mnt/over/d
	[[ $output == *'create   refused, EROFS: the filesystem is read-only; EACCES, if a layer that is not visible refuses the search' ]]
	# Layers that are not visible can refuse that, and any search.
	umount over
	idmount overlay -m 0:0:7000 -L low2 -L low over
	same 'a search' EACCES "$(kernel_errno as 1000 cat /mnt/over/d/new)"
	run -1 explain_as 1000 --exec /mnt/over/d
	[[ $output == *'search   not known: the layers of the overlay also decide'* ]]
}

@test "filesystems of the kernel have rules of their own: not known" {
	mkdir proc sys
	mount -t proc proc proc
	mount -t sysfs sysfs sys
	# The mode permits root to change it, and procfs refuses.
	same 'procfs' EPERM "$(kernel_errno chmod 444 "proc/$$/status")"
	run -1 idmount explain --chmod "/mnt/proc/$$/status"
	[[ $output == *'chmod    not known: the filesystem is one of the kernel, with rules of its own'* ]]
	# The mode permits root to create files, and sysfs has none.
	run -1 idmount explain --create --json /mnt/sys/kernel
	same 'sysfs' null "$(jq '.[0].steps[-1].allowed' <<<"$output")"
	same 'the note' 'the filesystem is one of the kernel, with rules of its own' "$(jq -r '.[0].unseen[-1]' <<<"$output")"
	# The mode of the directory permits no other user to search it, and procfs permits that to the process itself.
	run -1 idmount explain --user 1000:1000 --exec "/mnt/proc/$$/fd"
	[[ $output == *'search   not known, EACCES: '*', unless procfs permits it by a rule of its own'* ]]
	# A search is the mode's, and a read-only mount refuses first.
	run -0 idmount explain --user 1000:1000 --exec /mnt/sys/kernel
	mount -o remount,bind,ro proc
	run -1 idmount explain --write /mnt/proc/sys/kernel/hostname
	[[ $output == *'write    refused, EROFS: the mount is read-only'* ]]
	# Other filesystems have no such note.
	run -0 idmount explain --create /mnt
	[[ $output != *'rules of its own'* ]]
}

# Prints the refusals of JSON.
refused_steps()
{
	jq -c '[.[].steps[] | select(.allowed | not) | [.path, .access, .errno, .behind]]'
}

@test "a closed directory, another one behind it, and the file: one run names all, and the cures in their order help" {
	local file=/mnt/src/a/b/file cures

	mkdir -p src/a/b
	echo text >src/a/b/file
	chmod 700 src/a src/a/b
	chmod 600 src/a/b/file
	run ! as 1000 cat "$file"
	run -1 idmount explain --user 1000:1000 --read --json "$file"
	same 'the steps' '[["/mnt/src/a","search","EACCES",null],["/mnt/src/a/b","search","EACCES","/mnt/src/a"],["'"$file"'","read","EACCES","/mnt/src/a"]]' "$(refused_steps <<<"$output")"
	cures=$(jq -r '.[].steps[] | .cure // empty' <<<"$output")
	run -1 idmount explain --user 1000:1000 --read "$file"
	[[ $output == *'search '*'/a'*'behind   what follows is behind /mnt/src/a'*'way      /mnt/src/a/b'*'read     refused'*'note     run the cures in this order'* ]]
	echo "$cures"
	sh -e <<<"$cures"
	run -0 idmount explain --user 1000:1000 --read "$file"
	as 1000 cat "$file"
}

@test "an order of cures is named only where there are several" {
	mkdir -p src/a
	touch src/a/file
	chmod 700 src/a
	run -1 idmount explain --user 1000:1000 --read /mnt/src/a/file
	[[ $output == *'cure     setfacl'*'behind   '* && $output != *'in this order'* ]]
	mount -t tmpfs -o mode=755 none dst
	cp -a src/a dst
	chmod 600 dst/a/file
	mount -o remount,ro dst
	run -1 idmount explain --user 1000:1000 --read /mnt/dst/a/file
	[[ $output == *'search   refused'*'read     refused'* && $output != *'  cure'* && $output != *'in this order'* ]]
}

@test "what is behind a closed directory does not exist: the refusal stays the verdict" {
	mkdir -m 700 src/a
	run -1 --separate-stderr idmount explain --user 1000:1000 --read --json /mnt/src/a/none
	same 'the message' '' "$stderr"
	same 'the steps' '[["/mnt/src/a","search","EACCES",null]]' "$(refused_steps <<<"$output")"
	same 'the error' null "$(jq '.[].error' <<<"$output")"
	run -1 idmount explain --user 1000:1000 --read /mnt/src/a/none
	[[ $output == *'is not judged: /mnt/src/a/none: explain access: No such file or directory' ]]
}

@test "a program that runs is not written to, and the errno is the kernel's" {
	local path

	cp /bin/sleep src/program
	chmod 777 src/program
	ln src/program src/link
	mount --bind src dst
	mount -o remount,bind,ro dst
	background /mnt/src/program 1000
	until [[ /proc/${background[-1]}/exe -ef src/program ]]; do
		sleep 0.1
	done
	for path in src/program src/link dst/program; do
		run -1 idmount explain --user 1000:1000 --write --json "/mnt/$path"
		same "$path" "$(try_with --write "/mnt/$path" as 1000)" "$(member errno <<<"$output")"
		same 'the reason' "process ${background[-1]} runs it; replace it by a new file" "$(member reason <<<"$output")"
	done
	run -1 idmount explain --user 1000:1000 --unlink --json /mnt/src/program
	same 'not its removal' EACCES "$(member errno <<<"$output")"
	chmod 600 src/program
	run -1 idmount explain --user 1000:1000 --write --json /mnt/src/program
	same 'a permission comes first' EACCES "$(member errno <<<"$output")"
}

@test "a program whose capabilities the bounding set lacks is not executed: EPERM, with no_new_privs and for root, too" {
	local set kind uid errno

	cp /bin/true src/program
	for set in net_raw+ep net_raw+p net_raw,cap_chown+ep chown+ep; do
		setcap "cap_$set" src/program
		for uid in 0 1000; do
			background setpriv --reuid $uid --regid $uid --clear-groups --bounding-set=-net_raw --inh-caps=-all sleep 1000
			until [[ $(cat "/proc/${background[-1]}/comm") == sleep ]]; do
				sleep 0.1
			done
			for kind in '' --no-new-privs; do
				errno=null
				setpriv --reuid $uid --regid $uid --clear-groups --bounding-set=-net_raw --inh-caps=-all $kind /mnt/src/program || errno=EPERM
				same "$set, $uid $kind" "$errno" "$(idmount explain --pid "${background[-1]}" --exec --json /mnt/src/program | jq -r '.[].steps[-1].errno')"
			done
		done
	done
	setcap cap_net_raw+ep src/program
	run -1 idmount explain --pid "${background[-1]}" --exec --json /mnt/src/program
	same 'the reason' 'the file requires CAP_NET_RAW, which the bounding set of the process lacks' "$(member reason <<<"$output")"
	mount --bind src dst
	mount -o remount,bind,nosuid dst
	run -0 idmount explain --pid "${background[-1]}" --exec /mnt/dst/program
}

@test "set-user-ID bits on a filesystem of a user namespace count in that, and below it, but in no other" {
	local mounter other below

	reachable
	start_container
	mounter=$pid
	start_container
	other=$pid
	background nsenter --target "$mounter" --user --mount --setuid 0 --setgid 0 -- unshare --user --map-root-user sleep 1000
	below=${background[-1]}
	until [[ $(cat "/proc/$below/comm") == sleep ]]; do
		sleep 0.1
	done
	nsenter --target "$mounter" --user --mount --setuid 0 --setgid 0 -- sh -c 'mount -t tmpfs none /mnt/src &&
		cp /bin/true /mnt/src/program && chmod 4755 /mnt/src/program'
	count()
	{
		nsenter --target "$mounter" --mount -- "$program" explain --userns "$1" --user 5:5 --exec --json /mnt/src/program | jq -r '.[].privileges | "\(.count) \(.reason)"'
	}
	same 'where it was mounted' 'true null' "$(count "$mounter")"
	same 'elsewhere' 'false the process is not in the user namespace that mounted the filesystem' "$(count "$other")"
	run nsenter --target "$mounter" --mount -- "$program" explain --userns "$below" --user 0:0 --exec --json /mnt/src/program
	same 'below' 'true null' "$(jq -r '.[].privileges | "\(.count) \(.reason)"' <<<"$output")"
}

@test "a mount with nosymfollow: the link refuses, and the cure is a remount" {
	mkdir src/directory
	touch src/directory/file
	ln -s directory src/way
	ln -s directory/file src/end
	mount --bind src dst
	mount -o remount,bind,nosymfollow dst
	for path in dst/way/file dst/end; do
		run -1 idmount explain --read --json "/mnt/$path"
		same 'the step' follow "$(member access <<<"$output")"
		same "$path" "$(try_with --read "/mnt/$path")" "$(member errno <<<"$output")"
	done
	run -1 idmount explain --read --json /mnt/dst/end
	sh -c "$(member cure <<<"$output")"
	run -0 idmount explain --read /mnt/dst/end
	cat /mnt/dst/end
}

# As the machine has them, so that the kernel can be asked.
@test "links and files of others in a sticky directory: the settings fs.protected_* decide" {
	local path

	reachable
	mkdir -m 1777 src/sticky
	chown 7:7 src/sticky
	echo text >src/file
	chmod 666 src/file
	ln -s /mnt/src/file src/sticky/link
	chown -h 1000:1000 src/sticky/link
	cp -p src/file src/sticky/file
	chown 1000:1000 src/sticky/file
	for uid in 0 7 1000 2000; do
		run idmount explain --user "$uid:$uid" --read --json /mnt/src/sticky/link
		same "the link, $uid" "$(kernel_errno as "$uid" cat /mnt/src/sticky/link)" "$(jq -r '[.[].steps[].errno | values][0]' <<<"$output")"
		run idmount explain --user "$uid:$uid" --write --json /mnt/src/sticky/file
		same "the file, $uid" "$(kernel_errno as "$uid" dd if=/dev/null of=/mnt/src/sticky/file conv=notrunc,nocreat status=none)" "$(jq -r '.[].steps[-1].errno' <<<"$output")"
		same "with O_CREAT, $uid" "$(as "$uid" sh -c ': >>/mnt/src/sticky/file' 2>/dev/null && echo null || echo EACCES)" "$(jq -r '.[].steps[-1].errnoWithCreate' <<<"$output")"
	done
}

# Others than the machine's, which only the command reads.
@test "settings fs.protected_* in words, and those that are closed to the caller" {
	local name

	reachable
	mkdir -m 1777 src/sticky
	touch src/sticky/{link-target,file}
	chmod 666 src/sticky/file
	ln -s link-target src/sticky/link
	chown -h 1000:1000 src/sticky/*
	for name in symlinks regular fifos; do
		echo 1 >"src/$name"
		mount --bind "src/$name" "/proc/sys/fs/protected_$name"
	done
	run -1 idmount explain --user 2000:2000 --read --json /mnt/src/sticky/link
	same 'the step' '["/mnt/src/sticky/link","follow","EACCES"]' "$(jq -c '.[].steps[] | select(.allowed | not) | [.path, .access, .errno]' <<<"$output")"
	run -0 idmount explain --user 1000:1000 --read /mnt/src/sticky/link
	# The kernel looks up a name behind the link: it does not end the path.
	mkdir -m 777 src/open
	ln -s /mnt/src/open src/sticky/way
	chown -h 1000:1000 src/sticky/way
	run -0 idmount explain --user 2000:2000 --create --exec /mnt/src/sticky/way
	run -1 idmount explain --user 2000:2000 --read --create --json /mnt/src/sticky/way
	same 'behind' '["/mnt/src/sticky/way",null]' "$(jq -c '[.[].steps[-2:][].behind]' <<<"$output")"
	run -0 idmount explain --user 2000:2000 --write /mnt/src/sticky/file
	[[ $output == *'write    allowed; with O_CREAT, as by > in a shell, EACCES: another user owns it, in a sticky directory'* ]]
	chmod 600 src/{symlinks,regular,fifos}
	run -1 explain_as 2000 --read /mnt/src/sticky/link
	[[ $output == *'follow   not known, EACCES: '*', unless that setting is 0'*'note     the settings fs.protected_symlinks'* ]]
	run -0 explain_as 2000 --write --json /mnt/src/sticky/file
	same 'not known' null "$(jq -r '.[].steps[-1].errnoWithCreate' <<<"$output")"
	for name in symlinks regular fifos; do
		umount "/proc/sys/fs/protected_$name"
	done
}

# fuse_verdicts KIND USER...: compares what each user gets with what the command says. Sets `verdicts`.
fuse_verdicts()
{
	local user access said

	verdicts=
	for user in "${@:2}"; do
		for access in --read --write --chmod; do
			said=$(idmount explain --user "$user:$user" "$access" --json /mnt/src/fuse/file | jq -r '[.[].steps[] | select(.allowed != true)][0] | if . == null then "null" elif .allowed == null then "not known" else .errno end')
			[[ $said == 'not known' ]] || same "$1, $user $access" "$(try_with "$access" /mnt/src/fuse/file as "$user")" "$said"
			verdicts+="$said "
		done
	done
}

@test "FUSE: without default_permissions the server decides, and without allow_other another user is not admitted" {
	local kind server

	[[ -c /dev/fuse ]] || skip 'no FUSE here'
	mkdir -m 755 src/fuse
	for kind in 'allow_other' 'allow_other default_permissions' ''; do
		# shellcheck disable=SC2086 # words
		background python3 "$ROOT/tests/cli/fuse.py" src/fuse 0 files $kind
		server=${background[-1]}
		until mountpoint -q src/fuse; do
			kill -0 "$server"
			sleep 0.1
		done
		fuse_verdicts "$kind" 0 2000
		case $kind in
		allow_other) same 'the server decides' 'not known not known not known not known not known not known ' "$verdicts" ;;
		*default_permissions) same 'the mode decides' 'null null null EACCES EACCES EPERM ' "$verdicts" ;;
		'') same 'not admitted' 'not known not known not known EACCES EACCES EACCES ' "$verdicts" ;;
		esac
		umount src/fuse
	done
	as 2000 true
}

# The list is a file of this test: a real swap file would be the machine's. The kernel refuses its removal (EPERM),
# and permits to open it.
@test "a swap file is not removed" {
	touch 'src/swap file'
	printf '%s\n' 'Filename Type Size Used Priority' '/mnt/src/other file 40 0 -2' '/mnt/src/swap\040file file 40 0 -2' >src/swaps
	mount --bind src/swaps /proc/swaps
	run -1 idmount explain --unlink --write --json '/mnt/src/swap file'
	same 'the errno' EPERM "$(member errno <<<"$output")"
	same 'the write' true "$(jq '.[].steps[-2].allowed' <<<"$output")"
	run -0 idmount explain --unlink /mnt/src/swaps
	umount /proc/swaps
	run -0 idmount explain --unlink '/mnt/src/swap file'
}
