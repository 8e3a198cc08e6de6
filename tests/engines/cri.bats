# SPDX-License-Identifier: MIT
# Pods, through containerd's interface for Kubernetes: what their annotations can request, and what they cannot.
load common
private_mounts
load pods

setup()
{
	set_up_engine
	set_up_pods
	mkdir -m 711 node
	mkdir node/tenant
	echo secret >node/tenant/file
	chown -R 2000:2000 node/tenant
	chmod 600 node/tenant/file
	install -d -m 777 node/own
}

teardown()
{
	tear_down_engine
}

# refused_pod WORDS NAMESPACE VOLUME COMMAND [KEY=VALUE]...: the pod fails to start, with WORDS in the message.
refused_pod()
{
	local expected=$1

	shift
	run --separate-stderr pod "$@"
	echo "$stderr"
	same 'exit status' 1 "$status"
	same 'standard output' '' "$output"
	[[ $stderr == *"$expected"* ]]
	same 'mapped mounts' '' "$(idmount list)"
}

make_setuid='cp /bin/busybox /data/program && chmod 4755 /data/program && echo made'

@test "no map without root's word, and with it that one" {
	local none='the default rule refuses all maps of pods; /etc/idmount/annotations.conf is the file that allows them'
	local no_rule='no rule of /etc/idmount/annotations.conf matches'
	local rule='is not allowed by line 1 of /etc/idmount/annotations.conf'

	# The handler works: it runs pods without annotations.
	prints 0:0 pod team-a /mnt/node/own 'stat -c %u:%g /data'
	# A set-user-ID program of the node's root.
	refused_pod "$none" team-a /mnt/node/own "$make_setuid" io.idmount.map/data=0:1000
	[[ ! -e node/own/program ]]
	# Another tenant's file, and a harmless map.
	refused_pod "$none" team-a /mnt/node/tenant 'cat /data/file' io.idmount.map/data=2000:1000
	refused_pod "$none" team-a /mnt/node/own true io.idmount.map/data=1000:1000
	# Keys by which a pod could pass for another kind, and misspelt keys.
	refused_pod "$none" team-a /mnt/node/own true io.idmount.map/data=1000:1000 io.container.manager=libpod
	refused_pod 'unknown annotation, expected io.idmount.map/DESTINATION' team-a /mnt/node/own true io.idmount.map=0:1000
	refused_pod 'unknown annotation, expected io.idmount.map/DESTINATION' team-a /mnt/node/own true io.idmount.mapp/data=0:1000
	refused_pod 'unknown annotation, expected io.idmount.map/DESTINATION' team-a /mnt/node/own true IO.idmount.map/data=0:1000
	refused_pod 'unknown annotation, expected io.idmount.map/DESTINATION' team-a /mnt/node/own true Io.Idmount.Map=0:1000
	policy 'allow namespace=team-a source=/mnt/node/tenant disk=2000 seen=1000'
	prints secret pod team-a /mnt/node/tenant 'cat /data/file' io.idmount.map/data=2000:1000
	refused_pod "disk uid 0 $rule" team-a /mnt/node/tenant "$make_setuid" io.idmount.map/data=0:1000
	refused_pod "disk uid 0 $rule" team-a /mnt/node/tenant true io.idmount.map/data=0:1000,2000:1001
	refused_pod "disk gid 0 $rule" team-a /mnt/node/tenant true io.idmount.map/data=u:2000:1000,g:0:1000
	refused_pod "disk uid 1999 $rule" team-a /mnt/node/tenant true io.idmount.map/data=1999:999:2
	refused_pod "$no_rule namespace \"team-b\"" team-b /mnt/node/tenant true io.idmount.map/data=2000:1000
	refused_pod "$no_rule namespace \"team-a\", handler not known, source /mnt/node/own" team-a /mnt/node/own true io.idmount.map/data=2000:1000
	refused_pod "$no_rule namespace \"team-b\"" team-b /mnt/node/tenant true io.idmount.map/data=2000:1000 \
		io.kubernetes.pod.namespace=team-a io.kubernetes.cri.sandbox-namespace=team-a
	# A container may lack the volume, and one may be named.
	prints fine pod team-a /mnt/node/tenant 'echo fine' io.idmount.map/none=2000:1000
	prints secret pod team-a /mnt/node/tenant 'cat /data/file' 'io.idmount.maps={"/data":"2000:1000"}'
	prints secret pod team-a /mnt/node/tenant 'cat /data/file' 'io.idmount.maps/box={"/data":"2000:1000"}'
	refused_pod 'no mount has the destination /none' team-a /mnt/node/tenant true 'io.idmount.maps/box={"/none":"2000:1000"}'
	run -1 pod team-a /mnt/node/tenant 'cat /data/file' 'io.idmount.maps/other={"/data":"2000:1000"}'
	[[ $output == *'Permission denied'* ]]
	policy off
	refused_pod 'switches annotations off' team-a /mnt/node/tenant true io.idmount.map/data=2000:1000
	nothing_is_left
}

