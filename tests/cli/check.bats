#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# "idmount check", on the real kernel.
load common
private_mounts

setup()
{
	set_up_mounts
	touch src/file
}

teardown()
{
	tear_down_mounts
}

idmount_check='idmount: check:'

# file_system TYPE [OPTION...]: makes a filesystem of this type in a file, and mounts it at disk.
file_system()
{
	local type=$1

	shift
	mkdir -p disk
	truncate -s 64M image
	"mkfs.$type" "$@" image >/dev/null
	mount -t "$type" -o loop image disk
}

# paths COMMAND...: prints the part of the JSON report about paths, in compact form.
paths()
{
	"$@" | jq -c '.paths'
}

@test "the kernel: a table" {
	run -0 --separate-stderr idmount check
	same 'standard error' '' "$stderr"
	[[ ${lines[0]} == 'HERE  FEATURE '*' SINCE  WHAT' ]]
	same 'rows' "$(idmount check --json | jq '.features | length')" $((${#lines[@]} - 1))
	same 'first words' "$(idmount check --json | jq -r '.features[] | if .available then "yes" else "no" end')" \
		"$(printf '%s\n' "${lines[@]:1}" | awk '{ print $1 }')"
	same 'trailing blanks' '' "$(grep ' $' <<<"$output")"
}

@test "the kernel: 80 columns of a terminal, and one line for each feature elsewhere" {
	local wide text

	wide=$(idmount check)
	text=$(script -qec "stty cols 80; NO_COLOR=1 $IDMOUNT check" /dev/null | tr -d '\r')
	same 'lines that are too long' '' "$(grep -E '.{81}' <<<"$text")"
	[[ $(wc -l <<<"$text") -gt $(wc -l <<<"$wide") ]]
	same 'the words' "$(xargs -d '\n' <<<"$wide" | tr -s ' ')" "$(xargs -d '\n' <<<"$text" | tr -s ' ')"
	same 'a wide terminal' "$wide" "$(script -qec "stty cols 500; NO_COLOR=1 $IDMOUNT check" /dev/null | tr -d '\r')"
	# A column of less than 20 is not folded.
	same 'a narrow one' "$wide" "$(script -qec "stty cols 50; NO_COLOR=1 $IDMOUNT check" /dev/null | tr -d '\r')"
}

@test "the kernel: JSON" {
	run -0 --separate-stderr idmount check --json
	same 'standard error' '' "$stderr"
	same 'its members' '["features","kernel","paths"]' "$(jq -c keys <<<"$output")"
	same 'the kernel' "$(uname -r)" "$(jq -r .kernel <<<"$output")"
	same 'the paths' '[]' "$(jq -c .paths <<<"$output")"
	jq -e '.features | length > 5' <<<"$output"
	jq -e '.features | map(.name) | length == (unique | length)' <<<"$output"
	jq -e '.features | all(keys == ["available", "error", "hint", "name", "since", "what"])' <<<"$output"
	jq -e '.features | all(.since | test("^[0-9]+\\.[0-9]+$"))' <<<"$output"
	jq -e '.features | all(.available == (.error == null))' <<<"$output"
	jq -e '.features | all((.what | length > 10) and (.name | test("^[a-z0-9-]+$")))' <<<"$output"
	# These tests make ID-mapped mounts, so this kernel supports them.
	jq -e '.features[] | select(.name == "idmapped-mounts") | .available' <<<"$output"
}

@test "the kernel: fewer features for a caller without privilege" {
	run -0 --separate-stderr as 4321 "$IDMOUNT" check --json
	same 'standard error' '' "$stderr"
	jq -e '.features[] | select(.name == "idmapped-mounts") | .available == false and .error == "EPERM"' <<<"$output"
	jq -e '.features[] | select(.name == "openat2") | .available' <<<"$output"
	run -0 as 4321 "$IDMOUNT" check
	printf '%s\n' "${lines[@]}" | grep -E '^no +idmapped-mounts +5\.12 .*: it requires CAP_SYS_ADMIN; run it as root$'
	# Root of the user namespace has that capability, and is refused all the same.
	run -0 as 4321 unshare --user --map-root-user "$IDMOUNT" check
	[[ $output != *'run it as root'* ]]
}

@test "the service: whether it answers, and what to do if not" {
	local row='| .features[] | select(.name == "service") | [.available, .error, .hint]'

	export IDMOUNTD_SOCKET=$PWD/socket
	idmount check | grep -E '^no +service +5\.12 .* idmountd is not running; root starts it by idmountd --socket '"$PWD/socket [(]from IDMOUNTD_SOCKET[)]\$"
	same 'JSON' '[false,"ENOENT","idmountd is not running; root starts it by idmountd --socket '"$PWD"'/socket (from IDMOUNTD_SOCKET)"]' \
		"$(idmount check --json | jq -c ". $row")"
	[[ -v IDMOUNTD ]] || skip 'there is no idmountd'
	background "$IDMOUNTD" --socket "$IDMOUNTD_SOCKET" 2>/dev/null
	until [[ -S socket ]]; do
		:
	done
	same 'JSON' '[true,null,null]' "$(as 4321 "$IDMOUNT" check --json | jq -c ". $row")"
	# The socket file of a service that was killed stays.
	kill -KILL "${background[-1]}"
	wait "${background[-1]}" || :
	same 'JSON' '[false,"ECONNREFUSED","idmountd is not running; root starts it by idmountd --socket '"$PWD"'/socket (from IDMOUNTD_SOCKET)"]' \
		"$(idmount check --json | jq -c ". $row")"
}

@test "paths that can be mapped" {
	prints 'src: tmpfs: can be ID-mapped' idmount check src
	prints 'src/file: tmpfs: can be ID-mapped' idmount check src/file
	file_system ext4 -q
	prints 'disk: ext4: can be ID-mapped
/mnt: tmpfs: can be ID-mapped' idmount check disk /mnt
	prints 'disk: ext4: can be ID-mapped, and written with the right IDs on disk' idmount check --write disk
	ln -s disk link
	prints 'link: ext4: can be ID-mapped' idmount check link
}

@test "paths that were deleted" {
	local kind

	mkdir gone
	touch file
	exec 9<file
	rm file
	cd gone
	rmdir ../gone
	for kind in . /proc/self/fd/9; do
		fails 1 "idmount: check: $kind: check path: it was deleted, so it cannot be mounted" idmount check "$kind"
		fails 1 "idmount: check: $kind: check path: it was deleted, so it cannot be mounted" idmount check --write "$kind"
	done
	run -1 --separate-stderr idmount check --json .
	same 'why' '[false,"ENOENT","it was deleted, so it cannot be mounted"]' "$(jq -c '.paths[0] | [.mappable, .error, .reason]' <<<"$output")"
	exec 9<&-
	cd ..
}

@test "paths that are mapped already" {
	idmount mount -m 0:1 src dst
	prints 'dst: tmpfs: can be ID-mapped again (--remap, --on-top): it is mapped already' idmount check dst
	same 'JSON' '[[true,true]]' "$(paths idmount check --json dst | jq -c 'map([.mappable, .mapped])')"
}

@test "paths that cannot be mapped, and the reasons" {
	mkdir ramfs lower upper work overlay
	mount -t ramfs ramfs ramfs
	mount -t overlay -o lowerdir=lower,upperdir=upper,workdir=work overlay overlay
	refused 1 "$idmount_check /proc: map tree: the filesystem (proc) cannot be ID-mapped
$some_can" idmount check /proc
	refused 1 "$idmount_check /sys: map tree: the filesystem (sysfs) cannot be ID-mapped
$some_can" idmount check --write /sys
	refused 1 "$idmount_check ramfs: map tree: the filesystem (ramfs) cannot be ID-mapped
hint: use tmpfs (Linux 6.3)" idmount check ramfs
	refused 1 "$idmount_check overlay: map tree: the filesystem (overlay) cannot be ID-mapped
hint: map its layers instead, and put the overlay together from them" idmount check overlay
	refused 1 "$idmount_check missing: check path: No such file or directory" idmount check missing
	refused 1 "$idmount_check src/file/x: check path: Not a directory" idmount check src/file/x
	run -2 --separate-stderr idmount check ''
	[[ $stderr == "$idmount_check "* ]]
	umount ramfs overlay # nothing keeps them busy
}

@test "several paths, some of them bad" {
	run --separate-stderr idmount check /proc src missing dst
	same 'exit status' 1 "$status"
	same 'standard output' 'src: tmpfs: can be ID-mapped
dst: tmpfs: can be ID-mapped' "$output"
	same 'standard error' "$idmount_check /proc: map tree: the filesystem (proc) cannot be ID-mapped
$some_can
$idmount_check missing: check path: No such file or directory" "$stderr"
}

@test "JSON" {
	run --separate-stderr idmount check --json src /proc missing
	same 'exit status' 1 "$status"
	same 'standard error' '' "$stderr"
	same 'the paths' "$(jq -c . <<-'END'
		[{ "path": "src", "fstype": "tmpfs", "mappable": true, "mapped": false,
		   "error": null, "reason": null, "hint": null },
		 { "path": "/proc", "fstype": "proc", "mappable": false, "mapped": false, "error": "EINVAL",
		   "reason": "the filesystem (proc) cannot be ID-mapped",
		   "hint": "ext4, xfs, btrfs, tmpfs, erofs, squashfs and some more can" },
		 { "path": "missing", "fstype": "", "mappable": false, "mapped": false, "error": "ENOENT",
		   "reason": "No such file or directory", "hint": null }]
	END
	)" "$(jq -c .paths <<<"$output")"
	run -0 --separate-stderr idmount check --json --write src
	same 'the paths' '[{"path":"src","fstype":"tmpfs","mappable":true,"mapped":false,"writable":true,"diskIdChecked":true,"error":null,"reason":null,"hint":null}]' \
		"$(jq -c .paths <<<"$output")"
}

@test "JSON of a path that is not UTF-8" {
	mkdir $'bad\xff\e"'
	idmount check --json $'bad\xff\e"' $'missing\xff' >json || true
	python3 - <<-'END'
		import base64, json

		a, b = json.load(open("json", encoding="utf-8"))["paths"]
		assert a["path"] == "bad\ufffd\x1b\"" and a["mappable"], a
		assert base64.b64decode(a["pathBase64"]) == b"bad\xff\x1b\"", a
		assert base64.b64decode(b["pathBase64"]) == b"missing\xff" and b["error"] == "ENOENT", b
	END
}

@test "--write: paths that can be mapped, but not written" {
	mkdir read-only full
	mount -t tmpfs -o ro read-only read-only
	prints 'read-only: tmpfs: can be ID-mapped' idmount check read-only
	refused 1 "$idmount_check read-only: make file: the mount is read-only" idmount check --write read-only
	mount -t tmpfs -o nr_inodes=1 full full
	refused 1 "$idmount_check full: make file: the filesystem (tmpfs) has no space: No space left on device" \
		idmount check --write full
	refused 1 "$idmount_check src/file: make file: it is not a directory
hint: check its parent directory" idmount check --write src/file
	same 'JSON' '[[true,false,"EROFS"]]' \
		"$(paths idmount check --json --write read-only | jq -c 'map([.mappable, .writable, .error])')"
}

@test "leaves no mount, no file, no inode, and nothing that is busy" {
	local before inodes

	file_system ext4 -q
	before=$(state)
	inodes=$(stat -f -c '%d %f' disk)
	idmount check disk src
	idmount check --write disk src
	idmount check --json --write disk src
	idmount check
	same 'what is there' "$before" "$(state)"
	same 'free inodes and blocks' "$inodes" "$(stat -f -c '%d %f' disk)"
	quietly umount disk
}

@test "a driver that can map only under its newest name" {
	file_system ext2 -q
	refused 1 "$idmount_check disk: map tree: the filesystem (ext2) cannot be ID-mapped
hint: mount it with -t ext4: by that name the same driver can" idmount check disk
}

@test "without the privilege" {
	refused 1 "$idmount_check src: map tree: it requires CAP_SYS_ADMIN in the user namespace that owns the mount namespace
hint: run it as root; an ordinary user runs it under unshare --user --map-root-user --map-auto --mount, or uses idmount run" as 4321 "$IDMOUNT" check src
}

@test "a wrong command line" {
	refused 2 "$idmount_check PATH is empty" idmount check ''
	fails 2 "$idmount_check --write: a PATH is missing" idmount check --write
	fails 2 "$idmount_check --write: a PATH is missing" idmount check --json --write
	fails 2 "$idmount_check --foo: unknown option; see \"idmount help check\"" idmount check --foo
}

# Filters that do not know a call, here open_tree_attr(2), answer with ENOSYS or EPERM.
@test "check and mount agree below a filter that does not know open_tree_attr(2)" {
	local errno

	mkdir -p src/below src/bad
	mount -t tmpfs below src/below
	for errno in 38 1; do
		prints 'src: tmpfs: can be ID-mapped' without_call 467 $errno "$IDMOUNT" check src
		noting without_call 467 $errno "$IDMOUNT" mount -m 0:0:65536 src dst
		umount dst
		noting without_call 467 $errno "$IDMOUNT" mount -R -m 0:0:65536 src dst
		umount -R dst
		mount -t ramfs bad src/bad
		fails 1 "idmount: mount: $PWD/src/bad: map tree: the filesystem (ramfs) cannot be ID-mapped
hint: it is mounted below src: unmount it, or map without the mounts below" without_call 467 $errno "$IDMOUNT" mount -R -m 0:0:65536 src dst
		umount src/bad
	done
	umount src/below
}
