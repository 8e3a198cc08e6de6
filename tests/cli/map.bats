#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# The drawings, output and errors of "idmount map". It requires no privilege.
load common

text()
{
	idmount map --format text "$@"
}

# on_terminal COMMAND...: runs it with a terminal as its output.
on_terminal()
{
	script -qec "$(printf '%q ' "$@")" /dev/null </dev/null | tr -d '\r'
}

bold=$'\e[1m'
plain=$'\e[0m'

# No line has blanks at its end.
no_trailing_blanks()
{
	same 'trailing blanks' '' "$(grep ' $' <<<"$output")"
}

@test "draws both sides, in order, with the IDs that are left out" {
	prints "\
        uid disk    seen                 gid disk    seen
         0-65535 -> 100000-165535             0-4    left out
65536-4294967294    left out                    5 -> 6
                                     6-4294967294    left out" \
		idmount map -m u:0:100000:65536,g:5:6
	no_trailing_blanks
}

@test "draws a map that keeps the rest, and the ID that cannot keep its number" {
	prints "\
       uid disk    seen                      gid disk    seen
          0-999 -> 0-999                        0-999 -> 0-999
           1000 -> 2000                          1000 -> 2000
      1001-1999 -> 1001-1999                1001-1999 -> 1001-1999
           2000    left out                      2000    left out
2001-4294967294 -> 2001-4294967294    2001-4294967294 -> 2001-4294967294" \
		idmount map -m 1000:2000 --keep-rest
	no_trailing_blanks
}

@test "draws a side that is empty, and one that is full" {
	prints "\
    uid disk    seen                gid disk    seen
0-4294967294 -> 0-4294967294    0-4294967294    left out" \
		idmount map -m u:0:0:4294967295
}

@test "draws IDs in numbers that are shorter than the heading" {
	prints "\
    uid disk    seen            gid disk    seen
           0    left out               0    left out
           1 -> 2                      1 -> 2
2-4294967294    left out    2-4294967294    left out" \
		idmount map -m 1:2
}

@test "prints every format" {
	local map=u:0:100000:65536,g:5:6

	prints 'u:0:100000:65536,g:5:6:1' idmount map -m "$map" --format text
	prints $'uid_map\n0 100000 65536\ngid_map\n5 6 1' idmount map -m "$map" --format kernel
	prints $'uidmap=0:100000:65536\ngidmap=5:6:1' idmount map -m "$map" --format containerd
	prints 'u:0:100000:65536 g:5:6:1' idmount map -m "$map" --format util-linux
	prints 'uids=0-100000-65536;gids=5-6-1' idmount map -m "$map" --format crun
	prints '{"uidMappings":[{"containerID":0,"hostID":100000,"size":65536}],"gidMappings":[{"containerID":5,"hostID":6,"size":1}]}' \
		idmount map -m "$map" --format oci
}

@test "prints equal sides once, if the format allows it" {
	prints '0:1:2,5:6:7' idmount map -m 5:6:7,0:1:2 --format text
	prints 'b:0:1:2 b:5:6:7' idmount map -m 5:6:7,0:1:2 --format util-linux
}

@test "the OCI rows describe the map" {
	run -0 idmount map -m u:0:100000:65536,u:70000:5,g:5:6 --format oci
	same 'rows' '[[0,100000,65536],[70000,5,1]] [[5,6,1]]' "$(jq -jc '
		def rows: map([.containerID, .hostID, .size]);
		(.uidMappings | rows), " ", (.gidMappings | rows)' <<<"$output")"
}

@test "-m reads the output of every format" {
	local map format longest

	# The largest number of entries, none of which merges with its neighbour.
	longest=$(for ((i = 0; i < 170; i++)); do printf 'u:%d:%d,g:%d:%d,' $((i * 2)) $((i * 3)) $((i * 5)) $((i * 7)); done)
	for map in 0:1 0:0:4294967295 u:1:2 g:1:2 u:1:2,g:3:4 4294967294:0 1:2:3,9:0,u:100:200:30 "${longest%,}"; do
		for format in text containerd util-linux crun; do
			prints "$(text -m "$map")" text -m "$(idmount map -m "$map" --format "$format")"
		done
	done
}

