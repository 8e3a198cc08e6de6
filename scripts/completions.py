#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes the completion for zsh or fish from the help of the command, and from the lists of words for bash.

usage: completions.py IDMOUNT zsh|fish

completion/_idmount and completion/idmount.fish are its output. A test compares them.
"""
import re
import subprocess
import sys

HELP_COLUMN = 30

# The kind of value that an option has, by its name in the help. Other values are free text.
VALUES = {
    "MAP": "map", "PATH|PID": "files", "PATH": "files", "FILE": "files", "DIR": "directories",
    "DIR[:DIR]...": "directories", "SRC:DST[:OPTIONS]": "files", "USER[:GROUP]": "users",
    "OPTIONS": "mount_options", "COLUMNS": "columns", "CAP[,CAP]...": "capabilities",
}

# The kind of operands of a command. Other commands have none.
OPERANDS = {
    "mount": "files", "umount": "targets", "list": "targets", "check": "files", "explain": "files", "overlay": "files",
    "apply": "files", "bundle": "bundle", "run": "command", "cure": "files", "help": "names",
}

BASH = "completion/idmount.bash"


def output_of(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def commands_of(idmount):
    return re.findall(r"^  ([a-z-]+) +(.*)$", output_of(idmount, "--help"), re.MULTILINE)


def first_words(text):
    """The beginning of a description, up to the first semicolon, colon or bracket."""
    return re.split(r"[;:]| \(", text)[0].strip(" ,").replace('"', "")


def options_of(idmount, command):
    """Tuples of letter, name, argument and description."""
    lines = output_of(idmount, "help", command).split("\n")
    for i, line in enumerate(lines):
        short = line[HELP_COLUMN - 1:HELP_COLUMN].strip() == ""
        found = re.match(r"  (?:-(\w), |    )--([a-z-]+)(?: (\S+))?$", (line[:HELP_COLUMN] if short else line).rstrip())
        if not found:
            continue
        text = [line[HELP_COLUMN:]] if short else []
        for more in lines[i + 1:]:
            if not more.startswith(" " * HELP_COLUMN):
                break
            text.append(more.strip())
        letter, name, argument = found.groups()
        # The help of -o of "mount" is the list itself.
        words = first_words(" ".join(text))
        yield letter, name, argument, words if len(words) < 100 else "mount options, separated by commas"


def words_of(function):
    """The list in a function of the completion for bash."""
    with open(BASH, encoding="utf-8") as file:
        text = file.read().split(f"_idmount_{function}()", 1)[1]
    return re.search(r"-W '([^']*)'", text).group(1).split()


def value_of(argument):
    """A kind of VALUES, a list of words, or None."""
    if re.fullmatch(r"[a-z-]+(\|[a-z-]+)+", argument):
        return argument.split("|")
    return VALUES.get(argument)


# ---- zsh ----

ZSH = r"""#compdef idmount
# SPDX-License-Identifier: MIT
# scripts/completions.py has made this file.

_idmount_targets()
{
	local -a targets
	targets=(${(f)"$(idmount list --raw --noheadings --output target 2>/dev/null)"})
	compadd -- "${(@g:o:)targets}"
}

_idmount_map()
{
	local kind=users
	compset -P '*[,+]'
	compset -P '(g|gid):' && kind=groups
	compset -P '(u|uid|b|both):'
	if compset -P '*:'; then
		_$kind
	else
		_$kind -S :
		compadd -S '' -- owner: u: g: b:
		compadd -- auto
	fi
}

_idmount_mount_options()
{
	_values -s , option @WORDS@
}

_idmount_capabilities()
{
	_values -s , capability @CAPABILITIES@
}

_idmount_columns()
{
	compset -P '+'
	_values -s , column @COLUMNS@
}

_idmount_bundle()
{
	_values action mount umount
	_directories
}

