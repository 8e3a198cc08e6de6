# SPDX-License-Identifier: MIT
# idmount run: a program as root of a user namespace, on a root filesystem that is not chowned.
load common
load run-root
private_mounts

setup()
{
	set_up_mounts
	make_box
	busybox=$(stat -c %u:%g root/bin/busybox)
}

teardown()
{
	tear_down_mounts
}

# Prints mounts, processes and directories, which a run could leave.
everything()
{
	cat /proc/self/mountinfo
	find /mnt -xdev ! -path '/mnt/root/*' ! -path '/mnt/output*' | sort
}

@test "root of its own user namespace, on files that keep their owners" {
	prints $'0\n0' inside -- sh -c 'id -u; stat -c %u /bin/busybox; touch /x'
	same 'owner of the new file on disk' 0:0 "$(owner root/x)"
	same 'owner of the old one' "$busybox" "$(owner root/bin/busybox)"
	prints "         0     100000      65536" inside -- cat /proc/self/uid_map
}

@test "namespaces of its own" {
	local ns

	inside -- sh -c 'for ns in user mnt pid ipc uts cgroup net; do readlink /proc/self/ns/$ns; done' >inner
	for ns in user mnt pid ipc uts cgroup; do
		run ! grep -qxF "$(readlink /proc/self/ns/$ns)" inner
	done
	grep -qxF "$(readlink /proc/self/ns/net)" inner
	prints $'1\nbox' inside --hostname box -- sh -c 'cat /proc/1/comm | grep -c idm-init; hostname'
	prints lo inside --unshare-net -- ls /sys/class/net
	[[ $(hostname) != box ]]
}

