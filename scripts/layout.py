#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Checks the layout of lib/, oci/, cli/ and service/; prints what breaks it, one finding a line.

  layout.py includes [BUILD]  a folder includes only what the table in docs/architecture.md allows; with BUILD
                              also by what the compiler says, which no macro or comment can fool
  layout.py calls BUILD       a folder calls only what that table allows, as nm says
  layout.py circles BUILD     no two files need each other, directly or through others, as nm says

Runs in the top directory. The exit status is 1 if there is a finding.
"""
import glob
import json
import os
import re
import shlex
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

TABLE = "docs/architecture.md"
TOPS = ("lib", "oci", "cli", "service")
PUBLIC = "include/idmount.h"
GENERATED = "config.h"  # in the build directory


# ---- who may include whom ----

def folder_path(name):
    """The table's names are below lib/, except for oci and cli."""
    return name if name.split("/")[0] in TOPS else "lib/" + name


class Row:
    """A folder, and those that it may include and call, in the order of the table."""

    def __init__(self, cells):
        self.includes, self.calls = (
            [folder_path(name) for name in re.findall(r"`([\w/]+)`", cell)] for cell in cells)


def read_table():
    """Returns the row of each folder."""
    table = {}
    with open(TABLE, encoding="utf-8") as file:
        for line in file:
            cells = [cell.strip() for cell in line.split("|")]
            if len(cells) > 4 and re.fullmatch(r"`[\w/]+`", cells[1]):
                table[folder_path(cells[1].strip("`"))] = Row(cells[2:4])
    return table


def check_table(table):
    """A row allows only rows above it, so that the table itself is without a circle."""
    above = []
    for folder, row in table.items():
        for act, names in (("include", row.includes), ("call", row.calls)):
            for name in names:
                if name not in above:
                    yield f"{TABLE}: {folder} may {act} {name}, which is not a row above it"
        if not glob.glob(folder + "/*.[ch]"):
            yield f"{TABLE}: {folder} has no files"
        above.append(folder)
    if not table:
        yield f"{TABLE}: no table of folders"


def source_files():
    return sorted(path for top in TOPS for path in glob.glob(top + "/**/*.[ch]", recursive=True))


def find_header(path, name):
    """Returns the file that an #include of `name` in `path` is about, or None."""
    for folder in (os.path.dirname(path), ".", "include"):
        header = os.path.normpath(os.path.join(folder, name))
        if os.path.isfile(header):
            return header
    return None


def includes_in(path, lines):
    """Yields the number of the line and the file, for each file of this tree; None for a missing one."""
    for number, line in lines:
        match = re.match(r'\s*#\s*include(?:_next)?\s*([<"])([^>"]+)[>"]', line)
        if match and match[2] != GENERATED:
            header = find_header(path, match[2])
            if header or match[1] == '"':
                yield number, match[2], header


def written_includes():
    """Yields (file, line, name, header) of every #include in the text, in every branch of an #if."""
    for path in source_files():
        with open(path, encoding="utf-8", errors="replace") as file:
            for include in includes_in(path, enumerate(file, 1)):
                yield path, *include


def commands_of(build):
    """Returns the commands of the compiler, each with its source file below lib/, oci/, cli/ or service/."""
    with open(os.path.join(build, "compile_commands.json"), encoding="utf-8") as file:
        commands = json.load(file)
    for command in commands:
        command["source"] = os.path.relpath(os.path.join(command["directory"], command["file"]))
    return [command for command in commands if command["source"].split(os.sep)[0] in TOPS]


def preprocess(command):
    """Returns the source as the compiler reads it, with its #includes. They are named as macros expand."""
    words = shlex.split(command["command"])
    for option in ("-MF", "-MQ", "-o"):  # nothing is written
        if option in words:
            del words[words.index(option):words.index(option) + 2]
    words = [word for word in words if word not in ("-c", "-MD")] + ["-E", "-dI"]
    return subprocess.run(words, cwd=command["directory"], check=True, capture_output=True, text=True).stdout


def compiled_includes(build):
    """Yields (file, line, name, header) of every #include that the compiler follows, in any file of this tree."""
    commands = {command["source"]: command for command in commands_of(build)}
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        texts = pool.map(preprocess, commands.values())
    for command, text in zip(commands.values(), texts):
        path, number = None, 0
        for line in text.splitlines():
            marker = re.match(r'# (\d+) "(.*?)"', line)
            if marker:
                path = os.path.relpath(os.path.join(command["directory"], marker[2]))
                number = int(marker[1])
            elif path.split(os.sep)[0] in TOPS:
                for include in includes_in(path, [(number, line)]):
                    yield path, *include
            number += not marker


