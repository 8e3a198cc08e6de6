// SPDX-License-Identifier: MIT
/*
 * Puts the trees of a plan together where nothing can be attached to a detached mount (before Linux
 * 6.15). A child attaches the root in a mount namespace of its own, moves the trees below it, and copies
 * the whole out again.
 *
 * The child shares the caller's memory and makes system calls only. It moves the trees whose targets are
 * there, in their order. At the first other one it stops, and leaves the namespace as a descriptor. The
 * caller opens that target, which creates it or finds the words for the error. It also creates the
 * missing targets behind it, see targets-ahead.c. The next child joins the namespace, moves that tree
 * first, and continues. So a plan whose targets all exist needs one child. Missing targets need one
 * more, and another one for each that is below a missing one.
 */
#include <errno.h>

#include "assemble.h"
#include "lib/base/macros.h"
#include "lib/mount/staging.h"
#include "lib/sys/procfs.h"
#include "lib/sys/subprocess.h"
#include "lib/sys/syscall.h"
#include "place.h"

/* What a child is to do, and how far it got. */
struct run {
	const struct idm_plan *plan;
	const int *trees;	     /* of the entries */
	int staging;		     /* of which the namespace is to be a copy; or -1 */
	struct idm_own_mount_ns own; /* own.fd: the namespace to be joined; -1: to be made */
	size_t next; /* the entry whose tree is to be moved now; the number of entries: none */
	int target;  /* where to, if the caller has opened that; or -1 */
	int tree;    /* the result, or -1 */
	enum idm_error_step step;

	int opened; /* for a moment. If the child is killed, the caller closes it */
};

/* ---- in the child ---- */

static int enter_new_namespace(struct run *run)
{
	int r = idm_staging_enter(run->staging, &run->step);

	return r < 0 ? r : idm_sys_move_mount(run->trees[0], "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH);
}

/* Whether the target is as it has to be. On any doubt the caller opens it. */
static bool move_simply(struct run *run)
{
	return idm_place_simply(run->trees[0], run->plan->entries[run->next].target,
				run->trees[run->next], &run->opened);
}

static int move_trees(struct run *run)
{
	int r;

	run->step = IDM_STEP_ATTACH;
	if (run->target >= 0) {
		r = idm_sys_move_mount_fd(run->trees[run->next], run->target, 0);
		if (r < 0)
			return r;
		run->next++;
	}
	while (run->next < run->plan->n && move_simply(run))
		run->next++;
	return 0;
}

static int copy_tree(struct run *run)
{
	run->step = IDM_STEP_COPY_PLAN_MOUNTS;
	run->tree = idm_sys_open_tree(run->trees[0], "", OPEN_TREE_CLONE | AT_EMPTY_PATH | AT_RECURSIVE);
	return run->tree < 0 ? run->tree : 0;
}

/* For the next child. */
static int keep_namespace(struct run *run)
{
	if (run->own.fd >= 0)
		return 0;
	run->step = IDM_STEP_MAKE_MOUNT_NAMESPACE;
	return idm_subprocess_open_mount_ns(&run->own);
}

static int run_in_namespace(void *data)
{
	struct run *run = data;
	size_t first = run->next;
	int r = run->own.fd < 0 ? enter_new_namespace(run) : idm_sys_setns(run->own.fd, CLONE_NEWNS);

	if (r == 0 && first < run->plan->n)
		r = move_trees(run);
	if (r < 0)
		return r;
	if (run->next == run->plan->n) {
		r = copy_tree(run);
		/* Once the caller has closed the trees that are in place, there may be room for it. */
		if (r == 0 || run->next == first)
			return r;
	}
	return keep_namespace(run);
}

/* ---- in the caller ---- */

static void free_trees(struct idm_assembly *a, size_t from, size_t to)
{
	for (size_t i = from; i < to; i++)
		idm_close_fd(&a->mounts[i]);
}

/* Puts what was created for the target before behind what was created now. */
static void keep_created(struct idm_target *target, struct idm_created *before)
{
	struct idm_created **end = &target->made;

	while (*end)
		end = &(*end)->next;
	*end = before;
}

static int open_next_target(struct run *run, struct idm_target *target, bool mkdir,
			    struct idm_error *err)
{
	const struct idm_plan_entry *step = &run->plan->entries[run->next];
	struct idm_created *before = target->made;
	int r;

	target->made = NULL;
	r = idm_open_entry_target(run->trees[0], step, run->trees[run->next],
				  mkdir || step->flags & IDM_PLAN_ADD_MKDIR, target, err);
	keep_created(target, before);
	run->target = r < 0 ? -1 : idm_steal_fd(&target->fd);
	return r;
}

static enum idm_error_step find_first_step(const struct run *run)
{
	return run->own.fd < 0		  ? IDM_STEP_MAKE_MOUNT_NAMESPACE
	       : run->next < run->plan->n ? IDM_STEP_ATTACH
					  : IDM_STEP_COPY_PLAN_MOUNTS;
}

/* The last child exits while the caller continues, see idm_assembly_close(). */
static int run_child(struct run *run, struct idm_subprocess *child, struct idm_error *err)
{
	int r;

	run->step = find_first_step(run);
	idm_subprocess_end(child);
	r = idm_subprocess_run_shared(child, run_in_namespace, run, sizeof(*run));
	idm_close_moment(&run->target);
	idm_close_moment(&run->opened);
	idm_subprocess_close_parts(&run->own);
	if (r == 0)
		return 0;
	return run->step == IDM_STEP_ATTACH && run->next < run->plan->n
		       ? idm_diagnose_not_placed(r, &run->plan->entries[run->next], err)
		       : idm_diagnose_staging(r, run->step, err);
}

/* From the entry at which the child before stopped. */
static int continue_run(struct run *run, struct idm_assembly *a, bool mkdir, struct idm_error *err)
{
	size_t first = run->next;
	int r = 0;

	if (run->own.fd >= 0 && first < a->plan->n) {
		r = open_next_target(run, &a->targets[first], mkdir, err);
		if (r == 0)
			idm_create_targets_ahead(a, first, mkdir);
	}
	if (r == 0)
		r = run_child(run, &a->assembler, err);
	/* Creating the next target needs descriptors. */
	free_trees(a, first, run->next);
	return r;
}

int idm_assemble_in_namespace(struct idm_assembly *a, const struct idm_plan_apply_options *options,
			      struct idm_error *err)
{
	AUTO_CLOSE int proc = idm_procfs_root(err);
	struct run run = {
		.plan = a->plan,
		.trees = a->mounts,
		.staging = options->staging_fd,
		.own = IDM_OWN_MOUNT_NS_INIT,
		.next = 1,
		.target = -1,
		.tree = -1,
		.opened = -1,
	};
	int r = proc < 0 ? proc : 0;

	run.own.proc = proc;
	while (r == 0 && run.tree < 0)
		r = continue_run(&run, a, options->flags & IDM_PLAN_APPLY_MKDIR, err);
	idm_close_fd(&run.own.fd);
	/* The mounts in the namespace are not those that were copied out of it. */
	free_trees(a, 0, a->plan->n);
	if (r < 0)
		idm_close_fd(&run.tree);
	return r < 0 ? r : run.tree;
}