_idmount_names()
{
	_values command @NAMES@
}
"""

ZSH_ACTIONS = {
    "map": "_idmount_map", "files": "_files", "directories": "_directories", "users": "_users",
    "mount_options": "_idmount_mount_options", "columns": "_idmount_columns", "capabilities": "_idmount_capabilities",
    "targets": "_idmount_targets", "bundle": "_idmount_bundle", "names": "_idmount_names",
}


def quoted(text):
    return "'" + text.replace("'", "'\\''") + "'"


def zsh_action(value):
    return f"({' '.join(value)})" if isinstance(value, list) else ZSH_ACTIONS.get(value, " ")


def zsh_option(letter, name, argument, text):
    text = re.sub(r"([\[\]:])", r"\\\1", text)
    value = ":" + re.sub(r"([\[\]:])", r"\\\1", argument) + ":" + zsh_action(value_of(argument)) if argument else ""
    long = f"--{name}{'=' if argument else ''}[{text}]{value}"
    short = [] if not letter else [f"-{letter}{'+' if argument else ''}[{text}]{value}"]
    return [quoted("*" + spec) for spec in short + [long]]


def zsh_operands(command):
    kind = OPERANDS.get(command)
    if kind == "command":
        return ["'(-)1: :_command_names -e'", "'*:: :_normal'"]
    return [quoted(f"*:operand:{ZSH_ACTIONS[kind]}")] if kind else []


def print_zsh(idmount):
    commands = commands_of(idmount)
    names = " ".join(name for name, _ in commands if name != "help")
    print(ZSH.replace("@WORDS@", " ".join(words_of("words"))).replace("@COLUMNS@", " ".join(words_of("columns")))
          .replace("@CAPABILITIES@", " ".join(words_of("capabilities"))).replace("@NAMES@", names))
    print("_idmount()\n{\n\tlocal context state state_descr line curcontext=$curcontext\n\tlocal -A opt_args\n"
          "\tlocal -a all specs\n\n\tall=(")
    for name, text in commands:
        print(f"\t\t{quoted(name + ':' + text)}")
    print("\t)\n\t_arguments -C '(- : *)'{-h,--help}'[show the help]' '(- : *)'{-V,--version}'[show the version]' \\\n"
          "\t\t'1:command:->command' '*::argument:->argument'\n\tcase $state in\n\tcommand)\n"
          "\t\t_describe command all\n\t\treturn\n\t\t;;\n\targument) ;;\n\t*)\n\t\treturn\n\t\t;;\n\tesac\n"
          "\tcase $words[1] in")
    for name, _ in commands:
        specs = [spec for option in (options_of(idmount, name) if name != "help" else ()) for spec in zsh_option(*option)]
        print(f"\t{name})\n\t\tspecs=(")
        for spec in specs + zsh_operands(name):
            print(f"\t\t\t{spec}")
        print("\t\t)\n\t\t;;")
    print('\tesac\n\t_arguments -s -S $specs\n}\n\n_idmount "$@"')


# ---- fish ----

FISH = r"""# SPDX-License-Identifier: MIT
# scripts/completions.py has made this file.

function __idmount_is
    set -l words (commandline -opc)
    test (count $words) -gt 1; and test $words[2] = $argv[1]
end

# To fish a line is a candidate, and a tab starts a description. So names with these are left out.
# Without a zero in front of an octal escape, printf would take a digit behind it along.
function __idmount_targets
    idmount list --raw --noheadings --output target 2>/dev/null | string match -rv '\\\\01[12]' | while read -l target
        printf '%b\n' (string replace -a '\\' '\\0' -- $target)
    end
end

# Prints words behind the list that has been typed so far.
function __idmount_list
    set -l given (commandline -ct | string match -r '^.*,')
    printf '%s\n' "$given"$argv
end

function __idmount_map
    set -l map (commandline -ct | string replace -r '^--?m(ap=)?' '')
    set -l given (string match -r '^.*[,+:]' -- $map)
    set -l entry (string replace -r '^.*[,+]' '' -- $map)
    if string match -qr '^g(id)?:' -- $entry
        printf '%s\n' "$given"(__fish_complete_groups | string replace -r '\t.*' '')
    else
        printf '%s\n' "$given"(__fish_complete_users | string replace -r '\t.*' '')
    end
    if test -z "$given"
        printf '%s\n' auto owner: u: g: b:
    end
end

# The program of "run" and its arguments, behind "--".
function __idmount_program
    set -l words (commandline -opc)
    set -l at (contains -i -- -- $words); or return
    set -e words[1..$at]
    complete -C (string join -- ' ' (string escape -- $words) (commandline -ct))
end

complete -c idmount -f
complete -c idmount -n __fish_use_subcommand -s h -l help -d 'show the help'
complete -c idmount -n __fish_use_subcommand -s V -l version -d 'show the version'"""

FISH_ACTIONS = {
    "map": "(__idmount_map)", "users": "(__fish_complete_users)", "directories": "(__fish_complete_directories)",
    "targets": "(__idmount_targets)",
}


def fish_action(value):
    if isinstance(value, list):
        return f" -x -a {quoted(' '.join(value))}"
    if value == "files":
        return " -r -F"
    lists = {"mount_options": "words", "columns": "columns", "capabilities": "capabilities"}
    if value in lists:
        return f" -x -a {quoted('(__idmount_list ' + ' '.join(words_of(lists[value])) + ')')}"
    return " -x" + (f" -a {quoted(FISH_ACTIONS[value])}" if value else "")


def fish_operands(command, names):
    kind = OPERANDS.get(command)
    if kind in ("files", "bundle"):
        return " -F" + (" -a 'mount umount'" if kind == "bundle" else "")
    actions = {"names": names, "command": "(__idmount_program)"}
    return f" -a {quoted(actions.get(kind) or FISH_ACTIONS[kind])}" if kind else None


def print_fish(idmount):
    commands = commands_of(idmount)
    names = " ".join(name for name, _ in commands if name != "help")
    print(FISH)
    for name, text in commands:
        print(f"complete -c idmount -n __fish_use_subcommand -a {name} -d {quoted(text)}")
    for name, _ in commands:
        start = f"complete -c idmount -n '__idmount_is {name}'"
        for letter, option, argument, text in options_of(idmount, name) if name != "help" else ():
            print(f"{start}{' -s ' + letter if letter else ''} -l {option}"
                  f"{fish_action(value_of(argument)) if argument else ''} -d {quoted(text)}")
        operands = fish_operands(name, names)
        if operands:
            print(start + operands)


def main():
    if len(sys.argv) != 3 or sys.argv[2] not in ("zsh", "fish"):
        sys.exit(__doc__)
    (print_zsh if sys.argv[2] == "zsh" else print_fish)(sys.argv[1])


main()
