# SPDX-License-Identifier: MIT
# Functions for the tests of "idmount run": a root filesystem, and an ordinary user.

# Makes a root filesystem of busybox.
make_root()
{
	local name

	cp "$(type -P busybox)" "$1/bin/busybox"
	for name in sh id stat touch cat ls ps tty stty hostname env true false sed sleep kill test rm mkdir readlink grep wc mount; do
		ln -s busybox "$1/bin/$name"
	done
	printf 'root:x:0:0::/root:/bin/sh\nmail:x:8:12::/var/mail:/bin/sh\n' >"$1/etc/passwd"
	printf 'root:x:0:\nmail:x:12:\nstaff:x:50:\n' >"$1/etc/group"
}

make_box()
{
	chmod 700 /mnt # other users of the host must not run files that a container stores as root
	mkdir -p root/bin root/etc root/tmp root/run
	make_root root
	chmod 1777 root/tmp
}

inside()
{
	idmount run --rootfs root -m 0:100000:65536 "$@"
}

# 512 mounts: more than the 256 of cli/run/staging.c.
many_mounts()
{
	local i

	mkdir many
	mount -t tmpfs many many
	mkdir many/{1..9}
	for i in {1..9}; do mount --rbind many "many/$i"; done
}

# Makes the user joe, who owns the root filesystem. Other users cannot reach the directory of the build.
make_joe()
{
	chmod 755 /mnt
	make_account 4242 /mnt
	cp "$IDMOUNT" idmount
	chown -R 4242:4242 root
	# shellcheck disable=SC2034 # the tests use it
	joe=(setpriv --reuid 4242 --regid 4242 --clear-groups --inh-caps=-all /mnt/idmount)
}