def check_includes(build=None):
    table = read_table()
    yield from check_table(table)
    includes = {}
    for path, number, name, header in [*written_includes(), *(compiled_includes(build) if build else ())]:
        includes.setdefault((path, header or name), (path, number, name, header))
    for path in source_files():
        folder = os.path.dirname(path)
        if folder not in table:
            yield f"{path}: {TABLE} has no row for {folder}/"
    used = set()
    for path, number, name, header in includes.values():
        folder, other = os.path.dirname(path), os.path.dirname(header) if header else None
        used.add((folder, other))
        if not header:
            yield f"{path}:{number}: {name} does not exist"
        elif header != PUBLIC and other != folder and folder in table and other not in table[folder].includes:
            yield f"{path}:{number}: {folder}/ may not include {header}"
    for folder, row in table.items():
        for other in row.includes:
            if (folder, other) not in used:
                yield f"{TABLE}: {folder} may include {other}, but does not"


# ---- who needs whom ----

def objects_of(build):
    """Returns the object files, each with its source file."""
    return {os.path.join(build, command["output"]): command["source"] for command in commands_of(build)}


def symbols_of(objects):
    """Yields what nm says: the object file, the symbol, its type."""
    nm = ["nm", "-A", "-P", "-g", *objects]
    for line in subprocess.run(nm, check=True, capture_output=True, text=True).stdout.splitlines():
        path, rest = line.split(": ", 1)
        name, kind = rest.split()[:2]
        yield path, name, kind


def scope_of(path):
    """A program's symbols are its own; what the libraries define is for all."""
    target = os.path.dirname(path)
    return "" if os.path.basename(target).startswith("lib") else target


def needs_of(objects):
    """Returns for each source file the files that it needs, and for which symbols."""
    symbols = list(symbols_of(objects))
    owners = {(scope_of(path), name): objects[path] for path, name, kind in symbols if kind not in "Uvw"}
    needs = {source: {} for source in objects.values()}
    for path, name, kind in symbols:
        owner = owners.get((os.path.dirname(path), name)) or owners.get(("", name))
        # Each program without libc has one, which raw-start.c calls as libc calls main().
        if kind in "Uvw" and owner and name != "idm_raw_main":
            needs[objects[path]].setdefault(owner, set()).add(name)
    return needs


def needs_in(build):
    """Returns what nm says about a build, and the findings if it lacks object files."""
    objects = objects_of(build)
    built = {path: source for path, source in objects.items() if os.path.isfile(path)}
    missing = [f"{source}: not built" for source in sorted(set(objects.values()) - set(built.values()))]
    if not built:
        return {}, [*missing, f"{build}: no object file of {', '.join(TOPS)}"]
    return needs_of(built), missing


def check_calls(build):
    table = read_table()
    needs, missing = needs_in(build)
    yield from missing
    used = set()
    for source in sorted(needs):
        for other in sorted(needs[source]):
            folder, callee = os.path.dirname(source), os.path.dirname(other)
            used.add((folder, callee))
            row = table.get(folder)
            if row and callee not in (folder, *row.includes, *row.calls):
                names = ", ".join(sorted(needs[source][other]))
                yield f"{source} → {other} ({names}): {folder}/ may not call {callee}/"
    for folder, row in table.items():
        for other in row.calls:
            if other in row.includes:
                yield f"{TABLE}: {folder} may include {other}, so it may call it without a word"
            elif (folder, other) not in used and not missing:
                yield f"{TABLE}: {folder} may call {other}, but does not"


def shortest_circle(needs, source):
    """Returns the files from `source` back to it by the fewest calls, or None."""
    before, todo = {}, [source]
    for file in todo:
        for other in sorted(needs[file]):
            if other not in before:
                before[other] = file
                todo.append(other)
        if source in before:
            circle = [source, before[source]]
            while circle[-1] != source:
                circle.append(before[circle[-1]])
            return circle[:0:-1]
    return None


def check_circles(build):
    needs, missing = needs_in(build)
    yield from missing
    found, seen = [circle for source in sorted(needs) if (circle := shortest_circle(needs, source))], set()
    for circle in sorted(found, key=len):
        if not seen.isdisjoint(circle):
            continue
        seen.update(circle)
        yield f"a circle of {len(circle)} files:"
        for source, other in zip(circle, [*circle[1:], circle[0]]):
            yield f"  {source} → {other} ({', '.join(sorted(needs[source][other]))})"
    others = {source for circle in found for source in circle} - seen
    if others:
        yield f"{len(others)} more files are in longer circles"


def main():
    checks = {"includes": check_includes, "calls": check_calls, "circles": check_circles}
    if len(sys.argv) == 3 and sys.argv[1] in checks:
        findings = checks[sys.argv[1]](sys.argv[2])
    elif sys.argv[1:] == ["includes"]:
        findings = check_includes()
    else:
        sys.exit(__doc__.rstrip())
    found = 0
    for finding in findings:
        print(finding)
        found += 1
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
