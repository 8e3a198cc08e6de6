# SPDX-License-Identifier: MIT
# idmount run: the limits of a program in a container, and the options that lift them.
load common
load run-root
private_mounts

setup()
{
	set_up_mounts
	make_box
}

teardown()
{
	tear_down_mounts
}

@test "any number of binds" {
	local binds=() i

	for i in {1..200}; do
		binds+=(--bind "src:/binds/$i")
	done
	prints 200 inside "${binds[@]}" -- sh -c 'grep -c " /binds/" /proc/self/mountinfo'
	run -125 --separate-stderr bash -c 'ulimit -n 100; "$@"' - "$IDMOUNT" run --rootfs root -m 0:100000:65536 "${binds[@]}" -- true
	# musl words the message differently.
	same 'standard error' $'idmount: run: src: open tree: Too many open files\nhint: RLIMIT_NOFILE (ulimit -n) is 100 descriptors' \
		"${stderr/No file descriptors available/Too many open files}"
}

# Copies programs of the host into the box, which otherwise contains only busybox.
add_usr()
{
	ln -s usr/lib root/lib
	ln -s usr/lib64 root/lib64
	usr=(--bind /usr:/usr:ro,recursive)
}

# ---- capabilities ----

# sets OPTION...: prints the five sets inside in the kernel's order, from inheritable to ambient.
sets()
{
	inside "$@" -- sed -n 's/^Cap.*:.0*\([0-9a-f]\)/\1/p' /proc/self/status | tr '\n' ' '
}

# Prints the capabilities that the command knows by name.
names()
{
	sed -nE 's/^\t\{ "([A-Z_]+)", .*(true|false) \},.*/\1/p' "$ROOT/cli/common/capability-names.c"
}

@test "capabilities: the set of runc's engines, and no others" {
	same 'as root' '0 a80425fb a80425fb a80425fb 0 ' "$(sets)"
	same 'as another' '0 0 0 a80425fb 0 ' "$(sets --user 8)"
	same 'without a PID namespace' '0 a80425fb a80425fb a80425fb 0 ' "$(sets --no-pid)"
	make_joe
	same 'as an ordinary user' a80425fb "$("${joe[@]}" run --rootfs root -- sed -n 's/^CapBnd:.0*//p' /proc/self/status)"
	same 'with one ID' a80425fb "$("${joe[@]}" run --rootfs root -m 0:4242:1 -- sed -n 's/^CapBnd:.0*//p' /proc/self/status)"
	# So mount(2) fails.
	run -1 inside -- mount -t tmpfs none /tmp
	run -0 inside --cap-add SYS_ADMIN -- mount -t tmpfs none /tmp
}

@test "capabilities: added and dropped" {
	same 'one more' '0 a80435fb a80435fb a80435fb 0 ' "$(sets --cap-add NET_ADMIN)"
	same 'the same' '0 a80435fb a80435fb a80435fb 0 ' "$(sets --cap-add cap_net_admin,Net_Admin)"
	same 'two options' '0 a82435fb a82435fb a82435fb 0 ' "$(sets --cap-add NET_ADMIN --cap-add SYS_ADMIN)"
	same 'one fewer' '0 a80425db a80425db a80425db 0 ' "$(sets --cap-drop KILL)"
	same 'one that is not there' '0 a80425fb a80425fb a80425fb 0 ' "$(sets --cap-drop SYS_ADMIN)"
	same 'none' '0 0 0 0 0 ' "$(sets --cap-drop all)"
	same 'one alone' '0 20 20 20 0 ' "$(sets --cap-drop ALL --cap-add CAP_KILL)"
	same 'in the other order' '0 20 20 20 0 ' "$(sets --cap-add CAP_KILL --cap-drop ALL)"
	local all

	all=$(printf %x $(((1 << $(cat /proc/sys/kernel/cap_last_cap) + 1) - 1)))
	same 'all' "0 $all $all $all 0 " "$(sets --cap-add ALL)"
	same 'all, as another' "0 0 0 $all 0 " "$(sets --cap-add ALL --user 8:12)"
	all=$(printf %x $((0x$all & ~(1 << 21))))
	same 'all but one' "0 $all $all $all 0 " "$(sets --cap-drop SYS_ADMIN --cap-add ALL)"
}

@test "capabilities: every name is known, in the manual and in the completion" {
	local name list=()

	for name in $(names); do
		list+=("$name")
		grep -qw "$name" "$ROOT/man/idmount.8.scd"
		grep -qw "$name" "$ROOT/completion/idmount.bash"
	done
	same 'how many' 41 "${#list[@]}"
	same 'all by name' '1ffffffffff 1ffffffffff 1ffffffffff' "$(sets --cap-add "$(IFS=, && echo "${list[*]}")" | cut -d' ' -f2-4)"
}

