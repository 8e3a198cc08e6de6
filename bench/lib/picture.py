#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Draws what the programs of bench/ measured, for docs/performance.md.

  picture.py userns ROWS PICTURE      the cost of a user namespace over resident memory
  picture.py storm ROWS PICTURE       100 containers that start at once, and their mount events
  picture.py chown ROWS PICTURE       other owners for many files, beside "chown -R", for README.md
"""
import math
import os
import re
import sys

from table import read_rows

WIDTH = 760


def time_label(us):
    return f"{us:g} µs" if us < 1e3 else f"{us / 1e3:g} ms" if us < 1e6 else f"{us / 1e6:g} s"


def text(x, y, words, anchor="middle", more=""):
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{more}>{words}</text>'


def picture(height, lines):
    size = f'width="{WIDTH}" height="{height}"'
    box = f'viewBox="0 0 {WIDTH} {height}"'
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" {box} font-family="sans-serif" font-size="12">',
            f'<rect {size} fill="white"/>',
            *lines,
            "</svg>",
            "",
        ]
    )


# ---- a user namespace ----

HEIGHT = 420
LEFT, RIGHT, TOP, BOTTOM = 80, 210, 50, 60
STYLES = {
    "idm_userns_open": ("#0b6e4f", "", "idmount"),
    "bare system calls": ("#7f8c8d", "4 4", "bare system calls"),
    "fork, pause, kill": ("#c0392b", "", "fork, pause, kill"),
    "re-exec under ptrace": ("#d68910", "", "re-exec under ptrace"),
}


def curves(rows):
    """For each way: [(MiB, microseconds)]."""
    found = {name: {} for name in STYLES}
    for r in rows:
        size = re.fullmatch(r"user namespace(?:, (\d+) MiB resident)?", r["question"])
        if r["program"] != "userns" or not size or not r["idmount"].strip():
            continue
        mib = int(size.group(1) or 0)
        found["idm_userns_open"][mib] = float(r["idmount"].split()[0])
        if r["name"] in found:
            found[r["name"]][mib] = float(r["yardstick"])
    return {name: sorted(points.items()) for name, points in found.items() if len(points) > 1}


def place(mib, us, most_mib, low, high):
    """Both logarithmic; nothing is where half a MiB would be."""
    x = (math.log2(max(mib, 0.5)) + 1) / (math.log2(most_mib) + 1)
    y = (math.log10(us) - low) / (high - low)
    return LEFT + x * (WIDTH - LEFT - RIGHT), HEIGHT - BOTTOM - y * (HEIGHT - TOP - BOTTOM)


def size_label(mib):
    return "0" if mib == 0 else f"{mib} MiB" if mib < 1024 else f"{mib // 1024} GiB"


def axes(all_mib, most_mib, low, high):
    lines = []
    for power in range(low, high + 1):
        x, y = place(0, 10**power, most_mib, low, high)
        right = WIDTH - RIGHT
        lines.append(f'<line x1="{x:.1f}" y1="{y:.1f}" x2="{right}" y2="{y:.1f}" stroke="#ddd"/>')
        lines.append(text(x - 8, y + 4, time_label(10**power), "end"))
    for mib in all_mib:
        x, y = place(mib, 10**low, most_mib, low, high)
        lines.append(text(x, y + 20, size_label(mib)))
    lines.append(text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 14, "memory that the caller has resident"))
    lines.append(text(LEFT - 60, 26, "One user-namespace descriptor, both scales logarithmic", "start", ' font-weight="bold"'))
    return lines


def draw_curve(name, points, at):
    colour, dash, label = STYLES[name]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in map(lambda p: at(*p), points))
    style = f'fill="none" stroke="{colour}" stroke-width="2"' + (f' stroke-dasharray="{dash}"' if dash else "")
    lines = [f'<polyline points="{path}" {style}/>']
    lines += [f'<circle cx="{at(*p)[0]:.1f}" cy="{at(*p)[1]:.1f}" r="3" fill="{colour}"/>' for p in points]
    return lines, (at(*points[-1])[1], f"{label}: {time_label(float(f'{points[-1][1]:.2g}'))}", colour)


def apart(labels, least=18):
    """Labels from the top down, each with some space."""
    moved = []
    for y, words, colour in sorted(labels):
        y = max(y, moved[-1][0] + least) if moved else y
        moved.append((y, words, colour))
    return moved


def draw_userns(rows):
    found = curves(rows)
    if "idm_userns_open" not in found:
        sys.exit("there are no rows to draw: see bench/cases/userns.c")
    values = [us for points in found.values() for _, us in points]
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    all_mib = sorted({mib for points in found.values() for mib, _ in points})

    def at(mib, us):
        return place(mib, us, all_mib[-1], low, high)

    lines = axes(all_mib, all_mib[-1], low, high)
    labels = []
    for name, points in found.items():
        drawn, label = draw_curve(name, points, at)
        lines += drawn
        labels.append(label)
    for y, words, colour in apart(labels):
        lines.append(text(WIDTH - RIGHT + 12, y + 4, words, "start", f' fill="{colour}"'))
    return picture(HEIGHT, lines)


# ---- a storm ----

STORM_LEFT, STORM_RIGHT, STORM_TOP, STORM_STEP = 190, 160, 70, 44
COLOURS = ["#0b6e4f", "#0b6e4f", "#c0392b", "#c0392b"]
LABELS = {
    "by descriptor": "idmount, by descriptor",
    "in a namespace": "idmount, in a namespace",
    "common parent attached": "common parent attached",
    "each layer attached": "each layer attached",
}
HOSTS = ["few mounts", "5,000 mounts"]


def storm_figures(rows):
    """What each way took in milliseconds, by host, and its events."""
    ms, events = {}, {}
    for r in rows:
        times = re.fullmatch(r"100 containers at once, (.*?), ((?:few|[0-9,]+) mounts)", r["question"])
        count = re.fullmatch(r"mount events of 100 containers, (.*)", r["question"])
        if r["program"] != "storm" or not r["yardstick"]:
            continue
        if times:
            ms[times.group(1), times.group(2)] = float(r["idmount"].split()[0])
            ms[r["name"], times.group(2)] = float(r["yardstick"])
        if count:
            events[count.group(1)] = r["idmount"].split()[0]
            events[r["name"]] = r["yardstick"]
    return ms, events


def storm_row(label, y, colour, points, events):
    """A dot for each host, and a line between them. Labels are outside, since dots can be close."""
    lines = [text(STORM_LEFT - 14, y + 4, label, "end")]
    left, right = min(x for x, _, _ in points), max(x for x, _, _ in points)
    lines.append(f'<line x1="{left:.1f}" y1="{y}" x2="{right:.1f}" y2="{y}" stroke="{colour}" stroke-width="2"/>')
    for x, ms, host in points:
        fill = colour if host == HOSTS[-1] else "white"
        lines.append(f'<circle cx="{x:.1f}" cy="{y}" r="5" fill="{fill}" stroke="{colour}" stroke-width="2"/>')
        words = time_label(float(f"{ms:.2g}") * 1e3)
        lines.append(text(x + 5, y - 10, words, "end") if x == left else text(x - 5, y - 10, words, "start"))
    if events:
        lines.append(text(WIDTH - 20, y + 4, f"{float(events):,.0f} mount events", "end", f' fill="{colour}"'))
    return lines


def draw_storm(rows):
    ms, events = storm_figures(rows)
    if not ms:
        sys.exit("there are no rows to draw: see bench/cases/storm.c")
    low, high = math.floor(math.log10(min(ms.values()))), math.ceil(math.log10(max(ms.values())))
    bottom = STORM_TOP + STORM_STEP * len(LABELS)

    def at(value):
        return STORM_LEFT + (math.log10(value) - low) / (high - low) * (WIDTH - STORM_LEFT - STORM_RIGHT)

    lines = [text(20, 26, "100 containers of 50 layers at once, logarithmic scale", "start", ' font-weight="bold"')]
    for power in range(low, high + 1):
        x = at(10**power)
        lines.append(f'<line x1="{x:.1f}" y1="{STORM_TOP - 24}" x2="{x:.1f}" y2="{bottom}" stroke="#ddd"/>')
        lines.append(text(x, bottom + 16, time_label(10.0 ** (power + 3))))
    for i, (name, label) in enumerate(LABELS.items()):
        points = [(at(ms[name, host]), ms[name, host], host) for host in HOSTS if (name, host) in ms]
        if points:
            lines += storm_row(label, STORM_TOP + STORM_STEP * i, COLOURS[i], points, events.get(name))
    lines.append(text(STORM_LEFT, bottom + 40, "hollow: few mounts on the host; filled: 5,000 mounts", "start"))
    return picture(bottom + 56, lines)


# ---- chown ----

OWNERS_LABELS = {"idmount": ("#0b6e4f", "mount, look, unmount"), "chown -R": ("#c0392b", "chown -R, and back")}
OWNERS_RIGHT = 250


def owners_curves(rows):
    """For each way: [(files, microseconds)]."""
    found = {name: [] for name in OWNERS_LABELS}
    for r in rows:
        files = re.fullmatch(r"seeing (\d+) files under other IDs", r["question"])
        if files and r["yardstick"]:
            found["idmount"].append((int(files.group(1)), float(r["idmount"].split()[0])))
            found["chown -R"].append((int(files.group(1)), float(r["yardstick"])))
    return {name: sorted(points) for name, points in found.items()}


def owners_grid(at, powers, decades, note):
    left, bottom = at(10 ** decades[0], 10 ** powers[0])
    right, top = at(10 ** decades[-1], 10 ** powers[-1])
    lines = [f'<line x1="{left:.1f}" y1="{at(1, 10**p)[1]:.1f}" x2="{right:.1f}" y2="{at(1, 10**p)[1]:.1f}" stroke="#ddd"/>' for p in powers]
    lines += [text(left - 8, at(1, 10**p)[1] + 4, time_label(10.0**p), "end") for p in powers]
    lines += [text(at(10**d, 10 ** powers[0])[0], bottom + 20, f"{10**d:,}") for d in decades]
    lines.append(text((left + right) / 2, bottom + 40, "files"))
    lines.append(text(20, 26, "Other owners for a directory, both scales logarithmic", "start", ' font-weight="bold"'))
    return [*lines, text(20, top - 14, note, "start", ' fill="#666"')] if note else lines


def draw_owners(rows):
    """IDM_BENCH_NOTE says what a reader has to know about the machine."""
    found = owners_curves(rows)
    values = [us for points in found.values() for _, us in points]
    if not values:
        sys.exit("there are no rows to draw: see bench/cases/chown.sh")
    powers = range(math.floor(math.log10(min(values))), math.ceil(math.log10(max(values))) + 1)
    sizes = [math.log10(files) for files, _ in found["idmount"]]
    decades = range(math.floor(min(sizes)), math.ceil(max(sizes)) + 1)

    def at(files, us):
        x = (math.log10(files) - decades[0]) / max(decades[-1] - decades[0], 1)
        y = (math.log10(us) - powers[0]) / max(powers[-1] - powers[0], 1)
        return LEFT + x * (WIDTH - LEFT - OWNERS_RIGHT), HEIGHT - BOTTOM - y * (HEIGHT - TOP - BOTTOM - 20)

    lines = owners_grid(at, powers, decades, os.environ.get("IDM_BENCH_NOTE"))
    for name, points in found.items():
        colour, label = OWNERS_LABELS[name]
        path = " ".join("{:.1f},{:.1f}".format(*at(*p)) for p in points)
        lines.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        lines += ['<circle cx="{:.1f}" cy="{:.1f}" r="3" fill="{}"/>'.format(*at(*p), colour) for p in points]
        x, y = at(*points[-1])
        words = f"{label}: {time_label(float(f'{points[-1][1]:.2g}'))}"
        lines.append(text(x + 12, y + 4, words, "start", f' fill="{colour}"'))
    return picture(HEIGHT, lines)


def main(arguments):
    drawings = {"userns": draw_userns, "storm": draw_storm, "chown": draw_owners}
    if len(arguments) != 3 or arguments[0] not in drawings:
        sys.exit(__doc__)
    drawing = drawings[arguments[0]](read_rows(arguments[1]))
    with open(arguments[2], "w", encoding="utf-8") as f:
        f.write(drawing)


if __name__ == "__main__":
    main(sys.argv[1:])
