#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs a command on a terminal of 33 rows and 77 columns, as somebody would who sits there.

    expect.py COMMAND [WAIT TYPE]...

Waits each time until WAIT is on the screen (of what has come since the last time), then types TYPE, in which
\\xNN is a byte, and WINCH:ROWSxCOLUMNS makes the window another size. Prints all that came, and exits as the
command does: with its status, or 128 and the signal; 124 if something did not come in 20 seconds.
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
        # Python ignores some by itself, and the shell of a script may have ignored others.
        for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGPIPE, signal.SIGTSTP):
            signal.signal(number, signal.SIG_DFL)
        time.sleep(0.1)  # until the window has its size
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
