# SPDX-License-Identifier: MIT
"""The constants of <idmount.h>. PREFIXES and OTHERS tie each of them to its name in C."""
from enum import IntEnum, IntFlag


class Step(IntEnum):
    """The step that failed: Error.step."""

    NONE = 0
    ADD_TO_MAP = 1
    KEEP_REST = 2
    PARSE_MAP = 3
    CHECK_MAP = 4
    READ_MAP = 5
    READ_OWN_MAP = 6
    LOOK_UP_SUBIDS = 7
    READ_USERNS = 8
    OPEN_USERNS = 9
    MAKE_USERNS = 10
    WRITE_UID_MAP = 11
    WRITE_GID_MAP = 12
    OPEN_PROCFS = 13
    FIND_CHILD = 14
    OPEN_CHILD_MAPS = 15
    HOLD_CHILD = 16
    REAP_CHILD = 17
    USE_CACHE = 18
    OPEN_TREE = 19
    MAP_TREE = 20
    MAP_ON_TOP = 21
    OPEN_TARGET = 22
    CREATE_TARGET = 23
    ATTACH = 24
    DETACH_OLD_MOUNT = 25
    SET_PROPAGATION = 26
    UNMOUNT = 27
    OPEN_OVERLAY = 28
    OPEN_LAYER = 29
    LOOK_FOR_OVERLAYS = 30
    MAKE_SCRATCH = 31
    ENTER_MOUNT_NAMESPACE = 32
    ATTACH_LAYERS = 33
    BECOME_MAPPED_ROOT = 34
    COPY_OVERLAY = 35
    PLAN_MOUNT = 36
    READ_PLAN = 37
    MAKE_MOUNT = 38
    MAKE_MOUNT_NAMESPACE = 39
    MOUNT_FILESYSTEM = 40
    MAKE_LOOP_DEVICE = 41
    ASSEMBLE_PLAN = 42
    COPY_PLAN_MOUNTS = 43
    WRITE_JOURNAL = 44
    LOCK_JOURNAL = 45
    READ_BOOT_ID = 46
    READ_JOURNAL = 47
    UNDO = 48
    REMOVE_JOURNAL = 49
    LIST_MOUNTS = 50
    READ_MOUNTINFO = 51
    FIND_MOUNT_NAMESPACES = 52
    JOIN_MOUNT_NAMESPACE = 53
    LIST_FEATURES = 54
    CHECK_PATH = 55
    MAKE_FILE = 56
    START_PROGRAM = 57
    READ_SECCOMP_FILTER = 58
    MAKE_MEMORY_FILE = 59
    MAKE_MEMORY_PROGRAM = 60
    EXECUTE_MEMORY_PROGRAM = 61
    PUT_INTO_CGROUP = 62
    PASS_DESCRIPTORS = 63
    SET_PROCESS_GROUP = 64
    JOIN_NAMESPACE = 65
    JOIN_USERNS = 66
    BECOME_USERNS_ROOT = 67
    MAKE_NAMESPACES = 68
    MAKE_PID_NAMESPACE_PROCESS = 69
    SEPARATE_MOUNTS = 70
    ATTACH_ROOT = 71
    PIVOT_ROOT = 72
    MAKE_MOUNT_POINT = 73
    SET_MOUNT_OPTION = 74
    MOUNT = 75
    DETACH_OLD_ROOT = 76
    ASSEMBLE_ROOT = 77
    LOCK_MOUNTS = 78
    LIMIT_USERNS = 79
    MAKE_KEYRING = 80
    SET_SECCOMP_FILTER = 81
    SET_HOSTNAME = 82
    MAKE_SESSION = 83
    SET_TERMINAL = 84
    SET_BOUNDING_SET = 85
    SET_GROUPS = 86
    SET_GID = 87
    SET_UID = 88
    SET_CAPABILITIES = 89
    SET_NO_NEW_PRIVS = 90
    SET_CWD = 91
    START_BELOW_INIT = 92
    EXECUTE_DESCRIPTOR = 93
    EXECUTE = 94
    WAIT_FOR_CHILD = 95
    SIGNAL_CHILD = 96
    MAKE_REAPER = 97
    WATCH_CHILD = 98
    WAIT_FOR_CHILDREN = 99
    ADOPT_ORPHANS = 100
    FIND_ORPHANS = 101
    START_FORKSERVER = 102
    OPEN_STAGING = 103
    JOIN_STAGING = 104
    ASK_SERVICE = 105
    EXPLAIN = 106
    LOOK_UP_PATH = 107


