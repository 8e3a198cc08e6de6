# SPDX-License-Identifier: MIT
# idmount run as an ordinary user, with maps that idmountd makes.
load common
load run-root
private_mounts

setup()
{
	[[ -v IDMOUNTD ]] || skip 'there is no idmountd'
	set_up_mounts
	make_box
	make_joe
	chown 200007:200011 root/tmp
	chown joe:joe src
	export IDMOUNTD_SOCKET=$PWD/socket
	background "$IDMOUNTD" --socket "$IDMOUNTD_SOCKET" 2>log
	until [[ -S socket ]]; do
		:
	done
}

teardown()
{
	tear_down_mounts
}

run_joe()
{
	"${joe[@]}" run "$@"
}

# stop_idmountd: no service listens from here on.
stop_idmountd()
{
	kill "${background[-1]}"
	wait "${background[-1]}" || :
	rm -f socket
}

# close_place: other users of the host must not run files that a container stores as joe.
close_place()
{
	chown joe:joe /mnt
	chmod 700 /mnt
}

# requests: how many maps the service has made.
requests()
{
	grep -c ': mapped$' log || :
}

# Files of mail (8:12) are as rootless podman stores them: joe's own ID is 0, and the range follows.
shown=$'0:0 /\n8:12 /tmp'
show='stat -c "%u:%g %n" / /tmp'

@test "a root filesystem of the user's own IDs, in a container of others" {
	close_place
	prints "$shown" run_joe --rootfs root -m 0:201000:1000 -- sh -c "$show"
	run_joe --rootfs root -m 0:201000:1000 --user 8:12 -- touch /tmp/mail
	run_joe --rootfs root -m 0:201000:1000 -- touch /tmp/root
	same 'owners on disk' $'200007:200011\n4242:4242\n4242:4242' "$(owner root/tmp/mail root/tmp/root root/proc)"
	same 'requests' 3 "$(requests)"
	# One container has no ID of another one.
	prints '         0       1001       1000' run_joe --rootfs root -m 0:201000:1000 -- cat /proc/self/uid_map
	run -1 run_joe --rootfs root -m 0:201000:8 --user 5:5 -- touch /tmp/root
	prints 'nothing may be made' run_joe --rootfs root -m 0:201000:1000 --read-only -- sh -c 'touch /x 2>/dev/null || echo nothing may be made'
}

@test "the user's own ID as another ID than root" {
	close_place
	prints "$shown"$'\n4242' run_joe --rootfs root -m 0:200000:4242,4242:4242:1,4243:204242:1000 --user 4242:4242 -- sh -c "$show; id -u"
	run_joe --rootfs root -m 0:200000:4242,4242:4242:1,4243:204242:1000 --user 8:12 -- touch /tmp/mail
	same 'owner on disk' 200007:200011 "$(owner root/tmp/mail)"
}

@test "files that the container's root owns already, and the user's own map, are not mapped" {
	stop_idmountd
	prints "$shown" run_joe --rootfs root -m auto -- sh -c "$show"
	chown -R 201000:201000 root
	chown 201008:201012 root/tmp
	prints "$shown" run_joe --rootfs root -m 0:201000:1000 -- sh -c "$show"
	prints 0:0 run_joe --rootfs root --bind src:/src:idmap -- stat -c %u:%g /src
}

@test "a root filesystem whose top directory the map does not show" {
	local note='idmount: run: note: root: the top directory belongs to uid'

	chown root:root root
	fails 125 "$note 0, which the map does not show
idmount: run: /proc: make mount point: Permission denied" run_joe --rootfs root -m 0:201000:1000 -- true
	mkdir root/proc root/sys root/dev
	chown 200005:200005 root
	run -0 --separate-stderr run_joe --rootfs root -m 0:201000:1000 -- stat -c %u:%g /
	same 'note' "$note 200005, which the map does not show" "$stderr"
	same 'owner' 65534:65534 "$output"
	prints 5:5 run_joe --rootfs root -m 0:200000:1000 -- stat -c %u:%g /
	prints 6:6 run_joe --rootfs root -m auto -- stat -c %u:%g /
	prints 0:0 run_joe --rootfs root -m 0:201000:1000 --ephemeral -- stat -c %u:%g /
}

