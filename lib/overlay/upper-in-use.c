// SPDX-License-Identifier: MIT
/*
 * Two overlays on one upper directory damage each other. The kernel rejects the second one only with
 * index=on. Otherwise it writes a warning into its log. So the library searches for the first one. It
 * searches the overlays of this mount namespace, and since Linux 6.12 those of all other visible
 * namespaces. It compares directories by inode. It does not find an overlay that is not attached, or
 * one with relative paths that another mount covers. With a cache it asks for overlays and new mounts
 * only (upper-cache.c).
 */
#include <errno.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>

#include "internal.h"
#include "lib/base/array.h"
#include "lib/base/error.h"
#include "lib/base/macros.h"
#include "lib/base/unescape.h"
#include "lib/sys/fail-errno.h"
#include "lib/sys/syscall.h"

/* ---- one overlay's options ---- */

/* Replaces escapes: "\040" is a blank, and "\," is a comma. */
static void unescape_option(char *s)
{
	char *to = s;

	while (*s) {
		int byte = idm_escaped_byte(s);

		if (byte < 0 && *s == '\\' && s[1])
			s++;
		*to++ = byte < 0 ? *s : (char)byte;
		s += byte < 0 ? 1 : 4;
	}
	*to = '\0';
}

/* Cuts the next option off, up to a comma that is not escaped. */
static char *cut_option(char **rest)
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

union handle {
	struct file_handle header;
	char space[sizeof(struct file_handle) + MAX_HANDLE_SZ];
};

struct question {
	const struct idm_layer *upper, *work;
	/* Their handles, or empty. From another namespace their paths may lead elsewhere. */
	union handle upper_handle, work_handle;
	const char *base;	       /* the start of a path onto their mount, see idm_layer_base() */
	const struct idm_layer *found; /* the one in use */
	bool elsewhere;		       /* this is another mount namespace */
	/* Overlays whose directories are known. */
	struct device *known;
	size_t n_known;
	struct idm_upper_cache *cache; /* NULL: none */
	struct idm_plain_mounts plain;
};

struct device {
	uint32_t major, minor;
};

/* The directories in the options of an overlay. NULL: the options do not name it. */
struct answer {
	char *upper, *work;
};

static struct answer parse_directories(char *options)
{
	struct answer a = { 0 };
	char *option;

	while ((option = cut_option(&options))) {
		if (strncmp(option, "upperdir=", 9) == 0)
			a.upper = option + 9;
		else if (strncmp(option, "workdir=", 8) == 0)
			a.work = option + 8;
	}
	if (a.upper)
		unescape_option(a.upper);
	if (a.work)
		unescape_option(a.work);
	return a;
}

/* ---- by name: the overlay was created in a namespace that no longer exists ---- */

/* Ignores the key: another overlay may use this upper directory as work directory. */
static bool matches_name(const char *name, const struct idm_layer *layer)
{
	struct idm_layer_name own;

	idm_layer_name(layer, &own);
	return strcmp(strchr(name, '-'), strchr(own.text, '-')) == 0;
}

static bool is_layer_name(const char *text)
{
	return strncmp(text, "upperdir-", 9) == 0 || strncmp(text, "workdir-", 8) == 0;
}

static void ask_name(struct question *q, const char *name)
{
	if (!q->found && matches_name(name, q->upper))
		q->found = q->upper;
	else if (!q->found && matches_name(name, q->work))
		q->found = q->work;
}

/* ---- by path ---- */

static bool is_layer(const struct statx *st, const struct idm_layer *layer)
{
	return st->stx_ino == layer->inode && st->stx_dev_major == layer->device_major &&
	       st->stx_dev_minor == layer->device_minor;
}

/*
 * In another namespace a path may lead to a filesystem that never answers. The directories that an
 * overlay uses are in the kernel's cache, so it finds them without asking the filesystem.
 */
static int stat_directory(const struct question *q, int dirfd, const char *path, struct statx *st)
{
	const unsigned int mask = STATX_TYPE | STATX_INO;
	AUTO_CLOSE int fd = -1;

	if (!q->elsewhere)
		return idm_sys_statx(dirfd, path, AT_STATX_DONT_SYNC, mask, st);
	fd = idm_sys_openat2(dirfd, path, O_PATH, 0, RESOLVE_CACHED);
	return fd < 0 ? fd : idm_sys_statx(fd, "", AT_STATX_DONT_SYNC | AT_EMPTY_PATH, mask, st);
}

