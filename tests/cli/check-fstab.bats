# SPDX-License-Identifier: MIT
# "idmount check --fstab": faults in fstab and in units of systemd.
load common
private_mounts

setup()
{
	set_up_mounts
	mkdir /mnt/disk
	# Whether systemd runs decides about nofail.
	mount -t tmpfs run /run
}

teardown()
{
	tear_down_mounts
}

# checks STATUS EXPECTED FILE...: has these faults alone, changes nothing, and says at the end what it has read.
checks()
{
	local expected_status=$1 expected=$2 before

	shift 2
	before=$(state)
	run --separate-stderr idmount check --fstab "$@"
	same 'standard error' "$expected" "$stderr"
	same 'exit status' "$expected_status" "$status"
	[[ $output =~ ^[0-9]+' line'(s)?' checked'$ ]]
	same 'what is there' "$before" "$(state)"
}

# faults EXPECTED [NAME]: standard input, as the file fstab or NAME, has these faults alone. Each begins with the
# number of the line.
faults()
{
	local name=${2:-fstab} expected=

	cat >"$name"
	[[ ! $1 ]] || expected=$(sed -E "s/^([0-9]+: )/$name:\\1/" <<<"$1")
	checks "$([[ $expected ]] && echo 1 || echo 0)" "$expected" "$name"
}

@test "lines without a fault" {
	faults '' <<-'END'
		# a comment, and an empty line

		UUID=1234  /          ext4   defaults                                 0 1
		/mnt/src   /mnt/dst   idmap  map=1000:2000,keep-rest,nofail           0 0
		/mnt/src   /mnt/a\040b  idmap  defaults,mkdir,map="u:1000:2000,g:0:0",x-systemd.automount,allow-suid  0 0
		/mnt/src   /mnt/c     none   bind                                     0 0
		/dev/cdrom /mnt/cd    iso9660  noauto,map=off                         0 0
		none       none       swap   sw
		/mnt/dst/inside /mnt/d  idmap  X-mount.mkdir,map=u:root:daemon+g:0:0  0 0
		/mnt/src   /mnt/dst   idmap  map=0:1
		/mnt/src   /mnt/dst   idmap  map=0:1  0
	END
	same 'lines' '9 lines checked' "$output"
	faults '' < <(printf '/mnt/src /mnt/dst idmap map=0:1')
	same 'lines' '1 line checked' "$output"
	faults '' </dev/null
	same 'lines' '0 lines checked' "$output"
}

@test "a NUL byte hides no line" {
	local mapped='/mnt/src /mnt/dst auto bind,map=0:1' message='map: mount(8) makes a plain bind mount, in which nothing is mapped; write the type idmap, without bind'

	printf '# \0\n%s\n%s\0\n\0' "$mapped" "$mapped" | faults "1: a NUL byte
3: a NUL byte
4: a NUL byte
2: $message"
	printf '\0' | faults '1: a NUL byte'
	printf '[Mount]\nWhat=/mnt/src\n\0\nWhere=/mnt/dst\nType=auto\nOptions=bind,map=0:1' |
		faults "3: a NUL byte
6: $message" mnt-dst.mount
}

@test "a bind mount with a map" {
	faults '1: map: mount(8) makes a plain bind mount, in which nothing is mapped; write the type idmap, without bind
2: map: mount(8) makes a plain bind mount, in which nothing is mapped; write the type idmap, without bind
3: keep-rest: mount(8) makes a plain bind mount, in which nothing is mapped; write the type idmap, without bind
4: bind: mount(8) makes a plain mount, in which nothing is mapped; leave it out
5: rbind: mount(8) makes a plain mount, in which nothing is mapped; leave it out' <<-'END'
		/mnt/src /mnt/dst none  bind,map=1000:2000    0 0
		/mnt/src /mnt/dst auto  map="1:2,3:4",rbind   0 0
		/mnt/src /mnt/dst bind  keep-rest             0 0
		/mnt/src /mnt/dst idmap bind,map=1000:2000    0 0
		/mnt/src /mnt/dst idmap map=1000:2000,rbind   0 0
	END
	# The kernel maps nothing with the next ones.
	mount -T fstab /mnt/dst
	same 'options' 0 "$(grep -c idmapped /proc/self/mountinfo)"
	umount dst
}

