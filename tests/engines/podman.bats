# SPDX-License-Identifier: MIT
# podman: idmount as a hook (--hooks-dir), and as the runtime (--runtime).
load common
private_mounts
load podman

setup()
{
	set_up_engine
	set_up_podman
	cgroups=(--cgroup-parent "/$group")
}

teardown()
{
	tear_down_engine
}

podman()
{
	command podman --tmpdir /mnt/engine/tmp "${podman_options[@]}" "$@"
}

# hooked RUNTIME OPTION...: with the hook of contrib/hooks.d.
hooked()
{
	podman_options=(--runtime "$1" --hooks-dir /mnt/hooks)
	shift
	box "$@"
}

@test "a volume mapped from 1000 to 0, by a hook, with runc" {
	inside "$seen" hooked runc -v /mnt/vol:/vol --annotation io.idmount.map/vol=1000:0 -- sh -c "$look"
	same 'on disk' 1000:1000 "$(owner vol/new)"
	nothing_is_left
}

# crun 1.8 refuses a mixture of both cgroup layouts. To make a cgroup it raises a limit, and some machines refuse
# that.
@test "the same with crun, without cgroups, and with the hook from containers.conf" {
	cgroups=(--cgroups=disabled)
	podman_options=(--runtime crun)
	sed -i 's|^\[engine\]|&\nhooks_dir = ["/mnt/hooks"]|' containers.conf
	inside "$seen" box -v /mnt/vol:/vol --annotation io.idmount.map/vol=1000:0 -- sh -c "$look"
	same 'on disk' 1000:1000 "$(owner vol/new)"
	nothing_is_left
}

@test "read-only stays read-only, and setuid files of 1000 are not root's" {
	read_only hooked runc -v /mnt/vol:/vol:ro --annotation io.idmount.map/vol=1000:0 --
}

@test "a container with a user namespace: its own map" {
	chown 0:0 vol
	policy 'allow source=/mnt/vol disk=0-65535 seen=100000-165535'
	inside $'0:0 /vol\n1000:1000 /vol/ours\n0:0 /vol/theirs\n0:0 /vol/new\n         0     100000      65536' hooked runc --uidmap 0:100000:65536 --gidmap 0:100000:65536 \
		-v /mnt/vol:/vol --annotation io.idmount.map/vol=idmap -- sh -c "$look; cat /proc/self/uid_map"
	same 'on disk' 0:0 "$(owner vol/new)"
	nothing_is_left
}

@test "two containers, one source, two maps" {
	policy 'allow source=/mnt/vol disk=0,1000 seen=0,7,8'
	run -0 --separate-stderr hooked runc -d --name one -v /mnt/vol:/vol --annotation io.idmount.map/vol=1000:0 -- sleep 1000
	run -0 --separate-stderr hooked runc -d --name two -v /mnt/vol:/vol --annotation io.idmount.map/vol=1000:7+0:8 -- sleep 1000
	prints $'0:0\n65534:65534' podman exec one stat -c %u:%g /vol/ours /vol/theirs
	prints $'7:7\n8:8' podman exec two stat -c %u:%g /vol/ours /vol/theirs
	run -0 podman rm --force --time 0 one two
	nothing_is_left
}

@test "a hook that fails: the container does not start" {
	try()
	{
		does_not_start "$2" hooked runc -v /mnt/vol:/vol --annotation "$1" --
		same 'containers' '' "$(podman ps --all --quiet)"
	}
	try io.idmount.map/vol=1000:x 'x'
	try io.idmount.map/nowhere=1000:0 nowhere
	# These keys start the hook, too.
	try IO.idmount.map/vol=1000:0 'expected io.idmount.map/DESTINATION'
	try Io.IDMOUNT.maps=x 'expected io.idmount.map/DESTINATION'
	try io.idmount.map=1000:0 'expected io.idmount.map/DESTINATION'
	try io.idmount.other/vol=1000:0 'expected io.idmount.map/DESTINATION'
	try io.idmount.map/vol= 'the map is empty'
	try io.idmount.map/vol=0:1000 'the default rule refuses disk uid 0'
}

