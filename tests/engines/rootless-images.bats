# SPDX-License-Identifier: MIT
# podman of an ordinary user, with idmount-overlayfs as its mount_program, and idmountd.
load common
private_mounts
load rootless

setup()
{
	set_up_images
}

teardown()
{
	tear_down_rootless
}

# Run in a container. The first three files are of the image, the others are new.
probe='stat -c "%u:%g %n" / /bin /etc/passwd; echo >/new; mkdir /dir; chown 33:44 /dir; stat -c "%u:%g %n" /new /dir'
of_root='0:0 /
0:0 /bin
0:0 /etc/passwd
0:0 /new
33:44 /dir'

# layer_owners NAME: prints the owners on disk of this file in a container's layer.
layer_owners()
{
	find "$storage/overlay" -path "*/diff/$1" -exec stat -c %u:%g {} +
}

# nothing_is_mounted: no overlay is left in podman's mount namespace. The root of the tests can be one.
nothing_is_mounted()
{
	run -0 podman unshare awk '/ - overlay / && $5 != "/"' /proc/self/mountinfo
	same 'overlays' '' "$output"
}

@test "without a map, and without the service" {
	socket=/mnt/none
	inside "$of_root" box -- sh -c "$probe"
	nothing_is_mounted
}

@test "keep-id: IDs inside and on disk" {
	inside 1500:1500 box --userns=keep-id -- sh -c 'echo $(id -u):$(id -g)'
	inside "$of_root" box --userns=keep-id --user 0 -- sh -c "$probe"
	run -0 --separate-stderr podman create --name one --network none --cgroups=disabled --userns=keep-id --user 0 \
		"$IMAGE" sh -c "$probe"
	inside "$of_root" podman start --attach one
	same 'root on disk' 1500:1500 "$(layer_owners new)"
	same '33:44 on disk' 200032:200043 "$(layer_owners dir)"
	# A second start finds the files of the first one.
	inside "$of_root" podman start --attach one
	podman rm one
	nothing_is_mounted
}

@test "contiguous maps, and two at once" {
	inside "$of_root" box --uidmap 0:1:5000 --gidmap 0:1:5000 -- sh -c "$probe"
	inside "$of_root" box --uidmap 0:60000:5000 --gidmap 0:60000:5000 -- sh -c "$probe"
	inside "$of_root" box --userns=auto:size=1000 -- sh -c "$probe"
	podman run -d --name one --network none --cgroups=disabled --userns=auto:size=1000 "$IMAGE" sleep 1000
	podman run -d --name two --network none --cgroups=disabled --userns=auto:size=1000 "$IMAGE" sleep 1000
	[[ $(podman exec one cat /proc/self/uid_map) != "$(podman exec two cat /proc/self/uid_map)" ]]
	inside "$of_root" podman exec one sh -c "$probe"
	inside "$of_root" podman exec two sh -c "$probe"
	podman rm --force --time 0 one two
	nothing_is_mounted
}

# A copy would be a layer of its own, and as large as the image.
@test "nothing is copied, and one request maps all layers" {
	local layers size

	box -- true
	layers=$(ls "$storage/overlay")
	size=$(du -sk "$storage/overlay")
	box --userns=keep-id -- true
	box --userns=keep-id -- true
	box --uidmap 0:1:5000 --gidmap 0:1:5000 -- true
	same 'layers' "$layers" "$(ls "$storage/overlay")"
	same 'size' "$size" "$(du -sk "$storage/overlay")"
	same 'requests' 3 "$(grep -c 'mapped$' service.log)"
	same 'refused' '' "$(grep -v 'mapped$' service.log)"
}

@test "deleted files stay deleted: build, commit, run, with and without a map" {
	local built=$'33:44 /d/b\n0:0 /d/sub\n0:0 /d/sub/new' list='for f in /d/* /d/.[!.]* /d/*/* /e; do [ ! -e $f ] || stat -c "%u:%g %n" $f; done'

	mkdir context
	cat >context/Containerfile <<-END
		FROM $IMAGE
		RUN mkdir /d /d/sub /e && touch /d/a /d/b /d/sub/old /e/x && chown 33:44 /d/b
		RUN rm /d/a && rm -r /d/sub /e && mkdir /d/sub && touch /d/sub/new
	END
	podman build --quiet --isolation chroot --tag built context
	IMAGE=localhost/built
	podman unshare /mnt/idmount-overlayfs --convert "$storage"
	same 'whiteouts of AUFS' '' "$(find "$storage/overlay" -name '.wh.*')"
	# The layers of the archive are compared with their digests.
	podman save --quiet --output /mnt/joe/run/built.tar "$IMAGE"
	inside "$built" box -- sh -c "$list"
	inside "$built" box --userns=keep-id --user 0 -- sh -c "$list"
	podman run --name one --network none --cgroups=disabled --userns=keep-id --user 0 "$IMAGE" \
		sh -c 'rm -r /d/b /d/sub; mkdir /d/sub; touch /d/mine; chown 1:2 /d/mine'
	podman commit --quiet one localhost/committed
	IMAGE=localhost/committed
	inside $'1:2 /d/mine\n0:0 /d/sub' box -- sh -c "$list"
	podman rm one
	inside $'1:2 /d/mine\n0:0 /d/sub' box --userns=auto -- sh -c "$list"
	same 'whiteouts of AUFS' '' "$(find "$storage/overlay" -name '.wh.*')"
	nothing_is_mounted
}

