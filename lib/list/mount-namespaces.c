// SPDX-License-Identifier: MIT
/* Finds the mount namespaces: from one to the next by ioctl (Linux 6.12), before through /proc. */
#include <dirent.h>
#include <errno.h>
#include <linux/capability.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"
#include "lib/base/array.h"
#include "lib/base/error.h"
#include "lib/base/macros.h"
#include "lib/sys/capability.h"
#include "lib/sys/fail-errno.h"
#include "lib/sys/procfs.h"
#include "lib/sys/syscall.h"

static const enum idm_error_step step_find = IDM_STEP_FIND_MOUNT_NAMESPACES;

/* ---- the caller's ---- */

static uint64_t get_namespace_inode(int fd)
{
	struct stat st;

	return idm_sys_fstatat(fd, "", &st, AT_EMPTY_PATH) == 0 ? st.st_ino : 0;
}

int idm_mount_ns_own(struct idm_mount_ns *ns)
{
	struct idm_mnt_ns_info info = { 0 };
	AUTO_CLOSE int fd = idm_procfs_open_self("ns/mnt", step_find, NULL);

	*ns = (struct idm_mount_ns){ 0 };
	if (fd < 0)
		return fd;
	ns->inode = get_namespace_inode(fd);
	if (idm_sys_ioctl(fd, IDM_NS_MNT_GET_INFO, &info) == 0)
		ns->id = info.mnt_ns_id;
	return ns->inode ? 0 : -ENOENT;
}

/*
 * Checked first, since the kernel would leave out the namespaces that the caller may not see. A map of
 * all IDs does not distinguish the initial user namespace from one below it.
 */
int idm_mount_ns_may_see_all(struct idm_error *err)
{
	AUTO_CLOSE int fd = idm_procfs_open_self("ns/user", step_find, err);

	if (fd < 0)
		return fd;
	if (get_namespace_inode(fd) == IDM_INITIAL_USERNS_INODE && idm_has_capability(CAP_SYS_ADMIN))
		return 0;
	idm_fail(err, -EPERM, step_find, NULL,
		 "listing all of them requires CAP_SYS_ADMIN in the initial user namespace");
	idm_hint(err, "run as root, outside of containers; or list only the caller's mount namespace");
	return -EPERM;
}

/* ---- by ioctl ---- */

struct list {
	struct idm_mount_ns *ns;
	size_t n;
};

static int append_namespace(struct list *list, struct idm_mount_ns ns)
{
	struct idm_mount_ns *new = idm_array_append(&list->ns, &list->n, sizeof(ns));

	if (!new)
		return -ENOMEM;
	*new = ns;
	return 0;
}

/*
 * Walks from namespace to namespace in one direction, until the last or the one with the ID `until`,
 * whose descriptor is returned. Their order is by ID, which is not always by age. The one that is held
 * open stays in the kernel's list.
 */
static int walk_namespaces(int from, unsigned long direction, uint64_t until, struct list *list)
{
	AUTO_CLOSE int at = idm_sys_dup(from);
	struct idm_mnt_ns_info info = { 0 };
	int next, r = at < 0 ? at : 0;

	while (r == 0) {
		next = idm_sys_ioctl(at, direction, &info);
		if (next < 0)
			return next == -ENOENT && list ? 0 : next;
		idm_close_fd(&at);
		at = next;
		if (until && info.mnt_ns_id == until)
			return idm_steal_fd(&at);
		if (list)
			r = append_namespace(list, (struct idm_mount_ns){ info.mnt_ns_id,
									  get_namespace_inode(at),
									  info.nr_mounts, true });
	}
	return r;
}

static int compare_namespace_ids(const void *a, const void *b)
{
	const struct idm_mount_ns *x = a, *y = b;

	return (x->id > y->id) - (x->id < y->id);
}

static int fail_refused_namespace(int r, struct idm_error *err)
{
	if (r != -EPERM)
		return idm_fail_errno(err, r, step_find, NULL);
	/* The user namespace and the capability have been looked at before. */
	idm_fail(err, r, step_find, NULL, "listing them requires the initial PID namespace");
	idm_hint(err, "run it in the PID namespace of the host");
	return r;
}

