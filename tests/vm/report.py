#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Reads what the machines of run.sh said, and prints it as a table, test by kernel, or as TAP; and writes
docs/kernels.md. Exit status 1 if something failed, or nothing passed.
"""
import argparse
import json
import os
import re
import sys

RESULT = re.compile(r"(not )?ok (\d+) -? ?([^#]*)(# *skip.*)?", re.IGNORECASE)
UNTRIED = re.compile(r"# untried: (.*)")
REFUSED = re.compile(r"# (\w+): this kernel is before Linux (\d+\.\d+)")
PLAN = re.compile(r"1\.\.(\d+)")
COMPLAINT = re.compile(r"BUG|WARNING:|Oops|Call Trace|panic|general protection")


class Program:
    """One test program on one machine."""

    def __init__(self, its_sum):
        self.lines, self.status, self.seconds, self.sum = [], None, 0, its_sum

    def count(self):
        planned, self.passed, self.failed, self.refused, self.untried, marked, why = 0, 0, 0, {}, {}, {}, None
        for line in self.lines:
            plan, refused, result = PLAN.fullmatch(line), REFUSED.fullmatch(line), RESULT.match(line)
            untried = UNTRIED.fullmatch(line)
            why = untried[1] if untried else why
            if plan:
                planned = int(plan[1])
            elif refused:
                marked[refused[1]] = refused[2]
            elif result and (result[1] or result[4]):  # nothing may be skipped in a machine
                self.failed += 1
            elif result:
                name = result[3].strip()
                if name in marked and why:
                    self.untried[name] = (marked[name], why)
                elif name in marked:
                    self.refused[name] = marked[name]
                else:
                    self.passed += 1
            if result:
                why = None
        # What did not get to its turn, and what went wrong after the last test.
        missing = max(planned - self.passed - self.failed - len(self.refused) - len(self.untried), 0)
        self.failed += missing or int(self.failed == 0 and (self.status != 0 or planned == 0))
        self.total = self.passed + self.failed + len(self.refused) + len(self.untried)

    def cell(self):
        if self.failed:
            return f"{self.failed} of {self.total} FAILED"
        parts = [(self.passed, ""), (len(self.refused), " refused"), (len(self.untried), " not tried")]
        return ", ".join(f"{number}{word}" for number, word in parts if number)


class Machine:
    def __init__(self, directory):
        arch, self.kernel = os.path.basename(directory).split("-")
        self.title = self.kernel + ("" if arch == "amd64" else " " + arch)
        self.order = (arch, [int(n) for n in self.kernel.split(".")])
        self.release = read(directory, "release").strip()
        console = read(directory, "earlier-console") + read(directory, "console")
        self.complaints = [line for line in console.splitlines() if COMPLAINT.search(line)]
        self.programs, self.features, self.done = {}, [], False
        # What earlier runs have left, and the last one.
        self.parse(read(directory, "earlier-output"))
        self.parse(read(directory, "output"))
        self.drop_others(read(os.path.dirname(directory), f"sums-{arch}"))

    def parse(self, output):
        program, self.done = None, False
        for line in output.splitlines():
            words = line.split()
            if line.startswith("#vm begin "):
                program = self.programs[words[2]] = Program(words[3])
            elif line.startswith("#vm end "):
                program.status, program.seconds = int(words[3]), int(words[4])
                program = None
            elif line == "#vm done":
                self.done = True
            elif program:
                program.lines.append(line)
        check = self.programs.pop("idmount-check", None)
        if check and check.status == 0:
            self.features = json.loads("\n".join(check.lines))["features"]
        for program in self.programs.values():
            program.count()

    def drop_others(self, sums):
        """Drops the results of programs that have changed since."""
        now = dict(line.split() for line in sums.splitlines())
        for name in [name for name, program in self.programs.items() if now.get(name, program.sum) != program.sum]:
            del self.programs[name]

    def sum(self, what):
        return sum(what(program) for program in self.programs.values())


def read(directory, name):
    try:
        with open(os.path.join(directory, name), encoding="utf-8", errors="replace") as file:
            return file.read().replace("\r", "")
    except FileNotFoundError:
        return ""


def names_of(machines):
    return list(dict.fromkeys(name for machine in machines for name in machine.programs))


def cell(machine, name):
    program = machine.programs.get(name)
    return program.cell() if program else "not run"


def has_failed(machine, name):
    program = machine.programs.get(name)
    return bool(program and program.failed)


def is_bad(machine, name):
    program = machine.programs.get(name)
    return not program or program.failed > 0


def rows_of(machines):
    return [["test"] + [machine.title for machine in machines]] + [
        [name] + [cell(machine, name) for machine in machines] for name in names_of(machines)]


def print_failures(machines, prefix):
    for machine in machines:
        if not machine.done:
            print(f"{prefix}Linux {machine.title} did not get to its end")
        for line in machine.complaints:
            print(f"{prefix}Linux {machine.title} says: {line}")
        for name, program in machine.programs.items():
            if program.failed:
                print(f"{prefix}Linux {machine.title}: {name}: exit status {program.status}")
                for line in program.lines:
                    if not line.startswith("ok ") and not REFUSED.fullmatch(line):
                        print(f"{prefix}    {line}")


def print_table(machines, compiled):
    rows = rows_of(machines)
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        print("  ".join(text.ljust(width) for text, width in zip(row, widths)).rstrip())
    for machine in machines:
        seconds = machine.sum(lambda p: p.seconds)
        print(f"Linux {machine.title} is {machine.release}; {seconds} s")
    for arch, number in compiled.items():
        print(f"{number} programs compiled for {arch}")
    print_failures(machines, "")


def print_tap(machines, compiled):
    cells = [(machine, name) for machine in machines for name in names_of(machines)]
    print(f"1..{len(cells) + len(machines) + len(compiled)}")
    print_failures(machines, "# ")
    for number, (machine, name) in enumerate(cells, 1):
        print(f"{'not ok' if is_bad(machine, name) else 'ok'} {number} - Linux {machine.title}, {name}")
    for number, machine in enumerate(machines, len(cells) + 1):
        print(f"{'ok' if machine.done else 'not ok'} {number} - Linux {machine.title} to its end")
        passed = machine.sum(lambda p: p.passed)
        refused = machine.sum(lambda p: len(p.refused))
        print(f"# proof kernels: {passed} tests on Linux {machine.title}")
        if refused:
            print(f"# proof kernels: {refused} refusals by Linux {machine.title}")
        for name, program in machine.programs.items():
            for test, (kernel, why) in program.untried.items():
                print(f"# not tried on Linux {machine.title}: {name}, {test}: before {kernel}, {why}")
    for number, (arch, programs) in enumerate(compiled.items(), len(cells) + len(machines) + 1):
        print(f"ok {number} - compiled for {arch}")
        print(f"# proof kernels: {programs} programs compiled for {arch}")


# ---- docs/kernels.md ----

INTRODUCTION = """\
# Kernels

