#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# "idmount explain" of a container that runc runs from a bundle, as an engine of Kubernetes does: cause and cure by one
# command, and the cure as printed.
load common
private_mounts
load oci

setup()
{
	set_up_containers
}

teardown()
{
	[[ -z ${box:-} ]] || runc delete --force "$box"
	tear_down_containers
}

@test "a pod's volume that belongs to user nobody: cause, cure, and the volume with the cure" {
	local annotation

	box=$prefix-explained
	source=/mnt/src bundle a 'exec sleep 1000' "$(volume /vol rbind) | $userns"
	chmod 600 src/1000
	# In the state directory that explain finds.
	runc run --detach --bundle a "$box" </dev/null &>/dev/null
	run -1 runc exec "$box" cat /vol/1000
	run -1 idmount explain --container "$box" --read /vol/1000
	[[ $output == *'inside: owner unmapped, seen as 65534 (user nobody), since the user namespace has no number for it'* ]]
	[[ $output == *'read     refused, EACCES: the mode of others lacks r'* ]]
	[[ $output == *'idmount obeys it as the runtime or as a hook of the engine'* ]]
	annotation=$(sed -n "s/^ *to own it: run a new container with --annotation '\(.*\)'$/\1/p" <<<"$output")
	same 'the annotation' 'io.idmount.map/vol=idmap=uids=@1000-0-1;gids=@1000-0-1' "$annotation"
	# The other cure, at once.
	PATH=${IDMOUNT%/*}:$PATH sh -c "$(sed -n 's/^  cure *//p' <<<"$output")"
	runc exec "$box" cat /vol/1000
	setfacl -b src/1000
	source=/mnt/src bundle b 'stat -c %u:%g /vol/1000; touch /vol/new' \
		"$(volume /vol rbind) | $userns | .annotations = {\"${annotation%%=*}\": \"${annotation#*=}\"}"
	IDMOUNT_RUNTIME=runc run -0 --separate-stderr idmount oci-runtime --root state run --bundle b "$prefix-b"
	same 'inside' 0:0 "$output"
	same 'on disk' 1000:1000 "$(owner src/new)"
}