@test "capabilities: the set that an init system requires" {
	local init=(inside --unshare-net --cap-add SYS_ADMIN,NET_ADMIN,SYS_BOOT --)

	quietly "${init[@]}" sh -c 'mount -t tmpfs none /run && busybox ifconfig lo up'
	# In a PID namespace of its own, reboot(2) ends that namespace. Without one the kernel requires the capability in the
	# host's user namespace.
	run -130 "${init[@]}" busybox poweroff -f
	run -129 "${init[@]}" busybox reboot -f
	run -1 inside -- busybox poweroff -f
}

@test "capabilities: errors name the fault" {
	fails 125 'idmount: run: --cap-add FOO: unknown capability; see capabilities(7)' inside --cap-add KILL,FOO -- true
	fails 125 'idmount: run: --cap-drop 21: unknown capability; see capabilities(7)' inside --cap-drop 21 -- true
	fails 125 'idmount: run: --cap-drop: a capability is missing at a comma or an end' inside --cap-drop KILL, -- true
	fails 125 'idmount: run: --cap-add: a capability is missing at a comma or an end' inside --cap-add '' -- true
	fails 125 'idmount: run: --cap-add and --cap-drop both name KILL' inside --cap-add KILL --cap-drop KILL -- true
	fails 125 'idmount: run: --cap-add and --cap-drop both name ALL' inside --cap-add ALL --cap-drop ALL -- true
}

# without_prctl ARGUMENT1 ARGUMENT2 ERRNO COMMAND...: that call of prctl(2) fails. -1 is any second argument.
without_prctl()
{
	perl -e '
		my ($first, $second, $errno) = (shift, shift, shift);
		my $number = shift eq "x86_64" ? 157 : 167;
		sub step { pack("SCCL", @_) }
		my $program = step(0x20, 0, 0, 0) . step(0x15, 0, 5, $number) . step(0x20, 0, 0, 16) .
			step(0x15, 0, 3, $first) . step(0x20, 0, 0, 24) .
			($second < 0 ? step(0x05, 0, 0, 0) : step(0x15, 0, 1, $second)) .
			step(0x06, 0, 0, 0x50000 | $errno) . step(0x06, 0, 0, 0x7fff0000);
		my $all = pack("S x6 P", length($program) / 8, $program);
		syscall($number, 22, 2, $all) == 0 or die "seccomp: $!";
		exec @ARGV' -- "$1" "$2" "$3" "$(uname -m)" "${@:4}"
}

@test "capabilities: of another kernel" {
	# PR_CAPBSET_READ of CAP_CHECKPOINT_RESTORE: EINVAL
	older=(without_prctl 23 40 22 "$IDMOUNT" run --rootfs root -m 0:100000:65536)
	fails 125 'idmount: run: --cap-add checkpoint_restore: this kernel does not have that capability' \
		"${older[@]}" --cap-add checkpoint_restore -- true
	quietly "${older[@]}" -- true
	# A kernel that does not report the last one, so each capability is dropped: EPERM
	mute=(without_prctl 23 -1 1 "$IDMOUNT" run --rootfs root -m 0:100000:65536)
	fails 125 'idmount: run: --cap-add ALL: the kernel does not report its capabilities' "${mute[@]}" --cap-add ALL -- true
	fails 125 'idmount: run: set bounding set: it requires CAP_SETPCAP, or a seccomp filter refuses prctl(2)' "${mute[@]}" -- true
}

# The first process of a new user namespace has all capabilities, and the container is in one.
@test "capabilities: they are not those of the caller" {
	prints 'CapBnd:	00000000a80425fb' setpriv --bounding-set -net_raw "$IDMOUNT" run --rootfs root -m 0:100000:65536 -- grep CapBnd /proc/self/status
}

# ---- programs that would gain privileges ----

@test "--no-new-privs" {
	local uids

	add_usr
	cp "$(type -P grep)" root/bin/setuid-grep # busybox drops its privilege
	chmod 4755 root/bin/setuid-grep
	prints $'NoNewPrivs:\t0' inside -- grep NoNewPrivs /proc/self/status
	prints $'NoNewPrivs:\t1' inside --no-new-privs -- grep NoNewPrivs /proc/self/status
	uids=$(inside "${usr[@]}" --user mail -- setuid-grep Uid /proc/self/status)
	same 'with' $'Uid:\t8\t0\t0\t0' "$uids"
	uids=$(inside "${usr[@]}" --user mail --no-new-privs -- setuid-grep Uid /proc/self/status)
	same 'without' $'Uid:\t8\t8\t8\t8' "$uids"
}

