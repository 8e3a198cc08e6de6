#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""
Traces the hook. As long as a process of it is in the container's user namespace, it has nothing of the host: another
container can share that namespace, kill the process, and open its files while it exits.

oci-locking.py PID SIGNAL COMMAND...: PID is a process of the container. SIGNAL is sent to the hook's process in there,
if it is not 0.
"""
import ctypes
import os
import signal
import sys

LIBC = ctypes.CDLL(None, use_errno=True)
LIBC.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
SYSCALL, SEIZE, LISTEN = 24, 0x4206, 0x4208
OPTIONS = 1 | 2 | 4 | 8 | 1 << 20  # marked system calls, forks of three kinds, kill at the tracer's exit
EVENT_STOP, ALL_CHILDREN = 128, 1 << 30


def ptrace(request, pid, data=0):
    if LIBC.ptrace(request, pid, None, data) != 0 and ctypes.get_errno() != 3:  # ESRCH: it was killed
        sys.exit(f'ptrace: {os.strerror(ctypes.get_errno())}')


def start(command):
    pid = os.fork()
    if pid == 0:
        os.kill(os.getpid(), signal.SIGSTOP)
        # The search for leaks of the address sanitizer traces the process itself.
        sanitizer = os.environ.get('ASAN_OPTIONS', '') + ':detect_leaks=0'
        os.execve(command[0], command, {**os.environ, 'ASAN_OPTIONS': sanitizer})
    os.waitpid(pid, os.WUNTRACED)
    ptrace(SEIZE, pid, OPTIONS)
    os.kill(pid, signal.SIGCONT)
    return pid


def find_parts_of_host(pid):
    directory = f'/proc/{pid}'
    for name in 'root', 'cwd':
        if os.stat(f'{directory}/{name}').st_dev in (os.stat('/').st_dev, os.stat('/mnt').st_dev):
            yield name
    for number in os.listdir(f'{directory}/fd'):
        link = os.readlink(f'{directory}/fd/{number}')
        if not link.startswith('user:['):
            yield f'descriptor {number}: {link}'


def proceed(pid, status):
    number, event = os.WSTOPSIG(status), status >> 16
    if event == EVENT_STOP and number != signal.SIGTRAP:
        ptrace(LISTEN, pid)
        return
    delivered = 0 if event or number == signal.SIGTRAP | 0x80 else number
    ptrace(SYSCALL, pid, delivered)


def main():
    userns = os.stat(f'/proc/{sys.argv[1]}/ns/user').st_ino
    sent = int(sys.argv[2])
    hook = start(sys.argv[3:])
    found = 0
    while True:
        pid, status = os.waitpid(-1, ALL_CHILDREN)
        if os.WIFSTOPPED(status):
            try:
                if os.stat(f'/proc/{pid}/ns/user').st_ino == userns:
                    found += 1
                    if sent and found == 1:
                        os.kill(pid, sent)
                    for part in () if sent else find_parts_of_host(pid):
                        sys.exit(f'in the user namespace of the container: {part}')
            except FileNotFoundError:
                pass
            proceed(pid, status)
        elif pid == hook:
            if not sent:
                print('found' if found else 'no process in there')
            sys.exit(os.waitstatus_to_exitcode(status))


main()