@test "/dev, /proc and /sys" {
	prints $'fd\nfull\nnull\nptmx\npts\nrandom\nshm\nstderr\nstdin\nstdout\ntty\nurandom\nzero' inside -- ls /dev
	inside -- sh -euc 'echo >/dev/null; echo >/dev/shm/x; test "$(echo hello | cat /dev/stdin)" = hello; test -c /dev/zero'
	inside -- sh -c 'echo x >/dev/full' 2>output && false
	grep -q 'No space left' output
	run ! inside -- sh -c 'echo 1 >/sys/kernel/mm/ksm/run'
	run ! inside -- mkdir /sys/x
	same 'processes' 2 "$(inside -- ps | tail -n +2 | wc -l)"
	((10#$(inside --no-pid -- ps | wc -l) > 5))
}

@test "the exit status is that of the command" {
	run -0 inside -- true
	run -1 inside -- false
	run -42 inside -- sh -c 'exit 42'
	run -137 inside -- sh -c 'kill -9 $$'
	run -143 inside -- sh -c 'kill $$'
	run -139 inside --no-pid -- sh -c 'kill -SEGV $$'
}

@test "commands that cannot be run" {
	fails 127 'idmount: run: nope: execute: not found in PATH' inside -- nope
	run -127 --separate-stderr inside -- /no/such
	[[ $stderr == 'idmount: run: /no/such: execute: No such file or directory'* ]]
	fails 126 'idmount: run: /etc/passwd: execute: Permission denied' inside -- /etc/passwd
	printf '#!/no/interpreter\n' >root/script
	chmod +x root/script
	run -127 --separate-stderr inside -- /script
	[[ $stderr == 'idmount: run: /script: execute: '*$'\nhint: '*interpreter* ]]
}

@test "users, by number and by name of the root filesystem" {
	prints 'uid=8(mail) gid=12(mail)' inside --user mail -- id
	prints 'uid=8(mail) gid=50(staff)' inside --user mail:staff -- id
	prints 'uid=8(mail) gid=7' inside --user 8:7 -- id
	prints 'uid=77 gid=0(root)' inside --user 77 -- id
	prints /var/mail inside --user mail -- sh -c 'echo $HOME'
	inside --user mail -- touch /tmp/f
	same 'owner on disk' 8:12 "$(owner root/tmp/f)"
	fails 125 'idmount: run: --user bob: the root filesystem has no user bob' inside --user bob -- true
	fails 125 'idmount: run: --user 8:bob: the root filesystem has no group bob' inside --user 8:bob -- true
	fails 125 'idmount: run: --user 70000: the map has no ID for user 70000' inside --user 70000 -- true
}

@test "the environment, the working directory, the descriptors" {
	prints $'HOME=/root\nPATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\nPWD=/\nSHLVL=1' \
		inside -- sh -c 'env | busybox sort'
	prints $'/tmp\n1 2' inside --workdir /tmp --env A=1 --env 'B=2' -- sh -c 'pwd; echo $A $B'
	prints mine inside --env PATH=/mine:/bin -- sh -c 'echo ${PATH%%:*} | busybox cut -c2-'
	exec 7</dev/null
	same 'descriptors' '0 1 2 3' "$(inside -- ls /proc/self/fd | tr '\n' ' ' | sed 's/ $//')"
	exec 7<&-
	prints input inside -- cat <<<input
	inside -- cat <&- 2>/dev/null || true
	fails 125 $'idmount: run: /none: set working directory: No such file or directory' inside --workdir /none -- true
}

@test "layers, with changes kept or gone" {
	mkdir l2 up work
	echo two >l2/two
	prints $'two\n0' idmount run -L l2:root --ephemeral -m 0:100000:65536 -- \
		sh -c 'cat /two; touch /new; rm /two; stat -c %u /new'
	same 'upper and layers' $'two' "$(ls l2 up)" || same 'layer' two "$(ls l2)"
	[[ ! -e root/new ]]
	idmount run -L l2 -L root -U up -W work -m 0:100000:65536 -- sh -c 'touch /new; rm /two'
	same 'owner on disk' 0:0 "$(owner up/new)"
	same 'whiteout' 'character special file' "$(stat -c %F up/two)"
	prints 1 inside --ephemeral -- sh -c 'touch /gone; ls / | grep -c gone'
	[[ ! -e root/gone ]]
}

# What the container sees of its mounts, without their numbers.
mounts_inside()
{
	"$@" -- cat /proc/self/mountinfo | cut -d ' ' -f 4-
}

@test "on a host with many mounts the container has the same" {
	local way

	make_joe
	mkdir data
	chown 4242:4242 data
	for way in few many; do
		[[ $way == few ]] || many_mounts
		{
			mounts_inside inside --unshare-net --bind /mnt/data:/data
			mounts_inside inside --read-only --no-pid
			mounts_inside idmount run -L data:root -m 0:100000:65536 --ephemeral
			mounts_inside "${joe[@]}" run --rootfs root --unshare-net
		} >"output-$way"
	done
	grep -q ' /data ' output-few
	diff output-few output-many
	same 'number of many mounts' 512 "$(grep -c ' /mnt/many' /proc/self/mountinfo)"
}

@test "read-only" {
	mkdir root/proc root/dev root/sys
	run ! inside --read-only -- touch /x
	[[ ! -e root/x ]]
	inside --read-only -- sh -c 'echo >/dev/shm/x'
	run -125 --separate-stderr inside --read-only --bind /etc:/missing -- true
	[[ $stderr == 'idmount: run: /missing: make mount point: Read-only file system'* ]]
}

@test "binds with their own map" {
	mkdir data
	echo text >data/file
	chown -R 1000:1000 data
	prints 0:0 inside --bind data:/data:map=1000:0,suid,dev -- sh -c 'stat -c %u:%g /data/file; touch /data/new'
	same 'owner on disk' 1000:1000 "$(owner data/new)"
	prints 1000:1000 inside --bind data:/data:idmap -- stat -c %u:%g /data/file
	prints 65534:65534 inside --bind data:/data -- stat -c %u:%g /data/file
	run ! inside --bind data:/data:map=1000:0,ro -- touch /data/x
	prints text inside --bind data/file:/etc/deep/file:ro,idmap -- cat /etc/deep/file
	mkdir 'a:b'
	inside --bind 'a\:b:/data' -- test -d /data
	same 'the source' 1000:1000 "$(owner data/file)"
	prints 0:0 inside --bind data/file:/etc/deep/file:map=owner:0,suid,dev -- stat -c %u:%g /etc/deep/file
	refused 125 'idmount: run: --bind data: owner and remap exclude each other: the owner on disk is not the one that the source shows' \
		inside --bind data:/data:map=owner:0,remap -- true
	fails 125 'idmount: run: --bind data: expected SRC:DST[:OPTIONS]' inside --bind data -- true
	fails 125 'idmount: run: --bind data:data: data: expected an absolute path as target' inside --bind data:data -- true
	fails 125 'idmount: run: --bind data: green: unknown option' inside --bind data:/data:green -- true
	fails 125 'idmount: run: --bind data: green=1: unknown option' inside --bind data:/data:green=1 -- true
	local option
	for option in ro noatime recursive keep-rest remap on-top idmap shared; do
		fails 125 "idmount: run: --bind data: $option: expected no value, got \"1\"" \
			inside --bind "data:/data:$option=1" -- true
	done
	fails 125 'idmount: run: --bind data: map= and idmap exclude each other' inside --bind data:/data:idmap,map=1:1 -- true
	run -125 --separate-stderr inside --bind none:/data -- true
	[[ $stderr == 'idmount: run: none: open tree: No such file or directory'* ]]
}

@test "a bind's map leads to IDs that exist in the container, or nowhere" {
	mkdir data
	touch data/1000 data/5 data/7
	chown 1000:1000 data/1000
	chown 5:5 data/5
	chown 7:7 data/7
	refused 125 'idmount: run: --bind data:/data: map entry u:5:70000:1: the container has no user 70000' \
		inside --bind data:/data:map=1000:0+5:70000 -- true
	refused 125 'idmount: run: --bind data:/data: map entry g:5:65530:10: the container has no group 65536' \
		inside --bind data:/data:map=u:5:65530:6+g:5:65530:10 -- true
	# The container's map has several rows, and the bind's map needs two of them.
	prints $'0:0\n1:1\n3:3' idmount run --rootfs root -m 0:100000:2+2:7000:5 \
		--bind data:/data:map=1000:0+5:1:4,nosuid,nodev -- stat -c %u:%g /data/1000 /data/5 /data/7
	fails 125 'idmount: run: --bind data:/data: map entry u:5:1:7: the container has no user 7' \
		idmount run --rootfs root -m 0:100000:2+2:7000:5 --bind data:/data:map=5:1:7 -- true
}

@test "a bind of a source that is mapped already" {
	mkdir data mapped
	touch data/file
	chown 1000:1000 data/file
	idmount mount -o nosuid,nodev -m 1000:2000 data mapped
	refused 125 'idmount: run: mapped: map tree: the source is on a mount that is ID-mapped already
hint: --bind ...:remap replaces its map, --bind ...:on-top adds to it' \
		inside --bind mapped:/data:map=2000:0 -- true
	refused 125 'idmount: run: mapped: map tree: the source is on a mount that is ID-mapped already
hint: --bind ...:remap replaces its map, --bind ...:on-top adds to it' \
		inside --bind mapped:/data:idmap -- true
	prints 5:5 inside --bind mapped:/data:map=1000:5,remap,nosuid,nodev -- stat -c %u:%g /data/file
	prints 7:7 inside --bind mapped:/data:map=2000:7,on-top,nosuid,nodev -- stat -c %u:%g /data/file
	prints 1000:1000 inside --bind mapped:/data:idmap,remap,nosuid,nodev -- stat -c %u:%g /data/file
	prints 2000:2000 inside --bind mapped:/data:idmap,on-top,nosuid,nodev -- stat -c %u:%g /data/file
	fails 125 'idmount: run: --bind mapped: remap and on-top exclude each other' \
		inside --bind mapped:/data:idmap,remap,on-top -- true
	fails 125 'idmount: run: --bind mapped: remap and on-top require map= or idmap' \
		inside --bind mapped:/data:remap -- true
}

@test "a root or a layer that is mapped already" {
	local why='map tree: the source is on a mount that is ID-mapped already
hint: name it by a path where it has no map: the root gets the container'\''s'

	mkdir mapped upper work
	idmount mount -o suid,dev -m 0:5:100 root mapped
	refused 125 "idmount: run: mapped: $why" idmount run --rootfs mapped -m 0:100000:65536 -- true
	refused 125 "idmount: run: mapped: $why" idmount run --rootfs mapped --ephemeral -m 0:100000:65536 -- true
	refused 125 "idmount: run: mapped: $why" idmount run -L mapped -U upper -W work -m 0:100000:65536 -- true
	refused 125 "idmount: run: mapped: $why" idmount run -L upper:mapped -m 0:100000:65536 -- true
}

@test "a bind keeps the rest of the container's IDs" {
	mkdir data
	touch data/1000 data/5 data/70000
	chown 1000:1000 data/1000
	chown 5:5 data/5
	chown 70000:70000 data/70000
	prints $'0:0\n5:5\n65534:65534' inside --bind data:/data:map=1000:0,keep-rest,nosuid,nodev -- \
		stat -c %u:%g /data/1000 /data/5 /data/70000
}

@test "a bind keeps the rest also where the outer map has two rows" {
	prints $'0:0\n6:6\n9:9' in_pieces sh -euc '
		mkdir -p root/bin
		cp "$1" root/bin/stat
		exec "$0" run --rootfs root -m 0:0:1+1:1:100 --bind src:/data:map=5:6,keep-rest -- \
			stat -c %u:%g /data/0 /data/5 /data/9 2>notes' "$IDMOUNT" "$(type -P busybox)"
	# The IDs inside differ from those of the outer namespace.
	prints $'0:0\n1:1\n9:9' in_pieces sh -euc '
		mkdir -p root/bin
		cp "$1" root/bin/stat
		exec "$0" run --rootfs root -m 0:60000:10 --bind src:/data:map=5:1,keep-rest -- \
			stat -c %u:%g /data/0 /data/5 /data/9 2>notes' "$IDMOUNT" "$(type -P busybox)"
}

@test "a set-user-ID program of user 4321 in a bind does not make user 4321 another user" {
	mkdir data root/usr
	ln -s usr/lib root/lib
	ln -s usr/lib64 root/lib64
	cp /usr/bin/id data/id
	chown 4321:4321 data/id
	chmod 6755 data/id
	speaks 4321 inside --user 4321 --bind /usr:/usr --bind data:/data:map=4321:4322 -- /data/id -u
	same 'note' "idmount: run: note: added nosuid,nodev to the bind at /data, since files of user 4321 appear as user 4322's; the options suid and dev of a bind prevent that" "$stderr"
	prints 4322 inside --user 4321 --bind /usr:/usr --bind data:/data:map=4321:4322,suid,dev -- /data/id -u
	note="idmount: run: note: added nodev to the bind at /data, since files of user 4321 appear as user 4322's; the option dev of a bind prevents that"
	speaks 1 inside --bind data:/data:map=4321:4322,suid -- grep -c ' /data rw,nodev,relatime,idmapped ' /proc/self/mountinfo
	same 'note' "$note" "$stderr"
	note="idmount: run: note: added nosuid to the bind at /data, since files of user 4321 appear as user 4322's; the option suid of a bind prevents that"
	speaks 1 inside --bind data:/data:map=4321:4322,dev -- grep -c ' /data rw,nosuid,relatime,idmapped ' /proc/self/mountinfo
	same 'note' "$note" "$stderr"
	note="idmount: run: note: added nodev to 2 binds, since files of user 4321 appear as user 4322's; the option dev of a bind prevents that"
	speaks '' inside --bind data:/data:map=4321:4322,suid --bind data:/two:map=4321:4322,suid -- true
	same 'note' "$note" "$stderr"
	# If the map shows every ID by its number inside, only nodev is added.
	prints 1 inside --bind data:/data:idmap -- grep -c ' /data rw,nodev,relatime,idmapped ' /proc/self/mountinfo
	prints 1 inside --bind data:/data:map=4321:4321 -- grep -c ' /data rw,nodev,relatime,idmapped ' /proc/self/mountinfo
}

# speaks STDOUT COMMAND...: succeeds and prints STDOUT. The test checks standard error later.
speaks()
{
	run -0 --separate-stderr "${@:2}"
	same 'standard output' "$1" "$output"
}

@test "device files in a bind can be used only with dev" {
	mkdir data
	mknod -m 666 data/null c 1 3
	run ! inside --bind data:/data -- cat /data/null
	run ! inside --bind data:/data:recursive -- cat /data/null
	run ! inside --bind data:/data:idmap -- cat /data/null
	prints '' inside --bind data:/data:dev -- cat /data/null
	prints '' inside --bind data/null:/null:dev -- cat /null
	speaks '' inside --bind data/null:/null -- true
	same 'note' 'idmount: run: note: --bind data/null: it cannot be opened as a device; the option dev allows that' "$stderr"
}

@test "a place where the root of a container can store set-user-ID programs of root is noted" {
	local text='user 100000 can store set-user-ID programs of root there, and every user can run them; put it below a directory of mode 0700, or on a mount that is nosuid'

	mkdir up work data root/data
	chmod 755 /mnt
	speaks '' inside -- sh -c 'cp /bin/busybox /suid; chmod 4755 /suid'
	same 'note' "idmount: run: note: root: $text" "$stderr"
	# The note is true.
	same 'the program' '0 4755' "$(stat -c '%u %a' root/suid)"
	speaks '' idmount run -L root -U up -W work -m 0:100000:65536 -- true
	same 'note' "idmount: run: note: up: $text" "$stderr"
	# There is no note for a place that cannot be written.
	prints '' inside --read-only -- true
	prints '' inside --ephemeral -- true
	speaks '' inside --read-only --bind data:/data:idmap -- true
	same 'note' "idmount: run: note: data: $text" "$stderr"
	speaks '' inside --bind data:/data:idmap -- true
	same 'note' "idmount: run: note: root (and 1 more place): $text" "$stderr"
	prints '' inside --read-only --bind data:/data:idmap,ro -- true
	# The container can change the mode of the place itself.
	chmod 700 data
	speaks '' inside --read-only --bind data:/data:idmap -- true
	same 'note' "idmount: run: note: data: $text" "$stderr"
	chmod 700 /mnt
	prints '' inside --read-only --bind data:/data:idmap -- true
	prints '' inside -- true
}

@test "no link in the root filesystem leads a bind out" {
	mkdir data outside
	ln -s /mnt/outside root/out
	ln -s ../../../../../../mnt/outside root/up
	ln -s /etc root/inner
	for link in out up inner; do
		run -125 --separate-stderr inside --bind data:/$link -- true
		[[ $stderr == "idmount: run: /$link: "*symbolic* ]]
	done
	same 'outside' '' "$(ls -A outside)"
}

@test "signals go to the command" {
	local signal

	for signal in TERM INT HUP QUIT USR1 USR2; do
		: >output # its output begins here
		# A shell cannot trap what was ignored when it started, as below nohup(1).
		env --default-signal "$IDMOUNT" run --rootfs root -m 0:100000:65536 -- \
			sh -c "trap 'echo got $signal; exit 3' $signal; echo ready; while :; do sleep 0.1; done" >output 3>&- &
		until grep -q ready output; do sleep 0.05; done
		kill -"$signal" $!
		status=0
		wait $! || status=$?
		same 'exit status' 3 "$status"
		same 'output' $'ready\n'"got $signal" "$(cat output)"
	done
}

@test "killed: everything inside exits, too" {
	local before seconds=$((1000000 + $$)) # in no other process's arguments

	mkdir -p root/proc root/dev root/sys
	before=$(everything)
	: >output
	"$IDMOUNT" run --rootfs root -m 0:100000:65536 -- sh -c "(sleep $seconds &) ; sleep $seconds & echo ready; wait" >output 3>&- &
	until grep -q ready output; do sleep 0.05; done
	init=$(pgrep -P $!)
	same 'those that sleep' 2 "$(pgrep -fc "sleep $seconds\$")"
	kill -9 $!
	wait $! || true
	for i in {1..100}; do
		[[ -e /proc/$init ]] || break
		sleep 0.05
	done
	[[ ! -e /proc/$init ]]
	run ! pgrep -f "sleep $seconds\$"
	same 'everything' "$before" "$(everything)"
}

@test "background processes exit with the command" {
	inside -- sh -c 'for i in 1 2 3; do (sleep 1234 &); done'
	run ! pgrep -f 'sleep 1234'
}

# on_terminal COMMAND [WAIT TYPE]...: runs "idmount run" on a terminal. COMMAND is the rest of its command line.
on_terminal()
{
	local command=$1

	shift
	"$BATS_TEST_DIRNAME/expect.py" "'$IDMOUNT' run --rootfs root -m 0:100000:65536 $command" "$@"
}

@test "a tree of processes: daemons that a script starts" {
	mkdir -p root/etc/init.d root/www root/var/log root/var/spool/cron/crontabs
	echo page >root/www/index.html
	cat >root/etc/init.d/rcS <<-'END'
		#!/bin/busybox sh
		set -e
		busybox ifconfig lo 127.0.0.1 up
		busybox syslogd -O /var/log/messages
		busybox httpd -p 127.0.0.1:80 -h /www
		busybox crond
		busybox logger started
		busybox wget -qO- http://127.0.0.1/index.html
		# The count may vary, because the process that served the page may still run.
		busybox ps | busybox grep -oE 'busybox ([s]yslogd|[h]ttpd|[c]rond)' | busybox sort -u
	END
	chmod +x root/etc/init.d/rcS
	prints $'page\nbusybox crond\nbusybox httpd\nbusybox syslogd' inside --unshare-net --cap-add NET_ADMIN --hostname box -- /etc/init.d/rcS
	grep -q 'box.*started' root/var/log/messages
	same 'owner of the log on disk' 0:0 "$(owner root/var/log/messages)"
}

@test "500 processes, and daemons that fork twice, exit with the command" {
	inside -- sh -c 'i=0; while test $i -lt 250; do (sleep 3271 & sleep 3271 &) & i=$((i+1)); done; sleep 0.2'
	run ! pgrep -f 'sleep 3271$'
}

@test "closed standard descriptors" {
	local fd

	for fd in 0 1 2; do
		printf '#!/bin/sh\nseen=$(readlink /proc/$$/fd/%s)\necho "$seen" >/mnt/seen\n' "$fd" >runtime
		chmod +x runtime
		eval "IDMOUNT_RUNTIME=/mnt/runtime idmount oci-runtime list $fd>&-"
		same "descriptor $fd of a runtime" /dev/null "$(cat seen)"
	done
	# By number: where the host's /dev/null belongs to a user of the container, the path is another one.
	same 'what is there' $'1:3\n1:3\n1:3' "$(
		inside --no-tty --bind /mnt:/mnt:idmap -- sh -c 'seen=$(for fd in 0 1 2; do busybox stat -Lc %t:%T /proc/$$/fd/$fd; done); echo "$seen" >/tmp/seen' <&- >&- 2>&-
		cat root/tmp/seen
	)"
	run -1 sh -c '"$0" map -m 0:1 >&-' "$IDMOUNT"
	"$MOUNT_IDMAP" src dst -o map=0:1000 <&- >&- 2>&-
	same 'mounted' 1 "$(mounts_at /mnt/dst)"
	umount dst
	inside -- true <&-
	inside -- true <&- >&- 2>&-
	run -3 bash -c '"$0" run --rootfs root -m 0:100000:65536 -- sh -c "exit 3" <&- >&- 2>&-' "$IDMOUNT"
}

@test "a terminal of its own" {
	same 'its name and owner' $'/dev/pts/0\n0:5' "$(on_terminal "-- sh -c 'tty; stat -c %u:%g /dev/pts/0'")"
	same 'its size' '33 77' "$(on_terminal '-- stty size')"
	same 'echo, line and end' $'hello\nhello' "$(on_terminal '-- sh -c "echo ready; exec cat"' ready 'hello\n' hello '\x04' | tail -n +2)"
	same 'the caller'"'"'s, if wanted' 1 "$(on_terminal "--no-tty -- sh -c 'readlink /proc/self/fd/0'" | grep -c /dev)"
	same 'without one outside' /dev/pts/0 "$(inside --tty -- tty </dev/null | tr -d '\r')"
}

@test "keys and window sizes reach the program" {
	run -9 on_terminal "-- sh -c 'trap \"echo interrupted; exit 9\" INT; echo ready; while :; do sleep 0.1; done'" ready '\x03'
	[[ $output == *interrupted ]]
	run -0 on_terminal "-- sh -c 'trap \"stty size; exit\" WINCH; echo ready; while :; do sleep 0.1; done'" ready WINCH:44x55
	[[ $output == *'44 55' ]]
	# Job control: a shell inside stops a program and continues.
	run -0 on_terminal '-- sh -i' '# ' "sh -c 'echo g''o; sleep 100'\\n" go '\x1a' Stopped 'kill -9 %1; wait; echo don""e\n' done 'exit 0\nexit 0\n'
	run -130 on_terminal '-- sh -c "echo ready; exec sleep 100"' ready '\x03'
}

# terminal COMMAND [WAIT TYPE]...: like on_terminal, for any COMMAND.
terminal()
{
	"$BATS_TEST_DIRNAME/expect.py" "$@"
}

# ends PID: waits until the process has exited. Kills it after ten seconds, and fails.
ends()
{
	local i

	for i in {1..200}; do
		[[ -e /proc/$1 && $(awk '{ print $3 }' "/proc/$1/stat") != Z ]] || return 0
		sleep 0.05
	done
	kill -9 "$1"
	return 1
}

@test "a session of its own, without a terminal too" {
	local pid

	for pid in '' --no-pid; do
		# The kill would reach the caller, if that were in the same process group.
		same 'the caller' 'alive' "$(setsid -w sh -c '"$@"; echo alive' sh "$IDMOUNT" run --rootfs root \
			-m 0:100000:65536 --no-tty $pid -- sh -c 'kill -9 0' 2>/dev/null)"
		same 'its terminal' 0 "$(on_terminal "--no-tty $pid -- sh -c 'cat /proc/self/stat'" | awk '{ print $7 }')"
		run -1 on_terminal "--no-tty $pid -- sh -c ': </dev/tty'"
	done
}

@test "nothing can be typed into the caller's terminal" {
	local before pid

	before=$(</proc/sys/dev/tty/legacy_tiocsti) || skip 'Linux 6.2'
	cat >type <<-'END'
		foreach my $call ([0x5412, "x"], [0x541c, "\x03"]) { # TIOCSTI; TIOCLINUX: paste
			print ioctl(STDIN, $call->[0], $call->[1]) ? "typed" : "refused", "\n";
		}
	END
	for pid in '' --no-pid; do
		echo 1 >/proc/sys/dev/tty/legacy_tiocsti
		run terminal "'$IDMOUNT' run --rootfs / -m 0:100000:65536 --bind type:/run/type:idmap --no-tty $pid -- perl /run/type"
		echo "$before" >/proc/sys/dev/tty/legacy_tiocsti
		# The container's root is the host's, where other users can reach files. A note reports that, too.
		same 'what is typed' $'refused\nrefused' "$(grep -v ': note: /: ' <<<"$output")"
	done
}

@test "the keyboard without a terminal of its own" {
	local pid run

	cat >root/count <<-'END'
		#!/bin/sh
		n=0
		trap 'n=$((n + 1))' INT
		echo ready
		while [ $n = 0 ]; do :; done
		i=0 # the shell would exit with a program that the signal kills
		while [ $i -lt 100000 ]; do i=$((i + 1)); done
		exit $((n + 6))
	END
	chmod +x root/count
	for pid in '' --no-pid; do
		run="--no-tty $pid"
		# The shell waits for sleep, so both have to get the signal.
		run -130 on_terminal "$run -- sh -c 'sh -c \"echo ready; exec sleep 100\"; echo no'" ready '\x03'
		[[ $output != *no ]]
		run -131 on_terminal "$run -- sh -c 'echo ready; exec sleep 100'" ready '\x1c'
		run -7 terminal "exec '$IDMOUNT' run --rootfs root -m 0:100000:65536 $run -- /count" ready '\x03'
		run -0 on_terminal "$run -- sh -c 'trap \"stty size; exit\" WINCH; echo ready; while :; do sleep 0.1; done'" ready WINCH:44x55
		[[ $output == *'44 55' ]]
		# A script exits after its command was killed by Ctrl-C.
		run -130 terminal "bash -c '\"$IDMOUNT\" run --rootfs root -m 0:100000:65536 $run -- sh -c \"echo ready; exec sleep 100\"; echo went on'" ready '\x03'
		[[ $output != *'went on' ]]
	done
}

@test "job control of the caller's shell" {
	local mark=$((1000000 + $$)) options state

	cat >root/job <<-'END'
		trap 'echo contin""ued' CONT
		echo g""o
		while :; do sleep 0.1; done
	END
	# Two processes have it in their arguments: the supervisor and the program. A child of the program is a third
	# one, until it executes sleep. The init may pass the signal on after the supervisor has stopped.
	state="\$(ps -eo stat=,args= | grep -c '^T.*[j]ob $mark')"
	for options in --no-tty '--no-tty --no-pid'; do
		run -0 terminal 'bash --norc --noediting -i' '# ' \
			"'$IDMOUNT' run --rootfs root -m 0:100000:65536 $options -- sh /job $mark\\n" go \
			'\x1a' Stopped "until [ $state -ge 2 ]; do sleep 0.1; done; echo b''oth\\n" both \
			'fg\n' continued '\x1a' Stopped \
			'bg\n' continued "until [ $state = 0 ]; do sleep 0.1; done; echo n''one\\n" none \
			"kill %1; wait %1; echo end''ed \$?\\n" 'ended 143' 'exit 0\n'
	done
	# With a terminal of its own only another process can stop it. This requires a shell that can continue it.
	run -0 terminal 'bash --norc --noediting -i' '# ' \
		"'$IDMOUNT' run --rootfs root -m 0:100000:65536 --tty -- sh /job $mark </dev/null >output & until grep -q go output; do sleep 0.1; done; kill -TSTP %1; until [ $state -ge 2 ]; do sleep 0.1; done; echo st''opped\\n" \
		stopped "kill -CONT %1; until grep -q continued output; do sleep 0.1; done; echo st''ill \$(($state))\\n" \
		'still 0' "kill %1; wait %1; echo end''ed \$?\\n" 'ended 143' 'exit 0\n'
}

@test "every signal is passed to the command" {
	local signal signals=() pids=()

	for signal in {1..64}; do
		case $signal in 9 | 17 | 19 | 20 | 21 | 22 | 32 | 33) continue ;; esac # KILL CHLD STOP TSTP TTIN TTOU, libc
		: >"output$signal"
		env --default-signal "$IDMOUNT" run --rootfs root -m 0:100000:65536 -- \
			sh -c "trap 'echo got $signal; exit 3' $signal; echo ready; while :; do sleep 0.1; done" >"output$signal" 2>&1 3>&- &
		signals+=("$signal")
		pids+=($!)
	done
	for i in "${!pids[@]}"; do
		until grep -q ready "output${signals[i]}"; do sleep 0.05; done
		kill -"${signals[i]}" "${pids[i]}"
		status=0
		wait "${pids[i]}" || status=$?
		same "exit status of ${signals[i]}" 3 "$status"
		same 'output' $'ready\n'"got ${signals[i]}" "$(cat "output${signals[i]}")"
	done
}