int idm_mount_ns_others(struct idm_mount_ns **list, size_t *n, struct idm_error *err)
{
	AUTO_CLOSE int own = idm_procfs_open_self("ns/mnt", step_find, err);
	struct list found = { 0 };
	int r;

	if (own < 0)
		return own;
	r = walk_namespaces(own, IDM_NS_MNT_GET_PREV, 0, &found);
	if (r == 0)
		r = walk_namespaces(own, IDM_NS_MNT_GET_NEXT, 0, &found);
	if (r < 0) {
		free(found.ns);
		return r == -ENOTTY ? r : fail_refused_namespace(r, err);
	}
	if (found.n)
		qsort(found.ns, found.n, sizeof(*found.ns), compare_namespace_ids);
	*list = found.ns;
	*n = found.n;
	return 0;
}

int idm_mount_ns_open(uint64_t id, struct idm_error *err)
{
	AUTO_CLOSE int own = idm_procfs_open_self("ns/mnt", step_find, err);
	struct idm_mnt_ns_info info = { 0 };
	int r;

	if (own < 0)
		return own;
	r = idm_sys_ioctl(own, IDM_NS_MNT_GET_INFO, &info);
	if (r == 0)
		r = walk_namespaces(own, id > info.mnt_ns_id ? IDM_NS_MNT_GET_NEXT : IDM_NS_MNT_GET_PREV,
				    id, NULL);
	return r < 0 && r != -ENOENT ? fail_refused_namespace(r, err) : r;
}

/* ---- from inside ---- */

struct visit {
	int fd, own;
	void (*run)(void *data);
	void *data;
	int joined;
};

static void *join_and_run(void *data)
{
	struct visit *v = data;

	/* A thread that shares its root and working directory cannot join. */
	v->joined = idm_sys_unshare(CLONE_FS);
	if (v->joined == 0)
		v->joined = idm_sys_setns(v->fd, CLONE_NEWNS);
	if (v->joined == 0) {
		v->run(v->data);
		/* The kernel is done with a thread only after pthread_join(). What it was in must not
		 * last that long. */
		idm_sys_setns(v->own, CLONE_NEWNS);
	}
	return NULL;
}

int idm_mount_ns_join(int fd, void (*run)(void *data), void *data, struct idm_error *err)
{
	static const enum idm_error_step step = IDM_STEP_JOIN_MOUNT_NAMESPACE;
	AUTO_CLOSE int own = idm_procfs_open_self("ns/mnt", step_find, err);
	struct visit v = { fd, own, run, data, 0 };
	sigset_t all, saved;
	pthread_t thread;
	int r;

	if (own < 0)
		return own;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &saved);
	r = pthread_create(&thread, NULL, join_and_run, &v);
	pthread_sigmask(SIG_SETMASK, &saved, NULL);
	if (r)
		return idm_fail(err, -r, step, NULL, "cannot start a thread: %s", idm_errno_text(r));
	pthread_join(thread, NULL);
	if (v.joined == -EPERM)
		return idm_fail(err, -EPERM, step, NULL, "it requires CAP_SYS_ADMIN and CAP_SYS_CHROOT");
	return v.joined < 0 ? idm_fail_errno(err, v.joined, step, NULL) : 0;
}

/* ---- through /proc ---- */

struct walker {
	int (*visit)(const struct idm_mount_ns *ns, int fd, void *data);
	void *data;
	struct list seen; /* their inodes; the caller's own is the first */
	struct idm_error *err;
};

static bool is_new_namespace(const struct walker *w, uint64_t inode)
{
	for (size_t i = w->seen.n; i > 0; i--)
		if (w->seen.ns[i - 1].inode == inode)
			return false;
	return true;
}

/* The process, thread or descriptor ended before it was looked at. */
static bool is_namespace_gone(int dir, const char *name, ssize_t r)
{
	struct stat st;

	/* The links of a thread that has just ended refuse access; then they are no longer there. */
	return r == -ENOENT || r == -ESRCH || r == -EINVAL ||
	       (r == -EACCES && idm_sys_fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0);
}

/* One that may not be looked at could be anywhere: leaving it out would be a guess. */
static int forbidden(const char *path, int r, struct idm_error *err)
{
	if (r != -EACCES && r != -EPERM)
		return idm_fail_errno(err, r, step_find, path);
	idm_fail(err, -EPERM, step_find, path, "access to it in /proc is denied");
	idm_hint(err, "before Linux 6.12 it requires CAP_SYS_PTRACE, and a security module may deny it");
	return -EPERM;
}

