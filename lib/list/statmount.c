// SPDX-License-Identifier: MIT
/*
 * statmount(2), Linux 6.8: what the kernel tells about one mount, by its unique ID, which no other mount
 * ever gets. The kernel answers what it knows, and `mask` says what that is. It ignores
 * flags that are newer than the kernel.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"
#include "lib/base/error.h"
#include "lib/base/macros.h"
#include "lib/idmap/idmap.h"
#include "lib/idmap/idmap-from-statmount.h"
#include "lib/sys/fail-errno.h"
#include "lib/sys/statmount-answer.h"
#include "lib/sys/syscall.h"
#include "statmount-reader.h"

static const enum idm_error_step step_list = IDM_STEP_LIST_MOUNTS;

/* No mount has so much to tell. */
#define MOST_BYTES (16UL << 20)

#define STRINGS IDM_STATMOUNT_STRINGS
#define NEW_STRINGS IDM_STATMOUNT_NEW_STRINGS
#define MAPS IDM_STATMOUNT_MAPS

#define ATTRIBUTES                                                                               \
	(IDM_ATTR_RDONLY | IDM_ATTR_NOSUID | IDM_ATTR_NODEV | IDM_ATTR_NOEXEC | IDM_ATTR_ATIME | \
	 IDM_ATTR_NODIRATIME | IDM_ATTR_IDMAP | IDM_ATTR_NOSYMFOLLOW)

/* ---- errors ---- */

int idm_statmount_fail(const struct idm_statmount_reader *r, int code)
{
	return idm_fail_errno(r->l->err, code, step_list, NULL);
}

int idm_statmount_fail_id(const struct idm_statmount_reader *r, uint64_t id, int code)
{
	char subject[40];

	snprintf(subject, sizeof(subject), "mount id %llu", (unsigned long long)id);
	return idm_fail_errno(r->l->err, code, step_list, subject);
}

/* ---- questions ---- */

struct idm_mnt_id_req idm_statmount_request(const struct idm_statmount_reader *r, uint64_t id,
					    uint64_t param)
{
	/* The namespace id made the request longer in Linux 6.11. Without it the caller's is meant. */
	return (struct idm_mnt_id_req){
		.size = r->ns->foreign ? sizeof(struct idm_mnt_id_req) : IDM_MNT_ID_REQ_SIZE_VER0,
		.mnt_id = id,
		.param = param,
		.mnt_ns_id = r->ns->foreign ? r->ns->id : 0,
	};
}

static int ask_kernel(const struct idm_statmount_reader *r, uint64_t id, uint64_t param,
		      struct idm_statmount *buf, size_t size)
{
	struct idm_mnt_id_req req = idm_statmount_request(r, id, param);

	if (r->fd < 0)
		return idm_sys_statmount(&req, buf, size);
	req.mnt_id = 0;
	req.mnt_fd = (uint32_t)r->fd;
	return idm_sys_statmount_fd(&req, buf, size);
}

bool idm_statmount_works(void)
{
	struct idm_mnt_id_req req = { .size = IDM_MNT_ID_REQ_SIZE_VER0, .mnt_id = IDM_LSMT_ROOT };
	uint64_t id;
	ssize_t n = idm_sys_listmount(&req, &id, 1);

	/* Seccomp filters from before the call was known say EPERM instead of ENOSYS. */
	return n != -ENOSYS && n != -EPERM;
}

static uint64_t known_at(enum idm_list_level level, uint64_t flags)
{
	if (level < IDM_LIST_NEWEST)
		flags &= ~(uint64_t)(NEW_STRINGS | MAPS);
	if (level < IDM_LIST_NAMESPACES)
		flags &= ~(uint64_t)IDM_STATMOUNT_MNT_NS_ID;
	return flags;
}

/* Returns IDM_ANSWERED, IDM_VANISHED or -errno, -EOVERFLOW if the buffer is too small; no error is
 * filled in. */
int idm_statmount_query(struct idm_statmount_reader *r, uint64_t id, uint64_t what, size_t capacity)
{
	int k = ask_kernel(r, id, known_at(r->l->level, what), r->buf, capacity);

	if (k < 0)
		return k == -ENOENT ? IDM_VANISHED : k;
	return idm_statmount_is_whole(r->buf, capacity) ? IDM_ANSWERED : -EBADMSG;
}

/* The same, with a buffer that grows as needed. */
int idm_statmount_query_growing(struct idm_statmount_reader *r, uint64_t id, uint64_t what)
{
	struct idm_statmount *more;
	int k;

	while ((k = idm_statmount_query(r, id, what, r->capacity)) == -EOVERFLOW &&
	       r->capacity < MOST_BYTES) {
		more = realloc(r->buf, 2 * r->capacity);
		if (!more)
			return -ENOMEM;
		r->buf = more;
		r->capacity *= 2;
	}
	return k;
}