@test "signals that the caller ignores do not reach the command" {
	: >output
	(trap '' HUP; exec "$IDMOUNT" run --rootfs root -m 0:100000:65536 -- sh -c 'trap "echo hup" HUP; trap "exit 4" USR1; echo ready; while :; do sleep 0.1; done' >output 3>&-) &
	until grep -q ready output; do sleep 0.05; done
	kill -HUP $!
	kill -USR1 $!
	status=0
	wait $! || status=$?
	same 'exit status' 4 "$status"
	same 'output' ready "$(cat output)"
	# A background job of a script ignores typed signals.
	run -0 terminal "'$IDMOUNT' run --rootfs root -m 0:100000:65536 --no-tty -- sh -c 'trap \"echo no\" INT; echo ready; sleep 0.5; sleep 0.5' & trap : INT; wait; wait" ready '\x03'
	[[ $output != *no* ]]
}

@test "unread input does not block signals" {
	: >output
	mkfifo input
	yes >input 3>&- &
	"$IDMOUNT" run --rootfs root -m 0:100000:65536 --tty -- sh -c 'echo ready; exec sleep 1000' <input >output 3>&- &
	until grep -q ready output; do sleep 0.05; done
	sleep 0.5 # until all buffers are full
	kill $!
	ends $!
	status=0
	wait $! || status=$?
	same 'exit status' 143 "$status"
}

