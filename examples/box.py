#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs a command while a directory is mounted with other owners.

    box.py MAP SOURCE TARGET COMMAND [ARGUMENT...]

Requires root, and the package of bindings/python.
"""
import subprocess
import sys

import idmount


def main(argv):
    if len(argv) < 5:
        print(f"usage: {argv[0]} MAP SOURCE TARGET COMMAND [ARGUMENT...]", file=sys.stderr)
        return 2
    try:
        with idmount.mounted(argv[1], argv[2], argv[3], mkdir=True):
            return subprocess.run(argv[4:], check=False).returncode
    except idmount.Error as error:
        print(f"{argv[0]}: {error}", file=sys.stderr)
        if error.hint:
            print(error.hint, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv))
