// SPDX-License-Identifier: MIT
/*
 * The kernel's answer names neither the argument at fault nor the fault. So each is tried with a
 * counterpart that is known to be good: the source with a fresh user namespace, the source without a
 * map, the mounts below one by one. What then still fails is at fault.
 */
#include "tree-diag.h"

#include <errno.h>
#include <linux/capability.h>
#include <linux/magic.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "attach-diag.h"
#include "lib/base/error.h"
#include "lib/base/macros.h"
#include "lib/base/mapped-hint.h"
#include "lib/list/mount-place.h"
#include "lib/list/mount-query.h"
#include "lib/sys/capability.h"
#include "lib/sys/fail-errno.h"
#include "lib/sys/file-type.h"
#include "lib/sys/probe.h"
#include "lib/sys/syscall.h"
#include "lib/userns/userns-probe.h"
#include "service-client.h"
#include "service-tree.h"

static const enum idm_error_step step_map = IDM_STEP_MAP_TREE;

struct question {
	int code, source;
	const char *path;
	int userns;
	unsigned int flags; /* IDM_TREE_* */
	struct idm_error *err;
};

static bool is_recursive(const struct question *q)
{
	return q->flags & IDM_TREE_RECURSIVE;
}

/* Always true, so that "it is this one" is one statement. */
static bool fail_map(const struct question *q, const char *reason, ...)
	__attribute__((format(printf, 2, 3)));

static bool fail_map(const struct question *q, const char *reason, ...)
{
	char text[IDM_REASON_SIZE + 1]; /* one more, so that idm_fail() sees and marks a cut */
	va_list args;

	va_start(args, reason);
	vsnprintf(text, sizeof(text), reason, args);
	va_end(args);
	idm_fail(q->err, q->code, step_map, q->path, "%s", text);
	return true;
}

/* ---- the kernel ---- */

/* The kernel says EINVAL to flags that no version knows; a filter does not look at them. */
static int answer_to_nonsense(void)
{
	struct mount_attr none = { 0 };
	int r = idm_sys_open_tree(-1, "", ~0U);

	return r == -EINVAL ? idm_sys_mount_setattr(-1, "", ~0U, &none) : r;
}

static bool calls_are_missing(const struct question *q)
{
	int r = answer_to_nonsense();

	if (r != -ENOSYS && r != -EPERM)
		return false;
	if (r == -ENOSYS && idm_kernel_is_before(5, 12))
		return fail_map(q,
				"ID-mapped mounts are not supported by this kernel (needs Linux 5.12)");
	fail_map(q, "a seccomp filter refuses %s",
		 idm_sys_open_tree(-1, "", ~0U) == r ? "open_tree(2)" : "mount_setattr(2)");
	idm_hint(q->err, "let the container's seccomp profile allow open_tree, open_tree_attr, "
			 "mount_setattr and move_mount");
	return true;
}

/* ---- the descriptor of the map ---- */

static const char *describe_other_file(int fd)
{
	struct statfs fs;
	int type;

	if (idm_sys_fstatfs(fd, &fs) < 0)
		return "is not open";
	if (fs.f_type != NSFS_MAGIC)
		return "is not a user namespace";
	type = idm_sys_ioctl(fd, IDM_NS_GET_NSTYPE, NULL);
	if (type == -EBADF)
		return "is O_PATH";
	return type == CLONE_NEWUSER ? NULL : "is a namespace, but not a user namespace";
}

static bool userns_is_none(const struct question *q)
{
	const char *what = q->userns < 0 ? NULL : describe_other_file(q->userns);

	if (!what)
		return false;
	fail_map(q, "descriptor %d, given as the map, %s", q->userns, what);
	idm_hint(q->err, "a user namespace is opened as /proc/PID/ns/user, with O_RDONLY");
	return true;
}

static bool userns_is_initial(const struct question *q)
{
	if (q->userns < 0 || !idm_is_initial_userns(q->userns))
		return false;
	fail_map(q, "the initial user namespace cannot be used as a map");
	idm_hint(q->err, "the map 0:0:4294967295 keeps all IDs");
	return true;
}

