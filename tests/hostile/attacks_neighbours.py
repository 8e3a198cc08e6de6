# SPDX-License-Identifier: MIT
"""Other mount namespaces, by ioctl(2). Linux 6.12 before 6.12.75 returns them without a check: see tests/vm/."""
from attack_table import BOTH, attack


@attack("A", "neighbour-namespaces", "`NS_MNT_GET_PREV` and `NS_MNT_GET_NEXT`, and setns(2) to what they give", capabilities=BOTH)
def neighbours(t):
    t.attack("neighbours")
