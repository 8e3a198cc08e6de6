/* SPDX-License-Identifier: MIT */
/* Where a tree of a plan is put below the root: what both ways of assembling have in common. */
#ifndef IDM_ROOTFS_PLACE_H
#define IDM_ROOTFS_PLACE_H

#include "lib/mount/target.h"
#include "lib/plan/plan.h"

/*
 * Opens the target of an entry's tree below the root, and creates it if `mkdir`. Refuses the root
 * itself.
 */
int idm_open_entry_target(int root, const struct idm_plan_entry *step, int tree, bool mkdir,
			  struct idm_target *target, struct idm_error *err);

/*
 * Moves a directory to a target that is a single name, with one call. If that fails, for whatever
 * reason, the target is to be opened first. Makes system calls only.
 */
bool idm_place_at_name(int root, const char *target, int tree);

/* Whether the target is the root itself: 1, 0 or -errno. Makes system calls only. */
int idm_is_site_root(int root, int target);

/* Fills in why the tree could not be moved to its open target. Returns `code`. */
int idm_diagnose_not_placed(int code, const struct idm_plan_entry *step, struct idm_error *err);

#endif
