#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# "idmount list", on the real kernel.
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

# mapped [FILTER]: prints the mounts listed below /mnt, as compact JSON. The host may have ID-mapped mounts, and this
# namespace has copies of them.
mapped()
{
	idmount list --json | jq -c "map(select(.target | startswith(\"/mnt/\"))) | ${1:-.}"
}

# Prints the map that is listed for dst, in the format of -m.
listed_map()
{
	mapped '.[] | select(.target == "/mnt/dst") |
		[(.uidMap[] | "u:\(.disk):\(.seen):\(.count)"), (.gidMap[] | "g:\(.disk):\(.seen):\(.count)")] | join(",")' |
		tr -d '"'
}

namespace()
{
	stat -Lc %i "/proc/${1:-self}/ns/mnt"
}

@test "an ID-mapped mount, and no other" {
	same 'before' '[]' "$(mapped)"
	mount --bind src dst
	same 'a plain one' '[]' "$(mapped)"
	umount dst
	idmount mount -m u:1000:2000,u:5:6:7,g:0:100000:65536 -o ro,noexec src dst
	same 'the mount' '["/mnt/dst","work","/src","tmpfs","ro,nosuid,nodev,noexec,relatime,private","read"]' \
		"$(mapped '.[] | [.target, .source, .root, .fstype, .flags, .mapState]')"
	same 'the uids' '[{"disk":5,"seen":6,"count":7},{"disk":1000,"seen":2000,"count":1}]' "$(mapped '.[].uidMap')"
	same 'the gids' '[{"disk":0,"seen":100000,"count":65536}]' "$(mapped '.[].gidMap')"
	same 'the namespace' "$(namespace)" "$(mapped '.[].namespaceInode')"
	same 'its members' '["flags","fstype","gidMap","id","mapState","namespaceId","namespaceInode","parentId","root","source","target","uidMap"]' \
		"$(mapped '.[] | keys')"
	idmount umount dst
	same 'after' '[]' "$(mapped)"
}

@test "the listed map is the one that was passed" {
	local map

	for map in 0:0:4294967295 u:0:100000:65536,g:0:200000:65536 u:1000:2000,g:7:8 4294967294:0,0:4294967294; do
		run -0 idmount mount -m "$map" src dst
		same "$map" "$(idmount map -m "$map" --format text)" "$(idmount map -m "$(listed_map)" --format text)"
		idmount umount dst
	done
	run -0 idmount mount -m 1000:2000 --keep-rest src dst
	same 'with the rest' "$(idmount map -m 1000:2000 --keep-rest --format text)" \
		"$(idmount map -m "$(listed_map)" --format text)"
	idmount umount dst
	map=$(for ((n = 0; n < 340; n++)); do printf '%d:%d,' $((2 * n)) $((3 * n)); done)
	run -0 idmount mount -m "${map%,}" src dst
	same '340 entries' "$(idmount map -m "${map%,}" --format text)" "$(idmount map -m "$(listed_map)" --format text)"
}

@test "the words are those that were given" {
	local words

	for words in rw,relatime,private ro,nosuid,nodev,noexec,nosymfollow,noatime,nodiratime,private \
		rw,strictatime,shared rw,relatime,unbindable; do
		idmount mount -m 0:0 -o "$words" src dst
		same "$words" "$(tr ',' '\n' <<<"$words" | sort)" "$(mapped '.[].flags' | tr -d '"' | tr ',' '\n' | sort)"
		idmount umount dst
	done
}

@test "in the order of mounting, each with its parent" {
	mkdir src/below a b
	idmount mount -m 0:1 src b
	idmount mount -m 0:2 src a
	idmount mount -m 0:3 src a/below
	same 'targets' '["/mnt/b","/mnt/a","/mnt/a/below"]' "$(mapped 'map(.target)')"
	same 'seen' '[1,2,3]' "$(mapped 'map(.uidMap[0].seen)')"
	same 'the parent of the last' true "$(mapped '.[2].parentId == .[1].id')"
	same 'different numbers' 3 "$(mapped 'map(.id) | unique | length')"
}

@test "hundreds of them" {
	local n

	mkdir many
	for ((n = 0; n < 300; n++)); do
		mkdir many/$n
	done
	idmount mount -m 0:1 many dst
	for ((n = 0; n < 300; n++)); do
		mount --bind dst/$n many/$n # the copy of a mapped mount is mapped
	done
	same 'how many' 301 "$(mapped length)"
	same 'their maps' '[[{"disk":0,"seen":1,"count":1}]]' "$(mapped 'map(.uidMap) | unique')"
}

