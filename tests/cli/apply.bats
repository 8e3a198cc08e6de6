# SPDX-License-Identifier: MIT
# idmount apply and undo: apply makes a root filesystem from a mount list, and undo removes it by the journal.
load common
private_mounts

setup()
{
	set_up_mounts
	mkdir -p l1/etc l2/tmp up work
	echo one >l1/etc/one
	chown 33:44 l1/etc/one
	cat >list.json <<'END'
[
  {"Type": "overlay", "Source": "overlay", "Target": "",
   "Options": ["index=off", "workdir=work", "upperdir=up", "lowerdir=l2:l1"]},
  {"Type": "tmpfs", "Source": "tmpfs", "Target": "/tmp", "Options": ["nosuid", "nodev", "size=1m"]},
  {"Type": "bind", "Source": "list.json", "Target": "/run/list.json", "Options": ["bind", "ro"]}
]
END
	touch -d 2001-01-01 up
	all_before=$(everything)
}

teardown()
{
	tear_down_mounts
}

# Prints every mount, and every file with its time of change in nanoseconds.
everything()
{
	cat /proc/self/mountinfo
	find /mnt -xdev -printf '%p %M %U:%G %T@\n' | grep -v '^/mnt ' | sort
}

@test "a list of containerd's, made and undone" {
	noting idmount apply --mkdir -m 0:100000:65536 --upper-ids disk --journal journal list.json /mnt/new/root
	same 'owners' $'100000:100000\n100033:100044\n100000:100000' "$(owner new/root new/root/etc/one new/root/run)"
	# findmnt sorts by mount numbers, and the kernel reuses those. So the output is sorted again.
	same 'mounts' $'/mnt/new/root overlay\n/mnt/new/root/run/list.json tmpfs\n/mnt/new/root/tmp tmpfs' \
		"$(findmnt -rno TARGET,FSTYPE -R /mnt/new/root | sort)"
	run ! bash -c 'echo >/mnt/new/root/run/list.json'
	same 'mode' 600 "$(stat -c %a journal)"
	quietly idmount undo --journal journal
	# A target was created in the upper directory, and removed. The kernel creates a directory in the work directory.
	same 'everything but that' "$(grep -Ev '^/mnt/(up|work)[ /]' <<<"$all_before")" \
		"$(everything | grep -Ev '^/mnt/(up|work)[ /]')"
	same 'upper' '' "$(ls up)"
}

@test "standard input, protobuf's spelling, as an object" {
	noting idmount apply - dst <<<'{"mounts": [{"type": "bind", "source": "/mnt/l1", "options": ["rbind", "ro",
		"uidmap=0:100000:65536", "gidmap=0:200000:65536"]}]}'
	same 'owner' 100033:200044 "$(owner dst/etc/one)"
	run ! touch dst/new
	idmount umount dst
	same 'everything' "$all_before" "$(everything)"
}

@test "relative paths begin at the file's directory" {
	mkdir elsewhere
	cd elsewhere
	noting idmount apply --mkdir -m 0:100000:65536 ../list.json ../dst
	owner ../dst/etc/one
	idmount umount -R ../dst
}

@test "the map of the command line applies to mounts that show files, and that lack a map" {
	noting idmount apply -m 0:100000:65536 - dst <<-'END'
		[{"type": "bind", "source": "/mnt/l1", "options": ["rbind"]},
		 {"type": "bind", "source": "/mnt/l1/etc", "target": "/etc", "options": ["rbind", "uidmap=33:5:1", "gidmap=44:6:1"]}]
	END
	same 'owners' $'100000:100000\n5:6' "$(owner dst dst/etc/one)"
	idmount umount -R dst
}

@test "a bundle: its root with the map, its mounts, read-only in the end" {
	mkdir -p bundle/rootfs volume
	chown 1000:1000 volume
	cat >bundle/config.json <<-'END'
		{"ociVersion": "1.0.2", "root": {"path": "rootfs", "readonly": true}, "process": {"args": ["sh"]},
		 "mounts": [
		  {"destination": "/proc", "type": "proc", "source": "proc"},
		  {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "strictatime", "mode=755"]},
		  {"destination": "/dev/pts", "type": "devpts", "source": "devpts", "options": ["newinstance"]},
		  {"destination": "/data", "source": "../volume", "options": ["rbind", "idmap"],
		   "uidMappings": [{"containerID": 1000, "hostID": 100000, "size": 1}],
		   "gidMappings": [{"containerID": 1000, "hostID": 100000, "size": 1}]}
		 ]}
	END
	all_before=$(everything)
	noting idmount apply -m 0:100000:65536 --journal journal bundle/config.json dst
	same 'owners' $'100000:100000\n100000:100000' "$(owner dst dst/data)"
	[[ -e dst/dev/pts/ptmx && -e dst/proc/self ]]
	run ! touch dst/new
	quietly idmount undo --journal journal
	same 'everything but one time' "$(echo "$all_before" | grep -v '^/mnt/bundle/rootfs ')" \
		"$(everything | grep -v '^/mnt/bundle/rootfs ')"
}

