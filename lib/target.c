// SPDX-License-Identifier: MIT
#include "target.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "kernel.h"
#include "util.h"

static const char step_target[] = "open target";

/* One directory or file that was created. */
struct made {
	struct made *next;
	int parent; /* O_PATH */
	bool directory;
	char name[];
};

/* ---- resolving ---- */

/*
 * With a root, every component is resolved by the kernel below it, ".." and links included; the ways
 * out that are not paths (magic links) are closed too.
 */
static int open_path(int dirfd, const char *path, int flags, bool in_root)
{
	if (!in_root)
		return idm_sys_openat(dirfd, path, O_PATH | flags, 0);
	return idm_sys_openat2(dirfd, path, O_PATH | flags, 0, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
}

/* ---- creating ---- */

static int remember(struct idm_target *target, int parent, const char *name, bool directory)
{
	size_t size = strlen(name) + 1;
	struct made *m = malloc(sizeof(*m) + size);

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

static int create(int parent, const char *name, bool directory)
{
	int fd;

	if (directory)
		return idm_sys_mkdirat(parent, name, 0755);
	fd = idm_sys_openat(parent, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0644);
	idm_close_fd(&fd);
	return fd < 0 ? fd : 0;
}

/* Creates `name` in `parent`, remembering it first, so that there is nothing that cannot be undone. */
static int make(struct idm_target *target, int parent, const char *name, bool directory)
{
	int r = remember(target, parent, name, directory);
	struct made *m = target->made;

	if (r < 0)
		return r;
	r = create(parent, name, directory);
	if (r < 0) { /* also if it exists by now: then it is not ours to remove */
		target->made = m->next;
		close(m->parent);
		free(m);
	}
	return r == -EEXIST ? 0 : r;
}

/* The end of the next component of a path, from `at` on. */
static size_t component_end(const char *path, size_t at)
{
	return at + strcspn(path + at, "/");
}

/*
 * Goes down a path component by component, creating what is missing. Each prefix is resolved anew as a
 * whole, so that links in it are followed as the kernel follows them, and stay below the root.
 */
static int make_path(struct idm_target *target, int dirfd, const char *path, bool in_root,
		     bool directory, struct idm_error *err)
{
	AUTO_FREE char *prefix = strdup(path);
	AUTO_CLOSE int parent = -1;
	size_t start = strspn(path, "/"), end;
	int fd = -1, r;

	if (!prefix)
		return idm_fail(err, -ENOMEM, step_target, path, NULL);
	parent = open_path(dirfd, *path == '/' ? "/" : ".", O_DIRECTORY, in_root);
	r = parent < 0 ? parent : 0;
	for (; r == 0 && path[start]; start = end + strspn(path + end, "/")) {
		bool last;

		end = component_end(path, start);
		last = !path[end + strspn(path + end, "/")];
		prefix[end] = '\0';
		fd = open_path(dirfd, prefix, 0, in_root);
		if (fd == -ENOENT) {
			r = make(target, parent, prefix + start, directory || !last);
			fd = r < 0 ? r : open_path(dirfd, prefix, 0, in_root);
		}
		if (fd < 0)
			r = idm_fail(err, fd, "create target", prefix,
				     fd == -ENOENT ? "it is a symbolic link that leads nowhere" : NULL);
		prefix[end] = path[end];
		idm_close_fd(&parent);
		parent = fd;
	}
	return r;
}

/* ---- the target ---- */

static int check_kind(int fd, const char *path, unsigned int flags, bool directory,
		      struct idm_error *err)
{
	struct stat st;
	int r = idm_sys_fstatat(fd, "", &st, AT_EMPTY_PATH);

	if (r < 0)
		return idm_fail(err, r, step_target, path, NULL);
	if (S_ISLNK(st.st_mode) && !(flags & IDM_ATTACH_FOLLOW)) {
		idm_fail(err, -ELOOP, step_target, path, "the target is a symbolic link");
		idm_hint(err, "name the place that it points to");
		return -ELOOP;
	}
	if (directory && !S_ISDIR(st.st_mode))
		return idm_fail(err, -ENOTDIR, step_target, path,
				"the source is a directory, but the target is not");
	if (!directory && S_ISDIR(st.st_mode))
		return idm_fail(err, -EISDIR, step_target, path,
				"the source is not a directory, but the target is");
	return 0;
}

static int open_again(int dirfd, const char *path, unsigned int flags)
{
	return open_path(dirfd, path, flags & IDM_ATTACH_FOLLOW ? 0 : O_NOFOLLOW,
			 flags & IDM_ATTACH_IN_ROOT);
}

static int fail_open(int code, const char *path, struct idm_error *err)
{
	idm_fail(err, code, step_target, path, code == -ENOENT ? "there is no such target" : NULL);
	if (code == -ENOENT)
		idm_hint(err, "create it first, or ask for it (--mkdir)");
	return code;
}

int idm_target_open(struct idm_target *target, int dirfd, const char *path, unsigned int flags,
		    bool directory, struct idm_error *err)
{
	int r = 0;

	*target = (struct idm_target){ .fd = -1 };
	target->fd = open_again(dirfd, path, flags);
	if (target->fd == -ENOENT && flags & IDM_ATTACH_MKDIR && *path) {
		r = make_path(target, dirfd, path, flags & IDM_ATTACH_IN_ROOT, directory, err);
		if (r == 0)
			target->fd = open_again(dirfd, path, flags);
	}
	if (r == 0)
		r = target->fd < 0 ? fail_open(target->fd, path, err)
				   : check_kind(target->fd, path, flags, directory, err);
	if (r < 0) {
		idm_target_unmake(target);
		idm_target_close(target);
	}
	return r;
}

const char *idm_target_made(const struct idm_target *target, size_t i, int *parent, bool *directory)
{
	const struct made *m;
	size_t n = 0;

	for (m = target->made; m; m = m->next)
		n++;
	if (i >= n)
		return NULL;
	/* The list has the deepest first. */
	for (m = target->made; ++i < n; m = m->next)
		;
	*parent = m->parent;
	*directory = m->directory;
	return m->name;
}

void idm_target_unmake(struct idm_target *target)
{
	for (struct made *m = target->made; m; m = m->next)
		idm_sys_unlinkat(m->parent, m->name, m->directory ? AT_REMOVEDIR : 0);
}

void idm_target_close(struct idm_target *target)
{
	while (target->made) {
		struct made *m = target->made;

		target->made = m->next;
		close(m->parent);
		free(m);
	}
	idm_close_fd(&target->fd);
	target->fd = -1;
}