/* ---- maps ---- */

static int query_map(struct idm_statmount_reader *r, uint64_t id, uint64_t side)
{
	int k = idm_statmount_query(r, id, side, IDM_STATMOUNT_SIZE_WITH_MAPS), t;

	if (k != IDM_ANSWERED)
		return k;
	t = idm_map_add_statmount(r->map, r->buf, &r->told);
	return t < 0 ? t : IDM_ANSWERED;
}

/* All about one mount: the strings in the buffer, the map in r->map. */
static int query_whole_mount(struct idm_statmount_reader *r, uint64_t id)
{
	const uint64_t plain = IDM_STATMOUNT_SB_BASIC | IDM_STATMOUNT_MNT_BASIC |
			       IDM_STATMOUNT_MNT_NS_ID | STRINGS | NEW_STRINGS;
	int k, t;

	idm_map_move(r->map, &(struct idm_map){ 0 });
	r->told = 0;
	k = idm_statmount_query(r, id, plain | MAPS, IDM_STATMOUNT_SIZE_WITH_MAPS);
	if (k == IDM_ANSWERED) {
		t = idm_map_add_statmount(r->map, r->buf, &r->told);
		return t < 0 ? t : IDM_ANSWERED;
	}
	if (k != -EOVERFLOW)
		return k;
	k = query_map(r, id, IDM_STATMOUNT_MNT_UIDMAP);
	if (k == IDM_ANSWERED)
		k = query_map(r, id, IDM_STATMOUNT_MNT_GIDMAP);
	return k == IDM_ANSWERED ? idm_statmount_query_growing(r, id, plain) : k;
}

/* ---- how much of the map that is ---- */

static void find_gaps(struct idm_statmount_reader *r)
{
	r->no_gaps = idm_sides_without_gaps();
	r->no_gaps_known = true;
}

/*
 * The kernel leaves out an entry unless all of it is within one range of the caller's user namespace,
 * and does not say that it did. So a map is known to be whole only where no entry can be missing.
 */
static enum idm_map_state map_state(struct idm_statmount_reader *r)
{
	unsigned int whole;

	if (!(r->buf->mnt_attr & IDM_ATTR_IDMAP))
		return IDM_MAP_NONE;
	if (r->told != IDM_BOTH)
		return IDM_MAP_UNREADABLE;
	if (!r->map->uid.n && !r->map->gid.n)
		return IDM_MAP_INVISIBLE;
	whole = idm_map_full_sides(r->map);
	if (whole != IDM_BOTH && !r->no_gaps_known)
		find_gaps(r);
	return (whole | r->no_gaps) == IDM_BOTH ? IDM_MAP_READ : IDM_MAP_PARTLY;
}

/* ---- one mount ---- */

static const char *get_string(const struct idm_statmount_reader *r, uint64_t flag, uint32_t offset)
{
	return r->buf->mask & flag ? r->buf->str + offset : "";
}

/* Shared wins over slave: it is what passes mounts on. */
enum idm_propagation idm_statmount_propagation(uint64_t flags)
{
	return flags & MS_SHARED       ? IDM_PROPAGATION_SHARED
	       : flags & MS_SLAVE      ? IDM_PROPAGATION_SLAVE
	       : flags & MS_UNBINDABLE ? IDM_PROPAGATION_UNBINDABLE
				       : IDM_PROPAGATION_PRIVATE;
}

static int fill_fstype(struct idm_statmount_reader *r, struct idm_mount_info *mount)
{
	const struct idm_statmount *m = r->buf;

	mount->fstype = get_string(r, IDM_STATMOUNT_FS_TYPE, m->fs_type);
	if (!(m->mask & IDM_STATMOUNT_FS_SUBTYPE))
		return 0;
	free(r->fstype);
	if (asprintf(&r->fstype, "%s.%s", mount->fstype, m->str + m->fs_subtype) < 0) {
		r->fstype = NULL;
		return -ENOMEM;
	}
	mount->fstype = r->fstype;
	return 0;
}

static int fill_mount_info(struct idm_statmount_reader *r, struct idm_mount_info *mount)
{
	const struct idm_statmount *m = r->buf;

	*mount = (struct idm_mount_info){
		.size = sizeof(*mount),
		.id = m->mnt_id,
		.parent_id = m->mnt_parent_id,
		.namespace_id = m->mask & IDM_STATMOUNT_MNT_NS_ID ? m->mnt_ns_id : r->ns->id,
		.namespace_inode = r->ns->inode,
		.attr = (uint32_t)m->mnt_attr & ATTRIBUTES,
		.propagation = idm_statmount_propagation(m->mnt_propagation),
		.map_state = map_state(r),
		.target = get_string(r, IDM_STATMOUNT_MNT_POINT, m->mnt_point),
		.source = get_string(r, IDM_STATMOUNT_SB_SOURCE, m->sb_source),
		.root = get_string(r, IDM_STATMOUNT_MNT_ROOT, m->mnt_root),
		.dev_major = m->sb_dev_major,
		.dev_minor = m->sb_dev_minor,
	};
	if (mount->map_state == IDM_MAP_READ || mount->map_state == IDM_MAP_PARTLY)
		mount->map = r->map;
	return fill_fstype(r, mount);
}

