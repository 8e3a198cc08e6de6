# SPDX-License-Identifier: MIT
# Functions for the tests with engines. Each test runs in a mount namespace of its own, where engines write only
# to memory: /mnt contains the test's files, /run and /var those of the engine.
load ../cli/common

IMAGE=test.invalid/box:1

# Each test file makes the image once.
setup_file()
{
	"$BATS_TEST_DIRNAME/image.sh" "$BATS_FILE_TMPDIR/image.tar" "$IMAGE"
}

set_up_engine()
{
	set_up_mounts
	keep_dev_null
	no_policy
	mkdir -m 711 engine
	mount -t tmpfs -o mode=755 run /run
	mount -t tmpfs -o mode=755 var /var/lib
	mount -t tmpfs -o mode=1777 tmp /var/tmp
	mountpoint -q /sys || mount -t sysfs sysfs /sys
	# The machine may use another layout. All of runc, crun, containerd and podman support this one.
	mount -t cgroup2 cgroup2 /sys/fs/cgroup
	group=idmount-test-$$
	mkdir /sys/fs/cgroup/$group

	# The path of the runtime, for the configuration of engines.
	runtime=/mnt/idmount-oci-runtime
	ln -s "$IDMOUNT" "$runtime"

	mkdir vol
	echo theirs >vol/theirs
	echo text >vol/ours
	chown 1000:1000 vol vol/ours
	chmod 755 vol
	cp "$(type -P busybox)" vol/suid
	chown 1000:1000 vol/suid
	chmod 4755 vol/suid
}

# Kills the processes in the test's cgroup, and removes the cgroup. Fails while a process is left.
kill_group()
{
	find "/sys/fs/cgroup/$group" -name cgroup.procs -exec cat {} + | xargs -r kill -KILL 2>/dev/null || true
	find "/sys/fs/cgroup/$group" -depth -type d -exec rmdir {} \; 2>/dev/null
	[[ ! -d /sys/fs/cgroup/$group ]]
}

# version_of PROGRAM
version_of()
{
	"$1" --version | grep -oE '[0-9]+(\.[0-9]+)+' | head -n 1
}

# is_older_than VERSION PROGRAM
is_older_than()
{
	local version

	version=$(version_of "$2")
	[[ $version != "$1" && $(printf '%s\n' "$1" "$version" | sort -V | head -n 1) == "$version" ]]
}

# daemon COMMAND...: runs it in the background, in a cgroup of its own. Its children are in that cgroup, too.
daemon()
{
	mkdir -p "/sys/fs/cgroup/$group/daemon" # one that starts again has children there
	background sh -c 'echo $$ >"$0" && exec "$@"' "/sys/fs/cgroup/$group/daemon/cgroup.procs" "$@"
	daemon=${background[-1]}
}

tear_down_engine()
{
	# All processes that engines have started, also those that they do not track any more.
	if [[ -d /sys/fs/cgroup/$group ]]; then
		until kill_group; do
			sleep 0.01
		done
	fi
	tear_down_mounts
}

# Run in the container: prints the owners that it sees on the volume, and creates a file there.
look='stat -c "%u:%g %n" /vol /vol/ours /vol/theirs; touch /vol/new; stat -c "%u:%g %n" /vol/new'

seen='0:0 /vol
0:0 /vol/ours
65534:65534 /vol/theirs
0:0 /vol/new'

# inside EXPECTED COMMAND...: checks the output of a container.
inside()
{
	local expected=$1

	shift
	run --separate-stderr "$@"
	((status == 0)) || echo "$stderr$output"
	same 'exit status' 0 "$status"
	same 'inside' "$expected" "$output"
}

# nothing_is_left: waits until only the daemon is left of exited containers. podman keeps an empty cgroup for all
# its monitors. Monitors and shims exit a little after their containers.
nothing_is_left()
{
	until [[ $(find "/sys/fs/cgroup/$group" -name cgroup.procs -exec cat {} +) == "${daemon-}" ]]; do
		sleep 0.01
	done
	same 'cgroups' '' "$(find "/sys/fs/cgroup/$group" -mindepth 1 -type d ! -name conmon ! -name daemon)"
	same 'mounts of the volume' '' "$(awk '$4 ~ "^/vol" || $5 ~ "^/mnt/vol"' /proc/self/mountinfo)"
	same 'mapped mounts' '' "$(idmount list)"
}

# read_only COMMAND...: starts a container with the volume read-only. The last argument is "--".
read_only()
{
	run -0 --separate-stderr "$@" sh -c 'touch /vol/new 2>&1; cat /proc/self/mountinfo'
	[[ ${lines[0]} == *'Read-only file system' ]]
	run awk '$5 == "/vol" { print $6 }' <<<"$output"
	same 'mounts there' 1 "${#lines[@]}"
	[[ ,${lines[-1]}, == *,ro,* && ,${lines[-1]}, == *,nosuid,* && ,${lines[-1]}, == *,nodev,* ]]
	[[ ,${lines[-1]}, == *,idmapped,* ]]
	[[ ! -e vol/new ]]
	nothing_is_left
}

# does_not_start WORD COMMAND...: the container fails to start, with WORD in the message. The last argument is "--".
does_not_start()
{
	local word=$1

	shift
	run --separate-stderr "$@" touch /vol/new
	((status != 0))
	echo "$stderr"
	[[ $stderr == *"$word"* ]]
	[[ ! -e vol/new ]]
	nothing_is_left
}

# blocks PAGE KIND [SECTION]: prints all code blocks of that kind as one script or text, without their indentation.
blocks()
{
	awk -v fence="\`\`\`$2" -v section="${3-}" '
		/^## / { elsewhere = section != "" && $0 != "## " section }
		$1 == "```" && on { on = 0; next }
		index($0, fence) && $1 == fence && !elsewhere { on = 1; indentation = match($0, /[^ ]/) - 1; next }
		on { print substr($0, indentation + 1) }' "$ROOT/docs/$1"
}
