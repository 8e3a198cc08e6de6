# SPDX-License-Identifier: MIT
"""What <idmount.h> declares, for the tests of the bindings; and a small driver for tests that print TAP."""
import contextlib
import fnmatch
import glob
import os
import re
import subprocess
import sys
import tempfile
import traceback

SOURCE = os.environ.get("IDM_SOURCE_ROOT", os.path.realpath(os.path.join(os.path.dirname(__file__), "../..")))
BUILD = os.environ.get("IDM_BUILD_ROOT", os.path.join(SOURCE, "build"))


class Header:
    """Functions, constants, and the members of the structs that a program can see."""

    def __init__(self, text):
        code = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)
        self.functions = set(re.findall(r"^(?!static)[a-z].*?\b(idm_\w+)\(", code, re.MULTILINE))
        self.constants = set(re.findall(r"^#define (IDM_[A-Z0-9_]+) +[^\s\\_]", code, re.MULTILINE))
        for body in re.findall(r"^enum \w+ \{(.*?)^\}", code, re.DOTALL | re.MULTILINE):
            self.constants |= set(re.findall(r"\b(IDM_\w+)\b", re.sub(r"=[^,]*", "", body)))
        self.structs = {}
        for name, body in re.findall(r"^struct (\w+) \{(.*?)^\};", code, re.DOTALL | re.MULTILINE):
            self.structs[name] = [member for line in body.split(";") for member in self.members(line)]

    @staticmethod
    def members(line):
        callback = re.search(r"\(\*(\w+)\)", line)
        if callback:
            return [callback.group(1)]
        return re.findall(r"(\w+)(?:\[\d+\])?\s*(?=,|$)", line.strip())


def read_header():
    with open(os.path.join(SOURCE, "include/idmount.h"), encoding="utf-8") as file:
        return file.read()


def missing(names, bound, left_out):
    """The names that a binding neither has nor leaves out, and the left-out ones that no name needs."""
    pattern = {name for name in names if any(fnmatch.fnmatchcase(name, left) for left in left_out)}
    return [f"neither bound nor left out: {name}" for name in sorted(set(names) - set(bound) - pattern)] + [
        f"bound, but not in the header: {name}" for name in sorted(set(bound) - set(names))]


def needless(names, left_out):
    return [f"left out, but not in the header: {left}" for left in left_out if not fnmatch.filter(names, left)]


GROWTH = (
    ("int idm_list(", "int idm_list_more(int a);\nint idm_list(", "idm_list_more"),
    ("#define IDM_LIST_UNMAPPED", "#define IDM_LIST_MORE 0x8U\n#define IDM_LIST_UNMAPPED", "IDM_LIST_MORE"),
    ("\tIDM_STEP_LOOK_UP_PATH,", "\tIDM_STEP_LOOK_UP_PATH,\n\tIDM_STEP_MORE,", "IDM_STEP_MORE"),
    ("int idm_list(", "int idm_gone(", "idm_list"),
)


def check_growth(faults_of, more=()):
    """Changes the header in several ways, (old, new, name). faults_of() has to name each."""
    text = read_header()
    for old, new, fault in (*GROWTH, *more):
        assert old in text
        faults = faults_of(Header(text.replace(old, new, 1)))
        assert any(fault in line for line in faults), (fault, faults)


@contextlib.contextmanager
def installed():
    """Installs the build in a new directory. Yields that of the header, that of the library, and the whole."""
    with tempfile.TemporaryDirectory() as root:
        subprocess.run(["meson", "install", "-C", BUILD, "--no-rebuild", "--quiet", "--destdir", root], check=True,
                       stdout=subprocess.DEVNULL)
        header, = glob.glob(root + "/**/include/idmount.h", recursive=True)
        library, = glob.glob(root + "/**/libidmount.so.0", recursive=True)
        yield os.path.dirname(header), os.path.dirname(library), root


def run_c(include, body):
    """Compiles and runs a main() with this body. Returns its lines as a dictionary of numbers."""
    with tempfile.TemporaryDirectory() as directory:
        source = os.path.join(directory, "facts.c")
        with open(source, "w", encoding="utf-8") as file:
            file.write("#include <stdio.h>\n#include <idmount.h>\nint main(void)\n{\n" + body + "}\n")
        subprocess.run([os.environ.get("CC_FOR_TEST", "cc"), "-w", "-I", include, "-o", directory + "/facts", source],
                       check=True)
        text = subprocess.run([directory + "/facts"], check=True, stdout=subprocess.PIPE, text=True).stdout
    return {name: int(number) for name, number in (line.rsplit(" ", 1) for line in text.splitlines())}


class Skip(Exception):
    """A test that cannot run here."""


class Tests:
    """Runs functions, and prints TAP."""

    def __init__(self):
        self.tests = []

    def __call__(self, function):
        self.tests.append((function, False))
        return function

    def root(self, function):
        """A test that mounts. It skips without root."""
        self.tests.append((function, True))
        return function

    def run(self, plan=True):
        failed = 0
        if plan:
            print(f"1..{len(self.tests)}")
        for number, (function, needs_root) in enumerate(self.tests, 1):
            name = f"{number} - {function.__name__.replace('_', ' ')}"
            if needs_root and os.getuid() != 0:
                print(f"ok {name} # SKIP requires root")
                continue
            try:
                function()
                print(f"ok {name}", flush=True)
            except Skip as reason:
                print(f"ok {name} # SKIP {reason}", flush=True)
            except Exception:  # an assertion, or anything else
                failed += 1
                print(f"not ok {name}", flush=True)
                print("".join(f"# {line}\n" for line in traceback.format_exc().splitlines()), end="", flush=True)
        return 1 if failed else 0


def in_own_mounts():
    """Executes this program again in a mount namespace of its own, if root runs it."""
    if os.getuid() == 0 and "IDM_OWN_MOUNTS" not in os.environ:
        os.environ["IDM_OWN_MOUNTS"] = "1"
        os.execvp("unshare", ["unshare", "--mount", "--propagation", "private", sys.executable, *sys.argv])