@test "the table is aligned" {
	mkdir 'a longer target' whole
	mount -t tmpfs whole whole
	idmount mount -m u:0:1000:5,u:7:8,g:1:2 src dst
	idmount mount -m 0:1 -o ro,noexec,shared src 'a longer target'
	idmount mount -m u:0:1,g:4294967294:0 -o nosuid,nodev whole whole
	prints '
TARGET                SOURCE      FSTYPE  MAP                                 FLAGS
/mnt/dst              work[/src]  tmpfs   uid 0-4->1000-1004, 7->8; gid 1->2  rw,nosuid,nodev,relatime,private
/mnt/a longer target  work[/src]  tmpfs   0->1                                ro,nosuid,nodev,noexec,relatime,shared
/mnt/whole            whole       tmpfs   uid 0->1; gid 4294967294->0         rw,nosuid,nodev,relatime,private' \
		bash -c 'echo; "$0" list dst "a longer target" whole' "$IDMOUNT"
	# Without targets the same, among others that the host may have.
	[[ $(idmount list | grep -c ' work\[/src\] ') == 2 ]]
}

@test "a table without rows is empty" {
	run idmount list
	if (($(idmount list --json | jq length) == 0)); then
		same 'standard output' '' "$output"
	else
		[[ ${lines[0]} == TARGET* ]]
	fi
	fails 1 'idmount: list: src: list: it is not on an ID-mapped mount' idmount list src
}

@test "names with blanks, line ends, quotes, and letters of more than one byte" {
	local name

	for name in 'a b' $'a\nb' 'a"b' 'a\b' 'äöü' '\040'; do
		mkdir "./$name"
		idmount mount -m 0:1 src "./$name"
	done
	same 'targets' '["/mnt/a b","/mnt/a\nb","/mnt/a\"b","/mnt/a\\b","/mnt/äöü","/mnt/\\040"]' "$(mapped 'map(.target)')"
	# Each mount has one line in the table, and äöü is three columns wide.
	run -0 idmount list 'a b' $'a\nb' 'a"b' 'a\b' 'äöü' '\040'
	same 'lines' 7 "${#lines[@]}"
	same 'targets' '/mnt/a b|/mnt/a\012b|/mnt/a"b|/mnt/a\134b|/mnt/äöü|/mnt/\134040' \
		"$(printf '%s\n' "${lines[@]:1}" | sed 's/  .*//' | paste -sd'|')"
	LC_ALL=C.UTF-8
	for line in "${lines[@]}"; do
		line=${line%%work*}
		line=${line%%SOURCE*}
		same 'the second column' 14 "${#line}"
	done
}

# Names with control characters, names that are not UTF-8, that reorder a line, or that JSON has to quote.
hostile_names=($'e\e[2Jx' $'bad\xff\xc3' $'c1\xc2\x9b31m' $'bidi\xe2\x80\xaetxt' $'q"\n\\' $'del\x7f' 'äöü')

@test "JSON is valid whatever the names are, and contains each byte of them" {
	local name

	for name in "${hostile_names[@]}"; do
		mkdir "./$name"
		mount -t tmpfs "$name" "./$name"
		idmount mount -m 0:1 "./$name" "./$name"
	done
	idmount list --json "${hostile_names[@]}" >json
	python3 - "${hostile_names[@]}" <<-'END'
		import base64, json, os, sys

		def name_of(mount, key):
		    if key + "Base64" in mount:
		        assert "\ufffd" in mount[key], mount
		        return base64.b64decode(mount[key + "Base64"])
		    return mount[key].encode()

		text = open("json", "rb").read()
		assert not set(text.replace(b"\n", b"")) & (set(range(32)) | {127}), text
		text = text.decode()
		assert not set(text) & {"\x9b", "\u202e"}, text
		mounts = json.loads(text)
		names = [os.fsencode(name) for name in sys.argv[1:]]
		assert [name_of(m, "target") for m in mounts] == [b"/mnt/" + n for n in names], mounts
		assert [name_of(m, "source") for m in mounts] == names, mounts
		assert ["targetBase64" in m for m in mounts] == [b"\xff" in n for n in names], mounts
	END
}

