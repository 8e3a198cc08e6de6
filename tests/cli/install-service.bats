# SPDX-License-Identifier: MIT
# The units that "meson install" installs, and the demonstration of the service for an ordinary user.
load common
private_mounts

IDMOUNTD=${IDMOUNTD:-$ROOT/build/idmountd}

# installed PREFIX OPTION...: the files of a build directory of its own, which is not built.
installed()
{
	local prefix=$1

	shift
	meson setup "$BATS_TEST_TMPDIR/build" "$ROOT" --prefix "$prefix" -Dtests=false -Dman=disabled "$@" >/dev/null
	meson introspect --installed "$BATS_TEST_TMPDIR/build" | jq -r 'to_entries[] | "\(.value) \(.key)"' | sort
	rm -rf "$BATS_TEST_TMPDIR/before"
	mv "$BATS_TEST_TMPDIR/build" "$BATS_TEST_TMPDIR/before"
}

unit()
{
	cat "$BATS_TEST_TMPDIR/before/contrib/systemd/${1:-idmountd}.service"
}

@test "the units name the programs where they are" {
	local files

	type -P meson jq >/dev/null || skip 'meson and jq are not installed'
	files=$(installed /usr/local)
	[[ $files == *'/usr/local/lib/systemd/system/idmountd.service '* ]]
	[[ $files == *"/usr/local/lib/systemd/system/idmountd.socket $ROOT/contrib/systemd/idmountd.socket"* ]]
	[[ $files == *'/usr/local/sbin/idmountd '* ]]
	[[ $files == *'/usr/local/lib/systemd/system/idmount@.service '* ]]
	unit | grep -x ExecStart=/usr/local/sbin/idmountd
	same 'programs' $'ExecStart=/usr/local/bin/idmount\nExecStop=/usr/local/bin/idmount' "$(unit idmount@ | sed -n 's/^\(Exec[^ ]*\) .*/\1/p')"
	same 'the rest' '' "$(diff <(unit) "$ROOT/contrib/systemd/idmountd.service" | grep '^[<>]' | grep -v ExecStart= || :)"
	files=$(installed /usr -Dsystemdsystemunitdir=/lib/x)
	[[ $files == *'/lib/x/idmountd.service '* && $files == *'/lib/x/idmountd.socket '* ]]
	unit | grep -x ExecStart=/usr/sbin/idmountd
	installed '/opt/my apps' >/dev/null
	unit | grep -xF 'ExecStart=/opt/my\x20apps/sbin/idmountd'
	unit idmount@ | grep -F 'ExecStart=/opt/my\x20apps/bin/idmount apply '
	files=$(installed /usr)
	[[ $files == *'/lib/systemd/system/idmountd.service '* ]]
	files=$(installed /usr -Dsystemdsystemunitdir=no)
	[[ $files != *idmountd.so* && $files != *idmount@* && $files == *'/usr/sbin/idmountd '* ]]
}

# Users can exhaust a limit of memory, and hold a process that is killed.
@test "no limit of memory lets users stop the service" {
	local unit=$ROOT/contrib/systemd/idmountd.service

	same 'limits of memory' '' "$(grep -E '^(Memory(Max|High|SwapMax|ZSwapMax)|LimitAS|LimitDATA|LimitRSS)' "$unit" || :)"
	grep -x OOMScoreAdjust=-1000 "$unit"
	grep -x OOMPolicy=continue "$unit"
	grep -x KillMode=mixed "$unit"
	# The service itself has five seconds for its workers.
	(($(sed -n 's/^TimeoutStopSec=//p' "$unit") > 5))
}

@test "demo-rootless.sh shows every step, and leaves nothing" {
	local before user

	need_root
	[[ -x $IDMOUNTD ]] || skip 'there is no idmountd'
	before=$(</proc/self/mountinfo)
	# By a path that is relative to another directory.
	cd "$ROOT/tests"
	IDMOUNT_DEMO_BUILD=$(dirname "$IDMOUNT") run -0 --separate-stderr ../demo-rootless.sh
	same 'standard error' '' "$(grep -v ': note: ' <<<"$stderr")"
	[[ $output == *'33 33 '*'beach.jpg'*'0 0 '*'photos/new.jpg'*'33 33 '*'old.txt'*' -m 0:'+([0-9])':1000 '* ]]
	# Root of the container is the user.
	user=$(sed -n 's/^uid=\([0-9]*\).*/\1/p' <<<"$output")
	[[ $output == *" $user $user "*' root/tmp/own'* ]]
	(($(grep -c ': mapped$' <<<"$output") >= 4))
	same 'mounts' "$before" "$(</proc/self/mountinfo)"
	# An ordinary user needs the service.
	run -1 --separate-stderr env IDMOUNT_DEMO_STAGE=user IDMOUNT_DEMO_BUILD="$(dirname "$IDMOUNT")" IDMOUNTD_SOCKET=/none \
		HOME="$BATS_TEST_TMPDIR" "$ROOT/demo-rootless.sh"
	same 'message' 'demo-rootless.sh: idmountd is not running; docs/rootless.md starts it, or sudo ./demo-rootless.sh' "$stderr"
}

@test "demo-rootless.sh names the reason if podman is missing, and fails if podman does" {
	local directory

	[[ -x $IDMOUNTD ]] || skip 'there is no idmountd'
	set_up_mounts
	export IDMOUNT_DEMO_BUILD=${IDMOUNT%/*}
	# All programs of the host but podman.
	mkdir bin
	for directory in /usr/local/sbin /usr/local/bin /usr/sbin /usr/bin /sbin /bin; do
		find "$directory/" -mindepth 1 -maxdepth 1 ! -type d -exec ln -st bin {} + 2>/dev/null || :
	done
	rm -f bin/podman
	PATH=/mnt/bin run -0 --separate-stderr "$ROOT/demo-rootless.sh"
	[[ $output == *'Rootless podman is left out: podman is not installed.'* ]]
	cat >bin/podman <<-'END'
		#!/bin/bash
		[[ " $* " != *' run '* ]] || { echo 'no container today' >&2; exit 125; }
	END
	chmod 755 bin/podman
	PATH=/mnt/bin run -1 --separate-stderr "$ROOT/demo-rootless.sh"
	same 'standard error' $'no container today\ndemo-rootless.sh: podman run failed with exit status 125' "$(grep -v ': note: ' <<<"$stderr")"
	same 'mounts' '' "$(grep ' - tmpfs demo ' /proc/self/mountinfo || :)"
}
