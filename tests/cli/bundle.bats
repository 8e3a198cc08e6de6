# SPDX-License-Identifier: MIT
# idmount bundle: mounts a bundle before a shim calls the runtime, and unmounts it after the container has exited.
load common
private_mounts

setup()
{
	set_up_mounts
	mkdir -p l1/etc l2 up work box/rootfs
	echo one >l1/etc/one
	chown 33:44 l1/etc/one
	chown 100000:100000 up
	echo '[{"Type": "overlay", "Source": "overlay", "Options": ["upperdir=/mnt/up", "workdir=/mnt/work",
		"lowerdir=/mnt/l2:/mnt/l1"]}]' >box/mounts.json
	config '[{"type": "mount"}, {"type": "user"}]' '[{"containerID": 0, "hostID": 100000, "size": 65536}]'
}

teardown()
{
	tear_down_mounts
}

# config NAMESPACES ROWS [ROWS]: the rows of users, and those of groups if they differ.
config()
{
	echo '{"ociVersion": "1.0.2", "root": {"path": "rootfs"}, "process": {"args": ["sh"]}, "linux": {"namespaces": '"$1"',
		"uidMappings": '"$2"', "gidMappings": '"${3:-$2}"'}}' >box/config.json
}

# Prints all mounts and files. It leaves out the work directory, because the kernel writes to it.
everything()
{
	cat /proc/self/mountinfo
	find /mnt -xdev -path /mnt/work -prune -o -printf '%p %M %U:%G\n' | sort
}

@test "the map is that of config.json, and umount leaves everything as it was" {
	before=$(everything)
	quietly idmount bundle mount box
	same 'owners' $'100000:100000\n100033:100044' "$(owner box/rootfs box/rootfs/etc/one)"
	same 'the journal' '600 1' "$(stat -c %a box/idmount.journal) $(grep -c '^root ' box/idmount.journal)"
	quietly idmount bundle umount box/
	same 'everything' "$before" "$(everything)"
}

@test "users and groups with different rows" {
	config '[{"type": "user"}]' '[{"containerID": 0, "hostID": 100000, "size": 65536}]' \
		'[{"containerID": 0, "hostID": 7, "size": 1}, {"containerID": 44, "hostID": 8, "size": 1}]'
	quietly idmount bundle mount box
	same 'owner' 100033:8 "$(owner box/rootfs/etc/one)"
	quietly idmount bundle umount box
}

@test "-m replaces the map of config.json, which may be missing" {
	quietly idmount bundle mount -m 0:200000:65536 box
	same 'owner' 200033:200044 "$(owner box/rootfs/etc/one)"
	quietly idmount bundle umount box
	rm box/config.json
	quietly idmount bundle mount -m 0:300000:65536 box
	same 'owner' 300033:300044 "$(owner box/rootfs/etc/one)"
	quietly idmount bundle umount box
}

@test "--keep-rest completes the map of config.json" {
	config '[{"type": "user"}]' '[{"containerID": 33, "hostID": 100033, "size": 1}]'
	quietly idmount bundle mount --keep-rest box
	same 'owners' $'100000:100000\n100033:44' "$(owner box/rootfs box/rootfs/etc/one)"
	quietly idmount bundle umount box
}

@test "the map of a user namespace that the container joins" {
	background unshare --user sleep 1000
	process=/proc/${background[0]}
	until [[ ! $process/ns/user -ef /proc/self/ns/user ]]; do
		sleep 0.01
	done
	echo 0 100000 65536 >"$process/uid_map"
	echo 0 100000 65536 >"$process/gid_map"
	config '[{"type": "user", "path": "'"$process"'/ns/user"}]' '[]'
	quietly idmount bundle mount box
	same 'owner' 100033:100044 "$(owner box/rootfs/etc/one)"
	quietly idmount bundle umount box
	config '[{"type": "user", "path": "ns/user"}]' '[]'
	refused 1 'idmount: bundle: box/config.json: ns/user: read map: expected the absolute path of a namespace' \
		idmount bundle mount box
	config '[{"type": "user", "path": "/mnt/none"}]' '[]'
	refused 1 'idmount: bundle: box/config.json: /mnt/none: open user namespace: No such file or directory' \
		idmount bundle mount box
}

@test "a list from another file, and from standard input" {
	echo '[{"type": "bind", "source": "l1", "options": ["rbind"]}]' >list.json
	mkdir sub
	cd sub
	noting idmount bundle mount --mounts ../list.json ../box
	same 'owner' 100033:100044 "$(owner ../box/rootfs/etc/one)"
	quietly idmount bundle umount ../box
	noting idmount bundle mount --mounts - ../box <<<'[{"type": "bind", "source": "../l1", "options": ["rbind"]}]'
	same 'owner' 100033:100044 "$(owner ../box/rootfs/etc/one)"
	quietly idmount bundle umount ../box
}

@test "--mkdir: umount removes the directories that mount created" {
	rmdir box/rootfs
	before=$(everything)
	refused 1 'idmount: bundle: box/rootfs: open target: the target does not exist
hint: create it first, or ask for it (--mkdir)' idmount bundle mount box
	noting idmount bundle mount --mkdir --upper-ids disk box
	quietly idmount bundle umount box
	same 'everything' "$before" "$(everything)"
}

