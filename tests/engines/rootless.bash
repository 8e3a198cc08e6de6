# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# podman as an ordinary user. A file loads this after "load common" and "private_mounts". User joe exists in the
# test's mount namespace alone, and has subordinate IDs from 200000 on. The service listens at /mnt/socket.
load podman

# set_up_rootless [LINE...]: LINEs are the section [storage] of storage.conf.
set_up_rootless()
{
	set_up_mounts
	keep_dev_null
	no_policy
	mount -t tmpfs -o mode=1777 tmp /var/tmp
	mountpoint -q /sys || mount -t sysfs sysfs /sys
	mount -t cgroup2 cgroup2 /sys/fs/cgroup
	group=idmount-test-$$
	mkdir /sys/fs/cgroup/$group

	make_account 1500 /mnt/joe
	mkdir joe joe/run
	chown -R 1500:1500 joe
	chmod 700 joe/run
	# Other users cannot reach the directories of the build and of bats.
	cp "$IDMOUNT" idmount
	cp "$IDMOUNT_OVERLAYFS" idmount-overlayfs
	ln -s idmount idmount-oci-runtime
	cp "$BATS_FILE_TMPDIR/image.tar" image.tar
	chmod 644 image.tar
	printf '%s\n' '[storage]' "$@" >storage.conf
	configure_podman 'runtime = "crun"' 'runtime_supports_nocgroup = ["crun", "idmount"]' \
		'[engine.runtimes]' 'idmount = ["/mnt/front"]'
	front crun
	socket=/mnt/socket
	joe_environment=(HOME=/mnt/joe XDG_RUNTIME_DIR=/mnt/joe/run CONTAINERS_CONF=/mnt/containers.conf
		CONTAINERS_STORAGE_CONF=/mnt/storage.conf)
}

# The storage of joe has idmount-overlayfs as its mount_program, and an image.
set_up_images()
{
	storage=/mnt/joe/storage
	set_up_rootless 'driver = "overlay"' 'runroot = "/mnt/joe/run/containers"' "graphroot = \"$storage\"" \
		"rootless_storage_path = \"$storage\"" '[storage.options.overlay]' 'mount_program = "/mnt/idmount-overlayfs"'
	# The storage is on the disk: a tmpfs has no attributes user.* before Linux 6.6.
	mkdir "$storage" "$BATS_TEST_TMPDIR/storage"
	mount --bind "$BATS_TEST_TMPDIR/storage" "$storage"
	chown 1500:1500 "$storage"
	start_service
	podman load --quiet --input image.tar
}

# All processes that podman has started are in the test's cgroup.
tear_down_rootless()
{
	if [[ -d /sys/fs/cgroup/$group ]]; then
		until kill_group; do
			sleep 0.01
		done
	fi
	tear_down_mounts
}

# front RUNTIME: makes the runtime "idmount" of podman, which passes almost nothing of its environment to runtimes.
front()
{
	printf '%s\n' '#!/bin/sh' "IDMOUNTD_SOCKET=/mnt/socket IDMOUNT_RUNTIME=$1 exec /mnt/idmount-oci-runtime \"\$@\"" >front
	chmod +x front
}

# At a socket that is ready when this returns.
start_service()
{
	background "$IDMOUNTD" --socket /mnt/socket 2>service.log
	service=${background[-1]}
	until [[ -S socket ]]; do
		sleep 0.01
	done
}

# The options of setpriv(1) about joe's supplementary groups.
joe_groups=(--clear-groups)

# as_joe COMMAND...: in the test's cgroup. Processes can outlive the command: podman's own one keeps its namespaces.
# $socket is the service's for COMMAND, or empty for the default one.
as_joe()
{
	# shellcheck disable=SC2016 # the other shell expands it
	sh -c 'echo $$ >"$0" && exec "$@"' "/sys/fs/cgroup/$group/cgroup.procs" \
		setpriv --reuid 1500 --regid 1500 "${joe_groups[@]}" --inh-caps=-all -- \
		env -i USER=joe PATH="$PATH" LC_ALL=C ${socket:+"IDMOUNTD_SOCKET=$socket"} "${joe_environment[@]}" "$@" 3>&-
}

podman()
{
	as_joe podman "${podman_options[@]}" "$@"
}

# Waits until the monitors of containers have exited. podman's own process stays, to keep its namespaces.
nothing_of_joe_is_left()
{
	local pids

	same 'containers' '' "$(podman ps --all --quiet)"
	for (( ; ; )); do
		mapfile -t pids <"/sys/fs/cgroup/$group/cgroup.procs"
		pids=("${pids[@]/#//proc/}")
		grep -qsx conmon "${pids[@]/%//comm}" || break
		sleep 0.01
	done
	same 'mounts of the volume' '' "$(awk '$4 ~ "/joe/vol"' /proc/self/mountinfo)"
	same "the same in podman's namespaces" '' "$(podman unshare awk '$4 ~ "/joe/vol"' /proc/self/mountinfo)"
	same 'mapped mounts' '' "$(podman unshare /mnt/idmount list)"
}