@test "wrong words, unknown names, and maps that the kernel refuses" {
	faults '2: foo: unknown option; see mount.idmap(8)
3: ro: expected no value, got "1"
4: no-such-user:0: parse map: unknown user "no-such-user"
5: a map is missing; use -o map=MAP
6: -o map="1:2: a quote is not closed
7: check map: the map has no gid entries; the kernel requires both sides
hint: add one such as g:0:100000:65536, or -o keep-rest to let every gid keep its number
8: remap and on-top exclude each other
9: suid: mount(8) does not pass it on; write allow-suid
10: g:1:2: unknown option; see mount.idmap(8)' <<-'END'
		# The numbers are those of lines.
		/mnt/src /mnt/dst idmap map=1:2,foo          0 0
		/mnt/src /mnt/dst idmap map=1:2,ro=1         0 0
		/mnt/src /mnt/dst idmap map=no-such-user:0   0 0
		/mnt/src /mnt/dst idmap defaults             0 0
		/mnt/src /mnt/dst idmap map="1:2             0 0
		/mnt/src /mnt/dst idmap map=u:1:2            0 0
		/mnt/src /mnt/dst idmap map=1:2,remap,on-top 0 0
		/mnt/src /mnt/dst idmap map=1:2,suid         0 0
		/mnt/src /mnt/dst idmap map=u:1:2,g:1:2      0 0
	END
}

@test "targets that are missing, of another type, or covered later" {
	touch file a
	faults '1: /mnt/no: the target does not exist; create it, or add mkdir
2: /mnt/file: expected a directory as target, as the source /mnt/src is
3: /mnt/dst: expected a file as target, as the source /mnt/file is
4: dst: expected an absolute path as target
5: /mnt/disk/inside: the target is on /mnt/disk, which line 6 mounts later, over it; move that line up' <<-'END'
		/mnt/src  /mnt/no          idmap map=1:2      0 0
		/mnt/src  /mnt/file        idmap map=1:2      0 0
		/mnt/file /mnt/dst         idmap map=1:2      0 0
		/mnt/src  dst              idmap map=1:2      0 0
		/mnt/src  /mnt/disk/inside idmap map=1:2,mkdir 0 0
		/dev/sdb1 /mnt/disk        ext4  defaults     0 0
		/mnt/src  /mnt/disk/inside idmap map=1:2      0 0
		/mnt/file /mnt/a           idmap map=1:2      0 0
		/mnt/src  /mnt/no          idmap map=1:2,mkdir 0 0
	END
}

@test "fields and types that are not what they seem" {
	faults '1: field 5: expected a number, got nofail; options contain no blanks
2: field 6: expected a number, got x; options contain no blanks
3: expected at most 6 fields, got 8
4: field 5: expected a number, got #; options contain no blanks
5: idmapped: unknown type; did you mean idmap?
6: IDMAP: unknown type; did you mean idmap?
7: imdap: unknown type; did you mean idmap?
8: expected a type as field 3, got /mnt/dst; write a blank in a path as \040
9: expected a type as field 3, got /mnt/my; write a blank in a path as \040' <<-'END'
		/mnt/src /mnt/dst idmap    map=1:2, nofail 0 0
		/mnt/src /mnt/dst idmap    map=1:2         0 x
		/mnt/src /mnt/dst idmap    map=1:2         0 0 0 0
		/mnt/src /mnt/dst idmap    map=1:2         # 0
		/mnt/src /mnt/dst idmapped map=1:2         0 0
		/mnt/src /mnt/dst IDMAP    map=1:2         0 0
		/mnt/src /mnt/dst imdap    map=1:2         0 0
		/mnt/my src /mnt/dst idmap map=1:2         0 0
		/mnt/my src /mnt/my dst idmap map=1:2      0 0
		/mnt/src /mnt/dst vmap     map=1:2         0 0
		/mnt/src /mnt/dst ntfs     map=1:2,x       no number
	END
}

@test "quotes within an option" {
	# mount(8) removes the quotes, wherever they are.
	faults '1: bind: mount(8) makes a plain mount, in which nothing is mapped; leave it out
2: map: mount(8) makes a plain bind mount, in which nothing is mapped; write the type idmap, without bind' <<-'END'
		/mnt/src /mnt/dst idmap map=1:2,b"ind"       0 0
		/mnt/src /mnt/dst none  "bind","map"=1:2     0 0
		/mnt/src /mnt/dst none  x="a,bind",map=1:2   0 0
	END
}

