// SPDX-License-Identifier: MIT
/*
 * The trees of a plan, put together below its root while that is still detached: nobody sees it. Before
 * Linux 6.15 nothing can be attached to a detached mount. Then the root is attached in a mount namespace
 * that only a descriptor of ours keeps alive; mounts are put there by errands that join it, and in the
 * end the whole is copied out of it.
 *
 * All trees are made before the first is put anywhere: what can fail without touching the root
 * filesystem has failed before a target is created in it.
 */
#include "plan-open.h"

#include <errno.h>
#include <stdlib.h>

#include "errand.h"
#include "error.h"
#include "kernel.h"
#include "options.h"
#include "procfs.h"
#include "util.h"

static const char step_assemble[] = "assemble plan";

/* Where mounts are put. */
struct site {
	int root;      /* of the whole */
	int top;       /* what covers it, or the same: where targets are resolved */
	int namespace; /* the mount namespace, or -1: everything is detached */
};

/* ---- in a mount namespace ---- */

struct errand {
	int tree, to;  /* what is put where */
	int namespace; /* to be joined */
	int proc;
};

static int move(int tree, int to)
{
	return idm_sys_move_mount(tree, "", to, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
}

/* Attaches the root over that of a new mount namespace, and returns a descriptor of that. */
static int found_namespace(void *data)
{
	const struct errand *e = data;
	int r = idm_sys_unshare(CLONE_NEWNS), self;

	/* What is attached from here on goes nowhere else. */
	if (r == 0)
		r = idm_sys_mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
	if (r == 0)
		r = idm_sys_move_mount(e->tree, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH);
	if (r < 0)
		return r;
	self = idm_sys_openat(e->proc, "thread-self", O_PATH | O_DIRECTORY, 0);
	if (self < 0)
		return self;
	r = idm_procfs_openat(self, "ns/mnt", O_RDONLY);
	close(self); /* the descriptor table is the caller's too */
	return r;
}

static int move_there(void *data)
{
	const struct errand *e = data;
	int r = idm_sys_setns(e->namespace, CLONE_NEWNS);

	return r < 0 ? r : move(e->tree, e->to);
}

static int copy_from_there(void *data)
{
	const struct errand *e = data;
	int r = idm_sys_setns(e->namespace, CLONE_NEWNS);

	return r < 0 ? r
		     : idm_sys_open_tree(e->tree, "", OPEN_TREE_CLONE | AT_EMPTY_PATH | AT_RECURSIVE);
}

static int enter_namespace(struct site *site, struct idm_error *err)
{
	AUTO_CLOSE int proc = idm_procfs_root(err);
	struct errand e = { .tree = site->root, .proc = proc };

	if (proc < 0)
		return proc;
	site->namespace = idm_errand(found_namespace, &e);
	return site->namespace < 0 ? idm_fail(err, site->namespace, "make mount namespace", NULL, NULL)
				   : 0;
}

static int leave_namespace(const struct site *site, struct idm_error *err)
{
	struct errand e = { .tree = site->root, .namespace = site->namespace };
	int r = idm_errand(copy_from_there, &e);

	return r < 0 ? idm_fail(err, r, "copy the plan's mounts", NULL, NULL) : r;
}

/* ---- putting in place ---- */

static int move_to(const struct site *site, int tree, int to)
{
	struct errand e = { .tree = tree, .to = to, .namespace = site->namespace };

	return site->namespace < 0 ? move(tree, to) : idm_errand(move_there, &e);
}

static int why_not_placed(int code, const struct idm_step *step, struct idm_error *err)
{
	char name[IDM_STEP_NAME];

	idm_fail(err, code, "attach", idm_step_name(step, name, sizeof(name)), NULL);
	if (code == -ENOSPC)
		idm_hint(err, "the mount namespace is full: look at sysctl fs.mount-max");
	return code;
}

static int place(struct site *site, const struct idm_step *step, int tree, bool mkdir,
		 struct idm_target *target, struct idm_error *err)
{
	unsigned int flags = IDM_ATTACH_IN_ROOT | (mkdir ? IDM_ATTACH_MKDIR : 0);
	struct stat st;
	int r = idm_sys_fstatat(tree, "", &st, AT_EMPTY_PATH);

	if (r < 0)
		return idm_fail(err, r, step_assemble, step->source, NULL);
	if (!*step->target) {
		r = move_to(site, tree, site->top);
		if (r == 0)
			site->top = tree;
		return r < 0 ? why_not_placed(r, step, err) : 0;
	}
	r = idm_target_open(target, site->top, step->target, flags, S_ISDIR(st.st_mode), err);
	if (r < 0)
		return r;
	r = move_to(site, tree, target->fd);
	/* It would hold a mount that is covered now. */
	idm_close_fd(&target->fd);
	target->fd = -1;
	return r < 0 ? why_not_placed(r, step, err) : 0;
}

static int place_all(struct idm_assembly *a, struct site *site, const int *trees, bool mkdir,
		     struct idm_error *err)
{
	for (size_t i = 1; i < a->plan->n; i++) {
		const struct idm_step *step = &a->plan->steps[i];
		int r = place(site, step, trees[i], mkdir || step->flags & IDM_PLAN_MKDIR,
			      &a->targets[i], err);

		if (r < 0)
			return r;
	}
	return 0;
}

/* What was to become read-only when everything is in place. */
static int make_rdonly(const struct idm_assembly *a, struct idm_error *err)
{
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_RDONLY };
	const struct idm_step *root = &a->plan->steps[0];
	int r;

	if (!(root->flags & IDM_PLAN_RDONLY_LAST) || !(root->top.set & IDM_ATTR_RDONLY))
		return 0;
	r = idm_sys_mount_setattr(a->tree, "", AT_EMPTY_PATH, &attr);
	return r < 0 ? idm_fail(err, r, step_assemble, root->source, NULL) : 0;
}

