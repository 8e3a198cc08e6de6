// SPDX-License-Identifier: MIT
/*
 * From a path to a detached, ID-mapped tree. Everything that is requested is set here, before any other
 * process can see the tree. A caller that passed a map never gets an unmapped tree.
 */
#include <errno.h>

#include "attach.h"
#include "lib/base/arguments.h"
#include "lib/base/cancel.h"
#include "lib/base/copy-struct.h"
#include "lib/base/error.h"
#include "lib/base/macros.h"
#include "lib/base/mount-attr.h"
#include "lib/list/mount-query.h"
#include "lib/sys/clone-mount.h"
#include "lib/sys/fail-errno.h"
#include "lib/sys/nofollow.h"
#include "lib/sys/probe.h"
#include "lib/sys/syscall.h"
#include "flags.h"
#include "on-top.h"
#include "propagation.h"
#include "service-tree.h"
#include "tree-diag.h"

static const enum idm_error_step step_tree = IDM_STEP_OPEN_TREE;

_Static_assert(IDM_ATTR_RDONLY == MOUNT_ATTR_RDONLY && IDM_ATTR_NOSUID == MOUNT_ATTR_NOSUID &&
		       IDM_ATTR_NODEV == MOUNT_ATTR_NODEV && IDM_ATTR_NOEXEC == MOUNT_ATTR_NOEXEC &&
		       IDM_ATTR_ATIME == MOUNT_ATTR__ATIME && IDM_ATTR_RELATIME == MOUNT_ATTR_RELATIME &&
		       IDM_ATTR_NOATIME == MOUNT_ATTR_NOATIME &&
		       IDM_ATTR_STRICTATIME == MOUNT_ATTR_STRICTATIME &&
		       IDM_ATTR_NODIRATIME == MOUNT_ATTR_NODIRATIME &&
		       IDM_ATTR_IDMAP == MOUNT_ATTR_IDMAP &&
		       IDM_ATTR_NOSYMFOLLOW == MOUNT_ATTR_NOSYMFOLLOW,
	       "the names of idmount.h have the kernel's values");

/* What the call is about. */
struct call {
	int dirfd;
	const char *path;
	int userns_fd;
	struct idm_tree_options o; /* as they are used */
	struct mount_attr attr;
	struct idm_error *err;
};

/* The options as they are used: all there, checked. */
static int copy_tree_options(struct idm_tree_options *own, const struct idm_tree_options *options,
			     struct idm_error *err)
{
	int r;

	*own = (struct idm_tree_options)IDM_TREE_OPTIONS_INIT;
	r = IDM_COPY_STRUCT(own, propagation, options, step_tree, err);
	if (r == 0)
		r = idm_check_flags(own->flags, IDM_TREE_FLAGS, step_tree, NULL, err);
	if (r < 0)
		return r;
	if (own->flags & IDM_TREE_REMAP && own->flags & IDM_TREE_ON_TOP)
		return idm_fail(err, -EINVAL, step_tree, NULL,
				"expected IDM_TREE_REMAP or IDM_TREE_ON_TOP, got both");
	if (own->flags & IDM_TREE_SERVICE && own->flags & (IDM_TREE_REMAP | IDM_TREE_ON_TOP))
		return idm_fail(err, -EINVAL, step_tree, NULL,
				"IDM_TREE_SERVICE excludes IDM_TREE_REMAP and IDM_TREE_ON_TOP");
	r = idm_check_attributes(own->attr_set, own->attr_clear, step_tree, NULL, err);
	own->attr_clear = idm_attributes_to_clear(own->attr_set, own->attr_clear);
	return r;
}

static int clone_and_set(const struct call *c, int dirfd, const char *path, unsigned int flags)
{
	return idm_clone_mount(dirfd, path, flags, &c->attr, c->o.flags & IDM_TREE_REMAP);
}

