# SPDX-License-Identifier: MIT
# idmount overlay: layers with other owners, laid over each other.
load common
private_mounts

setup()
{
	set_up_mounts
	mkdir l1 l2 up work
	echo one >l1/one
	echo two >l2/two
	chown 33:44 l2/two
}

teardown()
{
	tear_down_mounts
}

idmount_overlay='idmount: overlay:'

# overlay ARGUMENT...: mounts the two layers at dst.
overlay()
{
	idmount overlay -L l2 -L l1 -m 0:100000:65536 "$@" dst
}

undo()
{
	idmount umount /mnt/dst
	same 'mounts' 0 "$(mounts_at /mnt/dst)"
}

@test "layers show mapped IDs, and are read-only" {
	quietly overlay
	same 'owners' $'100000:100000\n100033:100044' "$(owner dst/one dst/two)"
	run ! touch dst/new
	undo
}

@test "without a map the owners are those on disk" {
	quietly idmount overlay -L l2:l1 dst
	same 'owners' $'0:0\n33:44' "$(owner dst/one dst/two)"
	undo
}

# tmpfs has attributes user.* since Linux 6.6.
@test "in a user namespace a directory of a lower layer can be removed" {
	setfattr -n user.test -v 1 up || skip 'this filesystem has no attributes user.*'
	mkdir l1/full
	touch l1/full/file
	unshare --user --map-root-user --mount bash -euc '
		"$IDMOUNT" overlay -L l1 -U up -W work dst
		[[ $(findmnt -no OPTIONS dst) == *,userxattr* ]]
		rm -r dst/full
		mkdir dst/full
		[[ -z $(ls dst/full) ]]
		umount dst
		"$IDMOUNT" overlay -L l1 -U up -W work -o userxattr dst
		[[ -z $(ls dst/full) ]]'
}

@test "a user namespace with all IDs is another one than the initial one all the same" {
	local inner

	setfattr -n user.test -v 1 up || skip 'this filesystem has no attributes user.*'
	mkdir l1/full
	background unshare --user --mount sleep infinity
	inner=${background[-1]}
	until [[ $(cat "/proc/$inner/comm") == sleep ]]; do
		sleep 0.01
	done
	echo '0 0 4294967295' | tee "/proc/$inner/uid_map" >"/proc/$inner/gid_map"
	# shellcheck disable=SC2016 # the inner shell's
	nsenter --target "$inner" --user --mount bash -euc '
		cd /mnt
		"$IDMOUNT" overlay -L l1 -U up -W work dst
		[[ $(findmnt -no OPTIONS dst) == *,userxattr* ]]
		rm -r dst/full'
}

@test "--upper-ids disk: a file written as 100000 is stored as 0" {
	noting overlay -U up -W work --upper-ids disk
	as 100000 bash -euc 'echo new >dst/new; echo more >>dst/one; rm dst/two; mkdir dst/dir'
	same 'owners seen' $'100000:100000\n100000:100000\n100000:100000' "$(owner dst/new dst/one dst/dir)"
	undo
	same 'owners stored' $'0:0\n0:0\n0:0\n0:0' "$(owner up/new up/one up/dir up/two)"
	same 'whiteout' 'character special file' "$(stat -c %F up/two)"
	same 'the layer' $'one\ntwo' "$(cat l1/one l2/two)"
}

@test "--upper-ids disk: a tar of the upper directory has container IDs only, and is a layer under another map" {
	overlay -U up -W work --upper-ids disk
	as 100000 touch dst/new
	undo
	same 'IDs in the archive' 0/0 "$(tar --numeric-owner -C up -cf - . | tar --numeric-owner -tvf - | awk '{ print $2 }' | sort -u)"
	quietly idmount overlay -L up:l2:l1 -m 0:300000:65536 dst
	same 'owners' $'300000:300000\n300033:300044' "$(owner dst/new dst/two)"
	undo
}

@test "--upper-ids shifted: a file written as 100000 is stored as 100000" {
	chown 100000:100000 up
	quietly overlay -U up -W work
	as 100000 touch dst/new
	undo
	same 'owner stored' 100000:100000 "$(owner up/new)"
}

@test "notes an upper directory whose owner the map does not show" {
	run -0 --separate-stderr overlay -U up -W work
	same 'note' "$idmount_overlay note: up belongs to 0, which the map does not show; chown it to 100000, or use --upper-ids disk" "$stderr"
	undo
}

