# SPDX-License-Identifier: MIT
# Pods, through containerd's interface for Kubernetes: what their annotations can request, and what they cannot.
load common
private_mounts

setup()
{
	set_up_engine
	"$BATS_TEST_DIRNAME/image.sh" /mnt/pause.tar test.invalid/pause:1 '["sleep", "1000"]'
	protoc --proto_path "$BATS_TEST_DIRNAME" --python_out /mnt cri.proto
	mkdir -m 711 node
	mkdir node/tenant
	echo secret >node/tenant/file
	chown -R 2000:2000 node/tenant
	chmod 600 node/tenant/file
	install -d -m 777 node/own
	start_containerd
}

teardown()
{
	tear_down_engine
}

start_containerd()
{
	cat >cri.toml <<-'END'
		version = 2
		root = "/mnt/engine/root"
		state = "/mnt/engine/state"
		disabled_plugins = ["io.containerd.internal.v1.opt"]
		[grpc]
		  address = "/mnt/engine/containerd.sock"
		[plugins."io.containerd.grpc.v1.cri"]
		  sandbox_image = "test.invalid/pause:1"
		  disable_cgroup = true
		  restrict_oom_score_adj = true
		  [plugins."io.containerd.grpc.v1.cri".containerd]
		    snapshotter = "native"
	END
	"$ROOT/contrib/containerd/handler.sh" --runtime "$runtime" cri.toml
	daemon containerd --config /mnt/cri.toml >cri.log 2>&1
	until ctr version >/dev/null 2>&1; do
		kill -0 "$daemon" || { tail -n 20 cri.log && return 1; }
		sleep 0.05
	done
	for image in "$BATS_FILE_TMPDIR/image.tar" /mnt/pause.tar; do
		ctr images import --snapshotter native --platform "linux/$(dpkg --print-architecture)" "$image"
	done
}

ctr()
{
	command ctr --address /mnt/engine/containerd.sock --namespace k8s.io "$@"
}

# pod NAMESPACE VOLUME COMMAND [KEY=VALUE]...
pod()
{
	/usr/bin/python3 "$BATS_TEST_DIRNAME/cri.py" /mnt/engine/containerd.sock /mnt "$IMAGE" "/$group" "$@"
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