/* Compares one directory with the layers. Returns whether it exists. */
static bool ask_directory(struct question *q, int dirfd, const char *base, const char *path)
{
	char whole[PATH_MAX];
	struct statx st;

	if (*path != '/' ||
	    (size_t)snprintf(whole, sizeof(whole), "%s%s", base, path) >= sizeof(whole) ||
	    stat_directory(q, dirfd, whole, &st) < 0)
		return false;
	if (!q->found && is_layer(&st, q->upper))
		q->found = q->upper;
	else if (!q->found && is_layer(&st, q->work))
		q->found = q->work;
	return S_ISDIR(st.stx_mode);
}

static bool ask_directories(struct question *q, int dirfd, const char *base, const struct answer *a)
{
	bool upper = ask_directory(q, dirfd, base, a->upper);

	return ask_directory(q, dirfd, base, a->work) && upper;
}

/*
 * Returns whether the options identify the directories of an overlay. If one is the wanted layer, sets
 * q->found. Paths through a detached copy begin at the copy's root, if possible the root of the mount.
 */
static bool ask_options(struct question *q, char *options)
{
	struct answer a = parse_directories(options);

	if (!a.upper || !a.work)
		return true; /* it has none */
	if (is_layer_name(a.upper) && is_layer_name(a.work)) {
		ask_name(q, a.upper);
		ask_name(q, a.work);
		return true;
	}
	/* A path of another namespace does not begin at the layers' mount. */
	return ask_directories(q, AT_FDCWD, "", &a) ||
	       (!q->elsewhere && ask_directories(q, q->upper->path.dirfd, q->base, &a)) || q->found;
}

/* ---- by file handle ---- */

/* The file handle of overlayfs, struct ovl_fh. The handle of the real file is at its end. */
struct overlay_handle {
	unsigned char padding[3];
	unsigned char version, magic, length, flags, type;
	unsigned char uuid[16];
	unsigned char real[];
};
#define OVERLAY_HANDLE_MAGIC 0xfb

static bool get_handle(int dirfd, const char *path, union handle *h)
{
	h->header.handle_bytes = MAX_HANDLE_SZ;
	return idm_sys_name_to_handle(dirfd, path, &h->header, AT_EMPTY_PATH | AT_HANDLE_FID) == 0;
}

static void get_layer_handle(const struct idm_layer *layer, union handle *h)
{
	if (!get_handle(layer->path.dirfd, layer->path.path, h))
		h->header.handle_bytes = 0;
}

static bool holds_handle(const union handle *overlay, const union handle *h)
{
	const struct overlay_handle *o = (const void *)overlay->header.f_handle;

	return h->header.handle_bytes && o->type == h->header.handle_type &&
	       h->header.handle_bytes <= overlay->header.handle_bytes - sizeof(*o) &&
	       memcmp(o->real, h->header.f_handle, h->header.handle_bytes) == 0;
}

/*
 * For paths that do not exist: the handle of an overlay's root directory contains that of its upper
 * directory (Linux 6.6). It is only for these, because for a moment the mount is in use. An unmount at
 * that moment fails with EBUSY.
 */
static void ask_handle(struct question *q, const char *mount_point)
{
	union handle overlay;
	const struct overlay_handle *o = (const void *)overlay.header.f_handle;
	AUTO_CLOSE int fd = -1;

	fd = idm_sys_openat2(AT_FDCWD, mount_point, O_PATH, 0, q->elsewhere ? RESOLVE_CACHED : 0);
	if (fd < 0 || !get_handle(fd, "", &overlay) || overlay.header.handle_bytes < sizeof(*o) ||
	    o->magic != OVERLAY_HANDLE_MAGIC)
		return;
	if (holds_handle(&overlay, &q->upper_handle))
		q->found = q->upper;
	else if (holds_handle(&overlay, &q->work_handle))
		q->found = q->work;
}

/* ---- all overlays: Linux 6.11 ---- */

static bool is_known(uint32_t major, uint32_t minor, void *data)
{
	const struct question *q = data;

	for (size_t i = 0; i < q->n_known; i++)
		if (q->known[i].major == major && q->known[i].minor == minor)
			return true;
	return false;
}

/* Without memory, the overlay is examined again. */
static void add_known(struct question *q, struct device device)
{
	struct device *new = idm_array_append(&q->known, &q->n_known, sizeof(device));

	if (new)
		*new = device;
}

