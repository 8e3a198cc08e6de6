#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# "idmount mount", on the real kernel. Each test runs in a mount namespace of its own, on a tmpfs.
load common
private_mounts

setup()
{
	set_up_mounts
	echo content >src/file
	mkdir src/directory
	chown 1000:1000 src/file
	chown 5:6 src/directory
}

teardown()
{
	tear_down_mounts
}

idmount_mount='idmount: mount:'
nosuid_hint='-o suid,dev prevents that'

# fails_always STATUS STDERR COMMAND...: fails and changes nothing, also if a mount is at dst already.
fails_always()
{
	refused "$@"
	mount -t tmpfs old dst
	touch dst/old
	refused "$@"
	[[ -e dst/old ]]
	umount dst # not busy: nothing keeps it
}

# new_userns UID_MAP GID_MAP: starts a process in a user namespace with these maps. Its number is $userns.
new_userns()
{
	background unshare --user sleep infinity
	userns=${background[-1]}
	until [[ ! /proc/self/ns/user -ef /proc/$userns/ns/user ]]; do
		:
	done
	# The kernel accepts one write each, but an echo of several lines makes several.
	[[ -z $1 ]] || printf '%s\n' "$1" | cat >"/proc/$userns/uid_map"
	[[ -z $2 ]] || printf '%s\n' "$2" | cat >"/proc/$userns/gid_map"
}

# ---- files at the target ----

@test "shows files under other owners, and stores new ones under theirs" {
	noting idmount mount -m 1000:2000 src dst
	same 'the file' 2000:2000 "$(owner dst/file)"
	same 'the directory, which is not mapped' 65534:65534 "$(owner dst/directory)"
	same 'the source' $'1000:1000\n5:6' "$(owner src/file src/directory)"
	same 'mounts' 1 "$(mounts_at /mnt/dst)"
	same 'options' 'rw,nosuid,nodev,relatime,idmapped' "$(options_at /mnt/dst)"
	chmod 777 src
	idmount umount dst

	noting idmount mount -m 0:0 -m 1000:2000 src dst
	as 2000 touch dst/new
	same 'a new file' 1000:1000 "$(owner src/new)"
}

@test "maps of users only, and of groups only" {
	noting idmount mount -m u:1000:7,g:1000:8,u:5:9,g:6:10 src dst
	same 'owners' $'7:8\n9:10' "$(owner dst/file dst/directory)"
}

@test "a file is shown at a file" {
	touch target
	noting idmount mount -m 1000:2000 src/file target
	same 'owner' 2000:2000 "$(owner target)"
	same 'content' content "$(<target)"
}

@test "the source may be a symbolic link, the working directory, or the target" {
	ln -s src link
	noting idmount mount -m 1000:2000 link dst
	same 'owner' 2000:2000 "$(owner dst/file)"
	idmount umount dst

	cd src
	noting idmount mount -m 1000:2000 . ../dst
	cd ..
	same 'owner' 2000:2000 "$(owner dst/file)"
	idmount umount dst

	noting idmount mount -m 1000:2000 src src
	same 'owner' 2000:2000 "$(owner src/file)"
	idmount umount src
	same 'owner' 1000:1000 "$(owner src/file)"
}

@test "names with blanks, line ends and what is not UTF-8" {
	local name

	for name in 'a b' $'a\nb' $'\xff' '-o' 'a,b' '\040'; do
		mkdir "./$name" "./$name/"{src,dst}
		touch "./$name/src/file"
		noting idmount mount -m 0:7 -- "./$name/src" "./$name/dst"
		same 'owner' 7:7 "$(owner "./$name/dst/file")"
		idmount umount "./$name/dst"
	done
	mkdir -- -x -y
	cd /mnt
	noting idmount mount -m 0:7 -- -x -y
	same 'owner' 7:7 "$(owner -- -y)"
}

@test "a second mount is on top" {
	noting idmount mount -m 1000:2000 src dst
	noting idmount mount -m 1000:3000 src dst
	same 'mounts' 2 "$(mounts_at /mnt/dst)"
	same 'the top one' 3000:3000 "$(owner dst/file)"
	idmount umount dst
	same 'the one below' 2000:2000 "$(owner dst/file)"
}

@test "a mapped source is refused, or gets the requested map" {
	mkdir second
	noting idmount mount -m 1000:2000 src dst
	refused 1 "$idmount_mount dst: map tree: the source is on a mount that is ID-mapped already
hint: idmount mount --remap replaces its map, idmount mount --on-top adds to it" \
		idmount mount -m 1000:3000,2000:4000 dst second
	noting idmount mount --remap -m 1000:3000,2000:4000 dst second
	same 'owner' 3000:3000 "$(owner second/file)"
	same 'the first mount' 2000:2000 "$(owner dst/file)"
	idmount umount second
	noting idmount mount --on-top -m 1000:3000,2000:4000 dst second
	same 'owner' 4000:4000 "$(owner second/file)"
	same 'the first mount' 2000:2000 "$(owner dst/file)"
	idmount umount second
	refused 1 "$idmount_mount dst: map on top: the map contains no user ID that the source shows" \
		idmount mount --on-top -m 1000:3000 dst second
	refused 2 "$idmount_mount --remap and --on-top exclude each other" \
		idmount mount --on-top --remap -m 1000:3000 dst second
	# Neither changes anything for a source without a map.
	noting idmount mount --remap -m 1000:3000 src second
	same 'owner' 3000:3000 "$(owner second/file)"
	idmount umount second
	noting idmount mount --on-top -m 1000:3000 src second
	same 'owner' 3000:3000 "$(owner second/file)"
}

@test "a mapped mount gets a new map at the same path" {
	noting idmount mount -m 1000:2000 src dst
	refused 1 "$idmount_mount dst: map tree: the source is on a mount that is ID-mapped already
hint: idmount mount --remap replaces its map, idmount mount --on-top adds to it" \
		idmount mount --replace -m 1000:3000 dst dst
	noting idmount mount --replace --remap -m 1000:3000 dst dst
	same 'owner' 3000:3000 "$(owner dst/file)"
	same 'mounts' 1 "$(mounts_at /mnt/dst)"
}

# ---- maps ----

@test "the rest keeps its IDs" {
	noting idmount mount -m 1000:2000 --keep-rest src dst
	same 'owners' $'2000:2000\n5:6' "$(owner dst/file dst/directory)"
	noting idmount mount -m u:1000:2000 --keep-rest src dst
	same 'owners' $'2000:1000\n5:6' "$(owner dst/file dst/directory)"
}

@test "names" {
	chown root:root src/file
	noting idmount mount -m root:daemon src dst
	same 'owner' 1:1 "$(owner dst/file)"
	noting idmount mount -m u:root:daemon,g:root:nogroup src dst
	same 'owner' "1:$(getent group nogroup | cut -d: -f3)" "$(owner dst/file)"
}

@test "the map of a process, and of a user namespace file" {
	new_userns $'0 100000 1000\n1000 300000 1' $'0 200000 1000\n1000 7 1'
	noting idmount mount --userns "$userns" src dst
	same 'owners' $'300000:7\n100005:200006' "$(owner dst/file dst/directory)"
	idmount umount dst

	noting idmount mount --userns "/proc/$userns/ns/user" src dst
	same 'owners' $'300000:7\n100005:200006' "$(owner dst/file dst/directory)"
	idmount umount dst

	noting idmount mount -m "/proc/$userns/ns/user" src dst
	same 'owners' $'300000:7\n100005:200006' "$(owner dst/file dst/directory)"
}

@test "subordinate IDs" {
	echo 'daemon:100000:1000' >subuid
	printf '%s\n' 'daemon:200000:100' 'daemon:300000:2000' >subgid
	mount --bind subuid /etc/subuid
	mount --bind subgid /etc/subgid
	chown 999:100 src/file
	noting idmount mount -m auto:daemon src dst
	same 'owners' $'100999:300000\n100005:200006' "$(owner dst/file dst/directory)"
	idmount umount dst
	refused 1 "$idmount_mount root: look up subordinate IDs: no range in /etc/subuid
hint: usermod --add-subuids 101000-166535 --add-subgids 100000-165535 root" idmount mount -m auto src dst
	# There "root" is a user of the namespace, whose ranges help nothing.
	refused 1 "$idmount_mount root: look up subordinate IDs: no range in /etc/subuid
hint: in this user namespace \"auto\" means its user root; write the map in numbers" \
		unshare --user --map-root-user --mount "$IDMOUNT" mount -m auto src dst
}

# entries N STEP: prints N entries that cannot be merged.
entries()
{
	local i

	for ((i = 1; i <= $1; i++)); do
		printf '%s%d:%d' "${sep-}" $(($2 + 2 * i)) $(($2 + 3 * i))
		local sep=,
	done
}

@test "as many entries as the kernel accepts, and one more" {
	chown 680:680 src/file
	noting idmount mount -m "$(entries 340 0)" src dst
	same 'the last one' 1020:1020 "$(owner dst/file)"
	idmount umount dst
	fails_always 2 "$idmount_mount check map: expected at most 340 uid entries, which is the kernel's limit, got 341" \
		idmount mount -m "$(entries 341 0)" src dst
	fails_always 2 "$idmount_mount check map: expected uid entries of at most 4095 bytes of text, which is the kernel's limit, got 4104" \
		idmount mount -m "$(entries 171 4000000000)" src dst
	noting idmount mount -m "$(entries 170 4000000000)" src dst
}

# ---- words ----

