# SPDX-License-Identifier: MIT
# What the tests with engines share. Each runs in a mount namespace of its own, where all that an engine writes
# is in memory: /mnt has the test's files, /run and /var the engine's.
load ../cli/common

IMAGE=test.invalid/box:1

# The image is made once a file.
setup_file()
{
	"$BATS_TEST_DIRNAME/image.sh" "$BATS_FILE_TMPDIR/image.tar" "$IMAGE"
}

set_up_engine()
{
	set_up_mounts
	mkdir -m 711 engine
	mount -t tmpfs -o mode=755 run /run
	mount -t tmpfs -o mode=755 var /var/lib
	mount -t tmpfs -o mode=1777 tmp /var/tmp
	mountpoint -q /sys || mount -t sysfs sysfs /sys
	# Whatever layout the machine has: the one that all of runc, crun, containerd and podman can use.
	mount -t cgroup2 cgroup2 /sys/fs/cgroup
	group=idmount-test-$$
	mkdir /sys/fs/cgroup/$group

	mkdir vol
	echo theirs >vol/theirs
	echo ours >vol/ours
	chown 1000:1000 vol vol/ours
	chmod 755 vol
	cp "$(type -P busybox)" vol/suid
	chown 1000:1000 vol/suid
	chmod 4755 vol/suid
}

tear_down_engine()
{
	local left

	# All processes of the test, also those that it does not know.
	if [[ -d /sys/fs/cgroup/$group ]]; then
		echo 1 >"/sys/fs/cgroup/$group/cgroup.kill" 2>/dev/null || true
		find "/sys/fs/cgroup/$group" -depth -type d -exec rmdir {} \; 2>/dev/null || true
	fi
	tear_down_mounts
}

# In the container's own words, what it sees of the volume, and that it can write there.
look='stat -c "%u:%g %n" /vol /vol/ours /vol/theirs; touch /vol/new; stat -c "%u:%g %n" /vol/new'

# nothing_is_left: of containers that have ended.
nothing_is_left()
{
	# podman has an empty one for all its monitors, and leaves it.
	same 'cgroups' '' "$(find "/sys/fs/cgroup/$group" -mindepth 1 -type d ! -name conmon)"
	same 'processes in cgroups' '' "$(find "/sys/fs/cgroup/$group" -name cgroup.procs -exec cat {} +)"
	same 'mounts on the volume, or of it' '' "$(awk '$4 ~ "^/vol" || $5 ~ "^/mnt/vol"' /proc/self/mountinfo)"
	same 'mapped mounts' '' "$(idmount list)"
}
