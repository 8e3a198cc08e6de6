// SPDX-License-Identifier: MIT
#include "target.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/error.h"
#include "lib/base/macros.h"
#include "lib/list/mount-place.h"
#include "lib/sys/delegate.h"
#include "lib/sys/fail-errno.h"
#include "lib/sys/nofollow.h"
#include "lib/sys/syscall.h"

static const enum idm_error_step step_target = IDM_STEP_OPEN_TARGET;

/* ---- resolving ---- */

/*
 * With a root, every component is resolved by the kernel below it, ".." and links included; the ways
 * out that are not paths (magic links) are closed too.
 */
#define RESOLVE_AS_ROOT (RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS)

static int open_path(int dirfd, const char *path, int flags, bool in_root)
{
	if (!in_root)
		return idm_sys_openat(dirfd, path, O_PATH | flags, 0);
	return idm_sys_openat2(dirfd, path, O_PATH | flags, 0, RESOLVE_AS_ROOT);
}

int idm_file_id(int dirfd, const char *path, struct idm_file_id *id)
{
	struct statx st;
	int r = idm_sys_statx(dirfd, path, AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS | STATX_BTIME, &st);

	if (r < 0)
		return r;
	*id = (struct idm_file_id){ .inode = st.stx_ino, .mode = st.stx_mode, .size = st.stx_size };
	id->covered = st.stx_attributes & STATX_ATTR_MOUNT_ROOT;
	if (st.stx_mask & STATX_BTIME && st.stx_btime.tv_sec > 0)
		id->born = (uint64_t)st.stx_btime.tv_sec * 1000000000 + st.stx_btime.tv_nsec;
	return 0;
}

/* ---- creating ---- */

static int remember_created(struct idm_target *target, int parent, const char *name, bool directory)
{
	size_t size = strlen(name) + 1;
	struct idm_created *m = malloc(sizeof(*m) + size);

	if (!m)
		return -ENOMEM;
	m->parent = idm_sys_dup(parent);
	if (m->parent < 0) {
		int r = m->parent;

		free(m);
		return r;
	}
	m->directory = directory;
	memcpy(m->name, name, size);
	m->next = target->made;
	target->made = m;
	return 0;
}

/* `parent` is where it was to be created; -1: nothing was. */
static int fail_create(int code, int parent, const char *path, struct idm_error *err)
{
	bool deleted = code == -ENOENT && parent >= 0 && idm_is_deleted(parent);

	return idm_fail_because(
		err, code, IDM_STEP_CREATE_TARGET, path,
		deleted		  ? "its parent directory was deleted"
		: code == -ENOENT ? "it is a symbolic link to a file that does not exist"
		: code == -EOVERFLOW
			? "its owner has no ID on disk: the map of the mount does not contain it"
			: NULL);
}

/* What is to be created by whom. */
struct creation {
	int parent;
	const char *name;
	bool directory;
	const struct idm_owner *owner;
};

static int create_file(const struct creation *c)
{
	AUTO_CLOSE int fd = -1;

	if (c->directory)
		return idm_sys_mkdirat(c->parent, c->name, 0755);
	fd = idm_sys_openat(c->parent, c->name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0644);
	return fd < 0 ? fd : 0;
}

/* Through an ID-mapped mount only a process with an ID on disk can create a file. */
static int create_as_owner(const struct creation *c)
{
	const struct idm_delegate_work work = {
		.operation = c->directory ? IDM_DELEGATE_MKDIR : IDM_DELEGATE_CREATE_FILE,
		.uid = c->owner->uid,
		.gid = c->owner->gid,
		.fd = c->parent,
		.name = c->name,
	};

	return idm_delegate(&work, NULL, NULL, NULL);
}

static int create_and_identify(struct creation *c, struct idm_file_id *id)
{
	int r = c->owner ? create_as_owner(c) : create_file(c);

	if (r < 0)
		return r;
	r = idm_file_id(c->parent, c->name, id);
	if (r < 0)
		idm_sys_unlinkat(c->parent, c->name, c->directory ? AT_REMOVEDIR : 0);
	return r;
}

