# SPDX-License-Identifier: MIT
# containerd, through ctr: idmount as the runtime, instead of runc.
load common
private_mounts

setup()
{
	set_up_engine
	ctr_address=/mnt/engine/containerd.sock
	start_containerd
	ctr images import --platform "linux/$(dpkg --print-architecture)" "$BATS_FILE_TMPDIR/image.tar"
}

teardown()
{
	tear_down_engine
}

# The runtime under its usual name, for containers whose options ctr forgets.
make_runc()
{
	mkdir path
	printf '#!/bin/sh\nIDMOUNT_RUNTIME=%s exec "%s" oci-runtime "$@"\n' "$(type -P runc)" "$IDMOUNT" >path/runc
	chmod +x path/runc
}

# Without plugins that require a network, or write outside of the engine's directories.
start_containerd()
{
	make_runc
	cat >containerd.toml <<-'END'
		version = 2
		root = "/mnt/engine/root"
		state = "/mnt/engine/state"
		disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.internal.v1.opt"]
		[grpc]
		  address = "/mnt/engine/containerd.sock"
	END
	daemon env PATH="/mnt/path:$PATH" containerd --config /mnt/containerd.toml >containerd.log 2>&1
	until ctr version >/dev/null 2>&1; do
		kill -0 "$daemon" || { tail -n 20 containerd.log && return 1; }
		sleep 0.05
	done
}

ctr()
{
	command ctr --address "$ctr_address" "$@"
}

# box ID OPTION... -- COMMAND...
box()
{
	local id=$1 options=()

	shift
	while [[ $1 != -- ]]; do
		options+=("$1")
		shift
	done
	shift
	ctr run --snapshotter native --runc-binary "$runtime" --cgroup "/$group/$id" \
		--cpu-shares 0 "${options[@]}" "$IMAGE" "$id" "$@"
}

# once ID ...: runs a container, and removes it afterwards.
once()
{
	box "$1" --rm "${@:2}"
}

volume=type=bind,src=/mnt/vol,dst=/vol,options=rbind


@test "a volume mapped from 1000 to 0" {
	inside "$seen" once one --mount "$volume:rw" --annotation io.idmount.map/vol=1000:0 -- sh -c "$look"
	same 'on disk' 1000:1000 "$(owner vol/new)"
	nothing_is_left
}

@test "read-only stays read-only, and setuid files of 1000 are not root's" {
	read_only once one --mount "$volume:ro" --annotation io.idmount.map/vol=1000:0 --
}

# explained OPTION... PATH: asks ctr for the process of the container "one".
explained()
{
	CONTAINERD_ADDRESS=$ctr_address idmount explain --container one "$@"
}

@test "idmount explain finds a container by its name, and its verdict is the kernel's" {
	policy 'allow source=/mnt/vol disk=1000 seen=0'
	box one --detach --mount "$volume:rw" --annotation io.idmount.map/vol=1000:0 -- sleep 1000
	run -0 explained --write /vol/ours
	[[ $output == *'file     /vol/ours: owner 1000, group 1000'*'seen     owner 0, group 0'* ]]
	ctr task exec --exec-id look one sh -c ': >>/vol/ours'
	run -1 explained --write /vol/theirs
	[[ $output == *'write    refused, EACCES: the mount does not map the owner 0 and the group 0'* ]]
	run ! ctr task exec --exec-id look one sh -c ': >>/vol/theirs'
	[[ $output == *'Permission denied'* ]]
	ctr task kill --signal KILL one
	until ctr task delete one; do
		sleep 0.05
	done
	run -1 explained /
	[[ $output == *'--container: one: none of '*' knows it'* ]]
	ctr container delete one
	nothing_is_left
}