@test "X-mount.idmap, which older mount(8) ignore" {
	local line='/mnt/src /mnt/dst none bind,X-mount.idmap=0:1:1 0 0'

	mkdir bin
	printf '#!/bin/sh\necho "mount from util-linux 2.38.1 (libmount 2.38.1: selinux, namespaces, assert, debug)"\n' >bin/mount
	chmod +x bin/mount
	PATH=/mnt/bin:$PATH faults '1: X-mount.idmap: this mount(8) ignores it (needs util-linux 2.39), so nothing is mapped; write the type idmap and map=, without bind' <<<"$line"
	sed -i 's/namespaces,/namespaces, idmapping,/' bin/mount
	PATH=/mnt/bin:$PATH faults '' <<<"$line"
	faults '1: X-mount.idmap: the type idmap has map= for this' <<<'/mnt/src /mnt/dst idmap X-mount.idmap=0:1:1 0 0'
}

@test "X-mount.subdir, which mount(8) ignores with helpers" {
	faults '1: X-mount.subdir: with helpers some releases of mount(8) ignore it, and show all of the source; name the directory as source' \
		<<<'/mnt/src /mnt/dst idmap map=1000:2000,X-mount.subdir=below 0 0'
}

@test "the owner of the source in a map" {
	faults '2: /mnt/no: the source does not exist; create it, or add nofail
3: owner and remap exclude each other: the owner on disk is not the one that the source shows
4: check map: the map has no gid entries; the kernel requires both sides
hint: add one such as g:0:100000:65536, or -o keep-rest to let every gid keep its number' <<-'END'
		/mnt/src /mnt/dst idmap map=owner:1000       0 0
		/mnt/no  /mnt/dst idmap map=owner:1000       0 0
		/mnt/src /mnt/dst idmap map=owner:1000,remap 0 0
		/mnt/src /mnt/dst idmap map=u:owner:1000     0 0
	END
}

@test "missing sources, with nofail and without" {
	faults '1: /mnt/no: the source does not exist; create it, or add nofail' <<-'END'
		/mnt/no /mnt/dst idmap map=1:2        0 0
		/mnt/no /mnt/dst idmap map=1:2,nofail 0 0
	END
	mkdir -p /run/systemd/system
	cp fstab again
	faults '1: /mnt/no: the source does not exist; create it, or add nofail
2: /mnt/no: the source does not exist; systemd does not pass nofail on, so its unit fails at boot' <again
	faults '2: src: expected an absolute path as source, or a device as UUID= or LABEL=' <<-'END'
		UUID=1234 /mnt/dst idmap map=1:2 0 0
		src       /mnt/dst idmap map=1:2 0 0
	END
}

@test "sources that come later in the file" {
	faults '1: /mnt/disk/data: the source is on /mnt/disk, which line 2 mounts later; move that line up
4: /mnt/a/b: the source is on /mnt/a, which line 5 mounts later; move that line up' <<-'END'
		/mnt/disk/data /mnt/dst  idmap map=1:2 0 0
		/dev/sdb1      /mnt/disk ext4  defaults 0 0
		/mnt/disk/data /mnt/dst  idmap map=1:2 0 0
		/mnt/a/b       /mnt/c    idmap map=1:2,mkdir 0 0
		/mnt/src       /mnt/a    idmap map=1:2,mkdir 0 0
		/mnt/src       /         idmap map=1:2 0 0
		/mnt/src       /mnt/sr   ext4  defaults 0 0
	END
	faults '1: /mnt/src: the source is on /mnt/src, which line 2 mounts later; move that line up' <<-'END'
		/mnt/src /mnt/dst idmap map=1:2 0 0
		/mnt/src /mnt/src idmap map=1:2 0 0
	END
	# The filesystem is mounted, so its content is known.
	mount -t tmpfs disk disk
	faults '2: /mnt/disk/data: the source does not exist; create it, or add nofail' <<-'END'
		disk           /mnt/disk tmpfs defaults 0 0
		/mnt/disk/data /mnt/dst  idmap map=1:2  0 0
	END
	umount disk
}

@test "sources on a network filesystem" {
	local table

	mkdir a b c d
	read -r -d '' table <<-'END' || :
		/dev/sdb1      /mnt/disk ext4  _netdev 0 0
		/mnt/disk/data /mnt/a    idmap map=1:2,_netdev 0 0
		/mnt/disk/data /mnt/b    idmap map=1:2,_netdev,x-systemd.requires-mounts-for=/mnt/disk 0 0
		/mnt/disk/data /mnt/c    idmap map=1:2 0 0
		/mnt/src       /mnt/d    idmap map=1:2,_netdev 0 0
	END
	# mount(8) has no order but that of the lines.
	faults '' <<<"$table"
	mkdir -p /run/systemd/system
	faults '2: _netdev: systemd does not order the line after its source; add x-systemd.requires-mounts-for=/mnt/disk
4: /mnt/disk/data: systemd mounts /mnt/disk after the network, and this line before; add _netdev,x-systemd.requires-mounts-for=/mnt/disk' <<<"$table"
}

