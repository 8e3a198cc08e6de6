# SPDX-License-Identifier: MIT
# What the tests of the command share. IDMOUNT and MOUNT_IDMAP name the programs under test.
bats_require_minimum_version 1.5.0

ROOT=$(realpath "$BATS_TEST_DIRNAME/../..")
IDMOUNT=$(realpath "${IDMOUNT:-$ROOT/build/idmount}")
MOUNT_IDMAP=$(realpath "${MOUNT_IDMAP:-$ROOT/build/mount.idmap}")

# What they say must not depend on where they are run.
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

# prints STDOUT COMMAND...: it succeeds, says exactly this, and nothing on standard error.
prints()
{
	local expected=$1

	shift
	run --separate-stderr "$@"
	same 'standard error' '' "$stderr"
	same 'exit status' 0 "$status"
	same 'standard output' "$expected" "$output"
}

# quietly COMMAND...: it succeeds, and says nothing.
quietly()
{
	prints '' "$@"
}

# A note about owners: words that were added, or set-user-ID programs that can be stored at the source.
owner_note=': note: (added (nosuid|nodev|nosuid,nodev)[ ,]|.*: user [0-9]+ can store set-user-ID programs of root)'

# noting COMMAND...: it succeeds, and says nothing but such notes.
noting()
{
	run --separate-stderr "$@"
	same 'standard error' '' "$(grep -Ev "$owner_note" <<<"$stderr")"
	same 'exit status' 0 "$status"
	same 'standard output' '' "$output"
}

# fails STATUS STDERR COMMAND...: exactly this on standard error, and nothing on standard output. Lines and columns
# are compared where STDERR has some: in a file that jq made they are its business.
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

# The hint where nothing better is known about a filesystem that cannot be mapped.
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

# No, too, where the parent has been killed: then nothing is known of it.
is_private()
{
	[[ -e /proc/$PPID/ns/mnt && ! /proc/self/ns/mnt -ef /proc/$PPID/ns/mnt ]]
}

# Called at the top of a file: its tests run in a mount namespace of their own each, from which nothing
# goes back, and which takes all its mounts with it. There is no way to move a running shell into one, so
# the program that bats starts for a test begins again in it.
private_mounts()
{
	local line

	# bats reads the file for other purposes too.
	[[ ${0##*/} == bats-exec-test ]] && ((EUID == 0)) && ! is_private || return 0
	mapfile -d '' -t line <"/proc/$$/cmdline"
	rmdir "$BATS_TEST_TMPDIR"
	exec unshare --mount --propagation private "${line[@]}"
}

# crun gives its standard streams to the container's root, /dev/null too. There it is read-only, which keeps
# its owner, and keeps no one from writing to it.
keep_dev_null()
{
	mount --bind /dev/null /dev/null
	mount -o remount,bind,ro /dev/null
	exec </dev/null
}

# A tmpfs to work on. It is at /mnt since other users have to get there, which bats' own directories do
# not allow.
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

# The host's own rules for annotations are out of the way.
no_policy()
{
	[[ ! -d /etc/idmount ]] || mount -t tmpfs -o mode=755 none /etc/idmount
}

# policy LINE...: root's rules for annotations, in an /etc that only this test sees. Without a LINE: no file.
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

# The processes that background() has started.
tear_down_mounts()
{
	local pid

	for pid in "${background[@]}"; do
		kill "$pid" 2>/dev/null || true
		wait "$pid" 2>/dev/null || true
	done
}

# background COMMAND...: until the end of the test. bats waits for all who hold its descriptor 3.
background()
{
	"$@" 3>&- &
	background+=($!)
}

# mounts_at PATH: how many.
mounts_at()
{
	awk -v path="$1" '$5 == path' /proc/self/mountinfo | wc -l
}

# options_at PATH: those of the top mount, and its propagation.
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

# owner PATH...: as numbers.
owner()
{
	stat -c %u:%g -- "$@"
}

# in_pieces COMMAND...: as root of a user namespace whose ids lie in two pieces, as in every rootless
# container, on a filesystem of its own at /mnt. The caller's is not that namespace's to map.
in_pieces()
{
	local side holder status=0

	# What it has open must not keep the reader of our output waiting.
	unshare --user --mount sleep 300 </dev/null >/dev/null 2>&1 3>&- &
	holder=$!
	while [[ /proc/$holder/ns/user -ef /proc/self/ns/user || $(<"/proc/$holder/comm") != sleep ]]; do
		sleep 0.01
	done
	for side in uid gid; do
		cat >"/proc/$holder/${side}_map" <<<$'0 1000 1\n1 100000 65536'
	done
	# shellcheck disable=SC2016
	nsenter --target "$holder" --user --mount --setuid 0 --setgid 0 sh -euc '
		mount -t tmpfs -o mode=755 inner /mnt
		cd /mnt
		mkdir src dst
		touch src/0 src/5 src/9
		chown 5:5 src/5
		chown 9:9 src/9
		exec "$@"' sh "$@" || status=$?
	kill "$holder"
	wait "$holder" || true
	return "$status"
}

# as UID COMMAND...: as somebody without any privilege.
as()
{
	local uid=$1

	shift
	setpriv --reuid "$uid" --regid "$uid" --clear-groups --inh-caps=-all -- "$@"
}

# Everything that a failure has to leave as it was: the mounts, what is in the directories (but not in a
# procfs, which never stands still), and the processes, of which all that the test starts are in its mount
# namespace.
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

# refused STATUS STDERR COMMAND...: fails, and everything is as before.
refused()
{
	local before

	before=$(state)
	fails "$@"
	same 'what is there' "$before" "$(state)"
}