@test "the kernel reads the output of the kernel's format" {
	need_root
	local map printed process

	for map in 0:100000:65536 u:1:2,u:5:6:7,g:3:4; do
		printed=$(idmount map -m "$map" --format kernel)
		# Runs a process in a new user namespace until its standard input is closed.
		coproc unshare --user cat 3>&-
		process=$COPROC_PID
		until [[ ! /proc/self/ns/user -ef /proc/$process/ns/user ]]; do
			:
		done
		sed -n '/uid_map/,/gid_map/{//!p}' <<<"$printed" >"/proc/$process/uid_map"
		sed '1,/gid_map/d' <<<"$printed" >"/proc/$process/gid_map"
		same 'the maps' "$printed" "$(for side in uid_map gid_map; do
			echo $side
			tr -s ' ' <"/proc/$process/$side" | sed 's/^ //'
		done)"
		exec {COPROC[1]}>&-
		wait "$process"
	done
}

@test "accepts every dialect" {
	local same='u:0:100000:10,u:10:5:1,g:0:200000:10' map

	for map in \
		'u:0:100000:10,u:10:5,g:0:200000:10' \
		'u:0:100000:10 u:10:5:1 g:0:200000:10' \
		'u:0:100000:10+u:10:5+g:0:200000:10' \
		' g:0:200000:10 , uid:10:5,  u:0:100000:10 ' \
		'gid:0:200000:10,uid:0:100000:4,uid:4:100004:6,u:10:5' \
		'uidmap=0:100000:10,10:5:1 gidmap=0:200000:10' \
		'gidmap=0:200000:10;uidmap=10:5:1,0:100000:10' \
		'uidmap=0:100000:10,10:5:1,gidmap=0:200000:10' \
		'uids=0-100000-10#10-5-1;gids=0-200000-10' \
		'idmap=uids=0-100000-10#10-5-1;gids=0-200000-10' \
		$'u:0:100000:10\nu:10:5\tg:0:200000:10\n'; do
		prints "$same" text -m "$map"
	done
	prints '0:1:1,2:3:1' text -m b:0:1,both:2:3
	prints '0:1:2' text -m 1:2,0:1
	prints "$same" text -m u:0:100000:10 -m 'uids=10-5-1' -m g:0:200000:10
	prints "$same" text --map=u:0:100000:10,u:10:5 --map g:0:200000:10
	prints "$same" text -mu:0:100000:10,u:10:5,g:0:200000:10
}

@test "accepts names" {
	prints '0:1:1' text -m u:root:daemon,g:root:daemon
	prints '0:1:1' text -m root:daemon
	prints 'u:0:5:1' text -m u:root:5
	prints 'g:7:0:1' text -m g:7:root:1
}

@test "reads the map of a process" {
	prints '0:0:4294967295' text --userns $$
}

@test "keeps the rest" {
	prints '0:0:4294967295' text -m 0:0 --keep-rest
	prints 'u:0:0:4294967295,g:0:0:5,g:5:6:1,g:7:7:4294967288' text -m g:5:6 --keep-rest
	prints '0:4294967294:1,1:1:4294967293' text -m 0:4294967294 --keep-rest
	prints '0:1:1,1:0:1,2:2:4294967293' text -m 0:1,1:0 --keep-rest
}

@test "inverts, and twice changes nothing" {
	prints 'u:100000:0:65536,g:6:5:1' text -m u:0:100000:65536,g:5:6 --invert
	prints 'u:0:100000:65536,g:5:6:1' text -m "$(text -m u:0:100000:65536,g:5:6 --invert)" --invert
}

@test "composes" {
	prints '0:200000:10' text -m 0:100000:10 --compose 100000:200000:10
	prints '0:7:1,9:8:1' text -m 0:100000:10 --compose 100000:7,100009:8
	prints '5:50:5' text -m 0:0:10 --compose 5:50:100
	prints '' text -m 0:1 --compose 2:3
	prints '0:8:1,1:7:1' text -m 0:1,1:2 --compose 1:8 --compose 2:7
	# A map composed with its inverse keeps the IDs of the map.
	prints '5:5:3' text -m 5:100:3 --compose "$(text -m 5:100:3 --invert)"
}

