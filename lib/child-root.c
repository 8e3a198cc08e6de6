// SPDX-License-Identifier: MIT
/* Of the stage: the root, and what is mounted in it. */
#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#ifndef STATX_TYPE
#include <linux/stat.h> /* musl before 1.2.5 has no statx(2) */
#endif

#include "child-steps.h"
#include "idmount.h"

#define MNT_DETACH 2 /* <sys/mount.h>, which does not go with <linux/mount.h> */

/* ---- mounts ---- */

/*
 * "/" is the new root, so links stay in it: but not magic ones, where a /proc is mounted already. They
 * lead to the root directories of other processes, for who may go there.
 */
static long open_inside(const char *path, uint64_t flags)
{
	struct open_how how = { .flags = O_PATH | O_CLOEXEC | flags, .resolve = RESOLVE_NO_MAGICLINKS };

	return raw(SYS_openat2, AT_FDCWD, path, &how, sizeof(how));
}

/* The last component of a path, which begins at `start`. */
static long make_one(char *path, uint32_t start, int is_file)
{
	char first = path[start];
	long parent, r;

	path[start] = '\0';
	parent = open_inside(start ? path : ".", O_DIRECTORY);
	path[start] = first;
	if (parent < 0)
		return parent;
	r = is_file ? raw(SYS_mknodat, parent, path + start, S_IFREG | 0644, 0)
		    : raw(SYS_mkdirat, parent, path + start, 0755);
	raw(SYS_close, parent);
	return r == -EEXIST ? 0 : r;
}

/* A directory, or for a tree of one file an empty file, with the directories that lead to it. */
static long make_target(const char *target, int is_file)
{
	uint32_t n = 0, start = 0;
	char path[4096];
	long r = 0;

	for (const char *p = target; *p && r == 0; p++) {
		if (n == sizeof(path) - 1)
			return -ENAMETOOLONG;
		path[n++] = *p;
		path[n] = '\0';
		if (*p == '/')
			start = n;
		else if (!p[1] || p[1] == '/')
			r = make_one(path, start, is_file && !p[1]);
	}
	return r;
}

/* The last message of the fs context that is an error: "e proc: Unknown parameter 'x'". */
static void take_words(struct idm_job *job, long fs)
{
	char text[sizeof(job->report.words)];
	long n;

	while ((n = raw(SYS_read, fs, text, sizeof(text) - 1)) > 0) {
		uint32_t from = n > 2 && text[1] == ' ' ? 2 : 0, to = 0;

		if (text[n - 1] == '\n')
			n--;
		for (; from < n; from++)
			job->report.words[to++] = text[from];
		job->report.words[to] = '\0';
	}
}

static long set_options(struct idm_job *job, const struct idm_job_mount *m, long fs)
{
	const uint32_t *options = idm_job_array(job, m->options);
	long r = raw(SYS_fsconfig, fs, FSCONFIG_SET_STRING, "source", idm_job_at(job, m->source), 0);

	for (uint32_t i = 0; i < m->n_options && r == 0; i++, options += 2) {
		const char *value = idm_job_at(job, options[1]);

		idm_job_begin(job, IDM_CHILD_STEP_MOUNT_OPTION, job->report.item, options[0]);
		r = raw(SYS_fsconfig, fs, value ? FSCONFIG_SET_STRING : FSCONFIG_SET_FLAG,
			idm_job_at(job, options[0]), value, 0);
	}
	return r;
}

/* Made in the namespaces of this process: a procfs of its PID namespace, for example. */
static long make_filesystem(struct idm_job *job, const struct idm_job_mount *m)
{
	long fs = raw(SYS_fsopen, idm_job_at(job, m->fstype), FSOPEN_CLOEXEC), r;

	if (fs < 0)
		return fs;
	r = set_options(job, m, fs);
	if (r == 0) {
		idm_job_begin(job, IDM_CHILD_STEP_MOUNT, job->report.item, m->target);
		r = raw(SYS_fsconfig, fs, FSCONFIG_CMD_CREATE, 0, 0, 0);
	}
	if (r == 0)
		r = raw(SYS_fsmount, fs, FSMOUNT_CLOEXEC, m->attr);
	if (r < 0)
		take_words(job, fs);
	raw(SYS_close, fs);
	return r;
}

