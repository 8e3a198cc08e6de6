# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# podman as root and as an ordinary user. A file loads this after "load common" and "private_mounts".

# configure_podman LINE...: writes containers.conf. LINEs are added to its section [engine].
configure_podman()
{
	# Limits stay as they are, because raising them requires a privilege. A limit of processes requires a controller
	# that the machine may use in the other layout.
	cat >containers.conf <<-'END'
		[containers]
		default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
		pids_limit = 0
		[engine]
		cgroup_manager = "cgroupfs"
		events_logger = "file"
	END
	printf '%s\n' "$@" >>containers.conf
}

# set_up_podman: podman of root, with the hook in hooks/, and with idmount as a runtime over runc and over crun.
set_up_podman()
{
	mkdir hooks
	sed "s|/usr/local/bin/idmount|$IDMOUNT|" "$ROOT/contrib/hooks.d/idmount.json" >hooks/idmount.json
	cat >storage.conf <<-'END'
		[storage]
		driver = "vfs"
		runroot = "/mnt/engine/run"
		graphroot = "/mnt/engine/root"
	END
	# One file has one section of a name.
	configure_podman 'runtime_supports_nocgroup = ["crun", "idmount-over-crun"]'
	sed "/^\[engine\]$/d; s|/usr/local/bin/idmount-oci-runtime|$runtime|" "$ROOT/contrib/containers.conf.d/idmount.conf" >>containers.conf
	# podman passes almost nothing of its environment to runtimes.
	printf '%s\n' '#!/bin/sh' "IDMOUNT_RUNTIME=crun exec $IDMOUNT oci-runtime \"\$@\"" >idmount-over-crun
	chmod +x idmount-over-crun
	echo 'idmount-over-crun = ["/mnt/idmount-over-crun"]' >>containers.conf
	export CONTAINERS_STORAGE_CONF=/mnt/storage.conf CONTAINERS_CONF=/mnt/containers.conf
	podman load --quiet --input "$BATS_FILE_TMPDIR/image.tar"
}

# The options of box() about cgroups.
cgroups=(--cgroups=disabled)

# box OPTION... -- COMMAND: runs a container. The file's podman() starts podman.
box()
{
	local options=() # of podman run

	while [[ $1 != -- ]]; do
		options+=("$1")
		shift
	done
	shift
	podman run --rm --network none "${cgroups[@]}" "${options[@]}" "$IMAGE" "$@"
}

# Kills that container, and waits until it is removed. A process that its monitor starts does that.
remove_explained()
{
	podman kill explained
	while podman container exists explained; do
		sleep 0.05
	done
}
