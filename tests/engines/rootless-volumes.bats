# SPDX-License-Identifier: MIT
# Volumes of rootless podman: the hook and the runtime ask idmountd for maps.
load common
private_mounts
load rootless

setup()
{
	set_up_rootless 'driver = "vfs"'
	podman_options=(--runtime idmount)
	mkdir joe/vol
	echo text >joe/vol/ours
	chown -R 1500:1500 joe/vol
	podman load --quiet --input image.tar
}

teardown()
{
	tear_down_rootless
}

# mapped EXPECTED OPTION...: runs a container with the volume. Shows the owners inside, and of a new file on disk.
mapped()
{
	local expected=$1

	shift
	inside "$expected" box "$@" -- sh -c 'id -u; stat -c %u:%g /vol /vol/ours; touch /vol/new'
	same 'on disk' 1500:1500 "$(owner joe/vol/new)"
	rm joe/vol/new
	nothing_of_joe_is_left
}

# refused_with REASON OPTION...: no container starts, and podman shows the reason.
refused_with()
{
	local reason=$1

	shift
	run --separate-stderr box "$@" -- touch /vol/new
	((status != 0))
	echo "$stderr"
	[[ $stderr == *"$reason"* ]]
	[[ ! -e joe/vol/new ]]
	nothing_of_joe_is_left
}

@test "an annotation: user 1500 of the host is root, with the default user namespace and with keep-id" {
	start_service
	chmod 755 joe/vol
	mapped $'0\n0:0\n0:0' -v /mnt/joe/vol:/vol --annotation io.idmount.map/vol=1500:0
	# The second number is an ID of podman's namespace. keep-id shows 0 of that as 1500, and 33 as 32.
	mapped $'1500\n1500:1500\n1500:1500' --userns keep-id -v /mnt/joe/vol:/vol --annotation io.idmount.map/vol=1500:0
	inside $'32:32\n32:32' box --userns keep-id --user 32:32 -v /mnt/joe/vol:/vol \
		--annotation io.idmount.map/vol=1500:33 -- sh -c 'touch /vol/new; stat -c %u:%g /vol/ours /vol/new'
	same 'on disk' 1500:1500 "$(owner joe/vol/new)"
	same 'requests' 3 "$(grep -c ': mapped$' service.log)"
}

@test "maps of IDs in the container" {
	start_service
	mapped $'0\n0:0\n0:0' -v /mnt/joe/vol:/vol --annotation io.idmount.map/vol=@1500:0
	mapped $'0\n0:0\n0:0' --userns keep-id --user 0:0 -v /mnt/joe/vol:/vol --annotation io.idmount.map/vol=@1500:0
	mapped $'33\n33:33\n33:33' --userns keep-id --user 33:33 -v '/mnt/joe/vol:/vol:idmap=uids=@1500-33-1;gids=@1500-33-1'
	# The entry needs two rows of the container.
	chown 200005:200005 joe/vol/ours
	inside $'1500:1500\n1501:1501' box --userns keep-id -v '/mnt/joe/vol:/vol' \
		--annotation io.idmount.map/vol=@1500:1500+200005:1501 -- stat -c %u:%g /vol /vol/ours
	refused_with "the container's user namespace lacks uid 70000" -v /mnt/joe/vol:/vol --annotation io.idmount.map/vol=@1500:70000
}

@test "podman's own option idmap: the container's map, and an explicit one" {
	start_service
	# Without a user namespace of the container, each ID stays as it is.
	mapped $'0\n0:0\n0:0' -v /mnt/joe/vol:/vol:idmap
	# Root of the container is joe on disk, and the others are the subordinate IDs from 200000 on.
	mapped $'0\n0:0\n0:0' --userns keep-id --user 0:0 -v /mnt/joe/vol:/vol:idmap
	mapped $'0\n0:0\n0:0' --uidmap 0:1:1000 --gidmap 0:1:1000 -v /mnt/joe/vol:/vol:idmap
	chmod 777 joe/vol
	inside 1500:1500 box --userns keep-id -v /mnt/joe/vol:/vol:idmap -- sh -c 'touch /vol/new; stat -c %u:%g /vol/new'
	same 'on disk' 201499:201499 "$(owner joe/vol/new)"
	rm joe/vol/new
	mapped $'0\n0:0\n0:0' -v '/mnt/joe/vol:/vol:idmap=uids=1500-0-1;gids=1500-0-1'
	mapped $'1500\n1500:1500\n1500:1500' --userns keep-id -v '/mnt/joe/vol:/vol:idmap=uids=1500-0-1;gids=1500-0-1'
}