@test "a failure leaves nothing, and its message states the reason" {
	local list=/mnt/bad.json

	try()
	{
		local message=$1

		cat >$list
		all_before=$(everything)
		fails 1 "$message" idmount apply --mkdir -m 0:100000:65536 --journal /mnt/journal $list /mnt/new/dst
		same 'everything' "$all_before" "$(everything)"
	}
	try "idmount: apply: $list: read plan: line 1, column 3: expected a key in quotes or '}', got ']'" <<<'[{]'
	try "idmount: apply: /mnt/none: open tree: No such file or directory" <<-'END'
		[{"type": "bind", "source": "/mnt/l1"}, {"type": "bind", "source": "/mnt/none", "target": "/etc"}]
	END
	try 'idmount: apply: etc/one: open target: expected a directory as target, like the source; got a file' <<-'END'
		[{"type": "bind", "source": "/mnt/l1"}, {"type": "bind", "source": "/mnt/l2", "target": "/etc/one"}]
	END
	try 'idmount: apply: colour: mount filesystem: the filesystem does not accept the option (kernel: tmpfs: Unknown parameter '"'colour'"')' <<-'END'
		[{"type": "bind", "source": "/mnt/l1"}, {"type": "tmpfs", "target": "/new", "options": ["colour=green"]}]
	END
}

@test "the command line" {
	fails 2 'idmount: apply: expected FILE and TARGET, got only list.json; see "idmount help apply"' idmount apply list.json
	fails 2 'idmount: apply: FILE is empty' idmount apply '' dst
	fails 2 'idmount: apply: TARGET is empty' idmount apply list.json ''
	fails 2 'idmount: apply: --format docker: expected containerd or oci' idmount apply --format docker list.json dst
	fails 2 'idmount: apply: --upper-ids both: expected shifted or disk' idmount apply --upper-ids both list.json dst
	fails 2 "idmount: apply: --journal: the file's name is empty" idmount apply --journal '' list.json dst
	fails 1 'idmount: apply: none: read: No such file or directory' idmount apply none dst
	fails 1 'idmount: apply: l1: read: Is a directory' idmount apply l1 dst
	fails 2 'idmount: undo: --journal FILE is missing' idmount undo
	fails 2 'idmount: undo: journal: expected no operand; --journal names the file' idmount undo journal
	fails 1 'idmount: undo: none: read journal: No such file or directory' idmount undo --journal none
	fails 1 'idmount: undo: list.json: read journal: other users can write to it (owner 0, mode 0666)' \
		bash -c 'chmod 666 list.json; "$0" undo --journal list.json' "$IDMOUNT"
	chmod 600 list.json
	fails 1 'idmount: undo: list.json: read journal: line 1 is not valid in a journal of idmount' \
		idmount undo --journal list.json
}

@test "a file in another format than --format says" {
	run ! --separate-stderr idmount apply --format oci list.json dst
	[[ $stderr == 'idmount: apply: list.json: '* ]]
	same 'lines' 1 "$(grep -c '^idmount' <<<"$stderr")"
	same 'everything' "$all_before" "$(everything)"
}

@test "setuid and device files of those who are seen as root" {
	note='idmount: apply: note: added nosuid,nodev to the mount at /, since files of user 33 appear as root'"'"'s; the options suid and dev of a mount prevent that'
	run --separate-stderr idmount apply -m 33:0 - dst <<<'[{"type": "bind", "source": "/mnt/l1"}]'
	same 'note' "$note" "$stderr"
	findmnt -no OPTIONS dst | grep -q nosuid,nodev
	idmount umount dst
	quietly idmount apply -m 33:0 - dst <<<'[{"type": "bind", "source": "/mnt/l1", "options": ["suid", "dev"]}]'
	[[ $(options_at /mnt/dst) != *no* ]]
	idmount umount dst
}

# added_beside OPTION ADDED WORD: apply adds only ADDED to the one of two binds with OPTION, and prints nothing else.
added_beside()
{
	local note

	note="idmount: apply: note: added $2 to the mount at /etc, since files of user 4321 appear as user 4322's; the option $3 of a mount prevents that"
	run -0 --separate-stderr idmount apply - dst <<<"${list/WORDS/, \"$1\"}"
	same 'note' "$note" "$stderr"
	[[ $(options_at /mnt/dst/etc) == *"$2"* && $(options_at /mnt/dst/etc) != *"no$1"* ]]
	umount -R dst
	# The note lists all words that either of two mounts got.
	note="idmount: apply: note: added nosuid,nodev to 2 mounts, since files of user 4321 appear as user 4322's; the options suid and dev of a mount prevent that"
	run -0 --separate-stderr idmount apply - dst <<<"$(jq --arg option "$1" \
		'. + [.[1] + {target: "/two"}] | .[1].options += [$option]' <<<"${list/WORDS/}")"
	same 'note' "$note" "$stderr"
	umount -R dst
}