@test "works in the order that the manual states" {
	# --keep-rest comes before --invert and --compose, in whatever order they are written.
	prints '0:1:1,2:2:4294967293' text --compose 0:0:4294967295 --invert --keep-rest -m 1:0
	prints '2000:1:1' text --compose 1000:1 -m 1000:2000 --invert
}

@test "translates IDs" {
	prints $'uid 33 -> 100033\ngid 33    left out' idmount map -m u:0:100000:65536,g:5:6 --translate 33
	prints 'gid 5 -> 6' idmount map -m u:0:100000:65536,g:5:6 --translate g:5
	prints $'uid 0 -> 100000\ngid 7    left out\nuid 65536    left out' \
		idmount map -m 0:100000:7 -m u:7:100007:65529 --translate u:0 --translate g:7 --translate u:65536
	prints 'uid 100033 -> 33' idmount map -m 0:100000:65536 --invert --translate u:100033
	prints 'uid 4294967294 -> 4294967294' idmount map -m 0:0:4294967295 --translate u:4294967294
}

@test "translates 64 IDs at once, and no more" {
	local arguments=() i

	for ((i = 0; i < 64; i++)); do
		arguments+=(--translate "u:$i")
	done
	run -0 idmount map -m 0:100:64 "${arguments[@]}"
	same 'answers' 64 "${#lines[@]}"
	same 'the last one' 'uid 63 -> 163' "${lines[63]}"
	fails 2 'idmount: map: --translate: expected at most 64 IDs' idmount map -m 0:100:64 "${arguments[@]}" --translate 5
}

@test "is in colour on a terminal only, and not with NO_COLOR" {
	local heading='    uid disk    seen            gid disk    seen'

	run -0 on_terminal "$IDMOUNT" map -m 1:2
	same 'on a terminal' "$bold$heading$plain" "${lines[0]}"
	[[ ${lines[1]} != *$'\e'* ]]
	run -0 on_terminal env NO_COLOR=1 "$IDMOUNT" map -m 1:2
	same 'with NO_COLOR' "$heading" "${lines[0]}"
	run -0 on_terminal env NO_COLOR= "$IDMOUNT" map -m 1:2
	same 'with NO_COLOR empty' "$bold$heading$plain" "${lines[0]}"
	run -0 idmount map -m 1:2
	same 'in a pipe' "$heading" "${lines[0]}"
}

@test "names the fault of a map" {
	local step='idmount: map:'
	local colons='hint: colons separate the numbers of an entry (0:100000:65536); blanks, commas and + separate entries'

	# A message quotes the entry, and names the step and the fault.
	fails 2 "$step parse map: the map is empty" text -m ''
	fails 2 "$step parse map: the map is empty" text -m ' '
	# Blanks separate entries, also in a line of /proc/PID/uid_map.
	fails 2 "$step 0: parse map: expected [u:|g:|b:]DISK:SEEN[:COUNT]
$colons" text -m '0 100000 65536'
	fails 2 "$step u:0: parse map: expected [u:|g:|b:]DISK:SEEN[:COUNT]
$colons" text -m u:0
	fails 2 "$step 1:2:3:4: parse map: expected [u:|g:|b:]DISK:SEEN[:COUNT]" text -m 0:1,1:2:3:4
	fails 2 "$step 0:1x: parse map: expected a number, got \"1x\"" text -m 0:1x
	fails 2 "$step 0x1:1: parse map: expected a number, got \"0x1\"" text -m 5:6,0x1:1
	fails 2 "$step -1:1: parse map: expected a number, got \"-1\"" text -m -1:1
	fails 2 "$step 0:1:x: parse map: expected a number, got \"x\"" text -m 0:1:x
	fails 2 "$step 0:: parse map: expected a number, got none" text -m 0:
	fails 2 "$step :5: parse map: expected a number, got none" text -m :5
	fails 2 "$step 0:4294967296: parse map: \"4294967296\" does not fit in 32 bits" text -m 0:4294967296
	fails 2 "$step 0:99999999999999999999: parse map: \"99999999999999999999\" does not fit in 32 bits" \
		text -m 0:99999999999999999999
	fails 2 "$step 0:1;2:3: parse map: expected a number, got \"1;2\"" text -m '0:1;2:3'
	# A line of /etc/subuid.
	fails 2 "$step root:0:2: parse map: expected a count of 1 for a name
hint: auto:root stands for the ranges in /etc/subuid and /etc/subgid" text -m root:0:2
	fails 2 "$step 0:root:2: parse map: expected a count of 1 for a name" text -m 0:root:2
	fails 1 "$step no-such-user:0: parse map: unknown user \"no-such-user\"" text -m 1:2,no-such-user:0
	fails 1 "$step g:0:no-such-group: parse map: unknown group \"no-such-group\"" text -m g:0:no-such-group
	fails 2 "$step 0:1: parse map: expected DISK:SEEN:COUNT" text -m uidmap=0:1
	fails 2 "$step 0-1: parse map: expected DISK-SEEN-COUNT" text -m 'uids=0-1'
	fails 2 "$step @0-1-1: parse map: \"@\" is relative to a container's user namespace, and no container exists here" \
		text -m 'uids=@0-1-1'
	fails 2 "$step what=0-1-1: parse map: expected uids= or gids= as start of a section" text -m 'uids=0-1-1;what=0-1-1'
}