class Kind(IntFlag):
    """The sides of a map."""

    UID = 0x1
    GID = 0x2
    BOTH = 0x3


class Format(IntEnum):
    """How Map.format() prints a map."""

    TEXT = 0
    KERNEL = 1
    CONTAINERD = 2
    UTIL_LINUX = 3
    CRUN = 4
    OCI = 5


class UsernsFlag(IntFlag):
    """How userns_open() creates the namespace: at most one."""

    ZOMBIE = 0x1
    LIVE = 0x2
    OWN_MEMORY = 0x4


class Attr(IntFlag):
    """Attributes of a mount."""

    RDONLY = 0x1
    NOSUID = 0x2
    NODEV = 0x4
    NOEXEC = 0x8
    ATIME = 0x70
    RELATIME = 0x0
    NOATIME = 0x10
    STRICTATIME = 0x20
    NODIRATIME = 0x80
    IDMAP = 0x100000
    NOSYMFOLLOW = 0x200000


class Propagation(IntEnum):
    """How mounts below a mount propagate to its copies."""

    DEFAULT = 0
    PRIVATE = 1
    SLAVE = 2
    SHARED = 3
    UNBINDABLE = 4


class HardenAs(IntEnum):
    """What is hardened: see Map.hardening()."""

    MOUNT = 0
    BIND = 1
    ROOT = 2


class TreeFlag(IntFlag):
    """Flags of tree_open()."""

    RECURSIVE = 0x1
    NOFOLLOW = 0x2
    REMAP = 0x4
    ON_TOP = 0x8
    EMPTY_PATH = 0x10
    SERVICE = 0x20


class AttachFlag(IntFlag):
    """Flags of Tree.attach()."""

    MKDIR = 0x40000
    REPLACE = 0x80000
    IN_ROOT = 0x100000
    FOLLOW = 0x200000


class UmountFlag(IntFlag):
    """Flags of umount() and Tree.umount()."""

    RECURSIVE = 0x100
    LAZY = 0x200
    FOLLOW = 0x400


class UpperIds(IntEnum):
    """The IDs that an upper directory stores on disk."""

    SHIFTED = 0
    DISK = 1


class OverlayFlag(IntFlag):
    """Flags of overlay_open()."""

    BY_DESCRIPTOR = 0x1
    IN_NAMESPACE = 0x2
    CREATE_AS_ROOT = 0x4
    EMPTY_PATH = 0x8
    UPPER_UNUSED = 0x10
    SERVICE = 0x20


class PlanAddFlag(IntFlag):
    """Flags of Plan.add()."""

    MKDIR = 0x1
    RDONLY_LAST = 0x2


class PlanFormat(IntEnum):
    """The format of a text for Plan.read()."""

    ANY = 0
    CONTAINERD = 1
    OCI = 2


class PlanApplyFlag(IntFlag):
    """Flags of Plan.open() and Plan.apply()."""

    DETACHED = 0x100
    IN_NAMESPACE = 0x200
    MKDIR = 0x400
    UPPER_UNUSED = 0x800
    SERVICE = 0x1000


class PlanUndoFlag(IntFlag):
    """Flags of plan_undo()."""

    LAZY = 0x10000