@test "every word of -o" {
	local word expected

	while read -r word expected; do
		quietly idmount mount -m 0:0 -o "$word" src dst
		same "$word" "$expected,idmapped" "$(options_at /mnt/dst)"
		idmount umount dst
	done <<-'END'
		ro ro,relatime
		rw rw,relatime
		nosuid rw,nosuid,relatime
		suid rw,relatime
		nodev rw,nodev,relatime
		dev rw,relatime
		noexec rw,noexec,relatime
		exec rw,relatime
		nosymfollow rw,relatime,nosymfollow
		symfollow rw,relatime
		relatime rw,relatime
		noatime rw,noatime
		strictatime rw
		nodiratime rw,nodiratime,relatime
		diratime rw,relatime
		atime rw,relatime
		noatime,atime rw,relatime
		norelatime rw,relatime
		strictatime,nostrictatime rw,relatime
		defaults,async,nomand,nolazytime,noiversion,loud,silent rw,relatime
		rro,rnosuid,rnoexec ro,nosuid,noexec,relatime
		rro,rrw rw,relatime
		rprivate rw,relatime
		private rw,relatime
		slave rw,relatime
		ro,nosuid,nodev,noexec,nosymfollow,noatime,nodiratime ro,nosuid,nodev,noexec,noatime,nodiratime,nosymfollow
		ro,rw rw,relatime
		rw,ro ro,relatime
		noatime,relatime rw,relatime
		strictatime,noatime rw,noatime
		nosuid,suid,nosuid rw,nosuid,relatime
		shared,private rw,relatime
	END
}

@test "-o may be repeated, and the later word wins" {
	quietly idmount mount -m 0:0 -o ro,noexec -o nodev --options=rw src dst
	same 'options' 'rw,nodev,noexec,relatime,idmapped' "$(options_at /mnt/dst)"
}

@test "without a word the mount has the options of its source, and each word removes one" {
	local word expected

	mount --bind src src
	mount -o remount,bind,ro,nosuid,nodev,noexec,nosymfollow,noatime,nodiratime src
	quietly idmount mount -m 0:0 src dst
	same 'no word' 'ro,nosuid,nodev,noexec,noatime,nodiratime,nosymfollow,idmapped' "$(options_at /mnt/dst)"
	idmount umount dst
	while read -r word expected; do
		quietly idmount mount -m 0:0 -o "$word" src dst
		same "$word" "$expected,idmapped" "$(options_at /mnt/dst)"
		idmount umount dst
	done <<-'END'
		rw rw,nosuid,nodev,noexec,noatime,nodiratime,nosymfollow
		suid ro,nodev,noexec,noatime,nodiratime,nosymfollow
		dev ro,nosuid,noexec,noatime,nodiratime,nosymfollow
		exec ro,nosuid,nodev,noatime,nodiratime,nosymfollow
		symfollow ro,nosuid,nodev,noexec,noatime,nodiratime
		relatime ro,nosuid,nodev,noexec,nodiratime,relatime,nosymfollow
		strictatime ro,nosuid,nodev,noexec,nodiratime,nosymfollow
		diratime ro,nosuid,nodev,noexec,noatime,nosymfollow
		ro ro,nosuid,nodev,noexec,noatime,nodiratime,nosymfollow
	END
}

@test "the mount is read-only, and the source is not" {
	noting idmount mount -m 1000:0,0:1 -o ro,nosuid,nodev src dst
	run -1 touch dst/new
	[[ $output == *'Read-only file system' ]]
	touch src/new
}

@test "propagation, elsewhere than below a shared mount" {
	local word expected

	while read -r word expected; do
		noting idmount mount -m 0:1 -o "$word" src dst
		same "$word" "rw,nosuid,nodev,relatime,idmapped${expected:+ $expected}" "$(options_at /mnt/dst | sed 's/:.*//')"
		idmount umount dst
	done <<-'END'
		rw
		private
		slave
		shared shared
		unbindable unbindable
	END
}

@test "propagation, below a shared mount" {
	local word expected

	mkdir parent peer
	mount --bind parent parent
	mount --make-shared parent
	mount --bind parent peer
	mkdir parent/dst
	while read -r word expected; do
		noting idmount mount -m 1000:2000 -o "$word" src parent/dst
		same "$word" "rw,nosuid,nodev,relatime,idmapped${expected:+ $expected}" \
			"$(options_at /mnt/parent/dst | sed 's/:.*//')"
		# The word affects later mounts below. The mount itself propagates to the peer in any case.
		same "$word, at the peer" 'rw,nosuid,nodev,relatime,idmapped shared' "$(options_at /mnt/peer/dst | sed 's/:.*//')"
		same "$word, owner at the peer" 2000:2000 "$(owner peer/dst/file)"
		mount -t tmpfs below parent/dst/directory
		same "$word, a mount below" "$([[ $expected == shared ]] && echo 1 || echo 0)" \
			"$(mounts_at /mnt/peer/dst/directory)"
		umount parent/dst/directory
		idmount umount parent/dst
		same "$word, after unmounting" '0 0' "$(mounts_at /mnt/parent/dst) $(mounts_at /mnt/peer/dst)"
	done <<-'END'
		rw shared
		private
		slave master
		shared shared
		unbindable unbindable
	END
}

@test "a shared source is not tied to the mount" {
	mount --bind src src
	mount --make-shared src
	noting idmount mount -m 0:1 src dst
	same 'options' 'rw,nosuid,nodev,relatime,idmapped' "$(options_at /mnt/dst)"
	mount -t tmpfs later src/directory
	same 'mounted below the source' 0 "$(mounts_at /mnt/dst/directory)"
}

# ---- with submounts ----

mounts_below_source()
{
	mount -t tmpfs sub src/directory
	mkdir src/directory/deep
	mount -t tmpfs deep src/directory/deep
	chown 1000:1000 src/directory src/directory/deep
}

@test "-R includes the mounts below, each with the map and the words" {
	local place

	mounts_below_source
	noting idmount mount -R -m 1000:2000 -o ro,noexec,unbindable src dst
	for place in dst dst/directory dst/directory/deep; do
		same "$place" 'ro,nosuid,nodev,noexec,relatime,idmapped unbindable' "$(options_at "/mnt/$place")"
	done
	same 'owners' $'2000:2000\n2000:2000' "$(owner dst/directory dst/directory/deep)"
	same 'the source' 'rw,relatime' "$(options_at /mnt/src/directory)"
}

@test "without -R the files that they cover are visible" {
	mounts_below_source
	noting idmount mount -m 5:7,6:8 src dst
	same 'owner' 7:8 "$(owner dst/directory)"
	same 'content' '' "$(ls dst/directory)"
	same 'mounts' 0 "$(mounts_at /mnt/dst/directory)"
}

@test "-R with one mount below that cannot be mapped" {
	mounts_below_source
	mkdir src/proc
	mount -t proc proc src/proc
	fails_always 1 "$idmount_mount /mnt/src/proc: map tree: the filesystem (proc) cannot be ID-mapped
hint: it is mounted below src: unmount it, or map without the mounts below" idmount mount -R -m 0:1 src dst
	noting idmount mount -m 0:1 src dst
}

# ---- targets ----

@test "--mkdir makes the target, and all directories on the way" {
	umask 027
	noting idmount mount -m 1000:2000 --mkdir src a/b/c
	same 'owner' 2000:2000 "$(owner a/b/c/file)"
	idmount umount a/b/c
	same 'modes' $'750\n750\n750' "$(stat -c %a a a/b a/b/c)"

	noting idmount mount -m 1000:2000 --mkdir src/file a/x/file
	same 'content' content "$(<a/x/file)"
	idmount umount a/x/file
	same 'the file' 'regular empty file 640' "$(stat -c '%F %a' a/x/file)"

	noting idmount mount -m 1000:2000 --mkdir src dst
	noting idmount mount -m 1000:2000 --mkdir src ./n//m/
	same 'mounts' 1 "$(mounts_at /mnt/n/m)"
}

@test "--mkdir leaves nothing behind when it fails" {
	local name

	name=$(printf 'x%.0s' {1..256})
	ln -s nowhere dangling
	refused 1 "$idmount_mount new/$name: create target: File name too long" \
		idmount mount -m 0:1 --mkdir src "new/$name"
	refused 1 "$idmount_mount src/file/new: open target: Not a directory" \
		idmount mount -m 0:1 --mkdir src src/file/new
	refused 1 "$idmount_mount dangling: create target: it is a symbolic link to a file that does not exist" \
		idmount mount -m 0:1 --mkdir src dangling/new
	refused 1 "$idmount_mount dangling: open target: the target is a symbolic link
hint: name the place that it points to" idmount mount -m 0:1 --mkdir src dangling
	refused 1 "$idmount_mount /proc: map tree: the filesystem (proc) cannot be ID-mapped
$some_can" idmount mount -m 0:1 --mkdir /proc new/deep
	mkdir full
	mount -t tmpfs -o nr_inodes=3 full full
	refused 1 "$idmount_mount full/a/b/c: create target: No space left on device" \
		idmount mount -m 0:1 --mkdir src full/a/b/c/d
}

# Makes a root from which several paths lead out, all to the same directory.
untrusted_root()
{
	mkdir -p box/inside outside/place box/outside/place
	ln -s /outside box/absolute
	ln -s ../outside box/relative
	ln -s ../../../../../mnt/outside box/far
	mkdir -p box/mnt/outside/place
	ln -s /proc/self/root/mnt/outside box/magic
}

