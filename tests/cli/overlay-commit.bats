# SPDX-License-Identifier: MIT
# A root filesystem on mapped layers, which its own root changes from within. The upper directory then is the next
# layer, under any map, and also as an archive.
load common
private_mounts

setup()
{
	set_up_mounts
	mkdir disk root
	truncate -s 96M image
	mkfs.ext4 -q image
	mount -o loop,noatime image disk
	mkdir disk/l1 disk/l2 disk/up disk/work
	make_layers
}

teardown()
{
	tear_down_mounts
}

# Makes two layers of a small system, like those of an image.
make_layers()
{
	local tool

	mkdir disk/l1/{bin,etc,opt,home,opt/replaced}
	cp "$(type -P busybox)" disk/l1/bin/busybox
	for tool in sh cat chmod chown cp echo ln ls mkdir mkfifo rm stat; do
		ln -s busybox disk/l1/bin/$tool
	done
	echo secret >disk/l1/etc/shadow
	chmod 640 disk/l1/etc/shadow
	chown 0:42 disk/l1/etc/shadow
	echo old >disk/l1/opt/replaced/old
	mkdir disk/l2/etc disk/l2/home disk/l2/home/user
	echo gone >disk/l2/etc/removed
	echo mail >disk/l2/home/user/mail
	chown -R 1000:1000 disk/l2/home/user
}

# start_container FIRST: makes a user namespace whose IDs from 0 on are the host's from FIRST on.
start_container()
{
	background unshare --user sleep infinity
	container=$!
	while [[ /proc/$container/ns/user -ef /proc/self/ns/user ]]; do
		sleep 0.01
	done
	echo "0 $1 65536" >/proc/$container/uid_map
	echo "0 $1 65536" >/proc/$container/gid_map
}

# as_container_root COMMAND...
as_container_root()
{
	nsenter --user --target "$container" --setuid 0 --setgid 0 "$@"
}

# inside SCRIPT: runs it as the container's root, in its root filesystem.
inside()
{
	as_container_root chroot root /bin/sh -euc "$1"
}

# Makes every kind of change, with IDs of the container.
change_everything()
{
	inside '
		umask 022
		echo new >/new
		chown 1000:1001 /new
		ln /new /linked
		ln -s new /pointing
		chown -h 33:33 /pointing
		mkfifo /queue
		chown 65535:65535 /queue
		rm /etc/removed
		rm -r /opt/replaced
		mkdir /opt/replaced
		echo fresh >/opt/replaced/fresh
		chmod 600 /etc/shadow
		echo more >>/home/user/mail
		cp /bin/busybox /bin/su
		chown 7:8 /bin/su
		chmod 4755 /bin/su
		[ "$(stat -c %u:%g /new)" = 1000:1001 ]
		[ "$(stat -c %u:%g /etc/shadow)" = 0:42 ]
		[ ! -e /etc/removed ]'
	as_container_root setfattr -n user.note -v kept root/new
}

# The expected files of an upper directory: kind, mode, owner (counted from FIRST), links. Whiteouts belong to the
# user that made the mount.
changes()
{
	awk -v first="$1" '
		{
			split($4, id, ":")
			if ($2 != "c")
				$4 = id[1] + first ":" id[2] + first
			print
		}' <<-'EOF'
		bin d 755 0:0
		bin/su f 4755 7:8 1
		etc d 755 0:0
		etc/removed c 0 0:0
		etc/shadow f 600 0:42 1
		home d 755 0:0
		home/user d 755 1000:1000
		home/user/mail f 644 1000:1000 1
		linked f 644 1000:1001 2
		new f 644 1000:1001 2
		opt d 755 0:0
		opt/replaced d 755 0:0
		opt/replaced/fresh f 644 0:0 1
		pointing l 777 33:33 new
		queue p 644 65535:65535
	EOF
}

# listing DIRECTORY: prints the same for its files.
listing()
{
	find "$1" -mindepth 1 \( -type f -printf '%P %y %m %U:%G %n\n' -o -type l -printf '%P %y %m %U:%G %l\n' \
		-o -printf '%P %y %m %U:%G\n' \) | sort
}

# The lines that are the same through an overlay. Directories that show more files of the lower layers are left out.
in_overlay()
{
	grep -E '^(bin/su|etc/shadow|home/user|home/user/mail|linked|new|opt/replaced.*|pointing|queue) '
}

# xattr NAME PATH: prints its value.
xattr()
{
	getfattr --absolute-names --only-values -n "$1" "$2"
}

# shows_changes LAYER: on top of the others, under another map, the overlay shows all new files and no removed file.
shows_changes()
{
	quietly idmount overlay -L "$1" -L disk/l2 -L disk/l1 -m 0:300000:65536 root
	same 'what has changed' "$(changes 300000 | in_overlay)" "$(listing root | in_overlay)"
	same 'etc, without what was removed' shadow "$(ls root/etc)"
	same 'the replaced directory' fresh "$(ls root/opt/replaced)"
	same 'what was appended to' $'mail\nmore' "$(cat root/home/user/mail)"
	same 'extended attribute' kept "$(xattr user.note root/new)"
	[[ root/new -ef root/linked ]]
	start_container 300000
	same 'the secret, read by the root inside' secret "$(inside 'cat /etc/shadow')"
	same 'owner, seen from inside' 1000:1001 "$(inside 'stat -c %u:%g /linked')"
	quietly idmount umount root
}

# changed_overlay ARGUMENT...: mounts the two layers with an upper directory, and changes files.
changed_overlay()
{
	noting idmount overlay -L disk/l2 -L disk/l1 -U disk/up -W disk/work -m 0:100000:65536 "$@" root
	start_container 100000
	change_everything
	quietly idmount umount root
}

@test "--upper-ids disk: changes are stored with the container's IDs, and are a layer under another map" {
	changed_overlay --upper-ids disk
	same 'upper directory' "$(changes 0)" "$(listing disk/up)"
	same 'whiteout' 0,0 "$(stat -c %t,%T disk/up/etc/removed)"
	same 'opaque directory' y "$(xattr trusted.overlay.opaque disk/up/opt/replaced)"
	same 'layers' $'gone\nsecret\nold\nmail' \
		"$(cat disk/l2/etc/removed disk/l1/etc/shadow disk/l1/opt/replaced/old disk/l2/home/user/mail)"
	shows_changes disk/up
}

@test "--upper-ids disk: changes that were packed and unpacked are a layer, too" {
	changed_overlay --upper-ids disk
	tar --numeric-owner --xattrs --xattrs-include='*' -C disk/up -cf commit.tar .
	same 'IDs in the archive' $'0/0\n0/42\n1000/1000\n1000/1001\n33/33\n65535/65535\n7/8' \
		"$(tar --numeric-owner -tvf commit.tar | awk '{ print $2 }' | sort -u)"
	mkdir disk/l3
	tar --numeric-owner --xattrs --xattrs-include='*' -C disk/l3 -xpf commit.tar
	shows_changes disk/l3
}

@test "--upper-ids shifted: changes are stored with the host's IDs" {
	chown 100000:100000 disk/up
	changed_overlay
	same 'upper directory' "$(changes 100000)" "$(listing disk/up)"
}