@test "no name in the table or in an error controls the terminal" {
	local name plain

	for name in "${hostile_names[@]}"; do
		mkdir "./$name"
		idmount mount -m 0:1 src "./$name"
	done
	run --separate-stderr idmount list "${hostile_names[@]}"
	same 'targets' '/mnt/e\033[2Jx|/mnt/bad\377\303|/mnt/c1\302\23331m|/mnt/bidi\342\200\256txt|/mnt/q"\012\134|/mnt/del\177|/mnt/äöü' \
		"$(printf '%s\n' "${lines[@]:1}" | sed 's/  .*//' | paste -sd'|')"
	for name in "${hostile_names[@]}"; do
		plain=$(idmount list "missing-$name" 2>&1 || true)
		plain+=$(idmount mount -m 0:1 "missing-$name" dst 2>&1 || true)
		plain+=$(idmount mount -m "0:$name" src dst 2>&1 || true)
		plain+=$(idmount mount -o "$name" -m 0:1 src dst 2>&1 || true)
		plain+=$(idmount umount "missing-$name" 2>&1 || true)
		plain+=$(idmount check "missing-$name" 2>&1 || true)
		plain+=$(idmount check "./$name")
		plain+=$(idmount apply "missing-$name" dst 2>&1 || true)
		plain+=$(idmount "$name" 2>&1 || true)
		plain+=$("$MOUNT_IDMAP" "missing-$name" dst -o map=0:1 2>&1 || true)
		plain+=$("$MOUNT_IDMAP" src dst -o "map=0:1,$name" 2>&1 || true)
		iconv -f UTF-8 -t UTF-8 <<<"$plain" >/dev/null
		python3 -c 'import sys, unicodedata; assert not [c for c in sys.argv[1] if unicodedata.category(c) in ("Cc", "Cf") and c != "\n"]' "$plain"
	done
}

@test "a target: the mount that contains it" {
	mkdir src/below
	idmount mount -m 0:1 src dst
	for target in dst dst/ dst/below /mnt/dst/file dst/./below/..; do
		same "$target" '["/mnt/dst"]' "$(idmount list --json "$target" | jq -c 'map(.target)')"
	done
	cd dst
	same 'the working directory' '["/mnt/dst"]' "$(idmount list --json . | jq -c 'map(.target)')"
}

@test "some bad targets: the others are listed" {
	local listed

	idmount mount -m 0:1 src dst
	listed=$(idmount list dst)
	run --separate-stderr idmount list src dst missing
	same 'exit status' 1 "$status"
	same 'standard output' "$listed" "$output"
	same 'messages' 'idmount: list: src: list: it is not on an ID-mapped mount
idmount: list: missing: list mounts: No such file or directory' "$stderr"
	run --separate-stderr idmount list --json src
	same 'exit status' 1 "$status"
	same 'JSON' '[]' "$(jq -c . <<<"$output")"
}

@test "a target that is empty is no target" {
	idmount mount -m 0:1 src dst
	cd dst
	fails 2 'idmount: list: TARGET is empty' idmount list ''
}

@test "the top mount where several are stacked" {
	idmount mount -m 0:1 src dst
	idmount mount -m 0:2 src dst
	same 'the top one' '[2]' "$(idmount list --json dst | jq -c 'map(.uidMap[0].seen)')"
	same 'all' '[1,2]' "$(mapped 'map(.uidMap[0].seen)')"
}

@test "a file" {
	touch target
	idmount mount -m 0:1 src/file target
	same 'the mount' '["/mnt/target","/src/file"]' "$(mapped '.[] | [.target, .root]')"
}

# other_namespace: starts a process in another mount namespace, with a mapped mount of its own at /mnt/other.
other_namespace()
{
	mkdir -p other
	background unshare --mount --propagation private bash -c '
		"$0" mount -m 0:77 src other && touch "ready.$$" && exec sleep infinity' "$IDMOUNT"
	other=${background[-1]}
	until [[ -e ready.$other ]]; do
		kill -0 "$other"
	done
}

# within PROCESS: prints a filter of jq that selects the mounts of its namespace. The host may have others at the
# same places.
within()
{
	echo "select(.namespaceInode == $(namespace "$1") and (.target | startswith(\"/mnt/\")))"
}

