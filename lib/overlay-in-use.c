// SPDX-License-Identifier: MIT
/*
 * Two overlays on one upper directory damage each other. The kernel refuses the second one only with
 * index=on; else it writes a warning into its log. So we look for the first one ourselves, among the
 * overlays of this mount namespace, and compare directories, not their names.
 */
#include <errno.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>

#include "error.h"
#include "kernel.h"
#include "overlay.h"
#include "util.h"

/* ---- one overlay's options ---- */

/* "\040" and "\," are a blank and a comma. */
static void unescape(char *s)
{
	char *to = s;

	for (; *s; s++) {
		if (s[0] == '\\' && s[1] >= '0' && s[1] <= '3' && s[2] && s[3]) {
			*to++ = (char)((s[1] - '0') << 6 | (s[2] - '0') << 3 | (s[3] - '0'));
			s += 3;
		} else if (s[0] == '\\' && s[1]) {
			*to++ = *++s;
		} else {
			*to++ = *s;
		}
	}
	*to = '\0';
}

/* Cuts the next option off, up to a comma that is not escaped. */
static char *next_option(char **rest)
{
	char *option = *rest, *p = option;

	if (!*p)
		return NULL;
	while (*p && *p != ',')
		p += p[0] == '\\' && p[1] ? 2 : 1;
	*rest = *p ? p + 1 : p;
	*p = '\0';
	return option;
}

/*
 * Whether a path among an overlay's options names the layer: by its place, or, for an overlay that was
 * put together in a namespace that is gone, by the name that we gave it there.
 */
static bool names(const char *path, const struct idm_layer *layer)
{
	struct idm_layer_name name;
	struct statx st;

	idm_layer_name(layer, &name);
	if (strcmp(path, name.text) == 0)
		return true;
	return *path == '/' && idm_sys_statx(AT_FDCWD, path, AT_STATX_DONT_SYNC, STATX_INO, &st) == 0 &&
	       st.stx_ino == layer->inode && st.stx_dev_major == layer->device_major &&
	       st.stx_dev_minor == layer->device_minor;
}

struct question {
	const struct idm_layer *upper, *work;
	const struct idm_layer *found; /* the one in use */
};

/* Looks for our directories among the options of an overlay. */
static void ask_options(struct question *q, char *options)
{
	char *option;

	while (!q->found && (option = next_option(&options))) {
		char *path = strncmp(option, "upperdir=", 9) == 0  ? option + 9
			     : strncmp(option, "workdir=", 8) == 0 ? option + 8
								   : NULL;

		if (!path)
			continue;
		unescape(path);
		if (names(path, q->upper))
			q->found = q->upper;
		else if (names(path, q->work))
			q->found = q->work;
	}
}

/* ---- by file handle ---- */

/* What overlayfs makes of a file handle: struct ovl_fh. The real one is at its end. */
struct overlay_handle {
	unsigned char padding[3];
	unsigned char version, magic, length, flags, type;
	unsigned char uuid[16];
	unsigned char real[];
};
#define OVERLAY_HANDLE_MAGIC 0xfb

union handle {
	struct file_handle header;
	char room[sizeof(struct file_handle) + MAX_HANDLE_SZ];
};

static bool get_handle(int dirfd, const char *path, union handle *h)
{
	h->header.handle_bytes = MAX_HANDLE_SZ;
	return idm_sys_name_to_handle(dirfd, path, &h->header, AT_EMPTY_PATH | AT_HANDLE_FID) == 0;
}

/*
 * The path of an upper directory behind a detached copy begins at the copy's root and leads nowhere. But
 * the handle of an overlay's root directory holds that of its upper directory (Linux 6.6).
 */
static void ask_handle(struct question *q, const char *mount_point)
{
	const struct idm_path *path = &q->upper->path;
	union handle overlay, upper;
	const struct overlay_handle *o = (const void *)overlay.header.f_handle;
	size_t n;

	if (q->found || !get_handle(AT_FDCWD, mount_point, &overlay) ||
	    overlay.header.handle_bytes < sizeof(*o) || o->magic != OVERLAY_HANDLE_MAGIC ||
	    !get_handle(path->dirfd, path->path, &upper))
		return;
	n = upper.header.handle_bytes;
	if (o->type == upper.header.handle_type && n <= overlay.header.handle_bytes - sizeof(*o) &&
	    memcmp(o->real, upper.header.f_handle, n) == 0)
		q->found = q->upper;
}