@test "unread output does not block signals, and is not lost" {
	local how

	mkfifo out
	for how in as_root as_another; do
		sleep 1000 <out 3>&- &
		reader=$!
		exec 7>out
		# A file of another user cannot be opened again by its descriptor.
		if [[ $how == as_another ]]; then
			make_joe
			"${joe[@]}" run --rootfs root --tty -- busybox yes <&- >&7 3>&- &
		else
			"$IDMOUNT" run --rootfs root -m 0:100000:65536 --tty -- busybox yes <&- >&7 3>&- &
		fi
		exec 7>&-
		sleep 1
		kill $!
		ends $!
		status=0
		wait $! || status=$?
		same 'exit status' 143 "$status"
		kill $reader
	done
	same 'output' 60000 "$(inside --tty -- sh -c 'busybox head -c 60000 /dev/zero | busybox tr "\0" x' </dev/null | (sleep 1; wc -c))"
	same 'its end' 1000 "$(inside --tty -- busybox seq 1000 </dev/null | (sleep 1; tail -n 1) | tr -d '\r')"
}

@test "an output that cannot be written" {
	fails 125 'idmount: run: write to standard output: No space left on device' \
		bash -c '"$0" run --rootfs root -m 0:100000:65536 --tty -- busybox seq 10000 </dev/null >/dev/full' "$IDMOUNT"
	run -141 bash -c '"$0" run --rootfs root -m 0:100000:65536 --tty -- busybox yes </dev/null | true; exit ${PIPESTATUS[0]}' "$IDMOUNT"
}

