# SPDX-License-Identifier: MIT
"""libidmount as ctypes sees it: layouts and prototypes, written by hand.

tests/bindings/python.py compares all of it with <idmount.h>. A declaration that is neither here nor in LEFT_OUT fails
that test.
"""
import ctypes
from ctypes import (CFUNCTYPE, POINTER, Structure, c_bool, c_char, c_char_p, c_int, c_size_t, c_ssize_t, c_uint,
                    c_uint16, c_uint32, c_uint64, c_void_p)
from types import SimpleNamespace
from typing import Any, Callable, Sequence

SONAME = "libidmount.so.0"

# What this package does not offer, and why. The last part of a name may be "*".
LEFT_OUT = {
    "idm_explain": "the command explain answers the same question",
    "idm_explain_*": "as idm_explain",
    "idm_acl_entry": "as idm_explain",
    "IDM_ACCESS_*": "as idm_explain",
    "IDM_RULE_*": "as idm_explain",
    "IDM_CLASS_*": "as idm_explain",
    "IDM_EXPLAIN_*": "as idm_explain",
    "IDM_INODE_*": "as idm_explain",
    "IDM_UNSEEN_*": "as idm_explain",
    "IDM_VERSION*": "idmount.version() is that of the library in use",
    "idm_list": "list_mounts() uses the iterator",
    "idm_list_path": "list_path() uses the iterator",
    "idm_features": "features() uses the iterator",
    "idm_mount": "mount() does the same, and returns the tree",
    "idm_mount_options*": "as idm_mount",
    "idm_child_mount_init": "the package sets all members of a mount",
    "idm_map_copy": "Map.copy() adds the entries to a new map",
}


_NUMBERS = {c_int, c_uint, c_uint16, c_uint32, c_uint64, c_size_t, c_ssize_t}


def number(kind: Any, value: Any) -> Any:
    """The value. ctypes would cut off what the type lacks: the user 1 << 32 would become 0."""
    if kind in _NUMBERS and isinstance(value, int) and kind(value).value != value:
        sign = "with" if kind(-1).value < 0 else "without"
        raise ValueError(f"expected a number {sign} a sign in {8 * ctypes.sizeof(kind)} bits, got {value}")
    return value


def numbers(kind: Any, values: Sequence[int]) -> Any:
    """An array of numbers."""
    return (kind * len(values))(*[number(kind, value) for value in values])


class Struct(Structure):
    """A struct whose members have the numbers that they were given."""

    def __setattr__(self, name: str, value: Any) -> None:
        number(dict(self._fields_)[name], value)
        super().__setattr__(name, value)


class ErrorRange(Struct):
    _fields_ = [("start", c_uint16), ("length", c_uint16)]


class ErrorStruct(Struct):
    _fields_ = [("errnum", c_int), ("step", c_int), ("subject", ErrorRange), ("reason", ErrorRange),
                ("kernel", ErrorRange), ("message", c_char * 864), ("hint", c_char * 440)]


class EntryStruct(Struct):
    _fields_ = [("disk", c_uint32), ("seen", c_uint32), ("count", c_uint32)]


class HardeningStruct(Struct):
    _fields_ = [("kind", c_uint), ("disk", c_uint32), ("seen", c_uint32)]


class TreeOptions(Struct):
    _fields_ = [("size", c_size_t), ("flags", c_uint), ("attr_set", c_uint32), ("attr_clear", c_uint32),
                ("propagation", c_int)]


class AttachOptions(Struct):
    _fields_ = [("size", c_size_t), ("flags", c_uint), ("propagation", c_int)]


class Path(Struct):
    _fields_ = [("dirfd", c_int), ("path", c_char_p)]


class MountOption(Struct):
    _fields_ = [("name", c_char_p), ("value", c_char_p)]


PROGRESS = CFUNCTYPE(c_int, c_size_t, c_size_t, c_void_p)


