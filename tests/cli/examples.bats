# SPDX-License-Identifier: MIT
# The programs in examples/ work as their comments say.
load common
private_mounts

EXAMPLES=${EXAMPLES:-$ROOT/build/examples}

setup()
{
	set_up_mounts
}

teardown()
{
	tear_down_mounts
}

# example NAME ARGUMENT...
example()
{
	"$EXAMPLES/example-$1" "${@:2}"
}

@test "mount: a directory with other owners" {
	touch src/file
	chown 33:44 src/file
	quietly example mount 0:100000:65536 src new/target
	same 'owner' 100033:100044 "$(owner new/target/file)"
	[[ $(options_at /mnt/new/target) == *nosuid,nodev* ]]
	umount new/target
	prints '' ls new/target
	refused 1 "$EXAMPLES/example-mount: missing: open tree: No such file or directory" example mount 0:100000:65536 missing dst
	refused 1 $EXAMPLES'/example-mount: 0:1:x: parse map: expected a number, got "x"' example mount 0:1:x src dst
	refused 2 "usage: $EXAMPLES/example-mount MAP SOURCE TARGET" example mount 0:1 src
}

@test "overlay: a root filesystem from layers" {
	mkdir l1 l2 up work
	touch l1/one l2/two
	quietly example overlay 0:100000:65536 root up work l2 l1
	same 'owners' $'100000:100000\n100000:100000' "$(owner root/one root/two)"
	as 100000 touch root/new
	umount root
	same 'owner stored' 0:0 "$(owner up/new)"
	refused 1 "$EXAMPLES/example-overlay: missing: open layer: No such file or directory" \
		example overlay 0:100000:65536 root up work l2 missing
	refused 2 "usage: $EXAMPLES/example-overlay MAP TARGET UPPER WORK LAYER..." example overlay 0:1 root up work
}

@test "plan: the mounts that containerd requests, and their undoing" {
	mkdir l1 l2
	touch l1/one l2/two
	quietly example plan apply 0:100000:65536 new/root journal <<-'END'
		[{"Type": "overlay", "Source": "overlay", "Options": ["lowerdir=/mnt/l2:/mnt/l1"]}]
	END
	same 'owners' $'100000:100000\n100000:100000' "$(owner new/root/one new/root/two)"
	quietly example plan undo journal
	[[ ! -e new && ! -e journal ]]
	refused 1 "$EXAMPLES/example-plan: journal: read journal: No such file or directory" example plan undo journal
	refused 2 "usage: $EXAMPLES/example-plan apply MAP TARGET JOURNAL <LIST, or $EXAMPLES/example-plan undo JOURNAL" example plan
}

@test "shim: programs, and how each of them exited" {
	mkdir -p root/bin root/proc
	cp "$(type -P busybox)" root/bin/sh
	same 'ends' $'exit 3: status 3\nkill -9 $$: status 137\ntest $$ = 2: status 0' \
		"$(example shim 0:100000:65536 root 'exit 3' 'kill -9 $$' 'test $$ = 2' | sort)"
	refused 1 "$EXAMPLES/example-shim: none: open tree: No such file or directory" example shim 0:100000:65536 none true
}

@test "README: the program compiles, mounts and leaks nothing" {
	mkdir -p new
	sed -n '/^```c$/,/^```$/ { /^```/!p }' "$ROOT/README.md" |
		sed "s,/srv/image,$PWD/src,; s,/run/box/root,$PWD/dst," >box.c
	# Prints the open descriptors at the start and at the end.
	cat >descriptors.c <<-'END'
		#include <dirent.h>
		#include <unistd.h>
		static int before;
		static int count(void)
		{
			int n = 0;
			DIR *dir = opendir("/proc/self/fd");
			while (readdir(dir))
				n++;
			closedir(dir);
			return n;
		}
		__attribute__((constructor)) static void begin(void) { before = count(); }
		__attribute__((destructor)) static void end(void) { if (count() != before) _exit(99); }
	END
	quietly cc -Wall -Wextra -Werror -fsanitize=address -I "$ROOT/include" -o box box.c descriptors.c \
		"$IDM_LIBRARY" -Wl,-rpath,"$(dirname "$IDM_LIBRARY")"
	touch src/file
	quietly ./box
	same 'owner' 100000:100000 "$(owner dst/file)"
	umount dst
	rmdir dst
	run --separate-stderr ./box
	same 'exit status' 1 "$status"
	[[ $stderr == "$PWD/dst: open target: "* && $(wc -l <<<"$stderr") == 1 ]]
}
