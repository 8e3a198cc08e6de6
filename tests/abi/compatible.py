#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Whether a program that was compiled with the header of 0.1 would notice that this is another library.

Everything that idmount-0.1.h declares is compared with what include/idmount.h declares: functions and their
types, structs with the places, sizes and types of their members, constants. What is new does no harm. Then
the header of today is damaged in every way that this has to notice, to see that it does.
"""
import os
import re
import subprocess
import sys
import tempfile

SOURCE = os.environ["IDM_SOURCE_ROOT"]
OLD = os.path.join(SOURCE, "tests/abi/idmount-0.1.h")
NEW = os.path.join(SOURCE, "include/idmount.h")
VERSION = "IDMOUNT_0.1"

number = failed = 0


def report(good, what, said=()):
    global number, failed
    number += 1
    failed += not good
    for line in said:
        print("#", line)
    print("ok" if good else "not ok", number, "-", what)


# ---- what a header declares ----

def statements(text):
    """The declarations, without what is inside of their braces being taken apart."""
    depth, start = 0, 0
    for at, c in enumerate(text):
        depth += (c == "{") - (c == "}")
        if c == ";" and depth == 0:
            yield " ".join(text[start:at].split())
            start = at + 1


class Header:
    def __init__(self, text):
        text = re.sub(r"/\*.*?\*/", " ", text, flags=re.DOTALL).replace("\\\n", " ")
        text = re.sub(r"#ifdef __cplusplus.*?#endif", "", text, flags=re.DOTALL)
        text = re.sub(r"#ifdef __GNUC__.*?#endif", "", text, flags=re.DOTALL)  # macros of attributes, no constants
        inline = r"^static inline [^{;]*?\b(idm_\w+)\([^{;]*\)\n\{.*?^\}"
        self.inlines = re.findall(inline, text, flags=re.DOTALL | re.MULTILINE)
        text = re.sub(inline, "", text, flags=re.DOTALL | re.MULTILINE)
        self.constants = [name for name in re.findall(r"^#define (IDM_\w+) ", text, flags=re.MULTILINE)
                          if not name.startswith("IDM_VERSION") and not name.endswith("_INIT")]
        self.functions = {}  # by name: the declaration
        self.structs = {}  # by name: name and declaration of each member
        for s in statements(re.sub(r"^#.*", "", text, flags=re.MULTILINE)):
            body = re.fullmatch(r"(struct|enum) (\w+) \{(.*)\}", s)
            if body and body[1] == "enum":
                self.constants += re.findall(r"\bIDM_\w+", body[3])
            elif body:
                self.structs[body[2]] = [(self.declared(m), m) for m in statements(body[3])]
            elif "(" in s:
                self.functions[re.search(r"\b(idm_\w+) ?\(", s)[1]] = s

    def names(self):
        """Everything that it declares, by name and type."""
        return {*self.functions.values(), *self.inlines, *self.constants,
                *(f"{struct}: {member}" for struct, members in self.structs.items() for _, member in members)}

    @staticmethod
    def declared(member):
        pointer = re.search(r"\(\*(\w+)\)", member)
        return pointer[1] if pointer else re.search(r"(\w+)(\[.*\])?$", member)[1]


# ---- what a compiler makes of it ----

def compiler(arguments, source):
    """Its complaints; none if it has none."""
    done = subprocess.run(["cc", "-std=gnu11", "-Werror", "-x", "c", *arguments, "-"], input=source,
                          text=True, capture_output=True, check=False)
    return [line for line in done.stderr.splitlines() if "error" in line] or (
        [] if done.returncode == 0 else ["the compiler failed"])


def types_changed(old, new_path):
    """Declared twice, with different types, is an error."""
    source = [f'#include "{new_path}"'] + [s + ";" for s in old.functions.values()]
    for struct, members in old.structs.items():
        for name, member in members:
            twice = f"same_{struct}_{name}"
            renamed = re.sub(rf"\b{name}\b(?!.*\b{name}\b)", twice, member)  # the last one is its name
            source += [f"extern {renamed};",
                       f"extern __typeof__(((struct {struct} *)0)->{name}) {twice};"]
    return compiler(["-fsyntax-only"], "\n".join(source) + "\n")


def numbers(old, path, directory):
    """By name: sizes, places and values, as a program that was compiled with this header has them."""
    lines = [f'#include "{path}"', "#include <stdio.h>", "int main(void) {"]
    for struct, members in old.structs.items():
        lines.append(f'printf("size of {struct}=%zu\\n", sizeof(struct {struct}));')
        for name, _ in members:
            lines.append(f'printf("{struct}.{name}=%zu, %zu bytes\\n", offsetof(struct {struct}, {name}), '
                         f'sizeof(((struct {struct} *)0)->{name}));')
    lines += [f'printf("{c}=%lld\\n", (long long){c});' for c in old.constants]
    program = os.path.join(directory, "numbers")
    said = compiler(["-o", program], "\n".join([*lines, "return 0; }", ""]))
    if said:
        return {}, said
    text = subprocess.run([program], text=True, capture_output=True, check=True).stdout
    return dict(line.split("=") for line in text.splitlines()), []


def may_grow(old, struct):
    """With its size in front, or in idm_child_options.mount_size."""
    return old.structs[struct][0][1] == "size_t size" or struct == "idm_child_mount"


def numbers_changed(old, new_path, directory):
    before, said = numbers(old, OLD, directory)
    after, more = numbers(old, new_path, directory)
    said += more
    for what, value in before.items():
        now = after.get(what, "not there")
        struct = what.removeprefix("size of ")
        grown = struct != what and may_grow(old, struct) and now.isdecimal() and int(now) >= int(value)
        if now != value and not grown and not more:
            said.append(f"{what} was {value}, and is {now}")
    return said


def incompatible(old, new_text):
    """What an older program would stumble over."""
    new = Header(new_text)
    said = [f"{name} is gone" for name in old.functions if name not in new.functions]
    said += [f"{name} is gone" for name in old.inlines if name not in new.inlines]
    with tempfile.TemporaryDirectory() as directory:
        path = os.path.join(directory, "idmount.h")
        with open(path, "w", encoding="utf-8") as file:
            file.write(new_text)
        return said + types_changed(old, path) + numbers_changed(old, path, directory)


# ---- what must be noticed, and what must not be ----

HARM = {
    "a function is gone": (r"const char \*idm_version\(void\);", ""),
    "an inline function is gone": (r"static inline void idm_closep\(", "static inline void idm_close("),
    "a function returns something else": (r"const char \*idm_version", "char *idm_version"),
    "an argument has another type": (r"(int idm_umount\(int dirfd, const char \*target, )unsigned int", r"\1uint64_t"),
    "an argument more": (r"(int idm_map_check\(const struct idm_map \*map, )", r"\1int more, "),
    "a callback is called otherwise": (r"(\(\*each\)\(const struct idm_feature_info \*)feature, void \*data",
                                       r"\1feature"),
    "a member is gone": (r"\n\tpid_t \*pid;[^\n]*", ""),
    "a member has another type": (r"\n\tpid_t \*pid;", "\n\tuint64_t *pid;"),
    "a member has another place": (r"(\n\tint code;[^\n]*)(\n\tint status;[^\n]*)", r"\2\1"),
    "a member has another size": (r"char hint\[440\]", "char hint[444]"),
    "a struct of a fixed layout has grown": (r"(\n\tint status;[^\n]*)", r"\1\n\tint more;"),
    "a constant has another value": (r"#define IDM_GID 0x2U", "#define IDM_GID 0x4U"),
    "a constant is gone": (r"#define IDM_GID 0x2U[^\n]*", ""),
    "an enumeration begins with something else": (r"IDM_MAP_NONE = 0,", "IDM_MAP_NONE = 1,"),
}
NO_HARM = {
    "a function more": (r"const char \*idm_version\(void\);", r"\g<0> int idm_new(int flags);"),
    "a constant more": (r"#define IDM_GID 0x2U", "#define IDM_NEW 0x8U\n\\g<0>"),
    "a member more at the end of a struct with a size": (
        r"(struct idm_upper_cache \*upper_cache;[^\n]*)(\n\};\n#define IDM_PLAN_APPLY)", r"\1 int more;\2"),
    "a member more at the end of an element whose size the options have": (
        r"(\n\tint tree_fd;)(\n\};\n#define IDM_CHILD_MOUNT_INIT)", r"\1 uint64_t more;\2"),
    "a struct more": (r"\nstruct idm_exit_info \{", "\nstruct idm_new { int more; };\\g<0>"),
}


def changed(text, change):
    text, n = re.subn(change[0], change[1], text, count=1)
    assert n, f"nothing to change in the header: {change[0]}"
    return text


# ---- the library, and the program ----

def exported():
    listing = subprocess.run(["nm", "-D", "--defined-only", os.environ["IDM_LIBRARY"]], text=True,
                             capture_output=True, check=True).stdout
    return set(re.findall(r"([^\s@]+)@+" + re.escape(VERSION) + r"$", listing, flags=re.MULTILINE))


def released():
    with open(os.path.join(SOURCE, "NEWS.md"), encoding="utf-8") as file:
        return "## 0.1.0 (not released yet)" not in file.read()


def main():
    with open(OLD, encoding="utf-8") as file:
        old = Header(file.read())
    with open(NEW, encoding="utf-8") as file:
        new = file.read()
    with open(os.path.join(SOURCE, "tests/abi/old.c"), encoding="utf-8") as file:
        program = file.read()

    said = incompatible(old, new)
    if said:
        said.append("before the release of 0.1, idmount-0.1.h has to follow; after it, this must not be")
    report(not said, "programs of 0.1 may be linked with it", said)
    if not released():
        said = [f"only in one of them: {name}" for name in sorted(old.names() ^ Header(new).names())]
        report(not said, "until its release, idmount-0.1.h declares what include/idmount.h declares", said)
    tried = len(old.functions) + len(old.inlines) + sum(len(m) for m in old.structs.values()) + len(old.constants)
    print(f"# proof abi: {tried} functions, members and constants of 0.1")

    gone = sorted(set(old.functions) - exported())
    report(not gone, f"the library has all of {VERSION}", [f"not exported: {name}" for name in gone])
    unused = [name for name in [*old.functions, *old.inlines] if not re.search(rf"\b{name}\b", program)]
    report(not unused, "old.c uses every function", [f"not used: {name}" for name in unused])

    for what, change in HARM.items():
        report(bool(incompatible(old, changed(new, change))), "noticed: " + what)
    for what, change in NO_HARM.items():
        said = incompatible(old, changed(new, change))
        report(not said, "allowed: " + what, said)
    print(f"1..{number}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