@test "changes in memory" {
	prints "$shown"$'\n0:0' run_joe --rootfs root -m 0:201000:1000 --ephemeral -- \
		sh -c "$show; touch /new; rm /etc/group; stat -c %u:%g /new"
	[[ -e root/etc/group && ! -e root/new ]]
}

@test "layers and a directory for changes" {
	local run=(run_joe -L layer:root -U up -W work -m 0:201000:1000)

	mkdir -m 755 own
	mv root own
	cd own
	mkdir layer up work
	touch layer/file
	chown -R joe:joe . --from root:root
	chmod 700 . # as close_place
	prints "$shown" "${run[@]}" -- sh -c "$show"
	"${run[@]}" -- sh -c 'touch /new /tmp/new; rm /etc/group /file; rm -r /run; mkdir /run'
	"${run[@]}" --user 8:12 -- touch /tmp/mail
	same 'owners on disk' $'4242:4242\n4242:4242\n200007:200011\n200007:200011\n4242:4242' \
		"$(owner up/new up/tmp/new up/tmp up/tmp/mail up/run)"
	same 'whiteouts' $'0:0 character special file\n0:0 character special file' "$(stat -c '%t:%T %F' up/etc/group up/file)"
	# The changes have the IDs of the layers: another map shows the same.
	prints "$shown"$'\n8:12 /tmp/mail' run_joe -L layer:root -U up -W work -m 0:210000:1000 -- sh -c "$show /tmp/mail"
	prints "$shown"$'\n8:12 /tmp/mail' run_joe -L layer:root -U up -W work -- sh -c "$show /tmp/mail"
	# The service maps directories of the user's alone, and both have to be below one.
	cd ..
	mkdir up work
	chown joe:joe up work
	fails 125 'idmount: run: work: open overlay: no common parent directory of it and up can be mapped' \
		run_joe -L own/layer:own/root -U up -W work -m 0:201000:1000 -- true
}

@test "binds with a map" {
	close_place
	touch src/mail src/other
	chown 200007:200011 src/mail
	prints $'33:33 /src\n5:5 /src/mail\n65534:65534 /src/other' \
		run_joe --rootfs root --bind src:/src:map=4242:33+u:200007:5+g:200011:5,suid,dev -- sh -c 'stat -c "%u:%g %n" /src /src/*'
	prints $'0:0 /src\n8:12 /src/mail' \
		run_joe --rootfs root -m 0:201000:1000 --bind src:/src:idmap,suid,dev -- stat -c '%u:%g %n' /src /src/mail
	run_joe --rootfs root -m 0:201000:1000 --bind src:/src:map=4242:0,suid,dev --bind src:/ro:idmap,ro,suid,dev -- \
		sh -c 'touch /src/new; ! touch /ro/new2 2>/dev/null'
	same 'owner on disk' 4242:4242 "$(owner src/new)"
	# A user without ranges has one ID.
	umount /etc/subuid /etc/subgid
	mount --bind group /etc/subuid
	mount --bind group /etc/subgid
	chown joe:joe root/tmp
	prints 0:0 run_joe --rootfs root -m 0:4242:1 --bind src:/src:map=4242:0,suid,dev -- stat -c %u:%g /src
}

@test "a set-user-ID program of the user in a bind does not make a user of the container its root" {
	local run=(run_joe --rootfs root -m 0:201000:1000 --bind /usr:/usr)

	close_place
	# id of busybox drops the privilege.
	mkdir root/usr
	ln -s usr/lib root/lib
	ln -s usr/lib64 root/lib64
	chown joe:joe root/usr
	cp /usr/bin/id src/id
	chown joe:joe src/id
	chmod 4755 src/id
	run -0 --separate-stderr "${run[@]}" --user 5:5 --bind src:/src:idmap -- /src/id -u
	same 'user' 5 "$output"
	same 'note' "idmount: run: note: added nosuid,nodev to the bind at /src, since files of user 4242 appear as root's; the options suid and dev of a bind prevent that" "$stderr"
	prints 0 "${run[@]}" --user 5:5 --bind src:/src:idmap,suid,dev -- /src/id -u
	# A bind that keeps the owners has no map.
	prints 1 run_joe --rootfs root --bind src:/src:idmap -- grep -c ' /src rw,nodev,' /proc/self/mountinfo
	# The root filesystem keeps its own.
	mv src/id root/run/id
	prints 0 "${run[@]}" --user 5:5 -- /run/id -u
}