@test "a set-user-ID program of user 4321 in a bind does not make user 4321 another user" {
	local list='[{"type": "bind", "source": "/mnt/l1"},
		{"type": "bind", "source": "/mnt/src", "target": "/etc", "options": ["uidmap=4321:4322:1", "gidmap=4321:4322:1"WORDS]}]'

	cp /usr/bin/id src/id
	chown 4321:4321 src/id
	chmod 6755 src/id
	mkdir l1/two
	note='idmount: apply: note: added nosuid,nodev to the mount at /etc, since files of user 4321 appear as user 4322'"'"'s; the options suid and dev of a mount prevent that'
	run -0 --separate-stderr idmount apply - dst <<<"${list/WORDS/}"
	same 'note' "$note" "$stderr"
	same 'who one is' '4321 4321' "$(as 4321 dst/etc/id -u) $(as 4321 dst/etc/id -g)"
	umount -R dst
	quietly idmount apply - dst <<<"${list/WORDS/, \"suid\", \"dev\"}"
	same 'with suid' '4322 4322' "$(as 4321 dst/etc/id -u) $(as 4321 dst/etc/id -g)"
	umount -R dst
	added_beside suid nodev dev
	added_beside dev nosuid suid
}

@test "a root filesystem keeps set-user-ID programs, and no device files" {
	mknod -m 666 l1/null c 1 3
	noting idmount apply -m 0:100000:65536 - dst <<<'[{"type": "bind", "source": "/mnt/l1"}, {"type": "bind", "source": "/mnt/src", "target": "/etc"}]'
	[[ $(options_at /mnt/dst) == *nodev* && $(options_at /mnt/dst) != *nosuid* ]]
	[[ $(options_at /mnt/dst/etc) == *nosuid,nodev* ]]
	run -1 cat dst/null
	umount -R dst
	quietly idmount apply - dst <<<'[{"type": "bind", "source": "/mnt/l1"}, {"type": "bind", "source": "/mnt/src", "target": "/etc"}]'
	[[ $(options_at /mnt/dst) == *nodev* && $(options_at /mnt/dst/etc) == *nodev* ]]
	umount -R dst
	quietly idmount apply - dst <<<'[{"type": "bind", "source": "/mnt/l1", "options": ["dev"]}]'
	prints '' cat dst/null
	umount dst
}

@test "no mount covers the root" {
	local target

	ln -s . l1/here
	ln -s / l1/root
	for target in '' / // /. /./. /here /root /here/root/ root/. /here/root/. /root/here/./.; do
		all_before=$(everything)
		run -1 --separate-stderr idmount apply - dst <<<'[{"type": "bind", "source": "/mnt/l1"}, {"type": "bind", "source": "/mnt/l2", "target": "'"$target"'"}]'
		echo "$target: $stderr"
		case $target in
		*here* | *root*) [[ $stderr == *'is a symbolic link'* ]] ;;
		*) [[ $stderr == *'duplicate root'* ]] ;;
		esac
		same "$target" "$all_before" "$(everything)"
	done
}

@test "undo stops at a mount that it does not know" {
	idmount apply -m 0:100000:65536 --mkdir --journal journal list.json dst
	mount -t tmpfs foreign dst/etc
	fails 1 $'idmount: undo: /mnt/dst/etc: undo: the journal does not name this mount\nhint: unmount it first; undo unmounts only mounts of the journal' \
		idmount undo --journal journal
	umount dst/etc
	exec {busy}<dst/etc/one
	run ! --separate-stderr idmount undo --journal journal
	[[ $stderr == 'idmount: undo: /mnt/dst: undo: the mount is in use'* ]]
	quietly idmount undo --lazy --journal journal
	exec {busy}<&-
	same 'mounts' 0 "$(mounts_at /mnt/dst)"
}

@test "progress is shown on a terminal, for long lists" {
	python3 -c '
import json
print(json.dumps([{"type": "bind", "source": "/mnt/l1"}] + [{"type": "tmpfs", "target": "/etc"}] * 99))' >many.json
	script -qec "'$IDMOUNT' apply many.json dst" /dev/null >terminal
	grep -q 'mount 99 of 100' terminal
	idmount umount -R dst
	script -qec "'$IDMOUNT' apply --mkdir list.json dst" /dev/null >terminal
	same 'output' '' "$(cat terminal)"
	idmount umount -R dst
	noting idmount apply many.json dst
	idmount umount -R dst
}

