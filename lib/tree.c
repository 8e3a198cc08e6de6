// SPDX-License-Identifier: MIT
/*
 * From a path to a detached, ID-mapped tree. Everything that is asked of it is set here, before anybody
 * can see it. There is no way from here to an unmapped tree for a caller that gave a map.
 */
#include <errno.h>

#include "attach.h"
#include "error.h"
#include "kernel.h"
#include "nofollow.h"
#include "options.h"
#include "tree-why.h"
#include "util.h"

static const char step_tree[] = "open tree";

#define SETTABLE                                                                                 \
	(IDM_ATTR_RDONLY | IDM_ATTR_NOSUID | IDM_ATTR_NODEV | IDM_ATTR_NOEXEC | IDM_ATTR_ATIME | \
	 IDM_ATTR_NODIRATIME | IDM_ATTR_NOSYMFOLLOW)

_Static_assert(IDM_ATTR_RDONLY == MOUNT_ATTR_RDONLY && IDM_ATTR_NOSUID == MOUNT_ATTR_NOSUID &&
		       IDM_ATTR_NODEV == MOUNT_ATTR_NODEV && IDM_ATTR_NOEXEC == MOUNT_ATTR_NOEXEC &&
		       IDM_ATTR_ATIME == MOUNT_ATTR__ATIME && IDM_ATTR_RELATIME == MOUNT_ATTR_RELATIME &&
		       IDM_ATTR_NOATIME == MOUNT_ATTR_NOATIME &&
		       IDM_ATTR_STRICTATIME == MOUNT_ATTR_STRICTATIME &&
		       IDM_ATTR_NODIRATIME == MOUNT_ATTR_NODIRATIME &&
		       IDM_ATTR_IDMAP == MOUNT_ATTR_IDMAP &&
		       IDM_ATTR_NOSYMFOLLOW == MOUNT_ATTR_NOSYMFOLLOW,
	       "our names are the kernel's values");

/* The options as they are used: all there, checked. */
static int take_options(struct idm_tree_options *own, const struct idm_tree_options *options,
			struct idm_error *err)
{
	int r;

	*own = (struct idm_tree_options)IDM_TREE_OPTIONS_INIT;
	r = idm_take_options(own, sizeof(*own), options, step_tree, err);
	if (r < 0)
		return r;
	if (own->flags & ~(IDM_TREE_RECURSIVE | IDM_TREE_NOFOLLOW))
		return idm_fail(err, -EINVAL, step_tree, NULL, "unknown flags 0x%x", own->flags);
	if ((own->attr_set | own->attr_clear) & ~SETTABLE)
		return idm_fail(err, -EINVAL, step_tree, NULL, "unknown attributes 0x%x",
				(own->attr_set | own->attr_clear) & ~SETTABLE);
	if ((own->attr_set & IDM_ATTR_ATIME) == (IDM_ATTR_NOATIME | IDM_ATTR_STRICTATIME) ||
	    (own->attr_set & IDM_ATTR_ATIME & ~(IDM_ATTR_NOATIME | IDM_ATTR_STRICTATIME)))
		return idm_fail(err, -EINVAL, step_tree, NULL, "more than one way to keep access times");
	/* The kernel takes one of these three only together with clearing the field. */
	if (own->attr_set & IDM_ATTR_ATIME)
		own->attr_clear |= IDM_ATTR_ATIME;
	return 0;
}

static int clone_and_set(int dirfd, const char *path, unsigned int flags, struct mount_attr *attr)
{
	AUTO_CLOSE int tree = -1;
	int r;

	/*
	 * Linux 6.15, and the only way to give a new map to a mapped source. EPERM may come from a
	 * filter that does not know the call; if it is meant, the calls below get it as well.
	 */
	r = idm_sys_open_tree_attr(dirfd, path, flags, attr);
	if (r != -ENOSYS && r != -EPERM)
		return r;

	tree = idm_sys_open_tree(dirfd, path, flags);
	if (tree < 0)
		return tree;
	r = idm_sys_mount_setattr(tree, "", AT_EMPTY_PATH | (flags & AT_RECURSIVE), attr);
	return r < 0 ? r : idm_take_fd(&tree);
}

/* Opens the source by itself: to refuse a symbolic link, or to look why it cannot be cloned. */
static int open_source(int dirfd, const char *path, unsigned int flags, struct idm_error *err)
{
	bool nofollow = flags & IDM_TREE_NOFOLLOW;
	struct stat st;
	AUTO_CLOSE int fd = -1;
	int r;

	fd = !*path	? idm_sys_dup(dirfd)
	     : nofollow ? idm_open_nofollow(dirfd, path, O_PATH, 0)
			: idm_sys_openat(dirfd, path, O_PATH, 0);
	if (fd < 0)
		return idm_fail(err, fd, step_tree, path,
				fd == -ELOOP && nofollow ? idm_why_loop(path) : NULL);
	r = nofollow ? idm_sys_fstatat(fd, "", &st, AT_EMPTY_PATH) : 0;
	if (r < 0)
		return idm_fail(err, r, step_tree, path, NULL);
	if (nofollow && S_ISLNK(st.st_mode))
		return idm_fail(err, -ELOOP, step_tree, path, "the source is a symbolic link");
	return idm_take_fd(&fd);
}

static int explain(int code, int dirfd, const char *path, int userns_fd,
		   const struct idm_tree_options *o, struct idm_error *err)
{
	AUTO_CLOSE int source = -1;

	if (!err)
		return code;
	source = open_source(dirfd, path, o->flags, NULL);
	if (source < 0) /* what it was stays what it was */
		return idm_fail(err, code, step_tree, path, NULL);
	return idm_why_not_mapped(code, source, path, userns_fd, o->flags & IDM_TREE_RECURSIVE, err);
}

int idm_tree_open(int dirfd, const char *path, int userns_fd, const struct idm_tree_options *options,
		  struct idm_error *err)
{
	AUTO_CLOSE int source = -1;
	struct idm_tree_options o;
	struct mount_attr attr = { 0 };
	unsigned int flags = OPEN_TREE_CLONE;
	int r = take_options(&o, options, err);

	if (r < 0)
		return r;
	attr.attr_set = o.attr_set;
	attr.attr_clr = o.attr_clear;
	/*
	 * A clone starts out in its source's peer group: what is mounted below either would appear in
	 * both. Nobody wants that unasked.
	 */
	if (o.propagation == IDM_PROPAGATION_DEFAULT)
		o.propagation = IDM_PROPAGATION_PRIVATE;
	attr.propagation = idm_propagation_flag(o.propagation);
	if (!attr.propagation)
		return idm_fail(err, -EINVAL, step_tree, NULL, "unknown propagation %d", o.propagation);
	if (userns_fd >= 0) {
		attr.attr_set |= MOUNT_ATTR_IDMAP;
		attr.userns_fd = (uint64_t)userns_fd;
	}
	if (o.flags & IDM_TREE_RECURSIVE)
		flags |= AT_RECURSIVE;
	if (o.flags & IDM_TREE_NOFOLLOW) {
		source = open_source(dirfd, path, o.flags, err);
		if (source < 0)
			return source;
		r = clone_and_set(source, "", flags | AT_EMPTY_PATH, &attr);
	} else {
		r = clone_and_set(dirfd, path, flags | (*path ? 0 : AT_EMPTY_PATH), &attr);
	}
	return r < 0 ? explain(r, dirfd, path, userns_fd, &o, err) : r;
}