@test "--all-namespaces: mounts of other namespaces, which the list lacks otherwise" {
	other_namespace
	idmount mount -m 0:1 src dst
	same 'here' '["/mnt/dst"]' "$(mapped 'map(.target)')"
	run -0 --separate-stderr idmount list --all-namespaces --json
	same 'the other one' '[["/mnt/other",77]]' "$(jq -c "map($(within "$other") | [.target, .uidMap[0].seen])" <<<"$output")"
	same 'this one' '[["/mnt/dst",1]]' "$(jq -c "map($(within self) | [.target, .uidMap[0].seen])" <<<"$output")"
	same 'the own one comes first' "$(namespace)" "$(jq '.[0].namespaceInode' <<<"$output")"

	run -0 --separate-stderr idmount list --all-namespaces
	[[ ${lines[0]} == 'NAMESPACE '*' TARGET '* ]]
	printf '%s\n' "${lines[@]}" | grep -E "^$(namespace "$other")  +/mnt/other +work\[/src\] +tmpfs +0->77 +rw,nosuid,nodev,relatime,private$"
}

@test "--all-namespaces: a namespace without any process" {
	local filter

	other_namespace
	exec {file}<"/proc/$other/ns/mnt"
	filter="map($(within "$other")) | length"
	kill "$other"
	wait "$other" || true
	same 'the other one' 1 "$(idmount list --all-namespaces --json | jq "$filter")"
	exec {file}<&-
	same 'after its end' 0 "$(idmount list --all-namespaces --json | jq "$filter")"
}

@test "without any privilege, except for --all-namespaces" {
	local listed

	idmount mount -m 0:1 src dst
	listed=$(idmount list dst)
	prints "$listed" as 4321 "$IDMOUNT" list dst
	same 'all' "$(idmount list --json)" "$(as 4321 "$IDMOUNT" list --json)"
	refused 1 'idmount: list: find mount namespaces: listing all of them requires CAP_SYS_ADMIN in the initial user namespace
hint: run as root, outside of containers; or list only the caller'\''s mount namespace' as 4321 "$IDMOUNT" list --all-namespaces
}

# new_userns UID_MAP GID_MAP: makes a user namespace with these maps. The command "there" then runs in it.
new_userns()
{
	background unshare --user sleep infinity
	until [[ ! /proc/self/ns/user -ef /proc/${background[-1]}/ns/user ]]; do
		:
	done
	echo "$1" >"/proc/${background[-1]}/uid_map"
	echo "$2" >"/proc/${background[-1]}/gid_map"
	there=(nsenter --user --preserve-credentials --target "${background[-1]}" "$IDMOUNT" list)
}

@test "from another user namespace: the visible part of the map, in its own IDs" {
	new_userns '5 1000 5' '7 2000 1'
	idmount mount -m u:0:1000:5,u:9:9,g:0:2000 src dst
	same 'a part' '["partly visible",[{"disk":0,"seen":5,"count":5}],[{"disk":0,"seen":7,"count":1}]]' \
		"$("${there[@]}" --json dst | jq -c '.[] | [.mapState, .uidMap, .gidMap]')"
	idmount umount dst
	idmount mount -m 0:1 src dst
	same 'nothing' '["not visible from here",null,null]' \
		"$("${there[@]}" --json dst | jq -c '.[] | [.mapState, .uidMap, .gidMap]')"
	prints '
TARGET    SOURCE      FSTYPE  MAP                    FLAGS
/mnt/dst  work[/src]  tmpfs   not visible from here  rw,nosuid,nodev,relatime,private' \
		bash -c 'echo; "$@"' bash "${there[@]}" dst
	idmount umount dst

	new_userns '0 0 4294967295' '0 0 4294967295'
	idmount mount -m u:0:1000:5,u:9:9,g:0:2000 src dst
	same 'all' '["read",[{"disk":0,"seen":1000,"count":5},{"disk":9,"seen":9,"count":1}],[{"disk":0,"seen":2000,"count":1}]]' \
		"$("${there[@]}" --json dst | jq -c '.[] | [.mapState, .uidMap, .gidMap]')"
}

@test "a table notes that it shows only a part of a map" {
	new_userns '5 1000 5' '7 2000 1'
	idmount mount -m u:0:1000:5,u:9:9,g:0:2000 src dst
	run -0 "${there[@]}" dst
	echo "$output"
	[[ $output == *'uid 0-4->5-9; gid 0->7 (partly visible)'* && $output == *'partly visible'* ]]
}