@test "--disable-userns" {
	run -0 inside -- busybox unshare -U true
	run ! inside --disable-userns -- busybox unshare -U true
	run ! inside --disable-userns --cap-add SYS_ADMIN -- busybox unshare -U true
	run ! inside --disable-userns --unmask -- sh -c 'echo 5 >/proc/sys/user/max_user_namespaces'
	# The host's limit stays the same.
	unshare -U true
	fails 125 'idmount: run: --disable-userns: CAP_SYS_RESOURCE could lift that limit; drop it' \
		inside --disable-userns --cap-add SYS_RESOURCE -- true
	fails 125 'idmount: run: --disable-userns: CAP_SYS_RESOURCE could lift that limit; drop it' \
		inside --cap-add ALL --disable-userns -- true
	run ! inside --cap-add ALL --cap-drop SYS_RESOURCE --disable-userns -- busybox unshare -U true
	make_joe
	run -0 "${joe[@]}" run --rootfs root -- busybox unshare -U true
	run ! "${joe[@]}" run --rootfs root --disable-userns -- busybox unshare -U true
}

# A program that refuses mkdir(2) and mkdirat(2) with ENOSYS.
filter()
{
	perl -e '
		my @numbers = $ARGV[0] eq "x86_64" ? (83, 258) : (34, 34);
		print pack("SCCL", 0x20, 0, 0, 0), # load the number
			pack("SCCL", 0x15, 1, 0, $numbers[0]), pack("SCCL", 0x15, 0, 1, $numbers[1]),
			pack("SCCL", 0x06, 0, 0, 0x50000 | 38), pack("SCCL", 0x06, 0, 0, 0x7fff0000)' "$(uname -m)"
}

@test "--seccomp" {
	filter >program
	run -0 inside -- mkdir /made
	run -1 inside --seccomp 5 -- mkdir /new 5<program
	same 'output' "mkdir: can't create directory '/new': Function not implemented" "$output"
	run -1 inside --seccomp 5 --user mail --cap-drop ALL --no-new-privs -- mkdir /tmp/new 5<program
	same 'output' "mkdir: can't create directory '/tmp/new': Function not implemented" "$output"
	run -1 inside --seccomp 5 --user mail --cap-drop ALL -- mkdir /tmp/new 5<program
	same 'output' "mkdir: can't create directory '/tmp/new': Function not implemented" "$output"
	run -1 inside --seccomp 0 -- mkdir /new <program
	# The program does not get the descriptor.
	same 'descriptors' '0 1 2 3' "$(inside --seccomp 7 -- ls /proc/self/fd 7<program | xargs)"
	make_joe
	run -1 "${joe[@]}" run --rootfs root --seccomp 5 -- mkdir /tmp/new 5<program
	same 'output' "mkdir: can't create directory '/tmp/new': Function not implemented" "$output"
}

@test "--seccomp: errors name the fault" {
	local word

	for word in x '' -1 +5 5x 99999999999 99999999999999999999999; do
		fails 125 "idmount: run: --seccomp $word: expected the number of a descriptor" inside --seccomp "$word" -- true
	done
	fails 125 'idmount: run: --seccomp 77: the descriptor is not open' inside --seccomp 77 -- true
	fails 125 'idmount: run: --seccomp 6: duplicate option' inside --seccomp 5 --seccomp 6 -- true 5</dev/null 6</dev/null
	# The file is not a filter.
	run -125 --separate-stderr inside --seccomp 5 -- true 5</dev/null
	[[ $stderr == 'idmount: run: '*seccomp* && $stderr != *$'\n'* ]]
	run -125 --separate-stderr inside --seccomp 5 -- true 5</etc/passwd
	[[ $stderr == 'idmount: run: '* && $stderr != *$'\n'* ]]
}

@test "the caller's session keyring stays outside" {
	local number=219 # keyctl(2); add_key(2) is two below

	[[ $(uname -m) == x86_64 ]] && number=250
	add_usr
	cat >root/read-key <<-'END'
		my $buffer = "\0" x 32;
		my $n = syscall($ARGV[0] + 0, 11, $ARGV[1] + 0, $buffer, 32); # KEYCTL_READ
		print $n < 0 ? "not readable\n" : substr($buffer, 0, $n) . "\n";
	END
	cat >with-key <<-'END'
		syscall($ARGV[0] + 0, 1, 0) >= 0 or die "join session keyring: $!"; # KEYCTL_JOIN_SESSION_KEYRING
		my ($type, $name, $value) = ("user", "idmount", "secret");
		my $key = syscall($ARGV[0] - 2, $type, $name, $value, 6, -3);
		$key >= 0 or die "add key: $!";
		syscall($ARGV[0] + 0, 5, $key, 0x3f3f0000); # KEYCTL_SETPERM: all permissions to its user, too
		s/KEY/$key/ for @ARGV;
		shift;
		exec @ARGV;
	END
	prints secret perl with-key $number perl root/read-key $number KEY
	prints 'not readable' perl with-key $number "$IDMOUNT" run --rootfs root -m 0:100000:65536 "${usr[@]}" -- perl /read-key $number KEY
	prints 'not readable' perl with-key $number "$IDMOUNT" run --no-pid --rootfs root -m 0:100000:65536 "${usr[@]}" -- perl /read-key $number KEY
	# An ordinary user has the ID of the container's root, and its key could be found by number.
	make_joe
	prints 'not readable' "${joe[@]/%\/mnt\/idmount/perl}" with-key $number /mnt/idmount run --rootfs root "${usr[@]}" -- perl /read-key $number KEY
	prints secret "${joe[@]/%\/mnt\/idmount/perl}" with-key $number /mnt/idmount run --keyrings --rootfs root "${usr[@]}" -- perl /read-key $number KEY
}

