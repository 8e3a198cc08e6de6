// SPDX-License-Identifier: MIT
/* By statmount(2), before Linux 6.8 by /proc/thread-self/mountinfo. */
#include "mount-query.h"

#include <errno.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>

#include "internal.h"
#include "lib/base/macros.h"
#include "lib/sys/syscall.h"

#ifndef MS_UNBINDABLE
#define MS_UNBINDABLE (1U << 17) /* <sys/mount.h> */
#endif

/* ---- by statmount ---- */

static bool query_by_statmount(int fd, struct idm_mount_props *props)
{
	union {
		struct idm_statmount mount;
		char bytes[6144]; /* the subtype is what its mounter wrote, up to 4095 bytes */
	} buf;
	const struct idm_statmount *m = &buf.mount;
	struct idm_mnt_id_req req = { .size = IDM_MNT_ID_REQ_SIZE_VER0 };
	const char *subtype = "";
	bool unique;

	if (idm_mount_id(fd, "", &req.mnt_id, &unique) < 0 || !unique)
		return false;
	req.param = IDM_STATMOUNT_MNT_BASIC | IDM_STATMOUNT_FS_TYPE | IDM_STATMOUNT_FS_SUBTYPE;
	if (idm_sys_statmount(&req, &buf.mount, sizeof(buf)) < 0 || !(m->mask & IDM_STATMOUNT_FS_TYPE))
		return false;
	props->visible = true;
	props->mapped = m->mnt_attr & MOUNT_ATTR_IDMAP;
	props->rdonly = m->mnt_attr & MOUNT_ATTR_RDONLY;
	props->unbindable = m->mnt_propagation & MS_UNBINDABLE;
	if (m->mask & IDM_STATMOUNT_FS_SUBTYPE)
		subtype = m->str + m->fs_subtype;
	snprintf(props->fstype, sizeof(props->fstype), "%s%s%s", m->str + m->fs_type,
		 *subtype ? "." : "", subtype);
	return true;
}

/* ---- by mountinfo ---- */

static int copy_mount_props(const struct idm_mount_info *mount, void *data)
{
	struct idm_mount_props *props = data;

	props->visible = true;
	props->mapped = mount->attr & IDM_ATTR_IDMAP;
	props->rdonly = mount->attr & IDM_ATTR_RDONLY;
	props->unbindable = mount->propagation == IDM_PROPAGATION_UNBINDABLE;
	snprintf(props->fstype, sizeof(props->fstype), "%s", mount->fstype);
	return 1;
}

static bool query_by_mountinfo(int fd, struct idm_mount_props *props)
{
	const struct idm_lister lister = { .each = copy_mount_props, .data = props };
	const struct idm_mount_ns own = { 0 };
	uint64_t id;

	return idm_short_mount_id(fd, &id) == 0 && idm_mountinfo_one(&lister, &own, (uint32_t)id) > 0;
}

/* ---- by statfs: for a mount that is not in the caller's namespace ---- */

static const struct {
	unsigned long magic;
	const char *name;
} names[] = {
	{ EXT4_SUPER_MAGIC, "ext4" },
	{ XFS_SUPER_MAGIC, "xfs" },
	{ BTRFS_SUPER_MAGIC, "btrfs" },
	{ TMPFS_MAGIC, "tmpfs" },
	{ OVERLAYFS_SUPER_MAGIC, "overlay" },
	{ RAMFS_MAGIC, "ramfs" },
	{ PROC_SUPER_MAGIC, "proc" },
	{ SYSFS_MAGIC, "sysfs" },
	{ NSFS_MAGIC, "nsfs" },
	{ FUSE_SUPER_MAGIC, "fuse" },
	{ NFS_SUPER_MAGIC, "nfs" },
	{ SQUASHFS_MAGIC, "squashfs" },
};

static void name_by_magic(int fd, struct idm_mount_props *props)
{
	struct statfs fs;

	if (idm_sys_fstatfs(fd, &fs) < 0)
		return;
	snprintf(props->fstype, sizeof(props->fstype), "0x%lx", (unsigned long)fs.f_type);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (names[i].magic == (unsigned long)fs.f_type)
			snprintf(props->fstype, sizeof(props->fstype), "%s", names[i].name);
}

void idm_query_mount(int fd, struct idm_mount_props *props)
{
	bool told;

	memset(props, 0, sizeof(*props));
	told = query_by_statmount(fd, props);
	/* Subtypes, which only FUSE has, are not in statmount before Linux 6.13. */
	if (!told || strcmp(props->fstype, "fuse") == 0 || strcmp(props->fstype, "fuseblk") == 0)
		told |= query_by_mountinfo(fd, props);
	if (!told)
		name_by_magic(fd, props);
}

/* ---- what is mounted below ---- */

struct below {
	int fd;
	char base[PATH_MAX];
	size_t length;
	bool (*each)(int mount_fd, const char *path, void *data);
	void *data;
};

static int visit_listed_mount(const struct idm_mount_info *mount, void *data)
{
	const struct below *b = data;
	const char *rest = mount->target + b->length;
	AUTO_CLOSE int fd = -1;
	uint64_t id;

	if (strncmp(mount->target, b->base, b->length) != 0 || *rest != '/' || !rest[1])
		return 0;
	fd = idm_sys_openat(b->fd, rest + 1, O_PATH | O_NOFOLLOW, 0);
	if (fd < 0 || idm_short_mount_id(fd, &id) < 0 || id != mount->id)
		return 0;
	return b->each(fd, mount->target, b->data);
}

/* The kernel's path of what is at `fd`, into b->base. */
static bool find_base(struct below *b, int fd)
{
	char link[64];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/thread-self/fd/%d", fd);
	n = idm_sys_readlinkat(AT_FDCWD, link, b->base, sizeof(b->base) - 1);
	if (n <= 0)
		return false;
	b->base[n] = '\0';
	b->length = n == 1 ? 0 : (size_t)n; /* "/" is the prefix of every path */
	return true;
}

bool idm_query_mounts_below(int fd, bool (*each)(int mount_fd, const char *path, void *data), void *data)
{
	struct below b = { .fd = fd, .each = each, .data = data };
	const struct idm_lister lister = { .flags = IDM_LIST_UNMAPPED,
					   .each = visit_listed_mount,
					   .data = &b };
	const struct idm_mount_ns own = { 0 };

	return find_base(&b, fd) && idm_mountinfo_list(&lister, &own, -1) > 0;
}

/* ---- whether there is one, also one that others cover ---- */

struct children {
	struct below below;
	uint64_t parent;
	bool visible;
};

/* A mount without a target cannot be reached from the root: where it is cannot be known. */
static int visit_child_mount(const struct idm_mount_info *mount, void *data)
{
	struct children *c = data;
	const char *rest = mount->target + c->below.length;

	c->visible |= mount->id == c->parent;
	if (mount->parent_id != c->parent || mount->id == c->parent)
		return 0;
	return !*mount->target ||
	       (strncmp(mount->target, c->below.base, c->below.length) == 0 && (*rest == '/' || !*rest));
}

int idm_has_mounts_below(int fd)
{
	struct children c = { 0 };
	const struct idm_lister lister = { .flags = IDM_LIST_UNMAPPED,
					   .each = visit_child_mount,
					   .data = &c };
	const struct idm_mount_ns own = { 0 };
	int r;

	if (!find_base(&c.below, fd) || idm_short_mount_id(fd, &c.parent) < 0)
		return -ENODATA;
	r = idm_mountinfo_list(&lister, &own, -1);
	return r < 0 || (r == 0 && !c.visible) ? -ENODATA : r;
}
