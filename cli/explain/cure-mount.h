/* SPDX-License-Identifier: MIT */
/* Cures that change a mount: its flags, or its map. */
#ifndef IDM_CLI_EXPLAIN_CURE_MOUNT_H
#define IDM_CLI_EXPLAIN_CURE_MOUNT_H

#include "verdict.h"

/* Finds IDM_ATTR_* of "ro", "nosuid", "nodev", "noexec" or "nosymfollow". 0: another word. */
uint32_t find_mount_flag(const char *word);

/* Writes the command that removes one flag IDM_ATTR_*, and keeps the others. */
bool describe_remount(const struct verdict *v, uint32_t removed, char *text, size_t size);

/* As above, of the filesystem: it becomes writable on all of its mounts. */
bool describe_writable_filesystem(const struct verdict *v, char *text, size_t size);

/* Writes the command that adds what is missing to the map of a mount of the caller's namespace. */
bool describe_larger_map(const struct verdict *v, char *text, size_t size);

/* Whether the mount does not map the owner or group of what the rule is about. */
bool is_refusing_inode_unmapped(const struct verdict *v);

#endif