Linux 5.12 and newer kernels support ID-mapped mounts. On an older kernel every operation on a mount fails,
reports "needs Linux 5.12", and changes nothing. The library uses later features where they exist.
`idmount check` tries the features of a host, and reports them. Where a feature is missing, either another
way leads to the same result, or the call fails and names the kernel that it needs. Nothing is left out
silently.

`tests/vm/run.sh --doc docs/kernels.md` writes this page, from a run of the tests on Debian's kernels in
emulated machines. [testing](testing.md) describes how to run it. The kernels:
"""

FEATURES = """
## Features

The results of `idmount check` on each; "since" is the release of Linux that brought the feature.
"""

PROMISES = """
## Promises that need more than Linux 5.12

Each is a test. On older kernels the test is not skipped: it tests the expectation there in its place. As a rule
the call fails and reports why.
"""

TABLE = """
## Tests

Test programs, and the number of their tests that kept their promise on each kernel. "refused": so many more
need a newer kernel, and failed with the right message. "not tried": so many more need surroundings that only
a newer kernel has; they are named below. These machines skip nothing: a test that lacks a requirement fails.
Emulation makes everything many times slower: frequent repetitions are fewer here, as under sanitizers.
"""

NOT_RUN = """
## Not run there

{untried}{missing}- The tests of the command (suite `cli`). They run on the kernel of the machine that builds. By name,
  `tests/vm/run.sh --kernel 7.2 run.bats` and such, they can run in the machines, too. But they work on a
  tmpfs, which can be mapped from Linux 6.3 on, and some of them expect features of 6.15.
