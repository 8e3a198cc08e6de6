// SPDX-License-Identifier: MIT
/* listmount(2), Linux 6.8: the mounts of a namespace by their unique IDs. */
#include <errno.h>
#include <stdlib.h>

#include "internal.h"
#include "lib/base/macros.h"
#include "lib/sys/syscall.h"
#include "statmount-reader.h"

#define IDS_AT_ONCE 1024

static int report_if_listed(struct idm_statmount_reader *r, uint64_t id)
{
	int k = IDM_ANSWERED;

	if (r->l->flags & IDM_LIST_UNMAPPED)
		return idm_statmount_report(r, id);
	/* The most are not mapped: this small question is all that they cost. */
	k = idm_statmount_query(r, id, IDM_STATMOUNT_MNT_BASIC, sizeof(struct idm_statmount));
	if (k != IDM_ANSWERED)
		return k == IDM_VANISHED ? 0 : idm_statmount_fail_id(r, id, k);
	return r->buf->mnt_attr & IDM_ATTR_IDMAP ? idm_statmount_report(r, id) : 0;
}

/*
 * The IDs of all mounts below `top`. What the callback mounts is not among them. Returns -errno without
 * an error that is filled in.
 */
static ssize_t find_ids(struct idm_statmount_reader *r, uint64_t top, uint64_t **ids)
{
	struct idm_mnt_id_req req = idm_statmount_request(r, top, 0);
	size_t n = 0;
	ssize_t more;

	*ids = NULL;
	do {
		uint64_t *longer = reallocarray(*ids, n + IDS_AT_ONCE, sizeof(*longer));

		if (!longer) /* analyzer: those before are the caller's to free */
			return -ENOMEM;
		*ids = longer;
		more = idm_sys_listmount(&req, longer + n, IDS_AT_ONCE);
		if (more < 0)
			return more;
		n += (size_t)more;
		if (n)
			req.param = longer[n - 1];
	} while (more == IDS_AT_ONCE);
	return (ssize_t)n;
}

static int list_ids(struct idm_statmount_reader *r, const uint64_t *ids, ssize_t n)
{
	int k = 0;

	for (ssize_t i = 0; i < n && k == 0; i++)
		k = report_if_listed(r, ids[i]);
	return k;
}

/* ---- another namespace with a root that listmount misses ---- */

static void find_root_mount_id(void *data)
{
	uint64_t *id = data;
	bool unique;

	idm_mount_id(AT_FDCWD, "/", id, &unique); /* 0 if that fails */
}

static bool is_listed(uint64_t id, const uint64_t *ids, ssize_t n)
{
	for (ssize_t i = 0; i < n; i++)
		if (ids[i] == id)
			return true;
	return false;
}

/*
 * As another namespace's root the kernel uses the first mount that is on the very first one. With an
 * initramfs as root that is wrong: everything outside of, say, /proc is left out. Then the root is not
 * in the list, and the list of the namespace's own processes is used instead.
 */
static int list_from_inside(struct idm_statmount_reader *r, const uint64_t *ids, ssize_t n)
{
	AUTO_CLOSE int fd = idm_mount_ns_open(r->ns->id, r->l->err);
	uint64_t root = 0;
	int k;

	if (fd < 0)
		return fd == -ENOENT ? 0 : fd; /* it has vanished */
	k = idm_mount_ns_join(fd, find_root_mount_id, &root, r->l->err);
	if (k < 0)
		return k;
	if (is_listed(root, ids, n)) {
		idm_close_fd(&fd);
		return list_ids(r, ids, n);
	}
	return idm_mountinfo_list(r->l, r->ns, fd);
}

static int list_namespace(struct idm_statmount_reader *r)
{
	AUTO_FREE uint64_t *ids = NULL;
	ssize_t n = find_ids(r, IDM_LSMT_ROOT, &ids);

	/* -ENOENT: it has vanished, or has one mount only, where the kernel looks for a second. */
	if (r->ns->foreign && (n == -ENOENT || (n >= 0 && n < (ssize_t)r->ns->mounts)))
		return list_from_inside(r, ids, n);
	return n < 0 ? idm_statmount_fail(r, (int)n) : list_ids(r, ids, n);
}

int idm_statmount_list(const struct idm_lister *lister, const struct idm_mount_ns *ns)
{
	struct idm_statmount_reader r;
	int k = idm_statmount_reader_open(&r, lister, ns);

	if (k == 0)
		k = list_namespace(&r);
	idm_statmount_reader_close(&r);
	return k;
}

/* ---- one mount, and those below ---- */

/* A mount outside of the caller's root directory has no target, and is not listed. */
static int report_listed_place(struct idm_statmount_reader *r, uint64_t id)
{
	int k = idm_statmount_query_growing(r, id, IDM_STATMOUNT_MNT_BASIC | IDM_STATMOUNT_MNT_POINT);
	const struct idm_statmount *m = r->buf;
	struct idm_mount_info mount = { .size = sizeof(mount), .map_state = IDM_MAP_UNREADABLE };

	if (k == IDM_VANISHED)
		return 0;
	if (k < 0)
		return idm_statmount_fail_id(r, id, k);
	mount.id = m->mnt_id;
	mount.parent_id = m->mnt_parent_id;
	mount.propagation = idm_statmount_propagation(m->mnt_propagation);
	mount.target = m->mask & IDM_STATMOUNT_MNT_POINT ? m->str + m->mnt_point : "";
	return *mount.target ? r->l->each(&mount, r->l->data) : 0;
}

static int list_places(struct idm_statmount_reader *r, uint64_t top)
{
	AUTO_FREE uint64_t *ids = NULL;
	int k = report_listed_place(r, top);
	ssize_t n = k == 0 ? find_ids(r, top, &ids) : 0;

	/* The top mount is gone by now. */
	if (n == -ENOENT)
		return 0;
	if (n < 0)
		return idm_statmount_fail(r, (int)n);
	for (ssize_t i = 0; i < n && k == 0; i++)
		k = report_listed_place(r, ids[i]);
	return k;
}

int idm_statmount_list_below(const struct idm_lister *lister, uint64_t top)
{
	const struct idm_mount_ns own = { 0 };
	struct idm_statmount_reader r;
	int k = idm_statmount_reader_open(&r, lister, &own);

	if (k == 0)
		k = list_places(&r, top);
	idm_statmount_reader_close(&r);
	return k;
}