@test "a place where a container can store set-user-ID programs of the user is noted" {
	local run=(run_joe --rootfs root -m 0:201000:1000) who='user 201000 can store set-user-ID programs of user 4242 there, and'
	local remedy='can run them; put it below a directory of mode 0700, or on a mount that is nosuid' bind=--bind=src:/src:idmap,suid,dev

	mkdir root/src root/own
	chown joe:joe root/src root/own
	notes "root: $who every user $remedy" "${run[@]}" -- sh -c 'cp /bin/busybox /suid; chmod 4755 /suid'
	# The note is true.
	same 'the program' '4242 4755' "$(stat -c '%u %a' root/suid)"
	notes "src: $who every user $remedy" "${run[@]}" --read-only $bind -- true
	notes "root (and 1 more place): $who every user $remedy" "${run[@]}" $bind -- true
	notes "src: user 200032 ${who#user 201000 } every user $remedy" run_joe --rootfs root --bind src:/src:map=4242:33,suid,dev -- true
	# Files of the user by the user are no danger, and files of the container's IDs neither.
	prints '' run_joe --rootfs root --bind src:/src:idmap --bind src:/own:map=4242:0,suid,dev -- true
	prints '' "${run[@]}" --ephemeral -- true
	prints '' "${run[@]}" --read-only $bind,ro -- true
	chown joe:staff /mnt
	chmod 750 /mnt
	notes "root: $who group $(stat -c %g /mnt) $remedy" "${run[@]}" -- true
	# A group with the user's number has no other member.
	chown joe:joe /mnt
	prints '' "${run[@]}" $bind -- true
	chmod 755 /mnt
	chown 201000:201000 root
	prints '' "${run[@]}" -- true
}

# notes TEXT COMMAND...: succeeds and prints one note.
notes()
{
	run -0 --separate-stderr "${@:2}"
	same 'note' "idmount: run: note: $1" "$stderr"
	same 'standard output' '' "$output"
}

@test "what the service refuses, and what only the kernel can do" {
	local file

	# The machine may have an account 1600.
	for file in passwd group; do
		sed '/^[^:]*:[^:]*:1600:/d' $file >without
		cat without >$file
	done
	mkdir -m 755 roots
	fails 125 "idmount: run: roots: ask idmountd: the directory belongs to uid 0, which the caller's user namespace lacks
hint: choose a directory of the caller's; the service's --any-directory allows others" \
		run_joe --rootfs root --bind roots:/dst:map=4242:33,suid,dev -- true
	fails 125 "idmount: run: src: ask idmountd: disk uid 1600 of the map is not an ID of the caller's user namespace
hint: map another ID: subordinate uids are from 100000 to 600100000 (/etc/login.defs)" run_joe --rootfs root --bind src:/dst:map=1600:33,suid,dev -- true
	fails 125 'idmount: run: --bind src:/dst: map entry u:4242:70000:1: the container has no user 70000' \
		run_joe --rootfs root --bind src:/dst:map=4242:70000 -- true
	fails 125 'idmount: run: write uid map: uid 300000 is not an ID of joe
hint: usermod --add-subuids 300000-365535 --add-subgids 300000-365535 joe' run_joe --rootfs root -m 0:300000:1000 -- true
	fails 125 'idmount: run: write gid map: gid 8 is not an ID of joe
hint: gid 8 is an ID of another group or user, so it cannot be granted to joe' run_joe --rootfs root -m u:0:200000:1,g:0:8:1 -- true
	same 'requests' 0 "$(requests)"
}

@test "without the service: what is missing, and how to have it" {
	local hint="hint: idmountd can map it, but is not running at $PWD/socket; root starts it by idmountd --socket $PWD/socket (from IDMOUNTD_SOCKET)"

	stop_idmountd
	fails 125 "idmount: run: root: map tree: it requires CAP_SYS_ADMIN in the user namespace that mounted the filesystem (tmpfs)
$hint" run_joe --rootfs root -m 0:201000:1000 -- true
	fails 125 "idmount: run: src: map tree: it requires CAP_SYS_ADMIN in the user namespace that mounted the filesystem (tmpfs)
$hint" run_joe --rootfs root --bind src:/src:map=4242:33,suid,dev -- true
	fails 125 "idmount: run: root: map tree: it requires CAP_SYS_ADMIN in the user namespace that mounted the filesystem (tmpfs)
$hint" run_joe --rootfs root -m 0:201000:1000 --ephemeral -- true
}