/* Opens the source by itself: to refuse a symbolic link, or to look why it cannot be cloned. */
static int open_tree_source(int dirfd, const char *path, unsigned int flags, struct idm_error *err)
{
	bool nofollow = flags & IDM_TREE_NOFOLLOW;
	struct stat st;
	AUTO_CLOSE int fd = -1;
	int r;

	fd = *path && nofollow ? idm_open_nofollow(dirfd, path, O_PATH, 0)
			       : idm_open_or_dup(dirfd, path, O_PATH);
	if (fd < 0 && fd != -EBADF && nofollow) {
		idm_fail_nofollow(err, fd, step_tree, path);
		return fd;
	}
	if (fd < 0)
		return idm_fail_at(err, fd, step_tree, path, dirfd);
	r = nofollow ? idm_sys_fstatat(fd, "", &st, AT_EMPTY_PATH) : 0;
	if (r < 0)
		return idm_fail_errno(err, r, step_tree, path);
	if (nofollow && S_ISLNK(st.st_mode))
		return idm_fail(err, -ELOOP, step_tree, path, "the source is a symbolic link");
	return idm_steal_fd(&fd);
}

static int diagnose_tree(int code, const struct call *c)
{
	AUTO_CLOSE int source = -1;

	if (!c->err)
		return code;
	source = open_tree_source(c->dirfd, c->path, c->o.flags, NULL);
	if (source < 0) /* what it was stays what it was */
		return idm_fail_at(c->err, code, step_tree, c->path, c->dirfd);
	return idm_diagnose_not_mapped(code, source, c->path, c->userns_fd, c->o.flags, c->err);
}

/* ---- on top of the source's own map ---- */

/* Makes a copy with both maps, combined into one that replaces the source's. */
static int clone_with_both(struct call *c, int source)
{
	AUTO_CLOSE int userns = idm_userns_on_top(source, c->path, c->userns_fd, c->err);
	int tree;

	if (userns < 0)
		return userns;
	c->attr.userns_fd = (uint64_t)userns;
	tree = idm_clone_mount_at_once(source, "", OPEN_TREE_CLONE | AT_EMPTY_PATH, &c->attr);
	if (tree != -ENOSYS && tree != -EPERM)
		return tree < 0 ? diagnose_tree(tree, c) : tree;
	return idm_fail(
		c->err, -EOPNOTSUPP, step_tree, c->path,
		"a map on top of the source's own is not supported by this kernel (needs Linux 6.15)");
}

/* The source is what is opened here: what is looked at is what is copied. */
static int open_on_top(struct call *c)
{
	AUTO_CLOSE int source = open_tree_source(c->dirfd, c->path, c->o.flags, c->err);
	bool recursive = c->o.flags & IDM_TREE_RECURSIVE;
	struct idm_mount_props look;
	int tree;

	if (source < 0)
		return source;
	tree = clone_and_set(c, source, "",
			     OPEN_TREE_CLONE | AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0));
	if (tree != -EPERM)
		return tree < 0 ? diagnose_tree(tree, c) : tree;
	idm_query_mount(source, &look);
	if (recursive && look.mapped)
		return idm_fail(c->err, -EINVAL, step_tree, c->path,
				"a map on top of another one can only be made for a single mount");
	tree = recursive ? -ENODATA : clone_with_both(c, source);
	return tree == -ENODATA ? diagnose_tree(-EPERM, c) : tree;
}

/* ---- by idmountd ---- */

/* In the mount namespace of another user namespace a copy without the mounts below is forbidden. */
static void hint_single_mount(const struct call *c, int source)
{
	AUTO_CLOSE int top = c->err ? idm_probe_clone(source, -1, 0) : -1;

	idm_hint(c->err, "%s",
		 top < 0 ? IDM_HINT_SINGLE_MOUNT
			 : "map it without the mounts below, and each of these by itself");
}

/* The service maps one mount. A recursive copy of a source without others below it is the same. */
static int check_single_mount(const struct call *c, int source)
{
	int below = c->o.flags & IDM_TREE_RECURSIVE ? idm_has_mounts_below(source) : 0;

	if (below == 0)
		return 0;
	idm_fail(c->err, -EOPNOTSUPP, IDM_STEP_ASK_SERVICE, c->path, "%s",
		 below > 0 ? "idmountd maps one mount, and the source has mounts below it"
			   : "idmountd maps one mount, and mounts below the source cannot be seen");
	hint_single_mount(c, source);
	return -EOPNOTSUPP;
}

/* The copy with all that is asked for except the map. */
static int clone_without_map(const struct call *c, int source, unsigned int more_flags)
{
	struct call plain = *c;
	int tree;

	plain.userns_fd = -1;
	plain.attr.attr_set &= ~(uint64_t)MOUNT_ATTR_IDMAP;
	plain.attr.userns_fd = 0;
	tree = clone_and_set(&plain, source, "", OPEN_TREE_CLONE | AT_EMPTY_PATH | more_flags);
	return tree < 0 ? diagnose_tree(tree, &plain) : tree;
}

