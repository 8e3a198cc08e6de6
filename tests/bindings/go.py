#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The Go package on an installed library: against the header first, then its own tests. TAP."""
import glob
import os
import re
import shutil
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True  # in the source tree
sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
import header  # noqa: E402 # pylint: disable=wrong-import-position

PACKAGE = os.path.join(header.SOURCE, "bindings/go")
test = header.Tests()


def same(expected, got):
    assert expected == got, f"expected {expected!r}, got {got!r}"


def names_in_use():
    """The functions and constants that the package calls or has."""
    names = set()
    for path in glob.glob(PACKAGE + "/*.go"):
        if not path.endswith("_test.go"):
            with open(path, encoding="utf-8") as file:
                text = file.read()
            names |= set(re.findall(r"\bC\.((?:idm|IDM)_\w+)", text)) | set(re.findall(r"return (idm_\w+)\(", text))
            names |= set(re.findall(r"= (idm_\w+)\(", text))
    return names


def left_out():
    with open(PACKAGE + "/left-out.txt", encoding="utf-8") as file:
        return [line.partition(":")[0] for line in file if not line.startswith("#")]


def faults_of(declared):
    names = declared.functions | declared.constants
    return header.missing(names, names_in_use(), left_out()) + header.needless(names, left_out())


@test
def every_declaration_is_bound_or_left_out():
    same([], faults_of(header.Header(header.read_header())))


@test
def a_header_that_grows_is_noticed():
    header.check_growth(faults_of)


@test
def the_source_is_formatted():
    gofmt = subprocess.run(["gofmt", "-l", PACKAGE, os.path.join(header.SOURCE, "examples")], check=True,
                           stdout=subprocess.PIPE, text=True)
    same("", gofmt.stdout)


def environment(library, root):
    """That of a compiler which finds the library in a directory of its own."""
    home = os.path.join(root, "go")  # a cache would keep the directory of the library
    return {**os.environ, "PKG_CONFIG_PATH": os.path.join(library, "pkgconfig"), "PKG_CONFIG_SYSROOT_DIR": root,
            "LD_LIBRARY_PATH": library, "GOPROXY": "off", "GOFLAGS": "-buildvcs=false", "GOPATH": home,
            "GOCACHE": os.path.join(home, "cache"), "GOTOOLCHAIN": "local"}


def go(env, *words):
    subprocess.run(["go", *words], check=True, cwd=PACKAGE, env=env, stdout=sys.stderr)


def results(text):
    """The results of `go test -v`, as TAP, and the number of them."""
    number = len(test.tests)
    for line in text.splitlines():
        found = re.match(r"--- (PASS|FAIL|SKIP): (\w+)", line)
        if not found:
            print(f"# {line}")
            continue
        number += 1
        print(("not ok" if found[1] == "FAIL" else "ok") + f" {number} - {found[2]}"
              + (" # SKIP requires root" if found[1] == "SKIP" else ""))
    return number


def example_works(program, env):
    """The owner that the example's command sees."""
    with tempfile.TemporaryDirectory() as top:
        os.mkdir(top + "/src")
        os.mkdir(top + "/dst")
        subprocess.run(["mount", "-t", "tmpfs", "test", top + "/src"], check=True)
        done = subprocess.run([program, "0:100000:65536", top + "/src", top + "/dst", "stat", "-c", "%u", top + "/dst"],
                              check=False, env=env, stdout=subprocess.PIPE, text=True)
        left = os.path.ismount(top + "/dst")
        subprocess.run(["umount", top + "/src"], check=True)
        return (done.returncode, done.stdout, left) == (0, "100000\n", False)


def build_as_distributions_do(env, root):
    """Without modules, from /usr/share/gocode or its like: the import path is the place below src/."""
    place = os.path.join(root, "gocode/src/example.org/idmount")
    shutil.copytree(PACKAGE, place)
    done = subprocess.run(["go", "build", "-o", os.path.join(root, "go/legacy"), "../../../../examples/box.go"],
                          check=False, cwd=os.path.join(root, "gocode/src/example.org/idmount"),
                          env={**env, "GO111MODULE": "off", "GOPATH": os.path.join(root, "gocode")}, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return done.returncode == 0, done.stdout


def report_layout(number, env, root):
    shutil.copytree(os.path.join(header.SOURCE, "examples"), os.path.join(root, "examples"))
    works, output = build_as_distributions_do(env, root)
    print("".join(f"# {line}\n" for line in output.splitlines()), end="")
    print(f"{'ok' if works else 'not ok'} {number} - the example builds without modules, as in distributions")
    return works


def report_example(number, program, env):
    if os.getuid() != 0:
        print(f"ok {number} - the example mounts # SKIP requires root")
        return True
    works = example_works(program, env)
    print(f"{'ok' if works else 'not ok'} {number} - the example mounts")
    return works


def main():
    if not shutil.which("go"):
        print("1..0 # SKIP go is missing: install golang-go")
        return 0
    header.in_own_mounts()
    failed = test.run(plan=False)
    with header.installed() as (_, library, root):
        env = environment(library, root)
        go(env, "vet", "-composites=false", ".")
        program = os.path.join(root, "go/test")
        example = os.path.join(root, "go/example")
        go(env, "build", "-o", example, "../../examples/box.go")
        go(env, "test", "-vet=off", "-c", "-o", program, ".")
        done = subprocess.run([program, "-test.v"], check=False, cwd=PACKAGE, env=env, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        number = results(done.stdout) + 1
        failed += not report_example(number, example, env)
        failed += not report_layout(number + 1, env, root)
        print(f"1..{number + 1}", flush=True)
    return 1 if failed or done.returncode else 0


if __name__ == "__main__":
    sys.exit(main())