@test "--root: no path leads out" {
	local target place before

	untrusted_root
	while read -r target place; do
		noting idmount mount -m 1000:2000 --root box src "$target"
		same "$target" 1 "$(mounts_at "/mnt/box/$place")"
		same "$target: owner" 2000:2000 "$(owner "box/$place/file")"
		idmount umount "box/$place"
		same "$target: others" '' "$(grep -F ' /mnt/outside' /proc/self/mountinfo)"
	done <<-'END'
		inside inside
		/inside inside
		../inside inside
		../../../../inside inside
		inside/../../inside inside
		absolute/place outside/place
		relative/place outside/place
		far/place mnt/outside/place
		/absolute/place outside/place
		absolute/../../outside/place outside/place
	END
}

@test "--root: no path leads out with --mkdir either" {
	local target place

	untrusted_root
	while read -r target place; do
		noting idmount mount -m 1000:2000 --mkdir --root box src "$target"
		same "$target" 1 "$(mounts_at "/mnt/box/$place")"
		idmount umount "box/$place"
		same "$target: outside" place "$(ls outside)"
	done <<-'END'
		absolute/new/deep outside/new/deep
		relative/other outside/other
		far/new mnt/outside/new
		../../new/deep new/deep
		/third third
	END
	[[ ! -e new && ! -e third ]]
}

@test "--root: magic links, and links at the end, are refused" {
	untrusted_root
	mkdir box/proc
	mount -t proc proc box/proc
	refused 1 "$idmount_mount magic/place: open target: Too many levels of symbolic links" \
		idmount mount -m 0:1 --root box src magic/place
	refused 1 "$idmount_mount proc/self/cwd/outside: open target: Too many levels of symbolic links" \
		idmount mount -m 0:1 --root box src proc/self/cwd/outside
	refused 1 "$idmount_mount absolute: open target: the target is a symbolic link
hint: name the place that it points to" idmount mount -m 0:1 --root box src absolute
	refused 1 "$idmount_mount missing: open target: the target does not exist
hint: create it first, or ask for it (--mkdir)" idmount mount -m 0:1 --root box src missing
	refused 1 "$idmount_mount /no/root: open root: No such file or directory" \
		idmount mount -m 0:1 --root /no/root src dst
	refused 1 "$idmount_mount src/file: open root: Not a directory" idmount mount -m 0:1 --root src/file src dst
}

# ---- replacing ----

# Records each moment without a mount at dst, until the file "stop" exists.
watch_dst()
{
	local looks=0

	until [[ -e stop ]]; do
		[[ -e dst/file ]] || echo missed >>missed
		((++looks))
		((looks == 100)) && touch watching
	done
}

@test "--replace: there is no moment without a mount" {
	local round # not "i", which run of bats uses

	idmount mount -m 1000:2000 src dst
	background watch_dst
	until [[ -e watching ]]; do
		:
	done
	for ((round = 3000; round < 3060; round++)); do
		noting idmount mount --replace -m "1000:$round" src dst
		same 'owner' "$round:$round" "$(owner dst/file)"
	done
	same 'mounts' 1 "$(mounts_at /mnt/dst)"
	same 'moments without a mount' '' "$(cat missed 2>/dev/null)"

	# The watch works: it detects a missing mount.
	idmount umount dst
	until [[ -s missed ]]; do
		:
	done
	touch stop
}

@test "--replace: a process that uses the old mount keeps it" {
	exec {file}<dst
	mount -t tmpfs old dst
	echo old >dst/file
	exec {file}<dst/file
	noting idmount mount --replace -m 1000:2000 src dst
	same 'the new one' content "$(<dst/file)"
	same 'the old one' old "$(cat <&"$file")"
	exec {file}<&-
}

@test "--replace: unmounts the top mount, and the mounts below it" {
	mount -t tmpfs bottom dst
	mount -t tmpfs top dst
	mkdir dst/below
	mount -t tmpfs below dst/below
	noting idmount mount --replace -m 1000:2000 src dst
	same 'mounts' 2 "$(mounts_at /mnt/dst)"
	same 'mounts below' 0 "$(mounts_at /mnt/dst/below)"
	same 'the top one' 2000:2000 "$(owner dst/file)"
}

@test "--replace: below a shared mount, at its peers too" {
	mkdir parent peer
	mount --bind parent parent
	mount --make-shared parent
	mount --bind parent peer
	mkdir parent/dst
	idmount mount -m 1000:2000 src parent/dst
	noting idmount mount --replace -m 1000:3000 src parent/dst
	same 'owners' $'3000:3000\n3000:3000' "$(owner parent/dst/file peer/dst/file)"
	same 'mounts' '1 1' "$(mounts_at /mnt/parent/dst) $(mounts_at /mnt/peer/dst)"
}

@test "--replace: mounts elsewhere stay that are shared with those below the old one" {
	mkdir other part
	mount -t tmpfs --make-shared old dst
	mkdir -p dst/sub/below
	mount -t tmpfs below dst/sub/below
	mount --rbind dst other
	mount --rbind dst/sub part
	noting idmount mount --replace -m 1000:2000 src dst
	same 'mounts' '1 0' "$(mounts_at /mnt/dst) $(mounts_at /mnt/dst/sub/below)"
	same 'mounts elsewhere' '1 1' "$(mounts_at /mnt/other/sub/below) $(mounts_at /mnt/part/below)"
	# They are peers still.
	mkdir other/sub/new
	mount -t tmpfs new other/sub/new
	same 'a later mount' 1 "$(mounts_at /mnt/part/new)"
}

# shared_place: dst on a shared mount, which has the peer "peer" and the slave "slave".
shared_place()
{
	mkdir parent peer slave
	mount --bind parent parent
	mount --make-shared parent
	mount --bind parent peer
	mount --bind parent slave
	mount --make-slave slave
	mkdir parent/dst
	mount -t tmpfs old parent/dst
	mkdir -p parent/dst/sub/below
	mount -t tmpfs below parent/dst/sub/below
}

@test "--replace: below a shared mount, with mounts below the old one" {
	shared_place
	mount --make-shared slave
	mkdir follower
	mount --rbind slave follower
	noting idmount mount --replace -m 1000:3000 src parent/dst
	same 'owners' $'3000:3000\n3000:3000\n3000:3000\n3000:3000' "$(owner {parent,peer,slave,follower}/dst/file)"
	same 'mounts' 4 "$(grep -c '^[^ ]* [^ ]* [^ ]* [^ ]* /mnt/[a-z]*/dst' /proc/self/mountinfo)"
}

# refused_for VICTIM PRIVATE
refused_for()
{
	local before

	before=$(cat /proc/self/mountinfo)
	refused 1 "$idmount_mount parent/dst: attach: unmounting the replaced mount would unmount /mnt/$1, too: both are shared
hint: mount --make-private /mnt/$2 keeps that one" idmount mount --replace -m 1000:3000 src parent/dst
	same 'mounts' "$before" "$(cat /proc/self/mountinfo)"
}

@test "--replace: refused below a shared mount if mounts elsewhere would disappear" {
	shared_place
	mkdir other part
	mount --rbind parent/dst other
	refused_for other/sub/below other
	mount --make-private other
	# The mount below is shared, and nothing is on it.
	mount --rbind parent/dst/sub part
	refused_for part/below part
	mount --make-slave part
	refused_for part/below part
	mount --make-private part
	noting idmount mount --replace -m 1000:3000 src parent/dst
	same 'owners' $'3000:3000\n3000:3000\n3000:3000' "$(owner {parent,peer,slave}/dst/file)"
	same 'mounts elsewhere' '1 1' "$(mounts_at /mnt/other/sub/below) $(mounts_at /mnt/part/below)"
}

@test "--replace: of a file, and below a root" {
	mkdir -p box/place
	touch box/target
	idmount mount -m 1000:2000 src/file box/target
	noting idmount mount --replace -m 1000:3000 --root box src/file /target
	same 'owner' 3000:3000 "$(owner box/target)"
	same 'mounts' 1 "$(mounts_at /mnt/box/target)"
}

@test "--replace: requires a mount at the target" {
	refused 1 "$idmount_mount dst: attach: the target is not a mount point
hint: --replace requires a mount point as target" idmount mount --replace -m 0:1 src dst
	mount -t tmpfs old dst
	mkdir dst/below
	refused 1 "$idmount_mount dst/below: attach: the target is not a mount point
hint: --replace requires a mount point as target" idmount mount --replace -m 0:1 src dst/below
	refused 1 "$idmount_mount dst: open target: expected a file as target, like the source; got a directory" \
		idmount mount --replace -m 0:1 src/file dst
	refused 1 "$idmount_mount missing: open target: the target does not exist
hint: create it first, or ask for it (--mkdir)" idmount mount --replace -m 0:1 src missing
	refused 1 "$idmount_mount missing: attach: the target is not a mount point
hint: --replace requires a mount point as target" \
		idmount mount --replace --mkdir -m 0:1 src missing
}

# ---- security ----

# says_note NOTE COMMAND...: succeeds, and prints this line on standard error.
says_note()
{
	local note=$1

	shift
	run --separate-stderr "$@"
	same 'standard error' "$note" "$stderr"
	same 'exit status' 0 "$status"
	same 'standard output' '' "$output"
}

