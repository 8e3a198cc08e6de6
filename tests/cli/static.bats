# SPDX-License-Identifier: MIT
# The static programs (-Dstatic=true) require no file of the root that they run in.
load common
private_mounts

setup()
{
	set_up_mounts
	cp "$IDMOUNT" "$MOUNT_IDMAP" dst
}

teardown()
{
	tear_down_mounts
}

inside()
{
	chroot /mnt/dst "$@"
}

@test "they require no loader and no shared library" {
	local program

	for program in "$IDMOUNT" "$MOUNT_IDMAP"; do
		readelf --program-headers "$program" | grep -q LOAD
		run ! grep -E 'INTERP|NEEDED' <(readelf --program-headers --dynamic "$program")
	done
}

@test "they are small" {
	local most=1500

	[[ $IDM_LIBC == glibc ]] || most=660
	same "over $most KiB" '' "$(find dst -type f -size "+${most}k")"
}

@test "in an empty root directory" {
	prints "$(idmount --version)" inside /idmount --version
	prints '{"uidMappings":[{"containerID":0,"hostID":100000,"size":65536}],"gidMappings":[{"containerID":0,"hostID":100000,"size":65536}]}' \
		inside /idmount map -m 0:100000:65536 --format oci
	run -0 --separate-stderr inside /idmount check --json
	[[ $output == *'"name": "idmapped-mounts"'* ]]
	fails 1 'idmount: map: alice:0: parse map: unknown user "alice"' inside /idmount map -m alice:0
	fails 1 'idmount: map: g:users:0: parse map: unknown group "users"' inside /idmount map -m g:users:0
	quietly inside /mount.idmap -f /idmount /mnt -o map=0:1
}

# The kernel refuses user namespaces in a chroot. So this is the empty root of a mount namespace.
@test "mounts in an empty root directory" {
	mkdir dst/src dst/there dst/old
	chown 33:44 dst/src
	echo '[{"type": "bind", "source": "/src", "options": ["rbind"]}]' >dst/list.json
	run -0 --separate-stderr unshare --mount bash -c '
		set -e
		mount --bind dst dst
		cd dst
		pivot_root . old
		./idmount umount --lazy /old
		/idmount mount -m 33:5,44:6 -o nosuid,nodev /src /there
		/idmount umount /there
		/idmount apply -m 33:5 --keep-rest /list.json /there
		/idmount list --json
		/idmount umount /there'
	same 'standard error' '' "$stderr"
	[[ $output == *'"target": "/there"'* ]]
}

@test "names and ranges are those of the files in /etc" {
	mkdir dst/etc
	echo 'root:x:0:0::/:
alice:x:1000:1001::/:
bob:x:2000:2001::/:' >dst/etc/passwd
	echo 'staff:x:50:alice
users:x:100:' >dst/etc/group
	echo 'alice:100000:10
bob:1:1
# alice:5:5
alice:7
alice:-7:7
alice:7:7:
1000:200000:20' >dst/etc/subuid
	echo 'alice:300000:30' >dst/etc/subgid
	prints 'u:1000:2000:1,g:50:100:1,g:1001:2001:1' inside /idmount map -m alice:bob,g:staff:users --format text
	# Further fields do not matter to newuidmap.
	prints 'u:0:100000:10,u:10:7:7,u:17:200000:20,g:0:300000:30' inside /idmount map -m auto:alice --format text
	fails 1 'idmount: map: bob: look up subordinate IDs: no range in /etc/subgid
hint: usermod --add-subgids 100000-165535 bob' inside /idmount map -m auto:bob
	fails 1 'idmount: map: root: look up subordinate IDs: no range in /etc/subuid
hint: usermod --add-subuids 100010-165545 --add-subgids 100000-165535 root' inside /idmount map -m auto
	echo 'alice:4294967290:30' >dst/etc/subgid
	fails 2 'idmount: map: alice: look up subordinate IDs: the range 4294967290:30 in /etc/subgid exceeds 4294967294, the last ID' \
		inside /idmount map -m auto:alice
	rm dst/etc/subuid
	fails 1 'idmount: map: alice: look up subordinate IDs: no range in /etc/subuid
hint: usermod --add-subuids 100000-165535 alice' inside /idmount map -m auto:alice
}

@test "musl.sh writes a file for meson, and links to headers that exist" {
	local script=$ROOT/scripts/musl.sh

	quietly "$script" place
	[[ -f place/include/linux/mount.h && -f place/include/asm/unistd.h && -f place/include/asm-generic/errno.h ]]
	grep -F "'$(realpath place)/include'" place/musl.ini
	fails 2 'usage: scripts/musl.sh PLACE' "$script"
	fails 2 'usage: scripts/musl.sh PLACE' "$script" a b
	[[ ! -e a ]]
}
