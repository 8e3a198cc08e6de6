# SPDX-License-Identifier: MIT
"""The table of attacks. Each is a function that gets one try, prepares its files, and attacks."""
import itertools

ATTACKS = []
WHO = ("rootful", "rootless")
MODES = ("tty", "terminal")  # a terminal of its own, or the caller's
ALL_MODES = ("tty", "terminal", "pipes")  # "pipes": the caller's terminal, but pipes as standard streams
PIDS = (True, False)
ALL = ("idmount", "bwrap", "runc", "crun")
OURS = ("idmount",)
BOTH = ("usual", "all")  # capabilities: the default set, and all of them, as for an init system


class Attack:
    def __init__(self, part, name, what, run, **more):
        self.part, self.name, self.what, self.run = part, name, what, run
        self.who, self.modes, self.pids = more.pop("who", WHO), more.pop("modes", MODES), more.pop("pids", PIDS)
        self.capabilities = more.pop("capabilities", ("usual",))
        self.products = more.pop("products", ALL)
        self.may_refuse = more.pop("may_refuse", False)  # the container may also refuse to start
        self.on_host = more.pop("on_host", False)  # starts no container
        self.rounds = more.pop("rounds", 1)
        self.family = more.pop("family", what)  # similar attacks share one line of the table
        self.group = run.__module__.removeprefix("attacks_")
        self.bad = 0
        assert not more, more

    def surroundings(self):
        return list(itertools.product(self.who, self.modes, self.pids, self.capabilities))


def attack(part, name, what, **more):
    def add(function):
        ATTACKS.append(Attack(part, name, what, function, **more))
        return function
    return add
