// SPDX-License-Identifier: MIT
/*
 * Puts the trees of a plan together below its root. The root is still detached: no process sees it.
 * Before Linux 6.15 nothing can be attached to a detached mount: see assemble-namespace.c.
 *
 * All trees are created before the first is attached. So everything that can fail without touching the
 * root filesystem fails before a target is created in it.
 */
#include "assemble.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/cancel.h"
#include "lib/base/copy-struct.h"
#include "lib/base/error.h"
#include "lib/base/macros.h"
#include "lib/mount/propagation.h"
#include "lib/mount/staging.h"
#include "lib/sys/fail-errno.h"
#include "lib/sys/file-type.h"
#include "lib/sys/nofollow.h"
#include "lib/sys/syscall.h"
#include "place.h"

static const enum idm_error_step step_assemble = IDM_STEP_ASSEMBLE_PLAN;

/* ---- putting in place ---- */

/* Opening the target by itself creates it, or finds the words for the error. */
static int place_at_target(int root, const struct idm_plan_entry *step, int tree, bool mkdir,
			   struct idm_target *target, struct idm_error *err)
{
	int r = idm_open_entry_target(root, step, tree, mkdir, target, err);

	if (r < 0)
		return r;
	r = idm_sys_move_mount_fd(tree, target->fd, 0);
	/* The descriptor would hold a mount that is covered now. */
	idm_close_fd(&target->fd);
	return r < 0 ? idm_diagnose_not_placed(r, step, err) : 0;
}

static int place_tree(int root, const struct idm_plan_entry *step, int tree, bool mkdir,
		      struct idm_target *target, struct idm_error *err)
{
	int opened = -1;

	return idm_place_simply(root, step->target, tree, &opened)
		       ? 0
		       : place_at_target(root, step, tree, mkdir, target, err);
}

/*
 * A mount that is in place needs no descriptor any more, and creating the next target needs some. To set
 * its propagation needs one.
 */
static void free_tree(struct idm_assembly *a, size_t i)
{
	if (a->plan->entries[i].propagation)
		return;
	idm_close_fd(&a->mounts[i]);
}

static int assemble_detached(struct idm_assembly *a, bool mkdir, struct idm_error *err)
{
	for (size_t i = 1; i < a->plan->n; i++) {
		const struct idm_plan_entry *step = &a->plan->entries[i];
		int r = place_tree(a->mounts[0], step, a->mounts[i],
				   mkdir || step->flags & IDM_PLAN_ADD_MKDIR, &a->targets[i], err);

		if (r < 0)
			return r;
		free_tree(a, i);
	}
	return idm_steal_fd(&a->mounts[0]);
}

/* Makes the root read-only on request, once all mounts are attached. */
static int make_rdonly(const struct idm_assembly *a, struct idm_error *err)
{
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_RDONLY };
	const struct idm_plan_entry *root = &a->plan->entries[0];
	int r;

	if (!(root->flags & IDM_PLAN_ADD_RDONLY_LAST) ||
	    !(idm_plan_entry_attributes(root).set & IDM_ATTR_RDONLY))
		return 0;
	r = idm_sys_mount_setattr(a->tree, "", AT_EMPTY_PATH, &attr);
	return r < 0 ? idm_fail_errno(err, r, step_assemble, root->source) : 0;
}

/* This check comes first: without it, the error of a root that is a file depends on the method. */
static int check_root(const struct idm_assembly *a, struct idm_error *err)
{
	mode_t type;
	int r = idm_file_type(a->mounts[0], &type);

	if (r < 0)
		return idm_fail_errno(err, r, step_assemble, a->plan->entries[0].source);
	if (a->plan->n == 1 || S_ISDIR(type))
		return 0;
	return idm_fail(err, -ENOTDIR, step_assemble, a->plan->entries[0].source,
			"expected a directory with mounts below it, got a file");
}

/*
 * IDs of mounts grow. The tree of the last entry was created last. It is its last mount too, unless
 * others are below it.
 */
static uint64_t find_newest(const struct idm_assembly *a)
{
	const size_t last = a->plan->n - 1;
	uint64_t id;
	bool unique;

	if (a->plan->entries[last].recursive || idm_mount_id(a->mounts[last], "", &id, &unique) < 0)
		return 0;
	return unique ? id : 0;
}