static int ask_mount(struct question *q, uint64_t id, struct idm_statmount **buf, size_t *size)
{
	struct device device;
	struct idm_mnt_id_req req = { .size = IDM_MNT_ID_REQ_SIZE_VER0, .mnt_id = id };
	int r;

	if (idm_plain_mounts_find(&q->plain, id))
		return 0;
	req.param = IDM_STATMOUNT_SB_BASIC;
	r = idm_sys_statmount(&req, *buf, *size);
	if (r < 0)
		return r == -ENOENT ? 0 : r; /* already unmounted */
	if ((*buf)->sb_magic != OVERLAYFS_SUPER_MAGIC) {
		idm_plain_mounts_add(&q->plain, id);
		return 0;
	}
	device = (struct device){ (*buf)->sb_dev_major, (*buf)->sb_dev_minor };
	if (is_known(device.major, device.minor, q))
		return 0;
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
	if (ask_options(q, (*buf)->str + (*buf)->mnt_opts))
		add_known(q, device);
	else
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

/* ---- before Linux 6.11: the options are at the end of a line of mountinfo ---- */

static int ask_mountinfo(struct question *q)
{
	AUTO_FREE char *line = NULL;
	size_t size = 0;
	FILE *f = fopen("/proc/thread-self/mountinfo", "re");
	int r;

	if (!f)
		return -ENOENT;
	while (!q->found && getline(&line, &size, f) > 0) {
		char *type = strstr(line, " - overlay ");
		char *options = type ? strrchr(type, ' ') : NULL;

		line[strcspn(line, "\n")] = '\0';
		if (options)
			ask_options(q, options + 1);
	}
	r = ferror(f) ? -EIO : 0;
	fclose(f);
	return r;
}

/* ---- in other mount namespaces ---- */

static bool is_done(void *data)
{
	const struct question *q = data;

	return q->found;
}

static void ask_there(void *data)
{
	struct question *q = data;

	q->elsewhere = true;
	ask_statmount(q);
}

static int ask_everywhere(struct question *q)
{
	int r;

	q->elsewhere = false;
	q->found = NULL;
	idm_plain_mounts_begin(&q->plain, q->cache);
	r = ask_statmount(q);
	if (r == -ENOSYS || r == -EPERM || r == -EOPNOTSUPP)
		r = ask_mountinfo(q);
	else if (r == 0 && !q->found)
		idm_overlay_search_elsewhere(&(struct idm_overlay_search){
			.is_known = is_known,
			.is_done = is_done,
			.ask = ask_there,
			.data = q,
			.plain = &q->plain,
		});
	idm_plain_mounts_end(&q->plain, r == 0 && !q->found);
	free(q->known);
	q->known = NULL;
	q->n_known = 0;
	return r;
}

/*
 * Another thread may create a mount namespace for the length of one call, for an overlay of its own.
 * That namespace has copies of all mounts of that moment. So a use in another namespace has to last.
 */
#define TRIES 100
#define TRY_MS 10

static int ask_until_it_lasts(struct question *q)
{
	int r = ask_everywhere(q);

	for (int i = 1; i < TRIES && r == 0 && q->found && q->elsewhere; i++) {
		idm_sys_sleep(TRY_MS);
		r = ask_everywhere(q);
	}
	return r;
}

int idm_overlay_in_use(const struct idm_overlay_options *o, const struct idm_layers *layers,
		       struct idm_error *err)
{
	struct question q = { 0 };
	AUTO_FREE char *base = NULL;
	size_t length;
	int r;

	if (!o->upper)
		return 0;
	q.upper = &layers->v[layers->n - 2];
	q.work = &layers->v[layers->n - 1];
	r = idm_layer_base(q.upper, &length);
	if (r < 0)
		return idm_fail_errno(err, r, IDM_STEP_LOOK_FOR_OVERLAYS, q.upper->path.path);
	base = strndup(q.upper->path.path, length);
	if (!base)
		return idm_fail_errno(err, -ENOMEM, IDM_STEP_LOOK_FOR_OVERLAYS, NULL);
	q.base = *base ? base : ".";
	q.cache = o->upper_cache;
	get_layer_handle(q.upper, &q.upper_handle);
	get_layer_handle(q.work, &q.work_handle);
	r = ask_until_it_lasts(&q);
	if (r < 0)
		return idm_fail_errno(err, r, IDM_STEP_LOOK_FOR_OVERLAYS, NULL);
	if (!q.found)
		return 0;
	idm_fail(err, -EBUSY, IDM_STEP_OPEN_OVERLAY, q.found->path.path,
		 "it is in use as the upper or work directory of another overlay");
	idm_hint(err,
		 "two overlays on one upper directory damage each other; unmount the other overlay, "
		 "or use other directories");
	return -EBUSY;
}