@test "nosuid,nodev are added where another's files appear as root's" {
	local note="$idmount_mount note: added" why='since files of user 1000 appear as root'\''s'

	says_note "$note nosuid,nodev, $why; $nosuid_hint" idmount mount -m 1000:0 src dst
	same 'options' 'rw,nosuid,nodev,relatime,idmapped' "$(options_at /mnt/dst)"
	idmount umount dst
	says_note "$note nodev, $why; $nosuid_hint" idmount mount -m 1000:0 -o suid src dst
	same 'options' 'rw,nodev,relatime,idmapped' "$(options_at /mnt/dst)"
	idmount umount dst
	says_note "$note nosuid, $why; $nosuid_hint" idmount mount -m 1000:0 -o dev,ro src dst
	same 'options' 'ro,nosuid,relatime,idmapped' "$(options_at /mnt/dst)"
	idmount umount dst
	says_note "$note nosuid,nodev, since files of group 5 appear as root's; $nosuid_hint" \
		idmount mount -m u:0:0,g:5:0 src dst
	same 'options' 'rw,nosuid,nodev,relatime,idmapped' "$(options_at /mnt/dst)"
	idmount umount dst
	says_note "$note nosuid,nodev, since files of user 1005 appear as root's; $nosuid_hint" \
		idmount mount -m u:1000:4294967290:5,u:1005:0:10,g:0:0 src dst
	idmount umount dst
	quietly idmount mount -m 1000:0 -o nosuid,nodev src dst
	same 'options' 'rw,nosuid,nodev,relatime,idmapped' "$(options_at /mnt/dst)"
	idmount umount dst
	quietly idmount mount -m 1000:0 -o suid,dev src dst
	same 'options' 'rw,relatime,idmapped' "$(options_at /mnt/dst)"
}

@test "nosuid,nodev are added where any ID appears as another one" {
	local map why

	while read -r map why; do
		says_note "$idmount_mount note: added nosuid,nodev, since files of $why; $nosuid_hint" \
			idmount mount -m "$map" --keep-rest src dst
		same "$map" 'rw,nosuid,nodev,relatime,idmapped' "$(options_at /mnt/dst)"
		idmount umount dst
	done <<-'END'
		1000:2000 user 1000 appear as user 2000's
		u:1000:1000,g:5:42 group 5 appear as group 42's
		0:0,7:7,5:1000 user 5 appear as user 1000's
		5:6,g:1000:0 group 1000 appear as root's
	END
}

@test "nosuid,nodev are not added where every ID keeps its number" {
	local map

	for map in 0:0 1000:1000 0:0,1000:1000:5 0:0:65536; do
		quietly idmount mount -m "$map" src dst
		same "$map" 'rw,relatime,idmapped' "$(options_at /mnt/dst)"
		idmount umount dst
	done
	quietly idmount mount -m 1000:1000 --keep-rest src dst
	same 'with the rest' 'rw,relatime,idmapped' "$(options_at /mnt/dst)"
	idmount umount dst
	quietly idmount mount -m 1000:2000 -o suid,dev src dst
	same 'where it is wanted' 'rw,relatime,idmapped' "$(options_at /mnt/dst)"
}

@test "a set-user-ID program of user 4321 does not make user 4321 another user" {
	cp /usr/bin/id src/id
	chown 4321:4321 src/id
	chmod 6755 src/id
	run -0 idmount mount -m 4321:4322 src dst
	same 'without' '4321 4321' "$(as 4321 dst/id -u) $(as 4321 dst/id -g)"
	idmount umount dst
	run -0 idmount mount -m g:4321:42 --keep-rest src dst
	same 'the group' '4321 4321' "$(as 4321 dst/id -u) $(as 4321 dst/id -g)"
	idmount umount dst
	run -0 idmount mount -m 4321:4322 -o suid src dst
	same 'with suid' '4322 4322' "$(as 4321 dst/id -u) $(as 4321 dst/id -g)"
}

@test "a place where another ID can store set-user-ID programs of root is noted" {
	local note="$idmount_mount note: src: user 1000 can store set-user-ID programs of root there, and" \
		advice='can run them; put it below a directory of mode 0700, or on a mount that is nosuid'

	says_note "$note every user $advice" idmount mount -m 0:1000 -o suid,dev src dst
	# The note is true.
	cp /usr/bin/id /mnt/id
	as 1000 sh -c 'cp /mnt/id dst/id && chmod 4755 dst/id'
	same 'who one is' 0 "$(as 4321 src/id -u)"
	idmount umount dst

	# The owner of the place can change its mode through the mount.
	chmod 700 src
	says_note "$note every user $advice" idmount mount -m 0:1000,1000:1001 -o suid,dev src dst
	as "$(stat -c %u dst)" chmod 755 dst
	same 'its mode' 755 "$(stat -c %a src)"
	idmount umount dst
	chmod 700 /mnt
	quietly idmount mount -m 0:1000 -o suid,dev src dst
	idmount umount dst
	chown 7:8 /mnt
	says_note "$note user 7 $advice" idmount mount -m 0:1000 -o suid,dev src dst
	idmount umount dst
	chmod 750 /mnt
	chown 0:8 /mnt
	says_note "$note group 8 $advice" idmount mount -m 0:1000 -o suid,dev src dst
	idmount umount dst
	chmod 755 /mnt
	says_note "${note/src/src\/file} every user $advice" idmount mount -m 0:1000 -o suid,dev --mkdir src/file target
	idmount umount target
}

@test "no note where nothing can be stored or run" {
	local words

	quietly idmount mount -m 1000:2000 -o suid,dev src dst
	idmount umount dst
	quietly idmount mount -m u:1000:2000,g:0:2000 -o suid,dev src dst
	idmount umount dst
	quietly idmount mount -m 0:1000 -o suid,dev,ro src dst
	idmount umount dst
	mount --bind src src
	for words in nosuid noexec ro; do
		mount -o "remount,bind,$words" src
		quietly idmount mount -m 0:1000 -o suid,dev src dst
		idmount umount dst
	done
}

@test "no note where the mount failed" {
	fails_always 1 "$idmount_mount src/file: open target: expected a directory as target, like the source; got a file" \
		idmount mount -m 1000:0 src src/file
}

@test "a set-user-ID program of user 1000 seen as root's runs as root only with suid" {
	cp /usr/bin/id src/id
	chown 1000:1000 src/id
	chmod 6755 src/id
	run -0 idmount mount -m 1000:0 src dst
	same 'without' '4321 4321' "$(as 4321 dst/id -u) $(as 4321 dst/id -g)"
	idmount umount dst
	run -0 idmount mount -m 1000:0 -o suid src dst
	same 'with suid' '0 0' "$(as 4321 dst/id -u) $(as 4321 dst/id -g)"
	idmount umount dst

	# The same in a mount below.
	mount -t tmpfs -o mode=755 below src/directory
	cp /usr/bin/id src/directory/id
	chown 1000:1000 src/directory src/directory/id
	chmod 6755 src/directory/id
	run -0 idmount mount -R -m 1000:0 src dst
	same 'below' '4321 4321' "$(as 4321 dst/directory/id -u) $(as 4321 dst/directory/id -g)"
}

@test "a device file of user 1000 can be used only with dev" {
	mknod -m 666 src/null c 1 3
	chown 1000:1000 src/null
	run -0 idmount mount -m 1000:0 src dst
	run -1 cat dst/null
	[[ $output == *'Permission denied' ]]
	idmount umount dst
	run -0 idmount mount -m 1000:0 -o dev src dst
	prints '' cat dst/null
}

# ---- refusals ----

@test "a bad map, before it looks at anything else" {
	fails_always 2 "$idmount_mount 0:1x: parse map: expected a number, got \"1x\"" idmount mount -m 0:1x /no/source dst
	fails_always 2 "$idmount_mount 1:2:3:4: parse map: expected [u:|g:|b:]DISK:SEEN[:COUNT]" \
		idmount mount -m 0:1,1:2:3:4 src dst
	fails_always 2 "$idmount_mount u:0:2:1: add to map: overlaps u:0:1:1: both have the disk ID 0" \
		idmount mount -m 0:1 -m 0:2 /no/source dst
	fails_always 2 "$idmount_mount u:0:1:0: add to map: expected a count of 1 or more, got 0" idmount mount -m 0:1:0 src dst
	fails_always 1 "$idmount_mount no-such-user:0: parse map: unknown user \"no-such-user\"" \
		idmount mount -m no-such-user:0 src dst
	fails_always 2 "$idmount_mount parse map: the map is empty" idmount mount -m '' src dst
	fails_always 1 "$idmount_mount pid 4194305: read user namespace: no such process" \
		idmount mount --userns 4194305 src dst
	# The process is in no other user namespace. Its map keeps every number.
	noting idmount mount --userns $$ src dst
}

@test "a map with one side" {
	fails_always 2 "$idmount_mount check map: the map has no gid entries; the kernel requires both sides
hint: add one such as g:0:100000:65536, or --keep-rest to let every gid keep its number" \
		idmount mount -m u:0:1 src dst
	fails_always 2 "$idmount_mount check map: the map has no uid entries; the kernel requires both sides
hint: add one such as u:0:100000:65536, or --keep-rest to let every uid keep its number" \
		idmount mount -m g:0:1 /no/source dst
	new_userns '0 1 1' ''
	fails_always 2 "$idmount_mount check map: the map has no gid entries; the kernel requires both sides
hint: add one such as g:0:100000:65536, or --keep-rest to let every gid keep its number" \
		idmount mount --userns "$userns" src dst
	noting idmount mount -m u:1000:7 --keep-rest src dst
}

