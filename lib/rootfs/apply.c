// SPDX-License-Identifier: MIT
/*
 * Makes a plan visible. The target is found (or created) first, and the tree is attached last. The
 * journal is always ahead of the visible mounts. So it knows every visible mount, wherever the program
 * may die.
 *
 * A tree that is attached below a shared mount appears in all copies of that mount, and becomes shared
 * itself. If the tree is made private after that, its copies stay as they are. The mounts below the
 * copies then remain when the tree is unmounted, and so the copies remain too. So a plan that requests
 * such a propagation is put on a base. The base is a copy of the target's mount alone. It is made
 * private before anything is put on it.
 */
#include <errno.h>

#include "assemble.h"
#include "lib/base/cancel.h"
#include "lib/base/error.h"
#include "lib/base/macros.h"
#include "lib/journal/journal.h"
#include "lib/mount/attach.h"
#include "lib/mount/umount-fd.h"
#include "lib/sys/fail-errno.h"
#include "lib/sys/syscall.h"

struct application {
	const struct idm_plan *plan;
	const struct idm_plan_apply_options *options;
	struct idm_assembly assembly;
	struct idm_target target;
	int base; /* -1: the plan needs no base */
	struct idm_journal_writer writer;
	const char *path; /* of the target, as the caller knows it */
};

/* Only a bind can be a file. An error of fstatat() is reported when the source is opened. */
static bool root_is_directory(const struct idm_plan *plan)
{
	const struct idm_plan_entry *root = &plan->entries[0];
	struct stat st;

	return root->kind != IDM_PLAN_ENTRY_BIND ||
	       idm_sys_fstatat(root->dirfd, root->source, &st, 0) < 0 || S_ISDIR(st.st_mode);
}

/* ---- the base ---- */

static bool wants_to_be_alone(const struct idm_plan *plan)
{
	for (size_t i = 0; i < plan->n; i++)
		if (plan->entries[i].propagation &&
		    plan->entries[i].propagation != IDM_PROPAGATION_SHARED)
			return true;
	return false;
}

static int note_whether_shared(const struct idm_mount_info *mount, void *data)
{
	*(bool *)data = mount->propagation == IDM_PROPAGATION_SHARED;
	return 0;
}

static int open_base(struct application *a, struct idm_error *err)
{
	struct idm_tree_options options = IDM_TREE_OPTIONS_INIT;
	bool shared = false;
	int r;

	a->base = -1;
	if (!wants_to_be_alone(a->plan))
		return 0;
	r = idm_list_path(a->target.fd, "", IDM_LIST_EMPTY_PATH, note_whether_shared, &shared, err);
	if (r == -ENOENT) /* it is not in this mount namespace: attaching reports that */
		return 0;
	if (r < 0 || !shared)
		return r;
	options.flags = IDM_TREE_EMPTY_PATH;
	a->base = idm_tree_open(a->target.fd, "", -1, &options, err);
	if (a->base < 0)
		idm_subject(err, a->path);
	return a->base < 0 ? a->base : 0;
}

static int attach_base(struct application *a, struct idm_error *err)
{
	struct mount_attr alone = { .propagation = MS_PRIVATE };
	int r = idm_journal_base(&a->writer, a->base, &a->target, err);

	if (r == 0)
		r = idm_attach_on_top(a->base, &a->target, a->path, err);
	if (r < 0)
		return r;
	r = idm_sys_mount_setattr(a->base, "", AT_EMPTY_PATH, &alone);
	if (r == 0)
		return 0;
	idm_detach_mount(a->base);
	return idm_fail_errno(err, r, IDM_STEP_SET_PROPAGATION, a->path);
}

/* ---- the plan ---- */

static int attach_plan(struct application *a, struct idm_error *err)
{
	const struct idm_target on_base = { .fd = a->base };
	int tree = a->assembly.tree, r = idm_journal_root(&a->writer, tree, &a->target, err);

	if (r == 0)
		r = idm_attach_on_top(tree, a->base < 0 ? &a->target : &on_base, a->path, err);
	if (r < 0)
		return r;
	/* Below a shared mount every mount has become shared, whatever it was before. */
	r = idm_assembly_propagate(&a->assembly, err);
	if (r == 0)
		r = idm_journal_mounts(&a->writer, a->base < 0 ? tree : a->base, err);
	if (r < 0) {
		idm_assembly_make_writable(&a->assembly);
		idm_detach_mount(tree);
	}
	return r;
}

static int make_visible(struct application *a, struct idm_error *err)
{
	int r = idm_journal_limit(&a->writer, a->assembly.newest, err);

	if (r == 0 && a->base >= 0)
		r = attach_base(a, err);
	if (r < 0)
		return r;
	r = attach_plan(a, err);
	if (r < 0 && a->base >= 0)
		idm_detach_mount(a->base);
	return r;
}

static int assemble_plan(struct application *a, struct idm_error *err)
{
	int r = idm_assemble(&a->assembly, a->plan, a->options, &a->writer, err);

	if (r < 0)
		return r;
	r = make_visible(a, err);
	if (r < 0)
		idm_assembly_rollback(&a->assembly);
	idm_assembly_close(&a->assembly);
	return r;
}

static int apply_plan(struct application *a, int dirfd, struct idm_error *err)
{
	unsigned int flags = a->options->flags & IDM_PLAN_APPLY_MKDIR ? IDM_ATTACH_MKDIR : 0;
	int r;

	a->target.created = idm_journal_outside;
	a->target.created_data = &a->writer;
	r = idm_target_open(&a->target, dirfd, a->path, flags, root_is_directory(a->plan), err);

	if (r < 0)
		return r;
	/* The order of the mounts identifies them: a mount below has to be older. */
	r = open_base(a, err);
	if (r == 0)
		r = assemble_plan(a, err);
	idm_close_fd(&a->base);
	if (r < 0)
		idm_target_rollback(&a->target);
	idm_target_close(&a->target);
	return r;
}

int idm_plan_apply(const struct idm_plan *plan, int dirfd, const char *target,
		   const struct idm_plan_apply_options *options, struct idm_error *err)
{
	HOLD_CANCEL;
	struct idm_plan_apply_options own;
	struct application a = { .plan = plan, .options = &own, .path = target };
	int r = idm_copy_apply_options(&own, options, err);

	if (r == 0)
		r = idm_refuse_old_kernel(target, err);
	if (r == 0 && !plan->n)
		r = idm_fail(err, -EINVAL, IDM_STEP_ASSEMBLE_PLAN, NULL, "the plan is empty");
	if (r == 0)
		r = idm_journal_writer_open(&a.writer, own.journal, err);
	if (r < 0)
		return r;
	r = apply_plan(&a, dirfd, err);
	return idm_journal_writer_close(&a.writer, r);
}