@test "shared descriptors keep their flags" {
	same 'flags' '' "$(terminal "'$IDMOUNT' run --rootfs root -m 0:100000:65536 -- true; grep -h flags /proc/self/fdinfo/[012] | grep 4...\$")"
	(
		"$IDMOUNT" run --rootfs root -m 0:100000:65536 --tty -- true
		grep -h flags /proc/self/fdinfo/0 /proc/self/fdinfo/1 >&2
	) < <(sleep 1) 2>flags | cat >/dev/null
	same 'flags' '' "$(grep '4...$' flags || true)"
}

@test "the terminal gets its settings back" {
	"$BATS_TEST_DIRNAME/expect.py" "stty -g >before; '$IDMOUNT' run --rootfs root -m 0:100000:65536 -- true; stty -g >after"
	same 'settings' "$(cat before)" "$(cat after)"
}

@test "many, one after the other and at once, leave nothing" {
	local n=1000 before

	mkdir -p root/proc root/dev root/sys
	readelf -d "$IDMOUNT" | grep -q asan && n=100 # a run is ten times as slow
	before=$(everything)
	for ((i = 0; i < n; i++)); do
		inside -- true
	done
	for ((i = 0; i < 50; i++)); do
		inside --ephemeral -- sh -c 'touch /x; exit 7' 3>&- &
	done
	for ((i = 0; i < 50; i++)); do
		status=0
		wait -n || status=$?
		same 'exit status' 7 "$status"
	done
	same 'everything' "$before" "$(everything)"
}