@test "read-only, and setuid files of joe are not root's" {
	start_service
	run -0 --separate-stderr box -v /mnt/joe/vol:/vol:ro --annotation io.idmount.map/vol=1500:33 -- \
		sh -c 'touch /vol/new 2>&1; cat /proc/self/mountinfo'
	[[ ${lines[0]} == *'Read-only file system' ]]
	run awk '$5 == "/vol" { print $6 }' <<<"$output"
	same 'mounts there' 1 "${#lines[@]}"
	[[ ,${lines[-1]}, == *,ro,* && ,${lines[-1]}, == *,nosuid,* && ,${lines[-1]}, == *,nodev,* ]]
	[[ ,${lines[-1]}, == *,idmapped,* ]]
	[[ ! -e joe/vol/new ]]
	nothing_of_joe_is_left
}

@test "IDs that are not the user's are refused, and the reason is shown" {
	start_service
	refused_with "disk uid 1600 of the map is not an ID of the caller's user namespace" \
		-v /mnt/joe/vol:/vol --annotation io.idmount.map/vol=1600:0
	refused_with "disk uid 0 of the map is not an ID of the caller's user namespace" \
		-v /mnt/joe/vol:/vol --annotation io.idmount.map/vol=0:0
	refused_with 'seen uid 70000 of the map is not an ID of this user namespace' \
		-v /mnt/joe/vol:/vol --annotation io.idmount.map/vol=1500:70000
	mkdir -m 777 joe/vol/roots
	refused_with 'the directory belongs to uid 0' \
		-v /mnt/joe/vol/roots:/vol --annotation io.idmount.map/vol=1500:33
}

@test "without the service no container starts" {
	refused_with "idmountd can map it, but is not running at /mnt/socket" -v /mnt/joe/vol:/vol --annotation io.idmount.map/vol=1500:33
	refused_with "idmountd can map it, but is not running at /mnt/socket" --userns keep-id -v /mnt/joe/vol:/vol:idmap
	# A container without a map needs no service.
	inside 0:0 box -v /mnt/joe/vol:/vol -- stat -c %u:%g /vol
}

@test "runc behind the front" {
	start_service
	front runc
	# runc does not know podman's option for containers without cgroups.
	run -0 --separate-stderr podman run --rm --network none -v /mnt/joe/vol:/vol \
		--annotation io.idmount.map/vol=1500:33 "$IMAGE" stat -c %u:%g /vol /vol/ours
	same 'inside' $'33:33\n33:33' "$output"
	nothing_of_joe_is_left
}

@test "the hook alone, with crun" {
	start_service
	mkdir hooks
	jq '.hook += {path: "/mnt/idmount", env: ["IDMOUNTD_SOCKET=/mnt/socket"]}' "$ROOT/contrib/hooks.d/idmount.json" >hooks/idmount.json
	podman_options=(--runtime crun --hooks-dir /mnt/hooks)
	mapped $'0\n0:0\n0:0' -v /mnt/joe/vol:/vol --annotation io.idmount.map/vol=1500:0
	kill "$service"
	wait "$service" || true
	refused_with 'error executing hook' -v /mnt/joe/vol:/vol --annotation io.idmount.map/vol=1500:0
}

@test "rules of the host's root are for pods alone" {
	start_service
	policy 'off'
	# The next command gets a mount namespace with this /etc.
	podman system migrate
	mapped $'0\n0:0\n0:0' -v /mnt/joe/vol:/vol --annotation io.idmount.map/vol=1500:0
	refused_with 'line 1 of /etc/idmount/annotations.conf switches annotations off' -v /mnt/joe/vol:/vol \
		--annotation io.idmount.map/vol=1500:0 --annotation io.kubernetes.pod.namespace=default
	policy
	refused_with 'the default rule refuses all maps of pods' -v /mnt/joe/vol:/vol \
		--annotation io.idmount.map/vol=1500:0 --annotation io.kubernetes.pod.namespace=default
}

@test "an annotation, also that of an image, gets only disk IDs that the container has" {
	local own='disk uid 1500 is not an ID of the container'
	local -a some=(--uidmap 0:1:1000 --gidmap 0:1:1000 -v /mnt/joe/vol:/vol)

	start_service
	chmod 711 joe/vol
	refused_with "$own" "${some[@]}" --annotation io.idmount.map/vol=@1500:33
	refused_with "$own" "${some[@]}" --annotation io.idmount.map/vol=1500:33
	refused_with 'disk uid 0 is not an ID of the container' "${some[@]}" --annotation io.idmount.map/vol=0:1
	refused_with 'disk gid 1500 is not an ID of the container' "${some[@]}" --annotation io.idmount.map/vol=@u:200000:5+g:1500:5
	refused_with 'disk uid 201000 is not an ID of the container' "${some[@]}" --annotation io.idmount.map/vol=@200999:5:2
	# The container's own map stores its root as the engine's, which is joe.
	refused_with "$own" "${some[@]}" --annotation io.idmount.map/vol=idmap
	refused_with "an option of the volume can map it: -v 'SOURCE:TARGET:idmap=uids=@DISK-SEEN-1;gids=@DISK-SEEN-1'" "${some[@]}" --annotation io.idmount.map/vol=@1500:33

	mapped $'0\n0:0\n0:0' "${some[@]}:idmap=uids=@1500-0-1;gids=@1500-0-1"
	mapped $'0\n0:0\n0:0' --uidmap 0:0:1000 --gidmap 0:0:1000 -v /mnt/joe/vol:/vol --annotation io.idmount.map/vol=@1500:0
	chown 200000:200000 joe/vol/ours
	inside 5:5 box "${some[@]}" --annotation io.idmount.map/vol=@200000:5 -- stat -c %u:%g /vol/ours

	# podman from 4.5 on ignores an image's annotations.
	echo "FROM $IMAGE" >Containerfile
	chmod 644 Containerfile
	podman build --quiet --annotation io.idmount.map/vol=@1500:0 --tag evil --file /mnt/Containerfile /mnt/joe/run
	IMAGE=evil refused_with '' "${some[@]}"
	[[ $stderr == *"$own"* || $stderr == *'Permission denied'* ]]
}