static int is_link(long fd)
{
	struct statx st;

	return raw(SYS_statx, fd, "", AT_EMPTY_PATH, STATX_TYPE, &st) == 0 && S_ISLNK(st.stx_mode);
}

static long open_target(const struct idm_job_mount *m, const char *target)
{
	long fd = open_inside(target, m->flags & IDM_ATTACH_FOLLOW ? 0 : O_NOFOLLOW);

	if (fd < 0 || !is_link(fd))
		return fd;
	raw(SYS_close, fd);
	return -ELOOP;
}

static long mount_one(struct idm_job *job, const struct idm_job_mount *m)
{
	const char *target = idm_job_array(job, m->target);
	long tree = m->tree, r = 0, to;

	idm_job_begin(job, IDM_CHILD_STEP_MOUNT_TARGET, job->report.item, m->target);
	if (m->flags & IDM_ATTACH_MKDIR)
		r = make_target(target, (int)m->is_file);
	if (r < 0)
		return r;
	idm_job_begin(job, IDM_CHILD_STEP_MOUNT, job->report.item, m->target);
	to = open_target(m, target);
	if (to < 0)
		return to;
	if (m->fstype)
		tree = make_filesystem(job, m);
	r = tree < 0 ? tree
		     : raw(SYS_move_mount, tree, "", to, "",
			   MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
	raw(SYS_close, to);
	if (m->fstype && tree >= 0)
		raw(SYS_close, tree);
	return r;
}

static long mount_all(struct idm_job *job)
{
	const struct idm_job_mount *mounts = idm_job_array(job, job->mounts);
	long r = 0;

	for (uint32_t i = 0; i < job->n_mounts && r == 0; i++) {
		job->report.item = i;
		r = mount_one(job, &mounts[i]);
	}
	return r;
}

/* ---- the root ---- */

/*
 * The tree is put over "/", where nobody sees it but us, and the two change places: the old root lies
 * over the new one then, without covering it for who has that as his root.
 */
static long pivot(struct idm_job *job)
{
	long r;

	idm_job_begin(job, IDM_CHILD_STEP_ATTACH_ROOT, 0, 0);
	r = raw(SYS_move_mount, job->root_fd, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH);
	if (r == 0)
		r = raw(SYS_fchdir, job->root_fd);
	if (r < 0)
		return r;
	idm_job_begin(job, IDM_CHILD_STEP_PIVOT, 0, 0);
	return raw(SYS_pivot_root, ".", ".");
}

/* "." is the new root, and what lies over it the old one. */
static long detach_old_root(struct idm_job *job)
{
	long r;

	idm_job_begin(job, IDM_CHILD_STEP_DETACH_OLD_ROOT, 0, 0);
	r = raw(SYS_umount2, ".", MNT_DETACH);
	return r < 0 ? r : raw(SYS_chdir, "/");
}

/*
 * The old root goes last: in a user namespace the kernel lets a procfs or sysfs be mounted only where
 * another one is wholly visible, which in the new root none is yet.
 */
long idm_child_root(struct idm_job *job)
{
	int to_pivot = !!(job->flags & IDM_JOB_PIVOT);
	long r;

	if (!(job->flags & IDM_JOB_NEW_MOUNT))
		return 0;
	idm_job_begin(job, IDM_CHILD_STEP_PROPAGATION, 0, 0);
	r = raw(SYS_mount, 0, "/", 0, MS_REC | job->propagation, 0);
	if (r == 0 && to_pivot)
		r = pivot(job);
	if (r == 0)
		r = mount_all(job);
	if (r == 0 && to_pivot)
		r = detach_old_root(job);
	return r;
}
