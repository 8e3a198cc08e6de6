#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs each check of the tree on small trees with one fault each. The check has to find the fault. TAP."""
import json
import os
import shutil
import subprocess
import sys
import tempfile

ROOT = os.path.realpath(os.path.join(os.path.dirname(__file__), "../.."))
TABLE = """# The layout

| folder | may include | may also call | takes | returns |
|---|---|---|---|---|
| `base` | | | | |
| `sys` | `base` | | | |
| `spawn/executor` | `sys` | | | |
| `spawn` | `base` `spawn/executor` | | | |
| `oci` | `spawn` | | | |
| `cli/common` | `base` | | | |
| `cli` | `cli/common` `oci` | | | |
"""
TREE = {
    "docs/architecture.md": TABLE,
    "include/idmount.h": "",
    "lib/base/error.h": '#include "idmount.h"\n#include <errno.h>\n',
    "lib/sys/kernel.h": '#include "lib/base/error.h"\n',
    "lib/sys/kernel.c": '#include "kernel.h"\n#include "lib/sys/kernel.h"\n#include "config.h"\n',
    "lib/spawn/executor/init.c": '#include "lib/sys/kernel.h"\n',
    "lib/spawn/executor/request.h": "",
    "lib/spawn/child.h": '#include "executor/request.h"\n# include "lib/base/error.h"\n',
    "oci/hook.h": '#include "lib/spawn/child.h"\n#include <idmount.h>\n',
    "cli/common/report.h": '#include "lib/base/error.h"\n',
    "cli/main.c": '#include "common/report.h"\n#include "oci/hook.h"\n',
}

tests = []


def test(function):
    tests.append(function)
    return function


def write_tree(files):
    for path, text in files.items():
        os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)