@test "containerd is restarted while a pod runs" {
	local started

	policy 'allow source=/mnt/vol disk=1000 seen=0'
	started=$(USER_ID=0 KEEP=1 pod team-a /mnt/vol '' io.idmount.map/data=1000:0)
	restart_containerd
	# shellcheck disable=SC2016 # the container expands it
	USER_ID=0 STARTED=$started prints $'0:0\n65534:65534\n0:0' pod team-a /mnt/vol \
		'echo text >/data/new; stat -c %u:%g /data/ours /data/theirs /data/new'
	same 'on disk' 1000:1000 "$(owner vol/new)"
	USER_ID=0 POD=two prints 0:0 pod team-a /mnt/vol 'stat -c %u:%g /data/ours' io.idmount.map/data=1000:0
	nothing_is_left
}

# The volume as a pod in a user namespace sees it.
owners='echo text >/data/new; stat -c %u:%g /data/ours /data/theirs /data/new'

# in_userns EXPECTED DISK [KEY=VALUE]...: what the owners are inside, and that of the new file on disk.
in_userns()
{
	rm -f vol/new
	USER_ID=0 prints "$1" pod team-a /mnt/vol "$owners" "${@:3}"
	same 'on disk' "$2" "$(owner vol/new)"
}

@test "a pod with a user namespace" {
	export USERNS=yes

	chmod 777 vol
	policy 'allow disk=0-65535 seen=0,100000-165535'
	if is_older_than 1.7 containerd; then
		# It ignores the user namespace, and a map of the container's IDs is one of the host's.
		in_userns $'0:0\n65534:65534\n0:0' 1000:1000 io.idmount.map/data=@1000:0
		return
	fi
	# shellcheck disable=SC2016 # the container expands it
	USER_ID=0 prints 100000 pod team-a /mnt/vol 'set -- $(cat /proc/self/uid_map); echo $2'
	in_userns $'0:0\n65534:65534\n0:0' 1000:1000 io.idmount.map/data=@1000:0
	in_userns $'1000:1000\n0:0\n0:0' 0:0 io.idmount.map/data=idmap
	policy 'allow disk=1000 seen=100000'
	refused_pod 'is not allowed by line 1 of /etc/idmount/annotations.conf' team-a /mnt/vol true io.idmount.map/data=idmap
	refused_pod 'is not allowed by line 1 of /etc/idmount/annotations.conf' team-a /mnt/vol true io.idmount.map/data=@0:0
	nothing_is_left
}

# What the kubelet does for each volume. It needs no rule, but an annotation that replaces this map does.
@test "a pod with a user namespace, whose volume is mapped" {
	export USERNS=mappings

	chmod 777 vol
	if is_older_than 1.7 containerd; then
		in_userns $'1000:1000\n0:0\n0:0' 0:0
	elif is_older_than 2.0 containerd; then
		refused_pod 'idmap mounts not yet supported' team-a /mnt/vol true
	else
		in_userns $'1000:1000\n0:0\n0:0' 0:0
		refused_pod 'the default rule refuses' team-a /mnt/vol true io.idmount.map/data=@1000:0
		policy 'allow disk=1000 seen=100000'
		in_userns $'0:0\n65534:65534\n0:0' 1000:1000 io.idmount.map/data=@1000:0
	fi
	nothing_is_left
}