class OverlayOptions(Struct):
    _fields_ = [("size", c_size_t), ("flags", c_uint), ("lower", POINTER(Path)), ("n_lower", c_size_t),
                ("data", POINTER(Path)), ("n_data", c_size_t), ("upper", POINTER(Path)), ("work", POINTER(Path)),
                ("map", c_void_p), ("upper_ids", c_int), ("options", POINTER(MountOption)), ("n_options", c_size_t),
                ("attr", c_uint32), ("source", c_char_p), ("progress", PROGRESS), ("progress_data", c_void_p),
                ("staging_fd", c_int), ("upper_cache", c_void_p)]


class PlanAddOptions(Struct):
    _fields_ = [("size", c_size_t), ("flags", c_uint), ("dirfd", c_int), ("type", c_char_p), ("source", c_char_p),
                ("target", c_char_p), ("options", POINTER(c_char_p)), ("n_options", c_size_t), ("map", c_void_p)]


class PlanReadOptions(Struct):
    _fields_ = [("size", c_size_t), ("format", c_int), ("dirfd", c_int), ("map", c_void_p)]


class PlanApplyOptions(Struct):
    _fields_ = [("size", c_size_t), ("flags", c_uint), ("upper_ids", c_int), ("journal", c_char_p),
                ("progress", PROGRESS), ("progress_data", c_void_p), ("staging_fd", c_int),
                ("upper_cache", c_void_p)]


class MountStruct(Struct):
    _fields_ = [("size", c_size_t), ("id", c_uint64), ("parent_id", c_uint64), ("namespace_id", c_uint64),
                ("namespace_inode", c_uint64), ("attr", c_uint32), ("propagation", c_int), ("map_state", c_int),
                ("target", c_char_p), ("source", c_char_p), ("root", c_char_p), ("fstype", c_char_p),
                ("map", c_void_p), ("dev_major", c_uint32), ("dev_minor", c_uint32)]


class FeatureStruct(Struct):
    _fields_ = [("size", c_size_t), ("name", c_char_p), ("what", c_char_p), ("since", c_char_p),
                ("available", c_bool), ("errnum", c_int), ("hint", c_char_p)]


class CheckStruct(Struct):
    _fields_ = [("size", c_size_t), ("mappable", c_bool), ("mapped", c_bool), ("writable", c_bool),
                ("disk_id_checked", c_bool), ("fstype", c_char * 64)]


class ExitStruct(Struct):
    _fields_ = [("pid", c_int), ("code", c_int), ("status", c_int)]


class ChildFd(Struct):
    _fields_ = [("from", c_int), ("to", c_int)]


class ChildMountStruct(Struct):
    _fields_ = [("target", c_char_p), ("fstype", c_char_p), ("source", c_char_p), ("options", c_char_p),
                ("attr", c_uint32), ("flags", c_uint), ("tree_fd", c_int)]


class CapabilitiesStruct(Struct):
    _fields_ = [("effective", c_uint64), ("permitted", c_uint64), ("inheritable", c_uint64), ("bounding", c_uint64),
                ("ambient", c_uint64)]


class ChildOptions(Struct):
    _fields_ = [("size", c_size_t), ("flags", c_uint64), ("namespaces", c_uint), ("program_fd", c_int),
                ("path", c_char_p), ("argv", POINTER(c_char_p)), ("envp", POINTER(c_char_p)), ("cwd", c_char_p),
                ("fds", POINTER(ChildFd)), ("n_fds", c_size_t), ("map", c_void_p), ("join_fds", POINTER(c_int)),
                ("n_join_fds", c_size_t), ("root_fd", c_int), ("propagation", c_int),
                ("mounts", POINTER(ChildMountStruct)), ("n_mounts", c_size_t), ("mount_size", c_size_t),
                ("hostname", c_char_p), ("uid", c_uint32), ("gid", c_uint32), ("groups", POINTER(c_uint32)),
                ("n_groups", c_size_t), ("capabilities", POINTER(CapabilitiesStruct)), ("process_group", c_int),
                ("terminal_fd", c_int), ("cgroup_fd", c_int), ("pid", POINTER(c_int)), ("seccomp_fd", c_int),
                ("staging_fd", c_int)]


