# SPDX-License-Identifier: MIT
"""The caller's session: its terminal and its keys."""
import os

import host
from attack_table import ALL_MODES, BOTH, attack

TIOCSTI = "/proc/sys/dev/tty/legacy_tiocsti"


def permit_tiocsti(t):
    """Allows TIOCSTI, as all kernels before Linux 6.2 do."""
    if not os.path.exists(TIOCSTI) or host.read(TIOCSTI).strip() != b"0":
        return

    def write(text):
        with open(TIOCSTI, "w", encoding="ascii") as file:
            file.write(text)
    t.undo.append(lambda: write("0"))
    write("1")


@attack("B", "type-for-the-caller", "`TIOCSTI`: it types into the caller's shell (CVE-2017-5226)", capabilities=BOTH, modes=ALL_MODES)
def type_for(t):
    permit_tiocsti(t)
    t.attack("type")


@attack("B", "type-for-the-caller-by-a-bound-terminal", "the same with the host's `/dev/pts` in the container", capabilities=BOTH, modes=ALL_MODES,
        may_refuse=True)
def type_by_bind(t):
    permit_tiocsti(t)
    t.bind("/dev/pts", "/pts")
    t.attack("type", *[f"/pts/{n}" for n in range(8)])


@attack("B", "take-the-terminal", "it makes itself the foreground of the caller's terminal", capabilities=BOTH, modes=ALL_MODES)
def take_terminal(t):
    t.attack("take-terminal")


@attack("B", "keys", "it reads and changes the keys in the caller's session keyring", capabilities=BOTH, modes=ALL_MODES)
def keys(t):
    t.attack("keys")


@attack("B", "unread-input", "it does not read its terminal, and its supervisor no longer hears SIGTERM", modes=("tty",), products=("idmount", "runc", "crun"))
def unread_input(t):
    t.inspect = t.host.type_and_terminate
    t.attack("wait")


@attack("B", "unread-output", "it prints more than the caller reads, and its supervisor no longer hears SIGTERM")
def unread_output(t):
    t.inspect = t.host.look_away_and_terminate
    t.attack("flood")