@test "names the entries that exclude each other" {
	local step='idmount: map:'

	fails 2 "$step u:0:2:1: add to map: overlaps u:0:1:1: both have the disk ID 0" text -m 0:1,0:2
	fails 2 "$step g:7:10:2: add to map: overlaps g:5:8:3: both have the disk ID 7" text -m g:5:8:3,g:7:10:2
	fails 2 "$step u:1:1:1: add to map: overlaps u:0:1:1: both have the seen ID 1" text -m 0:1,1:1
	fails 2 "$step u:0:2:1: add to map: overlaps u:0:1:1: both have the disk ID 0" text -m 0:1 -m 0:2
	fails 2 "$step u:0:1:0: add to map: expected a count of 1 or more, got 0" text -m 0:1:0
	fails 2 "$step u:4294967295:1:1: add to map: the disk IDs exceed 4294967294, the last ID" text -m 4294967295:1
	fails 2 "$step u:0:4294967290:10: add to map: the seen IDs exceed 4294967294, the last ID" text -m 0:4294967290:10
	fails 2 "$step u:4294967290:0:10: add to map: the disk IDs exceed 4294967294, the last ID" text -m 4294967290:0:10
}

@test "names the map in which an entry is missing" {
	local map

	for map in '0:1,' '0:1,,2:3' ',0:1' '+0:1' '0:1 , ' '0:1, ,2:3'; do
		run -2 --separate-stderr text -m "$map"
		echo "$stderr"
		[[ $stderr == *": expected an entry"* && $stderr == *0:1* ]]
		same 'lines' 1 "${#stderr_lines[@]}"
	done
}

@test "names the file that is no user namespace" {
	local path

	for path in /etc/passwd /proc/self/ns/mnt; do
		for option in -m --userns; do
			run -1 --separate-stderr text "$option" "$path"
			same 'message' "idmount: map: $path: read user namespace: the file is not a user namespace" "$stderr"
		done
	done
	fails 1 'idmount: map: /no/such/file: open user namespace: No such file or directory' text -m /no/such/file
	fails 1 'idmount: map: /no/such/file: open user namespace: No such file or directory' text --userns /no/such/file
	fails 1 'idmount: map: pid 4194305: read user namespace: no such process' text --userns 4194305
	fails 2 'idmount: map: --userns: expected a process number, got 0' text --userns 0
	fails 2 'idmount: map: --userns: expected a process number, got 99999999999999999999' text --userns 99999999999999999999
	fails 2 'idmount: map: --userns: expected a path or a process number' text --userns ''
}

