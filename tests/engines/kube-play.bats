# SPDX-License-Identifier: MIT
# A pod of podman, made of a manifest for Kubernetes. With the cgroup manager cgroupfs, pods of podman 4.3 cannot open
# /dev/null, with runc alone either.
load common
private_mounts
load podman

setup()
{
	set_up_engine
	set_up_podman
}

teardown()
{
	# A pod's cgroup is not in the test's.
	find /sys/fs/cgroup/libpod_parent -depth -type d -exec rmdir {} + || true
	tear_down_engine
}

podman()
{
	command podman --runtime idmount --tmpdir /mnt/engine/tmp "$@"
}

@test "the pod of contrib/kubernetes, by podman kube play" {
	sed "s|/srv/data|/mnt/vol|; s|image: .*|image: $IMAGE|" "$ROOT/contrib/kubernetes/pod.yaml" >pod.yaml
	policy 'allow source=/mnt/vol disk=1000 seen=0'
	podman kube play --network none pod.yaml
	run -0 --separate-stderr podman wait mapped-box
	same 'exit status inside' 0 "$output"
	run -0 --separate-stderr podman logs mapped-box
	same 'inside' $'0:0 /ours\n0:0 /suid\n65534:65534 /theirs' "$(awk 'NF > 8 { print $3 ":" $4, "/" $9 }' <<<"$output")"
	podman kube down pod.yaml
	nothing_is_left
}