@test "missing targets of files" {
	local table='/mnt/src/file /mnt/no idmap map=1:2 0 0'

	touch src/file there
	faults '1: /mnt/no: the target does not exist; create it, or add mkdir' <<<"$table"
	mkdir -p /run/systemd/system
	faults '1: /mnt/no: systemd creates a missing target as a directory, and the source is a file; create the target' <<<"$table"
	faults '' <<<'/mnt/src/file /mnt/there idmap map=1:2 0 0'
	faults '' <<<'/mnt/src /mnt/no idmap map=1:2 0 0'
}

@test "filesystems that cannot be mapped" {
	mount -t ramfs disk disk
	faults "2: /mnt/disk: map tree: the filesystem (ramfs) cannot be ID-mapped
hint: use tmpfs (Linux 6.3)
3: /proc: map tree: the filesystem (proc) cannot be ID-mapped
$some_can" <<-'END'
		disk      /mnt/disk ramfs defaults 0 0
		/mnt/disk /mnt/dst  idmap map=1:2  0 0
		/proc     /mnt/dst  idmap map=1:2  0 0
	END
	umount disk
	idmount mount -m 0:0 src disk
	faults '1: /mnt/disk: the source is on a mount that is ID-mapped already; add remap or on-top' <<-'END'
		/mnt/disk /mnt/dst idmap map=1:2        0 0
		/mnt/disk /mnt/dst idmap map=1:2,on-top 0 0
		/mnt/disk /mnt/dst idmap remap,map=1:2  0 0
	END
	# It is what the line has mounted.
	faults '' <<<'/mnt/disk /mnt/disk idmap map=0:0 0 0'
	# An ordinary user cannot try that.
	echo '/mnt/src /mnt/dst idmap map=1:2 0 0' >fstab
	as 4321 "$IDMOUNT" check --fstab fstab
	umount disk
}

@test "units of systemd" {
	faults '6: map: mount(8) makes a plain bind mount, in which nothing is mapped; write the type idmap, without bind' mnt-dst.mount <<-'END'
		[Unit]
		Options=foo
		[Mount]
		What=/mnt/src
		Where=/mnt/dst
		Options = bind,map=1000:2000
	END
	faults '4: foo: unknown option; see mount.idmap(8)' mnt-dst.mount <<-'END'
		[Mount]
		What=/mnt/src
		Where=/mnt/dst
		Options=foo,map=1:2
		Type=idmap
		[Install]
		Options=bar
	END
	faults '1: a map is missing; use -o map=MAP
1: /mnt/no: the source does not exist; create it, or add nofail' mnt-dst.mount <<-'END'
		[Mount]
		What=/mnt/no
		Where=/mnt/dst
		Type=idmap
	END
	faults '' mnt-dst.mount <<-'END'
		[Mount]
		What=/mnt/src
		Where=/mnt//dst/
		Options=map=u:1000:2000+g:1000:2000
		Type=idmap
	END
	# systemd replaces this.
	faults '' mnt-dst.mount <<-'END'
		[Mount]
		What=/mnt/%i
		Options=map=%i:0
		Type=idmap
	END
	faults '' mnt-dst.mount </dev/null
}

@test "units that systemd refuses or reads otherwise" {
	local unit=$'[Mount]\nWhat=/mnt/src\nWhere=/mnt/d-s\\t\nType=idmap\nOptions=map=0:1\n'

	faults '5: x.mount: expected the name mnt-d\x2ds\x5ct.mount for Where=/mnt/d-s\t' x.mount <<<"$unit"
	mkdir 'd-s\t'
	echo "$unit" >'mnt-d\x2ds\x5ct.mount'
	checks 0 '' 'mnt-d\x2ds\x5ct.mount'
	same 'its name' 'mnt-d\x2ds\x5ct.mount' "$(systemd-escape --path --suffix=mount '/mnt/d-s\t')"
	faults '1: [mount]: unknown section; did you mean [Mount]?' x.mount <<<"${unit/Mount/mount}"
	faults '1: the section [Mount] is missing' x.mount <<<$'[Unit]\n[X-Own]\nWhat=/mnt/src'
	faults '1: What= is missing' mnt-dst.mount <<<$'[Mount]\nWhere=/mnt/dst\nType=idmap'
	# The name is enough for systemd.
	faults '' mnt-dst.mount <<<$'[Mount]\nWhat=/mnt/src\nType=idmap\nOptions=map=0:1'
	# systemd creates the target.
	faults '' mnt-new.mount <<<$'[Mount]\nWhat=/mnt/src\nWhere=/mnt/new\nType=idmap\nOptions=map=0:1'
	# Nothing is known of another type's unit.
	faults '' x.mount <<<$'[Mount]\nWhat=/dev/sdb1\nType=ext4'
}