static int put_together(struct idm_assembly *a, const struct idm_plan_apply_options *o,
			struct idm_error *err)
{
	bool detached = !(o->flags & IDM_PLAN_APPLY_IN_NAMESPACE) && idm_kernel_takes_detached();
	int r = check_root(a, err);

	if (r < 0)
		return r;
	detached = detached || a->plan->n == 1;
	/* A copy out of a namespace has other IDs. */
	if (o->journal && detached)
		a->newest = find_newest(a);
	a->tree = detached ? assemble_detached(a, o->flags & IDM_PLAN_APPLY_MKDIR, err)
			   : idm_assemble_in_namespace(a, o, err);
	return a->tree < 0 ? a->tree : make_rdonly(a, err);
}

/* ---- the assembly ---- */

static int open_entry_trees(struct idm_assembly *a, const struct idm_plan_apply_options *o,
			    struct idm_error *err)
{
	const struct idm_plan *plan = a->plan;
	struct idm_userns_cache *cache;
	int r = idm_userns_cache_new(16, &cache, err);

	if (r < 0)
		return r;
	for (size_t i = 0; i < plan->n && r >= 0; i++) {
		r = a->mounts[i] = idm_plan_entry_make(&plan->entries[i], o, cache, err);
		if (r >= 0 && o->progress && o->progress(i + 1, plan->n, o->progress_data) != 0)
			r = idm_fail(err, -ECANCELED, step_assemble, NULL,
				     "the caller's progress() canceled it");
	}
	idm_userns_cache_free(cache);
	return r < 0 ? r : 0;
}

/*
 * Targets that are created in the root filesystem belong to root, as the map shows it. If the caller's
 * root has an ID on disk, this is the caller's root. Else it is the user that disk ID 0 is mapped to.
 * Returns NULL if targets belong to the caller.
 */
static const struct idm_owner *owner_of_targets(const struct idm_map *map, struct idm_owner *owner)
{
	uint32_t disk;

	if (!map || (idm_map_to_disk(map, IDM_UID, 0, &disk) == 0 &&
		     idm_map_to_disk(map, IDM_GID, 0, &disk) == 0))
		return NULL;
	return idm_map_to_seen(map, IDM_UID, 0, &owner->uid) == 0 &&
			       idm_map_to_seen(map, IDM_GID, 0, &owner->gid) == 0
		       ? owner
		       : NULL;
}

int idm_plan_entry_create(const struct idm_plan_entry *entry, int tree, const char *path, bool directory,
			  struct idm_error *err)
{
	struct idm_owner owner;
	struct idm_target target = { .fd = -1, .owner = owner_of_targets(entry->map, &owner) };
	int r = idm_target_open(&target, tree, path, IDM_ATTACH_IN_ROOT | IDM_ATTACH_MKDIR, directory,
				err);

	idm_target_close(&target);
	return r;
}

static int new_assembly(struct idm_assembly *a, const struct idm_plan *plan,
			struct idm_journal_writer *writer)
{
	const struct idm_owner *owner;

	*a = (struct idm_assembly){ .tree = -1, .plan = plan, .assembler.pidfd = -1 };
	owner = owner_of_targets(plan->entries[0].map, &a->owner);
	a->targets = calloc(plan->n, sizeof(*a->targets));
	a->mounts = reallocarray(NULL, plan->n, sizeof(*a->mounts));
	if (!a->targets || !a->mounts) {
		free(a->targets);
		free(a->mounts);
		return -ENOMEM;
	}
	for (size_t i = 0; i < plan->n; i++) {
		a->mounts[i] = -1;
		a->targets[i] = (struct idm_target){
			.fd = -1,
			.owner = owner,
			.created = idm_journal_inside,
			.created_data = writer,
		};
	}
	return 0;
}

int idm_assemble(struct idm_assembly *a, const struct idm_plan *plan,
		 const struct idm_plan_apply_options *options, struct idm_journal_writer *writer,
		 struct idm_error *err)
{
	int r;