@test "in colour on a terminal only" {
	idmount mount -m 0:1 src dst
	run -0 script -qec "$IDMOUNT list dst" /dev/null
	[[ $output == *$'\e[1m'*TARGET*$'\e[0m'* ]]
	run -0 env NO_COLOR=1 script -qec "$IDMOUNT list dst" /dev/null
	[[ $output == *TARGET* && $output != *$'\e'* ]]
	run -0 idmount list dst
	[[ $output == *TARGET* && $output != *$'\e'* ]]
}

# map_text MAP [OPTION...]: prints the column MAP of a mount with this map.
map_text()
{
	idmount mount "${@:2}" -m "$1" -o suid,dev src dst 2>/dev/null
	idmount list -no map dst
	idmount umount dst
}

@test "a map in a few words" {
	same 'one ID' '1000->2000' "$(map_text 1000:2000)"
	same 'ranges' '0-9->10-19, 20->30' "$(map_text 20:30,0:10:10)"
	same 'the rest' '1000->2000, rest kept' "$(map_text 1000:2000 --keep-rest)"
	same 'a swap' '1->2, 2->1, rest kept' "$(map_text 1:2,2:1 --keep-rest)"
	same 'the rest of one side' 'uid 1->2, rest kept; gid 0 kept' "$(map_text u:1:2,u:0:0,u:3:3:4294967292,g:0:0)"
	same 'not all of the rest' '0-9 kept, 1000->2000' "$(map_text 0:0:10,1000:2000)"
	same 'all' 'all kept' "$(map_text 0:0:4294967295)"
	same 'the last ID' '4294967294->0' "$(map_text 4294967294:0)"
	same 'UTF-8' '1000→2000, rest kept' "$(LC_ALL=C.UTF-8 map_text 1000:2000 --keep-rest)"
	same 'LANG' '1→2' "$(LC_ALL='' LC_CTYPE='' LANG=de_DE.utf8 map_text 1:2)"
	same 'the first variable decides' '1->2' "$(LC_ALL=C LANG=C.UTF-8 map_text 1:2)"
}

# on_terminal WIDTH COMMAND...: runs it on a terminal of this width, and prints its output.
on_terminal()
{
	script -qec "stty cols $1; NO_COLOR=1 $(printf '%q ' "${@:2}")" /dev/null | tr -d '\r'
}

