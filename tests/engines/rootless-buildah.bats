# SPDX-License-Identifier: MIT
# Images of an ordinary user that buildah makes and podman pulls, with idmount-overlayfs as the mount_program; and
# idmount itself in podman's user namespace and on podman's storage.
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

# buildah's own mounts are in its user namespace, which a process of podman keeps.
buildah()
{
	as_joe buildah "$@"
}

# Run in a container: prints the names and owners of what the builds below leave.
list='for f in /d/* /d/.[!.]* /d/*/* /e; do [ ! -e $f ] || stat -c "%u:%g %n" $f; done'
built=$'33:44 /d/b\n0:0 /d/sub\n0:0 /d/sub/new'

# deleted_in IMAGE: what was deleted in the image is not there, without a map and with one.
deleted_in()
{
	IMAGE=$1 inside "$built" box -- sh -c "$list"
	IMAGE=$1 inside "$built" box --userns=keep-id --user 0 -- sh -c "$list"
}

# make_deleting_image: localhost/built, of three layers. The last one deletes names of the second one.
make_deleting_image()
{
	local container

	container=$(buildah from --pull-never "$IMAGE")
	buildah run --isolation chroot "$container" sh -c \
		'mkdir /d /d/sub /e && touch /d/a /d/b /d/sub/old /e/x && chown 33:44 /d/b'
	buildah commit --quiet "$container" localhost/first
	buildah rm "$container"
	container=$(buildah from --pull-never localhost/first)
	buildah run --isolation chroot "$container" sh -c 'rm /d/a && rm -r /d/sub /e && mkdir /d/sub'
	touch joe/new
	chmod 644 joe/new
	buildah copy --quiet "$container" /mnt/joe/new /d/sub/new
	buildah commit --quiet "$container" localhost/built
	buildah rm "$container"
}

@test "buildah from, run, copy and commit" {
	make_deleting_image
	deleted_in localhost/built
}

@test "buildah with a map" {
	local container

	container=$(buildah from --pull-never --userns-uid-map 0:1:5000 --userns-gid-map 0:1:5000 "$IMAGE")
	buildah run --isolation rootless --network none "$container" sh -c 'mkdir /d && touch /d/b && chown 33:44 /d/b && id -u'
	touch joe/new
	buildah copy --quiet "$container" /mnt/joe/new /d/new
	buildah commit --quiet "$container" localhost/mapped
	buildah rm "$container"
	grep ': mapped$' service.log
	IMAGE=localhost/mapped inside $'33:44 /d/b\n0:0 /d/new' box -- sh -c "$list"
}

@test "a build of several stages" {
	local tool

	mkdir context
	cat >context/Containerfile <<-END
		FROM $IMAGE AS first
		RUN mkdir /d /d/sub /e && touch /d/a /d/b /d/sub/old /e/x && chown 33:44 /d/b
		FROM first AS second
		RUN rm /d/a && rm -r /d/sub /e && mkdir /d/sub && touch /d/sub/new
		FROM $IMAGE
		COPY --from=second /d /d
		FROM second
		COPY --from=2 /d/b /d/b
	END
	for tool in podman buildah; do
		$tool build --quiet --isolation chroot --tag by-$tool context
		deleted_in localhost/by-$tool
	done
}

@test "images that are pulled from a directory or an archive" {
	local to from=(dir:/mnt/joe/dir oci:/mnt/joe/oci:built docker-archive:/mnt/joe/archive.tar)

	make_deleting_image
	for to in "${from[@]}"; do
		podman push --quiet localhost/built "$to"
	done
	for to in "${from[@]}"; do
		podman rmi --all --force
		deleted_in "$(podman pull --quiet "$to")"
	done
}

@test "idmount itself in podman's user namespace" {
	# The storage is a mount below joe, and a map of joe would uncover its directory.
	mkdir -p joe/own/{src,lower,upper,work,merged}
	touch joe/own/src/old joe/own/lower/old
	chown -R 1500:1500 joe/own
	# shellcheck disable=SC2016 # the other shell expands it
	prints $'33:33\n0:0\n33:33\n0:0 0\n0:0 0:0' podman unshare sh -euc '
		cd /mnt/joe/own
		/mnt/idmount mount -m 1500:33:1 -o suid,dev src /tmp
		stat -c %u:%g /tmp/old
		setpriv --reuid 33 --regid 33 --clear-groups touch /tmp/new
		stat -c %u:%g src/new
		/mnt/idmount overlay -m 1500:33:1 --upper-ids disk -L lower -U upper -W work -o userxattr,suid,dev merged
		stat -c %u:%g merged/old
		setpriv --reuid 33 --regid 33 --clear-groups touch merged/new
		setpriv --reuid 33 --regid 33 --clear-groups rm merged/old
		stat -c "%u:%g %t" upper/new
		stat -c "%u:%g %t:%T" upper/old
	'
	same 'requests' 3 "$(grep -c ': mapped$' service.log)"
}

@test "idmount run on the layers of podman's storage" {
	local layers map

	mkdir -p joe/own/{upper,work}
	chown -R 1500:1500 joe/own
	make_deleting_image
	podman unshare /mnt/idmount-overlayfs --convert "$storage"
	layers=$(podman image inspect --format '{{.GraphDriver.Data.UpperDir}}:{{.GraphDriver.Data.LowerDir}}' localhost/built)
	for map in auto 0:201000:1000 0:203000:1000; do
		inside "$built" as_joe /mnt/idmount run -L "$layers" --ephemeral -m "$map" -- sh -c "$list"
		inside $'33:44\n5:6' as_joe /mnt/idmount run -L "$layers" -U /mnt/joe/own/upper -W /mnt/joe/own/work -m "$map" -- \
			sh -c 'touch /new; chown 5:6 /new; stat -c %u:%g /d/b /new'
	done
}
