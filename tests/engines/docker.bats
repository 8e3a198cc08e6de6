# SPDX-License-Identifier: MIT
# docker since version 24, which has annotations: idmount as a runtime of its daemon.
load common
private_mounts
load cases

setup()
{
	set_up_cases
	ln -s "$(type -P runc)" runc # dockerd looks for it in PATH
	export DOCKER_HOST=unix:///mnt/engine/docker.sock
}

teardown()
{
	tear_down_engine
}

# start_docker OPTION...: without a network.
start_docker()
{
	printf '{"runtimes": {"idmount": {"path": "%s"}}}\n' "$runtime" >daemon.json
	daemon dockerd --config-file /mnt/daemon.json --host "$DOCKER_HOST" --data-root /mnt/engine/root --exec-root /mnt/engine/state \
		--pidfile /mnt/engine/docker.pid --storage-driver vfs --bridge none --iptables=false --ip6tables=false \
		--exec-opt native.cgroupdriver=cgroupfs --cgroup-parent "/$group" "$@" >docker.log 2>&1
	until docker version >/dev/null 2>&1; do
		kill -0 "$daemon" || { tail -n 20 docker.log && return 1; }
		sleep 0.05
	done
	docker load --quiet --input "$BATS_FILE_TMPDIR/image.tar"
}

# The daemon has a containerd below it, which stays.
nothing_is_left()
{
	same 'containers' '' "$(docker ps --all --quiet)"
	same 'mapped mounts' '' "$(idmount list)"
}

# docker has no option for maps, and a user namespace is the daemon's choice.
start()
{
	local volume=/mnt/vol:/vol

	[[ $1 != read-only ]] || volume+=:ro
	docker run --rm --runtime idmount --network none -v "$volume" --annotation "${annotation[$1]}" "$IMAGE" sh -c "$3"
}

@test "docker" {
	row 'docker, idmount over runc' dockerd runc
	start_docker
	for case in annotation read-only at-once; do
		try $case works
	done
	try wrong 'refused, with the reason'
}

@test "docker with a user namespace" {
	row 'docker, idmount over runc' dockerd runc
	echo 'daemon:100000:65536' >/etc/subuid
	cp /etc/subuid /etc/subgid
	start_docker --userns-remap daemon
	try userns works
}

@test "two volumes, one of them docker's own" {
	start_docker
	docker volume create own
	docker run --rm --network none -v own:/own "$IMAGE" sh -c 'touch /own/file; chown 1000:1000 /own/file'
	prints $'0:0\n7:7' docker run --rm --runtime idmount --network none -v own:/own -v /mnt/vol:/vol \
		--annotation io.idmount.map/own=1000:0 --annotation io.idmount.map/vol=1000:7 "$IMAGE" stat -c %u:%g /own/file /vol/ours
	# Without the runtime the annotation is ignored.
	prints 1000:1000 docker run --rm --network none -v /mnt/vol:/vol --annotation io.idmount.map/vol=1000:0 "$IMAGE" stat -c %u:%g /vol/ours
}