/* Forgets what was remembered last: another process created it, and may remove it. */
static void drop_created(struct idm_target *target)
{
	struct idm_created *m = target->made;

	target->made = m->next;
	close(m->parent);
	free(m);
}

/* Says that the thing that was remembered last is about to be created: we may not live to say more. */
static int announce_created(struct idm_target *target, const char *path, struct idm_error *err)
{
	if (!target->created)
		return 0;
	target->made->id = (struct idm_file_id){ .born = idm_file_time() };
	return target->created(target->made, path, target->created_data, err);
}

/*
 * Creates the last component of `path` in `parent`, remembering it first, so that there is nothing that
 * cannot be undone.
 */
static int create_component(struct idm_target *target, int parent, const char *path, const char *name,
			    bool directory, struct idm_error *err)
{
	struct creation c = { parent, name, directory, target->owner };
	int r = remember_created(target, parent, name, directory);
	struct idm_created *m = target->made;

	if (r < 0)
		return fail_create(r, -1, path, err);
	r = announce_created(target, path, err);
	if (r < 0) {
		drop_created(target);
		return r;
	}
	r = create_and_identify(&c, &m->id);
	if (r == 0)
		return target->created ? target->created(m, path, target->created_data, err) : 0;
	/* Also if it exists by now: then another process created it. */
	drop_created(target);
	return r == -EEXIST ? 0 : fail_create(r, parent, path, err);
}

/* The end of the next component of a path, from `at` on. */
static size_t component_end(const char *path, size_t at)
{
	return at + strcspn(path + at, "/");
}

/* Opens the last component of a path, which begins at `name`, creating it if it is missing. */
static int open_or_make(struct idm_target *target, int dirfd, int parent, const char *path,
			const char *name, bool in_root, bool directory, struct idm_error *err)
{
	int fd = open_path(dirfd, path, 0, in_root), r;

	if (fd == -ENOENT) {
		r = create_component(target, parent, path, name, directory, err);
		if (r < 0)
			return r;
		fd = open_path(dirfd, path, 0, in_root);
	}
	return fd < 0 ? fail_create(fd, -1, path, err) : fd;
}

/*
 * Walks down a path component by component, and creates what is missing. Each prefix is resolved anew as
 * a whole, so that links in it are followed as the kernel follows them, and stay below the root.
 */
static int make_path(struct idm_target *target, int dirfd, const char *path, bool in_root,
		     bool directory, struct idm_error *err)
{
	AUTO_FREE char *prefix = strdup(path);
	AUTO_CLOSE int parent = -1;
	size_t start = strspn(path, "/"), end;

	if (!prefix)
		return idm_fail_errno(err, -ENOMEM, step_target, path);
	parent = open_path(dirfd, *path == '/' ? "/" : ".", O_DIRECTORY, in_root);
	if (parent < 0) /* analyzer: AUTO_FREE frees it */
		return idm_fail_errno(err, parent, step_target, path);
	for (; path[start]; start = end + strspn(path + end, "/")) {
		bool last;
		int fd;

		end = component_end(path, start);
		last = !path[end + strspn(path + end, "/")];
		prefix[end] = '\0';
		fd = open_or_make(target, dirfd, parent, prefix, prefix + start, in_root,
				  directory || !last, err);
		if (fd < 0)
			return fd;
		prefix[end] = path[end];
		idm_close_fd(&parent);
		parent = fd;
	}
	return 0;
}

/* ---- the target ---- */