static int visit_new_namespace(struct walker *w, int dir, const char *name)
{
	AUTO_CLOSE int fd = idm_sys_openat(dir, name, O_RDONLY | O_NONBLOCK, 0);
	struct idm_mount_ns ns = { .foreign = true };
	int r;

	if (fd < 0)
		return is_namespace_gone(dir, name, fd) ? 0 : forbidden(name, fd, w->err);
	if (idm_sys_ioctl(fd, IDM_NS_GET_NSTYPE, NULL) != CLONE_NEWNS)
		return 0; /* another file has the number now */
	ns.inode = get_namespace_inode(fd);
	if (!is_new_namespace(w, ns.inode))
		return 0;
	r = append_namespace(&w->seen, ns);
	return r < 0 ? idm_fail_errno(w->err, r, step_find, NULL) : w->visit(&ns, fd, w->data);
}

/*
 * Looks at what a link says before anything is opened: what an arbitrary descriptor leads to may hang.
 * Only a namespace reads "mnt:[INODE]"; a path begins with a slash.
 */
static int visit_namespace_file(struct walker *w, int dir, const char *name)
{
	unsigned long inode;
	char text[64];
	ssize_t n = idm_sys_readlinkat(dir, name, text, sizeof(text) - 1);

	if (n < 0)
		return is_namespace_gone(dir, name, n) ? 0 : forbidden(name, (int)n, w->err);
	text[n] = '\0';
	if (sscanf(text, "mnt:[%lu]", &inode) != 1 || !is_new_namespace(w, inode))
		return 0;
	return visit_new_namespace(w, dir, name);
}

/* Calls `look` for every entry of a directory whose name is a number. A directory that is gone is empty.
 */
static int for_each_number(struct walker *w, int at, const char *path,
			   int (*look)(struct walker *w, int dir, const char *name))
{
	AUTO_CLOSE int dir = idm_sys_openat(at, path, O_RDONLY | O_DIRECTORY, 0);
	_Alignas(uint64_t) char buf[4096];
	ssize_t n = dir;

	while (n >= 0 && (n = idm_sys_getdents(dir, buf, sizeof(buf))) > 0)
		for (ssize_t i = 0; i < n;) {
			const struct dirent64 *e = (const struct dirent64 *)(buf + i);
			int r = *e->d_name >= '0' && *e->d_name <= '9' ? look(w, dir, e->d_name) : 0;

			if (r != 0)
				return r;
			i += e->d_reclen;
		}
	return n == 0 || is_namespace_gone(at, path, n) ? 0 : forbidden(path, (int)n, w->err);
}

static int visit_thread(struct walker *w, int dir, const char *name)
{
	char path[288];

	snprintf(path, sizeof(path), "%s/ns/mnt", name);
	return visit_namespace_file(w, dir, path);
}

static int visit_process(struct walker *w, int dir, const char *name)
{
	AUTO_CLOSE int process = idm_sys_openat(dir, name, O_PATH | O_DIRECTORY, 0);
	int r;

	if (process < 0)
		return is_namespace_gone(dir, name, process) ? 0 : forbidden(name, process, w->err);
	r = for_each_number(w, process, "task", visit_thread);
	return r ? r : for_each_number(w, process, "fd", visit_namespace_file);
}

int idm_mount_ns_walk_proc(int (*visit)(const struct idm_mount_ns *ns, int fd, void *data), void *data,
			   struct idm_error *err)
{
	AUTO_CLOSE int procfs = idm_procfs_root(err);
	struct walker w = { visit, data, { 0 }, err };
	struct idm_mount_ns own;
	int r;

	if (procfs < 0)
		return procfs;
	r = idm_mount_ns_own(&own);
	if (idm_is_shortage(r))
		return idm_fail_errno(err, r, step_find, "/proc");
	if (r < 0)
		return idm_fail(err, -ENOENT, step_find, "/proc",
				"the caller's own does not appear there");
	r = append_namespace(&w.seen, own);
	if (r < 0)
		return idm_fail_errno(err, r, step_find, NULL);
	r = for_each_number(&w, procfs, ".", visit_process);
	free(w.seen.ns);
	return r;
}