@test "colons in names, options, --mkdir" {
	mkdir a:b 'c\d'
	touch a:b/colon
	quietly idmount overlay -L 'a\:b:l2' -L 'c\\d:l1' -o nosuid,noexec,metacopy=on,redirect_dir=on --mkdir new/target
	[[ -e new/target/colon && -e new/target/one ]]
	[[ $(options_at /mnt/new/target) == ro,nosuid,nodev,noexec,relatime* || $(options_at /mnt/new/target) == rw,nosuid,nodev,noexec,relatime* ]]
	grep -q 'overlay overlay .*metacopy=on' /proc/self/mountinfo
	idmount umount new/target
}

@test "a data-only layer" {
	mkdir data
	quietly idmount overlay -L l2:l1::data -o metacopy=on,redirect_dir=on dst
	grep -q 'datadir+=/mnt/data' /proc/self/mountinfo
	undo
}

@test "nosuid,nodev are added where another's files appear as root's" {
	run -0 --separate-stderr idmount overlay -L l2:l1 -m 1000:0 dst
	same 'note' "$idmount_overlay note: added nosuid,nodev, since files of user 1000 appear as root's; -o suid,dev prevents that" "$stderr"
	[[ $(options_at /mnt/dst) == *nosuid,nodev* ]]
	undo
}

@test "refusals name the directory, and change nothing" {
	local nobody_twice='two overlays on one upper directory damage each other; unmount the other overlay, or use other directories'

	refused 1 "$idmount_overlay -L l2,l1: no such directory; a colon separates layers, not a comma" overlay -L l2,l1
	refused 1 "$idmount_overlay missing: open layer: No such file or directory" overlay -L missing
	refused 1 "$idmount_overlay l1/one: open layer: Not a directory" overlay -L l1/one
	refused 1 "$idmount_overlay l2: open layer: duplicate layer (also given as l2)" overlay -L l2
	refused 1 "$idmount_overlay /dev: map tree: the filesystem ($(stat -f -c %T /dev | sed 's/.*/devtmpfs/')) cannot be ID-mapped
hint: ext4, xfs, btrfs, tmpfs, erofs, squashfs and some more can" overlay -L /dev
	refused 1 "$idmount_overlay l2: open overlay: expected a second layer or an upper directory, got one lower layer
hint: mount the directory itself (idmount mount), or add a second, empty layer" idmount overlay -L l2 dst
	refused 1 "$idmount_overlay /dev/shm: open overlay: the work directory and the upper directory (up) are on different mounts" \
		overlay -U up -W /dev/shm
	refused 1 "$idmount_overlay foo: open overlay: this kernel's overlayfs does not accept the option (kernel: overlay: Unknown parameter 'foo')" \
		overlay -o volatile,foo=1
	refused 1 "$idmount_overlay none: open target: the target does not exist
hint: create it first, or ask for it (--mkdir)" idmount overlay -L l2:l1 none

	overlay -U up -W work --upper-ids disk
	mkdir dst2 work2
	refused 1 "$idmount_overlay up: open overlay: it is in use as the upper or work directory of another overlay
hint: $nobody_twice" idmount overlay -L l2:l1 -U up -W work2 dst2
}

@test "an overlay as a layer is refused under a map, and accepted without one" {
	overlay
	refused 1 "$idmount_overlay dst: map tree: the filesystem (overlay) cannot be ID-mapped
hint: map its layers instead, and put the overlay together from them" idmount overlay -L dst:l1 -m 0:1 src
	mkdir l3
	quietly idmount overlay -L l3:dst src
	same 'owner' 100000:100000 "$(owner src/one)"
	idmount umount src
	undo
}

@test "wrong usage" {
	fails 2 "$idmount_overlay a lower layer is missing: -L" idmount overlay dst
	fails 2 "$idmount_overlay -L: expected a layer on each side of a colon" idmount overlay -L l1: dst
	fails 2 "$idmount_overlay -U and -W require each other" overlay -U up
	fails 2 "$idmount_overlay -U: the directory's name is empty" overlay -U '' -W work
	fails 2 "$idmount_overlay --upper-ids both: expected shifted or disk" overlay --upper-ids both
	fails 2 "$idmount_overlay --upper-ids disk: requires a map and an upper directory" overlay --upper-ids disk
	fails 2 "$idmount_overlay -o lowerdir: -L, -U and -W name the directories" overlay -o lowerdir=l1
	fails 2 "$idmount_overlay -o ro: expected no value, got \"1\"" overlay -o volatile,ro=1
	fails 2 "$idmount_overlay -o: an option is missing between two commas, or at an end" overlay -o ro,,volatile
	fails 2 "$idmount_overlay expected one TARGET; see \"idmount help overlay\"" idmount overlay -L l1:l2
	fails 2 "$idmount_overlay expected one TARGET, got 2 operands; see \"idmount help overlay\"" idmount overlay -L l1 l2 dst
	fails 2 "$idmount_overlay expected one TARGET, got the map 0:100000:65536; it requires -m" \
		idmount overlay 0:100000:65536 -L l1:l2 dst
	fails 2 "$idmount_overlay TARGET is empty" idmount overlay -L l1:l2 ''
}

