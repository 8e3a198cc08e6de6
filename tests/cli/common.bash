# SPDX-License-Identifier: MIT
# Functions for the tests of the command. IDMOUNT and MOUNT_IDMAP name the programs under test.
bats_require_minimum_version 1.5.0

ROOT=$(realpath "$BATS_TEST_DIRNAME/../..")
IDMOUNT=$(realpath "${IDMOUNT:-$ROOT/build/idmount}")
MOUNT_IDMAP=$(realpath "${MOUNT_IDMAP:-$ROOT/build/mount.idmap}")

# The output of the programs must not depend on where the tests run.
export LC_ALL=C
unset NO_COLOR

idmount()
{
	"$IDMOUNT" "$@"
}

# same WHAT EXPECTED ACTUAL
same()
{
	[[ $3 == "$2" ]] && return
	printf '%s is not as expected ( - ), but ( + ):\n' "$1"
	diff -u <(printf '%s\n' "$2") <(printf '%s\n' "$3") | tail -n +3
	return 1
}

# prints STDOUT COMMAND...: succeeds, prints exactly STDOUT, and nothing on standard error.
prints()
{
	local expected=$1

	shift
	run --separate-stderr "$@"
	same 'standard error' '' "$stderr"
	same 'exit status' 0 "$status"
	same 'standard output' "$expected" "$output"
}

# quietly COMMAND...: succeeds, and prints nothing.
quietly()
{
	prints '' "$@"
}

# A note about owners: added mount options, or set-user-ID programs that can be stored at the source.
owner_note=': note: (added (nosuid|nodev|nosuid,nodev)[ ,]|.*: user [0-9]+ can store set-user-ID programs of root)'

# noting COMMAND...: succeeds, and prints only such notes.
noting()
{
	run --separate-stderr "$@"
	same 'standard error' '' "$(grep -Ev "$owner_note" <<<"$stderr")"
	same 'exit status' 0 "$status"
	same 'standard output' '' "$output"
}

# fails STATUS STDERR COMMAND...: fails with STATUS, prints exactly STDERR, and nothing on standard output. Without
# lines and columns in STDERR those are not compared, because jq's version decides them in files that jq has made.
fails()
{
	local expected_status=$1 expected=$2

	shift 2
	run --separate-stderr "$@"
	[[ $expected == *'line '*', column '* ]] || stderr=$(sed 's/: line [0-9]*, column [0-9]*: /: /' <<<"$stderr")
	same 'standard error' "$expected" "$stderr"
	same 'exit status' "$expected_status" "$status"
	same 'standard output' '' "$output"
}

# ---- with mounts ----

# The hint for a filesystem that cannot be mapped for no known reason.
some_can='hint: ext4, xfs, btrfs, tmpfs, erofs, squashfs and some more can'

need_root()
{
	((EUID == 0)) && return
	if [[ ${IDM_MUST_RUN:-0} == 1 ]]; then
		echo 'this test needs root'
		return 1
	fi
	skip 'needs root'
}

# Fails also when the parent was killed, because its namespace is then unknown.
is_private()
{
	[[ -e /proc/$PPID/ns/mnt && ! /proc/self/ns/mnt -ef /proc/$PPID/ns/mnt ]]
}