# podman before 4.5 passes the annotations of an image to its containers.
@test "the author of an image cannot reach files of the host's root" {
	printf 'FROM %s\nUSER 1000:1000\n' "$IMAGE" >Containerfile
	podman build --quiet --annotation io.idmount.map/vol=0:1000 --tag evil:1 --file Containerfile vol
	chown 0:0 vol
	chmod 700 vol
	IMAGE=evil:1
	what='the default rule refuses disk uid 0'
	if ! podman inspect --type image --format '{{.Annotations}}' evil:1 | grep idmount ||
		[[ $(podman --version) != *' 4.3.'* ]]; then
		what='Permission denied'
	fi
	does_not_start "$what" hooked runc -v /mnt/vol:/vol --
	podman_options=(--runtime idmount)
	does_not_start "$what" box -v /mnt/vol:/vol --
	# Keys that claim to be of a pod with a rule of its own do not help either.
	policy 'allow namespace=team-a disk=any seen=any' 'deny'
	does_not_start '' hooked runc --annotation io.kubernetes.pod.namespace=team-a -v /mnt/vol:/vol --
}

# podman 5 does not copy the annotations of an image: the container starts, and nothing was asked for.
refused_by_old_podman()
{
	if [[ $(podman --version) == *' 4.3.'* ]]; then
		does_not_start '' "$@"
	else
		run -0 "$@" true
	fi
}

# crun opens the file of such an annotation as root, for the output of hooks.
@test "the author of an image cannot write words into files of the host" {
	printf 'FROM %s\nVOLUME ["/$(id>pwn2)", "/vol"]\n' "$IMAGE" >Containerfile
	podman build --quiet --tag evil:1 --annotation run.oci.hooks.stderr=/mnt/x.sh \
		--annotation 'io.idmount.map/$(id>pwn2)=1000:x' --file Containerfile vol
	IMAGE=evil:1
	cgroups=(--cgroups=disabled)
	refused_by_old_podman hooked crun --
	same 'what the file has' '' "$(cat x.sh || true)"
	rm -f x.sh
	podman_options=(--runtime idmount-over-crun)
	refused_by_old_podman box --
	[[ ! -e x.sh ]]
}

# crun discards what hooks write.
# podman and CRI-O read such files by the same package of Go.
@test "the condition of the hook's file" {
	# starts N ANNOTATION...: the hook is started N times.
	starts()
	{
		local options=() one

		for one in "${@:2}"; do
			options+=(--annotation "$one")
		done
		: >started
		run -0 hooked runc "${options[@]}" -- true
		same "${*:2}" "$1" "$(wc -l <started)"
	}
	printf '#!/bin/sh\necho "$*" >>/mnt/started\n' >script
	chmod +x script
	jq '.hook.path = "/mnt/script"' "$ROOT/contrib/hooks.d/idmount.json" >hooks/idmount.json
	starts 0
	starts 0 org.example.io.idmount.map/vol=1000:0 io.idmoun=x
	starts 1 io.idmount.map/vol=1000:0
	same 'arguments' oci-hook "$(<started)"
	starts 1 io.idmount.maps=x
	starts 1 IO.idmount.map/vol=
	# podman refuses files of another version of that format.
	jq '.version = "0.9.0"' "$ROOT/contrib/hooks.d/idmount.json" >hooks/idmount.json
	run ! hooked runc -- true
	[[ $output == *'unrecognized hook version'* ]]
}

@test "the hook's reason with crun is in a file that the hook's arguments name" {
	cgroups=(--cgroups=disabled)
	sed -i 's|"oci-hook"|&, "--log", "/mnt/hook.log"|' hooks/idmount.json
	does_not_start '' hooked crun -v /mnt/vol:/vol --annotation io.idmount.map/vol=1000:x --
	grep -F 'expected a number, got \"x\"' hook.log
}

@test "idmount as the runtime, over runc" {
	podman_options=(--runtime idmount)
	inside "$seen" box -v /mnt/vol:/vol --annotation io.idmount.map/vol=1000:0 -- sh -c "$look"
	same 'on disk' 1000:1000 "$(owner vol/new)"
	nothing_is_left
}

# Else podman could take another error of the runtime for the reason, and show that one alone.
@test "podman passes the log to the runtime of contrib" {
	printf '%s\n' '#!/bin/sh' 'printf "%s\n" "$*" >>/mnt/arguments' "exec $IDMOUNT oci-runtime \"\$@\"" >script
	chmod +x script
	sed -i 's|^idmount = .*|idmount = ["/mnt/script"]|' containers.conf
	podman_options=(--runtime idmount)
	does_not_start 'expected a number, got "x"' box -v /mnt/vol:/vol --annotation io.idmount.map/vol=1000:x --
	grep -E -- '--log-format=json .*create|create .*--log-format=json' arguments
}

