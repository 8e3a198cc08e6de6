# SPDX-License-Identifier: MIT
# idmount oci-hook: mapped mounts in containers of runtimes that do not support them.
load common
private_mounts
load oci

setup()
{
	set_up_containers
}

teardown()
{
	tear_down_containers
}

@test "runc: IDs inside, IDs on disk, read-only and nosuid" {
	bundle b 'stat -c %u:%g /vol/1000 /vol/5; touch /vol/new; grep -c " /other ro,nosuid,nodev,.*idmapped" /proc/self/mountinfo; touch /other/x' \
		"$(with_hook) | $(volume /vol rbind,rprivate "$(rows 1000 0 1)") | $(volume /other rbind,ro,nosuid,nodev "$(rows 1000 0 1)")"
	run --separate-stderr with_runc b
	same output $'0:0\n65534:65534\n1' "$output"
	[[ $stderr == *'/other/x: Read-only file system'* ]]
	same 'the new file on disk' 1000:1000 "$(owner src/new)"
}

@test "runc, with a user namespace" {
	# shellcheck disable=SC2154 # set by oci.bash
	bundle b 'stat -c %u:%g /vol/0 /vol/5 /other/1000 /other/5; touch /vol/new /other/new; cat /proc/self/uid_map' \
		"$(with_hook) | $(volume /vol rbind,idmap) | $(volume /other rbind "$(rows 1000 100000 1)") | $userns"
	chown 0:0 src
	mkdir theirs
	touch theirs/1000 theirs/5
	chown 1000:1000 theirs theirs/1000
	jq '.mounts[-1].source = "/mnt/theirs"' b/config.json >new && mv new b/config.json
	run -0 with_runc b
	same output $'0:0\n5:5\n0:0\n65534:65534\n         0     100000      65536' "$output"
	same 'on disk' 0:0 "$(owner src/new)"
	same 'on disk' 1000:1000 "$(owner theirs/new)"
}

@test "crun, with and without a user namespace" {
	bundle b 'stat -c %u:%g /vol/1000 /vol/5; touch /vol/new; grep " /vol " /proc/self/mountinfo | grep -c idmapped' \
		"$(with_hook) | .annotations = {\"io.idmount.map/vol\": \"1000:0\"} | $(volume /vol rbind,nosuid)"
	run -0 with_crun b
	same output $'0:0\n65534:65534\n1' "$output"
	same 'on disk' 1000:1000 "$(owner src/new)"
	bundle c 'stat -c %u:%g /vol/1000 /vol/5; touch /vol/more' \
		"$(with_hook) | .annotations = {\"io.idmount.map/vol\": \"1000:100000\"} | $(volume /vol rbind) | $userns"
	run -0 with_crun c
	same output $'0:0\n65534:65534' "$output"
	same 'on disk' 1000:1000 "$(owner src/more)"
}

@test "annotations: a map, its range, and the container's own map" {
	mkdir src/sub
	mount_mappable src/sub
	touch src/sub/1000
	chown 1000:1000 src/sub/1000
	mkdir rootfs/deep rootfs/own
	policy 'allow source=/mnt/src disk=any seen=any'
	bundle b 'for d in vol other deep own; do stat -c %u /$d/1000 /$d/sub/1000; done' \
		".annotations = {\"io.idmount.map/vol\": \"1000:100007\", \"io.idmount.map//other/\": \"idmap=u:1000:100008,g:0:100000\",
			\"io.idmount.map/deep\": \"ridmap=uids=1000-100009-1;gids=0-100000-1\", \"io.idmount.map/own\": \"ridmap\", \"else\": \"1\"}
		| $(with_hook) | $(volume /vol rbind) | $(volume /other rbind) | $(volume /deep rbind) | $(volume /own rbind) | $userns"
	run -0 with_runc b
	same output $'7\n7\n8\n65534\n9\n9\n1000\n1000' "$output"
}

@test "the words of a mount apply to the hook's mount as to the runtime's" {
	local words

	mkdir rootfs/plain
	for words in rbind bind,ro rbind,nosuid,nodev,noexec bind,noatime rbind,ro,nodiratime,rprivate bind,strictatime,nosuid; do
		rm -rf b
		bundle b "grep -E ' /(vol|plain) ' /proc/self/mountinfo | while read -r a b c d e f g; do echo \$e \$f; done" \
			"$(with_hook) | $(volume /plain "$words,nosuid,nodev") | $(volume /vol "$words" "$(rows 1000 5 1)")"
		run -0 with_runc b
		echo "$words: $output"
		# The last of the two mounts at /vol is visible.
		same "$words" "$(sed -n 's,^/plain ,,p' <<<"$output"),idmapped" "$(sed -n 's,^/vol ,,p' <<<"$output" | tail -1)"
	done
}

# vol_options BUNDLE: prints the options of the mount that is visible at /vol.
vol_options()
{
	run -0 with_runc "$1"
	awk '$2 == "/vol" { options = $3 } END { print options }' <<<"$output"
}

look_at_vol='while read -r a b c d e f g; do echo options $e $f; done </proc/self/mountinfo'

@test "a set-user-ID program of user 4321 does not make user 4321 another user" {
	cp /usr/bin/id src/id
	chown 4321:4321 src/id
	chmod 6755 src/id
	mkdir rootfs/usr
	ln -s usr/lib rootfs/lib
	ln -s usr/lib64 rootfs/lib64
	bundle b '/vol/id -u' "$(with_hook) | $(source=/usr volume /usr rbind,ro) | $(volume /vol rbind "$(rows 4321 4322 1)")
		| .process.user = {uid: 4321, gid: 4321} | .process.noNewPrivileges = false"
	run -0 --separate-stderr with_runc b
	same 'who one is' 4321 "$output"
	rm -rf b
	bundle b '/vol/id -u' "$(with_hook) | $(source=/usr volume /usr rbind,ro) | $(volume /vol rbind,suid "$(rows 4321 4322 1)")
		| .process.user = {uid: 4321, gid: 4321} | .process.noNewPrivileges = false"
	run -0 --separate-stderr with_runc b
	same 'with suid' 4322 "$output"
	fake /vol
	run -0 --separate-stderr run_hook "$fake" /mnt/b
	same 'note' "idmount: oci-hook: note: added nodev to the mount at /vol, since files of user 4321 appear as user 4322's; the option dev of a mount prevents that" "$stderr"
}

@test "in a user namespace the IDs inside decide" {
	# The container's own map shows every ID by its number.
	bundle b "$look_at_vol" "$(with_hook) | $userns | $(volume /vol rbind "$(rows 0 100000 65536)")"
	[[ $(vol_options b) == *nodev* && $(vol_options b) != *nosuid* ]]
	# Disk ID 1000 is the container's root.
	rm -rf b
	bundle b "$look_at_vol" "$(with_hook) | $userns | $(volume /vol rbind "$(rows 1000 100000 1)")"
	[[ $(vol_options b) == *nosuid,nodev* ]]
	# This disk ID keeps its number, which does not exist in the container.
	rm -rf b
	bundle b "$look_at_vol" "$(with_hook) | $userns | $(volume /vol rbind "$(rows 1000 1000 1)")"
	[[ $(vol_options b) == *nosuid,nodev* ]]
}

