#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes the table of engines into docs/engines.md.

    engine-table.py DOCUMENT ROWS...

ROWS are files that cases.bash writes. Exit status 1 if a map is lost, and no note says what to do."""
import sys

COLUMNS = ["release", "row", "versions", "case", "result", "note"]
CASES = {
    "annotation": "annotation `1000:0`",
    "userns": "annotation `idmap`, user namespace",
    "option": "option `idmap`, user namespace",
    "mappings": "mappings in config.json",
    "read-only": "read-only",
    "at-once": "20 at once",
    "wrong": "invalid map",
}
MARKERS = ["<!-- tests/engines/table.sh: from here -->", "<!-- tests/engines/table.sh: to here -->"]


def read_rows(paths):
    rows = []
    for path in paths:
        with open(path, encoding="utf-8") as f:
            rows += [dict(zip(COLUMNS, line.rstrip("\n").split("\t"))) for line in f]
    return rows


class Notes:
    """Notes below the table, each once, by numbers."""

    def __init__(self):
        self.texts = []

    def number(self, text):
        if text not in self.texts:
            self.texts.append(text)
        return self.texts.index(text) + 1


def release_number(release):
    """sid has no number, and is newer than all others."""
    return int(release) if release.isdigit() else sys.maxsize


def cell(row, notes):
    if row is None:
        return "–"
    if row["result"] == "no map" and not row["note"]:
        sys.exit(f"{row['row']}, {row['case']}: the map is lost, and no note says what to do")
    text = f"**{row['result']}**" if row["result"] == "no map" else row["result"].removesuffix(", with the reason")
    return f"{text} ({notes.number(row['note'])})" if row["note"] else text


def table(rows):
    """One line for each row of a release: the rows of all releases together."""
    names = list(dict.fromkeys(row["row"] for row in rows))
    found = {(row["row"], row["release"], row["case"]): row for row in rows}
    versions = {(row["row"], row["release"]): row["versions"] for row in rows}
    notes = Notes()
    lines = ["| way | Debian | " + " | ".join(CASES.values()) + " |", "|---|---|" + "---|" * len(CASES)]
    for name, release in sorted(versions, key=lambda key: (names.index(key[0]), release_number(key[1]))):
        cells = [cell(found.get((name, release, case)), notes) for case in CASES]
        lines.append(f"| {name} | {release}: {versions[name, release]} | " + " | ".join(cells) + " |")
    return lines + [""] + [f"{number}. {text}" for number, text in enumerate(notes.texts, 1)]


def replace_between_markers(path, lines):
    with open(path, encoding="utf-8") as f:
        text = f.read()
    if any(text.count(marker) != 1 for marker in MARKERS):
        sys.exit(f"{path}: expected each of the two markers once")
    before, rest = text.split(MARKERS[0])
    after = rest.split(MARKERS[1])[1]
    with open(path, "w", encoding="utf-8") as f:
        f.write(before + "\n".join([MARKERS[0], "", *lines, "", MARKERS[1]]) + after)


def main(arguments):
    if len(arguments) < 2:
        sys.exit(__doc__)
    replace_between_markers(arguments[0], table(read_rows(arguments[1:])))


if __name__ == "__main__":
    main(sys.argv[1:])