static int check_target_kind(int fd, const char *path, unsigned int flags, bool directory,
			     struct idm_error *err)
{
	struct statx st;
	int r = idm_sys_statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE, &st);

	if (r < 0)
		return idm_fail_errno(err, r, step_target, path);
	if (S_ISLNK(st.stx_mode) && !(flags & IDM_ATTACH_FOLLOW)) {
		idm_fail(err, -ELOOP, step_target, path, "the target is a symbolic link");
		idm_hint(err, "name the place that it points to");
		return -ELOOP;
	}
	if (directory && !S_ISDIR(st.stx_mode))
		return idm_fail(err, -ENOTDIR, step_target, path,
				"expected a directory as target, like the source; got a file");
	if (!directory && !S_ISDIR(st.stx_mode) && !idm_ends_in_name(path))
		return idm_fail_errno(err, -ENOTDIR, step_target, path);
	if (!directory && S_ISDIR(st.stx_mode))
		return idm_fail(err, -EISDIR, step_target, path,
				"expected a file as target, like the source; got a directory");
	return 0;
}

/* A directory that is opened as one need not be looked at any more. */
static int open_existing_target(int dirfd, const char *path, unsigned int flags, bool directory)
{
	int kind = directory ? O_DIRECTORY : 0;

	if (flags & IDM_ATTACH_FOLLOW)
		return open_path(dirfd, path, kind, flags & IDM_ATTACH_IN_ROOT);
	return idm_open_nofollow(dirfd, path, O_PATH | kind,
				 flags & IDM_ATTACH_IN_ROOT ? RESOLVE_AS_ROOT : 0);
}

static int fail_target_open(int code, int dirfd, const char *path, struct idm_error *err)
{
	if (code == -EBADF)
		return idm_fail_at(err, code, step_target, path, dirfd);
	if (code == -ENOENT) {
		idm_fail(err, code, step_target, path, "the target does not exist");
		idm_hint(err, "create it first, or ask for it (IDM_ATTACH_MKDIR)");
	} else {
		idm_fail_nofollow(err, code, step_target, path);
	}
	return code;
}

int idm_target_open(struct idm_target *target, int dirfd, const char *path, unsigned int flags,
		    bool directory, struct idm_error *err)
{
	bool checked = directory;
	int r = 0;

	target->made = NULL;
	target->fd = -1;
	if (!*path)
		return idm_fail_empty(err, step_target);
	target->fd = open_existing_target(dirfd, path, flags, directory);
	if (target->fd == -ENOENT && flags & IDM_ATTACH_MKDIR) {
		r = make_path(target, dirfd, path, flags & IDM_ATTACH_IN_ROOT, directory, err);
		if (r == 0)
			target->fd = open_existing_target(dirfd, path, flags, directory);
	}
	/* It, or a component on the way, is not a directory. Opening it as any file shows which. */
	if (target->fd == -ENOTDIR && directory) {
		checked = false;
		target->fd = open_existing_target(dirfd, path, flags, false);
	}
	if (r == 0)
		r = target->fd < 0 ? fail_target_open(target->fd, dirfd, path, err)
		    : checked	   ? 0
				   : check_target_kind(target->fd, path, flags, directory, err);
	if (r < 0) {
		idm_target_rollback(target);
		idm_target_close(target);
	}
	return r;
}

bool idm_is_same_file(const struct idm_file_id *was, const struct idm_file_id *is, bool directory)
{
	return is->inode == was->inode && is->born == was->born &&
	       (directory ? S_ISDIR(is->mode) : S_ISREG(is->mode));
}

/*
 * Another process may have put something there, or into it, since then: that must stay. A mount of the
 * plan can cover what was created. That is still the same file: if it were removed, the mount would be
 * removed too.
 */
static bool is_as_created(const struct idm_created *m)
{
	struct idm_file_id is;

	if (idm_file_id(m->parent, m->name, &is) < 0)
		return false;
	return is.covered || (idm_is_same_file(&m->id, &is, m->directory) && (m->directory || !is.size));
}

void idm_target_rollback(struct idm_target *target)
{
	for (struct idm_created *m = target->made; m; m = m->next)
		if (is_as_created(m))
			idm_sys_unlinkat(m->parent, m->name, m->directory ? AT_REMOVEDIR : 0);
}

void idm_target_close(struct idm_target *target)
{
	while (target->made) {
		struct idm_created *m = target->made;

		target->made = m->next;
		close(m->parent);
		free(m);
	}
	idm_close_fd(&target->fd);
}
