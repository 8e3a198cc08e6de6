# SPDX-License-Identifier: MIT
# Engines and runtimes, each with the same cases: the rows of the table in docs/engines.md.
load common
private_mounts
load podman
load pods
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

# try_with_runc CASE: a map that only runc itself can make.
try_with_runc()
{
	if is_older_than 1.2 runc; then
		try "$1" 'no map' "$ignores"
	else
		try "$1" works
	fi
}

@test "runc and crun alone" {
	row 'runc alone' runc
	runtime_is runc
	try_with_runc option
	try_with_runc mappings
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
	try_with_runc option
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

@test "containerd with ctr" {
	set_up_pods
	import_image "$BATS_FILE_TMPDIR/image.tar"
	row 'containerd with `ctr --runc-binary`, idmount over runc' containerd runc
	start()
	{
		local volume=type=bind,src=/mnt/vol,dst=/vol,options=rbind options=()

		[[ -z ${annotation[$1]-} ]] || options+=(--annotation "${annotation[$1]}")
		[[ $1 != userns && $1 != option ]] || options+=(--uidmap 0:100000:65536 --gidmap 0:100000:65536)
		[[ $1 != read-only ]] || volume+=:ro
		[[ $1 != option ]] || volume+=:idmap
		ctr run --rm --runc-binary "$runtime" --cgroup "/$group/$2" --cpu-shares 0 \
			--mount "$volume" "${options[@]}" "$IMAGE" "$2" sh -c "$3"
	}
	forgets='`ctr` before 2.0 forgets `--runc-binary`. Name a script `runc`, as [below](#containerd).'
	try annotation works
	for case in userns option; do
		if is_older_than 2.0 containerd; then
			try $case 'no map' "$forgets"
		else
			try $case works
		fi
	done
	try read-only works
	try at-once works
	try wrong 'refused, with the reason'
}

@test "pods in containerd" {
	set_up_pods
	row 'pods in containerd, idmount over runc' containerd runc
	start()
	{
		local userns=

		[[ $1 != userns ]] || userns=yes
		[[ $1 != option ]] || userns=mappings
		POD=$2 READ_ONLY=$([[ $1 == read-only ]] && echo 1) USER_ID=0 USERNS=$userns pod default /mnt/vol \
			"${3//\/vol/\/data}" ${annotation[$1]+"${annotation[$1]/vol/data}"}
	}
	try annotation works
	# The CRI of containerd 1.6 ignores user namespaces.
	is_older_than 1.7 containerd || try userns works
	if ! is_older_than 2.0 containerd; then
		try option works
	elif ! is_older_than 1.7 containerd; then
		try option 'refused, without the reason' 'containerd 1.7 does not map volumes by itself. Annotations work.'
	fi
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
