/* SPDX-License-Identifier: MIT */
/* A plan put together: what make-mount.c, assemble.c and apply.c have in common. */
#ifndef IDM_ROOTFS_ASSEMBLE_H
#define IDM_ROOTFS_ASSEMBLE_H

#include "lib/journal/journal.h"
#include "lib/mount/target.h"
#include "lib/plan/plan.h"

/* A whole plan as one detached tree, and what was created in it on the way. */
struct idm_assembly {
	int tree;
	const struct idm_plan *plan;
	int *mounts; /* of each step whose propagation is to be set, if it can be told by a descriptor */
	struct idm_target *targets; /* one for each step */
	struct idm_owner owner;	    /* of what is created for them */
};

/* The tree of one step, detached; user namespaces come from the cache. */
int idm_plan_entry_make(const struct idm_plan_entry *step, enum idm_upper_ids upper_ids,
			struct idm_userns_cache *cache, struct idm_error *err);

/* The attributes of a step's top mount: those for all below it too, and its own on top of them. */
struct idm_attributes idm_plan_entry_attributes(const struct idm_plan_entry *step);

/* Gives its mount, which is attached, the propagation that the step wishes for. System calls only. */
int idm_plan_entry_propagate(const struct idm_plan_entry *step, int mount);

/* The options as they are used: all there, checked. */
int idm_take_apply_options(struct idm_plan_apply_options *own,
			   const struct idm_plan_apply_options *options, struct idm_error *err);

/*
 * Puts the plan together, without its wishes for propagation, recording what is created on the way. On
 * failure nothing is left.
 */
int idm_assemble(struct idm_assembly *assembly, const struct idm_plan *plan,
		 const struct idm_plan_apply_options *options, struct idm_journal_writer *writer,
		 struct idm_error *err);

/* Gives each mount of the assembly, now that it is attached, the propagation that its step wishes for.
 */
int idm_assembly_propagate(const struct idm_assembly *assembly, struct idm_error *err);

/* Makes the root writable again, for that: what has been attached has to be so still. */
void idm_assembly_make_writable(const struct idm_assembly *assembly);

/* Removes the targets that were created, as far as they are still empty. */
void idm_assembly_rollback(const struct idm_assembly *assembly);

/* Releases everything; an attached tree and targets that were created stay. */
void idm_assembly_close(struct idm_assembly *assembly);

#endif