class MapState(IntEnum):
    """What is known of the map of a listed mount."""

    NONE = 0
    READ = 1
    PARTLY = 2
    INVISIBLE = 3
    UNREADABLE = 4


class ListFlag(IntFlag):
    """Flags of list_mounts() and list_path()."""

    ALL_NAMESPACES = 0x1
    UNMAPPED = 0x2
    EMPTY_PATH = 0x4


class CheckFlag(IntFlag):
    """Flags of check_path()."""

    WRITE = 0x100
    EMPTY_PATH = 0x200


class Namespace(IntFlag):
    """New namespaces for a child."""

    TIME = 0x80
    MOUNT = 0x20000
    CGROUP = 0x2000000
    UTS = 0x4000000
    IPC = 0x8000000
    PID = 0x20000000
    NET = 0x40000000


class ChildMountFlag(IntFlag):
    """Flags of a ChildMount."""

    OPTIONAL = 0x1000
    REBIND = 0x2000
    MKDIR = 0x4000
    FOLLOW = 0x8000


class ChildFlag(IntFlag):
    """Flags of child_start()."""

    SEARCH_PATH = 0x1
    KEEP_FDS = 0x2
    RESET_SIGNALS = 0x4
    SESSION = 0x8
    SET_GROUPS = 0x10
    NO_NEW_PRIVS = 0x20
    UNDER_INIT = 0x40
    DIE_WITH_THREAD = 0x100
    NEW_KEYRING = 0x200
    DISABLE_USERNS = 0x400
    NO_KEYRINGS = 0x800


class ReaperAddFlag(IntFlag):
    """Flags of Reaper.add() and Reaper.start()."""

    HOLD = 0x40000
    SPARE = 0x80000


class ReaperAdoptFlag(IntFlag):
    """Flags of Reaper.adopt()."""

    INHERIT = 0x100000


class ReaperForkserverFlag(IntFlag):
    """Flags of Reaper.start_forkserver()."""

    ORPHANS = 0x400000


# The status of a child was consumed by another wait: Exit.code.
EXIT_LOST = 0
# As a uid or gid of child_start().
CHILD_KEEP_ID = 0xFFFFFFFF
# Lets Map.parse() ask the system.
MAP_PARSE_LOOKUP = 0x100

PREFIXES = {
    Step: "IDM_STEP_",
    Kind: "IDM_",
    Format: "IDM_FORMAT_",
    UsernsFlag: "IDM_USERNS_",
    Attr: "IDM_ATTR_",
    Propagation: "IDM_PROPAGATION_",
    HardenAs: "IDM_HARDEN_",
    TreeFlag: "IDM_TREE_",
    AttachFlag: "IDM_ATTACH_",
    UmountFlag: "IDM_UMOUNT_",
    UpperIds: "IDM_UPPER_",
    OverlayFlag: "IDM_OVERLAY_",
    PlanAddFlag: "IDM_PLAN_ADD_",
    PlanFormat: "IDM_PLAN_READ_",
    PlanApplyFlag: "IDM_PLAN_APPLY_",
    PlanUndoFlag: "IDM_PLAN_UNDO_",
    MapState: "IDM_MAP_",
    ListFlag: "IDM_LIST_",
    CheckFlag: "IDM_CHECK_",
    Namespace: "IDM_NS_",
    ChildMountFlag: "IDM_CHILD_MOUNT_",
    ChildFlag: "IDM_CHILD_",
    ReaperAddFlag: "IDM_REAPER_ADD_",
    ReaperAdoptFlag: "IDM_REAPER_ADOPT_",
    ReaperForkserverFlag: "IDM_REAPER_FORKSERVER_",
}
OTHERS = {"IDM_EXIT_LOST": EXIT_LOST, "IDM_CHILD_KEEP_ID": CHILD_KEEP_ID, "IDM_MAP_PARSE_LOOKUP": MAP_PARSE_LOOKUP}
