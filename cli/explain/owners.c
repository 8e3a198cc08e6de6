// SPDX-License-Identifier: MIT
/*
 * Counts owners in a detached copy without the mount's map, which shows the IDs on disk. Where the
 * caller cannot make that copy, the files are read through the mount. Owners that it does not map then
 * have the overflow ID in common, and their IDs on disk are not visible.
 */
#include "owners.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "lib/base/array.h"
#include "lib/base/macros.h"
#include "lib/sys/capability.h"
#include "lib/sys/probe.h"
#include "lib/sys/subprocess.h"
#include "lib/sys/syscall.h"
#include "process-file.h"

/* Each level has a descriptor. */
#define DEEPEST 200

struct owners_walk {
	struct owners *owners;
	uint64_t mount_id; /* files on other mounts do not count */
	unsigned int depth;
	bool is_autofs;
};

static int count_owner(struct owners *owners, unsigned int kind, uint32_t id)
{
	struct owner *o;

	for (size_t i = 0; i < owners->n; i++)
		if (owners->list[i].kind == kind && owners->list[i].disk == id) {
			owners->list[i].files++;
			return 0;
		}
	o = idm_array_append(&owners->list, &owners->n, sizeof(*o));
	if (!o)
		return -ENOMEM;
	*o = (struct owner){ .kind = kind, .disk = id, .files = 1 };
	return 0;
}

static int count_file(struct owners *owners, const struct statx *st)
{
	int r = count_owner(owners, IDM_UID, st->stx_uid);

	owners->files++;
	return r < 0 ? r : count_owner(owners, IDM_GID, st->stx_gid);
}

static DIR *open_directory_of(int parent, const char *name)
{
	const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
	int fd = openat(parent, name, flags | O_NOATIME);
	DIR *directory;

	if (fd < 0 && errno == EPERM)
		fd = openat(parent, name, flags);
	directory = fd < 0 ? NULL : fdopendir(fd);
	if (fd >= 0 && !directory)
		close(fd);
	return directory;
}

static int walk_owners(struct owners_walk *w, int parent, const char *name);

static int walk_entries(struct owners_walk *w, DIR *directory)
{
	const struct dirent *entry;
	int r = 0;

	while (r == 0 && (entry = readdir(directory)))
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			r = walk_owners(w, dirfd(directory), entry->d_name);
	return r;
}

/* To open a name in a directory of autofs mounts a filesystem. */
static bool may_open_directory(const struct owners_walk *w)
{
	return w->depth < DEEPEST && !(w->is_autofs && w->depth);
}

static int walk_directory(struct owners_walk *w, int parent, const char *name)
{
	DIR *directory = may_open_directory(w) ? open_directory_of(parent, name) : NULL;
	int r;

	if (!directory) {
		w->owners->incomplete = true;
		return 0;
	}
	w->depth++;
	r = walk_entries(w, directory);
	w->depth--;
	closedir(directory);
	return r;
}

/* A file that disappears does not count. */
static int walk_owners(struct owners_walk *w, int parent, const char *name)
{
	struct statx st;
	int r = idm_sys_statx(parent, name, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_STATX_DONT_SYNC,
			      STATX_TYPE | STATX_UID | STATX_GID | STATX_MNT_ID, &st);

	/* Without the right to search the directory, nothing in it is visible. */
	w->owners->incomplete |= r < 0 && r != -ENOENT;
	if (r < 0 || st.stx_mnt_id != w->mount_id)
		return 0;
	if (w->owners->files >= OWNERS_FILES_MOST) {
		w->owners->has_more = true;
		return 0;
	}
	r = count_file(w->owners, &st);
	return r == 0 && S_ISDIR(st.stx_mode) ? walk_directory(w, parent, name) : r;
}

static bool is_on_autofs(int fd)
{
	struct statfs fs;

	return idm_sys_fstatfs(fd, &fs) == 0 && fs.f_type == AUTOFS_SUPER_MAGIC;
}

/* ---- translations ---- */

static uint32_t translate_id(const struct idm_map *map, bool to_seen, unsigned int kind, uint32_t id)
{
	uint32_t other = id;
	int r = 0;

	if (map && id != IDM_EXPLAIN_NO_ID)
		r = to_seen ? idm_map_to_seen(map, kind, id, &other)
			    : idm_map_to_disk(map, kind, id, &other);
	return r < 0 ? IDM_EXPLAIN_NO_ID : other;
}

/* The overflow ID stands for all IDs that the mount or the caller's user namespace lacks. */
static bool is_overflow(const struct idm_explain_options *facts, const struct owner *o)
{
	return (facts->mount_map || !idm_in_initial_userns()) && o->disk == idm_overflow_id(o->kind);
}

static void complete_owner(const struct verdict *v, bool is_copy, struct owner *o)
{
	const uint32_t hides = IDM_UNSEEN_MOUNT | IDM_UNSEEN_MOUNT_MAP;
	const struct idm_explain_options *facts = &v->facts;

	o->seen = is_copy ? translate_id(facts->mount_map, true, o->kind, o->disk) : o->disk;
	if (!is_copy && is_overflow(facts, o))
		o->disk = o->seen = IDM_EXPLAIN_NO_ID;
	else if (!is_copy)
		o->disk = v->place->unseen & hides
				  ? IDM_EXPLAIN_NO_ID
				  : translate_id(facts->mount_map, false, o->kind, o->disk);
	o->inside = translate_id(facts->userns_map, false, o->kind, o->seen);
}

static int compare_owners(const void *a, const void *b)
{
	const struct owner *one = a, *other = b;

	if (one->kind != other->kind)
		return one->kind < other->kind ? -1 : 1;
	return one->disk < other->disk ? -1 : one->disk > other->disk;
}

/* ---- copies ---- */

struct copy_request {
	int fd, mount_ns_fd;
};

static int copy_in_mount_ns(void *data)
{
	const struct copy_request *request = data;
	int r = idm_sys_setns(request->mount_ns_fd, CLONE_NEWNS);

	return r < 0 ? r : idm_probe_clone_unmapped(request->fd);
}

/* The kernel copies a mount only in the mount namespace that has it. Returns a descriptor or -errno. */
static int copy_without_map(const struct verdict *v)
{
	AUTO_CLOSE int mount_ns_fd = -1;
	struct copy_request request = { .fd = v->place->fd };
	int copy = idm_probe_clone_unmapped(request.fd);

	if (copy >= 0 || !v->subject->pid)
		return copy;
	mount_ns_fd = open_process_file(v->subject->pid, "ns/mnt", O_RDONLY);
	if (mount_ns_fd < 0)
		return copy;
	request.mount_ns_fd = mount_ns_fd;
	return idm_subprocess_shared(copy_in_mount_ns, &request, sizeof(request));
}

int find_owners(const struct verdict *v, struct owners *owners)
{
	AUTO_CLOSE int copy = v->facts.mount_map ? copy_without_map(v) : -1;
	struct owners_walk w = { .owners = owners };
	int fd = copy >= 0 ? copy : v->place->fd, r;

	w.is_autofs = is_on_autofs(fd);
	*owners = (struct owners){ 0 };
	r = idm_short_mount_id(fd, &w.mount_id);
	if (r == 0)
		r = walk_owners(&w, fd, ".");
	for (size_t i = 0; i < owners->n; i++)
		complete_owner(v, copy >= 0, &owners->list[i]);
	if (owners->n)
		qsort(owners->list, owners->n, sizeof(*owners->list), compare_owners);
	find_permissions(v, owners);
	return r;
}

void free_owners(struct owners *owners)
{
	free(owners->list);
}
