# SPDX-License-Identifier: MIT
"""Processes and namespaces of the host, and of the container's supervisor."""
from attack_table import ALL_MODES, BOTH, attack


@attack("A", "processes", "`root`, `cwd`, `fd`, `environ` and the mount namespaces in `/proc/PID`", capabilities=BOTH)
def processes(t):
    t.attack("processes")


@attack("A", "ptrace", "it traces the container's init, its supervisor, and all that it sees", capabilities=BOTH)
def ptrace(t):
    t.inspect = t.host.inspect_tracers
    t.attack("trace")


@attack("A", "memory", "process_vm_readv(2) of all that it sees", capabilities=BOTH)
def memory(t):
    t.attack("memory")


@attack("A", "steal-descriptors", "pidfd_getfd(2) from all that it sees", capabilities=BOTH)
def steal(t):
    t.inspect = t.host.inspect_descriptors
    t.attack("steal-fds")


for SIGNAL, NAME in ((9, "SIGKILL"), (19, "SIGSTOP"), (1, "SIGHUP"), (2, "SIGINT")):
    for WHOM in ("group", "all", "parent"):
        def kill(t, whom=WHOM, number=SIGNAL):
            t.attack("kill", whom, str(number))
        # With the host's PIDs a user's container can signal that user's processes. The option exists for that.
        attack("A", f"kill-{WHOM}-{NAME}", f"{NAME} to its {'process group' if WHOM == 'group' else 'parent' if WHOM == 'parent' else 'whole system'}",
               modes=ALL_MODES, pids=(True, False) if WHOM == "group" else (True,),
               family="SIGKILL, SIGSTOP, SIGHUP and SIGINT to its process group, its parent, and its whole system")(kill)


@attack("A", "kill-all-of-root-with-host-pids", "SIGKILL to all that it sees, with the host's PIDs", who=("rootful",), pids=(False,),
        modes=ALL_MODES)
def kill_all(t):
    t.attack("kill", "processes", "9")


@attack("B", "descriptors", "descriptors that it finds open, and what they lead to", capabilities=BOTH, modes=ALL_MODES)
def descriptors(t):
    t.inspect = t.host.inspect_descriptors
    t.attack("descriptors")


for CLOSED in ((0,), (1,), (0, 1, 2), (0, 2)):
    def closed_descriptors(t, closed=CLOSED):
        t.inspect = t.host.inspect_descriptors
        t.closed = closed
        t.host.blind = 1 in closed  # its output is lost
        t.attack("descriptors")
    attack("B", f"descriptors-{'-'.join(map(str, CLOSED))}-closed", f"the same, where the caller has closed {', '.join(map(str, CLOSED))}",
           modes=("terminal",), on_host=1 in CLOSED, family="the same, where the caller has closed some of 0, 1 and 2")(closed_descriptors)


@attack("B", "capabilities", "it keeps capabilities beyond the usual 14")
def capabilities(t):
    t.inspect = t.host.inspect_capabilities
    t.attack("wait")


@attack("B", "nested-user-namespace", "it makes a user namespace where `--disable-userns` is asked for", capabilities=BOTH, products=("idmount", "bwrap"))
def nested(t):
    t.inspect = t.host.inspect_namespaces
    t.more = ["--disable-userns"]
    if t.product == "idmount" and t.capabilities == "all":
        t.more += ["--cap-drop", "SYS_RESOURCE"]  # idmount refuses to leave it, since it lifts the limit
    t.attack("userns")