static int put_together(struct idm_assembly *a, int *trees, const struct idm_apply *o,
			struct idm_error *err)
{
	bool detached = !(o->flags & IDM_APPLY_IN_NAMESPACE) && idm_kernel_takes_detached();
	struct site site = { .root = trees[0], .top = trees[0], .namespace = -1 };
	int r = 0;

	if (!detached && a->plan->n > 1)
		r = enter_namespace(&site, err);
	if (r == 0)
		r = place_all(a, &site, trees, o->flags & IDM_APPLY_MKDIR, err);
	if (r == 0) {
		a->tree = site.namespace < 0 ? idm_take_fd(&trees[0]) : leave_namespace(&site, err);
		r = a->tree;
	}
	if (r >= 0)
		r = make_rdonly(a, err);
	idm_close_fd(&site.namespace);
	return r < 0 ? r : 0;
}

/* ---- the assembly ---- */

static int make_trees(int *trees, const struct idm_plan *plan, const struct idm_apply *o,
		      struct idm_error *err)
{
	struct idm_cache *cache;
	int r = idm_cache_new(16, &cache);

	if (r < 0)
		return idm_fail(err, r, step_assemble, NULL, NULL);
	for (size_t i = 0; i < plan->n && r >= 0; i++) {
		r = trees[i] = idm_step_make(&plan->steps[i], o->upper_ids, cache, err);
		if (r >= 0 && o->progress)
			o->progress(i + 1, plan->n, o->progress_data);
	}
	idm_cache_free(cache);
	return r < 0 ? r : 0;
}

static int new_trees(int **trees, size_t n)
{
	*trees = reallocarray(NULL, n, sizeof(**trees));
	if (!*trees)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		(*trees)[i] = -1;
	return 0;
}

