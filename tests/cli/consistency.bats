#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# The manual and the completion agree with the program's help, and with the header.
load common

setup()
{
	cd "$ROOT"
	page=man/idmount.8.scd
	helper_page=man/mount.idmap.8.scd
	# shellcheck source=/dev/null
	source completion/idmount.bash
}

# Replaces a builtin that fails outside of a running completion.
compopt()
{
	:
}

# offered WORD...: prints what the completion offers for the last WORD.
offered()
{
	COMP_WORDS=("$@")
	COMP_CWORD=$(($# - 1))
	COMP_LINE="$*"
	COMP_POINT=${#COMP_LINE}
	_idmount
	printf '%s\n' "${COMPREPLY[@]}" | sort
}

commands()
{
	idmount --help | awk '/^  [a-z-]+ /{ print $1 }' | sort
}

# The commands with options.
real_commands()
{
	commands | grep -v '^help$'
}

# help_heads COMMAND: prints "-m, --map MAP" for each option except --help, which all commands have.
help_heads()
{
	idmount help "$1" | sed -nE 's/^  (   )? ?((-., )?--[^ ]+( [^ ]+)?)( .*)?$/\2/p' | grep -v -- --help | sort
}

# Prints the same from the page: the definitions in the section of the command.
page_heads()
{
	awk -v title="## idmount $1 " '/^#/ { wanted = index($0 " ", title) == 1 } wanted && /^\*-/' "$page" |
		tr -d '*_' | sort
}

options()
{
	grep -oE -- '(^|[ ,])--?[A-Za-z][a-z-]*' | tr -d ' ,' | sort
}

# ---- the words of -o: the table of the parser, and all texts that name them ----

table_words()
{
	sed -nE '/options\[\] = \{/,/^\};/s/^\t\{ "([a-z]+)", .* false \},.*/\1/p' lib/base/mount-attr.c | sort
}

help_words()
{
	idmount help mount | awk '/^  -o/ { on = 1; sub(/.*OPTIONS/, "") } /^  -t/ { on = 0 } on' | tr -cs 'a-z' '\n' |
		grep -vE '^(|their|opposites|and|one|of|separated|by|commas)$' | sort
}

page_words()
{
	awk '/^## idmount mount/ { on = 1 } /^## idmount umount/ { on = 0 } on && /^\t\*[a-z]+\*(,|$)/' "$page" |
		tr -cs 'a-z' '\n' | grep . | sort
}

helper_page_words()
{
	awk '/^\*ro\*/ { on = 1 } on && !/^\*/ { exit } on' "$helper_page" | tr -cs 'a-z' '\n' | grep . | sort
}

# ---- the documents ----

documents()
{
	printf '%s\n' README.md CONTRIBUTING.md SECURITY.md NEWS.md docs/*.md
}

# missing_paths DOCUMENT...: the paths in this tree that a document names and that do not exist. They begin with a
# folder of the tree, end like a file's name, or are links: relative to the tree, to lib/ or to the document's folder.
missing_paths()
{
	local folders document path place found=$BATS_TEST_TMPDIR/paths

	folders='bench|cli|completion|contrib|docs|examples|include|lib|man|oci|scripts|tests'
	grep -HoP '(?<![\w/.~$*-])(?:(?:'"$folders"')/[\w.*/-]*[\w*]|(?:[\w.*-]+/)+[\w.*-]+\.(?:c|h|sh|py|bats|bash|md|svg)\b)' "$@" >"$found"
	grep -HoP '(?<=\]\()(?!\w+:)[\w./-]+(?=[)#])' "$@" >>"$found"
	sort -u "$found" | while IFS=: read -r document path; do
		for place in . lib "$(dirname "$document")"; do
			! compgen -G "$place/$path" >/dev/null || continue 2
		done
		echo "$document: $path"
	done
}

# ---- the C pages ----

symbols()
{
	sed -nE 's/^\t(idm_[a-z_]+);$/\1/p' lib/libidmount.map | sort
}

# Prints it without comments, in one line.
bare()
{
	perl -0pe 's,/\*.*?\*/,,gs' | tr -s ' \t\n' ' '
}

header()
{
	bare <include/idmount.h
}

# literal PAGE: prints its literal blocks.
literal()
{
	awk '/^\t*```/ { on = !on; next } on' "$1" | bare
}

# prototypes PAGE: prints those of its synopsis, one a line.
prototypes()
{
	awk '/^# / { synopsis = $0 == "# SYNOPSIS" } /^```/ { on = !on; next } on && synopsis && !/^#/' "$1" |
		tr -s ' \t\n' ' ' | sed 's/; */;\n/g' | sed 's/^ *//' | grep .
}

c_pages()
{
	printf '%s\n' man/*.3.scd
}

# names PAGE: prints all names before the dash in its section NAME.
names()
{
	awk '/^# / { on = $0 == "# NAME"; next } on' "$1" | tr '\n' ' ' | sed 's/ - .*/\n/' | tr -d ' ' | tr ',' '\n'
}

@test "every command is in the manual and the completion, and no other" {
	same 'the manual' "$(commands)" "$(sed -nE 's/^## idmount ([a-z][a-z-]*)( .*)?$/\1/p' "$page" | sort)"
	same 'the completion' "$(commands)" "$(offered idmount '' | grep -v '^-')"
	same 'the completion of help' "$(real_commands)" "$(offered idmount help '')"
}

@test "every option of every command is in the manual as in the help, and no other" {
	local command

	for command in $(real_commands); do
		# Runtimes call a hook without options.
		[[ $command == oci-hook || -n $(help_heads "$command") ]]
		same "idmount $command" "$(help_heads "$command")" "$(page_heads "$command")"
	done
	grep -A 3 '^## idmount help' "$page" | grep -F -e '*--help*'
}

@test "every option of every command is in the completion, and no other" {
	local command

	for command in $(real_commands); do
		same "idmount $command" "$(idmount help "$command" | grep '^  ' | grep -oE '^ +(-., )?--[a-z-]+' | options)" \
			"$(offered idmount "$command" -)"
	done
	same 'idmount' '--help --version -V -h' "$(offered idmount - | xargs)"
}

@test "bash completes names of a map, and the program of run" {
	grep -qx root: <(offered idmount mount -m ro)
	grep -qx root: <(offered idmount mount -m '')
	grep -qx auto <(offered idmount mount -m '')
	same 'a second entry' '1,root:' "$(offered idmount mount -m 1,root)"
	same 'a program' 1 "$(offered idmount run --rootfs / -- bash | grep -cx bash)"
	same 'its file' completion/idmount.bash "$(offered idmount run --rootfs / -- cat completion/idmount.b)"
	same 'no program before' '--bind' "$(offered idmount run --rootfs / --bi)"
}

@test "the completions for zsh and fish are what scripts/completions.py makes of the help" {
	diff -u completion/_idmount <(scripts/completions.py "$IDMOUNT" zsh)
	diff -u completion/idmount.fish <(scripts/completions.py "$IDMOUNT" fish)
}

# fish_offers LINE: prints what fish completes, without descriptions.
fish_offers()
{
	HOME=$BATS_TEST_TMPDIR fish --no-config -c 'source completion/idmount.fish; complete -C $argv[1]' "$1" | cut -f1 | sort
}

@test "fish completes what the help has" {
	local command

	type -P fish || skip 'there is no fish'
	same 'commands' "$(commands)" "$(fish_offers 'idmount ')"
	for command in $(real_commands); do
		same "$command" "$(idmount help "$command" | grep '^  ' | grep -oE '^ +(-., )?--[a-z-]+' | grep -oE -- '--[a-z-]+' | sort)" \
			"$(fish_offers "idmount $command --")"
	done
	same 'a map' '1:2,root:daemon' "$(fish_offers 'idmount mount -m 1:2,root:daemo')"
	same 'columns' 'ID,UID-MAP' "$(fish_offers 'idmount list -o ID,UI')"
	same 'words' 'ro,nosuid' "$(fish_offers 'idmount mount -o ro,nosui')"
	same 'a program' 1 "$(fish_offers 'idmount run --rootfs / -- bas' | grep -cx bash)"
	same 'the command of help' list "$(fish_offers 'idmount help lis')"
}

@test "zsh gets each option of the help" {
	local command

	type -P zsh || skip 'there is no zsh'
	zsh -fn completion/_idmount
	for command in $(real_commands); do
		# _arguments is the function of zsh that parses them.
		same "$command" "$(idmount help "$command" | grep '^  ' | grep -oE '^ +(-., )?--[a-z-]+' | options)" \
			"$(zsh -fc '
				_arguments() { [[ $1 != -C ]] || { state=argument; return }; print -rl -- "$@" }
				words=($1)
				source completion/_idmount' zsh "$command" | sed -nE 's/^\*(--?[a-zA-Z-]*[a-zA-Z])[=+]?\[.*/\1/p' | sort)"
	done
}

@test "every option of the help is known" {
	local command option

	for command in $(real_commands); do
		for option in $(help_heads "$command" | options); do
			run idmount "$command" "$option"
			[[ $output != *'unknown option'* ]]
		done
		# The exit status of "run" is that of the program that it runs.
		run "-$([[ $command == run ]] && echo 125 || echo 2)" idmount "$command" --no-such-option
		[[ $output == "idmount: $command: --no-such-option: unknown option; see \"idmount help $command\"" ]]
	done
}

@test "the manual knows which options take a value, and the completion completes some" {
	same 'the formats' "$(printf '%s\n' containerd crun kernel oci text util-linux)" \
		"$(offered idmount map --format '')"
	local format

	for format in $(offered idmount map --format ''); do
		run -0 idmount map -m 0:1 --format "$format"
		grep -qx "	_${format}_" "$page"
		idmount help map | grep -qwF -e "$format"
	done
}

@test "the words of -o are the same everywhere, and all are accepted" {
	local word

	[[ -n $(table_words) ]]
	same 'the help' "$(table_words)" "$(help_words)"
	same 'idmount(8)' "$(table_words)" "$(page_words)"
	same 'mount.idmap(8)' "$(table_words)" "$(helper_page_words)"
	same 'the completion' "$(table_words)" "$(offered idmount mount -o '')"
	for word in $(table_words); do
		fails 2 'idmount: mount: expected SOURCE and TARGET; see "idmount help mount"' \
			idmount mount -m 0:1 -o "$word"
		quietly "$MOUNT_IDMAP" -f /source /target -o "map=0:1,$word"
	done
}

@test "the other words of the mount helper are in its page, and accepted" {
	local word known

	known=$(sed -nE '/^static bool is_for_mount/,/^}/s/^\t\t"/"/p' cli/common/fstab-options.c | tr -cs 'a-z_' '\n' | grep .
		sed -n '/^static bool set_own_flag/,/^}/p' cli/common/fstab-options.c | grep -oE '\{ "[a-z-]+"' | tr -dc 'a-z\n-'
		sed -nE 's/.*strcmp\(option, "([a-z-]+)"\) == 0.*/\1/p' cli/common/fstab-options.c)
	[[ $known == *nofail* && $known == *replace* ]]
	for word in $known; do
		grep -qF -e "*${word/_/\\_}*" "$helper_page"
	done
	quietly "$MOUNT_IDMAP" -f /source /target -o "userns=$$"
	for word in keep-rest recursive mkdir replace defaults auto noauto user nouser users \
		nousers owner noowner group nogroup nofail _netdev comment=x x-some.thing X-some.thing=1; do
		quietly "$MOUNT_IDMAP" -f /source /target -o "map=5:6,$word"
		grep -qE "\*\\\\?${word%%=*}" "$helper_page" || [[ $word == [xX]-* ]]
	done
	fails 1 'mount.idmap: bind: unknown option; see mount.idmap(8)' \
		"$MOUNT_IDMAP" -f /source /target -o map=0:1,bind
}

@test "the flags of the mount helper are in its page" {
	local flag

	same 'getopt' 'sfnvN:t:o:h' "$(sed -nE 's/.*getopt_long\(argc, argv, "(.*)", .*/\1/p' cli/mount-idmap.c)"
	for flag in s f n v N t; do
		grep -qE "^\*-$flag\*" "$helper_page"
	done
	same 'usage' "$(grep -F '*mount.idmap* _SOURCE_' "$helper_page" | tr -d '*_')" \
		"$("$MOUNT_IDMAP" --help | sed -n 's/^usage: //p')"
}

@test "every exported function has a page by its name, and no other function" {
	local page

	same 'the sections NAME' "$(symbols)" "$(for page in $(c_pages); do names "$page"; done | grep -v '^libidmount$' | sort)"
	for page in $(c_pages); do
		while read -r name; do
			[[ $page == "man/$name.3.scd" ]] ||
				grep -A 30 "^  '$(basename "$page" .scd)': \[" man/meson.build | sed '/\],/q' | grep -qF "'$name'"
		done < <(names "$page")
	done
}

@test "the prototypes and structures of the manual are those of the header" {
	local page prototype header text

	header=$(header)
	[[ $header == *'int idm_umount(int dirfd, const char *target, unsigned int flags, struct idm_error *err);'* ]]
	for page in $(c_pages); do
		while read -r prototype; do
			echo "$page: $prototype"
			[[ $header == *" $prototype"* ]]
		done < <(prototypes "$page")
		while read -r text; do
			echo "$page: $text"
			[[ $header == *" $text"* ]]
		done < <(literal "$page" | grep -oE 'struct idm_[a-z_]+ \{[^}]*\}')
	done
	same 'the functions with a prototype' "$(symbols)" \
		"$(for page in $(c_pages); do prototypes "$page"; done | grep -oE 'idm_[a-z_]+\(' | tr -d '(' | sort)"
}

@test "every constant of the header is in the manual, and no other" {
	local in_header in_manual

	in_header=$(header | grep -oE '\bIDM_[A-Z_0-9]+' | sort -u)
	in_manual=$(cat man/*.3.scd | tr -d '\\' | sed -E 's/IDM_[A-Z_]+_\*//g' | grep -oE '\bIDM_[A-Z_0-9]+' | sort -u)
	same 'the manual' "$in_header" "$in_manual"
}

@test "the pages state the version of the program" {
	local version page

	version=$(idmount --version)
	version=${version#idmount }
	for page in man/*.scd; do
		head -1 "$page" | grep -F " $version\" "
	done
}

# groff of Debian 12 leaves out others where the locale is not UTF-8. It prints this one as "->".
@test "the pages have no character that another locale lacks, but the arrow" {
	LC_ALL=C.UTF-8 run grep -nP '[^\x00-\x7f→]' man/*.scd
	same characters '' "$output"
	same 'exit status' 1 "$status"
}

@test "the first line of a page with a table asks for tbl(1)" {
	local page text with_table=0

	type -P scdoc >/dev/null || skip 'scdoc is not installed'
	for page in man/*.scd; do
		text=$(scripts/man-page.sh scdoc /usr/bin <"$page")
		if [[ $text == *$'\n.TS\n'* ]]; then
			with_table=$((with_table + 1))
			same "$page" "'\\\" t" "$(head -1 <<<"$text")"
		else
			[[ $text == '.\" Generated by scdoc'* ]]
		fi
	done
	((with_table > 0))
}

# ---- hints: the library names flags and functions, each front end its own options ----

@test "hints of the library name no option, and each front end has an option for each of their names" {
	python3 - <<-'END'
		import glob, re

		# Whole commands may contain options: those of other programs, and those that begin with the program's name.
		others = re.compile(
		    r"mount --(bind|make-private)|--make-private|\blsns -t|nsenter [^;]*|\bfuser -vm|ulimit -[un]|"
		    r"mount it with -t|mount -o [a-z,=]+|mount -t ext4|usermod --add-sub\S+|"
		    r"unshare( --[a-z-]+)+|idmount [a-z]+ --[a-z]+|idmountd --socket")
		option = re.compile(r"(?:^|[\s(])(--[a-z][a-z-]+|-[a-zA-Z])(?=[\s,;:)=]|$)")
		literal = re.compile(r'"(?:[^"\\]|\\.)*"(?:\s*"(?:[^"\\]|\\.)*")*')
		name = re.compile(r"\b(?:IDM_[A-Z_]+|idm_[a-z_]+\(\))")
		# Only programs that call the library see these.
		calls = {"idm_plan_apply()", "idm_reaper_start()", "idm_tree_open()"}
		table = set(re.findall(r'^\t\{ "([^"]+)"', open("cli/common/option-names.c").read(), re.M))
		texts = wrong = 0
		for path in glob.glob("lib/**/*.c", recursive=True):
		    source = re.sub(r"/\*.*?\*/|//[^\n]*|^#include.*?$", "", open(path).read(), flags=re.S | re.M)
		    for found in literal.findall(source):
		        text = re.sub(r'"\s*"', "", found)[1:-1]
		        texts += 1
		        if option.search(others.sub("", text)):
		            wrong += 1
		            print(f"{path}: an option: {text}")
		    for call in re.findall(r"idm_hint\(.*?\);", source, re.S):
		        for n in set(name.findall("".join(literal.findall(call)))) - table - calls:
		            wrong += 1
		            print(f"{path}: no word for {n}")
		assert texts > 500 and len(table) > 5 and not wrong
	END
}

@test "every file and folder that a document names exists" {
	local text=$BATS_TEST_TMPDIR/text.md

	same 'missing' '' "$(missing_paths $(documents))"
	# The check finds a wrong name.
	printf '%s\n' '`lib/base/error.c`, `lib/map.c`, sys/no.h, [x](gone.md#y) tests/json-*.c;' '/etc/x/y.c build-gcc/tests/test-x' >"$text"
	same 'noticed' "$text: gone.md"$'\n'"$text: lib/map.c"$'\n'"$text: sys/no.h"$'\n'"$text: tests/json-*.c" "$(missing_paths "$text")"
}

# Debian's python3 is there wherever meson is.
@test "README: the pictures are those of this tree" {
	local file

	"$ROOT/docs/pictures/map.py" "$IDMOUNT" | diff "$ROOT/docs/map.svg" -
	same 'the recorded commands' "$(sed -n 's/^show /$ /p' "$ROOT/demo.sh")" \
		"$(sed -n 's/.*class="typed"[^>]*>\([^<]*\)<.*/\1/p' "$ROOT/docs/demo.svg")"
	for file in $(grep -o 'docs/[a-z-]*\.svg' "$ROOT/README.md"); do
		python3 -c 'import sys, xml.dom.minidom; xml.dom.minidom.parse(sys.argv[1])' "$ROOT/$file"
	done
}

@test "a viewer that does not animate shows all of a recording" {
	local picture

	run -0 --separate-stderr "$ROOT/docs/pictures/demo.py" echo one
	for picture in "$output" "$(<"$ROOT/docs/demo.svg")"; do
		[[ $picture == *'@keyframes appear { from { opacity: 0 } }'* ]]
		same 'what hides a line' '' "$(grep -v '^@keyframes' <<<"$picture" | grep opacity)"
	done
}

# wide_lines DOCUMENT...: prints lines of code blocks that are wider than 80 columns. Not those of ```text, which is output.
wide_lines()
{
	perl -CSD -ne 'if (/^ *```(.*)/) { $in = !$in; $text = $1 =~ /^text/; next }
		print "$ARGV: $_" if $in && !$text && length() > 81; $in = 0 if eof' "$@"
}

# The blocks of two documents are drawings.
@test "what is copied from a document fits 80 columns" {
	local text=$BATS_TEST_TMPDIR/text.md wide

	wide=$(printf '%081d' 0)
	same 'long lines' '' "$(wide_lines $(documents | grep -vE '/(design|architecture)\.md$'))"
	# The check finds a line, and only that.
	printf '%s\n' "$wide" '```sh' "${wide/0/a}" "${wide/00/ä}" '```' '```text' "$wide" '```' >"$text"
	same 'noticed' "$text: ${wide/0/a}" "$(wide_lines "$text")"
}

@test "a picture of what a command prints, and no picture of one that fails" {
	run -0 --separate-stderr "$ROOT/docs/pictures/demo.py" sh -c 'echo "$ echo <one>"; echo "<one>"'
	[[ $output == *'class="typed" xml:space="preserve">$ echo &lt;one&gt;</text>'* ]]
	run -1 --separate-stderr "$ROOT/docs/pictures/demo.py" sh -c 'echo one; exit 3'
	same 'standard output' '' "$output"
	[[ $stderr == *'sh: exit status 3' ]]
}

# docs/kernels.md has them after "Before Linux N,".
@test "the reason of a test that is not tried names no release of Linux" {
	local reasons

	reasons=$(grep -rhoE 'untried\("[^"]*"' "$ROOT/tests" --include='*.c')
	[[ $reasons == *kernel* ]]
	same 'releases in reasons' '' "$(grep 'Linux' <<<"$reasons" || true)"
	same 'doubled words' '' "$(grep -E 'Before Linux .* (before|from) Linux' "$ROOT/docs/kernels.md" || true)"
}
