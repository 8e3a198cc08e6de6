# SPDX-License-Identifier: MIT
# The installed units, in a booted systemd.
load common
private_mounts

setup()
{
	type -P meson >/dev/null && [[ -x /usr/lib/systemd/systemd ]] || skip 'meson and systemd are not installed'
	set_up_mounts
	mkdir cgroup install root shared
	mount -t cgroup2 cgroup2 cgroup
	group=cgroup/idmount-test-$$
	mkdir "$group"
}

# The machine's first process is over, and so are all others.
teardown()
{
	tear_down_mounts
	until find "$group" -depth -type d -exec rmdir {} + 2>/dev/null; do
		sleep 0.01
	done
}

# boot: runs standard input as root of a booted machine, and prints the output.
boot()
{
	cat >shared/inside
	meson install -C "$IDM_BUILD_ROOT" --no-rebuild --quiet --destdir /mnt/install
	# shellcheck disable=SC2016 # the other shell expands it
	run sh -c 'echo $$ >"$0/cgroup.procs" && exec "$@"' "$group" \
		unshare --mount --pid --fork --kill-child --net --uts --ipc --cgroup --propagation private \
		"$BATS_TEST_DIRNAME/boot-systemd.sh" /mnt
	same 'exit status' 0 "$status"
	cat shared/output
}

@test "the service starts for the first user, starts again, and is confined" {
	same 'output' "active inactive
666
1 of the features
33:33
33:33
33:33
3 maps in the journal
CapEff:	00000000002c0004
NoNewPrivs:	1
Seccomp:	2
idmountd.socket" "$(boot <<-'END'
		# maps: an ordinary user has the service map a directory.
		maps() {
			setpriv --reuid 1500 --regid 1500 --clear-groups --inh-caps=-all \
				unshare --user --map-root-user --map-auto --mount sh -euc '
				idmount mount -m 1500:33:1 -o suid,dev /home/joe /mnt
				stat -c %u:%g /mnt'
		}

		mkdir /mnt
		systemctl enable --now idmountd.socket 2>/tmp/enabled
		echo $(systemctl is-active idmountd.socket idmountd.service || :)
		stat -c %a /run/idmount/idmountd.sock
		echo "$(idmount check | grep -c '^yes  *service ') of the features"
		maps
		first=$(systemctl show -P MainPID idmountd)
		kill -KILL $first
		until [ "$(systemctl show -P MainPID idmountd)" != $first ]; do sleep 0.1; done
		maps
		systemctl stop idmountd.service 2>/tmp/stopped
		maps
		journalctl --sync
		echo "$(journalctl --quiet --unit idmountd | grep -c ': mapped$') maps in the journal"
		grep '^CapEff\|^NoNewPrivs\|^Seccomp:' /proc/$(systemctl show -P MainPID idmountd)/status
		systemd-analyze verify --man=no idmountd.service idmountd.socket idmount@srv-box.service
		systemctl list-unit-files --quiet --state enabled | grep -o '^idmountd[^ ]*'
	END
	)"
}

# systemd-escape makes backslashes of a hyphen and of other characters, and systemd expands variables, specifiers and
# patterns.
@test "idmount@.service: the map and the target of any name" {
	# shellcheck disable=SC2016 # these are names
	local names=(box my-box 'a b' '${HOME}' '$HOME' '50%i' 'a"b' "a'b" 'a\b' ';' '-m' '*' 'ü')

	same 'output' "$(printf '/data/%s: 2000:2000, then nothing\n' "${names[@]}")" "$(boot <<-'END'
		mkdir -p /etc/idmount /data/source
		chown 1000:1000 /data/source
		for name in box my-box 'a b' '${HOME}' '$HOME' '50%i' 'a"b' "a'b" 'a\b' ';' '-m' '*' 'ü'; do
			instance=$(systemd-escape --path "/data/$name")
			echo '[{"type":"bind","source":"/data/source","options":["bind"]}]' >"/etc/idmount/$instance.json"
			mkdir "/etc/systemd/system/idmount@$instance.service.d"
			printf '[Service]\nEnvironment="OPTIONS=-m 1000:2000 --keep-rest"\n' \
				>"/etc/systemd/system/idmount@$instance.service.d/options.conf"
			systemctl daemon-reload
			systemctl start "idmount@$instance.service" || journalctl --quiet --sync --unit "idmount@$instance.service"
			printf '/data/%s: %s, then ' "$name" "$(stat -c %u:%g "/data/$name")"
			systemctl stop "idmount@$instance.service"
			[ -e "/data/$name" ] && echo "$(stat -c %u:%g "/data/$name")" || echo nothing
		done
	END
	)"
}

@test "the sandbox of the unit is in effect" {
	same 'output' "own net mnt
touch: cannot touch '/usr/local/file': Read-only file system
touch: cannot touch '/etc/file': Read-only file system
mkdir: cannot create directory '/sys/fs/cgroup/group': Read-only file system
mount: refused
connect: Address family not supported by protocol
unshare: refused
the same calls of root:
mount: done
connect: Connection refused
unshare: done" "$(boot <<-'END'
		mkdir /mnt
		systemctl enable --now idmountd.socket 2>/tmp/enabled
		systemctl start idmountd.service
		pid=$(systemctl show -P MainPID idmountd)
		# The unit's namespaces are complete when the program is executed.
		until [ "$(cat /proc/$pid/comm)" = idmountd ]; do sleep 0.1; done
		own=own
		for name in net mnt; do
			[ "$(readlink /proc/$pid/ns/$name)" = "$(readlink /proc/self/ns/$name)" ] || own="$own $name"
		done
		echo "$own"
		# Outside, each of these is writable.
		touch /usr/local/file /etc/file
		mkdir /sys/fs/cgroup/group
		rm /usr/local/file /etc/file
		rmdir /sys/fs/cgroup/group
		LC_ALL=C nsenter --target $pid --mount touch /usr/local/file /etc/file 2>&1 || :
		LC_ALL=C nsenter --target $pid --mount mkdir /sys/fs/cgroup/group 2>&1 || :

		# Another program instead of the service. The capabilities of the unit suffice for these calls.
		cat >/tmp/calls <<-'CALLS'
			attempt() {
				"$@" 2>/dev/null && echo "$1: done" || echo "$1: refused"
			}
			attempt mount -t tmpfs none /mnt
			message=$(LC_ALL=C bash -c ': >/dev/tcp/127.0.0.1/1' 2>&1 || :)
			echo "connect: ${message##*: }"
			attempt unshare --uts true
		CALLS
		systemctl stop idmountd.service 2>/tmp/stopped
		mkdir /etc/systemd/system/idmountd.service.d
		cat >/etc/systemd/system/idmountd.service.d/calls.conf <<-'CONF'
			[Service]
			Type=oneshot
			Restart=no
			ExecStart=
			ExecStart=/bin/bash /tmp/calls
			StandardOutput=file:/tmp/called
			StandardError=file:/tmp/called
		CONF
		systemctl daemon-reload
		systemctl start idmountd.service
		cat /tmp/called
		echo 'the same calls of root:'
		bash /tmp/calls
	END
	)"
}
