#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Adds up the test cases that meson has recorded, and names those that failed or were skipped.

    scripts/sum.py BUILD-DIR...

The last line is "N passed, N failed, N skipped". The exit status is 1 if one failed, and also if one was
skipped where IDM_MUST_RUN=1 is set.
"""
import os
import sys
import xml.etree.ElementTree as xml


def cases(directory):
    """(name, outcome) of every case of a build; a build without results is one failure."""
    log = os.path.join(directory, "meson-logs", "testlog.junit.xml")
    try:
        root = xml.parse(log).getroot()
    except (OSError, xml.ParseError) as error:
        yield f"{directory}: {error}", "failed"
        return
    for suite in root.iter("testsuite"):
        for case in suite.iter("testcase"):
            name = f"{directory}: {suite.get('name')}: {case.get('name')}"
            if case.find("failure") is not None or case.find("error") is not None:
                yield name, "failed"
            elif case.find("skipped") is not None:
                yield name, "skipped"
            else:
                yield name, "passed"


def main():
    count = {"passed": 0, "failed": 0, "skipped": 0}
    for directory in sys.argv[1:]:
        for name, outcome in cases(directory):
            count[outcome] += 1
            if outcome != "passed":
                print(f"{outcome}: {name}")
    bad = count["failed"] or (count["skipped"] and os.environ.get("IDM_MUST_RUN") == "1")
    print("{passed} passed, {failed} failed, {skipped} skipped".format(**count))
    return 1 if bad or not count["passed"] else 0


sys.exit(main())
