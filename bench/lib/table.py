#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Makes of the rows that the programs of bench/ wrote a table for docs/performance.md, or a picture.

  table.py summary ROWS               how many targets were met, for who looks at a terminal
  table.py markdown ROWS WHERE INSTRUCTIONS DOCUMENT
                                      writes the tables and what the machine is between the document's markers;
                                      WHERE is what bench/where prints, INSTRUCTIONS what instructions.sh does
  table.py svg ROWS PICTURE           draws the cost of a user namespace over resident memory
"""
import math
import os
import platform
import re
import sys

COLUMNS = ["program", "question", "idmount", "name", "yardstick", "ratio", "spread", "target", "lower bound", "verdict"]
BEGIN, END = "<!-- bench/run.sh --doc: from here -->", "<!-- bench/run.sh --doc: to here -->"


def read_rows(path):
    with open(path, encoding="utf-8") as f:
        return [dict(zip(COLUMNS, line.rstrip("\n").split("\t"))) for line in f]


# ---- what the machine is ----


def first_line(path, pattern):
    try:
        with open(path, encoding="utf-8") as f:
            for line in f:
                found = re.match(pattern, line)
                if found:
                    return found.group(1).strip()
    except OSError:
        pass
    return ""


def machine():
    cpu = first_line("/proc/cpuinfo", r"model name\s*:\s*(.*)") or platform.machine()
    virtual = "hypervisor" in first_line("/proc/cpuinfo", r"flags\s*:(.*)").split()
    gib = int(first_line("/proc/meminfo", r"MemTotal:\s*(\d+)") or 0) / (1 << 20)
    system = first_line("/etc/os-release", r'PRETTY_NAME="?([^"]*)') or "Linux"
    release = re.match(r"\d+(\.\d+)*", platform.release()).group()
    cores = len(os.sched_getaffinity(0))
    kind = "a virtual machine with " if virtual else ""
    return f"{cpu}: {kind}{cores} cores, {gib:.0f} GiB; Linux {release}, {system}"


# ---- tables ----


def markdown_row(cells):
    return "| " + " | ".join(cells) + " |"


def nice(text):
    return text.replace(">=", "≥").replace("<=", "≤").replace(" us", " µs").replace("-", "–")


def markdown_table(rows):
    lines = [
        markdown_row(["question", "idmount", "yardstick", "", "ratio", "quartiles", "to reach", "lower bound", ""]),
        "|---|--:|---|--:|--:|---|---|--:|---|",
    ]
    for r in rows:
        verdict = {"missed": "**missed**"}.get(r["verdict"], r["verdict"])
        lines.append(
            markdown_row(
                [
                    r["question"],
                    nice(r["idmount"].strip()),
                    r["name"],
                    r["yardstick"],
                    r["ratio"],
                    nice(r["spread"]),
                    nice(r["target"]),
                    r["lower bound"],
                    verdict,
                ]
            )
        )
    return lines


def instruction_table(path):
    names = {
        "parse": "parse and sort a map of 340 entries, from text",
        "print": "print it, as text",
        "compose": "compose two of them",
        "json": "read a list of 1000 mounts from JSON, and check it",
    }
    lines = [markdown_row(["part", "instructions"]), "|---|--:|"]
    with open(path, encoding="utf-8") as f:
        for line in f:
            part, count = line.split()
            lines.append(markdown_row([names.get(part, part), f"{int(count):,}"]))
    return lines


def where_table(path):
    """One row for each thing: its calls, by what they take together; those below a hundredth in one sum."""
    things = {}
    with open(path, encoding="utf-8") as f:
        for line in f:
            thing, call, count, us = line.split()
            things.setdefault(thing, []).append((float(us), call, count))
    names = {
        "userns": "a user namespace",
        "mount": "a mapped mount, and its unmounting",
        "plan": "a plan of 30 tmpfs, and its unmounting",
        "overlay": "an overlay of 50 layers, and its unmounting",
    }
    lines = [markdown_row(["", "µs", "of these"]), "|---|--:|---|"]
    for thing, parts in things.items():
        total = sum(us for us, _, _ in parts)
        words, small = [], 0
        for us, call, count in sorted(parts, reverse=True):
            if us < total / 100:
                small += us
                continue
            often = "" if count in ("-", "1") else f" ×{count}"
            words.append(f"{call}{often} {us / total:.0%}")
        if small:
            words.append(f"all others {small / total:.0%}")
        lines.append(markdown_row([names.get(thing, thing), f"{total:.3g}", ", ".join(words)]))
    return lines


def summary(rows):
    count = {verdict: sum(r["verdict"] == verdict for r in rows) for verdict in ("met", "lower bound", "missed")}
    skipped = sum(r["verdict"].startswith("skipped") for r in rows)
    text = f"{count['met']} targets met, {count['lower bound']} missed where bare system calls miss them too, "
    return text + f"{count['missed']} missed otherwise, {skipped} lines skipped"


def write_document(rows, where, instructions, path):
    with open(path, encoding="utf-8") as f:
        text = f.read()
    if text.count(BEGIN) != 1 or text.count(END) != 1:
        sys.exit(f"{path}: the two markers are not there, once each")
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    new = [BEGIN, "", f"On {machine()}. {summary(rows)}.", "", *markdown_table(rows), ""]
    new += ["The time of each system call:", "", *where_table(where), ""]
    new += ["Instructions, counted by callgrind:", "", *instruction_table(instructions), "", END]
    with open(path, "w", encoding="utf-8") as f:
        f.write(before + "\n".join(new) + after)


# ---- the picture ----

WIDTH, HEIGHT = 760, 420
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


def time_label(us):
    return f"{us:g} µs" if us < 1e3 else f"{us / 1e3:g} ms" if us < 1e6 else f"{us / 1e6:g} s"


def size_label(mib):
    return "0" if mib == 0 else f"{mib} MiB" if mib < 1024 else f"{mib // 1024} GiB"


def text(x, y, words, anchor="middle", more=""):
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{more}>{words}</text>'


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


def svg(rows):
    found = curves(rows)
    if "idm_userns_open" not in found:
        sys.exit("there are no rows to draw: see bench/cases/userns.c")
    values = [us for points in found.values() for _, us in points]
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    all_mib = sorted({mib for points in found.values() for mib, _ in points})

    def at(mib, us):
        return place(mib, us, all_mib[-1], low, high)

    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="12">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
        *axes(all_mib, all_mib[-1], low, high),
    ]
    labels = []
    for name, points in found.items():
        drawn, label = draw_curve(name, points, at)
        lines += drawn
        labels.append(label)
    for y, words, colour in apart(labels):
        lines.append(text(WIDTH - RIGHT + 12, y + 4, words, "start", f' fill="{colour}"'))
    return "\n".join(lines + ["</svg>", ""])


def main(arguments):
    if len(arguments) == 2 and arguments[0] == "summary":
        print(summary(read_rows(arguments[1])))
    elif len(arguments) == 5 and arguments[0] == "markdown":
        write_document(read_rows(arguments[1]), *arguments[2:])
    elif len(arguments) == 3 and arguments[0] == "svg":
        picture = svg(read_rows(arguments[1]))
        with open(arguments[2], "w", encoding="utf-8") as f:
            f.write(picture)
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