@test "waiting for a filter does not block signals; a directory is refused as standard input" {
	mkfifo filter
	exec 8<>filter
	run -124 timeout 2 "$IDMOUNT" run --rootfs root -m 0:100000:65536 --seccomp 8 -- true
	exec 8<&-
	fails 125 'idmount: run: descriptor 0 is a directory, by which the container would leave its root' \
		"$IDMOUNT" run --rootfs root -m 0:100000:65536 -- true </mnt
}

# ---- /proc and /sys ----

# check_masks COMMAND...: checks the hidden and read-only paths inside. They are the same with a PID namespace of its
# own and with the host's /proc.
check_masks()
{
	local path

	for path in /proc/keys /proc/timer_list /proc/interrupts; do
		[[ ! -e $path ]] || same "$path" '' "$("$@" -- cat $path)"
	done
	for path in /proc/acpi /proc/asound /proc/scsi /sys/firmware /sys/devices/virtual/powercap; do
		[[ ! -e $path ]] || same "$path" '' "$("$@" -- ls $path)"
	done
	run -1 "$@" -- touch /sys/firmware/x
	for path in /proc/bus /proc/fs /proc/irq /proc/sys /proc/sysrq-trigger; do
		[[ ! -e $path ]] || "$@" -- grep -qE " $path ro," /proc/self/mountinfo
	done
}

@test "parts of /proc and /sys are hidden or read-only" {
	check_masks inside
	check_masks inside --no-pid
	check_masks inside --ephemeral --unshare-net
	make_joe
	check_masks "${joe[@]}" run --rootfs root
	check_masks "${joe[@]}" run --rootfs root --no-pid
}

# stays_hidden COMMAND...: runs it by "idmount run" with every capability.
stays_hidden()
{
	run ! "$@" -- busybox umount /proc/acpi
	run ! "$@" -- busybox umount -l /proc/timer_list
	run ! "$@" -- mount -o remount,bind,rw /proc/sys
	run ! "$@" -- mount -o remount,bind,dev /
	# A new procfs would show all of it again.
	run ! "$@" -- busybox unshare -mpf busybox mount -t proc proc /tmp
	run -0 "$@" --unmask -- busybox unshare -mpf busybox mount -t proc proc /tmp
}

@test "hidden and read-only paths stay so for root with every capability" {
	stays_hidden inside --cap-add ALL
	make_joe
	stays_hidden "${joe[@]}" run --rootfs root --cap-add ALL
}

@test "--unmask makes them accessible" {
	run -1 inside --unshare-net --cap-add NET_ADMIN -- sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward'
	[[ $output == *'Read-only file system' ]]
	prints 1 inside --unshare-net --cap-add NET_ADMIN --unmask -- sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward; cat /proc/sys/net/ipv4/ip_forward'
	inside --unmask -- grep -q . /proc/timer_list || inside --unmask -- grep -q . /proc/interrupts
	prints 0 inside --unmask -- sh -c 'grep -cE " /(proc|sys)/(acpi|keys|sys|firmware) " /proc/self/mountinfo || true'
}

@test "the manual has all of these paths" {
	local path

	for path in $(sed -nE 's/^\t\{ "([^"]+)", [A-Z_]+ \},$/\1/p' "$ROOT/cli/run/masks.c"); do
		grep -qF "$path" <(tr -d '\\' <"$ROOT/man/idmount.8.scd")
	done
	[[ $path == /proc/sysrq-trigger ]]
}

# ---- devices ----