def expect(command, *findings):
    """The command prints these findings. Its exit status is 1 if there are any."""
    done = subprocess.run([os.path.join(ROOT, "scripts", command[0]), *command[1:]], check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert done.stdout.splitlines() == list(findings), f"expected {findings}, got:\n{done.stdout}"
    assert done.returncode == (1 if findings else 0), f"exit status {done.returncode}"


def expect_includes(changes, *findings):
    write_tree({**TREE, **changes})
    expect(["layout.py", "includes"], *findings)


@test
def includes_of_earlier_folders_pass():
    expect_includes({})


@test
def include_of_a_later_folder():
    expect_includes({"lib/base/error.c": '#include "lib/sys/kernel.h"\n'},
                    "lib/base/error.c:1: lib/base/ may not include lib/sys/kernel.h")


@test
def include_of_an_earlier_folder_that_is_not_in_the_row():
    expect_includes({"lib/spawn/child.c": '\n\t#  include <lib/sys/kernel.h> // why\n'},
                    "lib/spawn/child.c:2: lib/spawn/ may not include lib/sys/kernel.h")


@test
def include_by_a_path_with_dots():
    expect_includes({"lib/base/error.c": '#include "../sys/kernel.h"\n'},
                    "lib/base/error.c:1: lib/base/ may not include lib/sys/kernel.h")


@test
def include_of_the_folder_above_and_below():
    expect_includes({"lib/spawn/executor/exec.c": '#include "lib/spawn/child.h"\n',
                     "cli/common/report.c": '#include "../main.h"\n', "cli/main.h": ""},
                    "cli/common/report.c:1: cli/common/ may not include cli/main.h",
                    "lib/spawn/executor/exec.c:1: lib/spawn/executor/ may not include lib/spawn/child.h")


@test
def command_includes_a_stage():
    expect_includes({"cli/mount.c": '#include "lib/spawn/child.h"\n'},
                    "cli/mount.c:1: cli/ may not include lib/spawn/child.h")


@test
def library_includes_the_hook():
    expect_includes({"lib/spawn/child.c": '#include "oci/hook.h"\n'},
                    "lib/spawn/child.c:1: lib/spawn/ may not include oci/hook.h")


@test
def include_of_another_folder():
    expect_includes({"lib/base/error.c": '#include "tests/test.h"\n', "tests/test.h": ""},
                    "lib/base/error.c:1: lib/base/ may not include tests/test.h")


@test
def include_of_a_file_that_does_not_exist():
    expect_includes({"lib/base/error.c": '#include "lib/base/gone.h"\n'},
                    "lib/base/error.c:1: lib/base/gone.h does not exist")


@test
def folder_without_a_row():
    expect_includes({"lib/new/new.c": "", "lib/old.c": ""},
                    "lib/new/new.c: docs/architecture.md has no row for lib/new/",
                    "lib/old.c: docs/architecture.md has no row for lib/")


@test
def row_without_a_folder():
    expect_includes({"docs/architecture.md": TABLE + "| `gone` | | | | |\n"},
                    "docs/architecture.md: lib/gone has no files")


@test
def row_that_allows_a_later_folder():
    expect_includes({"docs/architecture.md": TABLE.replace("\n| `base` | |", "\n| `base` | `sys` |"),
                     "lib/base/error.c": '#include "lib/sys/kernel.h"\n'},
                    "docs/architecture.md: lib/base may include lib/sys, which is not a row above it")


@test
def row_that_allows_what_is_not_used():
    expect_includes({"docs/architecture.md": TABLE.replace("`base` `spawn/executor`", "`base` `sys` `spawn/executor`")},
                    "docs/architecture.md: lib/spawn may include lib/sys, but does not")


@test
def row_that_allows_calls_of_a_later_folder():
    expect_includes({"docs/architecture.md": TABLE.replace("\n| `base` | | |", "\n| `base` | | `sys` |")},
                    "docs/architecture.md: lib/base may call lib/sys, which is not a row above it")


def expect_compiled_includes(changes, *findings):
    """Checks the compiler's list of headers, too."""
    write_tree({**TREE, "build/config.h": "", "lib/sys/file.h": "", **changes})
    sources = sorted(path for path in {**TREE, **changes} if path.endswith(".c"))
    commands = [{"directory": os.path.realpath("build"), "file": "../" + source, "output": source + ".o",
                 "command": f"cc -I. -I.. -I../include -MD -MQ x -MF x -o x -c ../{source}"} for source in sources]
    write_tree({"build/compile_commands.json": json.dumps(commands)})
    expect(["layout.py", "includes", "build"], *findings)
    assert not os.path.exists("build/x"), "the compiler has written a file"


@test
def includes_that_the_compiler_follows_pass():
    expect_compiled_includes({})


@test
def include_that_is_written_in_another_way():
    header = '"lib/sys/file.h"\n'
    for text in ("#define HEADER " + header + "#include HEADER\n", "\n#include /* why */ " + header,
                 "\n#inc\\\nlude " + header, "\n/**/ #include " + header, "\n#include_next " + header,
                 "\n%:include " + header):
        expect_compiled_includes({"lib/base/error.c": text},
                                 "lib/base/error.c:2: lib/base/ may not include lib/sys/file.h")


@test
def include_of_a_file_that_includes():
    expect_compiled_includes({"lib/base/error.c": '#include "x.inc"\n',
                              "lib/base/x.inc": '\n\n#include "lib/sys/file.h"\n'},
                             "lib/base/x.inc:3: lib/base/ may not include lib/sys/file.h")


@test
def include_in_a_branch_that_is_not_compiled():
    expect_compiled_includes({"lib/base/error.c": '#ifdef __powerpc__\n#include "lib/sys/file.h"\n#endif\n'},
                             "lib/base/error.c:2: lib/base/ may not include lib/sys/file.h")


@test
def no_table():
    write_tree({"docs/architecture.md": "| folder | may include |\n"})
    expect(["layout.py", "includes"], "docs/architecture.md: no table of folders")


def build(objects):
    """Compiles {object: (source, text)} below build/, as meson would."""
    commands = []
    for output, (source, text) in objects.items():
        write_tree({source: text})
        os.makedirs(os.path.dirname("build/" + output), exist_ok=True)
        subprocess.run(["cc", "-c", "-O0", source, "-o", "build/" + output], check=True)
        commands.append({"directory": os.path.realpath("build"), "file": "../" + source, "output": output})
    write_tree({"build/compile_commands.json": json.dumps(commands)})


def library(**sources):
    return {f"lib/libx.so.p/{name}.c.o": (f"lib/{name}.c", text) for name, text in sources.items()}


@test
def chain_of_calls_passes():
    build(library(a="void b(void), c(void); static void own(void) { b(); } void a(void) { own(); a(); c(); }",
                  b="void c(void); void b(void) { c(); }", c="void c(void) { }",
                  d="void a(void); static void b(void) { a(); } void d(void) { b(); }"))
    expect(["layout.py", "circles", "build"])


@test
def circle_of_two():
    build(library(a="void b(void), d(void); void a(void) { b(); d(); }", b="void a(void); void b(void) { a(); }",
                  d="void d(void) { }"))
    expect(["layout.py", "circles", "build"], "a circle of 2 files:",
           "  lib/a.c → lib/b.c (b)", "  lib/b.c → lib/a.c (a)")


@test
def circle_of_three_with_a_variable():
    build(library(a="void b(void); int table[2] = { 1, 2 }; void a(void) { b(); }",
                  b="void c(void), c2(void); void b(void) { c(); c2(); }",
                  c="extern int table[2]; void c(void) { table[0] = 0; } void c2(void) { }"))
    expect(["layout.py", "circles", "build"], "a circle of 3 files:",
           "  lib/a.c → lib/b.c (b)", "  lib/b.c → lib/c.c (c, c2)", "  lib/c.c → lib/a.c (table)")


@test
def circle_of_a_library_and_the_command():
    build({"oci/liboci.a.p/a.c.o": ("oci/a.c", "void b(void); void a(void) { b(); }"),
           "cli/libcommon.a.p/b.c.o": ("cli/b.c", "void c(void); void b(void) { c(); }"),
           "lib/libx.a.p/c.c.o": ("lib/c.c", "void a(void); void c(void) { a(); }")})
    expect(["layout.py", "circles", "build"], "a circle of 3 files:", "  cli/b.c → lib/c.c (c)",
           "  lib/c.c → oci/a.c (a)", "  oci/a.c → cli/b.c (b)")


@test
def program_has_its_symbols_for_itself():
    build({"executor.p/a.c.o": ("lib/a.c", "void b(void); void *memset(void *p, int c, unsigned long n) { b(); return p; }"),
           "lib/libx.a.p/b.c.o": ("lib/b.c", "void *memset(void *, int, unsigned long); void b(void) { memset(b, 0, 9); }")})
    expect(["layout.py", "circles", "build"])


@test
def circle_in_a_program():
    build({"x.p/a.c.o": ("cli/a.c", "void b(void); void a(void) { b(); }"),
           "x.p/b.c.o": ("cli/b.c", "void a(void); void b(void) { a(); }")})
    expect(["layout.py", "circles", "build"], "a circle of 2 files:",
           "  cli/a.c → cli/b.c (b)", "  cli/b.c → cli/a.c (a)")


def expect_calls(row, *findings):
    build({"lib/libx.so.p/a.c.o": ("lib/base/a.c", "void a(void) { }"),
           "lib/libx.so.p/b.c.o": ("lib/sys/b.c", "void a(void); void b(void) { a(); }"),
           "lib/libx.so.p/c.c.o": ("lib/spawn/c.c", "void a(void), b(void), d(void); void c(void) { a(); b(); d(); }"),
           "lib/libx.so.p/d.c.o": ("lib/spawn/d.c", "void d(void) { }")})
    write_tree({"docs/architecture.md": "| `base` | | | | |\n| `sys` | `base` | | | |\n| `spawn` |" + row + " | |\n"})
    expect(["layout.py", "calls", "build"], *findings)


@test
def calls_of_earlier_folders_pass():
    expect_calls(" `base` | `sys` |")
    expect_calls(" `sys` | `base` |")
    expect_calls(" `base` `sys` | |")


@test
def call_of_a_folder_that_is_not_in_the_row():
    expect_calls(" `base` | |", "lib/spawn/c.c → lib/sys/b.c (b): lib/spawn/ may not call lib/sys/")


@test
def call_of_a_later_folder():
    write_tree({"docs/architecture.md": "| `base` | | | | |\n| `sys` | | `base` | | |\n"})
    build({"lib/libx.so.p/a.c.o": ("lib/base/a.c", "void b(void); void a(void) { b(); }"),
           "lib/libx.so.p/b.c.o": ("lib/sys/b.c", "void b(void) { }")})
    expect(["layout.py", "calls", "build"], "lib/base/a.c → lib/sys/b.c (b): lib/base/ may not call lib/sys/",
           "docs/architecture.md: lib/sys may call lib/base, but does not")


@test
def row_that_allows_a_call_twice():
    expect_calls(" `base` `sys` | `sys` |",
                 "docs/architecture.md: lib/spawn may include lib/sys, so it may call it without a word")


@test
def circle_through_many_files():
    ring = {f"f{i}": f"void f{(i + 1) % 9}(void); void f{i}(void) {{ f{(i + 1) % 9}(); }}" for i in range(9)}
    ring["f3"] = "void f4(void), f1(void); void f3(void) { f4(); f1(); }"
    build(library(**ring))
    expect(["layout.py", "circles", "build"], "a circle of 3 files:", "  lib/f1.c → lib/f2.c (f2)",
           "  lib/f2.c → lib/f3.c (f3)", "  lib/f3.c → lib/f1.c (f1)", "6 more files are in longer circles")


@test
def nothing_is_built():
    build(library(a="", b=""))
    os.remove("build/lib/libx.so.p/b.c.o")
    expect(["layout.py", "circles", "build"], "lib/b.c: not built")
    os.remove("build/lib/libx.so.p/a.c.o")
    expect(["layout.py", "circles", "build"], "lib/a.c: not built", "lib/b.c: not built",
           "build: no object file of lib, oci, cli, service")


def functions(names):
    return "".join(f"int {name}(void)\n{{\n\treturn 0;\n}}\n\n" for name in names)


RUN = """int run(int);
struct x { int run; };

static const struct x *
	__attribute__((nonnull(1)));

__attribute__((no_sanitize("thread"))) static const struct x *run(const char *text,
	int n)
{
	if (run(n))
		return take(text);
}
"""


@test
def few_names_that_are_shared_pass():
    write_tree({"lib/a/a.c": functions(f"a{i}" for i in range(49)) + RUN.split("\n\n")[2], "cli/run.c": functions(["run"]),
                "oci/b.c": "int run(void);\nint a1(void);\nint x = a1();\n"})
    expect(["names.py"])


@test
def names_that_are_shared():
    write_tree({"lib/a/a.c": functions(f"a{i}" for i in range(48)) + RUN, "oci/run.c": functions(["run"])})
    expect(["names.py"], "2 of 50 functions share their name with one in another file: 4.0 %, expected less than 4 %",
           "run: lib/a/a.c oci/run.c")


@test
def name_in_many_files():
    write_tree({"lib/a/a.c": functions(f"a{i}" for i in range(200)) + functions(["run"]), "oci/run.c": functions(["run"]),
                "cli/run.c": "static int run(void) {\n\treturn 0;\n}\n"})
    expect(["names.py"])
    write_tree({"cli/run.h": "static inline int run(void)\n{\n\treturn 0;\n}\n"})
    expect(["names.py"],
           "run: cli/run.c cli/run.h lib/a/a.c oci/run.c (in 4 files, expected at most 3)")


@test
def no_functions():
    expect(["names.py"], "0 of 0 functions share their name with one in another file: 0.0 %, expected less than 4 %")


@test
def words_in_code_pass():
    write_tree({"lib/a.c": '#include "heart.h"\n#include <lib/heart.h>\nint x = \'"\', heart = \'"\'; // the core\n'
                           'char s[] = "\\"core\\nhear" /* t */ "d"; int whoever(int he);\n',
                "README.md": "It takes effect. It takes 3 seconds. The process has not been reaped.\n"
                             "It has not exited, and takes\neffect. The theme, hearts_ and this.\n"})
    expect(["words.py"])


@test
def words_in_comments_and_strings():
    write_tree({"lib/a.c": '/* It is\n * none. */\nint x; // Its Heart\nchar s[] = "a\\"\\nsomebody "\n\t"else\'s";\n',
                "cli/b.h": '/*\n * one that this namespace has not\n */\nint been;\nchar s[] = "has not", t[] = "been";\n'})
    expect(["words.py", "lib"], "lib/a.c:1: is none: does not exist, no ... exists, is not a ...",
           "lib/a.c:3: Heart: core",
           "lib/a.c:4: somebody else's: another process, another user, another thread")
    lacks = "has not: lack, do not have, without"
    expect(["words.py", "cli"], f"cli/b.h:2: {lacks}", f"cli/b.h:5: {lacks}")


@test
def words_in_python():
    write_tree({"scripts/a.py": '"""Its\nHeart."""\nhe = None\nif he is None:  # It is\n    # none.\n'
                                "    print(f'{heart} \\' heart /heart')\n"})
    expect(["words.py"], "scripts/a.py:2: Heart: core",
           "scripts/a.py:4: is none: does not exist, no ... exists, is not a ...",
           "scripts/a.py:6: heart: core")


@test
def words_in_shell():
    write_tree({"scripts/a.sh": "# It is\n# none.\necho $heart ${heart[0]} </heart\n"})
    expect(["words.py"], "scripts/a.sh:1: is none: does not exist, no ... exists, is not a ...")


@test
def words_in_files_of_a_pattern():
    write_tree({"tests/fuzz/a.c": "/* heart */\n", "tests/fuzz/seeds/b.c": "/* heart */\n"})
    expect(["words.py", "tests/fuzz/*.*"], "tests/fuzz/a.c:1: heart: core")


@test
def words_in_documents():
    write_tree({"man/x.8.scd": "# It lies.\n\nIt is\nnone, so it *takes* one.\n", "docs/x.md": "> Tells\n> nothing of it\n",
                "CONTRIBUTING.md": "Who has it? Who has it has it.\n"})
    expect(["words.py"], "man/x.8.scd:1: lies: is, is located",
           "man/x.8.scd:3: is none: does not exist, no ... exists, is not a ...",
           "man/x.8.scd:4: takes: accepts, requires, uses, needs, gets",
           "docs/x.md:1: Tells nothing of: report, describe",
           "CONTRIBUTING.md:1: Who: begin with the caller, process or user")


@test
def words_in_a_file_that_is_not_utf_8():
    write_tree({"lib/a.c": ""})
    with open("lib/a.c", "wb") as file:
        file.write(b"/* M\xfcller\n * is none. */\n")
    expect(["words.py"], "lib/a.c:1: not UTF-8: text in UTF-8",
           "lib/a.c:2: is none: does not exist, no ... exists, is not a ...")


@test
def spelling():
    shutil.copytree(os.path.join(ROOT, "scripts"), "scripts")
    write_tree({"lib/a.c": "/* the */\n", "cli/b.c": ""})
    analyze = ["bash", "scripts/analyze.sh", ".", "spelling"]
    done = subprocess.run(analyze, check=False, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "1..1\nok 1 - spelling\n"), done.stdout
    write_tree({"man/x.scd": "\nThe end, alow, " + "t" + "eh\n"})
    done = subprocess.run(analyze, check=False, capture_output=True, text=True)
    assert done.returncode == 1 and "not ok 1 - spelling" in done.stdout, done.stdout
    assert "# man/x.scd:2: t" "eh ==> the\n" in done.stdout and "alow" not in done.stdout, done.stdout


def run_in_new_folder(function):
    """Returns None, or the reason for the failure."""
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        try:
            function()
        except (AssertionError, subprocess.CalledProcessError, OSError) as error:
            return str(error) or "failed"
        finally:
            os.chdir(ROOT)
    return None


def main():
    failed = False
    print(f"1..{len(tests)}")
    for number, function in enumerate(tests, 1):
        name = function.__name__.replace("_", " ")
        if name == "spelling" and not shutil.which("codespell"):
            print(f"ok {number} - {name} # SKIP codespell is not installed")
            continue
        why = run_in_new_folder(function)
        for line in (why or "").splitlines():
            print(f"# {line}")
        print(f"{'not ' if why else ''}ok {number} - {name}")
        failed = failed or bool(why)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