/*
 * What is created in the root filesystem belongs to the root that its map shows: to the caller's, if
 * that has an id on disk, else to the one of disk id 0. NULL: to the caller.
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

int idm_assemble(struct idm_assembly *a, const struct idm_plan *plan, const struct idm_apply *options,
		 struct idm_recorder *recorder, struct idm_error *err)
{
	AUTO_FREE int *trees = NULL;
	int r;

	*a = (struct idm_assembly){ .tree = -1, .plan = plan };
	if (!plan->n)
		return idm_fail(err, -EINVAL, step_assemble, NULL, "the plan is empty");
	a->targets = calloc(plan->n, sizeof(*a->targets));
	if (!a->targets || new_trees(&trees, plan->n) < 0) {
		free(a->targets);
		return idm_fail(err, -ENOMEM, step_assemble, NULL, NULL);
	}
	for (size_t i = 0; i < plan->n; i++) {
		a->targets[i] = (struct idm_target){
			.fd = -1,
			.owner = owner_of_targets(plan->steps[0].map, &a->owner),
			.created = idm_record_inside,
			.created_data = recorder,
		};
	}
	r = make_trees(trees, plan, options, err);
	if (r == 0)
		r = put_together(a, trees, options, err);
	if (r < 0) {
		idm_assembly_unmake(a);
		idm_assembly_close(a);
	}
	for (size_t i = 0; i < plan->n; i++)
		idm_close_fd(&trees[i]);
	return r;
}

static int propagate(const struct idm_assembly *a, const struct idm_step *step)
{
	static const uint64_t values[] = {
		[IDM_PROPAGATION_PRIVATE] = MS_PRIVATE,
		[IDM_PROPAGATION_SLAVE] = MS_SLAVE,
		[IDM_PROPAGATION_SHARED] = MS_SHARED,
		[IDM_PROPAGATION_UNBINDABLE] = MS_UNBINDABLE,
	};
	struct mount_attr attr = { .propagation = values[step->propagation] };
	AUTO_CLOSE int fd = *step->target ? idm_sys_openat2(a->tree, step->target, O_PATH | O_NOFOLLOW,
							    0, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS)
					  : idm_sys_dup(a->tree);

	return fd < 0 ? fd
		      : idm_sys_mount_setattr(
				fd, "", AT_EMPTY_PATH | (step->deep_propagation ? AT_RECURSIVE : 0),
				&attr);
}

int idm_assembly_propagate(const struct idm_assembly *a, struct idm_error *err)
{
	char name[IDM_STEP_NAME];

	for (size_t i = 0; i < a->plan->n; i++) {
		const struct idm_step *step = &a->plan->steps[i];
		int r = step->propagation ? propagate(a, step) : 0;

		if (r < 0)
			return idm_fail(err, r, "set propagation",
					idm_step_name(step, name, sizeof(name)), NULL);
	}
	return 0;
}

void idm_assembly_unmake(const struct idm_assembly *a)
{
	struct mount_attr writable = { .attr_clr = MOUNT_ATTR_RDONLY };

	if (a->tree >= 0 && a->plan->steps[0].flags & IDM_PLAN_RDONLY_LAST)
		idm_sys_mount_setattr(a->tree, "", AT_EMPTY_PATH, &writable);
	for (size_t i = a->plan->n; i-- > 0;)
		idm_target_unmake(&a->targets[i]);
}

void idm_assembly_close(struct idm_assembly *a)
{
	for (size_t i = 0; i < a->plan->n; i++)
		idm_target_close(&a->targets[i]);
	free(a->targets);
	idm_close_fd(&a->tree);
	a->tree = -1;
}

/* ---- the call ---- */

int idm_take_apply_options(struct idm_apply *own, const struct idm_apply *options, struct idm_error *err)
{
	int r = 0;

	*own = (struct idm_apply)IDM_APPLY_INIT;
	if (options)
		r = idm_copy_options(own, sizeof(*own), options);
	if (r < 0)
		return idm_fail(err, r, step_assemble, NULL,
				r == -E2BIG ? "options that only a newer library knows"
					    : "the size of the options is not set");
	if (own->flags & ~(IDM_APPLY_DETACHED | IDM_APPLY_IN_NAMESPACE | IDM_APPLY_MKDIR))
		return idm_fail(err, -EINVAL, step_assemble, NULL, "unknown flags 0x%x", own->flags);
	if (own->flags & IDM_APPLY_DETACHED && own->flags & IDM_APPLY_IN_NAMESPACE)
		return idm_fail(err, -EINVAL, step_assemble, NULL, "flags that exclude each other: 0x%x",
				own->flags);
	if ((unsigned int)own->upper_ids > IDM_UPPER_DISK)
		return idm_fail(err, -EINVAL, step_assemble, NULL, "unknown upper ids %d",
				own->upper_ids);
	if (own->flags & IDM_APPLY_DETACHED && !idm_kernel_takes_detached())
		return idm_fail(err, -EOPNOTSUPP, step_assemble, NULL,
				"attaching to detached mounts needs Linux 6.15");
	return 0;
}

int idm_plan_open(const struct idm_plan *plan, const struct idm_apply *options, struct idm_error *err)
{
	struct idm_recorder nothing = { .fd = -1 };
	struct idm_assembly assembly;
	struct idm_apply o;
	int tree, r = idm_take_apply_options(&o, options, err);

	if (r == 0 && o.record)
		r = idm_fail(err, -EINVAL, step_assemble, o.record,
			     "a record is made of what becomes visible only");
	if (r == 0)
		r = idm_assemble(&assembly, plan, &o, &nothing, err);
	if (r < 0)
		return r;
	r = idm_assembly_propagate(&assembly, err);
	if (r < 0)
		idm_assembly_unmake(&assembly);
	tree = idm_take_fd(&assembly.tree);
	idm_assembly_close(&assembly);
	if (r < 0)
		idm_close_fd(&tree);
	return r < 0 ? r : tree;
}
