# SPDX-License-Identifier: MIT
# Each benchmark works. It does everything once or twice, and no measured time decides a test.
load common

BENCH=$(realpath "${BENCH:-$ROOT/build/bench}")
export IDM_BENCH_SMOKE=1

setup()
{
	need_root
	export IDM_BENCH_ROWS=$BATS_TEST_TMPDIR/rows
	mounts_before=$(cut -d' ' -f4- /proc/self/mountinfo | sort)
}

# measures LINES COMMAND...: succeeds, prints only a table of LINES lines, and leaves nothing.
measures()
{
	local expected=$1

	shift
	run --separate-stderr "$@"
	same 'standard error' '' "$stderr"
	same 'exit status' 0 "$status"
	same 'lines, with the head' $((expected + 1)) "$(wc -l <<<"$output")"
	same 'rows' "$expected" "$(wc -l <"$IDM_BENCH_ROWS")"
	same 'cells of the rows' 10 "$(awk -F '\t' '{ print NF }' "$IDM_BENCH_ROWS" | sort -u)"
	same 'met or missed' '' "$(cut -f 10 "$IDM_BENCH_ROWS" | grep -xE 'met|missed|lower bound')"
	same 'mounts' "$mounts_before" "$(cut -d' ' -f4- /proc/self/mountinfo | sort)"
	# Other tests use loop devices, too. The kernel detaches this one when its namespace has disappeared.
	for _ in {1..100}; do
		[[ $(losetup --list --noheadings --output BACK-FILE) == *bench.image* ]] || return 0
		sleep 0.1
	done
	return 1
}

@test "userns" {
	measures 9 "$BENCH/userns"
}

@test "threads" {
	measures 15 "$BENCH/threads"
}

@test "mount" {
	measures 4 "$BENCH/mount"
}

@test "through" {
	measures 4 "$BENCH/through"
}

@test "overlay" {
	measures 29 "$BENCH/overlay"
}

@test "storm" {
	measures 14 "$BENCH/storm"
}

@test "plan" {
	measures 31 "$BENCH/plan"
}

@test "reaper" {
	measures 3 "$BENCH/reaper"
}

@test "children" {
	measures 20 "$BENCH/children"
}

@test "constant" {
	measures 36 "$BENCH/constant"
}

@test "userns-map" {
	measures 1 "$BENCH/userns-map"
}

@test "service" {
	measures 9 "$BENCH/service"
}

has_fuse_overlayfs()
{
	type -P fuse-overlayfs && [[ -c /dev/fuse ]]
}

@test "rootless-files" {
	measures 10 "$BENCH/rootless-files"
	! has_fuse_overlayfs || same 'with FUSE' 5 "$(grep -c $'\tfuse-overlayfs\t' "$IDM_BENCH_ROWS")"
}

@test "rootless.sh" {
	type -P podman || [[ ${IDM_MUST_RUN:-0} == 1 ]] || skip 'there is no podman'
	measures 9 "$ROOT/bench/cases/rootless.sh" "$(dirname "$BENCH")"
	! has_fuse_overlayfs || same 'with FUSE' 3 "$(grep -c $'\tfuse-overlayfs\t' "$IDM_BENCH_ROWS")"
	same 'copied' '0 KiB' "$(awk -F '\t' '$2 ~ /copied/ { print $3 }' "$IDM_BENCH_ROWS")"
}

@test "without podman there is a line that says so" {
	mkdir "$BATS_TEST_TMPDIR/bin"
	find /usr/local/bin /usr/bin /bin /usr/local/sbin /usr/sbin /sbin -mindepth 1 -maxdepth 1 ! -name podman \
		-exec ln -sf -t "$BATS_TEST_TMPDIR/bin" {} +
	PATH=$BATS_TEST_TMPDIR/bin run -0 "$ROOT/bench/cases/rootless.sh" "$(dirname "$BENCH")"
	same 'why' 'skipped: podman is missing' "$(cut -f 10 "$IDM_BENCH_ROWS")"
}

@test "pure" {
	measures 5 "$BENCH/pure"
	for part in parse print compose equal json; do
		quietly "$BENCH/pure" "$part"
	done
	fails 2 'no such part: other' "$BENCH/pure" other
}

@test "where" {
	run --separate-stderr "$BENCH/where"
	same 'standard error' '' "$stderr"
	same 'exit status' 0 "$status"
	same 'things' $'mount\noverlay\nplan\nuserns' "$(cut -d' ' -f1 <<<"$output" | sort -u)"
	# The rows that make the tree depend on the kernel, and are left out.
	same 'calls of a mount' $'close 1\nmove_mount 1\nrest -\numount2 1' \
		"$(awk '$1 == "mount" && $2 !~ /open_tree|mount_setattr/ { print $2, $3 }' <<<"$output" | sort)"
}

@test "list.sh" {
	measures 4 "$ROOT/bench/cases/list.sh" "$(dirname "$BENCH")"
}

@test "mount.sh" {
	measures 1 "$ROOT/bench/cases/mount.sh" "$(dirname "$BENCH")"
}