@test "a wrong command line" {
	fails_always 2 "$idmount_mount a map is missing; use -m or --userns" \
		idmount mount src dst
	fails_always 2 "$idmount_mount a map is missing; use -m or --userns" \
		idmount mount --keep-rest src dst
	fails_always 2 "$idmount_mount expected SOURCE and TARGET, got only src; see \"idmount help mount\"" \
		idmount mount -m 0:1 src
	fails_always 2 "$idmount_mount expected SOURCE and TARGET, got the map 0:1; it requires -m" \
		idmount mount 0:1 src dst
	fails_always 2 "$idmount_mount expected SOURCE and TARGET, got the map g:0:1; it requires -m" \
		idmount mount -m u:0:1 g:0:1 src dst
	fails_always 2 "$idmount_mount expected SOURCE and TARGET, got the map root:1000; it requires -m" \
		idmount mount src dst root:1000
	fails_always 2 "$idmount_mount expected SOURCE and TARGET, got 3 operands; see \"idmount help mount\"" \
		idmount mount -m 0:1 src dst dst
	fails_always 2 "$idmount_mount -o ro: expected no value, got \"1\"" \
		idmount mount -m 0:1 -o nodev,ro=1,foo src dst
	fails_always 2 "$idmount_mount -o rslave: expected no value, got \"\"" idmount mount -m 0:1 -o rslave= src dst
	fails_always 2 "$idmount_mount -o foo=1: unknown option; see \"idmount help mount\"" \
		idmount mount -m 0:1 -o foo=1 src dst
	fails_always 2 "$idmount_mount -o foo: unknown option; see \"idmount help mount\"" \
		idmount mount -m 0:1 -o ro,foo src dst
	fails_always 2 "$idmount_mount -o bind: unknown option; see \"idmount help mount\"" \
		idmount mount -m 0:1 -o bind src dst
	fails_always 2 "$idmount_mount -o RO: unknown option; did you mean ro?" \
		idmount mount -m 0:1 -o RO src dst
	fails_always 2 "$idmount_mount --root: the option requires a value" idmount mount -m 0:1 src dst --root
	local words

	for words in '' ro, ,ro ro,,nodev; do
		fails_always 2 "$idmount_mount -o : unknown option; see \"idmount help mount\"" \
			idmount mount -m 0:1 -o "$words" src dst
	done
}

@test "a SOURCE or TARGET that is empty" {
	fails_always 2 "$idmount_mount SOURCE is empty" idmount mount -m 0:1 '' dst
	fails_always 2 "$idmount_mount TARGET is empty" idmount mount -m 0:1 --mkdir src ''
}

@test "a source that is not there" {
	fails_always 1 "$idmount_mount /no/source: open tree: No such file or directory" idmount mount -m 0:1 /no/source dst
	fails_always 1 "$idmount_mount src/file/x: open tree: Not a directory" idmount mount -m 0:1 src/file/x dst
	ln -s circle circle
	fails_always 1 "$idmount_mount circle: open tree: Too many levels of symbolic links" \
		idmount mount -m 0:1 circle dst
}

@test "a filesystem that cannot be mapped" {
	mkdir ramfs lower upper work overlay
	fails_always 1 "$idmount_mount /proc: map tree: the filesystem (proc) cannot be ID-mapped
$some_can" idmount mount -m 0:1 /proc dst
	fails_always 1 "$idmount_mount /sys: map tree: the filesystem (sysfs) cannot be ID-mapped
$some_can" idmount mount -m 0:1 /sys dst
	fails_always 1 "$idmount_mount /dev/pts: map tree: the filesystem (devpts) cannot be ID-mapped
$some_can" idmount mount -m 0:1 /dev/pts dst
	mount -t ramfs ramfs ramfs
	fails_always 1 "$idmount_mount ramfs: map tree: the filesystem (ramfs) cannot be ID-mapped
hint: use tmpfs (Linux 6.3)" idmount mount -m 0:1 ramfs dst
	mount -t overlay -o lowerdir=lower,upperdir=upper,workdir=work overlay overlay
	fails_always 1 "$idmount_mount overlay: map tree: the filesystem (overlay) cannot be ID-mapped
hint: map its layers instead, and put the overlay together from them" idmount mount -m 0:1 overlay dst
	umount ramfs overlay
}

@test "the example of a message in the manual is true" {
	run -1 --separate-stderr idmount mount -m 0:1 /proc dst
	grep -Fxq "${stderr_lines[0]}" "$ROOT/man/idmount.8.scd"
	grep -Fxq "${stderr_lines[1]}" "$ROOT/man/idmount.8.scd"
	run -32 --separate-stderr "$MOUNT_IDMAP" /proc /mnt/dst -o map=0:1
	grep -Fxq "${stderr_lines[0]}" "$ROOT/man/mount.idmap.8.scd"
	grep -Fxq "${stderr_lines[1]}" "$ROOT/man/mount.idmap.8.scd"
}

@test "a source that cannot be copied" {
	mount --bind src src
	mount --make-unbindable src
	fails_always 1 "$idmount_mount src: map tree: the source is on an unbindable mount
hint: mount --make-private, then try again" idmount mount -m 0:1 src dst
}

@test "a target that is a symbolic link, missing, or of the wrong type" {
	local behind why options

	ln -s dst link
	ln -s nowhere dangling
	touch target
	fails_always 1 "$idmount_mount link: open target: the target is a symbolic link
hint: name the place that it points to" idmount mount -m 0:1 src link
	fails_always 1 "$idmount_mount dangling: open target: the target is a symbolic link
hint: name the place that it points to" idmount mount -m 0:1 src dangling
	fails_always 1 "$idmount_mount missing: open target: the target does not exist
hint: create it first, or ask for it (--mkdir)" idmount mount -m 0:1 src missing
	fails_always 1 "$idmount_mount missing/too: open target: the target does not exist
hint: create it first, or ask for it (--mkdir)" idmount mount -m 0:1 src missing/too
	fails_always 1 "$idmount_mount target: open target: expected a directory as target, like the source; got a file" \
		idmount mount -m 0:1 src target
	fails_always 1 "$idmount_mount dst: open target: expected a file as target, like the source; got a directory" \
		idmount mount -m 0:1 src/file dst
	fails_always 1 "$idmount_mount target/x: open target: Not a directory" idmount mount -m 0:1 src target/x
	# A link stays refused, whatever comes after it in the path.
	mkdir dst/inside
	for behind in / // /. /./ /inside/.. /inside/../; do
		case $behind in
		*..*) why='the path to its final ".." contains a symbolic link' ;;
		*) why='the target is a symbolic link
hint: name the place that it points to' ;;
		esac
		for options in '' --mkdir --replace '--root /mnt'; do
			# shellcheck disable=SC2086 # words
			fails_always 1 "$idmount_mount link$behind: open target: $why" \
				idmount mount $options -m 0:1 src "link$behind"
		done
	done
	rmdir dst/inside
	# A link on the way is allowed.
	mkdir dst/below
	ln -s dst way
	noting idmount mount -m 0:1 src way/below
}

# without CAPABILITY COMMAND...: runs it as root with all capabilities except this one.
without()
{
	local capability=$1

	shift
	setpriv --bounding-set "-$capability" --inh-caps "-$capability" -- "$@"
}

@test "a privilege that is missing is named" {
	local hint='hint: run it as root; an ordinary user runs it under unshare --user --map-root-user --map-auto --mount, or uses idmount run'

	fails_always 1 "$idmount_mount write uid map: it requires CAP_SETUID in this user namespace
$hint" without setuid "$IDMOUNT" mount -m 0:1 src dst
	fails_always 1 "$idmount_mount write gid map: it requires CAP_SETGID in this user namespace
$hint" without setgid "$IDMOUNT" mount -m 0:1 src dst
	fails_always 1 "$idmount_mount write uid map: ID 0 in the seen column requires CAP_SETFCAP (Linux 5.12)" \
		without setfcap "$IDMOUNT" mount -m 1:0 src dst
	noting without setfcap "$IDMOUNT" mount -m 0:1 src dst
	idmount umount dst
	fails_always 1 "$idmount_mount src: map tree: it requires CAP_SYS_ADMIN in the user namespace that owns the mount namespace
hint: run it as root; an ordinary user runs it under unshare --user --map-root-user --map-auto --mount, or uses idmount run" without sys_admin "$IDMOUNT" mount -m 0:1 src dst
}

@test "works without CAP_DAC_OVERRIDE, which requires the child to stay alive" {
	noting without dac_override "$IDMOUNT" mount -m 1000:2000 src dst
	same 'owner' 2000:2000 "$(owner dst/file)"
}

@test "an ordinary user can do nothing, and leaves nothing" {
	chmod 777 src dst /mnt
	run -1 --separate-stderr as 4321 "$IDMOUNT" mount -m 4321:4321 src dst
	same 'message' "$idmount_mount src: map tree: it requires CAP_SYS_ADMIN in the user namespace that owns the mount namespace
hint: run it as root; an ordinary user runs it under unshare --user --map-root-user --map-auto --mount, or uses idmount run" "$stderr"
	fails_always 1 "$stderr" as 4321 "$IDMOUNT" mount -m 4321:4321 src dst
	fails_always 1 "$idmount_mount write uid map: it requires CAP_SETUID in this user namespace
hint: run it as root; an ordinary user runs it under unshare --user --map-root-user --map-auto --mount, or uses idmount run" \
		as 4321 "$IDMOUNT" mount -m 0:1 --mkdir src new
}

