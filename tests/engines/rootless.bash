# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# podman as an ordinary user. A file loads this after "load common" and "private_mounts". User joe exists in the
# test's mount namespace alone, and has subordinate IDs from 200000 on. The service listens at /mnt/socket.

# set_up_rootless [LINE...]: LINEs are added to the section [storage] of storage.conf.
set_up_rootless()
{
	local file

	set_up_mounts
	keep_dev_null
	no_policy
	mount -t tmpfs -o mode=1777 tmp /var/tmp
	mountpoint -q /sys || mount -t sysfs sysfs /sys
	mount -t cgroup2 cgroup2 /sys/fs/cgroup
	group=idmount-test-$$
	mkdir /sys/fs/cgroup/$group

	for file in passwd group subuid subgid; do
		[[ ! -e /etc/$file ]] || sed /^joe:/d /etc/$file >$file
		case $file in
			passwd) echo 'joe:x:1500:1500::/mnt/joe:/bin/sh' >>$file ;;
			group) echo 'joe:x:1500:' >>$file ;;
			*) echo 'joe:200000:65536' >>$file ;;
		esac
		[[ -e /etc/$file ]] || touch /etc/$file
		mount --bind $file /etc/$file
	done
	mkdir joe joe/run joe/vol
	echo text >joe/vol/ours
	chown -R 1500:1500 joe
	chmod 700 joe/run

	# Other users cannot reach the directory of the build.
	cp "$IDMOUNT" idmount
	ln -s idmount idmount-oci-runtime
	cp "$BATS_FILE_TMPDIR/image.tar" image.tar
	chmod 644 image.tar
	printf '%s\n' '[storage]' 'driver = "vfs"' "$@" >storage.conf
	cat >containers.conf <<-'END'
		[containers]
		pids_limit = 0
		[engine]
		cgroup_manager = "cgroupfs"
		events_logger = "file"
		runtime_supports_nocgroup = ["crun", "idmount"]
		[engine.runtimes]
		idmount = ["/mnt/front"]
	END
	front crun
	as_joe podman load --quiet --input image.tar
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

start_service()
{
	background "$IDMOUNTD" --socket /mnt/socket 2>service.log
	service=${background[-1]}
	until [[ -S socket ]]; do
		sleep 0.01
	done
}

# as_joe COMMAND...
as_joe()
{
	# shellcheck disable=SC2016 # the other shell expands it
	sh -c 'echo $$ >"$0" && exec "$@"' "/sys/fs/cgroup/$group/cgroup.procs" \
		setpriv --reuid 1500 --regid 1500 --clear-groups --inh-caps=-all -- \
		env -i HOME=/mnt/joe USER=joe XDG_RUNTIME_DIR=/mnt/joe/run PATH="$PATH" LC_ALL=C \
		CONTAINERS_CONF=/mnt/containers.conf CONTAINERS_STORAGE_CONF=/mnt/storage.conf "$@"
}

podman()
{
	as_joe podman --tmpdir /mnt/joe/run/tmp "${podman_options[@]}" "$@"
}

# box OPTION... -- COMMAND: keeps limits as they are, because raising them requires a privilege.
box()
{
	local options=() # of podman run

	while [[ $1 != -- ]]; do
		options+=("$1")
		shift
	done
	shift
	podman run --rm --network none --cgroups=disabled --ulimit nofile=1024:1024 \
		--ulimit nproc=1024:1024 "${options[@]}" "$IMAGE" "$@"
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