@test "two containers, one source, two maps" {
	policy 'allow source=/mnt/vol disk=0,1000 seen=0,7,8'
	box one --detach --mount "$volume:rw" --annotation io.idmount.map/vol=1000:0 -- sleep 1000
	box two --detach --mount "$volume:rw" --annotation io.idmount.map/vol=1000:7,0:8 -- sleep 1000
	prints $'0:0\n65534:65534' ctr task exec --exec-id look one stat -c %u:%g /vol/ours /vol/theirs
	prints $'7:7\n8:8' ctr task exec --exec-id look two stat -c %u:%g /vol/ours /vol/theirs
	for name in one two; do
		ctr task kill --signal KILL $name
		until ctr task delete $name; do
			sleep 0.05
		done
		ctr container delete $name
	done
	nothing_is_left
}

@test "a hook that fails: the container does not start" {
	try()
	{
		does_not_start "$2" once one --mount "$volume:rw" --annotation "$1" --
		same 'tasks' '' "$(ctr tasks list --quiet)"
	}
	try io.idmount.map/vol=1000:x 'x'
	try io.idmount.map/nowhere=1000:0 nowhere
	try io.idmount.map=1000:0 'expected io.idmount.map/DESTINATION'
	try io.idmount.map/vol= 'the map is empty'
	try io.idmount.map/vol=0:1000 'the default rule refuses disk uid 0'
	policy 'allow source=/mnt disk=2000 seen=1000' 'deny'
	try io.idmount.map/vol=1000:0 'disk uid 1000 is not allowed by line 1 of /etc/idmount/annotations.conf'
}

# Does what a shim does: mounts the snapshot, with the map of the container that is to run on it.
make_bundle()
{
	local chain

	chain=$(tar -xOf "$BATS_FILE_TMPDIR/image.tar" config.json | jq -r '.rootfs.diff_ids[0]')
	mkdir -p box/rootfs
	ctr snapshots --snapshotter overlayfs prepare --mounts box "$chain" >box/mounts.json
	(cd box && runc spec)
	jq --arg group "/$group/box" --arg command "$1" '
		.process.terminal = false | .process.args = ["sh", "-c", $command] | .process.env = ["PATH=/bin"]
		| .root = {"path": "/mnt/box/rootfs"} | .linux.cgroupsPath = $group | del(.linux.resources)
		| .linux.namespaces += [{"type": "user"}]
		| .linux.uidMappings = [{"containerID": 0, "hostID": 100000, "size": 65536}]
		| .linux.gidMappings = .linux.uidMappings' box/config.json >new.json
	mv new.json box/config.json
	upper=$(jq -r '.[0].Options[] | select(startswith("upperdir=")) | ltrimstr("upperdir=")' box/mounts.json)
}

@test "idmount bundle mounts what containerd says, and a runtime runs there" {
	make_bundle 'stat -c %u:%g /bin/busybox; touch /tmp/new'
	all_before=$(cat /proc/self/mountinfo)
	for engine in runc crun; do
		quietly idmount bundle mount --upper-ids disk box
		inside 0:0 run_with_$engine
		same 'on disk' 0:0 "$(owner "$upper/tmp/new")"
		rm "$upper/tmp/new"
		quietly idmount bundle umount box
		same 'mounts' "$all_before" "$(cat /proc/self/mountinfo)"
	done
	nothing_is_left
}

run_with_runc()
{
	runc --root /mnt/engine/runc run --bundle box box
}

# It runs without a cgroup; podman.bats explains why.
run_with_crun()
{
	crun --cgroup-manager disabled --root /mnt/engine/crun run --bundle box box
}

# ctr before 2.0 ignores --runc-binary together with --uidmap; ctr 1.7 also if the configuration has a user namespace.
# containerd then starts the runc in its PATH.
@test "a container with a user namespace: its own map" {
	make_bundle "$look"
	jq '.mounts += [{"destination": "/vol", "source": "/mnt/vol", "options": ["rbind", "idmap"]}]' box/config.json >new.json
	mv new.json box/config.json
	chown 0:0 vol
	quietly idmount bundle mount --upper-ids disk box
	inside $'0:0 /vol\n1000:1000 /vol/ours\n0:0 /vol/theirs\n0:0 /vol/new' \
		ctr run --rm --config box/config.json box
	same 'on disk' 0:0 "$(owner vol/new)"
	quietly idmount bundle umount box
	nothing_is_left
}