@test "on a terminal, columns are cut to its width, and elsewhere not" {
	local whole width

	mkdir -p 'a longer target'
	idmount mount -m 1000:2000,3000:4000:10 --keep-rest -o nosuid,nodev src 'a longer target'
	whole=$(idmount list 'a longer target')
	same '80' 'TARGET                SOURCE  FSTYPE  MAP                                  FLAGS
/mnt/a longer target  wor...  tmpfs   1000->2000, 3000-3009->4000-4009...  rw...' \
		"$(on_terminal 80 "$IDMOUNT" list 'a longer target')"
	same 'the flags first' 'TARGET                SOURCE      FSTYPE  MAP                                          FLAGS
/mnt/a longer target  work[/src]  tmpfs   1000->2000, 3000-3009->4000-4009, rest kept  rw,nos...' \
		"$(on_terminal 96 "$IDMOUNT" list 'a longer target')"
	same '56' 'TARGET                SOURCE  FSTYPE  MAP          FLAGS
/mnt/a longer target  wor...  tmpfs   1000->20...  rw...' \
		"$(on_terminal 56 "$IDMOUNT" list 'a longer target')"
	same 'UTF-8' 'TARGET                SOURCE  FSTYPE  MAP          FLAGS
/mnt/a longer target  work[…  tmpfs   1000→2000,…  rw,n…' \
		"$(LC_ALL=C.UTF-8 on_terminal 56 "$IDMOUNT" list 'a longer target')"
	same 'a path is never cut' '/mnt/a longer target' "$(on_terminal 10 "$IDMOUNT" list -no target 'a longer target')"
	for width in 20 79 200; do
		same "$width" "$whole" "$(on_terminal $width "$IDMOUNT" list -u 'a longer target')"
		same 'raw' "$(idmount list -r 'a longer target')" "$(on_terminal $width "$IDMOUNT" list -r 'a longer target')"
	done
	same 'wide' "$whole" "$(on_terminal 200 "$IDMOUNT" list 'a longer target')"
	same 'no size' "$(on_terminal 80 "$IDMOUNT" list 'a longer target')" "$(on_terminal 0 env -u COLUMNS "$IDMOUNT" list 'a longer target')"
	same 'COLUMNS' "$(on_terminal 70 "$IDMOUNT" list 'a longer target')" "$(on_terminal 0 env COLUMNS=70 "$IDMOUNT" list 'a longer target')"
	same 'COLUMNS in a pipe' "$whole" "$(COLUMNS=70 idmount list 'a longer target')"
}

@test "-o: these columns, in this order" {
	idmount mount -m u:0:0,g:0:0:5 src dst
	prints 'MAP                       TARGET
uid 0 kept; gid 0-4 kept  /mnt/dst' idmount list -o map,Target dst
	prints 'GID-MAP   UID-MAP  STATE  ROOT
0-4 kept  0 kept   read   /src' idmount list --output=GID-MAP,uid-map,state,root dst
	prints "$(idmount list --json dst | jq -r '.[] | "\(.id) \(.parentId) \(.namespaceInode)"')" \
		idmount list -rno id,parent,namespace dst
	prints '/mnt/dst work[/src] tmpfs u:0:0:1,g:0:0:5 rw,relatime,private /src' idmount list -rn -o +root dst
	fails 2 'idmount: list: -o foo: unknown column; see "idmount help list"' idmount list -o target,foo,map
	fails 2 'idmount: list: -o : unknown column; see "idmount help list"' idmount list -o target,,map
	fails 2 'idmount: list: -o : unknown column; see "idmount help list"' idmount list -o ''
	fails 2 'idmount: list: -o targ: unknown column; see "idmount help list"' idmount list -o targ
	fails 2 'idmount: list: -o: expected at most 16 columns' idmount list -o "$(printf 'id,%.0s' {1..16})id"
}

@test "every column of the help is known, and in the manual" {
	local column known

	idmount mount -m 0:0 src dst
	known=$(idmount help list | sed -nE '/^  -o/,/^  -n/s/.*[^A-Z-]((TARGET|UID-MAP) .*)$/\1/p' | xargs)
	[[ $known == 'TARGET '*' NAMESPACE' ]]
	for column in $known; do
		same "$column" "$column" "$(idmount list -ro "$column" dst | head -1)"
		grep -qw -e "$column" "$ROOT/completion/idmount.bash"
		grep -q "^	_${column}_" "$ROOT/man/idmount.8.scd"
	done
}

@test "-r: one blank between columns, none in them, and maps for -m" {
	local name map=u:0:1000:5,u:7:8:1,g:1:2:1

	mkdir 'a b\'
	idmount mount -m "$map" src 'a b\'
	prints '/mnt/a\040b\134 work[/src] tmpfs '"$map"' rw,nosuid,nodev,relatime,private' idmount list -nr 'a b\'
	name=$(printf '%b' "$(idmount list -nro target 'a b\')")
	same 'the name' '/mnt/a b\' "$name"
	idmount mount -m "$(idmount list -nro map "$name")" src dst
	same 'the map' "$map" "$(idmount list -nro map dst)"
	same 'one side' u:0:1000:5,u:7:8:1 "$(idmount list -nro uid-map dst)"
	new_userns '0 5000000 1' '0 5000000 1'
	same 'no map' '- not\040visible\040from\040here' "$("${there[@]}" -nro map,state dst)"
}

@test "--tree: mounts below those that hold them" {
	mkdir -p a/b/c a/z
	idmount mount -m 0:1 -o ro src dst
	mount --bind a a # a mount without a map holds nothing here
	idmount mount -m 0:2 src a/z
	mkdir src/x src/y src/x/deep
	idmount mount -m 0:3 src/x a/z/x
	idmount mount -m 0:4 src/x/deep a/z/x/deep
	idmount mount -m 0:5 src/y a/z/y
	same 'ASCII' '/mnt/dst 1
/mnt/a/z 2
|-/mnt/a/z/x 3
| `-/mnt/a/z/x/deep 4
`-/mnt/a/z/y 5' "$(idmount list --tree -no target,map | sed -nE 's,^([^ ]*/mnt[^ ]*|[|`][^/]*/mnt[^ ]*) +0->,\1 ,p')"
	same 'UTF-8' '/mnt/a/z
├─/mnt/a/z/x
│ └─/mnt/a/z/x/deep
└─/mnt/a/z/y' "$(LC_ALL=C.UTF-8 idmount list --tree -no target | grep a/z)"
	same 'without the column' '2 3 4 5' "$(idmount list --tree -no map a/z a/z/x a/z/x/deep a/z/y | sed 's/0->//' | xargs)"
	# The last is listed again, below the first.
	same 'a mount twice' '/mnt/a/z
|-/mnt/a/z/y
`-/mnt/a/z/y' "$(idmount list --tree -no target a/z/y a/z a/z/y)"
	fails 2 'idmount: list: --tree and -r exclude each other' idmount list --tree -r
}

@test "a wrong command line" {
	fails 2 'idmount: list: --all-namespaces: a TARGET is looked up in this mount namespace only' \
		idmount list --all-namespaces dst
	fails 2 'idmount: list: --foo: unknown option; see "idmount help list"' idmount list --foo
	fails 2 'idmount: list: --json: the option accepts no value' idmount list --json=yes
	local option

	for option in -oid -n -r --tree; do
		fails 2 'idmount: list: --json excludes -o, -n, -r and --tree' idmount list --json "$option"
	done
}

@test "leaves everything as it was" {
	local before

	idmount mount -m 0:1 src dst
	before=$(state)
	idmount list
	idmount list --all-namespaces --json
	idmount list dst
	same 'what is there' "$before" "$(state)"
}

# ---- names that shells could misread ----

# mount_names NAME...: mounts at /mnt/t/NAME.
mount_names()
{
	local name

	for name in "$@"; do
		mkdir -p "t/$name"
		noting idmount mount -m 1000:2000 src "t/$name"
	done
}

# shellcheck disable=SC2016 # these are names
names=('USB 2' 'back\slash' '$(touch pwned)' '`id`' '\0401' "q'q" '"' '&')

@test "a source that is - is not an empty one, in the raw form" {
	mkdir empty dash
	mount -t tmpfs '' empty
	mount -t tmpfs - dash
	noting idmount mount -m 1000:2000 empty dst
	same 'no source' '- - /' "$(idmount list -rno source,source,root /mnt/dst)"
	umount dst
	noting idmount mount -m 1000:2000 dash dst
	same 'a source' '\055 /' "$(idmount list -rno source,root /mnt/dst)"
}

@test "bash completes mount points of any name" {
	mount_names "${names[@]}" $'line\n/mnt' $'tab\t7' $'esc\e7'
	compopt()
	{
		:
	}
	# shellcheck source=/dev/null
	source "$ROOT/completion/idmount.bash"
	COMP_WORDS=(idmount umount /mnt/t/)
	COMP_CWORD=2
	COMP_LINE="idmount umount /mnt/t/"
	COMP_POINT=${#COMP_LINE}
	_idmount
	same 'names' "$(printf '/mnt/t/%q\n' "${names[@]}" $'line\n/mnt' $'tab\t7' $'esc\e7')" \
		"$(printf '/mnt/t/%q\n' "${COMPREPLY[@]#/mnt/t/}")"
	[[ ! -e pwned ]]
}

@test "fish and zsh complete mount points of any name" {
	local offered

	type -P fish zsh || skip 'there is no fish, or no zsh'
	mkdir bin
	ln -s "$IDMOUNT" bin/idmount
	mount_names "${names[@]}"
	offered=$(printf '/mnt/t/%s\n' "${names[@]}" | sort)
	same 'zsh' "$offered" "$(PATH=/mnt/bin:$PATH zsh -fc '
		compadd() { shift; print -rl -- "$@" }
		_arguments() {}
		source $1
		_idmount_targets' zsh "$ROOT/completion/_idmount" | sort)"
	# A line break would make two candidates of a name.
	mount_names $'line\n/mnt' $'tab\t7'
	same 'fish' "$offered" "$(PATH=/mnt/bin:$PATH HOME=$BATS_TEST_TMPDIR fish --no-config -c '
		source $argv[1]
		complete -C "idmount umount /mnt/t/"' "$ROOT/completion/idmount.fish" | sort)"
	[[ ! -e pwned ]]
}
