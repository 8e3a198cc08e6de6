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