@test "mounted already, and not mounted" {
	refused 1 'idmount: bundle: box: not mounted: box/idmount.journal does not exist' idmount bundle umount box
	quietly idmount bundle mount box
	refused 1 'idmount: bundle: box: mounted already, according to box/idmount.journal; "idmount bundle umount" undoes it' \
		idmount bundle mount box
	quietly idmount bundle umount box
	refused 1 'idmount: bundle: box: not mounted: box/idmount.journal does not exist' idmount bundle umount box
}

@test "in use, and --lazy" {
	quietly idmount bundle mount box
	exec {busy}<box/rootfs/etc/one
	run -1 --separate-stderr idmount bundle umount box
	[[ $stderr == 'idmount: bundle: /mnt/box/rootfs: undo: the mount is in use'* ]]
	same 'mounts' 1 "$(mounts_at /mnt/box/rootfs)"
	quietly idmount bundle umount --lazy box
	exec {busy}<&-
	same 'mounts' 0 "$(mounts_at /mnt/box/rootfs)"
	[[ ! -e box/idmount.journal ]]
}

@test "the journal of an earlier start of the machine" {
	before=$(everything)
	quietly idmount bundle mount box
	umount box/rootfs
	sed -i 's/^boot .*/boot 00000000-0000-0000-0000-000000000000/' box/idmount.journal
	refused 1 'idmount: bundle: box: mounted already, according to box/idmount.journal; "idmount bundle umount" undoes it' \
		idmount bundle mount box
	quietly idmount bundle umount box
	same 'everything' "$before" "$(everything)"
}

@test "two at once: one of them mounts, and one umount is enough" {
	for i in 1 2 3 4; do
		background bash -c '"$0" bundle mount box 2>/dev/null && echo >done."$1"' "$IDMOUNT" $i
	done
	for i in "${background[@]}"; do
		wait "$i" || true
	done
	background=()
	same 'that mounted' 1 "$(find . -maxdepth 1 -name 'done.*' | wc -l)"
	same 'mounts' 1 "$(mounts_at /mnt/box/rootfs)"
	quietly idmount bundle umount box
	same 'mounts' 0 "$(mounts_at /mnt/box/rootfs)"
}

@test "no map" {
	config '[{"type": "mount"}]' '[]'
	refused 1 'idmount: bundle: box/config.json: read map: linux.uidMappings is missing
hint: a container without a user namespace has no map; pass one (--map MAP)' idmount bundle mount box
	config '[{"type": "mount"}]' '[{"containerID": 0, "hostID": 100000, "size": 65536}]'
	refused 1 'idmount: bundle: box/config.json: read map: linux.uidMappings requires a user namespace in linux.namespaces' \
		idmount bundle mount box
	echo '{"linux": {"uidMappings": []}}' >box/config.json
	refused 1 'idmount: bundle: box/config.json: read map: linux.uidMappings: gidMappings is missing beside it' \
		idmount bundle mount box
	echo '{' >box/config.json
	run -1 --separate-stderr idmount bundle mount box
	[[ $stderr == 'idmount: bundle: box/config.json: read map: line '* ]]
	rm box/config.json
	refused 1 'idmount: bundle: box/config.json: read map: read: No such file or directory' idmount bundle mount box
}

@test "bad bundles and lists" {
	refused 1 'idmount: bundle: none: open bundle: No such file or directory' idmount bundle mount none
	refused 1 'idmount: bundle: none: open bundle: No such file or directory' idmount bundle umount none
	refused 1 'idmount: bundle: l1/etc/one: open bundle: Not a directory' idmount bundle mount l1/etc/one
	refused 1 'idmount: bundle: none: read: No such file or directory' idmount bundle mount --mounts none box
	refused 1 'idmount: bundle: box/config.json: read plan: ociVersion: unknown key; the key of a list of mounts is "mounts"' \
		idmount bundle mount --mounts box/config.json box
	rmdir box/rootfs
	ln -s /mnt/dst box/rootfs
	run -1 --separate-stderr idmount bundle mount box
	[[ $stderr == 'idmount: bundle: box/rootfs: '*'symbolic link'* ]]
	same 'mounts' 0 "$(mounts_at /mnt/dst)"
	rm box/mounts.json
	refused 1 'idmount: bundle: box/mounts.json: read: No such file or directory' idmount bundle mount box
	same 'in the bundle' $'config.json\nrootfs' "$(ls box)"
	echo garbage >box/idmount.journal
	chmod 600 box/idmount.journal
	refused 1 'idmount: bundle: box/idmount.journal: read journal: line 1 is not valid in a journal of idmount' \
		idmount bundle umount box
}

@test "the command line" {
	expected='idmount: bundle: expected mount or umount, and BUNDLE' see='; see "idmount help bundle"'
	fails 2 "$expected$see" idmount bundle
	fails 2 "$expected, got only mount$see" idmount bundle mount
	fails 2 "$expected, got 3 operands$see" idmount bundle mount box box
	fails 2 'idmount: bundle: expected mount or umount, got make' idmount bundle make box
	fails 2 'idmount: bundle: BUNDLE is empty' idmount bundle mount ''
	fails 2 "idmount: bundle: --mounts: the file's name is empty" idmount bundle mount --mounts '' box
	fails 2 'idmount: bundle: --lazy: it is an option of umount' idmount bundle mount --lazy box
	fails 2 'idmount: bundle: --map: it is an option of mount' idmount bundle umount -m 0:1 box
	fails 2 'idmount: bundle: --mkdir: it is an option of mount' idmount bundle umount --mkdir box
	fails 2 'idmount: bundle: --upper-ids both: expected shifted or disk' idmount bundle mount --upper-ids both box
}
