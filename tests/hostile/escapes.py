#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Attacks from inside of containers on the host.

    escapes.py [--group NAME] [--product NAME] [--table | --doc FILE | --list] [--verbose] [ATTACK]...

Each attack is tried in all relevant surroundings: started by root and by an ordinary user, with and without
a terminal of its own, with and without a PID namespace. The judge is outside. It checks the host's files,
mounts, processes, keys and terminal, and ignores what the attacker prints.

Prints TAP, with one test for each attack. --table tries the same attacks on bwrap, runc and crun, and prints a
table. --doc writes that into docs/testing.md. Requires root. All of it runs in a PID namespace and a mount
namespace of its own.
"""
import argparse
import ctypes
import json
import os
import signal
import sys
import traceback

sys.dont_write_bytecode = True  # writes nothing to the source tree
# pylint: disable=wrong-import-position
import attacks_devices
import attacks_mounts
import attacks_neighbours
import attacks_processes
import attacks_races
import attacks_runtime
import attacks_session
import box
import host
from attack_table import ATTACKS

MODULES = (attacks_mounts, attacks_neighbours, attacks_processes, attacks_session, attacks_devices, attacks_runtime, attacks_races)
GROUPS = tuple(module.__name__.removeprefix("attacks_") for module in MODULES)
PRODUCTS = ("idmount", "bwrap", "runc", "crun")


def one_try(attack, product, surroundings):
    """Tries an attack in a process of its own, which leaves nothing. Returns the verdict."""
    answer = os.memfd_create("answer")
    pid = os.fork()
    if pid == 0:
        try:
            result = judge(attack, box.Try(product, *surroundings))
        except box.NotApplicable as error:
            result = {"verdict": "not applicable", "why": [str(error)]}
        except Exception:  # pylint: disable=broad-except
            result = {"verdict": "broken", "why": traceback.format_exc().splitlines()[-6:]}
        os.write(answer, json.dumps(result).encode())
        os._exit(0)
    _, status = os.waitpid(pid, 0)
    text = os.pread(answer, 1 << 20, 0)
    os.close(answer)
    end_all()
    if os.WIFSIGNALED(status):
        return {"verdict": "escaped", "why": ["killed the judge"], "rounds": 1}
    try:
        return json.loads(text)
    except ValueError:
        return {"verdict": "broken", "why": ["the judge did not finish"]}


def judge(attack, t):
    try:
        t.make()
        attack.run(t)
    finally:
        for undo in reversed(t.undo):
            undo()
    found = t.host.found
    if found:
        return {"verdict": "escaped", "why": found, "output": t.output[-600:], "rounds": attack.rounds}
    if not attack.on_host and not t.began() and not (t.refused and attack.may_refuse):
        return {"verdict": "broken", "why": [f"exit status {t.status}"] + t.output.splitlines()[-6:]}
    why = t.output.splitlines()[:1] if t.refused else []
    return {"verdict": "held", "why": why, "output": t.output[-600:], "rounds": attack.rounds}


def end_all():
    """Kills all other processes of the namespace. This is its process 1, and the others are left from the try."""
    os.kill(-1, signal.SIGKILL)
    while True:
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return


def enter_namespaces():
    """Enters new namespaces, so that no attack reaches the machine's processes and mounts."""
    if os.environ.get("IDM_HOSTILE_INSIDE") == str(os.getppid()):
        return
    os.environ["IDM_HOSTILE_INSIDE"] = "0"
    line = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "--propagation", "private",
            sys.executable, os.path.abspath(__file__), *sys.argv[1:]]
    os.execvp(line[0], line)


def tries_of(attack, product):
    return [(product, surroundings) for surroundings in attack.surroundings()]


def run_tap(attacks, product, verbose):
    tried = escaped = failed = 0
    print(f"1..{len(attacks)}", flush=True)
    for number, attack in enumerate(attacks, 1):
        bad = []
        for _, surroundings in tries_of(attack, product):
            result = one_try(attack, product, surroundings)
            if result["verdict"] == "not applicable":
                continue
            tried += result.get("rounds", 0)
            escaped += result["verdict"] == "escaped"
            where = box.describe(*surroundings)
            if result["verdict"] in ("escaped", "broken") or verbose:
                bad += [f"# {result['verdict'].upper()} ({where}): {'; '.join(result['why'])}"]
            if verbose:
                bad += ["#   | " + line for line in result.get("output", "").splitlines()]
            failed += result["verdict"] in ("escaped", "broken")
            attack.bad += result["verdict"] in ("escaped", "broken")
        print("\n".join(bad + [f"{'not ok' if attack.bad else 'ok'} {number} - {attack.name}"]), flush=True)
    print(f"# proof escapes: {tried} attacks on the host")
    print(f"# escapes tried: {tried}, {escaped}")
    return 1 if failed else 0


# Attacks that a chroot does not hold. If the judge missed one, it would be blind to that kind.
SEEN = {
    "bind-on-/../mnt/host/made": "dropped in silence",
    "capabilities": "has the capabilities",
    "chroot": "read a file of the host",
    "descriptors": "has descriptor N",
    "device-in-image": "changed /mnt/disks/disk",
    "device-made-inside": "changed /mnt/disks/disk",
    "groups": "read what a mount covers",
    "keys": "read the caller's key; changed the caller's key",
    "kill-group-SIGKILL": "killed or stopped the caller",
    "kill-group-SIGSTOP": "killed or stopped the caller",
    "masked": "read /proc/keys",
    "memory": "read the caller's environment",
    "mount-in-shared-root": "mounted on the host",
    "processes": "read a file of the host",
    "ptrace": "traces python3",
    "remount-bind": "changed /mnt/conf/file",
    "settings": "changed /proc/sys/kernel/core_pattern",
    "setuid-in-bind": "became root by it",
    "steal-descriptors": "has descriptor N",
    "take-the-terminal": "took the caller's terminal away",
    "type-for-the-caller": "typed for the caller",
    "uncover-bind": "read what a mount covers",
}


