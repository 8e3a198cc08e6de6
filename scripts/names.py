#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Checks that a function can be found by its name; prints each name that is in more than one file.

Counts the functions of all .c files below lib/, oci/ and cli/, static ones too. Fails if MOST percent of
them or more share their name with a function in another file. Runs in the top directory.
"""
import glob
import re
import sys

TOPS = ("lib", "oci", "cli")
MOST = 4  # percent

# A definition begins in column 0, and so does its body. Attributes and macros before it are no names.
ATTRIBUTE = re.compile(r"__attribute__\s*\(\((?:[^()]|\([^()]*\))*\)\)\s*")
DEFINITION = re.compile(r"^[A-Za-z_][\w \t*]*?\(?\b(\w+)\)?\([^;{}]*\)\s*\n\{", re.MULTILINE)


def functions_of(path):
    with open(path, encoding="utf-8") as file:
        return set(DEFINITION.findall(ATTRIBUTE.sub("", file.read())))


def files_by_name():
    files = {}
    for path in sorted(path for top in TOPS for path in glob.glob(top + "/**/*.c", recursive=True)):
        for name in functions_of(path):
            files.setdefault(name, []).append(path)
    return files


def main():
    files = files_by_name()
    shared = {name: paths for name, paths in files.items() if len(paths) > 1}
    everything = sum(len(paths) for paths in files.values())
    sharing = sum(len(paths) for paths in shared.values())
    if 100 * sharing < MOST * everything:
        return 0
    print(f"{sharing} of {everything} functions share their name with one in another file: "
          f"{100 * sharing / max(everything, 1):.1f} %, expected less than {MOST} %")
    for name, paths in sorted(shared.items(), key=lambda item: (-len(item[1]), item[0])):
        print(f"{name}: {' '.join(paths)}")
    return 1


if __name__ == "__main__":
    sys.exit(main())