STRUCTS = {
    "idm_error_range": ErrorRange,
    "idm_error": ErrorStruct,
    "idm_entry": EntryStruct,
    "idm_hardening_info": HardeningStruct,
    "idm_tree_options": TreeOptions,
    "idm_attach_options": AttachOptions,
    "idm_path": Path,
    "idm_mount_option": MountOption,
    "idm_overlay_options": OverlayOptions,
    "idm_plan_add_options": PlanAddOptions,
    "idm_plan_read_options": PlanReadOptions,
    "idm_plan_apply_options": PlanApplyOptions,
    "idm_mount_info": MountStruct,
    "idm_feature_info": FeatureStruct,
    "idm_check_result": CheckStruct,
    "idm_exit_info": ExitStruct,
    "idm_child_fd": ChildFd,
    "idm_child_mount": ChildMountStruct,
    "idm_capabilities": CapabilitiesStruct,
    "idm_child_options": ChildOptions,
}

_ERR = POINTER(ErrorStruct)
_NEW = POINTER(c_void_p)
_EXIT = POINTER(ExitStruct)

# What sets the defaults of a struct with options.
INITIALISERS = {
    TreeOptions: "idm_tree_options_init",
    AttachOptions: "idm_attach_options_init",
    OverlayOptions: "idm_overlay_options_init",
    PlanAddOptions: "idm_plan_add_options_init",
    PlanReadOptions: "idm_plan_read_options_init",
    PlanApplyOptions: "idm_plan_apply_options_init",
    CheckStruct: "idm_check_result_init",
}