@test "a device node in the root filesystem works only with --dev" {
	mkdir l2 up work
	mknod -m 666 root/hostzero c 1 5
	run ! inside -- busybox head -c 1 /hostzero
	[[ $output == *'Permission denied' ]]
	run ! inside --ephemeral -- busybox head -c 1 /hostzero
	run ! inside --read-only -- busybox head -c 1 /hostzero
	run ! idmount run -L l2:root -U up -W work -m 0:100000:65536 -- busybox head -c 1 /hostzero
	run ! idmount run -L l2:root --ephemeral -m 0:100000:65536 -- busybox head -c 1 /hostzero
	prints 1 inside --dev -- sh -c 'busybox head -c 1 /hostzero | wc -c'
	prints 1 inside --dev --ephemeral -- sh -c 'busybox head -c 1 /hostzero | wc -c'
	prints 1 idmount run --dev -L l2:root -U up -W work -m 0:100000:65536 -- sh -c 'busybox head -c 1 /hostzero | wc -c'
	# The nodes of /dev work nevertheless.
	prints 1 inside -- sh -c 'busybox head -c 1 /dev/zero | wc -c'
	make_joe
	run ! "${joe[@]}" run --rootfs root -- busybox head -c 1 /hostzero
	run ! "${joe[@]}" run --rootfs root --ephemeral -- busybox head -c 1 /hostzero
	prints 1 "${joe[@]}" run --rootfs root -- sh -c 'busybox head -c 1 /dev/zero | wc -c'
}

@test "a bind is not shared with the host" {
	mount --make-shared /mnt
	fails 125 'idmount: run: --bind src: shared: mounts inside would be made on the host; slave and private are possible' \
		inside --bind src:/s:ro,shared -- true
	fails 125 'idmount: run: --bind src: rshared: mounts inside would be made on the host; slave and private are possible' \
		inside --bind src:/s:rshared -- true
	for word in slave private unbindable; do
		quietly inside --bind src:/s:$word --cap-add SYS_ADMIN -- mount -t tmpfs none /s
		same "mounts with $word" 0 "$(mounts_at /mnt/src)"
	done
}

@test "errors of a map name its option" {
	fails 125 'idmount: run: --bind src: 1:2:x: parse map: expected a number, got "x"' \
		inside --bind dst:/d:map=1:1 --bind src:/s:ro,map=1:2:x -- true
	fails 125 'idmount: run: --bind src: nosuchuser:0: parse map: unknown user "nosuchuser"' \
		inside --bind src:/s:map=nosuchuser:0 -- true
}

# ---- memory ----

@test "--size" {
	run -1 inside --ephemeral --size 1M -- sh -c 'busybox head -c 2000000 /dev/zero >/x'
	run -0 inside --ephemeral --size 3m -- sh -c 'busybox head -c 2000000 /dev/zero >/x'
	run -1 inside --ephemeral --size 100000 -- sh -c 'busybox head -c 2000000 /dev/zero >/x'
	run -0 inside --ephemeral --size 1% -- touch /x
	run -0 inside --ephemeral --size 1G -- touch /x
	# The number of empty files is limited, too.
	run -1 inside --ephemeral --size 1M -- sh -c 'i=0; while test $i -lt 1100; do : >/$i || exit 1; i=$((i+1)); done'
	make_joe
	run -1 "${joe[@]}" run --rootfs root --ephemeral --size 1M -- sh -c 'busybox head -c 2000000 /dev/zero >/x'
}

@test "--size: errors name the fault" {
	local word

	for word in 0 0M x '' -1 1T 1MB 101% 0% 1.5G 99999999999G 99999999999999999999999; do
		fails 125 "idmount: run: --size $word: expected BYTES, with K, M or G, or 1% to 100%" inside --ephemeral --size "$word" -- true
	done
	fails 125 'idmount: run: --size requires --ephemeral' inside --size 1M -- true
}

@test "/dev has a limit, too" {
	inside -- grep -qE ' /dev .*,size=65536k,nr_inodes=16384,' /proc/self/mountinfo
	run -0 inside -- sh -c 'busybox head -c 70000000 /dev/zero >/dev/shm/x; stat -c %s /dev/shm/x'
	[[ ${lines[-1]} == 67108864 ]]
}

# ---- attributes of the caller ----

@test "the umask is 022" {
	umask 077
	prints 0022 inside -- sh -c umask
	same 'what is made for it' '755 755 755' "$(stat -c %a root/proc root/sys root/dev | xargs)"
	prints '755 755' inside --ephemeral -- busybox stat -c %a / /dev/pts | xargs
	prints 755 inside --ephemeral --user mail -- stat -c %a /dev/pts
	umask 002
	prints 0022 inside -- sh -c umask
}

@test "supplementary groups: none" {
	local groups=(setpriv --groups 4,100005)

	prints $'Groups:\t ' "${groups[@]}" "$IDMOUNT" run --rootfs root -m 0:100000:65536 -- grep Groups /proc/self/status
	prints $'Groups:\t ' "${groups[@]}" "$IDMOUNT" run --rootfs root -m 0:100000:65536 --user mail -- grep Groups /proc/self/status
	make_joe
	joe=(setpriv --reuid 4242 --regid 4242 --groups 4 --inh-caps=-all /mnt/idmount)
	prints $'Groups:\t ' "${joe[@]}" run --rootfs root -- grep Groups /proc/self/status
	# Without ranges an ordinary user has to deny setgroups(2), and so keeps its groups.
	prints $'Groups:\t65534 ' "${joe[@]}" run --rootfs root -m 0:4242:1 -- grep Groups /proc/self/status
}