/* ---- all overlays: Linux 6.11 ---- */

static int ask_mount(struct question *q, uint64_t id, struct idm_statmount **buf, size_t *size)
{
	struct idm_mnt_id_req req = { .size = IDM_MNT_ID_REQ_SIZE_VER0, .mnt_id = id };
	int r;

	req.param = IDM_STATMOUNT_SB_BASIC;
	r = idm_sys_statmount(&req, *buf, *size);
	if (r < 0 || (*buf)->sb_magic != OVERLAYFS_SUPER_MAGIC)
		return r == -ENOENT ? 0 : r; /* gone meanwhile */
	req.param = IDM_STATMOUNT_MNT_OPTS | IDM_STATMOUNT_MNT_POINT;
	while ((r = idm_sys_statmount(&req, *buf, *size)) == -EOVERFLOW) {
		struct idm_statmount *more = realloc(*buf, 4 * *size);

		if (!more)
			return -ENOMEM;
		*buf = more;
		*size *= 4;
	}
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	if (!((*buf)->mask & IDM_STATMOUNT_MNT_OPTS))
		return -EOPNOTSUPP;
	ask_options(q, (*buf)->str + (*buf)->mnt_opts);
	ask_handle(q, (*buf)->str + (*buf)->mnt_point);
	return 0;
}

static int ask_statmount(struct question *q)
{
	struct idm_mnt_id_req req = { .size = IDM_MNT_ID_REQ_SIZE_VER0, .mnt_id = IDM_LSMT_ROOT };
	size_t size = sizeof(struct idm_statmount) + 4096;
	AUTO_FREE struct idm_statmount *buf = malloc(size);
	uint64_t ids[256];
	ssize_t n = ARRAY_SIZE(ids);
	int r = buf ? 0 : -ENOMEM;

	while (r == 0 && n == ARRAY_SIZE(ids) && !q->found) {
		n = idm_sys_listmount(&req, ids, ARRAY_SIZE(ids));
		r = n < 0 ? (int)n : 0;
		for (ssize_t i = 0; i < n && r == 0 && !q->found; i++) {
			r = ask_mount(q, ids[i], &buf, &size);
			req.param = ids[i];
		}
	}
	return r;
}

/* ---- before: the options are at the end of a line of mountinfo ---- */

static int ask_mountinfo(struct question *q)
{
	AUTO_FREE char *line = NULL;
	size_t room = 0;
	FILE *f = fopen("/proc/thread-self/mountinfo", "re");

	if (!f)
		return -ENOENT;
	while (!q->found && getline(&line, &room, f) > 0) {
		char *type = strstr(line, " - overlay ");
		char *options = type ? strrchr(type, ' ') : NULL;

		line[strcspn(line, "\n")] = '\0';
		if (options)
			ask_options(q, options + 1);
	}
	fclose(f);
	return 0;
}

int idm_overlay_in_use(const struct idm_overlay *o, const struct idm_layers *layers,
		       struct idm_error *err)
{
	struct question q = { 0 };
	int r;

	if (!o->upper)
		return 0;
	q.upper = &layers->v[layers->n - 2];
	q.work = &layers->v[layers->n - 1];
	r = ask_statmount(&q);
	if (r == -ENOSYS || r == -EPERM || r == -EOPNOTSUPP)
		r = ask_mountinfo(&q);
	if (r < 0)
		return idm_fail(err, r, "look for overlays", NULL, NULL);
	if (!q.found)
		return 0;
	idm_fail(err, -EBUSY, "open overlay", q.found->path.path,
		 "it is in use as the upper or work directory of another overlay");
	idm_hint(err,
		 "two overlays on one upper directory damage each other: unmount the other one, or take "
		 "directories of its own for this one");
	return -EBUSY;
}