@test "in a new user namespace: only filesystems that were mounted there" {
	unshare --user --map-root-user --mount bash -euc '
		mount -t tmpfs own dst
		mkdir dst/a dst/b
		touch dst/a/file
		"$0" mount -m 0:0 dst/a dst/b
		[[ $(stat -c %u:%g dst/b/file) == 0:0 ]]
		grep -q " /mnt/dst/b .*idmapped" /proc/self/mountinfo
		"$0" umount dst/b' "$IDMOUNT"
	refused 1 "$idmount_mount src: map tree: it requires CAP_SYS_ADMIN in the user namespace that mounted the filesystem (tmpfs)
hint: idmountd can map it, but is not running at $PWD/none; root starts it by idmountd --socket $PWD/none (from IDMOUNTD_SOCKET)" \
		env IDMOUNTD_SOCKET="$PWD/none" unshare --user --map-root-user --mount "$IDMOUNT" mount -m 0:0 src dst
	refused 1 "$idmount_mount src: map tree: it requires CAP_SYS_ADMIN in the user namespace that owns the mount namespace
hint: run it under unshare --mount, which makes a mount namespace of this user namespace" \
		unshare --user --map-root-user "$IDMOUNT" mount -m 0:0 src dst
	refused 1 "$idmount_mount write uid map: seen uid 5 of the map is not an ID of this user namespace
hint: /proc/self/uid_map lists those that exist" \
		unshare --user --map-root-user --mount "$IDMOUNT" mount -m 0:5 src dst
}

# in_userns COMMAND...: as root of the namespaces of $userns, in a mount namespace of its own.
in_userns()
{
	nsenter --user="/proc/$userns/ns/user" --setuid 0 --setgid 0 unshare --mount "$@"
}

@test "in a user namespace: a directory of the host, which idmountd maps" {
	[[ -v IDMOUNTD ]] || skip 'there is no idmountd'
	export IDMOUNTD_SOCKET=$PWD/socket
	background "$IDMOUNTD" --socket "$IDMOUNTD_SOCKET" 2>/dev/null
	until [[ -S socket ]]; do
		:
	done
	chown -R 1500:1500 src
	printf '%s\n' root:x:0:0::/:/bin/sh jane:x:1500:1500::/:/bin/sh bob:x:1600:1600::/:/bin/sh >passwd
	printf '%s\n' jane:200000:65535 1500:300000:10 bob:400000:10 >subuid
	mount --bind passwd /etc/passwd
	mount --bind subuid /etc/subuid
	mount --bind subuid /etc/subgid
	new_userns $'0 1500 1\n1 200000 65535' $'0 1500 1\n1 200000 65535'
	in_userns bash -euc '
		"$IDMOUNT" mount -m 1500:33:1 -o suid,dev src dst
		[[ $(stat -c %u:%g dst/file) == 33:33 ]]
		"$IDMOUNT" mount -R -m 1500:0:1 -o suid,dev src/directory dst/directory'
	# The owner is 0 in there, and 1500 on the disk. A filesystem of the namespace counts as the namespace does.
	in_userns bash -euc '
		"$IDMOUNT" mount -m owner:33 -o suid,dev src dst
		[[ $(stat -c %u:%g dst/file) == 33:33 ]]
		mount -t tmpfs own src
		chown 5:6 src
		"$IDMOUNT" mount -m owner:33 -o suid,dev src dst
		[[ $(stat -c %u:%g dst) == 33:33 ]]'
	# The service maps one mount, and the kernel copies no directory without the mounts that it locks.
	mkdir with with/below
	chown 1500:1500 with
	mount -t tmpfs below with/below
	fails 1 "$idmount_mount with: map tree: mounts below the source are locked by another user namespace: a copy without them would uncover hidden files
hint: choose a directory without mounts below it: idmountd maps one mount" \
		in_userns "$IDMOUNT" mount -m 1500:33:1 -o suid,dev with dst
	fails 1 "$idmount_mount with: ask idmountd: idmountd maps one mount, and the source has mounts below it
hint: choose a directory without mounts below it: idmountd maps one mount" \
		in_userns "$IDMOUNT" mount -R -m 1500:33:1 -o suid,dev with dst
	fails 1 "idmount: check: src: map tree: it requires CAP_SYS_ADMIN in the user namespace that mounted the filesystem (tmpfs)
hint: this was without idmountd, which may map it and listens at $PWD/socket; idmount mount, overlay and run ask it, idmount mount --remap and idmount mount --on-top do not" in_userns "$IDMOUNT" check src
	fails 1 "$idmount_mount src: map tree: it requires CAP_SYS_ADMIN in the user namespace that mounted the filesystem (tmpfs)
hint: this was without idmountd, which may map it and listens at $PWD/socket; idmount mount, overlay and run ask it, idmount mount --remap and idmount mount --on-top do not" in_userns "$IDMOUNT" mount --remap -m 1500:33:1 -o suid,dev src dst
	fails 1 "$idmount_mount src: ask idmountd: disk uid 0 of the map is not an ID of the caller's user namespace
hint: disk IDs count on the host: uid 0 of this user namespace is 1500 there
$idmount_mount note: --keep-rest adds the IDs of this user namespace as disk IDs, which count on the host; leave it out" \
		in_userns "$IDMOUNT" mount -m 1500:1 --keep-rest -o suid,dev src dst
	# A relative path, and one that leads to no socket.
	refused 1 "$idmount_mount src: map tree: it requires CAP_SYS_ADMIN in the user namespace that mounted the filesystem (tmpfs)
hint: idmountd can map it, but is not running at none/socket; root starts it by idmountd --socket PATH; IDMOUNTD_SOCKET has a relative path, which depends on the working directory" \
		env IDMOUNTD_SOCKET=none/socket unshare --user --map-root-user --mount "$IDMOUNT" mount -m 0:0 src dst
	refused 1 "$idmount_mount src/file/socket: ask idmountd: Not a directory
hint: IDMOUNTD_SOCKET in the environment names this socket" \
		env IDMOUNTD_SOCKET=src/file/socket unshare --user --map-root-user --mount "$IDMOUNT" mount -m 0:0 src dst
	fails 1 "$idmount_mount src: ask idmountd: disk uid 1600 of the map is not an ID of the caller's user namespace
hint: uid 1600 is an ID of another user, so it cannot be granted to jane" \
		in_userns "$IDMOUNT" mount -m 1600:33:1 -o suid,dev src dst
	# An ID that no user has, and the rest up to the next range.
	fails 1 "$idmount_mount src: ask idmountd: disk uid 199990 of the map is not an ID of the caller's user namespace
hint: usermod --add-subuids 199990-199999 --add-subgids 199990-199999 jane" in_userns "$IDMOUNT" mount -m 199990:33:20 -o suid,dev src dst
	fails 1 "$idmount_mount src: ask idmountd: disk uid 199990 of the map is not an ID of the caller's user namespace
hint: usermod --add-subuids 199990-199999 jane" in_userns "$IDMOUNT" mount -m u:199990:33:1,g:1500:33:1 -o suid,dev src dst
	fails 1 "$idmount_mount src: ask idmountd: disk uid 0 of the map is not an ID of the caller's user namespace
hint: disk IDs count on the host: uid 0 of this user namespace is 1500 there" \
		in_userns "$IDMOUNT" mount -m 0:33:1 -o suid,dev src dst
	# A range that the file has, and the namespace lacks, by name or by number.
	fails 1 "$idmount_mount src: ask idmountd: disk uid 300000 of the map is not an ID of the caller's user namespace
hint: jane has this ID, but this user namespace lacks it: make a new one (podman's by podman system migrate)" \
		in_userns "$IDMOUNT" mount -m 300000:33:1 -o suid,dev src dst
	fails 1 "$idmount_mount src: ask idmountd: disk uid 400009 of the map is not an ID of the caller's user namespace
hint: uid 400009 is an ID of another user, so it cannot be granted to jane" \
		in_userns "$IDMOUNT" mount -m 400009:33:1 -o suid,dev src dst
	same 'mounts' 0 "$(mounts_at /mnt/dst)"
}

@test "in a PID namespace that still has the /proc of the outer one" {
	# There the child's number is that of another process. The namespace of that process must not be used.
	unshare --pid --fork "$IDMOUNT" mount -m 1000:2000 src dst
	same 'owner' 2000:2000 "$(owner dst/file)"
	unshare --pid --fork "$IDMOUNT" mount --replace -m 1000:3000 src dst
	same 'owner' 3000:3000 "$(owner dst/file)"
}

@test "without a /proc" {
	# A sanitizer looks for leaks there when the program exits, and fails.
	same 'owner' 2000:2000 "$(unshare --mount --propagation private bash -euc '
		umount --lazy /proc
		"$0" mount -m 1000:2000 src dst || grep -q __asan_init "$0"
		stat -c %u:%g dst/file' "$IDMOUNT")"
}

@test "in a chroot, where the kernel refuses user namespaces" {
	local before demo

	mkdir box
	mount --rbind / box
	before=$(</proc/self/mountinfo)
	fails 1 "$idmount_mount make user namespace: the kernel does not permit it
hint: causes are a chroot, a container's seccomp filter, and a user or group without an ID in the current user namespace" \
		chroot box "$IDMOUNT" mount -m 0:1 /mnt/src /mnt/dst
	for demo in demo demo-rootless; do
		fails 1 "$demo.sh: the kernel refuses user namespaces here; causes are a chroot and a container's seccomp filter" \
			chroot box "$ROOT/$demo.sh"
	done
	same 'mounts' "$before" "$(</proc/self/mountinfo)"
}

@test "a message is one line, whatever a path holds" {
	fails_always 1 "$idmount_mount a\012b: open tree: No such file or directory" idmount mount -m 0:1 $'a\nb' dst
}

@test "neither a failure nor an undone mount keeps a source busy" {
	mkdir own
	mount -t tmpfs own own
	run -1 idmount mount -m 0:1 own src/file
	run -1 idmount mount -m 0:1 own missing
	quietly umount own
	mount -t tmpfs own own
	idmount mount -m 0:1 own dst
	idmount umount dst
	quietly umount own
}

@test "an error names the source or the target, whichever is gone or elsewhere" {
	local process

	mkdir gone
	exec 9<gone
	rmdir gone
	fails 1 "$idmount_mount dst: attach: the source was deleted, and cannot be mounted" \
		idmount mount -m 0:1 /proc/self/fd/9 dst
	exec 9<&-
	mkdir gone
	cd gone
	rmdir ../gone
	fails 1 "$idmount_mount .: attach: the target was deleted" idmount mount -m 0:1 /mnt/src .
	fails 1 "$idmount_mount new: create target: its parent directory was deleted" \
		idmount mount -m 0:1 --mkdir /mnt/src new
	cd ..
	background unshare --mount --propagation private sleep infinity
	process=${background[-1]}
	until [[ ! /proc/self/ns/mnt -ef /proc/$process/ns/mnt ]]; do
		:
	done
	fails 1 "$idmount_mount /proc/$process/root/mnt/src: map tree: the source is on a mount of another mount namespace
hint: only a process in that mount namespace can copy it: nsenter(1) and setns(2) enter it" \
		idmount mount -m 0:1 "/proc/$process/root/mnt/src" dst
	fails 1 "$idmount_mount /proc/$process/root/mnt/dst: attach: the target is on a mount of another mount namespace
hint: only a process in that mount namespace can attach there: nsenter(1) and setns(2) enter it" \
		idmount mount -m 0:1 src "/proc/$process/root/mnt/dst"
}

# disk LABEL: makes a filesystem on a loop device, which is $device. The kernel detaches it with the last mount.
disk()
{
	mkdir images
	truncate -s 16M "images/$1"
	mkfs.ext4 -qL "$1" "images/$1"
	device=$(losetup --find --show "images/$1") || skip 'there is no loop device'
	[[ -b $device ]] || skip 'the loop device is not in /dev'
}

free_disk()
{
	losetup --detach "$device"
}

@test "a block device: its filesystem is mounted and mapped in one step" {
	local label=idmount$$ device before

	disk $label
	noting idmount mount -m 0:1000,1000:0 "$device" dst
	same 'its type' "$device ext4 rw,nosuid,nodev,relatime,private" "$(idmount list -rno source,fstype,flags dst)"
	same 'owner' '1000:1000' "$(owner dst)"
	touch dst/new
	same 'nothing else' 1 "$(grep -c " $device " /proc/self/mountinfo)"
	umount dst
	noting idmount mount -t ext4 -o ro,noexec -m 0:1000 "LABEL=$label" dst
	same 'options' ro,nosuid,nodev,noexec,relatime,private "$(idmount list -rno flags dst)"
	same 'what root stored as user 0, from 1000 on disk' 65534:65534 "$(owner dst/new)"
	umount dst
	noting idmount mount --mkdir -m 0:7 "UUID=$(blkid -s UUID -o value "$device")" new
	same 'UUID' 7:7 "$(owner new)"
	umount new
	prints 'dst: can be mounted; nothing was, because of --dry-run' idmount mount --dry-run -m 0:0 "$device" dst

	refused 2 "idmount: mount: $device: a block device has neither mounts below it nor a map; leave out recursive, remap and on-top" \
		idmount mount -R -m 0:0 "$device" dst
	refused 2 "idmount: mount: owner:1: owner stands for the owner of a file or directory, and $device is a block device" \
		idmount mount -m owner:1 "$device" dst
	refused 2 'idmount: mount: -t ext4: expected a block device as source, got src' idmount mount -t ext4 -m 0:0 src dst
	refused 1 "idmount: mount: LABEL=no-such-$label: find device: findfs(8) knows no such device" \
		idmount mount -m 0:0 "LABEL=no-such-$label" dst
	run -1 --separate-stderr idmount mount -t xfs -m 0:0 "$device" dst
	[[ $stderr == "idmount: mount: $device: mount filesystem: "* ]]
	refused 1 "idmount: mount: missing: open target: the target does not exist
hint: create it first, or ask for it (--mkdir)" idmount mount -m 0:0 "$device" missing
	wipefs -aq "$device"
	refused 1 "idmount: mount: $device: find type: blkid(8) finds no filesystem on it, or no certain one" idmount mount -m 0:0 "$device" dst
	# Neither a PATH without the directory of blkid(8), nor a program of that name in it matters.
	printf '#!/bin/sh\necho ext4\n' >blkid
	chmod +x blkid
	PATH=/mnt:/usr/bin:/bin run -1 --separate-stderr idmount mount -m 0:0 "$device" dst
	[[ $stderr == "idmount: mount: $device: find type: "* ]]
	free_disk
}

# image TYPE: makes a filesystem of that type in the file images/TYPE, on the loop device $device.
image()
{
	local file=images/$1

	rm -f "$file"
	mkdir -p images/root
	case $1 in
		squashfs) mksquashfs images/root "$file" -quiet >/dev/null ;;
		erofs) mkfs.erofs -Enoinline_data "$file" images/root >/dev/null ;;
		*) truncate -s 320M "$file" && "mkfs.$1" -q "$file" >/dev/null 2>&1 ;;
	esac
	device=$(losetup --find --show "$file") || skip 'there is no loop device'
}