/* "uid map", "gid map", "uid map and no gid map"; NULL if it has both or cannot be read. */
static const char *missing_side(int userns_fd)
{
	const struct idm_entry *entries;
	const char *missing = NULL;
	struct idm_map *map;

	if (idm_map_new(&map) < 0)
		return NULL;
	if (idm_map_add_userns(map, userns_fd, NULL) == 0) {
		bool uid = idm_map_entries(map, IDM_UID, &entries) > 0;
		bool gid = idm_map_entries(map, IDM_GID, &entries) > 0;

		missing = uid && gid ? NULL
			  : uid	     ? "gid map"
			  : gid	     ? "uid map"
				     : "uid map and no gid map";
	}
	idm_map_free(map);
	return missing;
}

/* Another user namespace works in its place. */
static bool diagnose_map(const struct question *q)
{
	const char *missing;

	if (q->code == -EPERM) {
		fail_map(q, "it requires CAP_SYS_ADMIN in the user namespace that is the map");
		idm_hint(q->err, "create it in the caller's own user namespace");
		return true;
	}
	missing = missing_side(q->userns);
	if (missing) {
		fail_map(q, "the user namespace has no %s", missing);
		idm_hint(q->err, "the kernel accepts only a map with both sides (Linux 6.9)");
		return true;
	}
	if (q->code != -EINVAL)
		return false;
	fail_map(q, "the user namespace that mounted the filesystem cannot be the map");
	idm_hint(q->err, "create a user namespace for the map alone");
	return true;
}

/* ---- the source ---- */

static bool source_is_elsewhere(const struct question *q)
{
	enum idm_place place = idm_place_of(q->source);

	fail_map(q, "the source %s", idm_place_text(place));
	if (place == IDM_PLACE_OTHER)
		idm_hint(q->err,
			 "only a process in that mount namespace can copy it: nsenter(1) and setns(2) "
			 "enter it");
	else if (idm_kernel_is_before(6, 15))
		idm_hint(q->err, "a detached tree can be a source from Linux 6.15 on");
	else
		idm_hint(q->err,
			 "it was unmounted, or its mount namespace no longer exists; a detached tree "
			 "can be copied only in the mount namespace where it was made");
	return true;
}

/* All mounts below can be copied, but only idmountd may map this filesystem: it maps one mount. */
static bool requires_service(const struct question *q)
{
	AUTO_CLOSE int whole = q->flags & IDM_TREE_SERVICE && q->userns >= 0
				       ? idm_probe_clone(q->source, q->userns, IDM_TREE_RECURSIVE)
				       : -1;

	return whole == -EPERM && idm_service_can_help();
}

static bool source_is_no_clone(const struct question *q)
{
	AUTO_CLOSE int tree = idm_probe_clone(q->source, -1, q->flags), whole = -1;
	struct idm_mount_props look;

	if (tree >= 0)
		return false;
	if (tree == -EPERM) {
		fail_map(
			q,
			"it requires CAP_SYS_ADMIN in the user namespace that owns the mount namespace");
		idm_hint_privilege(q->err);
		return true;
	}
	if (tree != -EINVAL)
		return false;
	idm_query_mount(q->source, &look);
	if (!look.visible)
		return source_is_elsewhere(q);
	if (look.unbindable) {
		fail_map(q, "the source is on an unbindable mount");
		idm_hint(q->err, "mount --make-private, then try again");
		return true;
	}
	whole = idm_probe_clone(q->source, -1, IDM_TREE_RECURSIVE);
	if (is_recursive(q) || whole < 0)
		return false;
	fail_map(q, "mounts below the source are locked by another user namespace: a copy "
		    "without them would uncover hidden files");
	idm_hint(q->err, requires_service(q) ? IDM_HINT_SINGLE_MOUNT
					     : "map it with all mounts below it (IDM_TREE_RECURSIVE)");
	return true;
}

/* The kernel says EINVAL to flags that no version knows. */
static bool open_tree_attr_is_refused(void)
{
	struct mount_attr none = { 0 };

	return idm_sys_open_tree_attr(-1, "", ~0U, &none) != -EINVAL;
}

/* Of a mount that is attached nowhere only the kernel knows it: a map that may replace another one
 * works. */
