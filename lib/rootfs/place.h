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
 * Moves a tree to a target that is there, and is as it has to be. On any doubt it returns false, and the
 * target is to be opened first. Makes system calls only. *opened is -1 before and after. If the process
 * is killed, the target may be open there.
 */
bool idm_place_simply(int root, const char *target, int tree, int *opened);

/* Closes *fd. If the process is killed in between, the descriptor stays open. No other is closed. */
void idm_close_moment(int *fd);

/* Fills in why the tree could not be moved to its open target. Returns `code`. */
int idm_diagnose_not_placed(int code, const struct idm_plan_entry *step, struct idm_error *err);

#endif
