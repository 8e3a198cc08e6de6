// SPDX-License-Identifier: MIT
/*
 * The heart: a user namespace descriptor that no reused PID can spoil. The order of the steps is the
 * proof, see docs/design.md:
 *
 *   1. start a child that no wait(-1) and no SIGCHLD setting can take, and hold it by pidfd;
 *   2. open its uid_map, gid_map and ns/user, in a procfs where its number is known: by the pidfd, or
 *      as clone says, if all of this is in the initial PID namespace;
 *   3. ask the pidfd whether the child is still there (a zombie is). If so, its number was not free
 *      while 2 happened, so what is open is the child's, whatever happens from here on. If not,
 *      nothing has been touched: start again;
 *   4. write the maps through what is open, end the child by its pidfd.
 */
#include <errno.h>
#include <linux/capability.h>
#include <stdio.h>

#include "cancel.h"
#include "error.h"
#include "holder.h"
#include "kernel.h"
#include "own-ids.h"
#include "privilege.h"
#include "procfs.h"
#include "userns-why.h"
#include "util.h"

/* What is open of the child. */
struct files {
	int uid_map, gid_map, setgroups, ns;
};

static void close_files(struct files *f)
{
	idm_close_fd(&f->uid_map);
	idm_close_fd(&f->gid_map);
	idm_close_fd(&f->setgroups);
	idm_close_fd(&f->ns);
}

static int open_one(int process, const char *name, int flags, int *fd, struct idm_error *err)
{
	static const char step[] = "open the child's maps";

	*fd = idm_procfs_openat(process, name, flags);
	if (*fd >= 0)
		return 0;
	idm_fail(err, *fd, step, name,
		 *fd == -EXDEV ? "something is mounted over that part of the child's /proc directory"
			       : NULL);
	if (*fd == -EXDEV)
		idm_hint(err, "look who mounts below /proc: /proc/self/mountinfo shows what");
	return *fd;
}

static int open_files(const struct idm_holder *child, int initial, struct files *f,
		      struct idm_error *err)
{
	AUTO_CLOSE int process = initial < 0 ? initial : idm_procfs_process(initial, child->number);
	int r;

	if (process < 0) /* also if it is hidden or covered there: a private procfs may do */
		process = idm_procfs_open(child->pidfd, true, err);
	if (process < 0)
		return process;
	r = open_one(process, "uid_map", O_WRONLY, &f->uid_map, err);
	if (r == 0)
		r = open_one(process, "gid_map", O_WRONLY, &f->gid_map, err);
	/* A zombie's belongs to its user from Linux 7.2 on, a live child's always does. */
	if (r == 0 && !idm_has_capability(CAP_SETGID))
		r = open_one(process, "setgroups", O_WRONLY, &f->setgroups, err);
	if (r == 0)
		r = open_one(process, "ns/user", O_RDONLY, &f->ns, err);
	return r;
}

/* Signal 0 asks only. It reaches a zombie, but no process that has been reaped. */
static int prove_alive(const struct idm_holder *child, struct idm_error *err)
{
	int r = idm_sys_pidfd_send_signal(child->pidfd, 0);

	if (r == -ESRCH)
		return idm_fail(err, r, "hold the child", NULL, "it was reaped by somebody else");
	return r < 0 ? idm_fail(err, r, "hold the child", NULL, NULL) : 0;
}

/* One side, in the one write that the kernel allows. */
static int write_side(const struct idm_map *map, unsigned int kind, int fd)
{
	char text[4096]; /* idm_map_check() has seen to it that the map fits */
	ssize_t n = idm_map_print(map, IDM_FORMAT_KERNEL, kind, text, sizeof(text));
	ssize_t written = idm_sys_write(fd, text, (size_t)n);

	return written == n ? 0 : written < 0 ? (int)written : -EIO;
}

/*
 * Writes the side as rows that each lie in one row of this user namespace's own map. The kernel refuses
 * others with EPERM, and takes a second write after that. So only a caller with such a map pays for it.
 */