@test "oom_score_adj is the caller's" {
	echo 321 >/proc/self/oom_score_adj
	prints 321 inside -- cat /proc/self/oom_score_adj
	prints 321 inside --user mail -- cat /proc/self/oom_score_adj
}

@test "a map that makes the host's root one of the container's users is noted" {
	noted()
	{
		local expected=$1

		shift
		run -0 --separate-stderr "$@" -- true
		same 'standard error' "${expected:+idmount: run: note: $expected}" "$stderr"
	}

	noted "the container's root is the host's root: the map has 0:0" idmount run --rootfs root -m 0:0:65536
	noted "the container's root is the host's root: the map has 0:0" idmount run --rootfs root -m 5:100 --keep-rest
	noted "the container's user 7 is the host's root: the map has u:7:0" idmount run --rootfs root -m 0:100000:2,7:0
	noted "the container's group 7 is the host's group root: the map has g:7:0" idmount run --rootfs root -m 0:100000:2,g:7:0
	noted '' inside
	make_joe
	noted '' "${joe[@]}" run --rootfs root
	noted '' "${joe[@]}" run --rootfs root -m 0:4242:1
}

# ---- devices of the host ----

@test "the host's devices keep their owners and modes, and work" {
	local before

	mkdir box
	mount -t tmpfs -o mode=755 dev box
	for name in null:3 zero:5 full:7 random:8 urandom:9; do
		mknod -m 666 "box/${name%:*}" c 1 "${name#*:}"
	done
	mknod -m 666 box/tty c 5 0
	ln -s /proc/self/fd box/fd
	mount --bind box /dev
	before=$(stat -c '%n %u %g %a' /dev/*)
	run -0 --separate-stderr idmount run --rootfs root -m 0:0:65536 --cap-add ALL -- sh -c \
		'for f in /dev/null /dev/zero /dev/full; do chmod 600 $f; chown 5:5 $f; done 2>/dev/null
		head -c 1 /dev/zero | wc -c; echo x >/dev/null; [ -s /dev/null ] || echo empty'
	same 'output' $'1\nempty' "$output"
	# Nor can a descriptor, passed by the caller or closed by it.
	idmount run --rootfs root -m 0:0:65536 --cap-add ALL -- sh -c 'chmod 640 /proc/self/fd/[012]' </dev/null &>log && false
	idmount run --rootfs root -m 0:0:65536 --cap-add ALL -- sh -c 'chmod 640 /proc/self/fd/[012]' <&- >&- 2>&- && false
	prints '' idmount run --rootfs root -m 0:100000:65536 -- sh -c 'cat; echo x >/dev/null' </dev/null
	same 'the devices' "$before" "$(stat -c '%n %u %g %a' /dev/*)"
}

# ---- the cgroup ----

@test "an ordinary user's cgroup: the container has one below it, which is removed" {
	local group

	make_joe
	mkdir box root/mnt
	mount -t cgroup2 cgroup2 box
	group=box/idmount-test-$$
	mkdir "$group"
	chown 4242:4242 "$group" "$group"/cgroup.{procs,kill,threads,subtree_control}
	in_group()
	{
		bash -c 'echo $$ >"$0/cgroup.procs" && exec "$@"' "$group" "${joe[@]}" "$@"
	}
	prints / in_group run --rootfs root -- sh -c 'sed -n s/^0:://p /proc/self/cgroup'
	prints /mnt/mine/below in_group run --rootfs root --cap-add SYS_ADMIN -- sh -c \
		'mount -t cgroup2 none /mnt && mkdir -p /mnt/mine/below /mnt/.hidden/a/b/c && ls -d /mnt/mine/below'
	same 'cgroups' '' "$(find "$group" -mindepth 1 -type d)"
	# It kills itself.
	run -137 in_group run --rootfs root --cap-add SYS_ADMIN -- sh -c 'mount -t cgroup2 none /mnt && echo 1 >/mnt/cgroup.kill; sleep 100'
	same 'cgroups' '' "$(find "$group" -mindepth 1 -type d)"
	# Processes of other PID namespaces have the same PIDs.
	same_number=(bash -c 'echo $$ >"$0/cgroup.procs" && exec "$@"' "$group" unshare --pid --fork --kill-child --mount-proc "${joe[@]}" run --rootfs root --)
	background "${same_number[@]}" sleep 100
	until [[ $(find "$group" -mindepth 1 -type d | wc -l) == 1 ]]; do
		sleep 0.1
	done
	prints 0 "${same_number[@]}" id -u
	echo 1 | tee "$group"/idmount-*/cgroup.kill >/dev/null
	until [[ ! $(find "$group" -mindepth 1 -type d) && ! $(<"$group/cgroup.procs") ]]; do
		sleep 0.1
	done
	# The same below a threaded cgroup.
	mkdir "$group/threads"
	echo threaded >"$group/threads/cgroup.type"
	prints 0 in_group run --rootfs root -- id -u
	rmdir "$group/threads"
	rmdir "$group"
	# Below a cgroup of root's the user cannot make one.
	prints 0 "${joe[@]}" run --rootfs root -- sh -c 'id -u'
}

@test "a cgroup that is left behind is removed at the next start, and no other" {
	local group used number

	make_joe
	mkdir box
	mount -t cgroup2 cgroup2 box
	group=box/idmount-test-$$
	mkdir "$group"
	chown 4242:4242 "$group" "$group"/cgroup.{procs,kill,threads,subtree_control}
	in_group()
	{
		bash -c 'echo $$ >"$0/cgroup.procs" && exec "$@"' "$group" "${joe[@]}" run --rootfs root -- "$@"
	}
	background in_group sleep 100
	until [[ $(cat "$group"/idmount-*/cgroup.procs) ]]; do
		sleep 0.1
	done
	used=$(echo "$group"/idmount-*)
	mkdir "$group"/{idmount-test,idmount-0123456789abcdef0,other}
	prints 0 in_group id -u
	same 'cgroups' "$(printf '%s\n' "$used" "$group"/{idmount-test,idmount-0123456789abcdef0,other} | sort)" \
		"$(find "$group" -mindepth 1 -type d | sort)"
	# With one below it, as a container can make.
	mkdir "$used/below"
	kill -KILL $(<"$group/cgroup.procs")
	until [[ $(<"$used/cgroup.events") == 'populated 0'* ]]; do
		sleep 0.1
	done
	[[ -d $used ]]
	prints 0 in_group id -u
	[[ ! -e $used ]]
	# A container can make any number of them: one start removes some, and the next ones the rest.
	used=$group/idmount-0123456789abcdef
	mkdir "$used"
	for number in {1..250}; do
		mkdir "$used/$number"
	done
	chown 4242:4242 "$used"
	prints 0 in_group id -u
	[[ -d $used ]]
	prints 0 in_group id -u
	prints 0 in_group id -u
	[[ ! -e $used ]]
	rmdir "$group"/{idmount-test,idmount-0123456789abcdef0,other} "$group"
}

# landlocked COMMAND...: runs it in a domain that refuses to make device nodes. Landlock then refuses all changes of
# mounts.
landlocked()
{
	perl -e '
		my $attr = pack("Q", 1 << 6);
		my $ruleset = syscall(444, $attr, length $attr, 0);
		exit 77 if $ruleset < 0;
		syscall(446, $ruleset, 0) == 0 or die "landlock: $!";
		exec @ARGV' -- "$@"
}

# without_call NUMBERS ERRNO COMMAND...: these system calls fail.
without_call()
{
	perl -e '
		my ($numbers, $errno, $prctl) = (shift, shift, shift eq "x86_64" ? 157 : 167);
		sub step { pack("SCCL", @_) }
		my $refuse = step(0x06, 0, 0, 0x50000 | $errno);
		my $program = join("", step(0x20, 0, 0, 0), (map { step(0x15, 0, 1, $_) . $refuse } split(" ", $numbers)),
			step(0x06, 0, 0, 0x7fff0000));
		my $all = pack("S x6 P", length($program) / 8, $program);
		syscall($prctl, 22, 2, $all) == 0 or die "seccomp: $!";
		exec @ARGV' -- "$1" "$2" "$(uname -m)" "${@:3}"
}

number_of()
{
	local -A new=([move_mount]=429 [pidfd_open]=434) old

	if [ "$(uname -m)" = x86_64 ]; then
		old=([mount]=165 [umount2]=166 [pivot_root]=155 [setns]=308 [unshare]=272)
	else
		old=([mount]=40 [umount2]=39 [pivot_root]=41 [setns]=268 [unshare]=97)
	fi
	echo "${new[$1]-${old[$1]}}"
}

# filtered CALL ERRNO STEP OPTION...: "idmount run" fails at STEP, and states the reason.
filtered()
{
	fails 125 "idmount: run: $3: a seccomp filter refuses $1(2)
hint: let the seccomp profile of the container or service allow $1" \
		without_call "$(number_of "$1") ${before_6_15:+$open_tree_attr}" "$2" "$IDMOUNT" run --rootfs root -m 0:100000:65536 "${@:4}" -- true
}

# Without this call the kernel is one before Linux 6.15, for idmount.
open_tree_attr=467

# Where the mounts become the program's own. Before Linux 6.15, --ephemeral needs a mount namespace earlier.
step_of_ephemeral()
{
	if [[ $(printf '6.15\n%s\n' "$(uname -r)" | sort -V | head -n 1) == 6.15 ]]; then
		echo 'separate the mount namespace'
	else
		echo 'make mount namespace'
	fi
}

@test "refusals of Landlock are named" {
	landlocked true || skip 'no Landlock'
	module='a security module refuses mount(2)
hint: Landlock denies it to every process in a domain that restricts files; a process outside of the domain can do it'
	fails 125 "idmount: run: separate the mount namespace: $module" landlocked "$IDMOUNT" run --rootfs root -m 0:100000:65536 -- true
	fails 125 "idmount: run: $(step_of_ephemeral): $module" landlocked "$IDMOUNT" run --rootfs root --ephemeral -m 0:100000:65536 -- true
	run -0 landlocked "$IDMOUNT" check
	[[ $output =~ no\ +mount-api ]]
	[[ $output =~ no\ +move-mount-beneath ]]
	run -0 "$IDMOUNT" check
	[[ $output =~ yes\ +mount-api ]]
}

@test "refusals of a filter are named" {
	declare -A step=([move_mount]='attach root' [pivot_root]='pivot to root' [mount]='separate the mount namespace'
		[umount2]='detach the old root' [pidfd_open]='start program' [setns]='join user namespace')
	for call in "${!step[@]}"; do
		filtered "$call" 1 "${step[$call]}"
		filtered "$call" 38 "${step[$call]}"
	done
	many_mounts
	# Without setns(2) there is no staging namespace either: the run does without one until here.
	filtered setns 1 'join user namespace'
	filtered setns 38 'join user namespace'
	filtered mount 1 "$(step_of_ephemeral)" --ephemeral
	before_6_15=yes
	filtered mount 1 'make mount namespace' --ephemeral
	filtered unshare 1 'make mount namespace' --ephemeral
}

@test "--ephemeral copies the mount table once" {
	[[ $(step_of_ephemeral) == separate* ]] || skip 'before Linux 6.15'
	coproc { exec "$IDMOUNT" run --rootfs root --ephemeral -m 0:100000:65536 -- sh -c 'touch /x; echo ready; read -r _'; }
	pid=$COPROC_PID
	read -r line <&"${COPROC[0]}"
	same 'line' ready "$line"
	same 'mount namespace' "$(readlink /proc/self/ns/mnt)" "$(readlink "/proc/$pid/ns/mnt")"
	echo >&"${COPROC[1]}"
	wait "$pid"
	[ ! -e root/x ]
	# As before Linux 6.15.
	run -0 without_call "$open_tree_attr" 38 "$IDMOUNT" run --rootfs root --ephemeral -m 0:100000:65536 -- sh -c 'touch /x; ls /x'
	same 'output' /x "$output"
	[ ! -e root/x ]
}

# joes_setns STEP OPTION...: the first setns(2) of an ordinary user's run is at STEP.
joes_setns()
{
	fails 125 "idmount: run: $1: a seccomp filter refuses setns(2)
hint: let the seccomp profile of the container or service allow setns" \
		without_call "$(number_of setns) ${before_6_15:+$open_tree_attr}" 1 "${joe[@]}" run "${@:2}" -- true
}

# mounts_of_joe OPTION...: the process of an ordinary user's run has none of the host's mounts while the program runs.
mounts_of_joe()
{
	local line pid

	coproc { exec "${joe[@]}" run "$@" -- sh -c 'echo ready; read -r _'; }
	pid=$COPROC_PID
	read -r line <&"${COPROC[0]}"
	same 'line' ready "$line"
	same 'mounts of the host' 0 "$(grep -c ' /mnt' "/proc/$pid/mountinfo")"
	same 'root directory' $'proc\nsys' "$(ls "/proc/$pid/root/")"
	echo >&"${COPROC[1]}"
	wait "$pid"
}

@test "an ordinary user's run copies the mount table once, and keeps none of its mounts" {
	make_joe
	mkdir data
	chown 4242:4242 data
	for way in few many; do
		[[ $way == few ]] || many_mounts
		mounts_of_joe --rootfs root
		mounts_of_joe --rootfs root --no-pid
		mounts_of_joe -L data:root --ephemeral
	done
	joes_setns 'join user namespace' --rootfs root
	[[ $(step_of_ephemeral) == 'make mount namespace' ]] || joes_setns 'join user namespace' -L data:root --ephemeral
	before_6_15=yes
	joes_setns 'join user namespace' --rootfs root
	joes_setns 'join user namespace' -L data:root
	run -0 without_call "$open_tree_attr" 38 "${joe[@]}" run -L data:root --ephemeral -- sh -c 'touch /x; ls /x'
	same 'output' /x "$output"
}