static bool takes_another_map(const struct question *q)
{
	AUTO_CLOSE int tree = q->flags & IDM_TREE_REMAP
				      ? -1
				      : idm_probe_clone(q->source, q->userns, IDM_TREE_REMAP);

	return tree >= 0;
}

static bool source_is_mapped(const struct question *q)
{
	struct idm_mount_props look;
	bool refused;

	idm_query_mount(q->source, &look);
	if (q->code != -EPERM || !(look.mapped || takes_another_map(q)))
		return false;
	/* Where it is there, a map is no obstacle for one that may replace it. */
	refused = open_tree_attr_is_refused();
	if (q->flags & IDM_TREE_REMAP && !refused)
		return false;
	fail_map(q, IDM_REASON_MAPPED);
	idm_hint(q->err, !refused ? "IDM_TREE_REMAP replaces its map, IDM_TREE_ON_TOP adds to it"
			 : idm_kernel_is_before(6, 15)
				 ? "replacing a map is not supported by this kernel (needs Linux 6.15)"
				 : "a seccomp filter refuses open_tree_attr(2), which replaces a map");
	return true;
}

/* What is known about filesystems beyond their refusal. */
static const struct {
	const char *type;
	unsigned int major, minor; /* the first kernel where it can */
	const char *hint;
} filesystems[] = {
	{ "overlay", 0, 0, "map its layers instead, and put the overlay together from them" },
	{ "ext2", 0, 0, "mount it with -t ext4: by that name the same driver can" },
	{ "ext3", 0, 0, "mount it with -t ext4: by that name the same driver can" },
	{ "ramfs", 0, 0, "use tmpfs (Linux 6.3)" },
	{ "fuse", 6, 12, "its server must ask for FUSE_ALLOW_IDMAP, with default_permissions" },
	{ "fuseblk", 6, 12, "its server must ask for FUSE_ALLOW_IDMAP, with default_permissions" },
	{ "virtiofs", 6, 12, "its server on the host must offer FUSE_ALLOW_IDMAP" },
	{ "btrfs", 5, 15, NULL },
	{ "erofs", 5, 19, NULL },
	{ "squashfs", 6, 2, NULL },
	{ "tmpfs", 6, 3, NULL },
};

static void hint_filesystem(const struct question *q, const char *type)
{
	size_t length = strcspn(type, "."); /* without the subtype */

	for (size_t i = 0; i < ARRAY_SIZE(filesystems); i++) {
		if (strncmp(type, filesystems[i].type, length) != 0 || filesystems[i].type[length])
			continue;
		if (idm_kernel_is_before(filesystems[i].major, filesystems[i].minor))
			idm_hint(q->err, "mapping %s requires Linux %u.%u", filesystems[i].type,
				 filesystems[i].major, filesystems[i].minor);
		else if (filesystems[i].hint)
			idm_hint(q->err, "%s", filesystems[i].hint);
		return;
	}
	idm_hint(q->err, "ext4, xfs, btrfs, tmpfs, erofs, squashfs and some more can");
}

static void hint_service(const struct question *q)
{
	char start[256];

	idm_service_print_start(start, sizeof(start));
	if (q->flags & IDM_TREE_SERVICE)
		idm_hint(q->err, "idmountd can map it, but is not running at %s; root starts it by %s",
			 idm_service_socket(), start);
	else if (idm_service_has_socket())
		idm_hint(q->err,
			 "this was without idmountd, which may map it and listens at %s; idmount "
			 "mount, overlay and run ask it, IDM_TREE_REMAP and IDM_TREE_ON_TOP do not",
			 idm_service_socket());
	else
		idm_hint(q->err, "this user namespace can map what was mounted in it, such as a tmpfs "
				 "of its own");
}

static bool source_is_not_ours(const struct question *q, const char *type)
{
	if (!idm_has_capability(CAP_SYS_ADMIN)) {
		fail_map(q, "it requires CAP_SYS_ADMIN");
		idm_hint_privilege(q->err);
	} else if (!idm_in_initial_userns()) {
		fail_map(q,
			 "it requires CAP_SYS_ADMIN in the user namespace that mounted the filesystem "
			 "(%s)",
			 type);
		hint_service(q);
	} else {
		fail_map(q, "the kernel does not permit it for the filesystem (%s)", type);
		idm_hint(q->err,
			 "kernels of Enterprise Linux 9 before 5.14.0-334 never permit it; on others "
			 "a security module may be the cause");
	}
	return true;
}

