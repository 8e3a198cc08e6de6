# SPDX-License-Identifier: MIT
"""Linux ID-mapped mounts, by libidmount.

    with idmount.mounted("0:100000:65536", "/srv/image", "/run/box/root", mkdir=True):
        ...

Each function is that of the C library without "idm_"; its page in section 3 of the manual describes it. Failures are
idmount.Error, an OSError that carries step, subject, reason and hint. Objects that own a descriptor or memory close it
at the end of `with`, or by close(). Many threads may use different objects. Blocking calls release the interpreter.
"""
from ._core import Descriptor, Error
from ._map import Entry, Hardening, Map, Reason
from ._mount import (Plan, Tree, UpperCache, UsernsCache, mount, mounted, overlay_open, plan_undo, staging_open,
                     tree_open, umount, userns_open)
from ._process import Capabilities, Child, ChildMount, Exit, Reaper, child_start
from ._query import Check, Feature, MountInfo, check_path, features, list_mounts, list_path, version
from .constants import *  # noqa: F401,F403 # all of them are public

__version__ = "0.1.0"