@test "a block device: blkid(8) knows the type of each filesystem that can be mapped" {
	local device type driver found

	for type in ext2 ext3 ext4 xfs btrfs squashfs erofs; do
		driver=$(sed 's/ext[23]/ext4/' <<<"$type")
		grep -qw "$driver" /proc/filesystems || continue
		image $type
		noting idmount mount -m 0:1000 "$device" dst
		same "$type" "$driver 1000:1000" "$(idmount list -rno fstype dst) $(owner dst)"
		umount dst
		losetup --detach "$device"
	done
	# Its superblock is 64 KiB behind the one of ext4.
	image btrfs
	head -c 4096 images/ext4 | dd of="$device" conv=notrunc status=none
	found='finds traces of several filesystems; name the type (-t), or erase the others with wipefs(8)'
	run blkid -p "$device"
	((status == 8)) || found='finds no filesystem on it, or no certain one' # util-linux 2.41
	refused 1 "idmount: mount: $device: find type: blkid(8) $found" idmount mount -m 0:0 "$device" dst
	losetup --detach "$device"
	image ext4
	run -1 --separate-stderr as 1000 "$IDMOUNT" mount -m 0:0 "$device" dst
	same 'without privilege' "idmount: mount: $device: find type: Permission denied" "$stderr"
	losetup --detach "$device"
}

@test "a block device is no layer of an overlay" {
	local device

	device=$(find /dev -xdev -type b | head -n 1)
	[[ $device ]] || skip 'there is no block device'
	fails 1 "idmount: overlay: $device: open layer: expected a directory, got a block device
hint: mount the filesystem on the device first, and name the directory where it is mounted" \
		idmount overlay -L "$device" -L src dst
}