@test "a message is one line, whatever the map holds" {
	fails 2 'idmount: map: 0:1\033[31mx: parse map: expected a number, got "1\033[31mx"' text -m $'0:1\e[31mx'
	run -2 --separate-stderr text -m "0:$(printf '1%.0s' {1..5000})"
	same 'lines' 1 "${#stderr_lines[@]}"
	((${#stderr} < 1400))
}

@test "names the fault of the command line" {
	fails 2 'idmount: map: a map is missing; use -m or --userns' idmount map
	fails 2 'idmount: map: a map is missing; use -m or --userns' idmount map --keep-rest
	fails 2 'idmount: map: 0:1: expected no operand; -m names the map' idmount map 0:1
	fails 2 'idmount: map: -m: the option requires a value' idmount map -m
	fails 2 'idmount: map: --map: the option requires a value' idmount map --map
	fails 2 'idmount: map: --invert: the option accepts no value' idmount map --invert=1
	fails 2 'idmount: map: --unknown: unknown option; see "idmount help map"' idmount map --unknown=5
	fails 2 'idmount: map: -x: unknown option; see "idmount help map"' idmount map -x
	fails 2 'idmount: map: --format foo: expected text, kernel, containerd, util-linux, crun or oci' \
		idmount map -m 0:1 --format foo
	local id

	for id in 4294967295 b:1 u: x '' -1 ' 1' 1x u:u:1 99999999999999999999; do
		fails 2 "idmount: map: --translate $id: expected [u:|g:] and an ID up to 4294967294" \
			idmount map -m 0:1 --translate "$id"
	done
	fails 2 'idmount: a command is missing; see "idmount --help"' idmount
	fails 2 'idmount: unmount: unknown command; did you mean "umount"?' idmount unmount -a
	fails 2 'idmount: mout: unknown command; did you mean "mount"?' idmount help mout
	fails 2 'idmount: aplpy: unknown command; did you mean "apply"?' idmount aplpy
	fails 2 'idmount: ls: unknown command; see "idmount --help"' idmount ls
	fails 2 'idmount: map: --tarnslate: unknown option; did you mean --translate?' idmount map --tarnslate=1
	fails 2 'idmount: map: --keep-rset: unknown option; did you mean --keep-rest?' idmount map -m 0:1 --keep-rset
	fails 2 'idmount: map: --hlep: unknown option; did you mean --help?' idmount map --hlep
	fails 2 'idmount: map: -M: unknown option; see "idmount help map"' idmount map -M
	fails 2 "idmount: $(printf 'm%.0s' {1..3000}): unknown command; see \"idmount --help\"" idmount "$(printf 'm%.0s' {1..3000})"
	prints "$(idmount --version)" idmount -V
	fails 2 'idmount: foo: unknown command; see "idmount --help"' idmount foo
	fails 2 'idmount: foo: unknown command; see "idmount --help"' idmount help foo
	fails 2 'idmount: --foo: unknown option; see "idmount --help"' idmount --foo
	fails 2 'idmount: -v: unknown option; see "idmount --help"' idmount -v
	fails 2 'idmount: --verson: unknown option; did you mean "--version"?' idmount --verson
	fails 2 'idmount: version: unknown command; did you mean "--version"?' idmount version
	fails 2 'idmount: -help: unknown option; did you mean "--help"?' idmount -help
	# An engine whose configuration names idmount instead of idmount-oci-runtime.
	fails 2 'idmount: --log-format=json: unknown option; as the OCI runtime of an engine, the program is idmount-oci-runtime' \
		idmount --log-format=json --log /none create box
	fails 2 'idmount: --root: unknown option; as the OCI runtime of an engine, the program is idmount-oci-runtime' idmount --root /none state box
}

@test "a mistyped word in a value is answered by the nearest one" {
	fails 2 'idmount: mount: -o nosiud: unknown option; did you mean nosuid?' idmount mount -m 0:1 -o ro,nosiud src dst
	fails 2 'idmount: mount: -o RO: unknown option; did you mean ro?' idmount mount -m 0:1 -o RO src dst
	fails 2 'idmount: mount: -o privte: unknown option; did you mean private?' idmount mount -m 0:1 -o privte src dst
	fails 2 'idmount: mount: -o xyz: unknown option; see "idmount help mount"' idmount mount -m 0:1 -o xyz src dst
	fails 1 'mount.idmap: mpa=0:1: unknown option; did you mean map?' "$MOUNT_IDMAP" src dst -o mpa=0:1
	fails 1 'mount.idmap: no-fail: unknown option; did you mean nofail?' "$MOUNT_IDMAP" src dst -o map=0:1,no-fail
	fails 2 'idmount: list: -o tagret: unknown column; did you mean TARGET?' idmount list -o tagret
	fails 2 'idmount: map: --format kernle: expected text, kernel, containerd, util-linux, crun or oci; did you mean kernel?' \
		idmount map --format kernle -m 0:1
	fails 2 'idmount: apply: --format OCI: expected containerd or oci; did you mean oci?' idmount apply --format OCI a b
	fails 2 'idmount: overlay: --upper-ids dsik: expected shifted or disk; did you mean disk?' idmount overlay --upper-ids dsik a
	fails 2 'idmount: oci-hook: --log-format jsno: expected text or json; did you mean json?' idmount oci-hook --log-format jsno
	fails 125 'idmount: run: --cap-drop CAP_SYS_AMDIN: unknown capability; did you mean SYS_ADMIN?' \
		idmount run --rootfs / --cap-drop CAP_SYS_AMDIN -- true
	fails 125 'idmount: run: --bind /a: recusrive: unknown option; did you mean recursive?' \
		idmount run --rootfs / --bind /a:/b:recusrive -- true
}

@test "each option whose value is one of some words accepts no other one" {
	local command option n=0

	for command in mount overlay apply bundle map oci-hook explain check list umount undo run; do
		while read -r option; do
			run -"$([[ $command == run ]] && echo 125 || echo 2)" --separate-stderr idmount "$command" "$option" no-such-word
			[[ $stderr == "idmount: $command: $option no-such-word: expected "* ]]
			n=$((n + 1))
		done < <(idmount help "$command" | grep -oE -- '--[a-z-]+ [a-z-]+\|[a-z|-]+' | cut -d' ' -f1)
	done
	((n >= 6))
}

@test "quoted text cannot forge a line of a message" {
	fails 2 'idmount: a\012idmount: b: unknown command; see "idmount --help"' idmount $'a\nidmount: b'
	fails 2 'idmount: map: \033[31mred: expected no operand; -m names the map' \
		idmount map $'\e[31mred'
	fails 1 'mount.idmap: wh\015t: unknown option; see mount.idmap(8)' \
		"$MOUNT_IDMAP" /a /b -o $'wh\rt'
}

@test "reports that its output cannot be written" {
	run -1 --separate-stderr bash -c '"$0" map -m 0:1 >/dev/full' "$IDMOUNT"
	same 'message' 'idmount: map: standard output: write: No space left on device' "$stderr"
	run -1 --separate-stderr bash -c '"$0" --help >/dev/full' "$IDMOUNT"
	same 'message' 'idmount: standard output: write: No space left on device' "$stderr"
}

@test "prints help" {
	local command

	run -0 --separate-stderr idmount --help
	[[ ${lines[0]} == 'usage: idmount COMMAND [OPTION]... [OPERAND]...' && -z $stderr ]]
	prints "$output" idmount help
	prints "$output" idmount -h
	for command in mount umount list check map; do
		run -0 --separate-stderr idmount help "$command"
		[[ ${lines[0]} == "usage: idmount $command "* && -z $stderr ]]
		no_trailing_blanks
		prints "$output" idmount "$command" --help
		prints "$output" idmount "$command" -h
		while IFS= read -r line; do
			((${#line} <= 100))
		done <<<"$output"
	done
}

@test "refuses all IDs as one" {
	local command

	fails 2 'idmount: map: *:1000: parse map: expected a number, got "*": no two IDs can be seen as one, nor one ID as two' \
		idmount map -m '*:1000'
	for command in mount overlay; do
		run -2 --separate-stderr idmount "$command" -m '*:1000' /none /nowhere
		[[ $stderr == "idmount: $command: *:1000: parse map: "*'no two IDs can be seen as one'* ]]
	done
}