@test "a missing privilege, and layers that are elsewhere: the message names the cause" {
	local process

	mkdir -p l1 l2 dst up work
	fails 1 'idmount: overlay: open overlay: it requires CAP_SYS_ADMIN in the user namespace that owns this mount namespace
hint: run it as root; an ordinary user runs it under unshare --user --map-root-user --map-auto --mount, or uses idmount run' as 4321 "$IDMOUNT" overlay -L l2:l1 dst
	# An overlay without those options can be made there.
	unshare --user --map-root-user --mount "$IDMOUNT" overlay -L l2:l1 dst
	fails 1 'idmount: overlay: l2: open overlay: the kernel does not allow the caller to create this overlay
hint: options with trusted extended attributes (metacopy, redirect_dir, index, nfs_export) require CAP_SYS_ADMIN in the initial user namespace; all overlays do before Linux 5.11' \
		unshare --user --map-root-user --mount "$IDMOUNT" overlay -L l2:l1 -o metacopy=on,redirect_dir=on dst
	background unshare --mount --propagation private sleep infinity
	process=${background[-1]}
	until [[ ! /proc/self/ns/mnt -ef /proc/$process/ns/mnt ]]; do
		:
	done
	fails 1 "idmount: overlay: /proc/$process/root/mnt/up: open overlay: the layer is on a mount of another mount namespace" \
		idmount overlay -L l1 -U "/proc/$process/root/mnt/up" -W "/proc/$process/root/mnt/work" dst
}

@test "no target is behind a symbolic link" {
	local behind

	mkdir -p victim/inside
	ln -s victim link
	for behind in / /. /./ /inside/..; do
		for option in '' --mkdir; do
			run -1 --separate-stderr idmount overlay -L l2 -L l1 -m 0:100000:65536 $option "link$behind"
			[[ $stderr == "idmount: overlay: link$behind: open target: "*'symbolic link'* ]]
			same 'mounts' 0 "$(mounts_at /mnt/victim)"
		done
	done
}

@test "a layer that is mapped already is refused" {
	mkdir mapped
	idmount mount -m 0:5,33:6,44:7 l2 mapped
	for layers in '-L mapped -L l1' '-L l1:mapped'; do
		# shellcheck disable=SC2086 # words
		refused 1 "$idmount_overlay mapped: map tree: the source is on a mount that is ID-mapped already
hint: name it by a path where it has no map, or give no new map: it keeps the one that it has" \
			idmount overlay $layers -m 0:100000:65536 dst
	done
	# Following the hint succeeds.
	quietly idmount overlay -L mapped:l1 dst
	same 'owner' 6:7 "$(owner dst/two)"
	idmount umount dst
	quietly idmount overlay -L l2:l1 -m 0:100000:65536 dst
	same 'owner' 100033:100044 "$(owner dst/two)"
}

@test "--dry-run: the layers are mapped, and nothing is mounted or written" {
	local before known='dst: can be mounted; nothing was, because of --dry-run'

	before=$(state)
	prints "$known" overlay --dry-run
	prints "$known" overlay --dry-run -U up -W work --upper-ids disk
	prints 'new: can be mounted; nothing was, because of --dry-run' \
		idmount overlay --dry-run -L l1 -L l2 --mkdir new
	fails 1 "$idmount_overlay no: open directory: No such file or directory" overlay --dry-run -U up -W no
	fails 1 "$idmount_overlay no: open tree: No such file or directory" \
		idmount overlay --dry-run -L l1:no -U up -W work -m 0:1 dst
	fails 1 "$idmount_overlay no: open target: the target does not exist
hint: create it first, or ask for it (--mkdir)" idmount overlay --dry-run -L l1:l2 no
	fails 1 "$idmount_overlay no: open target: No such file or directory" \
		idmount overlay --dry-run -L l1:l2 -U up -W work no
	prints 'new: can be mounted; nothing was, because of --dry-run' \
		idmount overlay --dry-run --mkdir -L l1 -U up -W work new
	same 'what is there' "$before" "$(state)"
	ln -s dst link
	# The rest of the message is the C library's.
	run -1 --separate-stderr idmount overlay --dry-run -L l1:l2 -U up -W work link
	[[ $stderr == "$idmount_overlay link: open target: "*ymbolic\ link* ]]
	mkdir fixed
	mount -t tmpfs -o ro fixed fixed
	fails 1 "$idmount_overlay fixed: write directory: Read-only file system" overlay --dry-run -U fixed -W work
}