/* What cannot be copied as it is asked for is no matter for the service. */
static int check_clone(const struct call *c, int source)
{
	AUTO_CLOSE int tree = clone_without_map(c, source,
						c->o.flags & IDM_TREE_RECURSIVE ? AT_RECURSIVE : 0);

	return tree < 0 ? tree : check_single_mount(c, source);
}

static int open_by_service(const struct call *c)
{
	AUTO_CLOSE int source = open_tree_source(c->dirfd, c->path, c->o.flags, c->err), tree = -1;
	struct idm_mount_props look;
	int r;

	if (source < 0)
		return source;
	idm_query_mount(source, &look);
	if (look.mapped)
		return diagnose_tree(-EPERM, c);
	r = c->o.flags & IDM_TREE_RECURSIVE ? check_clone(c, source) : 0;
	if (r < 0)
		return r;
	tree = clone_without_map(c, source, 0);
	if (tree < 0)
		return tree;
	r = idm_service_map_tree(tree, c->userns_fd, c->path, c->err);
	if (r > 0)
		return diagnose_tree(-EPERM, c);
	return r < 0 ? r : idm_steal_fd(&tree);
}

/* ---- the call ---- */

static bool may_ask_service(const struct call *c)
{
	return c->o.flags & IDM_TREE_SERVICE && c->userns_fd >= 0 && idm_service_can_help();
}

static int open_as_asked(struct call *c)
{
	unsigned int flags = OPEN_TREE_CLONE | (c->o.flags & IDM_TREE_RECURSIVE ? AT_RECURSIVE : 0);
	AUTO_CLOSE int source = -1;
	int tree;

	if (c->o.flags & IDM_TREE_NOFOLLOW) {
		source = open_tree_source(c->dirfd, c->path, c->o.flags, c->err);
		if (source < 0)
			return source;
		tree = clone_and_set(c, source, "", flags | AT_EMPTY_PATH);
	} else {
		tree = clone_and_set(c, c->dirfd, c->path, flags | (*c->path ? 0 : AT_EMPTY_PATH));
	}
	if (tree == -EPERM && may_ask_service(c))
		return open_by_service(c);
	return tree < 0 ? diagnose_tree(tree, c) : tree;
}

static int set_attributes(struct call *c)
{
	enum idm_propagation propagation = c->o.propagation;

	/*
	 * A clone starts out in its source's peer group: what is mounted below either would appear in
	 * both. So the default is private.
	 */
	if (propagation == IDM_PROPAGATION_DEFAULT)
		propagation = IDM_PROPAGATION_PRIVATE;
	c->attr = (struct mount_attr){
		.attr_set = c->o.attr_set,
		.attr_clr = c->o.attr_clear,
		.propagation = idm_propagation_flag(propagation),
	};
	if (!c->attr.propagation)
		return idm_fail(c->err, -EINVAL, step_tree, NULL, "unknown propagation %d", propagation);
	if (c->userns_fd >= 0) {
		c->attr.attr_set |= MOUNT_ATTR_IDMAP;
		c->attr.userns_fd = (uint64_t)c->userns_fd;
	} else if (c->o.flags & (IDM_TREE_REMAP | IDM_TREE_ON_TOP)) {
		return idm_fail(c->err, -EINVAL, step_tree, NULL, "%s requires a map",
				c->o.flags & IDM_TREE_REMAP ? "IDM_TREE_REMAP" : "IDM_TREE_ON_TOP");
	}
	return 0;
}

int idm_tree_open(int dirfd, const char *path, int userns_fd, const struct idm_tree_options *options,
		  struct idm_error *err)
{
	HOLD_CANCEL;
	struct call c = { .dirfd = dirfd, .path = path, .userns_fd = userns_fd, .err = err };
	int r = copy_tree_options(&c.o, options, err);

	if (r == 0)
		r = idm_check_fd_or_none(userns_fd, step_tree, err, "userns_fd");
	if (r == 0)
		r = set_attributes(&c);
	if (r < 0)
		return r;
	if (!*path && !(c.o.flags & IDM_TREE_EMPTY_PATH))
		return idm_fail_empty(err, step_tree);
	return c.o.flags & IDM_TREE_ON_TOP ? open_on_top(&c) : open_as_asked(&c);
}