- The tests of the header and of the shared library (suite `abi`), which do not depend on the kernel.
- The long forms of the proofs (`./test.sh --long`), and sanitizers.
- Kernels between these. A feature's first release can be between two of them. That release is from the
  kernel's history, and the two kernels around it were tried.
"""


def markdown(rows):
    lines = ["| " + " | ".join(rows[0]) + " |", "|" + " --- |" * len(rows[0])]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows[1:]]) + "\n"


def feature_rows(machines):
    rows = [["feature", "what it provides", "since"] + [machine.title for machine in machines]]
    found = [{f["name"]: f for f in machine.features} for machine in machines]
    for feature in machines[0].features:
        if feature["name"] == "service":  # not the kernel's
            continue
        cells = ["yes" if f.get(feature["name"], {}).get("available") else "–" for f in found]
        rows.append([f"`{feature['name']}`", feature["what"], feature["since"], *cells])
    return rows


def promise_rows(machines):
    since = {}
    for machine in machines:
        for name, program in machine.programs.items():
            for test, kernel in program.refused.items():
                since[(name, test)] = kernel
    later = [(tuple(int(n) for n in kernel.split(".")), name, test) for (name, test), kernel in since.items()]
    return [["since", "test", "promise"]] + [
        [f"{a}.{b}", f"`{name}`", f"`{test}`"] for (a, b), name, test in sorted(later) if (a, b) > (5, 12)]


def untried_tests(machines):
    found = {}
    for machine in machines:
        for name, program in machine.programs.items():
            for test, (kernel, why) in program.untried.items():
                found.setdefault((name, test, kernel, why), []).append(machine.title)
    return "".join(f"- `{name}`, `{test}`: not on {', '.join(titles)}. Before Linux {kernel}, {why}.\n"
                   for (name, test, kernel, why), titles in found.items())


def missing_programs(known, machines):
    missing = [name for name in known if name not in names_of(machines)]
    if not missing:
        return ""
    return f"- In the run of this page: {', '.join(f'`{name}`' for name in missing)}.\n"


def write_doc(path, machines, compiled, known):
    with open(path, "w", encoding="utf-8") as file:
        file.write(INTRODUCTION + "\n")
        for machine in machines:
            file.write(f"- {machine.title}: `{machine.release}`\n")
        for arch in compiled:
            file.write(f"- none on {arch}: all programs compile for it, and are not run\n")
        file.write(FEATURES + "\n" + markdown(feature_rows(machines)))
        file.write(PROMISES + "\n" + markdown(promise_rows(machines)))
        file.write(TABLE + "\n" + markdown(rows_of(machines)))
        file.write(NOT_RUN.format(untried=untried_tests(machines), missing=missing_programs(known, machines)))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("form", choices=["table", "tap"])
    parser.add_argument("results", metavar="DIRECTORY", help="of one directory for each machine")
    parser.add_argument("--doc", metavar="FILE", help="write docs/kernels.md")
    arguments = parser.parse_args()
    machines, compiled, known = [], {}, read(arguments.results, "known").split()
    for name in os.listdir(arguments.results):
        directory = os.path.join(arguments.results, name)
        if not os.path.isdir(directory):
            continue
        if os.path.exists(os.path.join(directory, "compiled")):
            compiled[name] = int(read(directory, "compiled"))
        else:
            machines.append(Machine(directory))
    machines.sort(key=lambda machine: machine.order)
    if arguments.form == "tap":
        print_tap(machines, compiled)
    elif machines or compiled:
        print_table(machines, compiled)
    bad = any(not machine.done or any(is_bad(machine, name) for name in names_of(machines)) for machine in machines)
    failed = any(not machine.done or any(has_failed(machine, name) for name in names_of(machines)) for machine in machines)
    if machines and not failed and arguments.doc:
        write_doc(arguments.doc, machines, compiled, known)
    return 1 if bad or not (machines or compiled) else 0


if __name__ == "__main__":
    sys.exit(main())