@test "idmount as the runtime, over crun, without cgroups" {
	cgroups=(--cgroups=disabled)
	podman_options=(--runtime idmount-over-crun)
	inside "$seen" box -v /mnt/vol:/vol --annotation io.idmount.map/vol=1000:0 -- sh -c "$look"
	same 'on disk' 1000:1000 "$(owner vol/new)"
	nothing_is_left
}

@test "idmount as the runtime: podman's own option idmap" {
	podman_options=(--runtime idmount)
	chown 0:0 vol
	inside $'0:0 /vol\n1000:1000 /vol/ours\n0:0 /vol/theirs\n0:0 /vol/new' box --uidmap 0:100000:65536 --gidmap 0:100000:65536 -v /mnt/vol:/vol:idmap -- sh -c "$look"
	same 'on disk' 0:0 "$(owner vol/new)"
	nothing_is_left
}

# podman 4 passes the text on.
@test "idmount as the runtime: maps of IDs in the container" {
	podman_options=(--runtime idmount)
	inside "$seen" box --uidmap 0:100000:65536 --gidmap 0:100000:65536 \
		-v '/mnt/vol:/vol:idmap=uids=@1000-0-1;gids=@1000-0-1' -- sh -c "$look"
	same 'on disk' 1000:1000 "$(owner vol/new)"
	rm vol/new
	inside "$seen" box --uidmap 0:100000:65536 --gidmap 0:100000:65536 -v /mnt/vol:/vol \
		--annotation io.idmount.map/vol=@1000:0 -- sh -c "$look"
	same 'on disk' 1000:1000 "$(owner vol/new)"
	nothing_is_left
}

@test "idmount as the runtime: a user namespace whose IDs podman chooses" {
	printf '%s\n' '[storage.options]' 'root-auto-userns-user = "daemon"' >>storage.conf
	echo daemon:300000:131072 >ranges
	mount --bind ranges /etc/subuid
	mount --bind ranges /etc/subgid
	podman_options=(--runtime idmount)
	inside "$seen"$'\n300000' box --userns=auto -v /mnt/vol:/vol --annotation io.idmount.map/vol=@1000:0 -- \
		sh -c "$look; while read -r a b c; do echo \$b; done </proc/self/uid_map"
	same 'on disk' 1000:1000 "$(owner vol/new)"
	nothing_is_left
}

@test "idmount as the runtime: without a map it is runc" {
	podman_options=(--runtime idmount)
	inside 1000:1000 box -v /mnt/vol:/vol -- stat -c %u:%g /vol
	run -3 --separate-stderr box -- sh -c 'exit 3'
	nothing_is_left
}

@test "idmount explain finds a container by its name and by its ID" {
	local id number name

	cgroups=(--cgroups=disabled)
	podman_options=(--runtime crun)
	id=$(box --detach --name explained --uidmap 0:100000:65536 -v /mnt/vol:/vol -- sleep 1000)
	number=$(podman container inspect --format '{{.State.Pid}}' explained)
	# With the options of this file.
	mkdir bin
	printf '#!/bin/sh\nexec %s --tmpdir /mnt/engine/tmp "$@"\n' "$(type -P podman)" >bin/podman
	chmod 755 bin/podman
	PATH=/mnt/bin:$PATH
	for name in explained "$id" "${id:0:12}"; do
		run -1 idmount explain --container "$name" --write /vol/ours
		[[ $output == *'user namespace: 0:100000:65536'* ]]
		[[ $output == *"cure     idmount cure --pid $number --file "*' /vol/ours setfacl -m u:100000:'* ]]
	done
	remove_explained
	run -1 idmount explain --container explained /
}

