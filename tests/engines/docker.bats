# SPDX-License-Identifier: MIT
# docker since version 24, which has annotations: idmount as a runtime of its daemon.
load common
private_mounts
load podman
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

# explain asks docker at its usual socket.
@test "idmount explain: a volume with a user namespace of docker: the option and the cure, as printed" {
	local option

	echo 'daemon:100000:65536' >/etc/subuid
	cp /etc/subuid /etc/subgid
	start_docker --userns-remap daemon --host unix:///run/docker.sock
	chmod 750 vol
	docker run --detach --name explained --network none -v /mnt/vol:/vol "$IMAGE" sleep 1000
	inside 65534:65534 docker exec explained stat -c %u:%g /vol
	run -1 docker exec explained touch /vol/new
	run -1 idmount explain --container explained --create /vol
	[[ $output == *'inside: owner unmapped, seen as 65534 (user nobody), since the user namespace has no number for it'* ]]
	eval "option=($(sed -n 's/^ *to own it: run a new container with //p' <<<"$output"))"
	same 'the option' '--runtime idmount --annotation io.idmount.map/vol=idmap=uids=@1000-0-1;gids=@1000-0-1' "${option[*]}"
	PATH=${IDMOUNT%/*}:$PATH sh -c "$(sed -n 's/^  cure *//p' <<<"$output")"
	docker exec explained touch /vol/new
	rm vol/new
	setfacl -b vol
	inside '0:0 /vol/new' docker run --rm --network none -v /mnt/vol:/vol "${option[@]}" "$IMAGE" \
		sh -c 'touch /vol/new; stat -c "%u:%g %n" /vol/new'
	same 'on disk' 1000:1000 "$(owner vol/new)"
	# A file of the host's root has no such line.
	chmod 755 vol
	run -1 idmount explain --container explained --user 0:0 --write /vol/theirs
	[[ $output == *'cure     idmount cure --pid '*' setfacl -m u:100000:'* && $output != *'to own it'* ]]
	docker rm --force explained
	nothing_is_left
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

podman()
{
	command podman --tmpdir /mnt/engine/tmp "$@"
}

# The author of an image writes its labels and annotations. docker copies neither to config.json.
@test "labels, and annotations of an image, ask for nothing" {
	local manifest

	start_docker
	set_up_podman # makes the image
	printf 'FROM %s\nLABEL io.idmount.map/vol=1000:0\n' "$IMAGE" >Containerfile
	podman build --quiet --annotation io.idmount.map/vol=1000:0 --tag test.invalid/asks:1 --file Containerfile vol
	podman save --quiet --format oci-dir --output asks test.invalid/asks:1
	manifest=asks/blobs/sha256/$(jq -r '.manifests[0].digest | ltrimstr("sha256:")' asks/index.json)
	same 'annotation' 1000:0 "$(jq -r '.annotations["io.idmount.map/vol"]' "$manifest")"
	# docker requires the file of its own format, too.
	jq 'def blob: "blobs/sha256/" + ltrimstr("sha256:");
		[{Config: (.config.digest | blob), RepoTags: ["test.invalid/asks:1"], Layers: [.layers[].digest | blob]}]' "$manifest" >asks/manifest.json
	tar -C asks -cf asks.tar .
	docker load --quiet --input asks.tar
	same 'label' 1000:0 "$(docker image inspect --format '{{index .Config.Labels "io.idmount.map/vol"}}' test.invalid/asks:1)"
	rm "$runtime"
	printf '%s\n' '#!/bin/sh' '[ ! -e config.json ] || jq -c .annotations config.json >>/mnt/annotations' \
		"exec $IDMOUNT oci-runtime \"\$@\"" >"$runtime"
	chmod +x "$runtime"
	prints 1000:1000 docker run --rm --runtime idmount --network none -v /mnt/vol:/vol --label io.idmount.map/vol=1000:0 \
		test.invalid/asks:1 stat -c %u:%g /vol/ours
	same 'annotations' null "$(sort -u annotations)"
}