# Function: the result, and the parameters.
PROTOTYPES: dict[str, tuple[Any, list[Any]]] = {
    "idm_version": (c_char_p, []),
    "idm_error_step_text": (c_char_p, [c_int]),
    "idm_error_part": (c_size_t, [_ERR, ErrorRange, c_char_p, c_size_t]),
    "idm_map_new": (c_int, [_NEW]),
    "idm_map_free": (None, [c_void_p]),
    "idm_map_add": (c_int, [c_void_p, c_uint, POINTER(EntryStruct), c_size_t, _ERR]),
    "idm_map_parse": (c_int, [c_void_p, c_char_p, c_uint, _ERR]),
    "idm_map_parse_kernel": (c_int, [c_void_p, c_uint, c_char_p, _ERR]),
    "idm_map_add_subid": (c_int, [c_void_p, c_char_p, _ERR]),
    "idm_map_add_userns": (c_int, [c_void_p, c_int, _ERR]),
    "idm_map_add_pid": (c_int, [c_void_p, c_int, _ERR]),
    "idm_map_add_mount": (c_int, [c_void_p, c_int, _ERR]),
    "idm_map_keep_rest": (c_int, [c_void_p, c_uint, _ERR]),
    "idm_map_keep_rest_within": (c_int, [c_void_p, c_uint, c_void_p, _ERR]),
    "idm_map_invert": (None, [c_void_p]),
    "idm_map_compose": (c_int, [c_void_p, c_void_p]),
    "idm_map_to_seen": (c_int, [c_void_p, c_uint, c_uint32, POINTER(c_uint32)]),
    "idm_map_to_disk": (c_int, [c_void_p, c_uint, c_uint32, POINTER(c_uint32)]),
    "idm_map_equal": (c_bool, [c_void_p, c_void_p]),
    "idm_map_entries": (c_size_t, [c_void_p, c_uint, POINTER(POINTER(EntryStruct))]),
    "idm_map_check": (c_int, [c_void_p, _ERR]),
    "idm_map_print": (c_ssize_t, [c_void_p, c_int, c_uint, c_char_p, c_size_t]),
    "idm_map_hardening": (c_uint32, [c_void_p, c_int, c_void_p, POINTER(HardeningStruct)]),
    "idm_userns_open": (c_int, [c_void_p, c_uint, _ERR]),
    "idm_userns_cache_new": (c_int, [c_size_t, _NEW, _ERR]),
    "idm_userns_cache_free": (None, [c_void_p]),
    "idm_userns_cache_open": (c_int, [c_void_p, c_void_p, _ERR]),
    "idm_tree_open": (c_int, [c_int, c_char_p, c_int, POINTER(TreeOptions), _ERR]),
    "idm_tree_attach": (c_int, [c_int, c_int, c_char_p, POINTER(AttachOptions), _ERR]),
    "idm_umount": (c_int, [c_int, c_char_p, c_uint, _ERR]),
    "idm_umount_fd": (c_int, [c_int, c_uint, _ERR]),
    "idm_staging_open": (c_int, [c_uint, _ERR]),
    "idm_upper_cache_new": (c_int, [_NEW, _ERR]),
    "idm_upper_cache_free": (None, [c_void_p]),
    "idm_overlay_open": (c_int, [POINTER(OverlayOptions), _ERR]),
    "idm_plan_new": (c_int, [_NEW]),
    "idm_plan_free": (None, [c_void_p]),
    "idm_plan_add": (c_int, [c_void_p, POINTER(PlanAddOptions), _ERR]),
    "idm_plan_read": (c_int, [c_void_p, c_char_p, c_size_t, POINTER(PlanReadOptions), _ERR]),
    "idm_plan_harden": (c_size_t, [c_void_p, c_void_p, POINTER(HardeningStruct)]),
    "idm_plan_open": (c_int, [c_void_p, POINTER(PlanApplyOptions), _ERR]),
    "idm_plan_apply": (c_int, [c_void_p, c_int, c_char_p, POINTER(PlanApplyOptions), _ERR]),
    "idm_plan_undo": (c_int, [c_char_p, c_uint, _ERR]),
    "idm_list_iter_new": (c_int, [c_uint, _NEW, _ERR]),
    "idm_list_path_iter_new": (c_int, [c_int, c_char_p, c_uint, _NEW, _ERR]),
    "idm_list_iter_next": (POINTER(MountStruct), [c_void_p]),
    "idm_list_iter_free": (None, [c_void_p]),
    "idm_feature_iter_new": (c_int, [c_uint, _NEW, _ERR]),
    "idm_feature_iter_next": (POINTER(FeatureStruct), [c_void_p]),
    "idm_feature_iter_free": (None, [c_void_p]),
    "idm_check_path": (c_int, [c_int, c_char_p, c_uint, POINTER(CheckStruct), _ERR, _ERR]),
    "idm_child_start": (c_int, [POINTER(ChildOptions), _ERR]),
    "idm_child_wait": (c_int, [c_int, c_int, _EXIT, _ERR]),
    "idm_child_signal": (c_int, [c_int, c_int, _ERR]),
    "idm_child_signal_group": (c_int, [c_int, c_int, _ERR]),
    "idm_child_options_init": (None, [POINTER(ChildOptions), c_size_t, c_size_t]),
    "idm_reaper_new": (c_int, [_NEW, _ERR]),
    "idm_reaper_free": (None, [c_void_p]),
    "idm_reaper_fd": (c_int, [c_void_p]),
    "idm_reaper_add": (c_int, [c_void_p, c_int, c_uint, c_void_p, _ERR]),
    "idm_reaper_next": (c_int, [c_void_p, c_int, _EXIT, _NEW, _ERR]),
    "idm_reaper_wait": (c_int, [c_void_p, c_void_p, c_int, _EXIT, _ERR]),
    "idm_reaper_adopt": (c_int, [c_void_p, c_uint, c_void_p, _ERR]),
    "idm_reaper_start_forkserver": (c_int, [c_void_p, c_uint, c_void_p, _ERR]),
    "idm_reaper_start": (c_int, [c_void_p, POINTER(ChildOptions), c_uint, c_void_p, _ERR]),
    **{name: (None, [POINTER(struct), c_size_t]) for struct, name in INITIALISERS.items()},
}


def _checked(function: Callable[..., Any], parameters: Sequence[Any]) -> Callable[..., Any]:
    """The function, which refuses numbers that its parameters would cut off."""
    if not _NUMBERS.intersection(parameters):
        return function

    def checked(*arguments: Any) -> Any:
        return function(*map(number, parameters, arguments))

    return checked


def _load() -> SimpleNamespace:
    dll = ctypes.CDLL(SONAME)
    functions = SimpleNamespace()
    for name, (result, parameters) in PROTOTYPES.items():
        function = getattr(dll, name)
        function.restype = result
        function.argtypes = parameters
        setattr(functions, name, _checked(function, parameters))
    return functions


library = _load()
