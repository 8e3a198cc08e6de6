#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The shared library and the command name in an ELF note what they load by dlopen(3), as readelf(1) shows it."""
import ctypes
import json
import os
import re
import struct
import subprocess
import sys

ROOT = os.environ["IDM_SOURCE_ROOT"]
CONFIG = os.path.join(os.environ["IDM_BUILD_ROOT"], "config.h")
HEX_LINE = re.compile(r"^  0x[0-9a-f]+ ((?:[0-9a-f]{1,8} ){1,4})", re.MULTILINE)


def output(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def notes(path):
    """Returns the parsed JSON of each note. Older releases of readelf print no data of this type with -n."""
    dump = output("readelf", "-x", ".note.dlopen", path)
    data, found = bytes.fromhex("".join(HEX_LINE.findall(dump))), []
    while data:
        name_size, text_size, kind = struct.unpack_from("=III", data)
        text = data[12 + padded(name_size):][:text_size]
        assert (data[12:12 + name_size], kind, text[-1:]) == (b"FDO\0", 0x407C0C0A, b"\0"), data
        found.append(json.loads(text[:-1]))
        data = data[12 + padded(name_size) + padded(text_size):]
    return found


def padded(size):
    return (size + 3) & ~3


def names(path):
    return [name for note in notes(path) for entry in note for name in entry["soname"]]


def check_format():
    """The keys are those of the specification, and each library can be loaded."""
    for note in notes(os.environ["IDM_LIBRARY"]):
        for entry in note:
            assert set(entry) == {"feature", "description", "priority", "soname"}, entry
            assert entry["priority"] in ("required", "recommended", "suggested"), entry
            for name in entry["soname"]:
                ctypes.CDLL(name)


def check_all_named():
    """A program names each library that its code loads."""
    calls = output("grep", "-rhoE", r"dlopen\([^;]*;|dlopen\(.*RTLD.*", os.path.join(ROOT, "lib"), "--include=*.c")
    loads = re.findall(r'dlopen\("([a-z]+\.so)\.', calls)
    assert loads == ["libsubid.so"], f"expected one library in the sources, got {loads}"
    for path in (os.environ["IDM_LIBRARY"], os.environ["IDMOUNT"]):
        found = [name.rpartition(".")[0] for name in names(path)]
        assert found == loads, f"{path}: expected {loads}, got {found}"


def main():
    with open(CONFIG, encoding="utf-8") as config:
        if "#define HAVE_LIBSUBID 1" not in config.read():
            print("1..0 # SKIP this build loads no library")
            return 0
    failed = 0
    print("1..2")
    for number, check in enumerate((check_format, check_all_named), 1):
        try:
            check()
            print(f"ok {number} - {check.__name__}")
        except (AssertionError, OSError) as problem:
            failed = 1
            print(f"# {problem}\nnot ok {number} - {check.__name__}")
    return failed


if __name__ == "__main__":
    sys.exit(main())
