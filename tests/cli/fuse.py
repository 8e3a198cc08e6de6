#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Mounts and serves a FUSE filesystem with one empty directory. It admits its own user only, not even root.

    fuse.py PLACE UID [dead]

"dead": it admits every user, and answers no request.
"""
import ctypes
import os
import struct
import sys

LOOKUP, FORGET, GETATTR, INIT, INTERRUPT, BATCH_FORGET = 1, 2, 3, 26, 36, 42


def answer(dev, unique, body=b"", error=0):
    os.write(dev, struct.pack("<IiQ", 16 + len(body), error, unique) + body)


def main():
    place, uid, dead = sys.argv[1], int(sys.argv[2]), "dead" in sys.argv[3:]
    dev = os.open("/dev/fuse", os.O_RDWR)
    libc = ctypes.CDLL(None, use_errno=True)
    options = f"fd={dev},rootmode=40000,user_id={uid},group_id={uid}" + ",allow_other" * dead
    if libc.mount(b"fuse", place.encode(), b"fuse", 0, options.encode()) < 0:
        sys.exit(os.strerror(ctypes.get_errno()))
    os.setgid(uid)
    os.setuid(uid)
    while True:
        try:
            request = os.read(dev, 1 << 17)
        except OSError:  # unmounted
            return
        _, opcode, unique, _ = struct.unpack_from("<IIQQ", request)
        if opcode == INIT:
            answer(dev, unique, struct.pack("<IIIIHHI", 7, 31, 0, 0, 0, 0, 4096) + b"\0" * 40)
        elif dead:
            continue
        elif opcode == GETATTR:
            times_and_sizes = struct.pack("<QII6Q3I", 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0)
            answer(dev, unique, times_and_sizes + struct.pack("<7I", 0o40755, 2, uid, uid, 0, 0, 0))
        elif opcode == LOOKUP:
            answer(dev, unique, error=-2)
        elif opcode not in (FORGET, BATCH_FORGET, INTERRUPT):
            answer(dev, unique, error=-38)


main()