	if (!plan->n)
		return idm_fail(err, -EINVAL, step_assemble, NULL, "the plan is empty");
	if (new_assembly(a, plan, writer) < 0)
		return idm_fail_errno(err, -ENOMEM, step_assemble, NULL);
	r = open_entry_trees(a, options, err);
	if (r == 0)
		r = put_together(a, options, err);
	if (r == 0)
		return 0;
	if (r == -EMFILE)
		idm_hint(err, "each mount needs a descriptor, and each created target needs another; "
			      "raise RLIMIT_NOFILE (ulimit -n)");
	idm_assembly_rollback(a);
	idm_assembly_close(a);
	return r;
}

/* ---- propagation ---- */

/* Whether a later mount covers the target of this one, so that a path leads to the later mount. */
static bool is_covered(const struct idm_plan *plan, size_t i)
{
	const char *target = plan->entries[i].target;

	for (size_t k = 1; k < plan->n; k++) {
		const char *other = plan->entries[k].target;
		size_t n = strlen(other);

		if (n == 0 ||
		    (k > i && strncmp(target, other, n) == 0 && (!target[n] || target[n] == '/')))
			return true;
	}
	return false;
}

/* Opens the mount of an entry. If it was copied out of a namespace, only its target identifies it. */
static int open_mount(const struct idm_assembly *a, size_t i)
{
	int fd, r;

	if (i == 0)
		return idm_sys_dup(a->tree);
	if (a->mounts[i] >= 0)
		return idm_sys_dup(a->mounts[i]);
	if (is_covered(a->plan, i))
		return -EOPNOTSUPP;
	fd = idm_open_nofollow(a->tree, a->plan->entries[i].target, O_PATH,
			       RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
	r = fd < 0 ? fd : idm_is_mount_point(fd);
	if (r > 0)
		return fd;
	idm_close_fd(&fd);
	return r < 0 ? r : -EOPNOTSUPP;
}

int idm_plan_entry_propagate(const struct idm_plan_entry *step, int mount)
{
	struct mount_attr attr = { .propagation = idm_propagation_flag(step->propagation) };

	return idm_sys_mount_setattr(mount, "",
				     AT_EMPTY_PATH | (step->deep_propagation ? AT_RECURSIVE : 0), &attr);
}

static int set_entry_propagation(const struct idm_assembly *a, size_t i, struct idm_error *err)
{
	AUTO_CLOSE int mount = open_mount(a, i);
	const struct idm_plan_entry *step = &a->plan->entries[i];
	int r = mount < 0 ? mount : idm_plan_entry_propagate(step, mount);
	char name[IDM_PLAN_ENTRY_NAME];

	if (r == 0)
		return 0;
	return idm_fail_because(
		err, r, IDM_STEP_SET_PROPAGATION, idm_plan_entry_name(step, name, sizeof(name)),
		mount == -EOPNOTSUPP
			? "another mount of the plan covers it, which is not supported by this "
			  "kernel (needs Linux 6.15)"
			: NULL);
}

int idm_assembly_propagate(const struct idm_assembly *a, struct idm_error *err)
{
	int r = 0;

	for (size_t i = 0; i < a->plan->n && r == 0; i++)
		if (a->plan->entries[i].propagation)
			r = set_entry_propagation(a, i, err);
	return r;
}

/*
 * In a detached tree, the kernel can change the root, with all mounts below it. It can change no other
 * mount alone. Mounts below are private, or slaves if they were copied as slaves.
 */
static int check_detached_propagation(const struct idm_plan *plan, struct idm_error *err)
{
	for (size_t i = 1; i < plan->n; i++) {
		const struct idm_plan_entry *root = &plan->entries[0], *step = &plan->entries[i];
		enum idm_propagation is = root->deep_propagation ? root->propagation
								 : IDM_PROPAGATION_PRIVATE;
		char name[IDM_PLAN_ENTRY_NAME];

		if (!step->propagation || step->propagation == is ||
		    (step->propagation == IDM_PROPAGATION_SLAVE && is == IDM_PROPAGATION_PRIVATE))
			continue;
		idm_fail(err, -EOPNOTSUPP, IDM_STEP_SET_PROPAGATION,
			 idm_plan_entry_name(step, name, sizeof(name)),
			 "a mount below a detached root requires the propagation of the root");
		idm_hint(err, "idm_plan_apply() sets it when the mount is attached");
		return -EOPNOTSUPP;
	}
	return 0;
}

void idm_assembly_make_writable(const struct idm_assembly *a)
{
	struct mount_attr writable = { .attr_clr = MOUNT_ATTR_RDONLY };

	if (a->tree >= 0 && a->plan->entries[0].flags & IDM_PLAN_ADD_RDONLY_LAST)
		idm_sys_mount_setattr(a->tree, "", AT_EMPTY_PATH, &writable);
}

void idm_assembly_rollback(struct idm_assembly *a)
{
	idm_subprocess_end(&a->assembler);
	idm_assembly_make_writable(a);
	for (size_t i = a->plan->n; i-- > 0;)
		idm_target_rollback(&a->targets[i]);
}

void idm_assembly_close(struct idm_assembly *a)
{
	for (size_t i = 0; i < a->plan->n; i++) {
		idm_target_close(&a->targets[i]);
		idm_close_fd(&a->mounts[i]);
	}
	free(a->targets);
	free(a->mounts);
	idm_close_fd(&a->tree);
	idm_subprocess_end(&a->assembler);
}

/* ---- the call ---- */

#define APPLY_FLAGS                                                                     \
	(IDM_PLAN_APPLY_DETACHED | IDM_PLAN_APPLY_IN_NAMESPACE | IDM_PLAN_APPLY_MKDIR | \
	 IDM_PLAN_APPLY_UPPER_UNUSED | IDM_PLAN_APPLY_SERVICE)

int idm_copy_apply_options(struct idm_plan_apply_options *own,
			   const struct idm_plan_apply_options *options, struct idm_error *err)
{
	int r;

	*own = (struct idm_plan_apply_options)IDM_PLAN_APPLY_OPTIONS_INIT;
	r = IDM_COPY_STRUCT(own, upper_cache, options, step_assemble, err);
	if (r == 0)
		r = idm_check_flags(own->flags, APPLY_FLAGS, step_assemble, NULL, err);
	if (r < 0)
		return r;
	if (own->flags & IDM_PLAN_APPLY_DETACHED && own->flags & IDM_PLAN_APPLY_IN_NAMESPACE)
		return idm_fail(
			err, -EINVAL, step_assemble, NULL,
			"expected IDM_PLAN_APPLY_DETACHED or IDM_PLAN_APPLY_IN_NAMESPACE, got both");
	if ((unsigned int)own->upper_ids > IDM_UPPER_DISK)
		return idm_fail(err, -EINVAL, step_assemble, NULL, "unknown upper IDs %d",
				own->upper_ids);
	if (own->flags & IDM_PLAN_APPLY_DETACHED && !idm_kernel_takes_detached())
		return idm_fail(
			err, -EOPNOTSUPP, step_assemble, NULL,
			"attaching to detached mounts is not supported by this kernel (needs Linux "
			"6.15)");
	return idm_staging_check(own->staging_fd, err);
}

int idm_plan_open(const struct idm_plan *plan, const struct idm_plan_apply_options *options,
		  struct idm_error *err)
{
	HOLD_CANCEL;
	struct idm_journal_writer nothing = { .fd = -1 };
	struct idm_assembly assembly = { .tree = -1, .assembler.pidfd = -1 };
	struct idm_plan_apply_options o;
	int tree, r = idm_copy_apply_options(&o, options, err);

	if (r == 0 && o.journal)
		r = idm_fail(err, -EINVAL, step_assemble, o.journal,
			     "a journal requires idm_plan_apply(), which attaches the mounts");
	if (r == 0)
		r = check_detached_propagation(plan, err);
	if (r == 0)
		r = idm_assemble(&assembly, plan, &o, &nothing, err);
	if (r != 0)
		return r;
	r = plan->entries[0].propagation ? set_entry_propagation(&assembly, 0, err) : 0;
	if (r < 0)
		idm_assembly_rollback(&assembly);
	tree = idm_steal_fd(&assembly.tree);
	idm_assembly_close(&assembly);
	if (r < 0)
		idm_close_fd(&tree);
	return r < 0 ? r : tree;
}
