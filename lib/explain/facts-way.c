// SPDX-License-Identifier: MIT
/*
 * The way to a path, as the process would walk it: one component at a time from its root or working
 * directory, through symbolic links, and never above its root directory.
 */
#include <errno.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>

#include "facts.h"
#include "lib/base/error.h"
#include "lib/base/macros.h"
#include "lib/sys/fail-errno.h"
#include "lib/sys/file-type.h"
#include "lib/sys/syscall.h"

static const enum idm_error_step step = IDM_STEP_EXPLAIN;

#define LINKS_MOST 40 /* as the kernel */
#define TEXT_SIZE (2 * PATH_MAX)

struct walker {
	const struct idm_way *way;
	int fd, parent_fd;
	bool is_reported; /* the directory `fd` */
	unsigned int links;
	const char *rest;
	char text[TEXT_SIZE];	   /* `rest` points into it */
	char shown[TEXT_SIZE];	   /* the path of `fd` */
	char other[2 * TEXT_SIZE]; /* one of these with the other */
};

/* Writes the path of the name in `fd` into w->other. */
static void write_name(struct walker *w, const char *name)
{
	snprintf(w->other, sizeof(w->other), "%s%s%s", w->shown,
		 *name && w->shown[strlen(w->shown) - 1] != '/' ? "/" : "", name);
}

static int fail_here(struct walker *w, int code, const char *name)
{
	write_name(w, name);
	if (code == -ENAMETOOLONG)
		return idm_fail(w->way->err, code, step, NULL, "the path is too long");
	return idm_fail_to_look(w->way->err, code, w->other, w->fd);
}

/* ---- where it is ---- */

static void replace_fd(int *fd, int with)
{
	idm_close_fd(fd);
	*fd = with;
}

/* The new place is not the child of the old one by its name. */
static int move_to(struct walker *w, int fd, const char *shown)
{
	if (fd < 0)
		return fail_here(w, fd, "");
	replace_fd(&w->fd, fd);
	replace_fd(&w->parent_fd, -1);
	snprintf(w->shown, sizeof(w->shown), "%s", shown);
	w->is_reported = false;
	return 0;
}

static bool append_name(struct walker *w, const char *name)
{
	size_t n = strlen(w->shown);

	if (strcmp(w->shown, ".") == 0)
		n = 0;
	return (size_t)snprintf(w->shown + n, sizeof(w->shown) - n, "%s%s",
				n && w->shown[n - 1] != '/' ? "/" : "", name) < sizeof(w->shown) - n;
}

/* Without symbolic links, the parent's path is the text before the last slash. */
static void remove_name(struct walker *w)
{
	char *slash = strrchr(w->shown, '/');
	const char *name = slash ? slash + 1 : w->shown;

	if (strcmp(w->shown, ".") == 0 || strcmp(name, "..") == 0)
		append_name(w, "..");
	else if (!slash)
		strcpy(w->shown, ".");
	else
		slash[slash == w->shown] = '\0';
}

static bool is_at_root(const struct walker *w)
{
	uint64_t here, root;
	int root_fd = w->way->process->root_fd;

	return idm_is_same_inode(w->fd, root_fd) && idm_short_mount_id(w->fd, &here) == 0 &&
	       idm_short_mount_id(root_fd, &root) == 0 && here == root;
}

/* ---- components ---- */

static int enter_parent(struct walker *w)
{
	int fd;

	if (is_at_root(w))
		return 0;
	fd = idm_sys_openat(w->fd, "..", O_PATH | O_DIRECTORY, 0);
	if (fd < 0)
		return fail_here(w, fd, "..");
	replace_fd(&w->fd, fd);
	replace_fd(&w->parent_fd, -1);
	remove_name(w);
	if (is_at_root(w))
		strcpy(w->shown, "/");
	w->is_reported = false;
	return 0;
}

/* The text of such a link is that of the process which reads it, or is no path. */
static bool is_link_of_procfs(int fd)
{
	struct statfs fs;

	return idm_sys_fstatfs(fd, &fs) == 0 && fs.f_type == PROC_SUPER_MAGIC;
}

/* The kernel protects a link only at the end of a path. Slashes behind it do not matter. */
static int report_link(struct walker *w, int fd, const char *name)
{
	const struct idm_way_place place = { .fd = fd,
					     .parent_fd = w->fd,
					     .path = w->other,
					     .is_link = true,
					     .is_at_the_end = !w->rest[strspn(w->rest, "/")] };

	write_name(w, name);
	return w->way->each(&place, w->way->data);
}