@test "idmount explain: a file of the host's root in joe's container" {
	local program=/mnt/idmount

	cp "$IDMOUNT" "$program"
	chmod 755 "$program" joe/vol
	podman_options=(--runtime crun)
	touch joe/vol/roots
	chmod 600 joe/vol/roots
	box --detach --name explained -v /mnt/joe/vol:/vol -- sleep 1000
	run -1 podman exec explained cat /vol/roots
	run -1 as_joe "$program" explain --container explained --read /vol/roots
	[[ $output == *'inside: owner unmapped, seen as 65534 (user nobody), since the user namespace has no number for it'* ]]
	[[ $output == *'read     refused, EACCES: the mode of others lacks r; capabilities do not count'* ]]
	[[ ${lines[-1]} == '  note     run the cures as root' ]]
	# Such a map is refused to joe.
	[[ $output != *'to own it'* ]]
	PATH=/mnt:$PATH sh -c "$(sed -n 's/^  cure *//p' <<<"$output")"
	podman exec explained cat /vol/roots
	run -0 as_joe "$program" explain --container explained --read /vol/roots
	# Root's podman does not know it.
	run -1 --separate-stderr idmount explain --container explained --read /vol/roots
	[[ $stderr == *'knows it; for a rootless container of podman, its user runs podman unshare idmount explain'* ]]
	remove_explained
}

# explain_as_joe OPTION... PATH: in the container that is named so.
explain_as_joe()
{
	as_joe /mnt/idmount explain --container explained "$@"
}

@test "idmount explain: a share of a group of joe, whose container lacks the group" {
	local option

	joe_groups=(--groups 1600)
	chmod 755 idmount
	podman_options=(--runtime crun)
	mkdir -m 2770 share
	chgrp 1600 share
	box --detach --name explained -v /mnt/share:/share -- sleep 1000
	run -1 podman exec explained touch /share/new
	run -1 explain_as_joe --create /share
	option=$(sed -n 's/^ *to use its group: run a new container with //p' <<<"$output")
	same 'the option' '--group-add keep-groups' "$option"
	same 'in JSON' "run a new container with $option" "$(explain_as_joe --create --json /share | jq -r '.[0].steps[-1].toUseGroup')"
	# shellcheck disable=SC2086 # an option and its argument
	inside 0:65534 box $option -v /mnt/share:/share -- sh -c 'touch /share/new; stat -c %u:%g /share/new'
	same 'on disk' 1500:1600 "$(owner share/new)"
	# The group does not permit it either, or joe is not in it.
	chmod 2750 share
	run -1 explain_as_joe --create /share
	[[ $output != *keep-groups* ]]
	chmod 2770 share
	joe_groups=(--clear-groups)
	run -1 explain_as_joe --create /share
	[[ $output != *keep-groups* ]]
	remove_explained
}

@test "idmount explain: a file of another ID of joe's container: the cure without root" {
	chmod 755 idmount
	podman_options=(--runtime crun)
	echo text >joe/vol/theirs
	chown 200005:200005 joe/vol/theirs
	chmod 600 joe/vol/theirs
	chmod 755 joe/vol
	box --detach --name explained --user 33:33 -v /mnt/joe/vol:/vol -- sleep 1000
	run -1 podman exec explained cat /vol/theirs
	run -1 explain_as_joe --read /vol/theirs
	[[ $output == *'inside: user 33, group 33'*'inside: owner 6, group 6'* ]]
	[[ ${lines[-1]} == '  note     run the cures as root, or those that podman unshare idmount explain shows' ]]
	run -1 as_joe podman unshare /mnt/idmount explain --container explained --read /vol/theirs
	[[ $output == *'cure     podman unshare idmount cure --pid '*' /vol/theirs setfacl -m u:33:r'* ]]
	# In a shell of joe.
	as_joe env PATH="/mnt:$PATH" sh -c "$(sed -n 's/^  cure *//p' <<<"$output")"
	podman exec explained cat /vol/theirs
	remove_explained
}
