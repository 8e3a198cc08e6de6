#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""words.py [FILE-OR-FOLDER]...: finds the words of words.txt; prints file:line: word: what is better.

Reads documents as they are, and of C and Python their comments and strings. Without arguments it reads AREAS.
Runs in the top directory. The exit status is 1 if a word was found.
"""
import glob
import os
import re
import sys

# Without tests/analysis, tests/fixtures and the inputs of tests/fuzz, which contain faults on purpose.
AREAS = ("include", "lib", "oci", "cli", "service", "examples", "man", "docs", "completion", "contrib", "scripts",
         "bench", "bindings", "tests/abi", "tests/bindings", "tests/boot", "tests/cli", "tests/engines",
         "tests/faults", "tests/fuzz/*.*", "tests/hostile", "tests/integration", "tests/lib", "tests/packages",
         "tests/roots", "tests/stress", "tests/unit", "tests/vm", "tests/valgrind.sh", "tests/man-examples.sh",
         "tests/meson.build", "test.sh", "demo.sh", "demo-rootless.sh", "meson.build", "README.md",
         "CONTRIBUTING.md", "NEWS.md", "SECURITY.md")
LIST = os.path.join(os.path.dirname(__file__), "words.txt")

# What a space in the list stands for: a phrase continues in the next line, behind what begins a comment.
SPACE = r"(?:\s|(?<=\n)[ \t]*(?:\*|//|#|>))+"
C_TEXT = re.compile(r"""(?P<comment>/\*.*?\*/|//[^\n]*)|^[ \t]*\#[ \t]*include[^\n]*|'(?:\\.|[^'\\\n])+'|
                        "(?P<string>(?:\\.|[^"\\\n])*)\"""", re.DOTALL | re.MULTILINE | re.VERBOSE)
PYTHON_TEXT = re.compile(r"""(?P<comment>\#[^\n]*)|
                             (?P<quote>\"{3}|'{3}|["'])(?P<string>(?:\\.|(?!(?P=quote)).)*)(?P=quote)""",
                         re.DOTALL | re.VERBOSE)
LANGUAGES = {".c": C_TEXT, ".h": C_TEXT, ".py": PYTHON_TEXT}


def read_list():
    """Returns the rules (pattern, what is better) and the one pattern of all phrases that may stay."""
    rules, allowed = [], []
    with open(LIST, encoding="utf-8") as file:
        for line in file:
            if line.startswith("#"):
                continue
            word, arrow, better = (part.strip() for part in line.partition("→"))
            pattern = rf"\b(?:{re.sub(' +', lambda _: SPACE, word.removeprefix('allow '))})"
            if word.startswith("allow "):
                allowed.append(pattern)
            elif arrow:
                rules.append((re.compile(pattern, re.IGNORECASE), better))
    return rules, re.compile("|".join(allowed) or r"(?!)", re.IGNORECASE)


def blank(text, by):
    return re.sub(r"[^\n]", by, text)


def text_of_code(source, language):
    """Comments and strings alone, everything at its place. A NUL ends what the next word does not continue."""
    out, end = [], 0
    for match in language.finditer(source):
        between = source[end:match.start()]
        out.append(blank(between, " ") if not between.strip() else blank(between, "\0"))
        if match["comment"]:
            out.append(re.sub(r"\*/$", "\0\0", re.sub(r"^/[*/]", "  ", match[0])))
        elif match["string"] is not None:
            out.append(" " + re.sub(r"\\.", "  ", match["string"]) + " ")
        else:
            out.append(blank(match[0], "\0"))
        end = match.end()
    return "".join(out) + blank(source[end:], "\0")


def read_text(path):
    """Returns the text, and the lines that are not UTF-8."""
    with open(path, "rb") as file:
        text = file.read().decode("utf-8", "surrogateescape").replace("\r\n", "\n")
    return text, [number for number, line in enumerate(text.split("\n"), 1) if re.search("[\udc80-\udcff]", line)]


def files_of(areas):
    for area in (path for area in areas for path in sorted(glob.glob(area))):
        if os.path.isfile(area):
            yield area
        for folder, _, names in sorted(os.walk(area)):
            yield from (os.path.join(folder, name) for name in sorted(names)
                        if not name.endswith((".svg", ".pyc")) and name != os.path.basename(LIST))


def findings_in(text, rules, allowed):
    spans = [match.span() for match in allowed.finditer(text)]
    for pattern, better in rules:
        for match in pattern.finditer(text):
            if not any(start <= match.start() and match.end() <= end for start, end in spans):
                yield text.count("\n", 0, match.start()) + 1, " ".join(re.split(r"[\s*#/>]+", match[0])), better


def main():
    rules, allowed = read_list()
    found = False
    for path in files_of(sys.argv[1:] or AREAS):
        text, broken = read_text(path)
        findings = [(line, "not UTF-8", "text in UTF-8") for line in broken]
        language = LANGUAGES.get(os.path.splitext(path)[1])
        text = text_of_code(text, language) if language else text
        for line, word, better in sorted([*findings, *findings_in(text, rules, allowed)]):
            print(f"{path}:{line}: {word}: {better}")
            found = True
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