@test "memory.sh" {
	measures 1 "$ROOT/bench/cases/memory.sh" "$(dirname "$BENCH")"
}

@test "explain" {
	measures 3 "$BENCH/explain"
}

@test "chown.sh" {
	measures 2 "$ROOT/bench/cases/chown.sh" "$(dirname "$BENCH")"
}

@test "run-true.sh" {
	type -P bwrap || [[ ${IDM_MUST_RUN:-0} == 1 ]] || skip 'there is no bwrap'
	measures 4 "$ROOT/bench/cases/run-true.sh" "$(dirname "$BENCH")"
}

@test "oci-start.sh" {
	measures 5 "$ROOT/bench/cases/oci-start.sh" "$(dirname "$BENCH")"
}

@test "run.sh, which runs them all" {
	run --separate-stderr "$ROOT/bench/run.sh" --smoke "$(dirname "$BENCH")"
	same 'standard error' '' "$stderr"
	same 'exit status' 0 "$status"
	[[ ${lines[-1]} =~ ^in\ [0-9]+\ seconds$ && ${lines[-2]} == '0 targets met, '* ]]
}

@test "userns, with all sizes of the picture" {
	read -ra sizes <<<"$(grep -o 'bench/userns" [0-9 ]*$' "$ROOT/bench/run.sh" | cut -d' ' -f2-)"
	((${#sizes[@]} > 4))
	# Four rows for each size, and one that compares it with the first.
	measures $((5 * ${#sizes[@]} - 1)) "$BENCH/userns" "${!sizes[@]}"
}

@test "an invalid size, and an invalid number of layers" {
	run --separate-stderr "$BENCH/userns" 1x
	same 'exit status' 2 "$status"
	run --separate-stderr "$BENCH/overlay" 501
	same 'exit status' 2 "$status"
}

@test "a command that fails stops the measuring" {
	run --separate-stderr "$BENCH/commands" --question q @ one true @ other false --x
	same 'exit status' 1 "$status"
	same 'standard error' 'failed (status 0x100): false --x' "$stderr"
}

# Writes two rows, as measured on a quiet machine.
write_rows()
{
	printf '%s\t%s\t%s us\t%s\t%s\t%s\t1-2\t>= 20\t3.1\t%s\n' \
		userns 'user namespace' 80 'fork, pause, kill' 200 2.5 'lower bound' \
		userns 'user namespace, 64 MiB resident' 81 'fork, pause, kill' 2300 28 met >"$IDM_BENCH_ROWS"
}

@test "the document gets its table, and the rest of it stays the same" {
	write_rows
	printf 'constant\ta call, 1024 MiB resident\t8 us\tthe same, 0 MiB\t7\t1.1\t1-2\t<= 1.15\t\tmet\n' >>"$IDM_BENCH_ROWS"
	printf 'constant\ta call, 8192 MiB resident\t \t\t\t\t\t\t\tskipped: it is too much\n' >>"$IDM_BENCH_ROWS"
	printf 'rootless-files\trootless overlay: stat\t2 us\tnative overlay\t1\t2\t1-2\t<= 1.2\t\tmissed\n' >>"$IDM_BENCH_ROWS"
	printf 'parse 123456\n' >"$BATS_TEST_TMPDIR/instructions"
	printf 'mount umount2 1 6\nmount close 2 3.97\nmount read 1 0.03\n' >"$BATS_TEST_TMPDIR/where"
	sed '/^<!-- .* from here -->$/,/^<!-- .* to here -->$/ { /^<!--/!d }' "$ROOT/docs/performance.md" >"$BATS_TEST_TMPDIR/bare.md"
	cp "$BATS_TEST_TMPDIR/bare.md" "$BATS_TEST_TMPDIR/doc.md"
	for i in 1 2; do
		quietly "$ROOT/bench/lib/table.py" markdown "$IDM_BENCH_ROWS" "$BATS_TEST_TMPDIR/where" "$BATS_TEST_TMPDIR/instructions" "$BATS_TEST_TMPDIR/doc.md"
		same 'rows' $'| user namespace | 80 µs | fork, pause, kill | 200 | 2.5 | 1–2 | ≥ 20 | 3.1 | lower bound |\n| user namespace, 64 MiB resident | 81 µs | fork, pause, kill | 2300 | 28 | 1–2 | ≥ 20 | 3.1 | met |' \
			"$(grep '^| user namespace' "$BATS_TEST_TMPDIR/doc.md")"
		same 'users' $'### Ordinary users\n| rootless overlay: stat | 2 µs | native overlay |' \
			"$(grep -oE '^(### O.*|[|] rootless overlay: stat [|] 2 µs [|] native overlay [|])' "$BATS_TEST_TMPDIR/doc.md")"
		same 'memory' '| a call | 7 µs | 1.1 (1–2) | skipped: it is too much |' "$(grep '^| a call' "$BATS_TEST_TMPDIR/doc.md")"
		same 'calls' '| a mapped mount, and its unmounting | 10 | umount2 60%, close ×2 40%, all others 0% |' \
			"$(grep '^| a mapped mount' "$BATS_TEST_TMPDIR/doc.md")"
		same 'instructions' '| parse and sort a map of 340 entries, from text | 123,456 |' "$(grep '^| parse' "$BATS_TEST_TMPDIR/doc.md")"
	done
	sed -i '/^<!-- .* from here -->$/,/^<!-- .* to here -->$/ { /^<!--/!d }' "$BATS_TEST_TMPDIR/doc.md"
	quietly diff "$BATS_TEST_TMPDIR/bare.md" "$BATS_TEST_TMPDIR/doc.md"
}

@test "the picture is a picture" {
	write_rows
	quietly "$ROOT/bench/lib/picture.py" userns "$IDM_BENCH_ROWS" "$BATS_TEST_TMPDIR/picture.svg"
	python3 -c 'import sys, xml.dom.minidom as x; d = x.parse(sys.argv[1]); assert len(d.getElementsByTagName("polyline")) == 2' \
		"$BATS_TEST_TMPDIR/picture.svg"
	prints '1 targets met, 1 missed where bare system calls miss them too, 0 missed otherwise, 0 lines skipped' \
		"$ROOT/bench/lib/table.py" summary "$IDM_BENCH_ROWS"
}

# Two hosts, the two ways of the library, and the ways of engines.
@test "the picture of a storm has a dot for each way and host" {
	"$BENCH/storm" >/dev/null
	quietly "$ROOT/bench/lib/picture.py" storm "$IDM_BENCH_ROWS" "$BATS_TEST_TMPDIR/picture.svg"
	same 'dots' 8 "$(grep -c '<circle' "$BATS_TEST_TMPDIR/picture.svg")"
	same 'events' $'3 mount events\n3 mount events\n9 mount events\n21 mount events' \
		"$(grep -o '[0-9]* mount events' "$BATS_TEST_TMPDIR/picture.svg")"
}

@test "the picture of chown has a dot for each way and number of files" {
	local files

	for files in 100 1000; do
		printf 'commands\tseeing %s files under other IDs\t3000 us\tchown -R\t%s000\t1\t1-2\t>= 1\t\tmet\n' "$files" "$files"
	done >"$IDM_BENCH_ROWS"
	IDM_BENCH_NOTE='a remark' quietly "$ROOT/bench/lib/picture.py" chown "$IDM_BENCH_ROWS" "$BATS_TEST_TMPDIR/picture.svg"
	same 'dots' 4 "$(grep -c '<circle' "$BATS_TEST_TMPDIR/picture.svg")"
	same 'labels' $'chown -R, and back: 1 s\nmount, look, unmount: 3 ms' \
		"$(grep -oE '(chown -R|mount), [^<]*' "$BATS_TEST_TMPDIR/picture.svg" | sort)"
	grep -q 'a remark' "$BATS_TEST_TMPDIR/picture.svg"
}

# write_output KERNEL RATIO RATIO STATUS: what a machine said of one benchmark.
write_output()
{
	mkdir -p "$BATS_TEST_TMPDIR/kept/amd64-$1"
	{
		printf '#vm begin plan\nplan of 30 mounts  50 us\n'
		printf 'plan\t%s\t50 us\tmount(2)\t40\t%s\t1-2\t\t%s\t\n' 'plan of 30 mounts' "$2" 1.1 'the same, as before' "$3" ''
		printf 'plan\tnothing\t \t\t\t\t\t\t\tskipped: too new\n#vm end plan %s 9\n#vm done\n' "$4"
	} >"$BATS_TEST_TMPDIR/kept/amd64-$1/output"
}

@test "ratios in emulated machines have a table, unless a benchmark failed" {
	write_output 6.12 1.3 1.4 0
	write_output 6.1 1.5 1.6 0
	# run.sh leaves these, too.
	echo 'plan 0123' >"$BATS_TEST_TMPDIR/kept/sums-amd64"
	echo plan >"$BATS_TEST_TMPDIR/kept/known"
	prints $'| question | yardstick | 6.1 | 6.12 |\n|---|---|---|---|\n| plan of 30 mounts | mount(2) | 1.5 (1.1) | 1.3 (1.1) |\n| plan of 30 mounts, as before | mount(2) | 1.6 | 1.4 |' \
		"$ROOT/bench/lib/table.py" machines "$BATS_TEST_TMPDIR/kept"
	cp "$ROOT/docs/performance.md" "$BATS_TEST_TMPDIR/doc.md"
	quietly "$ROOT/bench/lib/table.py" machines "$BATS_TEST_TMPDIR/kept" "$BATS_TEST_TMPDIR/doc.md"
	same 'rows in the document' 2 "$(grep -c '^| plan of 30 mounts.* | mount(2) | 1\.' "$BATS_TEST_TMPDIR/doc.md")"
	write_output 6.1 1.5 1.6 1
	fails 1 'Linux 6.1: plan failed' "$ROOT/bench/lib/table.py" machines "$BATS_TEST_TMPDIR/kept"
}

@test "figures of a smoke test are not for the document" {
	fails 2 'run.sh: figures that mean nothing are not for the document' "$ROOT/bench/run.sh" --doc
	fails 2 'run.sh: unknown option --fast; see --help' "$ROOT/bench/run.sh" --fast
}
