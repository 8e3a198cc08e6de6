// SPDX-License-Identifier: MIT
/* Creates one entry of a plan as a detached tree, with its map and attributes. */
#include <errno.h>

#include "assemble.h"
#include "filesystem.h"
#include "lib/base/error.h"
#include "lib/base/macros.h"
#include "lib/base/mapped-hint.h"
#include "lib/base/mount-attr.h"
#include "lib/mount/service-tree.h"
#include "lib/mount/tree-diag.h"
#include "lib/sys/fail-errno.h"
#include "lib/sys/probe.h"
#include "lib/sys/syscall.h"

static const enum idm_error_step step_make = IDM_STEP_MAKE_MOUNT;

/* ---- attributes ---- */

struct idm_attributes idm_plan_entry_attributes(const struct idm_plan_entry *entry)
{
	const struct idm_attributes *deep = &entry->deep, *top = &entry->top;
	struct idm_attributes a = {
		.set = (deep->set & ~top->clear) | top->set,
		.clear = (deep->clear & ~top->set) | top->clear,
	};

	if (top->set & IDM_ATTR_ATIME)
		a.set = (a.set & ~IDM_ATTR_ATIME) | (top->set & IDM_ATTR_ATIME);
	return a;
}

/* Returns the attributes of the top mount until all mounts are attached. */
static struct idm_attributes top_of(const struct idm_plan_entry *entry)
{
	struct idm_attributes a = idm_plan_entry_attributes(entry);

	if (entry->flags & IDM_PLAN_ADD_RDONLY_LAST)
		a.set &= ~IDM_ATTR_RDONLY;
	return a;
}

static struct mount_attr kernel_attributes(struct idm_attributes a)
{
	return (struct mount_attr){ .attr_set = a.set,
				    .attr_clr = idm_attributes_to_clear(a.set, a.clear) };
}

/* ---- binds ---- */

static int diagnose_no_map(int code, const struct idm_plan_entry *entry, int userns, unsigned int flags,
			   struct idm_error *err)
{
	AUTO_CLOSE int source = -1;

	if (!err)
		return code;
	source = *entry->source ? idm_sys_openat(entry->dirfd, entry->source, O_PATH, 0)
				: idm_sys_dup(entry->dirfd);
	return source < 0 ? idm_fail_errno(err, code, step_make, entry->source)
			  : idm_diagnose_not_mapped(code, source, entry->source, userns, flags, err);
}

static int change_top_by_service(int tree, const struct idm_plan_entry *entry, int userns,
				 struct mount_attr *attr, struct idm_error *err)
{
	int r;

	attr->attr_set &= ~(uint64_t)MOUNT_ATTR_IDMAP;
	r = idm_sys_mount_setattr(tree, "", AT_EMPTY_PATH, attr);
	if (r < 0)
		return diagnose_no_map(r, entry, -1, 0, err);
	r = idm_service_map_tree(tree, userns, entry->source, err);
	return r > 0 ? diagnose_no_map(-EPERM, entry, userns, IDM_TREE_SERVICE, err) : r;
}

/* With a recursive bind the top mount can differ from those below. */
static int change_top(int tree, const struct idm_plan_entry *entry, int userns, bool service,
		      struct idm_error *err)
{
	struct mount_attr attr = kernel_attributes(top_of(entry));
	int r;

	if (userns >= 0 && entry->map_scope == IDM_MAP_TOP) {
		attr.attr_set |= MOUNT_ATTR_IDMAP;
		attr.userns_fd = (uint64_t)userns;
	}
	if (!attr.attr_set && !attr.attr_clr)
		return 0;
	r = idm_sys_mount_setattr(tree, "", AT_EMPTY_PATH, &attr);
	if (r == -EPERM && service && attr.attr_set & MOUNT_ATTR_IDMAP && idm_service_can_help())
		return change_top_by_service(tree, entry, userns, &attr, err);
	return r < 0 ? diagnose_no_map(r, entry, userns, 0, err) : 0;
}