/* ---- what only mountinfo tells before Linux 6.13 ---- */

static bool tells_source(const struct idm_statmount *m)
{
	/* No source in the answer can also mean that it is empty; supported_mask came in Linux 6.15. */
	return m->mask & IDM_STATMOUNT_SB_SOURCE ||
	       (m->mask & IDM_STATMOUNT_SUPPORTED_MASK && m->supported_mask & IDM_STATMOUNT_SB_SOURCE);
}

static int open_mountinfo(struct idm_statmount_reader *r)
{
	AUTO_CLOSE int fd = -1;
	int k;

	if (r->info)
		return IDM_ANSWERED;
	if (r->ns->foreign) {
		fd = idm_mount_ns_open(r->ns->id, r->l->err);
		if (fd < 0)
			return fd == -ENOENT ? IDM_VANISHED : fd;
	}
	k = idm_mountinfo_open(fd, &r->info, r->l->err);
	return k < 0 ? k : IDM_ANSWERED;
}

/* IDM_ANSWERED, IDM_VANISHED or -errno. */
static int is_still_there(const struct idm_statmount_reader *r, uint64_t id)
{
	struct idm_statmount head;
	int k = ask_kernel(r, id, IDM_STATMOUNT_MNT_BASIC, &head, sizeof(head));

	return k == -ENOENT ? IDM_VANISHED : k < 0 ? k : IDM_ANSWERED;
}

/*
 * Looks the mount up by its short id, which could have been another mount's when the text was written.
 * It was not if this mount was there before and is there after: mountinfo reads a text anew once it is
 * out of date. Errors are filled in.
 */
static int add_source(struct idm_statmount_reader *r, struct idm_mount_info *mount)
{
	struct idm_mountinfo_mount line;
	int k = open_mountinfo(r);

	if (k != IDM_ANSWERED)
		return k;
	k = idm_mountinfo_find(r->info, r->buf->mnt_id_old, &line, r->l->err);
	if (k <= 0)
		return k < 0 ? k : IDM_VANISHED;
	k = is_still_there(r, mount->id);
	if (k != IDM_ANSWERED)
		return k < 0 ? idm_statmount_fail_id(r, mount->id, k) : IDM_VANISHED;
	mount->source = line.mount.source;
	mount->fstype = line.mount.fstype;
	return IDM_ANSWERED;
}

int idm_statmount_report(struct idm_statmount_reader *r, uint64_t id)
{
	struct idm_mount_info mount;
	int k = query_whole_mount(r, id);

	if (k == IDM_ANSWERED && fill_mount_info(r, &mount) < 0)
		k = -ENOMEM;
	if (k != IDM_ANSWERED)
		return k == IDM_VANISHED ? 0 : idm_statmount_fail_id(r, id, k);
	if (!tells_source(r->buf))
		k = add_source(r, &mount);
	if (k != IDM_ANSWERED)
		return k;
	return r->l->each(&mount, r->l->data);
}

/* ---- the reader ---- */

int idm_statmount_reader_open(struct idm_statmount_reader *r, const struct idm_lister *lister,
			      const struct idm_mount_ns *ns)
{
	*r = (struct idm_statmount_reader){
		.l = lister, .ns = ns, .fd = -1, .capacity = IDM_STATMOUNT_SIZE_WITH_MAPS
	};
	r->buf = malloc(r->capacity);
	if (!r->buf || idm_map_new(&r->map) < 0)
		return idm_statmount_fail(r, -ENOMEM);
	return 0;
}

void idm_statmount_reader_close(struct idm_statmount_reader *r)
{
	idm_mountinfo_close(r->info);
	idm_map_free(r->map);
	free(r->fstype);
	free(r->buf);
}

int idm_statmount_one(const struct idm_lister *lister, const struct idm_mount_ns *ns, uint64_t id)
{
	struct idm_statmount_reader r;
	int k = idm_statmount_reader_open(&r, lister, ns);

	if (k == 0)
		k = idm_statmount_report(&r, id);
	idm_statmount_reader_close(&r);
	return k;
}

int idm_statmount_by_fd(const struct idm_lister *lister, int fd)
{
	const struct idm_mount_ns none = { 0 };
	struct idm_statmount_reader r;
	int k = idm_statmount_reader_open(&r, lister, &none);

	r.fd = fd;
	if (k == 0)
		k = idm_statmount_report(&r, 0);
	idm_statmount_reader_close(&r);
	return k;
}