# A file calls this at its top. Each of its tests then runs in a mount namespace of its own. No mount propagates
# out of it, and all its mounts disappear with it. A running shell cannot enter a new namespace, so the program that
# bats starts for a test executes itself again in it.
private_mounts()
{
	local line

	# bats reads the file for other purposes too.
	[[ ${0##*/} == bats-exec-test ]] && ((EUID == 0)) && ! is_private || return 0
	mapfile -d '' -t line <"/proc/$$/cmdline"
	rmdir "$BATS_TEST_TMPDIR"
	exec unshare --mount --propagation private "${line[@]}"
}

# crun changes the owner of its standard streams to the container's root, also of /dev/null. A read-only bind of
# /dev/null keeps its owner, and every process can still write to it.
keep_dev_null()
{
	mount --bind /dev/null /dev/null
	mount -o remount,bind,ro /dev/null
	exec </dev/null
}

# Mounts a tmpfs to work on. It is at /mnt because other users have to reach it. They cannot reach the directories
# of bats.
set_up_mounts()
{
	need_root
	if ! is_private; then
		echo 'this would happen to the mounts of the host'
		return 1
	fi
	mount -t tmpfs -o mode=755 work /mnt
	cd /mnt
	mkdir src dst
	background=()
}

# Hides the host's own rules for annotations.
no_policy()
{
	[[ ! -d /etc/idmount ]] || mount -t tmpfs -o mode=755 none /etc/idmount
}

# policy LINE...: writes root's rules for annotations, in an /etc that only this test sees. Without LINE it removes
# the file.
policy()
{
	if ! mountpoint -q /etc; then
		mkdir etc
		mount -t tmpfs -o mode=755 etc etc
		cp -a /etc/. etc
		mount --move etc /etc
		rmdir etc
	fi
	rm -rf /etc/idmount
	(($#)) || return 0
	mkdir -m 755 /etc/idmount
	printf '%s\n' "$@" >/etc/idmount/annotations.conf
}

# Kills the processes that background() has started.
tear_down_mounts()
{
	local pid

	for pid in "${background[@]}"; do
		kill "$pid" 2>/dev/null || true
		wait "$pid" 2>/dev/null || true
	done
}

# background COMMAND...: runs it until the test is over. bats waits for every process that has its descriptor 3 open.
background()
{
	"$@" 3>&- &
	background+=($!)
}

# mounts_at PATH: prints the number of mounts.
mounts_at()
{
	awk -v path="$1" '$5 == path' /proc/self/mountinfo | wc -l
}

# options_at PATH: prints the options of the top mount, and its propagation.
options_at()
{
	awk -v path="$1" '
		$5 == path {
			found = $6
			for (i = 7; $i != "-"; i++)
				found = found " " $i
		}
		END { print found }' /proc/self/mountinfo
}

# owner PATH...: prints the owners as numbers.
owner()
{
	stat -c %u:%g -- "$@"
}

# in_pieces COMMAND...: runs it as root of a user namespace whose map has two rows, as in every rootless
# container. /mnt is a filesystem of that namespace, because it may not map the caller's.
in_pieces()
{
	local side child status=0

	# The child must not keep this test's output open, because the reader would wait for it.
	unshare --user --mount sleep 300 </dev/null >/dev/null 2>&1 3>&- &
	child=$!
	while [[ /proc/$child/ns/user -ef /proc/self/ns/user || $(<"/proc/$child/comm") != sleep ]]; do
		sleep 0.01
	done
	for side in uid gid; do
		cat >"/proc/$child/${side}_map" <<<$'0 1000 1\n1 100000 65536'
	done
	# shellcheck disable=SC2016
	nsenter --target "$child" --user --mount --setuid 0 --setgid 0 sh -euc '
		mount -t tmpfs -o mode=755 inner /mnt
		cd /mnt
		mkdir src dst
		touch src/0 src/5 src/9
		chown 5:5 src/5
		chown 9:9 src/9
		exec "$@"' sh "$@" || status=$?
	kill "$child"
	wait "$child" || true
	return "$status"
}

# as UID COMMAND...: runs it as this user, without any privilege.
as()
{
	local uid=$1

	shift
	setpriv --reuid "$uid" --regid "$uid" --clear-groups --inh-caps=-all -- "$@"
}

# without_call NUMBER ERRNO COMMAND...: a seccomp filter answers that system call with ERRNO.
without_call()
{
	perl -e '
		my ($number, $errno) = splice @ARGV, 0, 2;
		sub step { pack("SCCL", @_) }
		my $program = step(0x20, 0, 0, 0) . step(0x15, 0, 1, $number) .
			step(0x06, 0, 0, 0x50000 | $errno) . step(0x06, 0, 0, 0x7fff0000);
		my $all = pack("S x6 P", length($program) / 8, $program);
		syscall(shift eq "x86_64" ? 157 : 167, 22, 2, $all) == 0 or die "seccomp: $!";
		exec @ARGV' -- "$1" "$2" "$(uname -m)" "${@:3}"
}

# make_account ID HOME: makes the user joe with subordinate IDs, in this mount namespace alone. There, another account of
# this machine with that name or ID is not.
make_account()
{
	local file

	for file in passwd group; do
		sed -E "/^(joe:|[^:]*:[^:]*:$1:)/d" "/etc/$file" >$file
	done
	echo "joe:x:$1:$1::$2:/bin/sh" >>passwd
	echo "joe:x:$1:" >>group
	echo 'joe:200000:65536' | tee subuid >subgid
	for file in passwd group subuid subgid; do
		[[ -e /etc/$file ]] || touch /etc/$file
		mount --bind $file /etc/$file
	done
}

# Prints everything that a failure must not change: the mounts, the files and the processes. Files of a procfs are
# left out, because they change all the time. All processes of a test are in its mount namespace.
state()
{
	local process

	cat /proc/self/mountinfo
	find /mnt -fstype proc -prune -o -printf '%p %y %m %U:%G %n %i %s %l\n' | sort
	for process in /proc/[0-9]*; do
		[[ $process/ns/mnt -ef /proc/self/ns/mnt && ${process##*/} != "$BASHPID" ]] &&
			echo "$process"
	done
	return 0
}

# refused STATUS STDERR COMMAND...: fails, and changes nothing.
refused()
{
	local before

	before=$(state)
	fails "$@"
	same 'what is there' "$before" "$(state)"
}