static int open_bind_tree(const struct idm_plan_entry *entry, int userns, bool service,
			  struct idm_error *err)
{
	struct idm_tree_options options = IDM_TREE_OPTIONS_INIT;
	struct idm_attributes a = entry->recursive ? entry->deep : top_of(entry);
	struct mount_attr attr = kernel_attributes(a);
	bool map_top = entry->recursive && entry->map_scope == IDM_MAP_TOP;
	AUTO_CLOSE int tree = -1;
	int r;

	/* A source that was added is never empty. The source of a bundle can be a descriptor. */
	options.flags = IDM_TREE_EMPTY_PATH | (entry->recursive ? IDM_TREE_RECURSIVE : 0) |
			(service ? IDM_TREE_SERVICE : 0);
	options.attr_set = (uint32_t)attr.attr_set;
	options.attr_clear = (uint32_t)attr.attr_clr;
	/* The copy call has to set whose slave or peer the mount is: afterwards the mount is private. */
	options.propagation = entry->copied_as;
	if (!entry->copied_as && entry->propagation == IDM_PROPAGATION_SLAVE)
		options.propagation = IDM_PROPAGATION_SLAVE;
	tree = idm_tree_open(entry->dirfd, entry->source, map_top ? -1 : userns, &options, err);
	if (tree < 0)
		idm_hint_mapped(err, IDM_HINT_UNMAPPED);
	if (tree < 0 || !entry->recursive)
		return idm_steal_fd(&tree);
	r = change_top(tree, entry, userns, service, err);
	if (r < 0)
		idm_hint_mapped(err, IDM_HINT_UNMAPPED);
	return r < 0 ? r : idm_steal_fd(&tree);
}

/* ---- overlays ---- */

static int open_overlay_tree(const struct idm_plan_entry *entry,
			     const struct idm_plan_apply_options *options, struct idm_error *err)
{
	struct idm_overlay_options o = IDM_OVERLAY_OPTIONS_INIT;
	struct idm_path upper = { entry->dirfd, entry->upper }, work = { entry->dirfd, entry->work };

	o.lower = entry->lower;
	o.n_lower = entry->n_lower;
	o.data = entry->data;
	o.n_data = entry->n_data;
	if (entry->upper) {
		o.upper = &upper;
		o.work = &work;
		o.flags = options->flags & IDM_PLAN_APPLY_UPPER_UNUSED ? IDM_OVERLAY_UPPER_UNUSED : 0;
	}
	o.flags |= options->flags & IDM_PLAN_APPLY_SERVICE ? IDM_OVERLAY_SERVICE : 0;
	o.map = entry->map;
	o.upper_ids = entry->map && entry->upper ? options->upper_ids : IDM_UPPER_SHIFTED;
	o.options = entry->options;
	o.n_options = entry->n_options;
	o.attr = top_of(entry).set;
	o.source = entry->source;
	o.staging_fd = options->staging_fd;
	o.upper_cache = options->upper_cache;
	return idm_overlay_open(&o, err);
}

/* ---- filesystems ---- */

static int open_filesystem_tree(const struct idm_plan_entry *entry, int userns, struct idm_error *err)
{
	AUTO_CLOSE int tree = idm_filesystem_open(entry, top_of(entry).set, err);
	int r;

	if (tree < 0 || userns < 0)
		return idm_steal_fd(&tree);
	r = idm_probe_map(tree, userns);
	if (r == -EINVAL)
		return idm_fail(err, r, step_make, entry->filesystem->name,
				"this kernel cannot ID-map the filesystem");
	return r < 0 ? idm_fail_errno(err, r, step_make, entry->filesystem->name) : idm_steal_fd(&tree);
}

/* ---- any ---- */

int idm_plan_entry_make(const struct idm_plan_entry *entry, const struct idm_plan_apply_options *options,
			struct idm_userns_cache *cache, struct idm_error *err)
{
	AUTO_CLOSE int userns = -1;

	if (entry->kind == IDM_PLAN_ENTRY_OVERLAY)
		return open_overlay_tree(entry, options, err);
	if (entry->map) {
		userns = idm_userns_cache_open(cache, entry->map, err);
		if (userns < 0)
			return userns;
	}
	if (entry->kind == IDM_PLAN_ENTRY_BIND)
		return open_bind_tree(entry, userns, options->flags & IDM_PLAN_APPLY_SERVICE, err);
	return open_filesystem_tree(entry, userns, err);
}
