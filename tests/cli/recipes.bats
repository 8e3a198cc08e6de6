# SPDX-License-Identifier: MIT
# The recipes in docs/recipes.md that need no container engine, as they are written there: /srv and /home are below
# /mnt here, and the users exist in this mount namespace alone.
load common
private_mounts

setup()
{
	local file

	set_up_mounts
	mkdir -p srv home/{alice,bob}
	for file in passwd group; do
		sed -E '/^(alice|bob):|:(1000|2000):/d' /etc/$file >$file
	done
	printf '%s:x:%s:%s::/:/bin/sh\n' alice 1000 1000 bob 2000 2000 >>passwd
	printf '%s:x:%s:\n' alice 1000 bob 2000 >>group
	mount --bind passwd /etc/passwd
	mount --bind group /etc/group
	# mount(8) looks for its helpers in /sbin only, and records its mounts in /run.
	mkdir sbin
	cp "$MOUNT_IDMAP" sbin/mount.idmap
	mount -t overlay -o "lowerdir=/mnt/sbin:$(realpath /sbin)" sbin "$(realpath /sbin)"
	mount -t tmpfs run /run
}

teardown()
{
	tear_down_mounts
}

# block N HEADING: prints the code block N below the heading that begins so.
block()
{
	awk -v n="$1" -v heading="## $2" '
		/^## / { inside = index($0, heading) == 1; next }
		inside && /^```/ { blocks++; next }
		inside && blocks == 2 * n - 1' "$ROOT/docs/recipes.md" |
		sed -E 's,(^| )/(srv|home),\1/mnt/\2,g; s/^sudo //'
}

# try HEADING: runs the first code block there.
try()
{
	local commands

	commands=$(block 1 "$1")
	[[ $commands ]]
	run -0 --separate-stderr bash -euc "$(declare -f idmount); IDMOUNT=$IDMOUNT; $commands"
}

# try_line N HEADING: mounts the line of fstab in that code block, in which "check --fstab" finds nothing.
try_line()
{
	block "$@" >fstab
	[[ -s fstab ]]
	prints '1 line checked' idmount check --fstab fstab
	run -0 mount -a -T fstab
}

@test "a directory that two users share" {
	mkdir srv/photos
	touch srv/photos/{old,root}
	chown -R 1000:1000 srv/photos
	chown 0:0 srv/photos/root
	try 'A directory that two users share'
	same 'owners' $'2000:2000\n2000:2000\n65534:65534' "$(owner home/bob/photos home/bob/photos/{old,root})"
	as 2000 touch home/bob/photos/new
	same 'stored' 1000:1000 "$(owner srv/photos/new)"
	run ! as 2000 sh -c 'echo >home/bob/photos/root'
	umount home/bob/photos
	rmdir home/bob/photos
	try_line 2 'A directory that two users share'
	same 'by fstab' 2000:2000 "$(owner home/bob/photos/old)"
}

@test "a share of a server" {
	mkdir srv/media
	chown 1000:1000 srv/media
	try 'A Samba share that stores'
	as "$(id -u www-data)" touch srv/samba/media/new
	same 'stored' 1000:1000 "$(owner srv/media/new)"
}

@test "one ID of the host in a container, and the rest shifted" {
	local process inside

	mkdir srv/data
	chown 1000:1000 srv/data
	touch srv/data/box
	chown 100005:100005 srv/data/box
	try 'One ID of the host in a container'
	background unshare --user sleep infinity
	process=${background[-1]}
	until [[ ! /proc/self/ns/user -ef /proc/$process/ns/user ]]; do
		:
	done
	echo 0 100000 65536 >"/proc/$process/uid_map"
	echo 0 100000 65536 >"/proc/$process/gid_map"
	inside="nsenter --target $process --user"
	same 'inside' '1000:1000 5:5' "$($inside --setuid 0 --setgid 0 stat -c %u:%g srv/ct/101/data srv/ct/101/data/box | xargs)"
	$inside --setuid 1000 --setgid 1000 touch srv/ct/101/data/one
	$inside --setuid 0 --setgid 0 touch srv/ct/101/data/root
	same 'stored' '1000:1000 100000:100000' "$(owner srv/data/{one,root} | xargs)"
	# The ID of the host that the map replaces appears nowhere else.
	touch srv/data/zero
	same 'root of the host' 65534:65534 "$($inside --setuid 0 --setgid 0 stat -c %u:%g srv/ct/101/data/zero)"
}

@test "a home with another UID" {
	mkdir srv/alice.homedir
	chown 60123:60124 srv/alice.homedir
	rmdir home/alice
	try 'A home with another UID'
	same 'owner' 1000:1000 "$(owner home/alice)"
	as 1000 touch home/alice/file
	same 'stored' 60123:60124 "$(owner srv/alice.homedir/file)"
}

@test "ACLs and file capabilities through a map" {
	type -P setfacl setcap || skip 'setfacl and setcap are not installed'
	mkdir srv/project
	touch srv/project/plan
	try 'ACLs and file capabilities'
	grep -x 'user:bob:rw-' <<<"$output"
	setfacl -m u:1234:r srv/project/plan
	getfacl -n srv/mapped/plan | grep -x 'user:1234:r--'
	cp "$(type -P true)" srv/project/tool
	setcap cap_net_raw+ep srv/project/tool
	same 'capability' 'srv/mapped/tool cap_net_raw=ep' "$(getcap srv/mapped/tool)"
	setcap -n 1000 cap_net_raw+ep srv/project/tool
	same 'of a root that is mapped' 'srv/mapped/tool cap_net_raw=ep [rootid=2000]' "$(getcap -n srv/mapped/tool)"
	# They act: a process without capabilities gets one.
	cp "$(type -P grep)" srv/project/show
	setcap cap_net_raw+ep srv/project/show
	same 'effective' 'CapEff:	0000000000002000' "$(as 2000 srv/mapped/show CapEff /proc/self/status)"
	umount srv/mapped
	idmount mount -m alice:bob srv/project srv/mapped 2>/dev/null
	same 'nosuid' 'CapEff:	0000000000000000' "$(as 2000 srv/mapped/show CapEff /proc/self/status)"
	getfacl -cn srv/mapped/plan | grep -x 'user:4294967295:r--'
}

@test "user in fstab, and what helps" {
	mkdir srv/data dst/target
	echo '/mnt/srv/data /mnt/dst/target idmap user,noauto,map=1000:2000,keep-rest 0 0' >fstab
	mount --bind fstab /etc/fstab
	# Another user than one of passwd(5) has no name, which mount(8) records.
	run -32 as 1000 mount /mnt/dst/target
	[[ $output == *'mount.idmap: write uid map: it requires CAP_SETUID'* ]]
	run -1 --separate-stderr idmount check --fstab fstab
	same 'found' 'fstab:1: user: mount(8) runs its helpers without privilege for users, so root alone can mount it; x-systemd.automount mounts it at the first access' "$stderr"
	umount /etc/fstab
	block 1 'A mount for ordinary users in fstab' >fstab
	prints '1 line checked' idmount check --fstab fstab
	run -0 mount -T fstab /mnt/home/bob/data
	same 'mounted' 1 "$(mounts_at /mnt/home/bob/data)"
}

# examples: prints the commands below EXAMPLES of idmount(8), with their directories below /mnt.
examples()
{
	sed -n '/^# EXAMPLES/,/^# DESC/s/^\t\*\(.*\)\*$/\1/p' "$ROOT/man/idmount.8.scd" |
		sed -E 's,(^| )/(srv|home|var|run),\1/mnt/\2,g; s/\\//g'
}

# Without a container, and with the user namespace of this process.
@test "the examples at the beginning of idmount(8)" {
	local example file n=0

	# Also a target below the root of that image.
	mkdir -p srv/{data,cache} home/bob/data var/lib/images/debian/mnt/var/cache run/box
	touch srv/data/file
	chown 1000:1000 srv/data/file
	echo alice:300000:65536 | tee subuid >subgid
	for file in subuid subgid; do
		[[ ! -e /etc/$file ]] || mount --bind $file /etc/$file
	done
	same 'sections' $'# NAME\n# SYNOPSIS\n# EXAMPLES' "$(grep '^# ' "$ROOT/man/idmount.8.scd" | head -n 3)"
	while read -r example; do
		[[ $example != *--container* ]] || continue
		n=$((n + 1))
		run -0 --separate-stderr bash -euc "$(declare -f idmount); IDMOUNT=$IDMOUNT; ${example/4711/\$\$}"
		[[ $example == *' /mnt/home/bob/data' ]] || continue
		same "$example" 2000 "$(stat -c %u home/bob/data/file)"
		umount home/bob/data
	done < <(examples)
	((n >= 9))
}
