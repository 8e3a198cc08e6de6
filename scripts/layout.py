#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Checks the layout of lib/, oci/ and cli/; prints what breaks it, one finding a line.

  layout.py includes       a folder includes only what the table in docs/architecture.md allows
  layout.py circles BUILD  no two files need each other, directly or through others, as nm says

Runs in the top directory. The exit status is 1 if there is a finding.
"""
import glob
import json
import os
import re
import subprocess
import sys

TABLE = "docs/architecture.md"
TOPS = ("lib", "oci", "cli")
PUBLIC = "include/idmount.h"
GENERATED = "config.h"  # in the build directory


# ---- who may include whom ----

def folder_path(name):
    """The table's names are below lib/, except for oci and cli."""
    return name if name.split("/")[0] in TOPS else "lib/" + name


def read_table():
    """Returns for each folder those that it may include, in the order of the table."""
    table = {}
    with open(TABLE, encoding="utf-8") as file:
        for line in file:
            cells = [cell.strip() for cell in line.split("|")]
            if len(cells) > 3 and re.fullmatch(r"`[\w/]+`", cells[1]):
                table[folder_path(cells[1].strip("`"))] = [
                    folder_path(name) for name in re.findall(r"`([\w/]+)`", cells[2])]
    return table


def check_table(table):
    """A row allows only rows above it, so that the table itself is without a circle."""
    above = []
    for folder, allowed in table.items():
        for name in allowed:
            if name not in above:
                yield f"{TABLE}: {folder} may include {name}, which is not a row above it"
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


def includes_of(path):
    """Yields the number of the line and the file, for each file of this tree; None for a missing one."""
    with open(path, encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            match = re.match(r'\s*#\s*include\s*([<"])([^>"]+)[>"]', line)
            if match and match[2] != GENERATED:
                header = find_header(path, match[2])
                if header or match[1] == '"':
                    yield number, match[2], header


def check_includes():
    table, used = read_table(), set()
    yield from check_table(table)
    for path in source_files():
        folder = os.path.dirname(path)
        if folder not in table:
            yield f"{path}: {TABLE} has no row for {folder}/"
            continue
        for number, name, header in includes_of(path):
            other = os.path.dirname(header) if header else None
            used.add((folder, other))
            if not header:
                yield f"{path}:{number}: {name} does not exist"
            elif header != PUBLIC and other != folder and other not in table[folder]:
                yield f"{path}:{number}: {folder}/ may not include {header}"
    for folder, allowed in table.items():
        for other in allowed:
            if (folder, other) not in used:
                yield f"{TABLE}: {folder} may include {other}, but does not"


# ---- who needs whom ----

def objects_of(build):
    """Returns the built object files, each with its source file below lib/, oci/ or cli/."""
    with open(os.path.join(build, "compile_commands.json"), encoding="utf-8") as file:
        commands = json.load(file)
    objects = {}
    for command in commands:
        source = os.path.relpath(os.path.join(command["directory"], command["file"]))
        output = os.path.join(build, command["output"])
        if source.split(os.sep)[0] in TOPS:
            objects[output] = source
    return objects


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
        if kind in "Uvw" and owner:
            needs[objects[path]].setdefault(owner, set()).add(name)
    return needs


def reach_of(needs, source):
    reached, todo = set(), [source]
    while todo:
        new = set(needs[todo.pop()]) - reached
        reached |= new
        todo += new
    return reached


def check_circles(build):
    objects = objects_of(build)
    built = {path: source for path, source in objects.items() if os.path.isfile(path)}
    for source in sorted(set(objects.values()) - set(built.values())):
        yield f"{source}: not built"
    if not built:
        yield f"{build}: no object file of {', '.join(TOPS)}"
        return
    needs = needs_of(built)
    reach = {source: reach_of(needs, source) for source in needs}
    circles = {tuple(sorted(other for other in reach[source] if source in reach[other]))
               for source in needs if source in reach[source]}
    for circle in sorted(circles):
        yield f"a circle of {len(circle)} files:"
        for source in circle:
            for other in sorted(set(circle) & set(needs[source])):
                yield f"  {source} → {other} ({', '.join(sorted(needs[source][other]))})"


def main():
    if sys.argv[1:] == ["includes"]:
        findings = check_includes()
    elif len(sys.argv) == 3 and sys.argv[1] == "circles":
        findings = check_circles(sys.argv[2])
    else:
        sys.exit(__doc__.rstrip())
    found = 0
    for finding in findings:
        print(finding)
        found += 1
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