def run_control(attacks):
    attacks = [a for a in attacks if a.name in SEEN]
    print(f"1..{len(attacks)}", flush=True)
    failed = 0
    for number, attack in enumerate(attacks, 1):
        result = one_try(attack, "chroot", ("rootful", "terminal", False, "usual"))
        seen = all(any(what in one for one in result["why"]) for what in SEEN[attack.name].split("; "))
        failed += not seen
        if not seen:
            print(f"# {result['verdict']}: {'; '.join(result['why'])}; not seen: {SEEN[attack.name]}")
        print(f"{'ok' if seen else 'not ok'} {number} - the judge sees what a chroot does not hold: {attack.name}", flush=True)
    return 1 if failed else 0


def word_of(results):
    verdicts = [r["verdict"] for r in results if r["verdict"] != "not applicable"]
    if not verdicts:
        return "not applicable"
    if "broken" in verdicts and "escaped" not in verdicts:
        held = verdicts.count("held")
        return f"held ({held}), not started ({len(verdicts) - held})" if held else "not started"
    escaped = verdicts.count("escaped")
    return f"**escaped** ({escaped} of {len(verdicts)})" if escaped else f"held ({len(verdicts)})"


def results_of(attacks, product):
    found = []
    for attack in attacks:
        if product not in attack.products:
            continue
        for _, surroundings in tries_of(attack, product):
            result = one_try(attack, product, surroundings)
            found.append(result)
            if result["verdict"] in ("broken", "escaped"):
                print(f"{attack.name}, {product}, {box.describe(*surroundings)}: {result['verdict']}: {'; '.join(result['why'])}",
                      file=sys.stderr, flush=True)
    return found


def column(attacks, product, keep):
    """Returns the results of all families of attacks on one product; with --keep those in a file, if it exists."""
    path = keep and os.path.join(keep, f"{product}.json")
    if path and os.path.exists(path):
        with open(path, encoding="utf-8") as file:
            return json.load(file)
    cells = {}
    for family in dict.fromkeys(attack.family for attack in attacks):
        cells[family] = word_of(results_of([attack for attack in attacks if attack.family == family], product))
        print(f"{product}: {family}: {cells[family]}", file=sys.stderr, flush=True)
    if path:
        with open(path, "w", encoding="utf-8") as file:
            json.dump(cells, file)
    return cells


def make_table(attacks, products, keep):
    versions = {product: box.version(product) for product in products}
    present = [product for product in products if versions[product]]
    columns = [column(attacks, product, keep) for product in present]
    lines = ["| attack | " + " | ".join(f"{p} {versions[p]}" for p in present) + " |", "|---" * (len(present) + 1) + "|"]
    for family in dict.fromkeys(attack.family for attack in attacks):
        lines.append(f"| {family} | " + " | ".join(cells.get(family, "not tried") for cells in columns) + " |")
    return "\n".join(lines) + "\n"


BEGIN, END = "<!-- written by tests/hostile/escapes.py --doc -->\n", "<!-- end -->\n"


def write_doc(path, table):
    with open(path, encoding="utf-8") as file:
        before, _, rest = file.read().partition(BEGIN)
    with open(path, "w", encoding="utf-8") as file:
        file.write(before + BEGIN + "\n" + table + "\n" + END + rest.partition(END)[2])


def chosen(arguments):
    found = [a for a in ATTACKS if (not arguments.group or a.group == arguments.group) and
             (not arguments.attack or any(name in a.name for name in arguments.attack))]
    if not found:
        sys.exit("escapes: there is no such attack")
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("attack", nargs="*", metavar="ATTACK", help="try only attacks whose names contain this")
    parser.add_argument("--group", choices=GROUPS + ("judge",), help="try only this group; judge: attacks on a chroot, which the judge has to see")
    parser.add_argument("--product", choices=PRODUCTS + ("chroot",), help="the program to attack (default: idmount)")
    parser.add_argument("--table", action="store_true", help="try them on all products, and print a table")
    parser.add_argument("--doc", metavar="FILE", help="write the table into FILE")
    parser.add_argument("--keep", metavar="DIR", help="keep each product's column in DIR, and use the kept ones")
    parser.add_argument("--list", action="store_true", help="print the names")
    parser.add_argument("--verbose", action="store_true", help="print the output of the attacker")
    arguments = parser.parse_args()
    if arguments.group == "judge":
        arguments.group, arguments.product, arguments.attack = None, "chroot", list(SEEN)
    attacks = chosen(arguments)
    if arguments.list:
        for attack in attacks:
            print(f"{attack.group}: {attack.name}: {attack.what}")
        return 0
    if os.geteuid() != 0:
        print("1..0 # SKIP this requires root")
        return 1 if os.environ.get("IDM_MUST_RUN") == "1" else 0
    if os.getpid() != 1:
        enter_namespaces()
    ctypes.CDLL(None).prctl(4, 1)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    host.new_mount_namespace()
    if arguments.table or arguments.doc:
        products = [arguments.product] if arguments.product else PRODUCTS
        table = make_table(attacks, products, arguments.keep)
        if arguments.doc:
            write_doc(arguments.doc, table)
        else:
            print(table, end="")
        return 0
    if arguments.product == "chroot":
        return run_control(attacks)
    product = arguments.product or "idmount"
    return run_tap([a for a in attacks if product in a.products], product, arguments.verbose)


if __name__ == "__main__":
    sys.exit(main())