@test "a source that was deleted" {
	local place

	for place in root gone; do
		mkdir "/mnt/$place.d"
		cd "/mnt/$place.d"
		rmdir "/mnt/$place.d"
		case $place in
		root) refused 125 'idmount: run: attach root: the source was deleted, and cannot be mounted' \
			idmount run --rootfs . -m 0:100000:65536 -- true ;;
		gone) fails 125 'idmount: run: /data: mount: the source was deleted, and cannot be mounted' \
			idmount run --rootfs /mnt/root -m 0:100000:65536 --bind .:/data -- true ;;
		esac
		cd /mnt
	done
}

@test "a bind of a directory on a file, and of a file on a directory" {
	mkdir data root/full
	touch data/file root/file
	fails 125 'idmount: run: /file: mount: expected a directory as target, like the source; got a file' \
		inside --bind data:/file -- true
	fails 125 'idmount: run: /full: mount: expected a file as target, like the source; got a directory' \
		inside --bind data/file:/full -- true
	fails 125 'idmount: run: /dev/null: mount: expected a directory as target, like the source; got a file' \
		inside --bind data:/dev/null -- true
	fails 125 'idmount: run: /dev/shm: mount: expected a file as target, like the source; got a directory' \
		inside --bind data/file:/dev/shm -- true
}