static int write_cut(const struct idm_map *map, unsigned int kind, int fd, struct idm_error *err)
{
	struct idm_map *cut;
	int r = idm_map_cut(map, kind, &cut, err);

	if (r == -E2BIG || r == -ENOMEM)
		return r;
	if (r < 0)
		return idm_why_map_refused(map, kind, -EPERM, err);
	r = write_side(cut, kind, fd);
	idm_map_free(cut);
	return r < 0 ? idm_why_map_refused(map, kind, r, err) : 0;
}

static int write_maps(const struct idm_map *map, const struct files *f, struct idm_error *err)
{
	int r = write_side(map, IDM_UID, f->uid_map);

	if (r == -EPERM)
		r = write_cut(map, IDM_UID, f->uid_map, err);
	else if (r < 0)
		r = idm_why_map_refused(map, IDM_UID, r, err);
	if (r < 0)
		return r;
	r = write_side(map, IDM_GID, f->gid_map);
	/*
	 * Without CAP_SETGID the kernel wants the namespace to give up setgroups(2) first. Nobody will
	 * ever run in it, so that is nothing to lose.
	 */
	if (r == -EPERM && f->setgroups >= 0 && idm_sys_write(f->setgroups, "deny", 4) == 4)
		r = write_side(map, IDM_GID, f->gid_map);
	if (r == -EPERM)
		return write_cut(map, IDM_GID, f->gid_map, err);
	return r < 0 ? idm_why_map_refused(map, IDM_GID, r, err) : 0;
}

/* `initial`: see idm_procfs_of_initial(), or negative. */
static int attempt(const struct idm_map *map, unsigned int way, int initial, struct idm_error *err)
{
	struct files f = { -1, -1, -1, -1 };
	struct idm_holder child;
	int r = idm_holder_start(&child, way == IDM_USERNS_LIVE), alive;

	if (r < 0)
		return idm_why_no_userns(r, err);
	/*
	 * As long as it has not exited, its maps belong to its user. Who asks for a zombie gets the
	 * verdict on a zombie; who does not care need not wait.
	 */
	if (way == IDM_USERNS_ZOMBIE)
		idm_holder_await_exit(&child);
	r = open_files(&child, initial, &f, err);
	/* Also if that failed: there are many errnos for "it is gone", such as EINVAL and EACCES. */
	alive = prove_alive(&child, err);
	if (alive < 0)
		r = alive;
	if (r == 0)
		r = write_maps(map, &f, err);
	idm_holder_end(&child);
	if (r == 0)
		r = idm_take_fd(&f.ns);
	close_files(&f);
	return r;
}

static int attempts(const struct idm_map *map, unsigned int way, int initial, struct idm_error *err)
{
	int r = -ESRCH;

	for (int i = 0; i < IDM_USERNS_ATTEMPTS && r == -ESRCH; i++)
		r = attempt(map, way, initial, err);
	return r == -ESRCH ? idm_why_always_reaped(err) : r;
}

int idm_userns_open(const struct idm_map *map, unsigned int flags, struct idm_error *err)
{
	HOLD_CANCEL;
	static const char step[] = "make user namespace";
	AUTO_CLOSE int initial = -1;
	int r;

	if (flags & ~(IDM_USERNS_ZOMBIE | IDM_USERNS_LIVE) ||
	    flags == (IDM_USERNS_ZOMBIE | IDM_USERNS_LIVE))
		return idm_fail(err, -EINVAL, step, NULL, "unknown flags 0x%x", flags);
	r = idm_map_check(map, err);
	if (r < 0)
		return r;
	initial = idm_procfs_of_initial();
	if (initial < 0 && idm_procfs_child_would_be_init()) {
		idm_fail(err, -EBUSY, step, NULL,
			 "this thread has unshared a PID namespace that has no init yet, and the child "
			 "would become it");
		idm_hint(err, "make the user namespace before unshare(CLONE_NEWPID), or after the fork");
		return -EBUSY;
	}
	r = attempts(map, flags, initial, err);
	/*
	 * Before Linux 7.2 the maps of a zombie belong to the initial namespace's root, so without
	 * CAP_DAC_OVERRIDE there they cannot be opened, unless that was done before the child had
	 * exited. A live child's belong to its user, which is ours.
	 */
	if (r == -EACCES && !flags)
		r = attempts(map, IDM_USERNS_LIVE, initial, err);
	return r;
}
