#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Checks that a function can be found by its name; prints each name that is in more than one file.

Counts the functions of all files below lib/, oci/, cli/ and service/, static and inline ones too. Fails if MOST percent
of them or more share their name with a function in another file, or if a name is in more than MOST_FILES files.
Runs in the top directory.
"""
import glob
import re
import sys

TOPS = ("lib", "oci", "cli", "service")
MOST = 4  # percent
MOST_FILES = 3

# A definition begins in column 0. Attributes, macros before it and what the preprocessor reads are no names.
DIRECTIVE = re.compile(r"^[ \t]*#(?:\\\n|[^\n])*", re.MULTILINE)
ATTRIBUTE = re.compile(r"__attribute__\s*\(\((?:[^()]|\([^()]*\))*\)\)\s*")
DEFINITION = re.compile(r"^[A-Za-z_][\w \t*]*?\(?\b(\w+)\)?\([^;{}]*\)\s*\{", re.MULTILINE)


def functions_of(path):
    with open(path, encoding="utf-8") as file:
        return set(DEFINITION.findall(ATTRIBUTE.sub("", DIRECTIVE.sub("", file.read()))))


def files_by_name():
    files = {}
    for path in sorted(path for top in TOPS for path in glob.glob(top + "/**/*.[ch]", recursive=True)):
        for name in functions_of(path):
            if name != "main":  # each program has one
                files.setdefault(name, []).append(path)
    return files


def main():
    files = files_by_name()
    shared = {name: paths for name, paths in files.items() if len(paths) > 1}
    everything = sum(len(paths) for paths in files.values())
    sharing = sum(len(paths) for paths in shared.values())
    common = {name: paths for name, paths in shared.items() if len(paths) > MOST_FILES}
    if 100 * sharing >= MOST * everything:
        print(f"{sharing} of {everything} functions share their name with one in another file: "
              f"{100 * sharing / max(everything, 1):.1f} %, expected less than {MOST} %")
        common = shared
    for name, paths in sorted(common.items(), key=lambda item: (-len(item[1]), item[0])):
        limit = f" (in {len(paths)} files, expected at most {MOST_FILES})" if len(paths) > MOST_FILES else ""
        print(f"{name}: {' '.join(paths)}{limit}")
    return 1 if common or not everything else 0


if __name__ == "__main__":
    sys.exit(main())