@test "a bind on the root" {
	local target

	mkdir data
	for target in / // /. /./; do
		fails 125 "idmount: run: start program: mount at $target: the root itself cannot be a target" \
			inside --bind "data:$target" -- true
	done
	fails 125 'idmount: run: start program: mount at /x/..: expected a path without ".."' \
		inside --bind data:/x/.. -- true
}

@test "the command line" {
	fails 125 'idmount: run: a COMMAND is missing; see "idmount help run"' idmount run --rootfs root
	fails 125 'idmount: run: expected one of --rootfs and -L, got neither' idmount run -- true
	fails 125 'idmount: run: expected one of --rootfs and -L, got both' idmount run --rootfs root -L root -- true
	fails 125 'idmount: run: -U and -W require each other' idmount run -L root -U up -- true
	fails 125 'idmount: run: -U requires -L, and excludes --ephemeral' idmount run --rootfs root -U up -W work -- true
	fails 125 'idmount: run: --env x: expected NAME=VALUE' inside --env x -- true
	fails 125 'idmount: run: --workdir x: expected an absolute path' inside --workdir x -- true
	fails 125 'idmount: run: -m auto excludes other maps' inside -m auto -- true
	fails 125 'idmount: run: the map has no IDs for user 0 and group 0, as which COMMAND starts' \
		idmount run --rootfs root -m 1:100001:5 -- true
	run -125 --separate-stderr idmount run --rootfs none -m 0:100000:65536 -- true
	[[ $stderr == 'idmount: run: none: open tree: No such file or directory'* ]]
	fails 125 'idmount: run: root/etc/passwd: expected a directory as root filesystem' \
		idmount run --rootfs root/etc/passwd -m 0:100000:65536 -- true
	# Arguments after the command belong to it.
	prints '-c --help' inside sh -c 'echo $0 $1' -c --help
}

# ---- as an ordinary user ----

# joe_says TEXT COMMAND...: TEXT is the message of idmount run, after that of newuidmap, when COMMAND starts it.
joe_says()
{
	local expected=$1

	shift
	run --separate-stderr setpriv --reuid 4242 --regid 4242 --clear-groups --inh-caps=-all "$@" /mnt/idmount run --rootfs root -- true
	same 'exit status' 125 "$status"
	same 'what is said' "idmount: run: $expected" "${stderr_lines[-1]}"
}

@test "an ordinary user: the user's own ID is root, and the ranges follow" {
	make_joe
	prints $'0\n0' "${joe[@]}" run --rootfs root -m auto --ephemeral -- sh -c 'id -u; stat -c %u /bin/busybox; touch /x'
	[[ ! -e root/x ]]
	# In a namespace below the one with the map, every ID keeps its number.
	prints $'         0          0          1\n         1          1      65536' "${joe[@]}" run --rootfs root -- cat /proc/self/uid_map
	"${joe[@]}" run --rootfs root --user 8:12 -- touch /tmp/f
	same 'owner on disk' 200007:200011 "$(owner root/tmp/f)"
	prints 0 "${joe[@]}" run --rootfs root -m 0:4242:1 -- id -u
}

