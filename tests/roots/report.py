#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Prints the results of meson builds as one stream of TAP.

    report.py DIRECTORY TITLE...

The build of a TITLE is in DIRECTORY/TITLE.
"""
import json
import os
import re
import sys

RESULT = re.compile(r"(not ok|ok)\b *\d* *-? *(.*)")
PLAN = re.compile(r"1\.\.(\d+)\s*(?:# *skip\S* *(.*))?", re.IGNORECASE)
# These lines have a meaning for ./test.sh, which counts the proofs of this machine alone.
COUNTED = re.compile(r"# (proof|escapes) ")


def results_of(run):
    """Returns the lines of one program: results as tuples, all else as text. Some programs explain a failure before its
    line, some after it."""
    lines, said, planned, seen, failed, after_failure = [], [], None, 0, False, False
    for line in (run.get("stdout") or "").splitlines():
        plan, result = PLAN.fullmatch(line.strip()), RESULT.match(line)
        if plan:
            planned = int(plan[1])
            if planned == 0:
                lines.append(("ok", f"# SKIP {plan[2]}"))
        elif result:
            seen, after_failure = seen + 1, result[1] != "ok"
            failed = failed or after_failure
            lines += said if after_failure else []
            lines.append((result[1], result[2]))
            said = []
        elif not COUNTED.match(line):
            (lines if after_failure else said).append(line)
    if planned is None or seen < planned or (run["result"] not in ("OK", "SKIP") and not failed):
        lines += said
        lines += [f"# {line}" for line in (run.get("stderr") or "").splitlines()[-40:]]
        lines.append(("not ok", f"{run['result']}, exit status {run['returncode']}, {seen} of {planned} tests"))
    return lines


def runs(directory, titles):
    """Yields title and test of each run of a test."""
    for title in titles:
        with open(os.path.join(directory, title, "meson-logs", "testlog.json"), encoding="utf-8") as log:
            for run in map(json.loads, log):
                yield title, run


def main():
    directory, *titles = sys.argv[1:]
    number = 0
    bad = False
    for title, run in runs(directory, titles):
        name = run["name"].split(":", 1)[-1].replace(" / ", "/")
        for line in results_of(run):
            if isinstance(line, str):
                print(line)
                continue
            number += 1
            bad = bad or line[0] != "ok"
            print(f"{line[0]} {number} - {title}, {name}: {line[1]}")
    print(f"1..{number}")
    return 1 if bad or number == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
