#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Draws IDs on their way through the map of a mount, for README.md.

  map.py [IDMOUNT] >docs/map.svg

IDMOUNT is the command that translates them; "idmount" if not said.
"""
import subprocess
import sys

MAP = ["-m", "1000:2000", "--keep-rest"]
FILES = [("alps.jpg", 1001), ("beach.jpg", 1000)]
NEW = ("new.jpg", 2000)  # as user 2000 creates it

WIDTH, ROW, TOP = 640, 44, 58
DISK, MOUNT, SEEN = 20, 250, 430

STYLE = """
text { font: 14px ui-monospace, monospace; fill: #1f2328 }
.head { font: 600 13px system-ui, sans-serif; fill: #59636e }
.box { fill: #f6f8fa; stroke: #d1d9e0 }
.map { fill: #ddf4ff; stroke: #54aeff }
.arrow { stroke: #59636e; fill: none; stroke-width: 1.5; marker-end: url(#tip) }
.changed { stroke: #0969da; stroke-width: 2.5 }
#tip path { fill: #59636e }
@media (prefers-color-scheme: dark) {
  text { fill: #f0f6fc }
  .head { fill: #9198a1 }
  .box { fill: #151b23; stroke: #3d444d }
  .map { fill: #121d2f; stroke: #388bfd }
  .arrow { stroke: #9198a1 }
  .changed { stroke: #58a6ff }
  #tip path { fill: #9198a1 }
}
"""


def translate(idmount, number, *options):
    command = [idmount, "map", *MAP, *options, "--translate", f"u:{number}"]
    answer = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return int(answer.split()[-1])


def text(x, y, words, kind=""):
    style = f' class="{kind}"' if kind else ""
    return f'<text x="{x}" y="{y}"{style} xml:space="preserve">{words}</text>'


def box(x, y, width, words):
    return [f'<rect x="{x}" y="{y - 20}" width="{width}" height="30" rx="5" class="box"/>', text(x + 10, y, words)]


def arrow(begin, end, y, changed):
    kind = "arrow changed" if changed else "arrow"
    return f'<path d="M{begin} {y - 5} H{end}" class="{kind}"/>'


def row(y, name, disk, seen, creates):
    lines = [*box(DISK, y, 190, f"{name:<10} {disk}"), *box(SEEN, y, 190, f"{name:<10} {seen}")]
    ends = [(SEEN - 4, MOUNT + 132), (MOUNT - 4, DISK + 194)] if creates else [(DISK + 194, MOUNT - 4), (MOUNT + 132, SEEN - 4)]
    return lines + [arrow(*end, y, disk != seen) for end in ends]


def draw(idmount):
    rows = [(name, disk, translate(idmount, disk), False) for name, disk in FILES]
    rows.append((NEW[0], translate(idmount, NEW[1], "--invert"), NEW[1], True))
    height = TOP + ROW * len(rows)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}">',
        "<title>IDs on disk, through the map of a mount, as it shows them</title>",
        f"<style>{STYLE}</style>",
        '<defs><marker id="tip" markerWidth="8" markerHeight="8" refX="6" refY="4" orient="auto" '
        'markerUnits="userSpaceOnUse"><path d="M0 0 L8 4 L0 8 Z"/></marker></defs>',
        text(DISK, 24, "photos: on disk", "head"),
        text(MOUNT, 24, "the mount’s map", "head"),
        text(SEEN, 24, "for-bob: as seen", "head"),
        f'<rect x="{MOUNT}" y="{TOP - 22}" width="128" height="{height - TOP + 10}" rx="5" class="map"/>',
    ]
    for i, (name, disk, seen, creates) in enumerate(rows):
        y = TOP + ROW * i
        lines += row(y, name, disk, seen, creates)
        lines.append(text(MOUNT + 12, y, f"{disk} {'↔' if disk != seen else '='} {seen}"))
    return "\n".join([*lines, "</svg>", ""])


if __name__ == "__main__":
    if len(sys.argv) > 2 or sys.argv[1:2] == ["--help"]:
        sys.exit(__doc__)
    sys.stdout.write(draw(sys.argv[1] if len(sys.argv) == 2 else "idmount"))
