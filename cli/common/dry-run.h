/* SPDX-License-Identifier: MIT */
/*
 * --dry-run: a command mounts in a mount namespace of its own, which vanishes with it. But a writable
 * overlay writes into its work directory, and targets would be created: these are not tried.
 */
#ifndef IDM_CLI_COMMON_DRY_RUN_H
#define IDM_CLI_COMMON_DRY_RUN_H

#include <stdbool.h>

#include "idmount.h"

/* Moves into the namespace. Returns DONE, or FAILED with a message. */
int begin_dry_run(void);

/* Copies and maps a tree, and drops the copy. Returns DONE, or FAILED with a message. */
int try_mapping(const struct idm_path *path, const struct idm_map *map);

/* Returns DONE if the path leads to a directory, or FAILED with a message. */
int try_directory(const struct idm_path *path);

/* The same, and the filesystem is not read-only. */
int try_writable_directory(const struct idm_path *path);

/* Returns DONE if the target is there and is no link, or is missing with `mkdir`. */
int try_target(const char *target, bool mkdir);

/* Returns DONE if the journal does not exist, and its directory may be written. NULL: no journal. */
int try_journal(const char *journal);

/* Prints the result, if the status is DONE. Returns the status. */
int end_dry_run(int status, const char *target);

#endif
