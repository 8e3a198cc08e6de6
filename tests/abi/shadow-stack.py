#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A program with this library can run with shadow stacks (CET), if the compiler marks its objects for that.

Debian's startup files have no mark, and its build asks for none by default. So this compiles the objects of the
children again, with the mark, and links them alone.
"""
import json
import os
import platform
import re
import shlex
import subprocess
import sys
import tempfile

BUILD = os.environ["IDM_BUILD_ROOT"]
OBJECTS = "lib/libchild.a.p/"
MARK = ["-fcf-protection=full"]


def compile_commands():
    with open(os.path.join(BUILD, "compile_commands.json"), encoding="utf-8") as commands:
        return [shlex.split(entry["command"]) for entry in json.load(commands) if OBJECTS in entry["output"]]


def first_option(command):
    return next(i for i, word in enumerate(command) if word.startswith("-"))


def compile_marked(command, directory):
    """The mark is where CFLAGS are: options of this tree come behind them, and win."""
    source = command[-1]
    first = first_option(command)
    output = os.path.join(directory, os.path.basename(source) + ".o")
    words = command[:first] + MARK + command[first:]
    words[words.index("-o") + 1] = output
    for option in ("-MF", "-MQ"):
        words[words.index(option) + 1] = output + ".d"
    subprocess.run(words, cwd=BUILD, check=True)
    return output


def output_of(*words):
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout


def report(number, ok, title, why):
    for line in [] if ok else why.splitlines():
        print(f"# {line}")
    print(f"{'ok' if ok else 'not ok'} {number} - {title}")
    return ok


def main():
    if platform.machine() != "x86_64":
        print("1..0 # SKIP only x86 has these marks")
        return 0
    commands = compile_commands()
    if not commands:
        print("1..0 # SKIP this build has no children without libc")
        return 0
    print("1..2")
    with tempfile.TemporaryDirectory() as directory:
        objects = [compile_marked(command, directory) for command in commands]
        library = os.path.join(directory, "library.so")
        compiler = commands[0][:first_option(commands[0])]
        subprocess.run([*compiler, "-shared", "-nostdlib", "-o", library, *objects], check=True)
        notes = output_of("readelf", "--notes", library)
        child = next(name for name in objects if name.endswith("/userns-child-main.c.o"))
        code = output_of("objdump", "-d", "-j", "idm_userns_child", child)
    good = report(1, "SHSTK" in notes, "the objects of the children have the mark if the compiler is to add it", notes)
    # The child unmaps its shadow stack, so both would kill it.
    uses = [line for line in code.splitlines() if re.search(r"\t(call|ret)", line)]
    good &= report(2, "idm_userns_child_main" in code and not uses,
                   "the child that unmaps its shadow stack neither calls nor returns", "\n".join(uses) or code[:200])
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