@test "a filesystem that may not be mounted: the privilege that it requires" {
	echo '[{"Type":"tmpfs","Source":"tmpfs"}]' >list.json
	fails 1 'idmount: apply: tmpfs: mount filesystem: it requires CAP_SYS_ADMIN in the user namespace that owns this mount namespace
hint: run it as root; an ordinary user runs it under unshare --user --map-root-user --map-auto --mount, or uses idmount run' as 4321 "$IDMOUNT" apply list.json dst
	unshare --user --map-root-user --mount "$IDMOUNT" apply list.json dst
	echo '[{"Type":"sysfs","Source":"sysfs"}]' >list.json
	fails 1 'idmount: apply: sysfs: mount filesystem: Operation not permitted
hint: it requires CAP_SYS_ADMIN in the initial user namespace; another one can mount tmpfs and overlay, and proc, sysfs, mqueue and cgroup2 of namespaces it owns' \
		unshare --user --map-root-user --mount "$IDMOUNT" apply list.json dst
}

@test "no target is behind a symbolic link" {
	local behind

	mkdir -p victim/inside
	ln -s victim link
	for behind in / /. /./ /inside/..; do
		run -1 --separate-stderr idmount apply --mkdir list.json "/mnt/link$behind"
		[[ $stderr == "idmount: apply: /mnt/link$behind: open target: "*'symbolic link'* ]]
		same 'mounts' 0 "$(mounts_at /mnt/victim)"
	done
}

@test "a source that is mapped already is refused" {
	mkdir mapped
	idmount mount -m 0:5,33:6,44:7 l1 mapped
	# shellcheck disable=SC2016
	fails 1 "idmount: apply: mapped: map tree: the source is on a mount that is ID-mapped already
hint: name it by a path where it has no map, or give no new map: it keeps the one that it has" \
		idmount apply - /mnt/dst <<<'[{"Type": "bind", "Source": "mapped", "Options": ["rbind",
			"uidmap=0:100000:65536", "gidmap=0:200000:65536"]}]'
	for kind in "\"type\": \"bind\", \"source\": \"mapped\"" "\"type\": \"overlay\", \"options\": [\"lowerdir=mapped:l2\"]"; do
		fails 1 "idmount: apply: mapped: map tree: the source is on a mount that is ID-mapped already
hint: name it by a path where it has no map, or give no new map: it keeps the one that it has" \
			idmount apply -m 0:100000:65536 - /mnt/dst <<<"[{$kind}]"
	done
	for word in remap on-top; do
		fails 1 "idmount: apply: standard input: mount 1 (bind on /): plan mount: $word: a plan cannot change a map that the source has already
hint: name it by a path where it has no map, or give no new map: it keeps the one that it has" \
			idmount apply -m 0:100000:65536 - /mnt/dst <<<"[{\"type\": \"bind\", \"source\": \"mapped\", \"options\": [\"$word\"]}]"
	done
	same 'mounts' 0 "$(mounts_at /mnt/dst)"
	# Following the hint succeeds.
	quietly idmount apply - /mnt/dst <<<'[{"Type": "bind", "Source": "mapped", "Options": ["rbind"]}]'
	same 'owner' 6:7 "$(owner dst/etc/one)"
}

@test "--dry-run: the list is read, its binds are mapped, and nothing is mounted" {
	prints 'dst: can be mounted; nothing was, because of --dry-run' \
		idmount apply --dry-run --mkdir -m 0:100000:65536 --journal journal list.json dst
	fails 1 'idmount: apply: no: open tree: No such file or directory' idmount apply --dry-run - dst <<<'[
		{"type": "bind", "source": "/mnt/l1"},
		{"type": "bind", "source": "no", "target": "/etc"}]'
	run -1 --separate-stderr idmount apply --dry-run - dst <<<'[{"type": "bind"'
	[[ $stderr == 'idmount: apply: standard input: '* ]]
	fails 1 'idmount: apply: no: open target: No such file or directory' idmount apply --dry-run -m 0:1:1 list.json no
	fails 1 'idmount: apply: no/journal: write journal: No such file or directory' \
		idmount apply --dry-run --mkdir -m 0:100000:65536 --journal no/journal list.json dst
	fails 1 'idmount: apply: list.json: write journal: File exists' \
		idmount apply --dry-run --mkdir -m 0:100000:65536 --journal list.json list.json dst
	same 'everything' "$all_before" "$(everything)"
}

@test "-v: each step on standard error" {
	run -0 --separate-stderr idmount apply -v - dst <<<'[{"type": "bind", "source": "/mnt/l1"}]'
	same 'steps' "idmount: apply: idmount $(idmount --version | cut -d' ' -f2), Linux $(uname -r), user 0
idmount: apply: map: none
idmount: apply: read standard input: 1 mounts
idmount: apply: attached the tree of them at dst" "$stderr"
	idmount umount dst
}