/* It is the devtmpfs with its name that cannot, of which nothing is wanted. */
static bool source_is_block_device(const struct question *q)
{
	mode_t type;

	if (idm_file_type(q->source, &type) < 0 || !S_ISBLK(type))
		return false;
	fail_map(q, "expected a mounted filesystem as source, got a block device");
	idm_hint_block_device(q->err);
	return true;
}

static bool diagnose_source(const struct question *q)
{
	struct idm_mount_props look;

	if (source_is_mapped(q))
		return true;
	idm_query_mount(q->source, &look);
	if (q->code == -EPERM)
		return source_is_not_ours(q, look.fstype);
	if (q->code != -EINVAL)
		return false;
	if (source_is_block_device(q))
		return true;
	fail_map(q, "the filesystem (%s) cannot be ID-mapped", look.fstype);
	hint_filesystem(q, look.fstype);
	return true;
}

/* ---- one of the mounts below ---- */

static bool try_mount_below(int fd, const char *path, void *data)
{
	const struct question *q = data;
	unsigned int flags = q->flags & ~IDM_TREE_RECURSIVE;
	AUTO_CLOSE int tree = idm_probe_clone(fd, q->userns, flags), plain = -1;

	if (tree != q->code)
		return false;
	plain = idm_probe_clone(fd, -1, 0);
	if (plain < 0) /* an unbindable mount below is left out by the kernel, not refused */
		return false;
	idm_diagnose_not_mapped(tree, fd, path, q->userns, flags, q->err);
	return true;
}

static bool diagnose_below(const struct question *q)
{
	AUTO_CLOSE int top = -1;

	if (!is_recursive(q))
		return false;
	top = idm_probe_clone(q->source, q->userns, q->flags & ~IDM_TREE_RECURSIVE);
	if (top < 0)
		return false;
	if (!idm_query_mounts_below(q->source, try_mount_below, (void *)q))
		fail_map(q, "a mount below it, covered by another one, cannot be mapped");
	idm_hint(q->err, IDM_HINT_BELOW "%s: unmount it, or map without the mounts below",
		 q->path ? q->path : "the source");
	return true;
}

/* ---- which of them ---- */

static bool diagnose_cause(const struct question *q)
{
	AUTO_CLOSE int again = -1, other = -1, userns = -1;

	if (calls_are_missing(q) || userns_is_none(q) || userns_is_initial(q) || source_is_no_clone(q))
		return true;
	again = idm_probe_clone(q->source, q->userns, q->flags);
	if (again >= 0)
		return false; /* neither: it is a mount attribute, or has passed */
	userns = idm_probe_userns(NULL);
	if (userns >= 0)
		other = idm_probe_clone(q->source, userns, q->flags);
	if (other >= 0)
		return diagnose_map(q);
	return diagnose_below(q) || diagnose_source(q);
}

static void diagnose_attributes(const struct question *q)
{
	switch (q->code) {
	case -EBUSY:
		fail_map(q, "a file on it is open for writing");
		break;
	case -ELOOP:
		fail_map(q, "it is a symbolic link, or holds a mount of a namespace file");
		break;
	case -EPERM:
		fail_map(q, "a mount attribute is locked by the user namespace that made the mount");
		break;
	case -EINVAL:
		if (!idm_kernel_is_before(5, 14)) {
			idm_fail_errno(q->err, q->code, step_map, q->path);
			break;
		}
		fail_map(q, "one of the mount attributes is not supported by this kernel");
		idm_hint(q->err, "nosymfollow needs Linux 5.14");
		break;
	default:
		idm_fail_errno(q->err, q->code, step_map, q->path);
	}
}

int idm_diagnose_not_mapped(int code, int source_fd, const char *path, int userns_fd, unsigned int flags,
			    struct idm_error *err)
{
	struct question q = { code, source_fd, path, userns_fd, flags, err };
	bool ask = code == -EINVAL || code == -EPERM || code == -EBADF || code == -ENOSYS;

	if (err && !(ask && diagnose_cause(&q)))
		diagnose_attributes(&q);
	return code;
}