@test "a container's own file with the name of a whiteout" {
	podman run --name one --network none --cgroups=disabled --userns=keep-id --user 0 "$IMAGE" touch /etc/.wh.passwd
	# podman 5 cannot compare while its clean-up has the container mounted.
	until nothing_is_mounted; do
		sleep 0.1
	done
	run -0 podman diff one
	[[ $output == *'A /etc/.wh.passwd'* && $output != *'D /etc/passwd'* ]]
	run -0 podman start one
	podman rm --force --time 0 one
}

@test "a running container: diff and commit" {
	podman run -d --name one --network none --cgroups=disabled --userns=keep-id --user 0 "$IMAGE" \
		sh -c 'echo >/new; chown 33:44 /new; sleep 1000'
	until podman exec one stat -c %u /new | grep 33; do
		sleep 0.01
	done
	# docs/rootless.md names this limit of podman 5.
	if [[ $(podman --version) == *' 4.'* ]]; then
		run -0 podman diff one
		[[ $output == *'A /new'* && $output != *'/bin'* ]]
	fi
	podman commit --quiet one localhost/committed
	podman rm --force --time 0 one
	IMAGE=localhost/committed
	inside 33:44 box -- stat -c %u:%g /new
}

@test "the service is not running: an error, and no mount" {
	socket=/mnt/none
	run --separate-stderr box --userns=keep-id -- true
	((status != 0))
	[[ $stderr == *'idmountd can map it, but is not running at /mnt/none'* ]]
	nothing_is_mounted
	socket=/mnt/socket
	box --userns=keep-id -- true
}

@test "one ID for all: refused in words" {
	echo 'ignore_chown_errors = "true"' >>storage.conf
	run --separate-stderr box --uidmap 0:0:1 --gidmap 0:0:1 -- true
	((status != 0))
	[[ $stderr == *'squash_to_uid: expected a one-to-one map'* ]]
	nothing_is_mounted
}

# load_opaque_image: a second layer, which deletes all names of the first one, becomes localhost/opaque:1.
load_opaque_image()
{
	local layer

	mkdir archive root root/bin
	tar -C archive -xf image.tar
	cp "$(type -P busybox)" root/bin/busybox
	ln -s busybox root/bin/sh
	touch root/.wh..wh..opq
	tar -C root --owner=0 --group=0 --numeric-owner -cf archive/top.tar .wh..wh..opq bin
	layer=sha256:$(sha256sum archive/top.tar | cut -d' ' -f1)
	sed -i "s/\"diff_ids\": \[\(.*\)\]/\"diff_ids\": [\1, \"$layer\"]/; s/{\"created_by[^}]*}/&, &/" archive/config.json
	sed -i "s/\"layer.tar\"/&, \"top.tar\"/; s,$IMAGE,localhost/opaque:1," archive/manifest.json
	tar -C archive -cf opaque.tar manifest.json config.json layer.tar top.tar
	chmod 644 opaque.tar
	podman load --quiet --input opaque.tar
}

@test "a layer that deletes all names of lower ones" {
	load_opaque_image
	IMAGE=localhost/opaque:1
	inside '/bin/busybox /bin/sh /tm[p]' box -- sh -c 'echo /bin/* /tm[p]'
	inside '/bin/busybox /bin/sh /tm[p]' box --userns=keep-id --user 0 -- sh -c 'echo /bin/* /tm[p]'
	podman run --name one --network none --cgroups=disabled "$IMAGE" sh -c 'echo >/new'
	podman commit --quiet one localhost/committed
	podman rm one
	IMAGE=localhost/committed
	inside '/bin/busybox /bin/sh /new /tm[p]' box -- sh -c 'echo /bin/* /new /tm[p]'
}

@test "a volume that looks like a storage is not changed" {
	local before

	mkdir -p volume/x/diff/sub volume/l
	touch volume/x/link volume/x/diff/sub/.wh.keep
	mkfifo volume/x/.idmount-kernel-whiteouts
	chown -R 1500:1500 volume
	before=$(find volume | sort)
	inside /y/sub/.wh.keep box -v /mnt/volume/x/diff:/y:O -- sh -c 'echo /y/sub/.wh.*'
	same 'files of the volume' "$before" "$(find volume | sort)"
}

@test "an additional image store: it runs, and is not changed" {
	local name

	cp -a joe/storage joe/other
	podman rmi --all --force
	sed -i 's,^\[storage.options.overlay\],[storage.options]\nadditionalimagestores = ["/mnt/joe/other"]\n&,' storage.conf
	inside hello box -- sh -c 'echo hello'
	same 'markers' '' "$(find joe/other -name '.idmount-*')"
	name=$(echo joe/other/overlay/*/diff/etc)/.wh.passwd
	touch "$name"
	chown 1500:1500 "$name"
	run --separate-stderr box -- true
	((status != 0))
	[[ $stderr == *'expected a converted layer, got .wh.passwd in another storage'* ]]
	podman unshare /mnt/idmount-overlayfs --convert /mnt/joe/other
	box -- true
}