# check_propagation FILTER ROWS: that of a mapped volume whose source is shared, for each word.
check_propagation()
{
	local words expected

	for words in rprivate:- rslave:master rshared:shared,master; do
		rm -rf b
		bundle b "grep ' /vol .*idmapped' /proc/self/mountinfo" "$1 | $(volume /vol "rbind,${words%:*}" "$2")"
		run -0 with_runc b
		expected=${words#*:}
		same "$words" "$expected" "$(sed -E 's/.*idmapped//; s/ - .*//; s/:[0-9]+//g; s/ propagate_from//' <<<"$output" | xargs | tr ' ' , | sed 's/^$/-/')"
	done
}

@test "propagation: private, a slave of the host's, and a peer where the runtime lets it" {
	local words

	mount --bind --make-shared src src
	check_propagation "$(with_hook)" "$(rows 1000 5 1)"
	# A mount made inside appears outside only if the runtime allows it.
	mkdir src/inner
	for words in rslave:0 rshared:1; do
		rm -rf b
		bundle b 'mount -t tmpfs x /vol/inner && echo made' \
			"$(with_hook) | .linux.rootfsPropagation = \"${words%:*}\" | $(volume /vol rbind,rshared "$(rows 1000 0 1)")
			| .process.capabilities |= map_values(. + [\"CAP_SYS_ADMIN\"])"
		prints made with_runc b
		same "$words" "${words#*:}" "$(mounts_at /mnt/src/inner)"
		same "$words: the source" 1 "$(mounts_at /mnt/src)"
	done
	umount src/inner
	rm -rf b
	bundle b true "$(with_hook) | .linux.rootfsPropagation = \"rshared\" | $(volume /vol rbind,rshared "$(rows 1000 0 1)")
		| $(source=/mnt/dst volume /vol/inner rbind "$(rows 0 1 1)")"
	run with_runc b
	((status != 0))
	[[ $output == *'bind on /vol/inner: attach in the container: it is below a mount that is shared with the host, where it would appear too'* ]]
	same 'the source' 1 "$(mounts_at /mnt/src)"
}

admin='.process.capabilities |= map_values(. + ["CAP_SYS_ADMIN"])'

# The kernel locks mounts when it copies them for another user namespace. The hook's mounts are to be as locked as those
# of the runtime.
@test "a container in its own user namespace changes no mount of the host" {
	local name before

	mount --bind --make-shared src src
	mkdir src/inner src/sub
	echo hidden >src/sub/secret
	mount_mappable src/sub
	chown 1000:1000 src/sub
	before=$(grep ' /mnt/src' /proc/self/mountinfo)
	bundle b 'mount -t tmpfs x /vol/inner && echo made; busybox umount /vol/sub; busybox umount -l /vol/sub; cat /vol/sub/secret
		busybox umount -l /vol && echo unmounted' \
		"$(with_hook) | $userns | .linux.rootfsPropagation = \"rshared\" | $(volume /vol rbind,rshared "$(rows 1000 100000 1)") | $admin"
	for name in with_runc with_crun; do
		run -0 --separate-stderr $name b
		same "$name: output" $'made\nunmounted' "$output"
		[[ $stderr == *"can't unmount /vol/sub: Invalid argument"*"can't unmount /vol/sub: Invalid argument"*"can't open '/vol/sub/secret'"* ]]
		same "$name: the host's mounts" "$before" "$(grep ' /mnt/src' /proc/self/mountinfo)"
	done
}

@test "in its own user namespace: private, a slave of the host's, and never a peer of it" {
	mount --bind --make-shared src src
	check_propagation "$(with_hook) | $userns | .linux.rootfsPropagation = \"rshared\"" "$(rows 1000 100005 1)"
	same 'peers of the source' '' "$(grep -E ' /mnt/src .* shared:' /proc/self/mountinfo | grep -o 'master:.*')"
}

@test "a container in its own user namespace keeps the attributes of the host's mount, and those of its options" {
	local name

	mount --bind src src
	mkdir src/sub
	mount_mappable src/sub
	chmod 777 src/sub
	mount -o remount,ro src/sub
	mount -o remount,bind,ro,noexec src
	bundle b 'for d in /vol /vol/sub /other; do
			mount -o remount,bind,rw $d 2>/dev/null; mount -o remount,bind,ro,suid,dev,exec $d 2>/dev/null
			grep " $d ro" /proc/self/mountinfo; touch $d/new
		done' \
		"$(with_hook) | $userns | $(volume /vol rbind,rw,exec "$(rows 1000 100000 1)")
		| $(source=/mnt/dst volume /other rbind,ro "$(rows 0 100000 1)") | $admin"
	for name in with_runc with_crun; do
		run ! --separate-stderr $name b
		[[ $output == *' /vol ro,nosuid,nodev,noexec,'*$'\n'*' /vol/sub ro,'*$'\n'*' /other ro,nodev,'* ]]
		[[ $stderr == *'/vol/new: Read-only'*'/vol/sub/new: Read-only'*'/other/new: Read-only'* ]]
	done
	[[ ! -e dst/new ]]
}

# With or without a user namespace: podman writes rw for each volume without ro.
@test "rw, suid, dev and exec clear nothing that the host's own mount has" {
	local words

	mount --bind src src
	mkdir src/sub
	mount_mappable src/sub
	mount -o remount,bind,ro,nosuid,nodev,noexec src/sub
	mount -o remount,bind,ro,nosuid,nodev,noexec src
	fake /vol
	for words in rbind,rw,suid,dev,exec rbind,rrw,rsuid,rdev,rexec rbind,rro,rw,suid,dev,exec; do
		rm -rf b
		bundle b true "$(volume /vol "$words" "$(rows 1000 7 1)")"
		run -0 --separate-stderr run_hook "$fake" /mnt/b
		same "$words: note" '' "$stderr"
		same "$words: attributes" 2 "$(mounts_of "$fake" | grep -c ' /mnt/rootfs/vol[/sub]* ro,nosuid,nodev,noexec,')"
	done
	# An option can undo what another one sets for all mounts.
	mount -o remount,bind,rw,suid,dev,exec src
	rm -rf b
	bundle b true "$(volume /vol rbind,rro,rw,dev,suid "$(rows 1000 7 1)")"
	quietly run_hook "$fake" /mnt/b
	same 'attributes' rw,relatime,idmapped "$(mounts_of "$fake" | awk '$5 == "/mnt/rootfs/vol" { options = $6 } END { print options }')"
}

@test "mounts on locked mounts, files, and a nested mount of a container in its own user namespace" {
	mkdir src/tmp src/sub src/deep
	mount --bind --make-shared src src
	mount_mappable src/sub
	echo content >src/1000
	touch rootfs/file
	bundle b 'stat -f -c %T /vol/tmp; cat /file /vol/1000; stat -c %u /vol/1000 /vol/deep/1000 /file; touch /vol/tmp/x /vol/deep/1000; stat -f -c %T /vol/sub' \
		"$(with_hook) | $userns | $(volume /vol rbind,rshared "$(rows 1000 100000 1)")
		| .mounts += [{destination: \"/vol/tmp\", type: \"tmpfs\", source: \"tmpfs\", options: [\"nosuid\"]}]
		| $(volume /vol/deep rbind "$(rows 1000 100000 1)") | $(source=/mnt/src/1000 volume /file bind "$(rows 1000 100000 1)")"
	run -0 with_runc b
	same output $'tmpfs\ncontent\ncontent\n0\n0\n0\n'"$(stat -f -c %T src/sub)" "$output"
	[[ ! -e src/tmp/x ]]
}

# fake_with_userns PATH...: as fake, in a user namespace of its own that begins at 100000.
fake_with_userns()
{
	local place

	# shellcheck disable=SC2086 # words
	background ${as_owner:-} unshare --user --mount --propagation private sleep 1000
	fake=${background[-1]}
	until [[ ! /proc/$fake/ns/user -ef /proc/self/ns/user ]]; do
		:
	done
	echo '0 100000 65536' >"/proc/$fake/uid_map"
	echo '0 100000 65536' >"/proc/$fake/gid_map"
	until [[ $(cat "/proc/$fake/comm") == sleep ]]; do
		:
	done
	nsenter --mount --target "$fake" -- mount --rbind /mnt/rootfs /mnt/rootfs
	for place; do
		nsenter --mount --target "$fake" -- mount --rbind /mnt/src "/mnt/rootfs$place"
	done
}

@test "the hook's process in the user namespace of the container has nothing of the host" {
	fake_with_userns /vol
	bundle b true "$(volume /vol rbind,nosuid,nodev "$(rows 1000 100007 1)")"
	prints found python3 "$ROOT/tests/cli/oci-locking.py" "$fake" 0 "$IDMOUNT" oci-hook <<<"$(hook_state "$fake" /mnt/b)"
	same 'mapped mounts in there' 1 "$(mounts_of "$fake" | grep -c idmapped)"
}

# Root of another container can do that to it, where that shares the user namespace and has the host's PID namespace.
@test "the hook does not wait for its process in the user namespace of the container if that is stopped or killed" {
	local signal before

	fake_with_userns /vol
	bundle b true "$(volume /vol rbind,nosuid,nodev "$(rows 1000 100007 1)")"
	before=$(mounts_of "$fake")
	for signal in STOP KILL; do
		fails 1 'idmount: oci-hook: join user namespace: the hook'\''s process in there was killed or stopped' timeout --signal KILL 60 \
			python3 "$ROOT/tests/cli/oci-locking.py" "$fake" "$(kill -l $signal)" "$IDMOUNT" oci-hook <<<"$(hook_state "$fake" /mnt/b)"
		same "$signal: what is mounted in there" "$before" "$(mounts_of "$fake")"
	done
}

# The test has another file instead of the sysctl, which is the machine's.
@test "the hook joins no user namespace of another user if the sysctl fs.suid_dumpable lets that one's processes trace it" {
	local refusal='join user namespace: the sysctl fs.suid_dumpable is 1, so that processes in there can trace the hook'\''s
hint: the administrator can set it to 0 or 2'

	bundle b true "$(volume /vol rbind,nosuid,nodev "$(rows 1000 100007 1)")"
	echo 1 >sysctl
	mount --bind sysctl /proc/sys/fs/suid_dumpable
	fake_with_userns /vol
	prints '' "$IDMOUNT" oci-hook <<<"$(hook_state "$fake" /mnt/b)"
	as_owner='setpriv --reuid 4321 --regid 4321 --clear-groups' fake_with_userns /vol
	hook_refuses "$refusal" "$fake" /mnt/b
	echo 2 >sysctl
	prints '' "$IDMOUNT" oci-hook <<<"$(hook_state "$fake" /mnt/b)"
	same 'mapped mounts in there' 1 "$(mounts_of "$fake" | grep -c idmapped)"
}

# A user namespace can have a limit of 0 for mount namespaces, which its root sets.
@test "if the mounts cannot be locked, none is attached" {
	mkfifo ready
	background unshare --user --map-root-user --mount --propagation private sh -euc '
		mount --rbind /mnt/rootfs /mnt/rootfs
		mount --rbind /mnt/src /mnt/rootfs/vol
		echo 0 >/proc/sys/user/max_mnt_namespaces
		echo >/mnt/ready
		exec sleep 1000'
	fake=${background[-1]}
	read -t 60 -r <>ready
	rm ready
	bundle b true "$(volume /vol rbind "$(rows 1000 0 1)")"
	hook_refuses 'lock the mounts: No space left on device' "$fake" /mnt/b
}

@test "a file" {
	echo content >src/1000
	touch rootfs/file
	bundle b 'cat /file; stat -c %u /file' "$(with_hook) | $(source=/mnt/src/1000 volume /file bind "$(rows 1000 0 1)")"
	run -0 with_runc b
	same output $'content\n0' "$output"
}

@test "a filesystem that is made for the container" {
	[[ $maps_tmpfs ]] || skip 'needs Linux 6.3, for a mapped tmpfs'
	bundle b 'touch /tmp/x; stat -c %u /tmp/x; grep -c " /tmp .*idmapped.* tmpfs " /proc/self/mountinfo' \
		"$(with_hook) | .mounts += [{destination: \"/tmp\", type: \"tmpfs\", source: \"tmpfs\", options: [\"nosuid\"],
			uidMappings: $(rows 0 0 5), gidMappings: $(rows 0 0 5)}]"
	run -0 with_runc b
	same output $'0\n1' "$output"
}

@test "volumes in a filesystem that is made for the container, and has a map" {
	[[ $maps_tmpfs ]] || skip 'needs Linux 6.3, for a mapped tmpfs'
	local name tmpfs='.mounts += [{destination: "/tmp", type: "tmpfs", source: "tmpfs", options: ["nosuid", "mode=1777"]}]'

	echo content >src/1000
	policy 'allow disk=any seen=any'
	bundle b 'stat -c %u:%g /tmp/a/b/1000 /tmp/a/c/1000 /tmp/a; cat /tmp/file; touch /tmp/x; stat -c %u /tmp/x; grep -c " /tmp.*idmapped" /proc/self/mountinfo' \
		"$(with_hook) | $tmpfs | $(volume /tmp/a/b rbind) | $(volume /tmp/a/c rbind) | $(source=/mnt/src/1000 volume /tmp/file bind)
		| .annotations = {\"io.idmount.map/tmp\": \"5:0:9 0:100:2\", \"io.idmount.map/tmp/a/c\": \"1000:7\"}"
	bundle c 'stat -c %u:%g /tmp/a/b/1000 /tmp/a; touch /tmp/x; stat -c %u /tmp/x' \
		"$(with_hook) | $tmpfs | $(volume /tmp/a/b rbind) | .annotations = {\"io.idmount.map/tmp\": \"idmap\"} | $userns"
	for name in with_runc with_crun; do
		run -0 --separate-stderr $name b
		same "$name: output" $'1000:1000\n7:7\n0:0\ncontent\n0\n2' "$output"
		run -0 --separate-stderr $name c
		same "$name: output with a user namespace" $'65534:65534\n0:0\n0' "$output"
	done
	same 'the source' 1000:1000 "$(owner src/1000)"
}

@test "a filesystem that is made for the container, in which the runtime has put files" {
	[[ $maps_tmpfs ]] || skip 'needs Linux 6.3, for a mapped tmpfs'
	fake
	mkdir -p rootfs/tmp
	nsenter --mount --target "$fake" -- sh -euc 'cd /mnt/rootfs; mount -t tmpfs tmpfs dev; touch dev/null; mkdir dev/pts; mount -t tmpfs pts dev/pts; mount -t tmpfs tmpfs tmp'
	bundle b true "$(with_hook) | .mounts |= map(select(.destination == \"/dev\" or .destination == \"/dev/pts\")) | .annotations = {\"io.idmount.map/dev\": \"1000:7\"}"
	hook_refuses 'tmpfs on /dev: attach in the container: the runtime has put null there, which a mapped tmpfs would lack' "$fake" /mnt/b
	nsenter --mount --target "$fake" -- sh -euc 'cd /mnt/rootfs; umount dev/pts; umount dev; mount --bind /mnt/src dev; mount -t ramfs pts dev'
	jq 'del(.mounts[-1])' b/config.json >new
	mv new b/config.json
	hook_refuses 'tmpfs on /dev: attach in the container: expected a tmpfs there, got ramfs' "$fake" /mnt/b
	# No ID in there can create the mount point.
	bundle c true '.mounts = [{destination: "/tmp", type: "tmpfs", source: "tmpfs"}] | .annotations = {"io.idmount.map/tmp": "1000:7"}'
	nsenter --mount --target "$fake" -- sh -euc 'cd /mnt/rootfs; mkdir tmp/vol; mount --rbind /mnt/src tmp/vol'
	jq ".mounts += [{destination: \"/tmp/vol\", type: \"bind\", source: \"/mnt/src\", options: [\"rbind\"]}]" c/config.json >new
	mv new c/config.json
	hook_refuses 'tmpfs on /tmp (annotation io.idmount.map/tmp): vol: create target: its owner has no ID on disk: the map of the mount does not contain it' "$fake" /mnt/c
}

@test "a mapped file replaces the runtime's mount, alone and below a mapped directory" {
	local name

	echo content >src/1000
	touch src/file rootfs/file
	bundle b 'grep -c " /file " /proc/self/mountinfo; grep -c " /vol/file " /proc/self/mountinfo; cat /file /vol/file; stat -c %u /file /vol/file' \
		"$(with_hook) | $(source=/mnt/src/1000 volume /file bind "$(rows 1000 0 1)") | $(volume /vol rbind "$(rows 1000 0 1)")
		| $(source=/mnt/src/1000 volume /vol/file bind "$(rows 1000 0 1)")"
	for name in with_runc with_crun; do
		run -0 --separate-stderr $name b
		same "$name: output" $'1\n1\ncontent\ncontent\n0\n0' "$output"
	done
	same 'the source' 1000 "$(stat -c %u src/1000)"
}

@test "a mapped file is removed again if a later mount fails" {
	mkdir src/inner
	touch rootfs/file
	fake /vol /vol/inner
	nsenter --target "$fake" --mount mount --bind /mnt/src/1000 /mnt/rootfs/file
	bundle b true ".linux.rootfsPropagation = \"rshared\" | $(source=/mnt/src/1000 volume /file bind "$(rows 1000 0 1)")
		| $(volume /vol rbind,rshared "$(rows 1000 0 1)") | $(volume /vol/inner rbind "$(rows 0 1 1)")"
	hook_refuses 'bind on /vol/inner: attach in the container: it is below a mount that is shared with the host, where it would appear too' \
		"$fake" /mnt/b
}

@test "mounts below a mapped mount stay visible, mapped or not" {
	mkdir src/tmp src/sub
	bundle b 'stat -f -c %T /vol/tmp; stat -c %u /vol/1000 /vol/sub/1000; touch /vol/tmp/x' \
		"$(with_hook) | $(volume /vol rbind "$(rows 1000 0 1)")
		| .mounts += [{destination: \"/vol/tmp\", type: \"tmpfs\", source: \"tmpfs\", options: [\"nosuid\"]}]
		| $(volume /vol/sub rbind "$(rows 1000 7 1)")"
	run -0 with_runc b
	same output $'tmpfs\n0\n7' "$output"
	[[ ! -e src/tmp/x ]]
}

@test "an unbindable mount below a mapped mount stays visible, whichever comes first" {
	local words

	mkdir src/sub
	touch dst/upper
	for words in private unbindable runbindable; do
		rm -rf b
		bundle b 'stat -c %u /vol/1000 /vol/sub/upper' \
			"$(with_hook) | $(volume /vol rbind "$(rows 1000 3 1)") | $(source=/mnt/dst volume /vol/sub "rbind,$words" "$(rows 0 7 1)")"
		run -0 --separate-stderr with_runc b
		same "$words: output" $'3\n7' "$output"
		# The runtime has hidden the lower one by /vol.
		rm -rf b
		bundle b true \
			"$(with_hook) | $(source=/mnt/dst volume /vol/sub "rbind,$words" "$(rows 0 7 1)") | $(volume /vol rbind "$(rows 1000 3 1)")"
		run ! --separate-stderr with_runc b
		[[ $stderr == *'bind on /vol/sub: look at the container: the runtime has not mounted it there'* ]]
	done
}

@test "a destination that leads out of the root filesystem stays in it" {
	mkdir -p /mnt/outside rootfs/mnt/outside
	ln -s /mnt/outside rootfs/absolute
	ln -s ../../../../../mnt/outside rootfs/upwards
	for link in absolute upwards; do
		rm -rf b
		bundle b 'stat -c %u /mnt/outside/1000' "$(with_hook) | $(volume "/$link" rbind "$(rows 1000 3 1)")"
		run -0 with_runc b
		same output 3 "$output"
	done
	same 'outside' '' "$(ls /mnt/outside)"
}

@test "two containers share a source under different maps" {
	local go

	mkfifo go1 go2
	for go in 1 2; do
		bundle "b$go" 'stat -c %u /vol/1000; echo ready >/fifo/ready; read -r x </fifo/go; touch /vol/from$NUMBER; stat -c %u /vol/*' \
			"$(with_hook) | .process.env += [\"NUMBER=$go\"] | $(volume /vol rbind "$(rows 1000 "${go}00" 1)") | $(source=/mnt/fifo$go volume /fifo rbind)
			| .process.user = {uid: ${go}00, gid: ${go}00}"
		mkdir -p "fifo$go" rootfs/fifo
		mkfifo -m 666 "fifo$go/ready" "fifo$go/go"
		with_runc "b$go" >"output$go" 3>&- &
		background+=($!)
	done
	read -t 60 -r <>fifo1/ready
	read -t 60 -r <>fifo2/ready
	timeout 60 sh -c "echo >fifo1/go"
	timeout 60 sh -c "echo >fifo2/go"
	wait "${background[@]}"
	background=()
	same 'the first' 100 "$(head -1 output1)"
	same 'the second' 200 "$(head -1 output2)"
	same 'on disk' $'1000:1000\n1000:1000' "$(owner src/from1 src/from2)"
}

@test "a user namespace that is joined by its path" {
	local joined

	mkfifo begun
	background unshare --user sh -c 'echo >/mnt/begun; exec sleep 1000'
	joined=${background[-1]}
	read -t 60 -r <>begun
	echo '0 300000 65536' >"/proc/$joined/uid_map"
	echo '0 300000 65536' >"/proc/$joined/gid_map"
	chown 0:0 src
	bundle b 'stat -c %u /vol/5; touch /vol/new' "$(with_hook) | $(volume /vol rbind) 
		| .mounts[-1].options += [\"idmap\"]
		| .linux.namespaces += [{type: \"user\", path: \"/proc/$joined/ns/user\"}]"
	run -0 with_crun b
	same output 5 "$output"
	same 'on disk' 0:0 "$(owner src/new)"
}

@test "without a map there is nothing to do" {
	bundle b 'echo fine' "$(with_hook) | $(volume /vol rbind)"
	prints fine with_runc b
	fake /vol
	before=$(mounts_of "$fake")
	quietly run_hook "$fake" /mnt/b
	same 'what is mounted in there' "$before" "$(mounts_of "$fake")"
}

@test "a container whose hook fails does not start, and nothing is left" {
	local before

	bundle b 'touch /vol/started' "$(with_hook) | $(volume /vol rbind "$(rows 1000 0 1)") | .annotations = {\"io.idmount.map/nowhere\": \"0:1\"}"
	mkdir -m 700 state
	before=$(state)
	run with_runc b
	((status != 0))
	[[ $output == *'io.idmount.map/nowhere'*'no mount has the destination /nowhere'* ]]
	same 'what is there' "$before" "$(state)"
	[[ ! -e src/started && ! -e state/$prefix-b ]]
}

# The kernel makes no copy of an unbindable mount. So this one is moved.
@test "an unbindable mount without a map moves onto the mapped one" {
	local before

	mkdir -p src/nest/z src/sub
	fake /vol /vol/nest /vol/nest/nest/z
	nsenter --mount --target "$fake" -- sh -c 'mount -t tmpfs sub /mnt/rootfs/vol/sub && mount --make-unbindable /mnt/rootfs/vol/sub'
	before=$(awk '$5 ~ "/vol/sub$" { print $1, $5, $6, $7 }' "/proc/$fake/mountinfo")
	bundle b true "$(volume /vol rbind "$(rows 1000 7 1)") | $(volume /vol/nest rbind) | $(volume /vol/nest/nest/z rbind "$(rows 1000 8 1)")
		| .mounts += [{destination: \"/vol/sub\", type: \"tmpfs\", source: \"tmpfs\"}]"
	run -0 run_hook "$fake" /mnt/b
	same 'the mount' "$before" "$(awk '$5 ~ "/vol/sub$" { print $1, $5, $6, $7 }' "/proc/$fake/mountinfo")"
	[[ $before == *unbindable ]]
	same 'mapped mounts in there' 2 "$(mounts_of "$fake" | grep -c idmapped)"
}

# A directory of an ID that the map does not show: root in there must not search it.
@test "if a later mount cannot be attached, neither the trees nor the unmapped mounts are left" {
	mkdir -p src/hidden/inner
	chmod 700 src/hidden
	chown 5:5 src/hidden
	touch rootfs/file
	fake /other /vol /vol/hidden/inner
	nsenter --target "$fake" --mount mount --bind /mnt/src/1000 /mnt/rootfs/file
	bundle b true "$(source=/mnt/src/1000 volume /file bind "$(rows 1000 0 1)") | $(volume /other rbind "$(rows 1000 7 1)")
		| $(volume /vol rbind "$(rows 1000 7 1)") | $(volume /vol/hidden/inner rbind)"
	refused 1 'idmount: oci-hook: /vol/hidden/inner: attach in the container: find the destination again: Permission denied' run_hook "$fake" /mnt/b
	same 'what is mounted in there' /mnt/rootfs "$(awk '$5 ~ "^/mnt/rootfs" { print $5 }' "/proc/$fake/mountinfo")"
}

@test "invalid state" {
	local text

	fake /vol
	bundle b true "$(volume /vol rbind "$(rows 1000 7 1)")"
	state_refused()
	{
		local expected=$1

		refused 1 "idmount: oci-hook: standard input: read state: $expected" bash -c '"$0" oci-hook <<<"$1"' "$IDMOUNT" "$2"
	}
	state_refused 'line 2, column 1: expected a value, got the end of the text' ''
	state_refused 'line 1, column 1: expected a value, got "garbage"' garbage
	state_refused 'expected an object, got an array' '[]'
	state_refused '"pid" is missing' '{"bundle": "/mnt/b"}'
	state_refused 'line 1, column 9: pid: expected a process number, got 0' '{"pid": 0, "bundle": "/mnt/b"}'
	state_refused 'line 1, column 9: pid: expected a number, got a string' "{\"pid\": \"$fake\", \"bundle\": \"/mnt/b\"}"
	state_refused '"bundle" is missing' "{\"pid\": $fake}"
	state_refused 'bundle: expected an absolute path, got "b"' "{\"pid\": $fake, \"bundle\": \"b\"}"
	refused 2 'idmount: oci-hook: b: expected no operand; the state comes on standard input' idmount oci-hook b
}

@test "a process that is gone, or no container" {
	local gone

	fake /vol
	bundle b true "$(volume /vol rbind "$(rows 1000 7 1)")"
	true &
	gone=$!
	wait "$gone"
	hook_refuses "process $gone: look at the container: no such process" "$gone" /mnt/b
	hook_refuses "process $$: look at the container: it has no mount namespace of its own: its mounts are the host's" $$ /mnt/b
}

# podman before 4.5 copies the annotations of an image, and crun opens the file as root.
@test "no word of an image's author gets into a file that an annotation names" {
	local key

	fake /vol
	# silent FILTER: the hook fails, and writes nothing.
	silent()
	{
		rm -rf b
		bundle b true "$(volume /vol rbind) | $1"
		state="{\"pid\": $fake, \"bundle\": \"/mnt/b\"${2-}}"
		run -1 "$IDMOUNT" oci-hook --log log <<<"$state"
		same 'what it writes' '' "$output"
		grep -F 'level=error' log
		rm log
	}
	# shellcheck disable=SC2016 # a shell that reads the file would expand it
	evil='"io.idmount.map/$(id>pwn)": "1000:0"'
	silent ".annotations = {\"run.oci.hooks.stderr\": \"/etc/profile.d/x.sh\", $evil}"
	silent ".annotations = {\"run.oci.hooks.stderr\": 7, $evil}"
	silent ".annotations = {$evil}" ', "annotations": {"run.oci.hooks.stderr": "/x"}'
	# Parse errors: no string has NUL, which crun's parser accepts.
	silent ".annotations = {\"run.oci.hooks.stderr\": \"/x\", \"\$(id>pwn)\\u0000\": \"\"}"
	# A rule that refuses the map.
	silent '.annotations = {"run.oci.hooks.stderr": "/x", "io.idmount.map/vol": "0:1000"}'
	# A text that ends too early, whether its letters are escaped or not.
	for key in run.oci.hooks.stderr '\u0072un.oci.hooks.stderr'; do
		printf '{"annotations": {"%s": "/x", "$(id>pwn)" 1' "$key" >b/config.json
		run -1 "$IDMOUNT" oci-hook <<<"$state"
		same 'what it writes' '' "$output"
		run -1 "$IDMOUNT" oci-hook <b/config.json
		same 'what it writes' '' "$output"
	done
	# A text that is too long to be read, in the state and in the bundle.
	{
		printf '{"annotations": {"run.oci.hooks.stderr": "/x", "long": "'
		head -c 17M /dev/zero | tr '\0' x
		printf '"}}'
	} >b/config.json
	for key in b/config.json <(echo "$state"); do
		run -1 "$IDMOUNT" oci-hook --log log <"$key"
		same 'what it writes' '' "$output"
		grep -F 'read: expected at most 16777216 bytes' log
		rm log
	done
	# Files of the runtime's own.
	for key in null stderr stdout; do
		rm -rf b
		bundle b true "$(volume /vol rbind) | .annotations = {\"run.oci.hooks.stderr\": \"/dev/$key\", \"io.idmount.map/none\": \"1000:0\"}"
		hook_refuses '/mnt/b/config.json: read plan: annotations["io.idmount.map/none"]: no mount has the destination /none' "$fake" /mnt/b
	done
}

@test "crun: no word of an image's author gets into a file that an annotation names" {
	# shellcheck disable=SC2016 # a shell that reads the file would expand it
	bundle b true "$(with_hook) | $(volume /vol rbind) | .annotations = {\"run.oci.hooks.stderr\": \"/mnt/x.sh\",
		\"run.oci.hooks.stdout\": \"/mnt/y.sh\", \"io.idmount.map/\$(id>pwn)\": \"1000:0\"}"
	run ! with_crun b
	same 'what is in the files' '' "$(cat x.sh y.sh)"
	# crun opens them for any hook. It fails if a hook exits before it has read the state.
	bundle c true '.annotations = {"run.oci.hooks.stderr": "/mnt/z.sh"} |
		.hooks = {createRuntime: [{path: "/bin/sh", args: ["sh", "-c", "cat >/dev/null"]}]}'
	run -0 with_crun c
	same 'what crun has created' '0 z.sh' "$(stat -c '%s %n' z.sh)"
}

@test "invalid bundles" {
	fake /vol
	hook_refuses '/mnt/none: open bundle: No such file or directory' "$fake" /mnt/none
	hook_refuses '/mnt/src/config.json: read: No such file or directory' "$fake" /mnt/src
	mkdir b other
	echo '{' >b/config.json
	hook_refuses '/mnt/b/config.json: read plan: line 2, column 1: expected a key in quotes or '\''}'\'', got the end of the text' "$fake" /mnt/b
	rm -r b
	bundle b true "$(volume /vol rbind "$(rows 1000 7 1)")"
	jq 'del(.mounts)' b/config.json >other/config.json
	hook_refuses '/mnt/other/config.json: read plan: there are no mounts to map' "$fake" /mnt/other
	jq '.root.path = "rootfs"' b/config.json >other/config.json
	hook_refuses 'rootfs: look at the container: open the root filesystem: No such file or directory' "$fake" /mnt/other
	# Another container's root filesystem, which exists only outside.
	mkdir other/rootfs
	mount -t tmpfs x other/rootfs
	hook_refuses $'/mnt/other/rootfs: look at the container: it is another directory in its mount namespace\nhint: a createRuntime hook, with the bundle of that container, finds the same one' \
		"$fake" /mnt/other
	jq '.mounts[-1].uidMappings[0].size = -1' b/config.json >other/config.json
	hook_refuses '/mnt/other/config.json: read plan: mounts[7].uidMappings[0].size: expected a number from 0 to 4294967295, got -1' "$fake" /mnt/other
	jq '.mounts[-1].gidMappings = null' b/config.json >other/config.json
	hook_refuses '/mnt/other/config.json: read plan: mounts[7].uidMappings: gidMappings is missing beside it' "$fake" /mnt/other
}

@test "a process that has changed its root directory" {
	bundle b true "$(volume /vol rbind "$(rows 1000 7 1)")"
	mkfifo ready
	# shellcheck disable=SC2016 # the other shell expands it
	background unshare --mount --propagation private sh -euc '
		mount --rbind /mnt/rootfs /mnt/rootfs
		mount --rbind /mnt/src /mnt/rootfs/vol
		exec chroot /mnt/rootfs sh -c "echo >/vol/ready; exec sleep 1000"'
	mv ready src
	fake=${background[-1]}
	read -t 60 -r <>src/ready
	hook_refuses "process $fake: look at the container: expected the root directory of its mount namespace as its own, got /mnt/rootfs" \
		"$fake" /mnt/b
}

@test "invalid annotations" {
	local key='annotations["io.idmount.map/vol"]'

	fake /vol
	annotation_refused()
	{
		rm -rf b
		bundle b true "${4:-$(volume /vol rbind)} | .annotations = {\"io.idmount.map/$1\": $2}"
		hook_refuses "/mnt/b/config.json: read plan: $3" "$fake" /mnt/b
	}
	annotation_refused vol '"0:1:x"' "$key: 0:1:x: expected a number, got \"x\""
	annotation_refused vol '"root:1"' "$key: root:1: expected a number, got \"root\"; names are not looked up here"
	annotation_refused vol '"owner:1"' "$key: owner:1: expected a number, got \"owner\"; names are not looked up here"
	annotation_refused vol '""' "$key: the map is empty"
	annotation_refused vol '7' "$key: expected a string, got a number"
	annotation_refused vol '"idmap"' "$key: idmap requires uidMappings in linux"
	annotation_refused 'vol": "5:1", "io.idmount.maps' '"{\"/other\": \"ridmap\"}"' \
		'annotations["io.idmount.maps"]: /other: ridmap requires uidMappings in linux' \
		"$(volume /vol rbind) | $(volume /other rbind)"
	annotation_refused none '"0:1"' 'annotations["io.idmount.map/none"]: no mount has the destination /none'
	annotation_refused 'vol": "5:1", "io.idmount.map//vol/' '"5:2"' 'annotations["io.idmount.map//vol/"]: the annotation io.idmount.map/vol has the same destination'
	annotation_refused vol '"0:1"' 'mounts[7]: duplicate map (also given by the annotation io.idmount.map/vol)' "$(volume /vol rbind "$(rows 0 1 1)")"
	annotation_refused vol '"0:1"' "$key: more than one mount has the destination /vol" "$(volume /vol rbind) | $(volume /vol rbind)"
}

@test "destinations where the runtime has not mounted the source" {
	local hint=$'\nhint: a createRuntime hook runs when it has; nothing else may cover the place'

	mkdir /mnt/outside
	ln -s /mnt/outside rootfs/link
	fake /vol
	bundle b true "$(volume /other rbind "$(rows 1000 7 1)")"
	hook_refuses "bind on /other: look at the container: the runtime has not mounted it there$hint" "$fake" /mnt/b
	bundle b true '.mounts[-1].destination = "/none"'
	hook_refuses 'bind on /none: look at the container: there is no such place in its root filesystem' "$fake" /mnt/b
	bundle b true '.mounts[-1].destination = "/link"'
	hook_refuses 'bind on /link: look at the container: there is no such place in its root filesystem' "$fake" /mnt/b
	mkdir -p rootfs/mnt/outside
	hook_refuses "bind on /link: look at the container: the runtime has not mounted it there$hint" "$fake" /mnt/b
	bundle b true '.mounts[-1] += {destination: "/vol", source: "/mnt/rootfs"}'
	hook_refuses "bind on /vol: look at the container: the runtime has not mounted it there$hint" "$fake" /mnt/b
	bundle b true '.mounts[-1] += {source: "/mnt/none"}'
	hook_refuses 'bind on /vol: /mnt/none: open source: No such file or directory' "$fake" /mnt/b
}

@test "the sandbox and other containers of a pod have its annotations, without its volumes" {
	local type

	for type in '"io.kubernetes.cri.container-type"' '"io.kubernetes.cri-o.ContainerType"'; do
		rm -rf b
		policy 'allow disk=0 seen=1'
		bundle b 'echo fine' "$(with_hook) | .annotations = {$type: \"sandbox\", \"io.idmount.map/none\": \"0:1\"}"
		prints fine with_runc b
		bundle b 'echo fine' ".annotations[$type] = \"container\""
		prints fine with_runc b
	done
	# Outside of pods it is an error.
	bundle b 'echo fine' '.annotations = {"io.idmount.map/none": "0:1"}'
	run ! --separate-stderr with_runc b
	[[ $stderr == *'no mount has the destination /none'* ]]
}

# value KEY MAPS: part of FILTER, an annotation with several destinations.
value()
{
	echo ".annotations[\"$1\"] = ($2 | tojson)"
}

@test "maps of several destinations in the value of an annotation" {
	local maps='{"/var/lib/db": "1000:7", "/other/": "idmap=1000:8"}'

	policy 'allow disk=1000 seen=7,8'
	mkdir -p rootfs/var/lib/db
	bundle b 'stat -c %u /var/lib/db/1000 /other/1000' "$(with_hook) | $(volume /var/lib/db rbind) | $(volume /other rbind)
		| $(value io.idmount.maps "$maps")"
	prints $'7\n8' with_runc b
	bundle b 'stat -c %u /var/lib/db/1000 /other/1000' 'del(.hooks)'
	ln -s "$IDMOUNT" idmount-oci-runtime
	prints $'7\n8' /mnt/idmount-oci-runtime --root state run --bundle b "$prefix-b"
	# With a map of the engine, one of the two is an error.
	rm -rf b
	bundle b true "$(volume /vol rbind "$(rows 1000 7 1)") | $(value io.idmount.maps '{"/vol": "1000:7"}')"
	refused 1 'idmount: oci-runtime: /mnt/b/config.json: prepare bundle: mounts[7]: duplicate map (also given by the annotation io.idmount.maps: /vol)' \
		/mnt/idmount-oci-runtime create --bundle b id
	policy 'allow disk=1000 seen=8'
	fake /vol
	bundle c true "$(volume /vol rbind) | $(value io.idmount.maps '{"/vol": "1000:7"}')"
	hook_refuses 'io.idmount.maps: /vol: judge annotation: seen uid 7 is not allowed by line 1 of /etc/idmount/annotations.conf' "$fake" /mnt/c
}

@test "maps for one container of a pod" {
	local key

	policy 'allow namespace=* disk=1000 seen=7'
	for key in io.kubernetes.cri.container-name io.kubernetes.container.name; do
		rm -rf b
		bundle b 'stat -c %u /vol/1000' "$(with_hook) | $(volume /vol rbind) | $(value io.idmount.maps/db '{"/vol": "1000:7"}')
			| .annotations[\"$key\"] = \"db\""
		prints 7 with_runc b
		# The sidecar has the same volume, and no map.
		bundle b 'stat -c %u /vol/1000' ".annotations[\"$key\"] = \"sidecar\""
		prints 1000 with_runc b
		# The map is for this container, so it must have the volume.
		bundle b true ".annotations[\"$key\"] = \"db\" | .mounts[-1].destination = \"/other\""
		run ! --separate-stderr with_runc b
		[[ $stderr == *'no mount has the destination /vol'* ]]
	done
	rm -rf b
	bundle b 'echo fine' "$(with_hook) | $(value io.idmount.maps/db '{"/vol": "1000:7"}') | .annotations[\"io.kubernetes.cri.container-type\"] = \"sandbox\""
	prints fine with_runc b
	fake /vol
	for key in '.annotations["io.kubernetes.pod.namespace"] = "a"' '.annotations["io.container.manager"] = "libpod" | .annotations["io.kubernetes.container.name"] = "db"'; do
		rm -rf b
		bundle b true "$(volume /vol rbind) | $(value io.idmount.maps/db '{"/vol": "1000:7"}') | $key"
		hook_refuses '/mnt/b/config.json: read plan: annotations["io.idmount.maps/db"]: the engine does not name the container' "$fake" /mnt/b
	done
	bundle c true "$(volume /vol rbind) | .annotations = {\"io.kubernetes.container.name\": \"a\", \"io.kubernetes.cri.container-name\": \"db\", \"io.idmount.map/vol\": \"1000:7\"}"
	hook_refuses '/mnt/c/config.json: read plan: annotations: io.kubernetes.container.name: expected the container db of another annotation, got a' "$fake" /mnt/c
}

@test "invalid maps in the value of an annotation" {
	fake /vol
	value_refused()
	{
		rm -rf b
		bundle b true "$(volume /vol rbind) | .annotations = {\"io.idmount.maps$1\": $2}"
		hook_refuses "/mnt/b/config.json: read plan: annotations[\"io.idmount.maps$1\"]: $3" "$fake" /mnt/b
	}
	value_refused '' 7 'expected a string, got a number'
	value_refused '' '"[]"' 'expected an object such as {"/DESTINATION": "MAP"}'
	value_refused '' '"{\"/vol\": 7}"' '/vol: expected a map as a string'
	value_refused '' '"{\"/vol\": \"1000:x\"}"' '/vol: 1000:x: expected a number, got "x"; names are not looked up here'
	value_refused '' '"{\"vol\": \"1000:7\"}"' 'expected a path that begins with a slash, got "vol"'
	value_refused '' '"{\"/\": \"1000:7\"}"' 'expected a path that begins with a slash, got "/"'
	value_refused '' '"{\"/none\": \"1000:7\"}"' 'no mount has the destination /none'
	value_refused '' '"{\"/vol\": \"1000:7\", \"/vol/\": \"1000:7\"}"' 'the annotation io.idmount.maps: /vol has the same destination'
	value_refused / '"{}"' 'unknown annotation, expected io.idmount.maps/CONTAINER'
	value_refused x '"{}"' 'unknown annotation, expected io.idmount.map/DESTINATION'
	bundle b true '.annotations = {"io.idmount.maps": "1000:7"}'
	run -1 run_hook "$fake" /mnt/b
	[[ $output == *'annotations["io.idmount.maps"]: line 1, column 5: expected the end of the text'* ]]
	bundle c true "$(volume /vol rbind) | $(value io.idmount.maps '{"/vol": "1000:7"}') | .annotations[\"io.idmount.map/vol\"] = \"1000:7\""
	hook_refuses '/mnt/c/config.json: read plan: annotations["io.idmount.map/vol"]: the annotation io.idmount.maps: /vol has the same destination' "$fake" /mnt/c
}

# refused_by RULE KEY=VALUE... : hook and front refuse these annotations of the container. VALUE may be empty.
refused_by()
{
	local rule=$1 annotations='{}' pair

	shift
	for pair; do
		annotations=$(jq -c --arg key "${pair%%=*}" --arg value "${pair#*=}" '.[$key] = $value' <<<"$annotations")
	done
	rm -rf b
	bundle b true "$(volume /vol rbind) | .annotations = $annotations"
	hook_refuses "io.idmount.map/vol: judge annotation: $rule" "$fake" /mnt/b
	ln -sf "$IDMOUNT" idmount-oci-runtime
	IDMOUNT_RUNTIME=true refused 1 "idmount: oci-runtime: /mnt/b/config.json: io.idmount.map/vol: judge annotation: $rule" \
		/mnt/idmount-oci-runtime create --bundle b id
}

# allowed KEY=VALUE...: hook and front accept these annotations.
allowed()
{
	local annotations='{}' pair

	for pair; do
		annotations=$(jq -c --arg key "${pair%%=*}" --arg value "${pair#*=}" '.[$key] = $value' <<<"$annotations")
	done
	rm -rf b
	bundle b true "$(volume /vol rbind,nosuid,nodev) | .annotations = $annotations"
	quietly run_hook "$fake" /mnt/b
	same 'mapped mounts in there' 1 "$(mounts_of "$fake" | grep -c idmapped)"
	nsenter --mount --target "$fake" -- umount /mnt/rootfs/vol
	nsenter --mount --target "$fake" -- mount --rbind /mnt/src /mnt/rootfs/vol
}

@test "without rules: no map for a pod, all but those of disk ID 0 for other containers" {
	local file=/etc/idmount/annotations.conf key pod

	policy
	fake /vol
	pod="the default rule refuses all maps of pods; $file is the file that allows them"
	for key in io.kubernetes.cri.container-type io.kubernetes.cri.sandbox-namespace io.kubernetes.cri-o.ContainerType \
		io.kubernetes.pod.namespace io.kubernetes.cri-o.TTY.x devices.crio.io io.containerd.cri.runtime-handler; do
		refused_by "$pod" io.idmount.map/vol=2000:1000 "$key=x"
	done
	refused_by "$pod" io.idmount.map/vol=2000:1000 io.container.manager=cri-o
	for map in 0:1000 u:0:1000,g:5:5 0:100000:65536 7:7,0:5 ridmap=uids=0-1000-1\;gids=5-5-1 'uidmap=5:1000:1 gidmap=0:1000:1'; do
		kind=uid
		[[ $map != uidmap=5* ]] || kind=gid
		refused_by "the default rule refuses disk $kind 0; $file is the file that allows it" "io.idmount.map/vol=$map"
	done
	refused_by "the default rule refuses disk gid 0; $file is the file that allows it" io.idmount.map/vol=u:5:1000,g:0:1000
	allowed io.idmount.map/vol=1000:0
	# podman before 4.5 writes these into each container.
	allowed io.idmount.map/vol=1000:0 io.container.manager=libpod io.kubernetes.cri-o.Created=x io.kubernetes.cri-o.TTY=false
}

@test "the container's own map is refused if it contains disk ID 0" {
	policy
	bundle b 'stat -c %u /vol/0' "$(with_hook) | $(volume /vol rbind) | .annotations = {\"io.idmount.map/vol\": \"idmap\"} | $userns"
	run ! --separate-stderr with_runc b
	[[ $stderr == *'io.idmount.map/vol: judge annotation: the default rule refuses disk uid 0;'* ]]
	# The rules do not limit the engine's own options.
	bundle b 'stat -c %u /vol/0' 'del(.annotations) | .mounts[-1].options += ["idmap"]'
	prints 0 with_runc b
	bundle b 'stat -c %u /vol/0' ".mounts[-1].options -= [\"idmap\"] | .mounts[-1] += {uidMappings: $(rows 0 100007 1), gidMappings: $(rows 0 100000 1)}
		| .annotations = {\"io.kubernetes.cri.container-type\": \"container\"}"
	prints 7 with_runc b
}

@test "rules: the first that matches decides" {
	local file=/etc/idmount/annotations.conf

	fake /vol
	policy '# for one volume' 'deny source=/mnt/src/secret' '' 'allow source=/mnt/srcs disk=any seen=any' \
		'allow namespace=team-a  source=/mnt/ disk=1000-1999 seen=0,5' 'allow namespace=- handler=other disk=any seen=any' 'allow namespace=- source=/mnt/src disk=u:1000,g:100-200 seen=any'
	# A directory above a denied one contains it.
	refused_by "line 2 of $file denies /mnt/src/secret, which is below the source: namespace - (no pod), handler not known, source /mnt/src" io.idmount.map/vol=1000:0
	sed -i '2s/secret//' $file
	refused_by "line 2 of $file denies namespace - (no pod), handler not known, source /mnt/src" io.idmount.map/vol=1000:0
	sed -i 2d $file
	refused_by "disk gid 1000 is not allowed by line 6 of $file" io.idmount.map/vol=1000:0
	refused_by "disk gid 201 is not allowed by line 6 of $file" io.idmount.map/vol=u:1000:0,g:100:0:102
	allowed io.idmount.map/vol=u:1000:0,g:150:0:51
	allowed io.idmount.map/vol=1000:0,1500:5 io.kubernetes.cri.sandbox-namespace=team-a
	refused_by "seen uid 1 is not allowed by line 4 of $file" io.idmount.map/vol=1000:0:2 io.kubernetes.cri.sandbox-namespace=team-a
	refused_by "disk uid 0 is not allowed by line 4 of $file" io.idmount.map/vol=0:0 io.kubernetes.pod.namespace=team-a
	refused_by "no rule of $file matches namespace \"team-b\", handler not known, source /mnt/src" io.idmount.map/vol=1000:0 io.kubernetes.pod.namespace=team-b
	refused_by "no rule of $file matches namespace not known, handler not known, source /mnt/src" io.idmount.map/vol=1000:0 io.kubernetes.pod.namespace=team-a io.container.manager=libpod
	policy 'allow disk=any seen=any' off
	refused_by "line 2 of $file switches annotations off" io.idmount.map/vol=1000:0
	policy
	mkdir /etc/idmount
	: >$file
	refused_by "no rule of $file matches namespace - (no pod), handler not known, source /mnt/src" io.idmount.map/vol=1000:0
}

@test "rules for a runtime handler" {
	local file=/etc/idmount/annotations.conf

	fake /vol
	policy 'allow handler=mapped disk=1000 seen=0'
	refused_by "no rule of $file matches namespace not known, handler not known, source /mnt/src" io.idmount.map/vol=1000:0 io.kubernetes.cri.container-type=container
	refused_by "no rule of $file matches namespace not known, handler not known, source /mnt/src" io.idmount.map/vol=1000:0 io.kubernetes.cri.container-type=container io.containerd.cri.runtime-handler=mapped
	# CRI-O copies a pod's annotations to its containers, also this one, and does not write it there itself.
	refused_by "no rule of $file matches namespace not known, handler not known, source /mnt/src" io.idmount.map/vol=1000:0 io.kubernetes.cri-o.RuntimeHandler=mapped
	# The handler is the name of the front.
	ln -s "$IDMOUNT" idmount-oci-runtime.mapped
	bundle c 'stat -c %u /vol/1000' "$(volume /vol rbind) | .annotations = {\"io.idmount.map/vol\": \"1000:0\", \"io.kubernetes.cri.container-type\": \"container\"}"
	prints 0 /mnt/idmount-oci-runtime.mapped --root state run --bundle c "$prefix-c"
	same 'what the hook is told' '["idmount","oci-hook","--handler","mapped"]' "$(jq -c '.hooks.createRuntime[0].args' c/config.json)"
	prints 0 /mnt/idmount-oci-runtime.mapped --root state run --bundle c "$prefix-c"
	run ! /mnt/idmount-oci-runtime.other --root state run --bundle c "$prefix-c"
}

@test "the rules judge the source that is mounted, whatever path leads there" {
	local file=/etc/idmount/annotations.conf

	mkdir allowed secret
	touch secret/1000
	chown 1000:1000 secret/1000
	ln -s ../secret allowed/link
	ln -s /mnt/allowed/link allowed/again
	policy 'allow source=/mnt/allowed disk=1000 seen=0'
	for path in allowed/link allowed/again allowed/../secret allowed/link/. allowed/link/../secret; do
		rm -rf b
		source=/mnt/$path bundle b 'stat -c %u /vol/1000' "$(with_hook) | $(source=/mnt/$path volume /vol rbind)
			| .annotations = {\"io.idmount.map/vol\": \"1000:0\"}"
		run ! --separate-stderr with_runc b
		echo "$path: $stderr"
		[[ $stderr == *"no rule of $file matches namespace - (no pod), handler not known, source /mnt/secret"* ]]
	done
	policy 'allow source=/mnt/allowed/link disk=1000 seen=0'
	run ! --separate-stderr with_runc b
	[[ $stderr == *"$file: read policy: line 1: source: /mnt/allowed/link contains a symbolic link; name its destination"* ]]
	policy 'allow source=/mnt/secret disk=1000 seen=0'
	prints 0 with_runc b
}

@test "a file of rules that is invalid, or that other users can write" {
	local file=/etc/idmount/annotations.conf

	file_refused()
	{
		rm -rf b
		bundle b true "$(volume /vol rbind) | .annotations = {\"io.idmount.map/vol\": \"1000:0\"}"
		hook_refuses "$1" "$fake" /mnt/b
		ln -sf "$IDMOUNT" idmount-oci-runtime
		IDMOUNT_RUNTIME=true refused 1 "idmount: oci-runtime: /mnt/b/config.json: $1" /mnt/idmount-oci-runtime create --bundle b id
	}
	fake /vol
	policy 'allow disk=1000 seen=0'
	chmod 664 $file
	file_refused "$file: read policy: expected a mode that lets only root write, got 664"
	chmod 646 $file
	file_refused "$file: read policy: expected a mode that lets only root write, got 646"
	chmod 644 $file
	chown 5 $file
	file_refused "$file: read policy: expected root as its owner, got user 5"
	chown 0 $file
	chmod 757 /etc/idmount
	file_refused "/etc/idmount: read policy: expected a mode that lets only root write, got 757"
	chmod 755 /etc/idmount
	chown 5 /etc/idmount
	file_refused "/etc/idmount: read policy: expected root as its owner, got user 5"
	chown 0 /etc/idmount
	mv $file /etc/idmount/real
	ln -s real $file
	file_refused "$file: read policy: it is a symbolic link"
	rm $file
	mkfifo -m 600 $file
	file_refused "$file: read policy: expected a regular file"
	policy 'allow disk=1000 seen=0' 'alow'
	file_refused "$file: read policy: line 2: expected allow, deny or off, got \"alow\""
	policy 'allow disk=1000 seen=0' 'deny namespace=team-*'
	file_refused "$file: read policy: line 2: namespace: expected *, - or one name of a-z, 0-9 and \"-\", got \"team-*\""
	truncate -s 1048577 $file
	file_refused "$file: read policy: expected at most 1 MiB"
	rm -r /etc/idmount
	touch /etc/idmount
	file_refused "/etc/idmount: read policy: Not a directory"
	rm /etc/idmount
	mkdir rules
	ln -s /mnt/rules /etc/idmount
	file_refused "/etc/idmount: read policy: it is a symbolic link"
}

@test "the rules are read again for each container" {
	policy 'allow disk=1000 seen=0'
	bundle b 'stat -c %u /vol/1000' "$(with_hook) | $(volume /vol rbind) | .annotations = {\"io.idmount.map/vol\": \"1000:0\"}"
	prints 0 with_runc b
	policy off
	run ! --separate-stderr with_runc b
	[[ $stderr == *'line 1 of /etc/idmount/annotations.conf switches annotations off'* ]]
	# The same for a pod's sandbox, which has no volumes.
	bundle c 'echo fine' "$(with_hook) | .annotations = {\"io.kubernetes.cri.container-type\": \"sandbox\", \"io.idmount.map/vol\": \"1000:0\"}"
	run ! --separate-stderr with_runc c
	policy
	run ! --separate-stderr with_runc c
	[[ $stderr == *'the default rule refuses all maps of pods'* ]]
}

@test "annotations that name no destination, and unknown ones" {
	local key

	fake /vol
	for key in io.idmount.map io.idmount.map/ io.idmount.map// io.idmount io.idmount/x io.idmount.mapp/vol io.idmount.Map/vol IO.idmount.map/vol io.idmount.map.x \
		io.idmounts/vol io.idmountmap/vol io.idmount-other; do
		rm -rf b
		bundle b true "$(volume /vol rbind) | .annotations = {\"$key\": \"1000:0\"}"
		hook_refuses "/mnt/b/config.json: read plan: annotations[\"$key\"]: unknown annotation, expected io.idmount.map/DESTINATION" "$fake" /mnt/b
		ln -sf "$IDMOUNT" idmount-oci-runtime
		IDMOUNT_RUNTIME=true refused 1 "idmount: oci-runtime: /mnt/b/config.json: read plan: annotations[\"$key\"]: unknown annotation, expected io.idmount.map/DESTINATION" \
			/mnt/idmount-oci-runtime create --bundle b id
	done
	bundle b true '.annotations = {"org.io.idmount.map": "y", "io.idmoun": "", "io.idmoun.t.map/vol": "5:5"}'
	quietly run_hook "$fake" /mnt/b
}

@test "the patterns of contrib start the hook for each of them, also with an empty value" {
	local pattern value key

	pattern=$(jq -r '.when.annotations | keys[0]' "$ROOT/contrib/hooks.d/idmount.json")
	value=$(jq -r '.when.annotations[]' "$ROOT/contrib/hooks.d/idmount.json")
	# matches PATTERN TEXT: Go's syntax is Python's here.
	matches()
	{
		python3 -c 'import re, sys; sys.exit(not re.search(*sys.argv[1:]))' "$@"
	}
	for key in io.idmount.map/vol io.idmount.map io.idmount.other/x io.idmount io.idmounts/vol io.idmountmap/vol IO.IDmount.map/vol; do
		matches "$pattern" "$key"
		matches "$value" ''
	done
	! matches "$pattern" org.io.idmount.map
}

@test "an overlay whose upper directory the runtime uses is not mounted a second time" {
	local mount='{destination: "/vol", type: "overlay", source: "overlay", options: ["lowerdir=/mnt/src", "upperdir=/mnt/up", "workdir=/mnt/work"]}'

	mkdir up work
	bundle b true "$(with_hook) | .mounts += [$mount + {uidMappings: $(rows 1000 0 1), gidMappings: $(rows 1000 0 1)}]"
	run ! --separate-stderr with_runc b
	echo "$stderr"
	[[ $stderr == *"mounts[7]: upperdir=/mnt/up is in use by the runtime's overlay: a second one on it would damage it"* ]]
	bundle c true "$(with_hook) | .mounts += [$mount] | .annotations = {\"io.idmount.map/vol\": \"1000:0\"}"
	run ! --separate-stderr with_runc c
	[[ $stderr == *"mounts[7]: upperdir=/mnt/up is in use by the runtime's overlay"* ]]
	ln -s "$IDMOUNT" idmount-oci-runtime
	IDMOUNT_RUNTIME=true run -1 /mnt/idmount-oci-runtime create --bundle c id
	[[ $output == *"mounts[7]: upperdir=/mnt/up is in use by the runtime's overlay"* ]]
	# There are several sources, and no rule names them.
	policy 'allow disk=any seen=any'
	bundle d true "$(with_hook) | .mounts += [$mount | .options = [\"lowerdir=/mnt/src:/mnt/up\"]] | .annotations = {\"io.idmount.map/vol\": \"1000:0\"}"
	run ! --separate-stderr with_runc d
	[[ $stderr == *'io.idmount.map/vol: judge annotation: an annotation cannot map an overlay'* ]]
}

@test "an error about a source names the mount, and the annotation that asks for its map" {
	fake /vol
	source=/proc
	bundle b true "$(volume /vol bind) | .annotations = {\"io.idmount.map/vol\": \"1000:0\"}"
	nsenter --target "$fake" --mount mount --bind /proc /mnt/rootfs/vol
	hook_refuses 'bind on /vol (annotation io.idmount.map/vol): map tree: the filesystem (proc) cannot be ID-mapped'$'\n'"$some_can" "$fake" /mnt/b
	rm -r b
	bundle b true "$(volume /vol bind "$(rows 1000 0 1)")"
	hook_refuses 'bind on /vol: map tree: the filesystem (proc) cannot be ID-mapped'$'\n'"$some_can" "$fake" /mnt/b
	rm -r b
	bundle b true "$(source=/mnt/none volume /vol bind) | .annotations = {\"io.idmount.maps\": \"{\\\"/vol\\\": \\\"1000:0\\\"}\"}"
	hook_refuses 'bind on /vol (annotation io.idmount.maps: /vol): /mnt/none: open source: No such file or directory' "$fake" /mnt/b
	# A filesystem that is made for the container.
	mkdir rootfs/none
	nsenter --target "$fake" --mount mount -t proc proc /mnt/rootfs/none
	rm -r b
	bundle b true '.mounts += [{destination: "/none", type: "proc", source: "proc"}] | .annotations = {"io.idmount.map/none": "1000:0"}'
	hook_refuses 'proc on /none (annotation io.idmount.map/none): make mount: this kernel cannot ID-map the filesystem' "$fake" /mnt/b
}

@test "a source that is ID-mapped already is refused" {
	local hint=$'\nhint: name it by a path where it has no map, or give no new map: it keeps the one that it has'

	mkdir seen
	idmount mount -m 1000:2000 src seen
	fake /vol
	nsenter --mount --target "$fake" -- mount --rbind /mnt/seen /mnt/rootfs/vol
	source=/mnt/seen bundle b true "$(source=/mnt/seen volume /vol rbind "$(rows 2000 0 1)")"
	hook_refuses "bind on /vol: /mnt/seen: open source: its mount is ID-mapped already$hint" "$fake" /mnt/b
	mkdir above above/sub
	idmount mount -m 1000:2000 src above/sub
	nsenter --mount --target "$fake" -- mount --rbind /mnt/above /mnt/rootfs/vol
	bundle c true "$(source=/mnt/above volume /vol rbind,ridmap "$(rows 2000 0 1)")"
	hook_refuses "bind on /vol: /mnt/above/sub: open source: its mount is ID-mapped already$hint" "$fake" /mnt/c
}

@test "the options of an engine are in the arguments, and have to mean one mount" {
	fake /vol
	bundle b true "$(volume /vol rbind)"
	given_refused()
	{
		local expected=$1 before

		shift
		before=$(mounts_of "$fake")
		refused 1 "idmount: oci-hook: /mnt/b/config.json: $expected" \
			bash -c '"$0" oci-hook "$@" <<<"{\"pid\": '"$fake"', \"bundle\": \"/mnt/b\"}"' "$IDMOUNT" "$@"
		same 'what is mounted in there' "$before" "$(mounts_of "$fake")"
	}
	given_refused '1000:0: read plan: expected VALUE/DESTINATION' --map 1000:0
	given_refused '1000:0/none: read plan: no mount has the destination /none' --map 1000:0/none
	given_refused '5:5//vol/: read plan: duplicate map for /vol' --map 1000:0/vol --map 5:5//vol/
	given_refused 'x/vol: read plan: x: expected [u:|g:|b:]DISK:SEEN[:COUNT]' --map x/vol
	bundle b true '.annotations = {"io.idmount.map/vol": "5:5"}'
	given_refused 'read plan: mounts[7]: duplicate map (also given by the annotation io.idmount.map/vol)' --map 1000:0/vol
}

# Exchanges two names until it is killed.
exchange()
{
	exec python3 -c '
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
a, b = (os.fsencode(path) for path in sys.argv[1:])
while True:
    if libc.renameat2(-100, a, -100, b, 2) != 0:
        sys.exit(os.strerror(ctypes.get_errno()))' "$1" "$2"
}

@test "a destination whose path becomes a link: the tree is where the hook looked, or nowhere" {
	local attached=0 i mount parent under exchange directory

	mkdir -p rootfs/d/vol rootfs/e/vol
	ln -s e rootfs/link
	fake /d/vol
	# It replaces the runtime's mount.
	under=$(awk '$5 ~ "/d/vol$" { print $2 }' "/proc/$fake/mountinfo")
	bundle b true "$(volume /d/vol rbind,nosuid,nodev "$(rows 1000 0 1)")"
	background exchange rootfs/d rootfs/link
	exchange=${background[-1]}
	for ((i = 0; i < 300; i++)); do
		run_hook "$fake" /mnt/b 2>error || continue
		attached=$((attached + 1))
		read -r mount parent _ < <(grep idmapped "/proc/$fake/mountinfo")
		same "the mount below $mount" "$under" "$parent"
		kill -STOP "$exchange"
		until grep -q '^State:.T' "/proc/$exchange/status"; do
			:
		done
		directory=d
		[[ ! -L rootfs/d ]] || directory=link
		nsenter --mount --target "$fake" -- umount "/mnt/rootfs/$directory/vol"
		nsenter --mount --target "$fake" -- mount --rbind /mnt/src "/mnt/rootfs/$directory/vol"
		kill -CONT "$exchange"
	done
	((attached > 0))
}

@test "nothing unmapped is below a mapped mount" {
	local runtime

	mkdir -p src/sub rootfs/other/below
	ln -s busybox rootfs/bin/umount
	ln -s busybox rootfs/bin/ls
	for runtime in runc crun; do
		rm -rf b
		bundle b 'stat -c %u /vol/1000; umount /vol; ls /vol; stat -c %u /other/sub/1000; umount -l /other; ls /other' \
			"$(with_hook) | $(volume /vol rbind,ro "$(rows 1000 7 1)") | $(volume /other rbind "$(rows 1000 7 1)")
			| $(volume /other/sub rbind) | .process.capabilities |= map_values(. + [\"CAP_SYS_ADMIN\"])"
		run -0 --separate-stderr "with_$runtime" b
		same "$runtime: output" $'7\n1000\nbelow' "$output"
	done
}

# uncover FILE [LIMIT]: prints a command for a container: the owner of FILE, and again after each unmount of its mount.
uncover()
{
	echo "for i in 1 2 3 4 5; do stat -c %u $1 || echo none; umount -l ${2:-${1%/*}} || break; done 2>/dev/null"
}

# Linux before 6.3 maps no tmpfs, so that most tests of this file require it.
@test "nothing unmapped is below a mapped mount of ext4, in a shared volume, too" {
	local name

	truncate -s 16M image
	mkfs.ext4 -q image
	mount -o loop image src
	mkdir -p src/sub dst/inner
	touch src/1000 src/sub/5 dst/file
	chown 1000:1000 src/1000
	chown 5:5 src/sub/5
	mount --bind --make-shared dst dst
	ln -s busybox rootfs/bin/umount
	for name in with_runc with_crun; do
		rm -rf b
		bundle b "stat -c %u /vol/sub/5; $(uncover /vol/1000); $(uncover /other/inner/1000); $(uncover /other/file /other/file)" \
			"$(with_hook) | $(volume /vol rbind "$(rows 1000 7 1)") | $(source=/mnt/src/sub volume /vol/sub rbind,unbindable)
			| $(source=/mnt/dst volume /other rbind,rshared) | $(volume /other/inner rbind "$(rows 1000 8 1)")
			| $(source=/mnt/src/1000 volume /other/file bind "$(rows 1000 9 1)")
			| .linux.rootfsPropagation = \"rshared\" | .process.capabilities |= map_values(. + [\"CAP_SYS_ADMIN\"])"
		run -0 --separate-stderr $name b
		same "$name: IDs" $'5\n7\nnone\n8\nnone\n9\n0' "$output"
		run ! grep idmapped /proc/self/mountinfo
		umount -ql dst/inner dst/file || true
	done
}

@test "nothing unmapped is below a mapped mount in a nest of mapped and unmapped ones" {
	local runtime middle own first

	ln -s busybox rootfs/bin/umount
	mkdir -p src/sub dst/z dst/y/z tree
	touch dst/f dst/y/f tree/1000
	chown 1000:1000 tree tree/1000
	# In the user namespace, too, this one is another user than the owner of the tree.
	chown 165000 dst/f
	for runtime in runc crun; do
		# With a user namespace of the container, and then without one.
		own=$userns first=100000
		for middle in "$(source=/mnt/dst volume /vol/sub rbind)" "$(source=/mnt/dst volume /vol/sub rbind) | $(source=/mnt/dst/y volume /vol/sub/y rbind)" \
			'.mounts += [{destination: "/vol/sub", type: "tmpfs", source: "tmpfs"}]'; do
			rm -rf b
			bundle b "$(uncover /vol/sub/z/1000); $(uncover /vol/sub/y/z/1000); $(uncover /vol/sub/f /vol/sub/f)" \
				"$(with_hook) | $(volume /vol rbind) | $middle | $(source=/mnt/tree volume /vol/sub/z rbind)
				| $(source=/mnt/tree volume /vol/sub/y/z rbind) | $(source=/mnt/tree/1000 volume /vol/sub/f bind)
				| .annotations = {\"io.idmount.map/vol\": \"1000:$((first + 3))\", \"io.idmount.map/vol/sub/z\": \"1000:$((first + 7))\",
					\"io.idmount.map/vol/sub/y/z\": \"1000:$((first + 8))\", \"io.idmount.map/vol/sub/f\": \"1000:$((first + 9))\"}
				| $own | .process.capabilities |= map_values(. + [\"CAP_SYS_ADMIN\"])"
			run -0 --separate-stderr "with_$runtime" b
			echo "$runtime, $middle: $output"
			[[ $output == *7*8*9* && $output != *1000* && $output != *65534* ]]
			own=. first=0
		done
	done
}

@test "nothing unmapped is below an unbindable mapped mount" {
	local name words

	ln -s busybox rootfs/bin/umount
	mkdir -p src/sub src/below
	mount_mappable src/below
	touch rootfs/file
	for words in unbindable runbindable; do
		rm -rf b
		bundle b "grep -E ' /(vol|vol/sub|vol/below|file) ' /proc/self/mountinfo | cut -d ' ' -f 5,7; $(uncover /file /file); $(uncover /vol/sub/1000); $(uncover /vol/1000)" \
			"$(with_hook) | $(source=/mnt/src/1000 volume /file "bind,$words") | $(volume /vol "rbind,$words") | $(volume /vol/sub "rbind,$words")
			| .annotations = {\"io.idmount.map/vol\": \"1000:3\", \"io.idmount.map/vol/sub\": \"1000:7\", \"io.idmount.map/file\": \"1000:9\"}
			| .process.capabilities |= map_values(. + [\"CAP_SYS_ADMIN\"])"
		for name in with_runc with_crun; do
			run -0 --separate-stderr $name b
			echo "$output"
			# crun sets the propagation of all mounts afterwards.
			[[ $name == with_crun ]] || same "$words, $name: propagation" "$(printf '%s\n' '/file unbindable' '/vol unbindable' "/vol/below $([[ $words == r* ]] && echo unbindable || echo -)" '/vol/sub unbindable' | sort)" \
				"$(grep ' ' <<<"$output" | sort)"
			same "$words, $name: IDs" $'9\n0\n7\nnone\n3\nnone' "$(grep -v ' ' <<<"$output")"
		done
	done
}

@test "a mapped volume in a shared one: nothing unmapped is below, and the host gets no mount" {
	local name propagation file=/vol/inner/1000

	mount --bind --make-shared dst dst
	mkdir dst/inner dst/new
	touch dst/file
	ln -s busybox rootfs/bin/umount
	for name in with_runc with_crun; do
		for propagation in rslave rshared; do
			rm -rf b
			bundle b "$(uncover $file); $(uncover /vol/file /vol/file); mount -t tmpfs new /vol/new" \
				"$(with_hook) | .linux.rootfsPropagation = \"$propagation\" | $(source=/mnt/dst volume /vol rbind,rshared)
				| $(volume /vol/inner rbind "$(rows 1000 7 1)") | $(source=/mnt/src/1000 volume /vol/file bind "$(rows 1000 8 1)")
				| .process.capabilities |= map_values(. + [\"CAP_SYS_ADMIN\"])"
			run -0 --separate-stderr $name b
			# The destination itself is bare.
			same "$name, $propagation: IDs" $'7\nnone\n8\n0' "$output"
			run ! grep idmapped /proc/self/mountinfo
			# It is a peer of the host's as before.
			same "$name, $propagation: the mount inside" "$([[ $propagation == rshared ]] && echo 1 || echo 0)" "$(mounts_at /mnt/dst/new)"
			umount -q dst/new dst/inner dst/file || true
		done
	done
}

# nested_volume COMMAND: a mapped volume in one that is a peer of the host's.
nested_volume()
{
	rm -rf b
	bundle b "$1" "$(with_hook) | .linux.rootfsPropagation = \"rshared\" | $(source=/mnt/dst volume /vol rbind,rshared)
		| $(volume /vol/inner rbind "$(rows 1000 7 1)")"
}

# What the second runtime mounts appears in the first container, too, below the mapped mount.
@test "a mapped volume in a shared one stays when another container has the same" {
	local name first

	mount --bind --make-shared dst dst
	mkdir dst/inner
	for name in with_runc with_crun; do
		mkfifo dst/ready dst/go
		nested_volume 'echo >/vol/ready; read -r line </vol/go; stat -c %u /vol/inner/1000; grep -c "/vol/inner" /proc/self/mountinfo'
		background "$name" b >first
		first=${background[-1]}
		read -r <dst/ready
		prefix=second-$prefix nested_volume 'stat -c %u /vol/inner/1000'
		prefix=second-$prefix run -0 --separate-stderr "$name" b
		same "$name: IDs in the second" 7 "$output"
		same "$name: the host's mounts" 0 "$(mounts_at /mnt/dst/inner)"
		echo >dst/go
		wait "$first"
		same "$name: IDs and mounts in the first" $'7\n1' "$(<first)"
		rm dst/ready dst/go
	done
}

# docs/engines.md describes it.
@test "a mapped volume in a shared one: the host gets one that has mounts below it" {
	mount --bind --make-shared dst dst
	mkdir dst/inner src/sub
	mount_mappable src/sub
	nested_volume 'stat -c %u /vol/inner/1000'
	run -0 --separate-stderr with_runc b
	same 'IDs' 7 "$output"
	same "the host's mounts" '1 1' "$(mounts_at /mnt/dst/inner) $(mounts_at /mnt/dst/inner/sub)"
}

# The runtime's mount is on that of the host, which is a peer of it.
@test "mounts that an earlier container has left in a shared volume of the host" {
	local name

	mount --bind --make-shared dst dst
	mkdir dst/inner
	touch dst/file
	mount --bind src dst/inner
	mount --bind src/1000 dst/file
	for name in with_runc with_crun; do
		rm -rf b
		bundle b 'stat -c %u /vol/inner/1000 /vol/file' \
			"$(with_hook) | .linux.rootfsPropagation = \"rshared\" | $(source=/mnt/dst volume /vol rbind,rshared)
			| $(volume /vol/inner rbind "$(rows 1000 7 1)") | $(source=/mnt/src/1000 volume /vol/file bind "$(rows 1000 8 1)")"
		run -0 --separate-stderr $name b
		same "$name: IDs" $'7\n8' "$output"
		run ! grep idmapped /proc/self/mountinfo
	done
}

@test "a place on a shared mount requires Linux 5.15" {
	local before

	mkdir dst/inner
	fake
	nsenter --mount --target "$fake" -- sh -c 'mount --bind /mnt/dst /mnt/rootfs/vol && mount --make-shared /mnt/rootfs/vol && mount --rbind /mnt/src /mnt/rootfs/vol/inner && mount --make-private /mnt/rootfs/vol/inner'
	before=$(mounts_of "$fake")
	bundle b true "$(source=/mnt/dst volume /vol rbind,rshared) | $(volume /vol/inner rbind "$(rows 1000 7 1)")"
	refused 1 'idmount: oci-hook: bind on /vol/inner: attach in the container: a place on a shared mount is not supported by this kernel (needs Linux 5.15)' \
		without_set_group "$IDMOUNT" oci-hook <<<"$(hook_state "$fake" /mnt/b)"
	same 'what is mounted in there' "$before" "$(mounts_of "$fake")"
}

@test "mounts of the host below a volume that is its peer stay" {
	local name before

	mount --bind --make-shared src src
	mkdir src/sub
	mount_mappable src/sub
	mkdir src/sub/sub
	mount_mappable src/sub/sub
	bundle b true "$(with_hook) | .linux.rootfsPropagation = \"rshared\" | $(volume /vol rbind,rshared "$(rows 1000 0 1)")"
	before=$(cat /proc/self/mountinfo)
	for name in with_runc with_crun; do
		quietly $name b
		same "$name: mounts of the host" "$(awk '$5 ~ "^/mnt/src"' <<<"$before")" "$(awk '$5 ~ "^/mnt/src"' /proc/self/mountinfo)"
	done
}

@test "two destinations at one place are refused with both names" {
	local hint='\nhint: symbolic links can be the cause; name another destination for one of the two'
	local name mapped one='it is at the same place as the mount on'

	mapped=$(rows 1000 7 1)
	mkdir -p rootfs/real/sub src/sub dst/below
	ln -s real rootfs/data
	ln -s ../real/sub/../sub rootfs/etc/deep
	ln -s . src/self
	touch rootfs/file src/file
	ln -s /file rootfs/other/file
	at_one_place()
	{
		local expected=$1

		shift
		rm -rf b
		bundle b true "$(with_hook) $(printf ' | %s' "$@")"
		run ! --separate-stderr with_runc b
		echo "$stderr"
		[[ $stderr == *"look at the container: $expected"* ]]
	}
	at_one_place "$one /real$hint" "$(volume /real rbind "$mapped")" "$(volume /data rbind "$(rows 1000 0 1)")"
	[[ $stderr == *"bind on /data: look at"* ]]
	at_one_place "$one /data$hint" "$(volume /data rbind "$mapped")" "$(volume /real rbind "$(rows 1000 0 1)")"
	# One of them has no map.
	at_one_place "$one /data$hint" "$(volume /real rbind "$mapped")" "$(volume /data rbind)"
	at_one_place "$one /real$hint" "$(volume /real rbind)" "$(volume /data rbind "$mapped")"
	at_one_place "$one /real$hint" "$(source=/mnt/dst volume /real rbind)" "$(volume /data rbind "$mapped")"
	at_one_place "$one /real/sub$hint" "$(volume /real/sub rbind "$mapped")" "$(volume /etc/deep rbind "$mapped")"
	# The link is in a volume.
	at_one_place "$one /vol$hint" "$(volume /vol rbind "$mapped")" "$(volume /vol/self rbind "$mapped")"
	at_one_place "$one /file$hint" "$(source=/mnt/src/1000 volume /file bind "$mapped")" "$(source=/mnt/src/1000 volume /other/file bind "$(rows 1000 0 1)")"
	# A volume on a directory above. What is seen at the place below is in that volume.
	mount_mappable dst/below
	mkdir rootfs/real/below
	at_one_place "it is hidden by the mount on /data$hint" "$(source=/mnt/dst/below volume /real/below rbind "$mapped")" "$(source=/mnt/dst volume /data rbind)"
	# Without a map it is the engine's business. Places that only begin alike are two.
	mkdir rootfs/realm
	bundle c 'stat -c %u /realm/1000 /data/sub/1000' "$(with_hook) | $(volume /real rbind) | $(volume /data rbind) | $(volume /realm rbind "$mapped") | $(volume /data/sub rbind "$mapped")"
	for name in with_runc with_crun; do
		run -0 --separate-stderr $name c
		same "$name: output" $'7\n7' "$output"
	done
}

@test "a link to the root filesystem itself is refused" {
	ln -s / rootfs/link
	fake
	bundle b true "$(source=/mnt/rootfs volume /link rbind "$(rows 1000 7 1)")"
	hook_refuses 'bind on /link: look at the container: its place is the root filesystem itself' "$fake" /mnt/b
}

@test "a link to a submount of the host that has the same root as the source" {
	local map name

	map=$(rows 1000 7 1)
	mkdir -p src/sub tree rootfs/vol/sub
	touch tree/1000
	chown 1000:1000 tree tree/1000
	mount --bind tree src/sub
	ln -s /vol/sub rootfs/link
	# The volume covers the runtime's mount, and has the same directory there.
	bundle b true "$(with_hook) | $(source=/mnt/tree volume /link rbind "$map") | $(volume /vol rbind)"
	run ! --separate-stderr with_runc b
	[[ $stderr == *'bind on /link: look at the container: it is hidden by the mount on /vol'* ]]
	# The runtime's mount covers that of the host.
	bundle c 'stat -c %u /vol/sub/1000 /link/1000' "$(with_hook) | $(volume /vol rbind) | $(source=/mnt/tree volume /link rbind "$map")"
	# The covered mount has no map: the volume has one, and so does the host's mount in it.
	bundle d 'stat -c %u /vol/sub/1000 /vol/1000' "$(with_hook) | $(source=/mnt/tree volume /link rbind) | $(volume /vol rbind)
		| .annotations = {\"io.idmount.map/vol\": \"1000:7\"}"
	for name in with_runc with_crun; do
		prints $'7\n7' $name c
		prints $'7\n7' $name d
	done
}

lost_hint=$'\nhint: either another hook has made it, or names in a shared volume change'

@test "a mount that another hook has made below a mapped volume is not lost silently" {
	mkdir -p src/sub/deep
	mount_mappable src/sub
	mkdir src/sub/deep
	fake /vol
	bundle b true "$(volume /vol rbind "$(rows 1000 0 1)")"
	nsenter --mount --target "$fake" -- mount -t tmpfs mask /mnt/rootfs/vol/sub/deep
	hook_refuses 'bind on /vol: attach in the container: the mount at /vol/sub/deep would be lost'"$lost_hint" "$fake" /mnt/b
	nsenter --mount --target "$fake" -- umount /mnt/rootfs/vol/sub/deep
	# The source has the mount on sub, too. Another one over it counts all the same.
	nsenter --mount --target "$fake" -- mount -t tmpfs mask /mnt/rootfs/vol/sub
	hook_refuses 'bind on /vol: attach in the container: the mount at /vol/sub would be lost'"$lost_hint" "$fake" /mnt/b
	nsenter --mount --target "$fake" -- umount /mnt/rootfs/vol/sub
	run -0 run_hook "$fake" /mnt/b
}

@test "mounts of the source that another mount hides, there and in the container" {
	local name

	mkdir -p src/a/b src/c
	mount_mappable src/a
	mkdir -p src/a/b/deep
	mount_mappable src/a/b
	mkdir src/a/b/deep
	mount_mappable src/a/b/deep
	# It hides the two below, and has no directory for them.
	mount_mappable src/a
	touch src/a/1000
	chown 1000:1000 src/a/1000
	bundle b 'stat -c %u /vol/1000 /vol/a/1000; umount /vol/a; stat -c %u /vol/a/1000; umount /vol/a/b/deep /vol/a/b && echo all' \
		"$(with_hook) | $(volume /vol rbind) | .annotations = {\"io.idmount.map/vol\": \"1000:7\"}
		| .process.capabilities |= map_values(. + [\"CAP_SYS_ADMIN\"])"
	for name in with_runc with_crun; do
		run --separate-stderr $name b
		same "$name: output" $'7\n7\nall' "$output"
	done
}

@test "a mount that another hook has made, and that one of the source's hides, is not lost silently" {
	mkdir -p src/sub/deep
	mount_mappable src/sub
	fake /vol
	bundle b true "$(volume /vol rbind "$(rows 1000 0 1)")"
	nsenter --mount --target "$fake" -- sh -euc 'cd /mnt; umount rootfs/vol/sub; mount -t tmpfs mask rootfs/vol/sub/deep; mount --bind src/sub rootfs/vol/sub'
	hook_refuses 'bind on /vol: attach in the container: the mount at /vol/sub/deep would be lost'"$lost_hint" "$fake" /mnt/b
}

# Unmounting the tree would uncover the lower one.
@test "a source that another hook has mounted at the same place, too" {
	local hint=$'\nhint: either another hook or the host has mounted it in the root filesystem' place

	touch rootfs/file
	for place in vol:/mnt/src file:/mnt/src/1000; do
		rm -rf b
		source=${place#*:} bundle b true "$(source=${place#*:} volume "/${place%:*}" rbind,nosuid,nodev "$(rows 1000 7 1)")"
		fake
		nsenter --mount --target "$fake" -- mount --rbind "${place#*:}" "/mnt/rootfs/${place%:*}"
		nsenter --mount --target "$fake" -- mount --bind "${place#*:}" "/mnt/rootfs/${place%:*}"
		hook_refuses "bind on /${place%:*}: attach in the container: the source is also mounted below it, without a map$hint" "$fake" /mnt/b
		nsenter --mount --target "$fake" -- umount "/mnt/rootfs/${place%:*}"
		quietly "$IDMOUNT" oci-hook <<<"$(hook_state "$fake" /mnt/b)"
	done
}

# The map of the volume alone. The runtime does not look into the mounts below either.
@test "a FUSE filesystem below a volume: it may admit its own user only, or its server may be dead" {
	local kind

	[[ -c /dev/fuse ]] || skip 'there is no /dev/fuse'
	mkdir src/fuse
	for kind in '' dead; do
		background python3 "$ROOT/tests/cli/fuse.py" src/fuse 1000 $kind
		until (($(mounts_at /mnt/src/fuse))); do
			kill -0 "${background[-1]}" || skip 'FUSE cannot be mounted here'
		done
		fake /vol
		rm -rf b
		bundle b true "$(volume /vol rbind,nosuid,nodev "$(rows 1000 7 1)")"
		quietly timeout --signal KILL 60 "$IDMOUNT" oci-hook <<<"$(hook_state "$fake" /mnt/b)"
		same "$kind: mounts" '/mnt/rootfs/vol idmapped
/mnt/rootfs/vol/fuse ' "$(awk '$5 ~ "/vol" { print $5, $6 ~ "idmapped" ? "idmapped" : "" }' "/proc/$fake/mountinfo" | sort)"
		umount -l src/fuse
	done
}

@test "names that a neighbour changes below a mapped volume take no mount away" {
	local change reason loop='Too many levels of symbolic links'

	[[ $IDM_LIBC != musl ]] || loop='Symbolic link loop'
	mkdir -p src/in dst
	while IFS=: read -r change reason; do
		fake /vol
		nsenter --mount --target "$fake" -- mount --bind /mnt/dst /mnt/rootfs/vol/in
		bundle b true "$(volume /vol rbind "$(rows 1000 0 1)") | $(source=/mnt/dst volume /vol/in bind)"
		mv src/in src/away
		bash -c "$change"
		hook_refuses "/vol/in: look at the container: ${reason//+/$'\n'}" "$fake" /mnt/b
		rm -rf src/in b
		mv src/away src/in
	done <<EOF
true:there is no such place in its root filesystem
ln -s in src/in:$loop
mkdir src/in:the runtime has not mounted it there+hint: a createRuntime hook runs when it has; nothing else may cover the place
EOF
}

@test "a volume in a shared one that is mounted twice: no unmapped copy stays" {
	local name order volumes words

	mount --bind --make-shared dst dst
	mkdir dst/inner rootfs/twice
	for name in with_runc with_crun; do
		for words in rshared rslave rprivate; do
			for order in 1 2; do
				rm -rf b
				volumes="$(source=/mnt/dst volume /twice "rbind,$words") | $(volume /vol/inner rbind,rprivate "$(rows 1000 7 1)")"
				[[ $order == 1 ]] || volumes="$(volume /vol/inner rbind,rprivate "$(rows 1000 7 1)") | $(source=/mnt/dst volume /twice "rbind,$words")"
				bundle b 'stat -c %u /vol/inner/1000; stat -c %u /twice/inner/1000 || true' \
					"$(with_hook) | .linux.rootfsPropagation = \"rshared\" | $(source=/mnt/dst volume /vol rbind,rshared) | $volumes"
				run --separate-stderr $name b
				echo "$name, $words, $order: $status: $output $stderr"
				[[ $output != *1000* ]]
				if [[ $words$order == rprivate1 ]]; then
					same "$name, $words, $order: IDs" 7 "$output"
				else
					same "$name, $words, $order" '' "$output"
					# crun shows the hook's exit status alone.
					[[ $name == with_crun || $stderr == *'bind on /vol/inner: attach in the container: it is on a shared mount, and so is also at /twice/inner, without its map'* ]]
				fi
				while umount -q dst/inner; do
					:
				done
			done
		done
	done
}

# To look for each parent in the whole table, for each mount, would need 10^11 steps.
@test "a container with ten thousand mounts on top of each other" {
	mkdir rootfs/same
	fake /vol
	nsenter --mount --target "$fake" -- python3 -c '
import ctypes
for _ in range(10000):
    assert ctypes.CDLL(None).mount(b"/mnt/src", b"/mnt/rootfs/same", None, 4096, None) == 0'
	bundle b true "$(volume /vol bind,nosuid,nodev "$(rows 1000 7 1)")"
	run -0 timeout --signal KILL 60 "$IDMOUNT" oci-hook <<<"$(hook_state "$fake" /mnt/b)"
}

# The name is free to choose. The device tells that the one has no copies of what is on the other.
@test "a volume that is also on another filesystem of the same name has no unmapped copy" {
	local place

	mkdir rootfs/same
	fake
	for place in vol same; do
		nsenter --mount --target "$fake" -- sh -euc "
			mount -t tmpfs --make-shared same-name /mnt/rootfs/$place
			mkdir /mnt/rootfs/$place/inner
			mount --bind /mnt/src /mnt/rootfs/$place/inner"
	done
	bundle b true "$(volume /vol/inner bind,nosuid,nodev "$(rows 1000 7 1)")"
	run -0 run_hook "$fake" /mnt/b
	same 'mounts' $'/mnt/rootfs/same/inner \n/mnt/rootfs/vol/inner idmapped' \
		"$(awk '$5 ~ "/inner" { print $5, $6 ~ "idmapped" ? "idmapped" : "" }' "/proc/$fake/mountinfo" | sort)"
}

# docs/engines.md describes it. No hook of the container runs when the host mounts.
@test "a filesystem that the host mounts later in a volume with rslave has no map" {
	local words expected

	mount --bind --make-shared src src
	mkdir src/sub fifo rootfs/fifo
	mkfifo fifo/ready fifo/go
	for words in rslave rshared rprivate; do
		rm -rf b
		bundle b 'echo >/fifo/ready; read -r x </fifo/go; stat -c %u /vol/1000; stat -c %u /vol/sub/1000 || echo none; grep " /vol/sub " /proc/self/mountinfo' \
			"$(with_hook) | $(volume /vol "rbind,$words" "$(rows 1000 7 1)") | $(source=/mnt/fifo volume /fifo rbind)"
		background with_runc b >output 2>/dev/null
		read -t 60 -r <>fifo/ready
		mount_mappable src/sub
		touch src/sub/1000
		chown 1000:1000 src/sub/1000
		echo >fifo/go
		wait "${background[-1]}" || true
		umount src/sub
		expected=$'7\n1000'
		[[ $words != rprivate ]] || expected=$'7\nnone'
		same "$words: IDs" "$expected" "$(head -n 2 output)"
		run ! grep -E 'idmapped|nosuid|nodev' <(tail -n +3 output)
		same "$words: mounts" "$([[ $words == rprivate ]] && echo 2 || echo 3)" "$(wc -l <output)"
	done
}

@test "random nests of volumes: no mapped one is uncovered" {
	run -0 python3 "$ROOT/tests/cli/oci-nests.py" "$IDMOUNT" 150
	echo "$output"
	[[ $output == *refused ]]
}
