// SPDX-License-Identifier: MIT
/* By statmount(2), before Linux 6.8 by /proc/thread-self/mountinfo. */
#include "mount-look.h"

#include <errno.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernel.h"
#include "util.h"

#ifndef MS_UNBINDABLE
#define MS_UNBINDABLE (1U << 17) /* <sys/mount.h> */
#endif

/* ---- by statmount ---- */

static bool look_by_statmount(int fd, struct idm_look *look)
{
	union {
		struct idm_statmount mount;
		char room[8192]; /* the subtype is what its mounter wrote, up to 4095 bytes */
	} buf;
	const struct idm_statmount *m = &buf.mount;
	struct idm_mnt_id_req req = { .size = IDM_MNT_ID_REQ_SIZE_VER0 };
	const char *subtype = "";
	struct statx st;

	if (idm_sys_statx(fd, "", AT_EMPTY_PATH, STATX_MNT_ID_UNIQUE, &st) < 0 ||
	    !(st.stx_mask & STATX_MNT_ID_UNIQUE))
		return false;
	req.mnt_id = st.stx_mnt_id;
	req.param = IDM_STATMOUNT_MNT_BASIC | IDM_STATMOUNT_FS_TYPE | IDM_STATMOUNT_FS_SUBTYPE;
	if (idm_sys_statmount(&req, &buf.mount, sizeof(buf)) < 0 || !(m->mask & IDM_STATMOUNT_FS_TYPE))
		return false;
	look->visible = true;
	look->mapped = m->mnt_attr & MOUNT_ATTR_IDMAP;
	look->rdonly = m->mnt_attr & MOUNT_ATTR_RDONLY;
	look->unbindable = m->mnt_propagation & MS_UNBINDABLE;
	if (m->mask & IDM_STATMOUNT_FS_SUBTYPE)
		subtype = m->str + m->fs_subtype;
	snprintf(look->fstype, sizeof(look->fstype), "%s%s%s", m->str + m->fs_type, *subtype ? "." : "",
		 subtype);
	return true;
}

/* ---- by mountinfo ---- */

struct row {
	unsigned int id;
	char *point;
	bool mapped, rdonly, unbindable;
	const char *fstype;
};

/* mountinfo writes blanks, line ends and backslashes as three octal digits. */
static void unescape(char *s)
{
	char *to = s;

	for (; *s; s++) {
		if (s[0] == '\\' && s[1] && s[2] && s[3]) {
			*to++ = (char)((s[1] - '0') << 6 | (s[2] - '0') << 3 | (s[3] - '0'));
			s += 3;
		} else {
			*to++ = *s;
		}
	}
	*to = '\0';
}

/* ID PARENT DEV ROOT POINT OPTIONS [OPTIONAL...] - TYPE SOURCE OPTIONS */
static bool parse_row(char *line, struct row *row)
{
	char *rest, *field;

	*row = (struct row){ .id = (unsigned int)strtoul(line, NULL, 10) };
	field = strtok_r(line, " \n", &rest);
	for (int i = 0; field && i < 4; i++)
		field = strtok_r(NULL, " \n", &rest);
	row->point = field;
	while ((field = strtok_r(NULL, " \n", &rest)) && strcmp(field, "-") != 0) {
		row->unbindable |= strcmp(field, "unbindable") == 0;
		row->rdonly |= strcmp(field, "ro") == 0 || strncmp(field, "ro,", 3) == 0;
		row->mapped |= strstr(field, ",idmapped") != NULL;
	}
	row->fstype = strtok_r(NULL, " \n", &rest);
	if (!row->point || !row->fstype)
		return false;
	unescape(row->point);
	return true;
}

/* Calls `each` for the rows until it returns true. */
static bool each_row(bool (*each)(const struct row *row, void *data), void *data)
{
	FILE *f = fopen("/proc/thread-self/mountinfo", "re");
	bool found = false;
	char *line = NULL;
	size_t size = 0;
	struct row row;

	while (f && !found && getline(&line, &size, f) > 0)
		found = parse_row(line, &row) && each(&row, data);
	free(line);
	if (f)
		fclose(f);
	return found;
}

static bool short_mount_id(int fd, unsigned int *id)
{
	struct statx st;

	if (idm_sys_statx(fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &st) < 0 || !(st.stx_mask & STATX_MNT_ID))
		return false;
	*id = (unsigned int)st.stx_mnt_id;
	return true;
}

struct wanted {
	unsigned int id;
	struct idm_look *look;
};

static bool take_row(const struct row *row, void *data)
{
	const struct wanted *w = data;

	if (row->id != w->id)
		return false;
	w->look->visible = true;
	w->look->mapped = row->mapped;
	w->look->rdonly = row->rdonly;
	w->look->unbindable = row->unbindable;
	snprintf(w->look->fstype, sizeof(w->look->fstype), "%s", row->fstype);
	return true;
}

static bool look_by_mountinfo(int fd, struct idm_look *look)
{
	struct wanted w = { .look = look };

	return short_mount_id(fd, &w.id) && each_row(take_row, &w);
}

/* ---- by statfs: for a mount that is not in our namespace ---- */

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

static void name_by_magic(int fd, struct idm_look *look)
{
	struct statfs fs;

	if (idm_sys_fstatfs(fd, &fs) < 0)
		return;
	snprintf(look->fstype, sizeof(look->fstype), "0x%lx", (unsigned long)fs.f_type);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (names[i].magic == (unsigned long)fs.f_type)
			snprintf(look->fstype, sizeof(look->fstype), "%s", names[i].name);
}

void idm_look(int fd, struct idm_look *look)
{
	bool told;

	memset(look, 0, sizeof(*look));
	told = look_by_statmount(fd, look);
	/* Subtypes, which only FUSE has, are not in statmount before Linux 6.13. */
	if (!told || strcmp(look->fstype, "fuse") == 0 || strcmp(look->fstype, "fuseblk") == 0)
		told |= look_by_mountinfo(fd, look);
	if (!told)
		name_by_magic(fd, look);
}

/* ---- what is mounted below ---- */

struct below {
	int fd;
	char base[PATH_MAX];
	size_t length;
	bool (*each)(int mount_fd, const char *path, void *data);
	void *data;
};

static bool visit_row(const struct row *row, void *data)
{
	const struct below *b = data;
	const char *rest = row->point + b->length;
	AUTO_CLOSE int fd = -1;
	unsigned int id;

	if (strncmp(row->point, b->base, b->length) != 0 || *rest != '/' || !rest[1])
		return false;
	fd = idm_sys_openat(b->fd, rest + 1, O_PATH | O_NOFOLLOW, 0);
	if (fd < 0 || !short_mount_id(fd, &id) || id != row->id)
		return false;
	return b->each(fd, row->point, b->data);
}

bool idm_look_below(int fd, bool (*each)(int mount_fd, const char *path, void *data), void *data)
{
	struct below b = { .fd = fd, .each = each, .data = data };
	char link[64];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/thread-self/fd/%d", fd);
	n = idm_sys_readlinkat(AT_FDCWD, link, b.base, sizeof(b.base) - 1);
	if (n <= 0)
		return false;
	b.base[n] = '\0';
	b.length = n == 1 ? 0 : (size_t)n; /* "/" is the prefix of every path */
	return each_row(visit_row, &b);
}
