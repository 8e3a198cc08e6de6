/* SPDX-License-Identifier: MIT */
/* An assembled plan: what make-mount.c, assemble.c and apply.c have in common. */
#ifndef IDM_ROOTFS_ASSEMBLE_H
#define IDM_ROOTFS_ASSEMBLE_H

#include "lib/journal/journal.h"
#include "lib/mount/target.h"
#include "lib/plan/plan.h"
#include "lib/sys/subprocess.h"

/* A whole plan as one detached tree, and the targets that were created in it on the way. */
struct idm_assembly {
	int tree;
	uint64_t newest; /* the unique ID of the mount that was created last; 0: not known */
	const struct idm_plan *plan;
	int *mounts; /* of each entry whose propagation is to be set, if a descriptor identifies it */
	struct idm_target *targets; /* one for each entry */
	struct idm_owner owner;	    /* of the targets that are created */
	/* The last child that put trees together. Its mount namespace may not be gone yet. */
	struct idm_subprocess assembler;
};

/* Creates the tree of one entry, detached. User namespaces come from the cache. */
int idm_plan_entry_make(const struct idm_plan_entry *entry, const struct idm_plan_apply_options *options,
			struct idm_userns_cache *cache, struct idm_error *err);

/*
 * Creates a directory or an empty file in the entry's tree, and the directories above it. They belong to
 * root, as far as the entry's map shows that. On failure nothing is left.
 */
int idm_plan_entry_create(const struct idm_plan_entry *entry, int tree, const char *path, bool directory,
			  struct idm_error *err);

/*
 * Returns the attributes of an entry's top mount. They are those of all mounts below, changed by its
 * own.
 */
struct idm_attributes idm_plan_entry_attributes(const struct idm_plan_entry *step);

/* Sets the requested propagation of the entry on its attached mount. It makes system calls only. */
int idm_plan_entry_propagate(const struct idm_plan_entry *step, int mount);

/* Copies the options into a complete struct, and checks them. */
int idm_copy_apply_options(struct idm_plan_apply_options *own,
			   const struct idm_plan_apply_options *options, struct idm_error *err);

/*
 * Puts the plan together, but does not set the requested propagation. Writes what is created on the way
 * to the journal. On failure nothing is left.
 */
int idm_assemble(struct idm_assembly *assembly, const struct idm_plan *plan,
		 const struct idm_plan_apply_options *options, struct idm_journal_writer *writer,
		 struct idm_error *err);

/*
 * Puts the trees together in a mount namespace that no other process sees, as kernels before Linux 6.15
 * need it. Returns a detached copy of the whole. Closes the mounts: they are not those of the copy.
 */
int idm_assemble_in_namespace(struct idm_assembly *assembly,
			      const struct idm_plan_apply_options *options, struct idm_error *err);

/*
 * Creates the targets from entry `first` on that are missing, as far as that can be done now. The mounts
 * before `first` are attached, and its target is there. Each is noted in the assembly as created.
 */
void idm_create_targets_ahead(struct idm_assembly *assembly, size_t first, bool mkdir);

/* Sets the requested propagation on each mount of the assembly, once that is attached. */
int idm_assembly_propagate(const struct idm_assembly *assembly, struct idm_error *err);

/* Makes the root writable again, for the rollback. The tree has to be attached still. */
void idm_assembly_make_writable(const struct idm_assembly *assembly);

/* Removes the created targets that are still empty. No mount namespace with the plan is left then. */
void idm_assembly_rollback(struct idm_assembly *assembly);

/* Releases everything. An attached tree and created targets stay. */
void idm_assembly_close(struct idm_assembly *assembly);

#endif
