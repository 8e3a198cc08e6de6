# SPDX-License-Identifier: MIT
# Engines and runtimes, each with the same cases: the rows of the table in docs/engines.md.
load common
private_mounts
load podman
load cases

setup()
{
	set_up_cases
}

teardown()
{
	tear_down_engine
}

# ---- the runtimes alone ----

# make_bundle CASE ID COMMAND
make_bundle()
{
	local filter=. source=/mnt/vol options='["rbind"]'

	[[ $1 != read-only ]] || options='["rbind", "ro"]'
	[[ $1 != option ]] || options='["rbind", "idmap"]'
	[[ $1 != userns && $1 != option ]] || filter='.linux.namespaces += [{type: "user"}]
		| .linux.uidMappings = [{containerID: 0, hostID: 100000, size: 65536}] | .linux.gidMappings = .linux.uidMappings'
	[[ -z ${annotation[$1]-} ]] || filter+=" | .annotations = {\"${annotation[$1]%%=*}\": \"${annotation[$1]#*=}\"}"
	[[ $1 != mappings ]] || filter+=' | .mounts[-1] += {uidMappings: [{containerID: 1000, hostID: 0, size: 1}]}
		| .mounts[-1].gidMappings = .mounts[-1].uidMappings'
	rm -rf "$2"
	mkdir "$2"
	runc spec --bundle "$2"
	jq --arg command "$3" --arg source "$source" --arg group "/$group/$2" "
		.process.terminal = false | .process.args = [\"sh\", \"-c\", \$command] | .process.env = [\"PATH=/bin\"]
		| .root = {path: \"/mnt/rootfs\"} | .linux.cgroupsPath = \$group | del(.linux.resources)
		| .mounts += [{destination: \"/vol\", type: \"bind\", source: \$source, options: $options}] | $filter" "$2/config.json" >"$2.json"
	mv "$2.json" "$2/config.json"
}

# runtime_is RUNTIME [PROGRAM]: start() uses that one, by idmount if PROGRAM is that.
runtime_is()
{
	local options=

	mkdir -p rootfs/vol
	tar -xOf "$BATS_FILE_TMPDIR/image.tar" layer.tar | tar -C rootfs -x
	# podman.bats explains why crun has no cgroup.
	[[ $1 == runc ]] || options=--cgroup-manager=disabled
	printf '#!/bin/sh\nIDMOUNT_RUNTIME=%s exec %s %s --root /mnt/engine/state "$@"\n' "$1" "${2-$1}" "$options" >runtime
	chmod +x runtime
	start()
	{
		make_bundle "$@"
		./runtime run --bundle "$2" "$2"
	}
}

ignores='runc before 1.2 ignores maps of mounts. Use idmount as the runtime.'

@test "runc and crun alone" {
	row 'runc alone' runc
	runtime_is runc
	try option 'no map' "$ignores"
	try mappings 'no map' "$ignores"
	row 'crun alone' crun
	runtime_is crun
	try option works
	try mappings works
}

@test "idmount over runc" {
	row 'idmount over runc' runc
	runtime_is runc "$runtime"
	for case in annotation userns option mappings read-only at-once; do
		try $case works
	done
	try wrong 'refused, with the reason'
}

@test "idmount over crun" {
	row 'idmount over crun' crun
	runtime_is crun "$runtime"
	for case in annotation userns option mappings read-only at-once; do
		try $case works
	done
	try wrong 'refused, with the reason'
}

# ---- podman ----

podman()
{
	mkdir hooks
	sed "s|/usr/local/bin/idmount|$IDMOUNT|" "$ROOT/contrib/hooks.d/idmount.json" >hooks/idmount.json
	printf '%s\n' '[storage]' 'driver = "vfs"' 'runroot = "/mnt/engine/run"' 'graphroot = "/mnt/engine/root"' >storage.conf
	configure_podman 'runtime_supports_nocgroup = ["crun", "over-crun"]' '[engine.runtimes]' \
		"over-runc = [\"/mnt/over-runc\"]" "over-crun = [\"/mnt/over-crun\"]"
	for name in runc crun; do
		printf '#!/bin/sh\nIDMOUNT_RUNTIME=%s exec %s "$@"\n' $name "$runtime" >over-$name
		chmod +x over-$name
	done
	export CONTAINERS_STORAGE_CONF=/mnt/storage.conf CONTAINERS_CONF=/mnt/containers.conf
	podman load --quiet --input "$BATS_FILE_TMPDIR/image.tar"
}

podman()
{
	command podman --tmpdir /mnt/engine/tmp "$@"
}

# podman_is OPTION...: start() uses podman with these.
podman_is()
{
	podman_options=("$@")
	cgroups=(--cgroup-parent "/$group")
	[[ $* != *crun* ]] || cgroups=(--cgroups=disabled)
	start()
	{
		local volume=/mnt/vol:/vol options=()

		[[ -z ${annotation[$1]-} ]] || options+=(--annotation "${annotation[$1]}")
		[[ $1 != userns && $1 != option ]] || options+=(--uidmap 0:100000:65536 --gidmap 0:100000:65536)
		[[ $1 != read-only ]] || volume+=:ro
		[[ $1 != option ]] || volume+=:idmap
		podman "${podman_options[@]}" run --rm --network none "${cgroups[@]}" -v "$volume" "${options[@]}" "$IMAGE" sh -c "$3"
	}
}

@test "podman with the hook, and runc" {
	set_up_podman
	row 'podman with the hook, runc' podman runc
	podman_is --runtime runc --hooks-dir /mnt/hooks
	try annotation works
	try userns works
	try option 'no map' "$ignores"
	try read-only works
	try at-once works
	try wrong 'refused, with the reason'
}

@test "podman with the hook, and crun" {
	set_up_podman
	row 'podman with the hook, crun' podman crun
	podman_is --runtime crun --hooks-dir /mnt/hooks
	for case in annotation userns option read-only at-once; do
		try $case works
	done
	try wrong 'refused, without the reason' 'crun discards it. The argument `--log FILE` of the hook stores it.'
}

@test "podman with idmount over runc, and over crun" {
	set_up_podman
	for name in runc crun; do
		row "podman, idmount over $name" podman $name
		podman_is --runtime "$([[ $name == runc ]] && echo idmount || echo idmount-over-crun)"
		for case in annotation userns option read-only at-once; do
			try $case works
		done
		try wrong 'refused, with the reason'
	done
}

# ---- containerd ----

# Without plugins that require a network, or write outside of the engine's directories.
set_up_containerd()
{
	printf '%s\n' 'version = 2' 'root = "/mnt/engine/root"' 'state = "/mnt/engine/state"' \
		'disabled_plugins = ["io.containerd.internal.v1.opt"]' '[grpc]' 'address = "/mnt/engine/containerd.sock"' \
		'[plugins."io.containerd.grpc.v1.cri"]' 'sandbox_image = "test.invalid/pause:1"' 'disable_cgroup = true' \
		'restrict_oom_score_adj = true' '[plugins."io.containerd.grpc.v1.cri".containerd]' 'snapshotter = "native"' >containerd.toml
	"$ROOT/contrib/containerd/handler.sh" --runtime "$runtime" containerd.toml
	daemon containerd --config /mnt/containerd.toml >containerd.log 2>&1
	until ctr version >/dev/null 2>&1; do
		kill -0 "$daemon" || { tail -n 20 containerd.log && return 1; }
		sleep 0.05
	done
}

ctr()
{
	command ctr --address /mnt/engine/containerd.sock "$@"
}

import_image()
{
	ctr "$@" images import --snapshotter native --platform "linux/$(dpkg --print-architecture)" "$BATS_FILE_TMPDIR/image.tar"
}

@test "containerd with ctr" {
	set_up_containerd
	import_image
	row 'containerd with `ctr --runc-binary`, idmount over runc' containerd runc
	start()
	{
		local volume=type=bind,src=/mnt/vol,dst=/vol,options=rbind options=()

		[[ -z ${annotation[$1]-} ]] || options+=(--annotation "${annotation[$1]}")
		[[ $1 != userns && $1 != option ]] || options+=(--uidmap 0:100000:65536 --gidmap 0:100000:65536)
		[[ $1 != read-only ]] || volume+=:ro
		[[ $1 != option ]] || volume+=:idmap
		ctr run --rm --snapshotter native --runc-binary "$runtime" --cgroup "/$group/$2" --cpu-shares 0 \
			--mount "$volume" "${options[@]}" "$IMAGE" "$2" sh -c "$3"
	}
	forgets='`ctr` before 2.0 forgets `--runc-binary`. Name a script `runc`, as [below](#containerd).'
	try annotation works
	try userns 'no map' "$forgets"
	try option 'no map' "$forgets"
	try read-only works
	try at-once works
	try wrong 'refused, with the reason'
}

@test "pods in containerd" {
	set_up_containerd
	"$BATS_TEST_DIRNAME/image.sh" /mnt/pause.tar test.invalid/pause:1 '["sleep", "1000"]'
	protoc --proto_path "$BATS_TEST_DIRNAME" --python_out /mnt cri.proto
	import_image --namespace k8s.io
	BATS_FILE_TMPDIR=/mnt/pause
	mkdir pause
	mv pause.tar pause/image.tar
	import_image --namespace k8s.io
	row 'pods in containerd, idmount over runc' containerd runc
	start()
	{
		POD=$2 READ_ONLY=$([[ $1 == read-only ]] && echo 1) USER_ID=0 /usr/bin/python3 "$BATS_TEST_DIRNAME/cri.py" \
			/mnt/engine/containerd.sock /mnt "$IMAGE" "/$group" default /mnt/vol "${3//\/vol/\/data}" "${annotation[$1]/vol/data}"
	}
	try annotation works
	try read-only works
	try at-once works
	try wrong 'refused, with the reason'
}

# ---- buildah ----

@test "buildah" {
	set_up_podman
	row 'buildah' buildah
	start()
	{
		local container

		container=$(buildah from --pull-never --cgroup-parent "/$group" "$IMAGE")
		buildah config --annotation "${annotation[$1]}" "$container"
		buildah run --isolation oci --runtime "$runtime" --network none --volume /mnt/vol:/vol "$container" sh -c "$3"
	}
	try annotation 'no map' 'buildah passes no annotations on. Map the directory before, as [below](#buildah).'
}