@test "in a user namespace whose map has two rows" {
	# The canonical map has one row, and the kernel gets two.
	prints $'0:0 5:5 9:9\n0:0:65537' in_pieces sh -euc '
		"$0" mount -o nosuid,nodev -m 0:0:1+1:1:65536 src dst
		echo $(stat -c %u:%g dst/*)
		"$0" list -rno map dst' "$IDMOUNT"
	prints '10:10 0:0 65534:65534' in_pieces sh -euc '
		"$0" mount -o nosuid,nodev -m 0:10:1,5:0:1 src dst 2>notes
		echo $(stat -c %u:%g dst/*)' "$IDMOUNT"
	fails 1 'idmount: mount: write uid map: seen uid 65537 of the map is not an ID of this user namespace
hint: /proc/self/uid_map lists those that exist' in_pieces "$IDMOUNT" mount -m 0:0:65538 src dst
}

@test "--keep-rest keeps the IDs that exist in the user namespace" {
	prints $'0:0 6:6 9:9\n0:0:5,5:6:1,7:7:65530' in_pieces sh -euc '
		"$0" mount -o nosuid,nodev -m 5:6 --keep-rest src dst
		echo $(stat -c %u:%g dst/*)
		"$0" list -rno map dst' "$IDMOUNT"
	prints '0:0 6:6 9:9' in_pieces sh -euc '
		"$0" -o map=5:6,keep-rest,nosuid,nodev src dst
		echo $(stat -c %u:%g dst/*)' "$MOUNT_IDMAP"
	prints '0:0:65537' in_pieces "$IDMOUNT" map -m 0:0 --keep-rest --format text
}

# ---- --skip-unmappable ----

@test "-R --skip-unmappable: mounts below that cannot be mapped are left out, with a line for each" {
	local left

	mkdir -p src/{proc,sys,ok} 'src/a b' src/fuse
	touch src/proc/covered
	mount -t proc proc src/proc
	mount -t ramfs sys src/sys
	mount -t tmpfs ok src/ok
	mkdir src/ok/inner
	mount -t ramfs inner src/ok/inner
	mkdir src/ok/inner/deep
	mount -t tmpfs deep src/ok/inner/deep
	mount -t tmpfs good 'src/a b'
	left='idmount: mount: note: /mnt/src/proc: left out: the filesystem (proc) cannot be ID-mapped
idmount: mount: note: /mnt/src/sys: left out: the filesystem (ramfs) cannot be ID-mapped
idmount: mount: note: /mnt/src/ok/inner: left out, with the mounts below it: the filesystem (ramfs) cannot be ID-mapped'
	if [[ -e /dev/fuse ]]; then
		background python3 "$ROOT/tests/cli/fuse.py" src/fuse 1000
		until (($(mounts_at /mnt/src/fuse))); do
			kill -0 "${background[-1]}" || skip 'FUSE cannot be mounted here'
		done
		left+=$'\nidmount: mount: note: /mnt/src/fuse: left out: the filesystem (fuse) cannot be ID-mapped'
	fi
	fails 1 'idmount: mount: /mnt/src/proc: map tree: the filesystem (proc) cannot be ID-mapped
hint: it is mounted below src: unmount it, or map without the mounts below' idmount mount -R -m 1000:2000 src dst
	fails 0 "$left" idmount mount -R --skip-unmappable -o nosuid,nodev -m 1000:2000 src dst
	same 'mounts' "/mnt/dst
/mnt/dst/a\\040b
/mnt/dst/ok" "$(awk '$5 ~ "^/mnt/dst" {print $5}' /proc/self/mountinfo | sort)"
	same 'mapped' 3 "$(grep -c '/mnt/dst.*idmapped' /proc/self/mountinfo)"
	same 'what they cover' covered "$(ls dst/proc)"
	same 'the source' 7 "$(grep -c ' /mnt/src/' /proc/self/mountinfo)"
	umount -R dst
	# The working directory and the namespace are those of before.
	cd src
	fails 0 "$left" idmount mount -R --skip-unmappable -o nosuid,nodev -m 1000:2000 . ../dst
	cd ..
	umount -R dst
	mount --make-rshared /mnt/src/ok
	run -0 --separate-stderr idmount mount -R --skip-unmappable --dry-run -o nosuid,nodev -m 1000:2000 src dst
	same 'the notes' "$left" "$stderr"
	same 'shared mounts stay' 1 "$(mounts_at /mnt/src/ok/inner)"
}

@test "--skip-unmappable: what it does not help for" {
	mkdir src/proc
	mount -t proc proc src/proc
	refused 2 'idmount: mount: --skip-unmappable requires -R' idmount mount --skip-unmappable -m 1:2 src dst
	refused 1 "idmount: mount: src/proc: map tree: the filesystem (proc) cannot be ID-mapped
$some_can" idmount mount -R --skip-unmappable -m 1:2 src/proc dst
	refused 1 'idmount: mount: no: open tree: No such file or directory' idmount mount -R --skip-unmappable -m 1:2 no dst
	refused 1 'idmount: mount: no: open target: the target does not exist
hint: create it first, or ask for it (--mkdir)' idmount mount -R --skip-unmappable -m 1:2 src/directory no
	refused 1 'idmount: mount: make mount namespace: it requires CAP_SYS_ADMIN in this user namespace
hint: run it as root; an ordinary user runs it under unshare --user --map-root-user --map-auto --mount, or uses idmount run' \
		setpriv --bounding-set -sys_admin --inh-caps=-all "$IDMOUNT" mount -R --skip-unmappable -m 1:2 src dst
}

# ---- the owner of the source ----

@test "owner: the owner and the group of the source" {
	chown 1000:100 src
	chown 100:1000 src/file
	noting idmount mount -m owner:0 src dst
	same 'both' '0:0 65534:65534' "$(owner dst) $(owner dst/file)"
	same 'the map' 'u:1000:0:1,g:100:0:1' "$(idmount list -rno map dst)"
	touch dst/new
	same 'stored' 1000:100 "$(owner src/new)"
	umount dst
	noting idmount mount -m u:owner:7,g:owner:8 -m 5:6 src dst
	same 'one side each' '7:8' "$(owner dst)"
	umount dst
	noting idmount mount -m gid:owner:8+u:1000:9 --keep-rest src dst
	same 'a number beside' '9:8' "$(owner dst)"
	umount dst
	noting idmount mount -m owner:daemon src dst
	same 'a name' "$(id -u daemon):$(id -g daemon)" "$(owner dst)"
	umount dst
	touch target
	noting idmount mount -m owner:5 src/file target
	same 'a file' 5:5 "$(owner target)"
	umount target
	# Each map is checked as if it were written in numbers.
	refused 2 'idmount: mount: u:1000:6:1: add to map: overlaps u:1000:5:1: both have the disk ID 1000' \
		idmount mount -m owner:5,1000:6 src dst
}

@test "owner: of root, of a mapped source, and where it is not known" {
	local both='owner and --remap exclude each other: the owner on disk is not the one that the source shows'

	mkdir copy
	run -0 --separate-stderr idmount mount -m owner:1000 src dst
	same 'owner' 1000:1000 "$(owner dst)"
	[[ $stderr == *'can store set-user-ID programs of root'* || $stderr == *'added nosuid'* ]]
	noting idmount mount -m owner:0 --on-top dst copy
	same 'on top' 0:0 "$(owner copy)"
	umount copy
	refused 2 "idmount: mount: $both" idmount mount -m owner:0 --remap dst copy
	umount dst
	refused 1 'idmount: mount: missing: parse map: No such file or directory' idmount mount -m owner:0 missing dst
	refused 2 'idmount: mount: owner:0:2: parse map: expected a count of 1 for a name' idmount mount -m owner:0:2 src dst
	refused 2 'idmount: overlay: owner:0: owner stands for the owner of a source, which is not known here' \
		idmount overlay -L src -m owner:0 dst
	refused 2 'idmount: map: u:owner:0: owner stands for the owner of a source, which is not known here' \
		idmount map -m u:owner:0 -m g:1:1
}

@test "owner: an ID that the caller's user namespace lacks" {
	chown 4321:4321 src
	new_userns '0 1000 1' '0 1000 1'
	refused 1 'idmount: mount: src: parse map: its owner is 65534:65534, which also stands for IDs that this user namespace lacks
hint: write the owner'"'"'s IDs in numbers' \
		nsenter --target "$userns" --user --setuid 0 --setgid 0 --preserve-credentials "$IDMOUNT" mount -m owner:0 src dst
}

# ---- --dry-run and -v ----

# tried EXPECTED COMMAND...: --dry-run succeeds, prints that, and changes nothing.
tried()
{
	local before

	before=$(state)
	run --separate-stderr "${@:2}"
	same 'exit status' 0 "$status"
	same 'standard output' "$1" "$output"
	same 'what is there' "$before" "$(state)"
}

@test "--dry-run: all but the mount" {
	local known='can be mounted; nothing was, because of --dry-run'

	mkdir box box/inside src/below
	mount -t tmpfs below src/below
	mount -t tmpfs old box/inside
	tried "dst: $known" idmount mount --dry-run -m 0:100000:65536 src dst
	tried "dst: $known" idmount mount --dry-run -R -m 0:0 -o ro,noexec src dst
	tried "box/inside: $known" idmount mount --dry-run --replace -m 0:0 src box/inside
	tried "/inside: $known" idmount mount --dry-run --root box -m 0:0 src /inside
	tried "/new/deep: $known" idmount mount --dry-run --mkdir --root box -m 0:0 src /new/deep
	tried "new: $known" idmount mount --dry-run --mkdir -m 0:0 src new
	tried "dst: $known" idmount mount --dry-run --mkdir -m 0:0 src dst
	mount --make-shared dst 2>/dev/null || mount --bind --make-shared dst dst
	tried "dst: $known" idmount mount --dry-run -m 0:0 src dst
	refused 1 'idmount: mount: missing: open target: the target does not exist
hint: create it first, or ask for it (--mkdir)' idmount mount --dry-run -m 0:0 src missing
	refused 1 'idmount: mount: missing: open tree: No such file or directory' idmount mount --dry-run -m 0:0 missing dst
	refused 1 "idmount: mount: /proc: map tree: the filesystem (proc) cannot be ID-mapped
$some_can" idmount mount --dry-run -m 0:0 /proc dst
	refused 2 'idmount: mount: u:1:3:1: add to map: overlaps u:1:2:1: both have the disk ID 1' \
		idmount mount --dry-run -m 1:2,1:3 src dst
	umount dst
}

@test "--dry-run: a user without the privilege learns what is missing" {
	local missing='make mount namespace: it requires CAP_SYS_ADMIN in this user namespace
hint: run it as root; an ordinary user runs it under unshare --user --map-root-user --map-auto --mount, or uses idmount run'

	refused 1 "idmount: mount: $missing" as 4321 "$IDMOUNT" mount --dry-run -m 0:0 src dst
	refused 1 "idmount: overlay: $missing" as 4321 "$IDMOUNT" overlay --dry-run -L src:dst dst
	# In a user namespace of its own, the next step fails: the filesystem is not of that namespace.
	run -1 --separate-stderr as 4321 unshare --user --map-root-user --mount "$IDMOUNT" mount --dry-run -m 0:0 src dst
	[[ $stderr == 'idmount: mount: src: map tree: '* ]]
}

@test "-v: each step on standard error" {
	local steps=(
		"idmount: mount: idmount $(idmount --version | cut -d' ' -f2), Linux $(uname -r), user 0"
		'idmount: mount: map: 0:0:1'
		'idmount: mount: source src: /src of work (tmpfs), at /mnt/src, rw,relatime,private'
		'idmount: mount: made a user namespace with this map'
		'idmount: mount: copied src, and mapped the copy'
		'idmount: mount: attached the copy at dst'
	)
	mount --bind src src
	fails 0 "$(printf '%s\n' "${steps[@]}")" idmount mount -v -m 0:0 src dst
	umount dst
	fails 0 "$(printf '%s\n' "${steps[@]}")" idmount mount --verbose -m 0:0 src dst
	umount dst
	# A failure follows the last step that was done.
	fails 1 "$(printf '%s\n' "${steps[@]::5}" 'idmount: mount: src/../no: open target: the target does not exist' \
		'hint: create it first, or ask for it (--mkdir)')" idmount mount -v -m 0:0 src src/../no
	umount src
}