@test "-v: each step on standard error" {
	fails 0 "idmount: overlay: idmount $(idmount --version | cut -d' ' -f2), Linux $(uname -r), user 0
idmount: overlay: map: 0:100000:65536
idmount: overlay: layer l2: / of work (tmpfs), at /mnt, rw,relatime,private
idmount: overlay: layer l1: / of work (tmpfs), at /mnt, rw,relatime,private
idmount: overlay: made the overlay of 2 lower layers
idmount: overlay: attached it at dst" overlay -v
	undo
}

@test "idmount-overlayfs: what it cannot do, in words" {
	local program=${IDMOUNT_OVERLAYFS:-$ROOT/build/idmount-overlayfs}

	for option in xattr_permissions=2 force_mask=0755; do
		fails 2 "idmount-overlayfs: ${option%=*}: the kernel's overlay cannot store permissions in extended attributes, fuse-overlayfs can; remove force_mask from storage.conf" \
			"$program" -o "lowerdir=l2:l1,$option" dst
	done
	fails 1 "idmount-overlayfs: it requires root of the engine's user namespace; run it as: podman unshare idmount-overlayfs --convert $PWD" \
		as 4321 "$program" --convert "$PWD"
	fails 1 "idmount-overlayfs: $PWD: expected a storage, such as graphRoot of \"podman info\", got a directory without \"overlay\"" \
		"$program" --convert "$PWD"
	fails 1 "idmount-overlayfs: $PWD/none: expected a storage, such as graphRoot of \"podman info\", got a directory without \"overlay\"" \
		"$program" --convert "$PWD/none"
}

# make_storage DIRECTORY: one layer with a whiteout of fuse-overlayfs.
make_storage()
{
	mkdir -p "$1/overlay/L1/diff"
	touch "$1/overlay/L1/link" "$1/overlay/L1/diff/.wh.gone"
}

@test "idmount-overlayfs --convert: another user's lock of a layer does not matter" {
	local program=${IDMOUNT_OVERLAYFS:-$ROOT/build/idmount-overlayfs}

	make_storage storage
	mkfifo locked
	chmod 666 locked
	background setpriv --reuid 4321 --regid 4321 --clear-groups bash -c \
		'exec 9<storage/overlay/L1/diff && flock 9 && echo >locked && exec sleep infinity'
	read -r <locked
	timeout 60 "$program" --convert storage
	same 'layer' 'gone character special file' "$(cd storage/overlay/L1/diff && stat -c '%n %F' *)"
	same 'marker' '600 0' "$(stat -c '%a %u' storage/overlay/L1/.idmount-kernel-whiteouts)"
	# It is done.
	touch storage/overlay/L1/diff/.wh.more
	"$program" --convert storage
	[[ -e storage/overlay/L1/diff/.wh.more ]]
}

@test "idmount-overlayfs --convert: the storage of a user leads to no other one" {
	local program=${IDMOUNT_OVERLAYFS:-$ROOT/build/idmount-overlayfs}

	make_storage roots
	mkdir joes
	ln -s ../roots/overlay joes/overlay
	chown -h 4321:4321 joes joes/overlay
	fails 1 "idmount-overlayfs: joes/overlay: expected a directory, and no symbolic link" "$program" --convert joes
	chown 4321:4321 roots
	fails 1 "idmount-overlayfs: roots/overlay: expected a directory of the storage's owner, user ID 4321, got one of 0" \
		"$program" --convert roots
	[[ -e roots/overlay/L1/diff/.wh.gone && ! -e roots/overlay/L1/.idmount-kernel-whiteouts ]]
	chown -R 4321:4321 roots
	"$program" --convert roots
	[[ -c roots/overlay/L1/diff/gone ]]
}
