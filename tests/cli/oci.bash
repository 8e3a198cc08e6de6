# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# Bundles, containers of real runtimes, and a process like that of a container when its hooks run. A file loads this
# after "load common" and "private_mounts".

# mount_ext4 DIR: mounts a new one, in a file of /mnt.
mount_ext4()
{
	local image

	image=$(mktemp /mnt/image.XXXXXX)
	truncate -s 64M "$image"
	mkfs.ext4 -qO ^has_journal "$image"
	mount -o loop "$image" "$1"
}

# mount_mappable DIR: mounts an empty filesystem that this kernel maps.
mount_mappable()
{
	if [[ $maps_tmpfs ]]; then
		mount -t tmpfs -o mode=755 mappable "$1"
	else
		mount_ext4 "$1"
	fi
}

# Makes a root filesystem, and a source of other users: /mnt/src, with files of 0, 1000 and 5.
set_up_containers()
{
	local name

	set_up_mounts
	# Linux before 6.3 maps no tmpfs.
	maps_tmpfs=yes
	if ! idmount check /mnt >/dev/null 2>&1; then
		maps_tmpfs=
		mount_ext4 /mnt
		cd /mnt || return
		mkdir src dst
	fi
	keep_dev_null
	no_policy
	mkdir -p rootfs/bin rootfs/proc rootfs/dev rootfs/sys rootfs/etc rootfs/vol rootfs/other
	cp "$(type -P busybox)" rootfs/bin/busybox
	for name in sh stat cat sleep touch grep mount; do
		ln -s busybox "rootfs/bin/$name"
	done
	touch src/0 src/1000 src/5
	chown 1000:1000 src src/1000
	chown 5:5 src/5
	hook="{path: \"$IDMOUNT\", args: [\"idmount\", \"oci-hook\"]}"
	# Names in the host's /sys/fs/cgroup.
	prefix=idmount-test-$BATS_TEST_NUMBER-$$
	export XDG_RUNTIME_DIR=/mnt
}

tear_down_containers()
{
	local state

	for state in state/*/; do
		[[ -d $state ]] && runc --root state delete --force "$(basename "$state")"
	done
	tear_down_mounts
	same 'control groups that are left' '' "$(find /sys/fs/cgroup -name "${prefix:-?}*" 2>/dev/null)"
}

# bundle NAME COMMAND [FILTER]: makes a bundle that runs COMMAND in a shell. FILTER changes config.json.
bundle()
{
	mkdir -p "$1"
	[[ -e $1/config.json ]] || runc spec --bundle "$1"
	jq --arg command "$2" ".root = {path: \"/mnt/rootfs\"} | .process.terminal = false
		| .process.args = [\"/bin/sh\", \"-c\", \$command] | ${3:-.}" "$1/config.json" >"$1/new"
	mv "$1/new" "$1/config.json"
}

# Parts of FILTER: a hook, rows, a volume, a user namespace that begins at 100000.
with_hook()
{
	echo ".hooks = {createRuntime: [$hook]}"
}

# rows DISK SEEN COUNT
rows()
{
	echo "[{containerID: $1, hostID: $2, size: $3}]"
}

# volume DESTINATION OPTIONS [ROWS]. OPTIONS are words, separated by commas.
volume()
{
	echo ".mounts += [{destination: \"$1\", type: \"bind\", source: \"${source:-/mnt/src}\",
		options: (\"$2\" | split(\",\"))}
		${3:+ + {uidMappings: $3, gidMappings: $3\}}]"
}

# shellcheck disable=SC2034 # the tests use it
userns='.linux.namespaces += [{type: "user"}]
	| .linux.uidMappings = [{containerID: 0, hostID: 100000, size: 65536}]
	| .linux.gidMappings = .linux.uidMappings'

# with_runc BUNDLE: runs it.
with_runc()
{
	runc --root state run --bundle "$1" "$prefix-${1##*/}"
}

# crun 1.8 refuses a hybrid of both cgroup hierarchies. So it makes no control groups here.
with_crun()
{
	if [[ $(stat -f -c %T /sys/fs/cgroup) == tmpfs ]]; then
		umount -R /sys/fs/cgroup
		mount -t cgroup2 cgroup2 /sys/fs/cgroup
	fi
	crun --cgroup-manager=disabled --root crun run --bundle "$1" "$prefix-${1##*/}"
}

# fake PATH...: starts a process in a mount namespace of its own, as a runtime leaves it to the hooks. The root
# filesystem is mounted there, and src at each PATH below it. The number of the process is $fake.
fake()
{
	mkfifo ready
	# shellcheck disable=SC2016 # the other shell expands it
	background unshare --mount --propagation private sh -euc '
		mount --rbind /mnt/rootfs /mnt/rootfs
		for place; do mount --rbind /mnt/src "/mnt/rootfs$place"; done
		echo >/mnt/ready
		exec sleep 1000' sh "$@"
	# shellcheck disable=SC2154 # set by common.bash
	fake=${background[-1]}
	read -t 60 -r <>ready
	rm ready
}

# mounts_of PID
mounts_of()
{
	cat "/proc/$1/mountinfo"
}

# hook_state PID BUNDLE
hook_state()
{
	echo "{\"ociVersion\": \"1.0.2\", \"id\": \"x\", \"status\": \"creating\", \"pid\": $1, \"bundle\": \"$2\"}"
}

# run_hook PID BUNDLE
run_hook()
{
	idmount oci-hook <<<"$(hook_state "$@")"
}

# without_set_group COMMAND...: a seccomp filter refuses MOVE_MOUNT_SET_GROUP as Linux before 5.15 does. It looks at
# the flags alone, in the lower half of the argument (little endian).
without_set_group()
{
	perl -e '
		sub step { pack("SCCL", @_) }
		my $program = step(0x20, 0, 0, 0) . step(0x15, 0, 3, 429) . step(0x20, 0, 0, 48) .
			step(0x45, 0, 1, 0x100) . step(0x06, 0, 0, 0x50000 | 22) . step(0x06, 0, 0, 0x7fff0000);
		my $all = pack("S x6 P", length($program) / 8, $program);
		syscall(shift eq "x86_64" ? 157 : 167, 22, 2, $all) == 0 or die "seccomp: $!";
		exec @ARGV' -- "$(uname -m)" "$@"
}

# hook_refuses STDERR PID BUNDLE: the hook fails and mounts nothing, inside or here. STDERR is without the prefix.
hook_refuses()
{
	local before

	before=$(mounts_of "$fake")
	refused 1 "idmount: oci-hook: $1" run_hook "$2" "$3"
	same 'what is mounted in there' "$before" "$(mounts_of "$fake")"
}
