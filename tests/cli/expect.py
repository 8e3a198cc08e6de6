#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs a command on a terminal of 33 rows and 77 columns, and types there.

    expect.py COMMAND [WAIT TYPE]...

Waits until the output since the last step contains WAIT, then types TYPE, for each pair. In TYPE \\xNN is a byte,
and WINCH:ROWSxCOLUMNS changes the size of the window. Prints all output. Exits with the status of the command,
or with 128 and the number of its signal. Exits with 124 if WAIT did not appear in 20 seconds.
"""
import fcntl
import os
import pty
import select
import signal
import struct
import sys
import termios
import time


def resize(fd, rows, columns):
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


def main():
    command, steps = sys.argv[1], sys.argv[2:]
    pid, fd = pty.fork()
    if pid == 0:
        # Python ignores some signals, and the shell of a script may ignore others.
        for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGPIPE, signal.SIGTSTP):
            signal.signal(number, signal.SIG_DFL)
        time.sleep(0.1)  # the window needs to get its size first
        os.execvp("/bin/sh", ["sh", "-c", command])
    resize(fd, 33, 77)
    screen, seen, end = b"", 0, time.monotonic() + 20
    while True:
        while steps and steps[0].encode() in screen[seen:]:
            seen = screen.index(steps[0].encode(), seen) + len(steps[0].encode())
            typed = steps[1]
            if typed.startswith("WINCH:"):
                resize(fd, *map(int, typed[6:].split("x")))
            else:
                os.write(fd, typed.encode().decode("unicode_escape").encode("latin-1"))
            steps = steps[2:]
        ready, _, _ = select.select([fd], [], [], max(0, end - time.monotonic()))
        try:
            data = os.read(fd, 4096) if ready else None
        except OSError:
            data = b""  # the command has closed it
        if not data:
            break
        screen += data
    sys.stdout.write(screen.decode(errors="replace").replace("\r", ""))
    if data is None or steps:
        print("did not come:", steps)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        return 124
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return status if status >= 0 else 128 - status


sys.exit(main())
