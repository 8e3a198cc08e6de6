#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Makes of the rows that the programs of bench/ wrote the tables of docs/performance.md. See picture.py, too.

  table.py summary ROWS               how many targets were met, for who looks at a terminal
  table.py markdown ROWS WHERE INSTRUCTIONS DOCUMENT
                                      writes the tables and what the machine is between the document's markers;
                                      WHERE is what bench/where prints, INSTRUCTIONS what instructions.sh does
  table.py machines DIRECTORY [DOCUMENT]
                                      prints a table of what tests/vm/run.sh --bench --keep has left there, or
                                      writes it into the document; fails if a benchmark did
"""
import glob
import os
import platform
import re
import sys

COLUMNS = ["program", "question", "idmount", "name", "yardstick", "ratio", "spread", "target", "lower bound", "verdict"]
MARKERS = ["<!-- bench/run.sh --doc: from here -->", "<!-- bench/run.sh --doc: to here -->"]
USERS_QUESTIONS = ("a mapped tree by idmountd", "rootless ")
USERS_TEXT = """\
Without root, by idmountd and idmount-overlayfs. *rootless podman* is a whole `podman run --rm` of a program that exits
at once. Its image has 20,000 files of 4 KiB in 20 layers, on ext4. The native overlay is podman's own way. It copies
the image for each new map. *rootless overlay* is work with files in such a container, without podman, on a tmpfs. The
native overlay there has layers that belong to the container's IDs already. The lower bound is the kernel's overlay on
layers that root has mapped. *a mapped tree by idmountd* is one request for one directory, beside root, which requires
no service. All have their user namespaces already, so newuidmap(1) has no part in a row. All clone the directory and map
the clone. The library of the client asks the kernel first, which refuses. The lower bound is a service in one process
that judges nothing, with one message each way. Each row of *bare calls* adds the system calls of one more part of the
proof. The service with all of these accepts the next client after the exit of its child, and idmountd before.""".split("\n")
MACHINE_MARKERS = [f"<!-- tests/vm/run.sh --bench --doc: {word} here -->" for word in ("from", "to")]


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


def memory_of(row):
    """The call and the MiB of a row that has a call beside itself without memory."""
    found = re.fullmatch(r"(.*), (\d+) MiB resident", row["question"])
    return found and row["program"] != "userns" and (found.group(1), int(found.group(2)))


def memory_cell(row):
    if not row["ratio"]:
        return row["verdict"]
    ratio = f"**{row['ratio']}**" if row["verdict"] == "missed" else row["ratio"]
    return f"{ratio} ({nice(row['spread'])})"


def memory_table(rows):
    """One row for each call, with a column for each size."""
    cells, none, sizes = {}, {}, sorted({memory_of(r)[1] for r in rows})
    for r in rows:
        call, mib = memory_of(r)
        cells[call, mib] = memory_cell(r)
        none[call] = f"{r['yardstick']} µs" if r["yardstick"] else none.get(call, "")
    lines = [markdown_row(["call", "0 MiB", *(f"{mib} MiB" for mib in sizes)]), "|---|--:|" + "---|" * len(sizes)]
    return lines + [markdown_row([call, none[call], *(cells.get((call, mib), "") for mib in sizes)]) for call in none]


def is_of_users(row):
    """Whether a line is about what idmountd makes possible."""
    return row["question"].startswith(USERS_QUESTIONS)


def users_lines(rows):
    users = [r for r in rows if is_of_users(r)]
    return ["### Ordinary users", "", *USERS_TEXT, "", *markdown_table(users), ""] if users else []


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


def replace_between(markers, lines, path):
    begin, end = markers
    with open(path, encoding="utf-8") as f:
        text = f.read()
    if text.count(begin) != 1 or text.count(end) != 1:
        sys.exit(f"{path}: the two markers are not there, once each")
    before, rest = text.split(begin)
    after = rest.split(end)[1]
    with open(path, "w", encoding="utf-8") as f:
        f.write(before + "\n".join([begin, "", *lines, "", end]) + after)


def write_document(rows, where, instructions, path):
    memory = [r for r in rows if memory_of(r)]
    others = [r for r in rows if r not in memory and not is_of_users(r)]
    new = [f"On {machine()}. {summary(rows)}.", "", *markdown_table(others), "", *users_lines(rows)]
    new += ["### Memory, calls and instructions", ""] if any(is_of_users(r) for r in rows) else []
    new += ["Calls with much memory resident, beside themselves without it. To reach: ≤ 1.15; in brackets, quartiles:", ""]
    new += [*memory_table(memory), ""]
    new += ["The time of each system call:", "", *where_table(where), ""]
    new += ["Instructions, counted by callgrind:", "", *instruction_table(instructions)]
    replace_between(MARKERS, new, path)


# ---- emulated machines ----


def lines_of(path):
    if not os.path.exists(path):
        return []
    with open(path, encoding="utf-8", errors="replace") as f:
        return f.read().splitlines()


def machine_outputs(directory):
    """For each machine its title, and the lines of its last run and of all runs; the oldest kernel first."""
    outputs = {}
    for path in glob.glob(os.path.join(directory, "*-*")):
        machine_name = re.fullmatch(r"(\w+)-(\d+(?:\.\d+)+)", os.path.basename(path))
        if not machine_name:  # such as the sums of the programs
            continue
        arch, kernel = machine_name.groups()
        title = kernel + ("" if arch == "amd64" else " " + arch)
        last = lines_of(os.path.join(path, "output"))
        every = lines_of(os.path.join(path, "earlier-output")) + last
        outputs[arch, tuple(int(n) for n in kernel.split("."))] = title, last, every
    return [outputs[key] for key in sorted(outputs)]


def failures(title, lines):
    failed = [f"Linux {title}: {line.split()[2]} failed" for line in lines if re.match(r"#vm end \S+ [1-9]", line)]
    return failed + ([] if "#vm done" in lines else [f"Linux {title} did not get to its end"])


def machine_cell(row):
    return f"{row['ratio']} ({row['lower bound']})" if row["lower bound"] else row["ratio"]


def machine_table(outputs):
    """One row for each question and yardstick that has a ratio on some machine."""
    cells, subject = {}, ""
    for title, _, lines in outputs:
        for row in (dict(zip(COLUMNS, line.split("\t"))) for line in lines if line.count("\t") == len(COLUMNS) - 1):
            subject = subject if row["question"].startswith("the same") else row["question"]
            if row["ratio"]:
                key = row["question"].replace("the same", subject, 1), row["name"]
                cells.setdefault(key, {})[title] = machine_cell(row)
    titles = [title for title, _, _ in outputs]
    lines = [markdown_row(["question", "yardstick", *titles]), "|---|---|" + "---|" * len(titles)]
    return lines + [markdown_row([*key, *(of.get(title, "–") for title in titles)]) for key, of in cells.items()]


def report_machines(directory, document=None):
    outputs = machine_outputs(directory)
    failed = [line for title, last, _ in outputs for line in failures(title, last)]
    if failed or not outputs:
        sys.exit("\n".join(failed) or f"no machine has left anything in {directory}")
    table = machine_table(outputs)
    if document:
        replace_between(MACHINE_MARKERS, table, document)
    else:
        print("\n".join(table))


def main(arguments):
    if len(arguments) == 2 and arguments[0] == "summary":
        print(summary(read_rows(arguments[1])))
    elif len(arguments) == 5 and arguments[0] == "markdown":
        write_document(read_rows(arguments[1]), *arguments[2:])
    elif len(arguments) in (2, 3) and arguments[0] == "machines":
        report_machines(*arguments[1:])
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
