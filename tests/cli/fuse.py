#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Mounts and serves a FUSE filesystem with one empty directory. It admits its own user only, not even root.

    fuse.py PLACE UID [dead | files [OPTION]...]

"dead": it admits every user, and answers no request. "files": each name is a file of root with mode 0600. The server
permits all users everything. Each OPTION is one of the mount.
"""
import ctypes
import os
import struct
import sys

LOOKUP, FORGET, GETATTR, SETATTR, OPEN, RELEASE, INIT, INTERRUPT, BATCH_FORGET = 1, 2, 3, 4, 14, 18, 26, 36, 42
ROOT, FILE = 1, 3  # nodes


def answer(dev, unique, body=b"", error=0):
    os.write(dev, struct.pack("<IiQ", 16 + len(body), error, unique) + body)


def attributes(node, uid):
    mode, links, owner = (0o100600, 1, 0) if node == FILE else (0o40755, 2, uid)
    return struct.pack("<6Q3I7I", *[0] * 9, mode, links, owner, owner, 0, 0, 0)


def main():
    place, uid, words = sys.argv[1], int(sys.argv[2]), sys.argv[3:]
    dead, files = "dead" in words, "files" in words
    dev = os.open("/dev/fuse", os.O_RDWR)
    libc = ctypes.CDLL(None, use_errno=True)
    options = f"fd={dev},rootmode=40000,user_id={uid},group_id={uid}" + ",allow_other" * dead
    options += "".join("," + word for word in words if word not in ("dead", "files"))
    if libc.mount(b"fuse", place.encode(), b"fuse", 0, options.encode()) < 0:
        sys.exit(os.strerror(ctypes.get_errno()))
    os.setgid(uid)
    os.setuid(uid)
    while True:
        try:
            request = os.read(dev, 1 << 17)
        except OSError:  # unmounted
            return
        _, opcode, unique, node = struct.unpack_from("<IIQQ", request)
        if opcode == INIT:
            answer(dev, unique, struct.pack("<IIIIHHI", 7, 31, 0, 0, 0, 0, 4096) + b"\0" * 40)
        elif dead:
            continue
        elif opcode in (GETATTR, SETATTR):
            answer(dev, unique, struct.pack("<QII", 0, 0, 0) + attributes(node, uid))
        elif files and opcode == LOOKUP:
            answer(dev, unique, struct.pack("<4Q2I", FILE, 0, 0, 0, 0, 0) + attributes(FILE, uid))
        elif files and opcode in (OPEN, RELEASE):
            answer(dev, unique, b"\0" * 16 * (opcode == OPEN))
        elif opcode == LOOKUP:
            answer(dev, unique, error=-2)
        elif opcode not in (FORGET, BATCH_FORGET, INTERRUPT):
            answer(dev, unique, error=-38)


main()