static int follow_link(struct walker *w, int fd, const char *name)
{
	char target[PATH_MAX];
	ssize_t n;
	int r;

	if (++w->links > LINKS_MOST)
		return fail_here(w, -ELOOP, name);
	if (is_link_of_procfs(fd))
		return idm_fail(w->way->err, -EOPNOTSUPP, step, name,
				"a symbolic link in procfs depends on the process that reads it");
	r = report_link(w, fd, name);
	if (r != 0)
		return r;
	n = idm_sys_readlinkat(fd, "", target, sizeof(target) - 1);
	if (n < 0)
		return fail_here(w, (int)n, name);
	target[n] = '\0';
	if (snprintf(w->other, sizeof(w->other), "%s%s%s", target, *w->rest ? "/" : "", w->rest) >=
	    TEXT_SIZE)
		return fail_here(w, -ENAMETOOLONG, name);
	memcpy(w->text, w->other, sizeof(w->text));
	w->rest = w->text;
	return *target == '/' ? move_to(w, idm_sys_dup(w->way->process->root_fd), "/") : 0;
}

static int enter_child(struct walker *w, const char *name)
{
	AUTO_CLOSE int fd = idm_sys_openat(w->fd, name, O_PATH | O_NOFOLLOW, 0);
	mode_t type;
	int r = fd < 0 ? fd : idm_file_type(fd, &type);

	if (r < 0)
		return fail_here(w, r, name);
	if (S_ISLNK(type) && (*w->rest || !w->way->nofollow))
		return follow_link(w, fd, name);
	replace_fd(&w->parent_fd, w->fd);
	w->fd = idm_steal_fd(&fd);
	w->is_reported = false;
	return append_name(w, name) ? 0 : fail_here(w, -ENAMETOOLONG, "");
}

static int read_component(struct walker *w, char name[NAME_MAX + 1])
{
	size_t n = strcspn(w->rest, "/");

	if (n > NAME_MAX)
		return fail_here(w, -ENAMETOOLONG, "");
	memcpy(name, w->rest, n);
	name[n] = '\0';
	w->rest += n;
	return 0;
}

/* ---- the walk ---- */

static int report_place(struct walker *w, bool is_last)
{
	const struct idm_way_place place = { .fd = w->fd,
					     .parent_fd = w->parent_fd,
					     .path = w->shown,
					     .is_last = is_last };

	if (w->is_reported && !is_last)
		return 0;
	w->is_reported = true;
	return w->way->each(&place, w->way->data);
}

static int walk_component(struct walker *w)
{
	char name[NAME_MAX + 1];
	mode_t type;
	int r = idm_file_type(w->fd, &type);

	if (r == 0 && !S_ISDIR(type))
		r = -ENOTDIR;
	if (r < 0)
		return fail_here(w, r, "");
	r = report_place(w, false);
	if (r == 0)
		r = read_component(w, name);
	if (r != 0 || strcmp(name, ".") == 0)
		return r;
	return strcmp(name, "..") == 0 ? enter_parent(w) : enter_child(w, name);
}

/* Whether a component follows. A path that ends in a slash must be that of a directory. */
static int has_component(struct walker *w)
{
	bool slash = *w->rest == '/';
	mode_t type;
	int r;

	w->rest += strspn(w->rest, "/");
	if (*w->rest || !slash)
		return *w->rest != '\0';
	r = idm_file_type(w->fd, &type);
	if (r == 0 && !S_ISDIR(type))
		r = -ENOTDIR;
	return r < 0 ? fail_here(w, r, "") : 0;
}

static int walk_text(struct walker *w)
{
	const struct idm_process_facts *process = w->way->process;
	int r;

	if (*w->text == '/')
		r = move_to(w, idm_sys_dup(process->root_fd), "/");
	else
		r = move_to(w, idm_sys_dup(process->cwd_fd), ".");
	if (r < 0)
		return r;
	while ((r = has_component(w)) > 0) {
		r = walk_component(w);
		if (r != 0)
			return r;
	}
	return r < 0 ? r : report_place(w, true);
}

int idm_walk_way(const struct idm_way *way, const char *path)
{
	AUTO_FREE struct walker *w = NULL;
	int r;

	if (strlen(path) >= PATH_MAX)
		return idm_fail_errno(way->err, -ENAMETOOLONG, step, path);
	w = calloc(1, sizeof(*w));
	if (!w)
		return idm_fail_errno(way->err, -ENOMEM, step, NULL);
	w->way = way;
	w->fd = w->parent_fd = -1;
	w->rest = w->text;
	strcpy(w->text, path);
	r = walk_text(w);
	idm_close_fd(&w->fd);
	idm_close_fd(&w->parent_fd);
	return r;
}