@test "lines of a unit that are joined" {
	faults '' mnt-dst.mount <<-'END'
		  [Mount]
		What=\
		  /mnt/src
		  Options=map=0:1,\
		# A comment is left out, and its end joins nothing: \

		Where=/mnt/dst
		Type=idmap
	END
	# The blank that replaces the backslash is a part of the option, with which mount(8) fails.
	faults '5:     foo: unknown option; see mount.idmap(8)' mnt-dst.mount <<-'END'
		[Mount]
		What=/mnt/src
		Where=/mnt/dst
		Type=idmap
		Options = map=0:1,\
		; another one
		   foo
	END
	faults '4: map: mount(8) makes a plain bind mount, in which nothing is mapped; write the type idmap, without bind' mnt-dst.mount <<-'END'
		[Mount]
		What=/mnt/src
		#Options=ro \
		Options=\
		bind,map=\
		0:1
	END
	# Two backslashes join nothing. An empty line ends a line, and so does the end of the file.
	faults '3: \\: unknown option; see mount.idmap(8)' mnt-dst.mount < <(
		printf '%s\n' '[Mount]' 'Type=idmap' 'Options=map=0:1,\\' 'What=/mnt/src\' '' 'Where=/mnt/dst\'
	)
	# systemd agrees: the name of a unit is that of its path.
	mkdir 'd   t'
	printf '%s\n' '[Mount]' 'What=/mnt/src' 'Type=idmap' 'Options=map=0:1' 'Where=/mnt/d\' '# c \' '  t' >'mnt-d\x20\x20\x20t.mount'
	checks 0 '' 'mnt-d\x20\x20\x20t.mount'
	run -0 systemd-analyze verify ./'mnt-d\x20\x20\x20t.mount'
	cp 'mnt-d\x20\x20\x20t.mount' mnt-d.mount
	checks 1 'mnt-d.mount:4: mnt-d.mount: expected the name mnt-d\x20\x20\x20t.mount for Where=/mnt/d   t' mnt-d.mount
	run ! systemd-analyze verify ./mnt-d.mount
}

@test "several files, standard input, and none" {
	echo '/mnt/src /mnt/dst idmap map=1:2,foo 0 0' >one
	echo '/mnt/src /mnt/dst idmap map=1:2 0 0' >$'two\e'
	printf '\n/mnt/src /mnt/dst idmap map=1:2,bar 0 0' >$'three\e\n:1'
	checks 1 'one:1: foo: unknown option; see mount.idmap(8)
idmount: check: missing: read: No such file or directory
three\033\012:1:2: bar: unknown option; see mount.idmap(8)' \
		one $'two\e' missing $'three\e\n:1'
	same 'lines' '3 lines checked' "$output"
	checks 1 'standard input:1: foo: unknown option; see mount.idmap(8)' - <one
	mount --bind one /etc/fstab
	checks 1 '/etc/fstab:1: foo: unknown option; see mount.idmap(8)'
	umount /etc/fstab
	fails 2 'idmount: check: --fstab excludes --json and --write' idmount check --fstab --json
	fails 2 'idmount: check: --fstab excludes --json and --write' idmount check --fstab --write one
	checks 1 'idmount: check: src: read: Is a directory' src
}

@test "a long line, and bytes that no fstab has" {
	{
		printf '/mnt/src /mnt/dst idmap '
		printf 'map=0:1,ro%.0s' {1..1}
		printf ',noexec%.0s' {1..3000}
		printf ',foo 0 0\n/mnt/src\n\0/mnt\n'
	} | faults '3: a NUL byte
1: foo: unknown option; see mount.idmap(8)'
	faults '' < <(head -c 100000 /dev/urandom | tr -d '\0')
}
