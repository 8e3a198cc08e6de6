# SPDX-License-Identifier: MIT
# A reader can follow docs/rootless.md. The test runs its commands unchanged, in their order, as root and as an
# ordinary user. A local image replaces the one of a registry.
load common
private_mounts
load rootless

setup()
{
	set_up_rootless
	mkdir upper work "$BATS_TEST_TMPDIR/joe"
	# Files that the commands write disappear with the test.
	mount -t overlay -o lowerdir=/etc,upperdir=/mnt/upper,workdir=/mnt/work etc /etc
	cp passwd group subuid subgid /etc
	mount -t tmpfs -o mode=755 run /run
	mount -t tmpfs -o mode=755 home /home
	mount -t tmpfs -o mode=755 bin /usr/local/bin
	# The storage is on the disk: a tmpfs has no attributes user.* before Linux 6.6.
	mkdir -p /home/joe /run/user/1500
	mount --bind "$BATS_TEST_TMPDIR/joe" /home/joe
	chown 1500:1500 /home/joe /run/user/1500
	chmod 700 /home/joe /run/user/1500
	cp "$IDMOUNT" /usr/local/bin/idmount
	cp "$IDMOUNTD" /usr/local/bin/idmountd
	cp "$IDMOUNT_OVERLAYFS" /usr/local/bin/idmount-overlayfs
	ln -s idmount /usr/local/bin/idmount-oci-runtime
	write_systemctl
	write_configuration
	# With it, podman 4.3 begins with another storage.
	[[ ! -e /usr/bin/fuse-overlayfs ]] || mount --bind /dev/null /usr/bin/fuse-overlayfs
	joe_environment=(HOME=/home/joe XDG_RUNTIME_DIR=/run/user/1500 SHELL=/bin/bash PATH=/usr/local/bin:/usr/bin:/bin)
}

teardown()
{
	tear_down_rootless
}

# This machine may run without systemd.
write_systemctl()
{
	cat >/usr/local/bin/systemctl <<-'END'
		#!/bin/sh
		set -eu
		case $* in
			daemon-reload) ;;
			'enable --now idmountd.socket')
				idmountd >/mnt/service.log 2>&1 3>&- &
				until [ -S /run/idmount/idmountd.sock ]; do sleep 0.05; done
				;;
			*) exit 1 ;;
		esac
	END
	chmod +x /usr/local/bin/systemctl
}

# The machine has no network, and may have the other layout of cgroups. crun raises a limit to make a cgroup.
write_configuration()
{
	mkdir -p /etc/containers
	configure_podman 'runtime = "runc"'
	sed 's/^\[containers\]/&\nnetns = "none"/' containers.conf >/etc/containers/containers.conf
	rm -f /etc/containers/storage.conf
}

# follow SECTION: pastes the commands of a section into a shell of joe's. A command that starts another shell leaves the
# rest to that one.
follow()
{
	blocks rootless.md sh "$1" | sed 's|docker.io/library/debian|localhost/box:1 busybox|' | as_joe bash
}

# copy_file SECTION NAME: puts a file of the page into joe's directory for configuration.
copy_file()
{
	grep -qF "\`~/.config/containers/$2\`" "$ROOT/docs/rootless.md"
	as_joe mkdir -p /home/joe/.config/containers
	blocks rootless.md toml "$1" | as_joe tee "/home/joe/.config/containers/$2" >/dev/null
}

# owners: prints the owners and the name of each line of "ls -ln".
owners()
{
	sed -E 's/^[-a-z]{10}\S* +[0-9]+ ([0-9]+) +([0-9]+) .* /\1 \2 /; /^(total |sha256:)/d; s/ +/ /g'
}

# What podman prints on standard error when all is well.
progress='^(Getting image|Copying|Writing manifest|Storing signatures)|is not a shared mount'

# said SECTION EXPECTED: follows a section, and compares the output. Standard error has nothing but notes and progress.
said()
{
	run --separate-stderr follow "$1"
	same 'standard error' '' "$(grep -Ev "$owner_note|$progress" <<<"$stderr")"
	same "what it prints" "$2" "$(owners <<<"$output")"
	same 'exit status' 0 "$status"
}

@test "docs/rootless.md can be followed" {
	local again='' socket=''

	export PATH=/usr/local/bin:$PATH
	run -0 bash -c 'echo $BASHPID >"$0" && exec bash -euo pipefail' "/sys/fs/cgroup/$group/cgroup.procs" \
		< <(blocks rootless.md sh 'Once, as root')
	[[ $output == $'/etc/subuid:joe:200000:65536\n/etc/subgid:joe:200000:65536\nyes '* ]]

	said 'As the user' ' 0 1500 1
 1 200000 65535
33 33 old
0 0 new
0 0 old'
	said 'Containers: idmount run' $'0\n0:0\n0:0\n33:33'

	copy_file 'Rootless podman: volumes' containers.conf
	said 'Rootless podman: volumes' $'33 33 new\n33 33 old\n33 33 new\n33 33 old'
	# As the page says for podman 4.3.
	if [[ $(as_joe podman info) != *'graphDriverName: overlay'* ]]; then
		as_joe podman system reset --force
		again=yes
	fi
	copy_file 'Rootless podman: images' storage.conf
	[[ -z $again ]] || as_joe tar -C /home/joe/root --owner 0 --group 0 -c . | as_joe podman import - localhost/box:1
	said 'Rootless podman: images' $'uid=1500(joe) gid=1500(joe) groups=1500(joe)\n0:0'
	same 'requests' 8 "$(grep -c ': mapped$' service.log)"
}