@test "an ordinary user: the error names the fault of newuidmap, not /etc/subuid" {
	local name

	make_joe
	mkdir -m 755 bin nosuid
	mount -t tmpfs -o nosuid,mode=755 nosuid nosuid
	for name in newuidmap newgidmap; do
		cp "$(type -P "$name")" bin/
		cp "$(type -P "$name")" nosuid/
	done
	chmod 755 bin/* nosuid/*
	joe_says "/mnt/bin/newuidmap has neither the setuid bit nor file capabilities, so it may not write a map; as root: chmod u+s /mnt/bin/newuidmap" \
		env PATH=/mnt/bin:/bin
	chmod u+s bin/newuidmap
	joe_says "/mnt/bin/newgidmap has neither the setuid bit nor file capabilities, so it may not write a map; as root: chmod u+s /mnt/bin/newgidmap" \
		env PATH=/mnt/bin:/bin
	chmod u+s bin/newgidmap nosuid/*
	joe_says '/mnt/bin/newuidmap cannot gain the privilege to write a map: no_new_privs is set (by setpriv(1), a container, or NoNewPrivileges= of systemd)' \
		env PATH=/mnt/bin:/bin setpriv --no-new-privs
	joe_says '/mnt/nosuid/newuidmap is on a filesystem mounted nosuid, so it may not write a map' env PATH=/mnt/nosuid:/bin
	rm bin/newgidmap
	joe_says 'newgidmap is not installed, or not in PATH (on Debian: package uidmap)' env PATH=/mnt/bin:
	rm bin/newuidmap
	joe_says 'newuidmap is not installed, or not in PATH (on Debian: package uidmap)' env PATH=/mnt/bin:
	umount nosuid
}

@test "an ordinary user: the error names the cause of a missing user namespace" {
	make_joe
	mkdir -m 755 host
	mount --rbind / host
	mount --bind . host/mnt
	fails 125 "idmount: run: make user namespace: the kernel does not permit it
hint: causes are a chroot, a container's seccomp filter, and a user or group without an ID in the current user namespace" \
		chroot --userspec 4242:4242 host /mnt/idmount run --rootfs /mnt/root -- true
}

@test "an ordinary user: an upper directory, a terminal, a network" {
	make_joe
	mkdir l2 up work
	chown 4242:4242 l2 up work
	"${joe[@]}" run -L l2:root -U up -W work -- sh -c 'touch /new; rm /etc/group'
	same 'owner on disk' 4242:4242 "$(owner up/new)"
	prints lo "${joe[@]}" run --rootfs root --unshare-net -- ls /sys/class/net
	"${joe[@]}" run --rootfs root --tty -- tty </dev/null | grep -q /dev/pts/0
	run -143 "${joe[@]}" run --rootfs root -- sh -c 'kill $$'
}

@test "an ordinary user: errors name what the kernel forbids" {
	make_joe
	fails 125 'idmount: run: write uid map: uid 100000 is not an ID of joe
hint: usermod --add-subuids 100000-165535 --add-subgids 100000-165535 joe' "${joe[@]}" run --rootfs root -m 0:100000:65536 -- true
	# A root filesystem of the container's root is not mapped, so newuidmap is the first to refuse.
	chown 100000 root
	run -125 --separate-stderr "${joe[@]}" run --rootfs root -m 0:100000:65536 -- true
	[[ $stderr == 'newuidmap: '*'idmount: run: write uid map: uid 100000 is not an ID of joe
hint: usermod --add-subuids 100000-165535 --add-subgids 100000-165535 joe' ]]
	# No part of it is done before that is known.
	fails 125 'idmount: run: the map has no IDs for user 0 and group 0, as which COMMAND starts' \
		"${joe[@]}" run --rootfs root -m 1000:200000:1000 -- true
	mkdir -pm 700 secret secret/layer
	fails 125 'idmount: run: secret/layer: open layer: Permission denied' \
		"${joe[@]}" run -L secret/layer:root --ephemeral -- true
	umount /etc/subuid
	mount --bind group /etc/subuid
	run -125 --separate-stderr "${joe[@]}" run --rootfs root -- true
	[[ $stderr == 'idmount: run: joe: look up subordinate IDs: no range in /etc/subuid'* ]]
	# A user of a container may have no name.
	umount /etc/passwd
	chown 4242 root
	fails 125 'idmount: run: write uid map: uid 100000 is not an ID of user 4242
hint: the user has no name, by which newuidmap(1) finds a range in /etc/subuid' \
		"${joe[@]}" run --rootfs root -m 0:100000:65536 -- true
}

@test "a FUSE filesystem that does not admit root: bound as it is, or named in the error" {
	local hint='hint: a FUSE filesystem admits only its own user, not even root, unless it is mounted with allow_other'

	[[ -c /dev/fuse ]] || skip 'there is no /dev/fuse'
	mkdir fuse
	background python3 "$ROOT/tests/cli/fuse.py" fuse 1000
	until (($(mounts_at /mnt/fuse))); do
		kill -0 "${background[-1]}" || skip 'FUSE cannot be mounted here'
	done
	run ! stat fuse
	# mount --bind behaves the same.
	prints fuse inside --bind /mnt/fuse:/tmp -- sh -c 'grep " /tmp " /proc/self/mounts | cut -d" " -f3'
	echo '[{"Type":"bind","Source":"/mnt/fuse","Options":["rbind"]}]' >list
	quietly idmount apply list dst
	same 'mounts' 1 "$(mounts_at /mnt/dst)"
	fails 1 'idmount: list: fuse: list: it is not on an ID-mapped mount' idmount list fuse
	fails 1 "idmount: check: fuse: check path: Permission denied
$hint" idmount check fuse
	fails 1 "idmount: overlay: fuse: open layer: Permission denied
$hint" idmount overlay -L fuse -L src src
	umount dst fuse
}

@test "--dry-run: everything is checked, and nothing is started or written" {
	local before known=': can be started; it was not, because of --dry-run'

	mkdir up work
	before=$(everything)
	prints "touch$known" inside --dry-run -- touch /x
	prints "sh$known" inside --dry-run --ephemeral --bind src:/new/place --user mail -- sh
	prints "sh$known" idmount run --dry-run -L root -U up -W work -m 0:100000:65536 -- sh
	same 'everything' "$before" "$(everything)"
	[[ ! -e root/x && ! -e root/new ]]
	fails 125 'idmount: run: no: open directory: No such file or directory' \
		idmount run --dry-run -L root -U up -W no -m 0:100000:65536 -- sh
	fails 125 'idmount: run: no: open directory: No such file or directory' \
		idmount run --dry-run -L root:no -U up -W work -m 0:100000:65536 -- sh
	fails 125 'idmount: run: no: open tree: No such file or directory' inside --dry-run --bind no:/x -- sh
	run -125 --separate-stderr inside --dry-run --user no-such-user -- sh
	[[ $stderr == *no-such-user* ]]
	make_joe
	run -0 --separate-stderr "${joe[@]}" run --dry-run --rootfs root -- sh
	same 'standard output' "sh$known" "$output"
}

@test "--dry-run: a read-only root without a target, and a read-only upper directory" {
	local message='idmount: run: /proc: make mount point: Read-only file system'

	mkdir small up work
	mount -t tmpfs small small
	fails 125 "$message" idmount run --read-only --rootfs small -m 0:100000:65536 -- sh
	fails 125 "$message" idmount run --dry-run --read-only --rootfs small -m 0:100000:65536 -- sh
	mkdir small/{proc,sys,dev}
	fails 125 'idmount: run: /place: make mount point: Read-only file system' \
		idmount run --dry-run --read-only --rootfs small -m 0:100000:65536 --bind src:/place -- sh
	prints 'sh: can be started; it was not, because of --dry-run' \
		idmount run --dry-run --read-only --rootfs small -m 0:100000:65536 -- sh
	mount -t tmpfs -o ro up up
	fails 125 'idmount: run: up: write directory: Read-only file system' \
		idmount run --dry-run -L root -U up -W work -m 0:100000:65536 -- sh
}

@test "-v: steps on standard error" {
	run -0 --separate-stderr inside -v -- true
	same 'steps' "idmount: run: idmount $(idmount --version | cut -d' ' -f2), Linux $(uname -r), user 0
idmount: run: map: 0:100000:65536
idmount: run: made the root filesystem and the user namespace" "$stderr"
}
