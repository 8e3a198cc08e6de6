#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Counts the single tests of one or more meson builds, and prints what failed.

Reads meson's log of the last run. A program that crashed, ran out of time or did not get to all of its
tests counts as failed too. Exit status 1 if something failed, or nothing passed.
"""
import argparse
import json
import os
import re
import sys

RESULT = re.compile(r"(not )?ok\b *\d* *-? *([^#]*)(?:# *(skip)\S* *(.*))?", re.IGNORECASE)
PROOF = re.compile(r"# proof (\S+): (\d+) (.*)")
ESCAPES = re.compile(r"# escapes tried: (\d+), (\d+)")
PLAN = re.compile(r"1\.\.(\d+)\s*(?:# *skip\S* *(.*))?", re.IGNORECASE)


class Count:
    def __init__(self):
        self.passed = self.failed = self.skipped = 0
        self.lines = []  # about what failed or was skipped
        self.proofs = {}  # for each name: how often what was tried
        self.disproofs = {}  # for each name: how many tests of it failed
        self.escapes = None  # how many attacks on the host were tried, and how many of them succeeded

    def add(self, other):
        for name, tried in other.proofs.items():
            mine = self.proofs.setdefault(name, {})
            for what, number in tried.items():
                mine[what] = mine.get(what, 0) + number
        for name, number in other.disproofs.items():
            self.disproofs[name] = self.disproofs.get(name, 0) + number
        if other.escapes:
            self.count_escapes(*other.escapes)
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped
        self.lines += other.lines

    def count_escapes(self, tried, succeeded):
        before = self.escapes or (0, 0)
        self.escapes = (before[0] + tried, before[1] + succeeded)

    def __str__(self):
        return f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"


def indented(lines):
    return ["    " + line for line in lines]


def count_result(count, where, result, said):
    bad, name, skip, reason = result.groups()
    if bad:
        count.failed += 1
        count.lines += [f"FAILED {where}: {name.strip()}", *indented(said)]
    elif skip:
        count.skipped += 1
        count.lines.append(f"skipped {where}: {name.strip()}: {reason}")
    else:
        count.passed += 1
    return bool(bad)


def count_tap(where, output):
    """Counts the results in one program's TAP. Some explain a failure before its line, some after it."""
    count, said, planned, after_failure = Count(), [], None, False
    for line in output.splitlines():
        plan, result = PLAN.fullmatch(line.strip()), RESULT.match(line)
        if plan:
            planned = int(plan[1])
            if planned == 0:
                count.skipped += 1
                count.lines.append(f"skipped {where}: {plan[2]}")
        elif result:
            after_failure = count_result(count, where, result, said)
            said = []
        else:
            said.append(line)
            if after_failure:
                count.lines += indented([line])
        proof = PROOF.match(line)
        if proof:
            tried = count.proofs.setdefault(proof[1], {})
            tried[proof[3]] = tried.get(proof[3], 0) + int(proof[2])
        escapes = ESCAPES.fullmatch(line)
        if escapes:
            count.count_escapes(int(escapes[1]), int(escapes[2]))
    missing = (planned or 0) - (count.passed + count.failed + count.skipped)
    if missing > 0:
        count.failed += missing
        count.lines += [f"FAILED {where}: {missing} of its tests did not run", *indented(said)]
    return count


def count_program(build, run):
    where = f"{os.path.basename(os.path.normpath(build))}, {run['name']}"
    count = count_tap(where, run.get("stdout") or "")
    result = run["result"]
    if count.failed == 0 and result not in ("OK", "SKIP"):
        count.failed += 1
        count.lines.append(f"FAILED {where}: {result}, exit status {run['returncode']}")
    elif count.passed + count.failed + count.skipped == 0:  # not TAP: the program is one test
        count.passed += result == "OK"
        count.skipped += result == "SKIP"
        count.lines += [f"skipped {where}"] if result == "SKIP" else []
    for proof in re.findall(r"[:+]proof-([^ +]+)", run["name"].split(" / ")[0]):
        count.disproofs[proof] = count.failed
    if count.failed and run.get("stderr"):
        said = run["stderr"].splitlines()[-60:]
        count.lines += indented(s for s in said if s and not s.startswith("(test program exited"))
    return count


def count_build(build):
    count = Count()
    with open(os.path.join(build, "meson-logs", "testlog.json"), encoding="utf-8") as log:
        for line in log:
            count.add(count_program(build, json.loads(line)))
    return count


def print_proofs(total):
    """One line for each thing tried; the failures are those of the whole proof."""
    rows = [("proof", "tried", "failures")]
    for name, failures in sorted(total.disproofs.items()):
        tried = [f"{number:,} {what}" for what, number in total.proofs.get(name, {}).items()]
        rows += [(name if i == 0 else "", what, str(failures) if i == 0 else "")
                 for i, what in enumerate(tried or ["its tests"])]
    first, second = (max(len(row[i]) for row in rows) for i in (0, 1))
    for name, tried, failures in rows:
        print(f"{name:{first}}  {tried:{second}}  {failures:>8}".rstrip())
    print()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("builds", metavar="BUILD", nargs="*", help="a build directory of meson")
    parser.add_argument("--brief", action="store_true", help="print the count alone")
    parser.add_argument("--failed", type=int, default=0, help="so many more have failed")
    parser.add_argument("--no-skip", action="store_true", help="a skipped test is a failure, too")
    arguments = parser.parse_args()
    total = Count()
    for build in arguments.builds:
        total.add(count_build(build))
    total.failed += arguments.failed
    if not arguments.brief:
        for line in total.lines:
            print(line)
        if total.disproofs:
            print_proofs(total)
        if total.escapes:
            print(f"escapes tried: {total.escapes[0]}, {total.escapes[1]}")
    print(total)
    bad = total.failed or not total.passed or (arguments.no_skip and total.skipped)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