# start_explained RUNTIME [OPTION...]: a container with a user namespace and the volume, or with OPTIONs, and the
# podman of this file for explain.
start_explained()
{
	local options=("${@:2}")

	podman_options=(--runtime "$1")
	((${#options[@]})) || options=(-v /mnt/vol:/vol)
	box --detach --name explained "${userns[@]}" "${options[@]}" -- sleep 1000
	[[ ! -d bin ]] || return 0
	mkdir bin
	printf '#!/bin/sh\nexec %s --tmpdir /mnt/engine/tmp "$@"\n' "$(type -P podman)" >bin/podman
	chmod 755 bin/podman
	PATH=/mnt/bin:$PATH
}

# to_own OPTION...: the option that the line names, as words of a shell.
to_own()
{
	local line

	line=$(idmount explain "$@" --write /vol/ours | sed -n 's/^ *to own it: run a new container with //p')
	echo "to own it: $line" >&2
	same 'the line in JSON' "run a new container with $line" "$(idmount explain "$@" --write --json /vol/ours | jq -r '.[0].toOwn')"
	eval "option=($line)"
}

@test "idmount explain: podman's option that lets the container own its volume, as printed" {
	local userns=(--uidmap 0:100000:65536 --gidmap 0:100000:65536) option

	cgroups=(--cgroups=disabled)
	start_explained crun
	inside 65534:65534 podman exec explained stat -c %u:%g /vol/ours
	to_own --container explained
	same 'the option' "--volume /mnt/vol:/vol:idmap=uids=@1000-0-1;gids=@1000-0-1" "${option[*]}"
	# Without idmount.
	inside $'0:0 /vol/ours\n0:0 /vol/new' box "${userns[@]}" "${option[@]}" -- sh -c 'touch /vol/new; stat -c "%u:%g %n" /vol/ours /vol/new'
	same 'on disk' 1000:1000 "$(owner vol/new)"
	remove_explained
}

# The container does not have the ID on disk. crun before 1.13 refuses "@" for it.
@test "idmount explain: podman's option for an ID on disk beyond those of the container, as printed" {
	local userns=(--uidmap 0:100000:500 --gidmap 0:100000:500) option

	cgroups=(--cgroups=disabled)
	start_explained crun
	to_own --container explained
	same 'the option' "--volume /mnt/vol:/vol:idmap=uids=1000-100000-1;gids=1000-100000-1" "${option[*]}"
	inside $'0:0 /vol/ours\n0:0 /vol/new' box "${userns[@]}" "${option[@]}" -- sh -c 'touch /vol/new; stat -c "%u:%g %n" /vol/ours /vol/new'
	same 'on disk' 1000:1000 "$(owner vol/new)"
	# Below the container's IDs on the host, and not inside either.
	chown -R 70000:70000 vol
	userns=(--uidmap 0:100000:65536 --gidmap 0:100000:65536)
	remove_explained
	start_explained crun
	to_own --container explained
	inside $'0:0 /vol/ours\n0:0 /vol/new' box "${userns[@]}" "${option[@]}" -- sh -c 'stat -c "%u:%g %n" /vol/ours /vol/new'
	remove_explained
}

# Once podman has chowned it, the map of :idmap has no entry for its owner.
@test "idmount explain: a named volume with :idmap that podman has chowned: the same volume without it, as printed" {
	local userns=(--uidmap 0:100000:65536 --gidmap 0:100000:65536) option

	cgroups=(--cgroups=disabled)
	podman_options=(--runtime crun)
	box "${userns[@]}" -v named:/vol -- touch /vol/ours
	rm -r vol
	start_explained crun -v named:/vol:idmap
	inside 65534:65534 podman exec explained stat -c %u:%g /vol/ours
	to_own --container explained
	same 'the option' '--volume named:/vol' "${option[*]}"
	inside $'0:0 /vol/ours\n0:0 /vol/new' box "${userns[@]}" "${option[@]}" -- sh -c 'touch /vol/new; stat -c "%u:%g %n" /vol/ours /vol/new'
	# As the owners, also those on disk that the map leaves out.
	same 'owners' $'user 100000 unmapped unmapped 3 -\ngroup 100000 unmapped unmapped 3 -' \
		"$(idmount explain --owners --container explained /vol | sed -n '/^\(user\|group\)/s/  */ /gp')"
	remove_explained
}

# crun maps no mount that has a map.
@test "idmount explain: a volume of a directory that has a map on the host: the option names it without that, as printed" {
	local userns=(--uidmap 0:100000:65536 --gidmap 0:100000:65536) option

	cgroups=(--cgroups=disabled)
	chmod 777 vol
	noting idmount mount --mkdir -m 1000:100000 vol mapped
	podman_options=(--runtime crun)
	start_explained crun --user 5:5 -v /mnt/mapped:/vol
	run -1 podman exec explained touch /vol/new
	[[ $output == *'Value too large'* ]]
	run -1 idmount explain --container explained --create /vol
	[[ $output == *'create   refused, EOVERFLOW: '* ]]
	eval "option=($(sed -n 's/^ *to own it: run a new container with //p' <<<"$output"))"
	same 'the option' '--volume /mnt/vol:/vol:idmap=uids=@1000-5-1;gids=@1000-5-1' "${option[*]}"
	inside '5:5 /vol/new' box "${userns[@]}" --user 5:5 "${option[@]}" -- sh -c 'touch /vol/new; stat -c "%u:%g %n" /vol/new'
	same 'on disk' 1000:1000 "$(owner vol/new)"
	# No mount shows it without a map.
	idmount mount --replace --remap -m 1000:100000 mapped mapped 2>/dev/null
	mount -t tmpfs none vol
	run -1 idmount explain --container explained --create /vol
	[[ $output == *'create   refused, EOVERFLOW: '* && $output != *'to own it'* ]]
	remove_explained
}

# The cures of the key as printed, without the numbers of its files, let the container read it.
cure_key()
{
	run -1 podman exec explained cat /vol/keys/key
	run -1 idmount explain --container explained --read /vol/keys/key
	same 'the cures' $'idmount cure /mnt/vol/keys setfacl -m u:5:x\nidmount cure /mnt/vol/keys/key setfacl -m u:5:r' \
		"$(sed -n 's/^  cure *//p' <<<"$output" | sed 's/ --file [0-9:]*//')"
	PATH=${IDMOUNT%/*}:$PATH sh -ec "$(sed -n 's/^  cure *//p' <<<"$output")"
	inside text podman exec explained cat /vol/keys/key
	remove_explained
}

@test "idmount explain: a closed file of a read-only volume: the cure, as printed" {
	local userns=()

	cgroups=(--cgroups=disabled)
	mkdir -m 700 vol/keys
	echo text >vol/keys/key
	chmod 600 vol/keys/key
	chown 1000:1000 vol/keys vol/keys/key
	start_explained crun --user 5:5 -v /mnt/vol:/vol:ro
	cure_key
	# With a map of the volume, too. User 100005 has the ID 5 on disk there.
	setfacl -Rb vol/keys
	chown -R 0:0 vol
	userns=(--uidmap 0:100000:65536 --gidmap 0:100000:65536)
	start_explained crun --user 5:5 -v /mnt/vol:/vol:ro,idmap
	cure_key
}

@test "idmount explain: the annotation that lets a container own its volume, as printed" {
	local userns=(--uidmap 0:100000:65536 --gidmap 0:100000:65536) option number

	cgroups=(--cgroups=disabled)
	start_explained crun
	number=$(podman container inspect --format '{{.State.Pid}}' explained)
	# Without its control group, the process has no name of podman's.
	to_own --pid "$number"
	same 'the option' "--annotation io.idmount.map/vol=idmap=uids=@1000-0-1;gids=@1000-0-1" "${option[*]}"
	remove_explained
	inside $'0:0 /vol/ours\n0:0 /vol/new' hooked crun "${userns[@]}" -v /mnt/vol:/vol "${option[@]}" -- \
		sh -c 'touch /vol/new; stat -c "%u:%g %n" /vol/ours /vol/new'
	same 'on disk' 1000:1000 "$(owner vol/new)"
}

# podman chose the container's IDs on the host. A new container gets others.
@test "idmount explain: an ID on disk beyond those of a container with --userns=auto: the annotation" {
	local userns=(--userns=auto:size=500) option

	cgroups=(--cgroups=disabled)
	printf '%s\n' '[storage.options]' 'root-auto-userns-user = "daemon"' >>storage.conf
	echo daemon:300000:131072 >ranges
	mount --bind ranges /etc/subuid
	mount --bind ranges /etc/subgid
	start_explained crun
	to_own --container explained
	same 'the option' "--annotation io.idmount.map/vol=idmap=uids=@1000-0-1;gids=@1000-0-1" "${option[*]}"
	# While the first one has its IDs.
	inside $'0:0 /vol/ours\n0:0 /vol/new' hooked crun "${userns[@]}" -v /mnt/vol:/vol "${option[@]}" -- \
		sh -c 'touch /vol/new; stat -c "%u:%g %n" /vol/ours /vol/new'
	same 'on disk' 1000:1000 "$(owner vol/new)"
	remove_explained
}

@test "idmount explain: a process of podman by its control group" {
	local userns=(--uidmap 0:100000:65536 --gidmap 0:100000:65536) option

	start_explained runc
	to_own --pid "$(podman container inspect --format '{{.State.Pid}}' explained)"
	same 'the option' "--runtime crun --volume /mnt/vol:/vol:idmap=uids=@1000-0-1;gids=@1000-0-1" "${option[*]}"
	remove_explained
	# runc before 1.2 would ignore the map in silence.
	cgroups=(--cgroups=disabled)
	inside $'0:0 /vol/ours\n0:0 /vol/new' box "${userns[@]}" "${option[@]}" -- sh -c 'touch /vol/new; stat -c "%u:%g %n" /vol/ours /vol/new'
	same 'on disk' 1000:1000 "$(owner vol/new)"
}
