// SPDX-License-Identifier: MIT
/*
 * The core: a user namespace descriptor that no reused PID can spoil. The order of the steps is the
 * proof, see docs/design.md:
 *
 *   1. start a child that no wait(-1) and no SIGCHLD setting can take, and hold it by pidfd;
 *   2. open its uid_map, gid_map and ns/user, in a procfs where its number is known: by the pidfd, or
 *      as clone says, if all of this is in the initial PID namespace;
 *   3. ask the pidfd whether the child is still there (a zombie is). If so, its number was not free
 *      while 2 happened, so what is open is the child's, whatever happens from here on. If not,
 *      nothing has been touched: start again;
 *   4. write the maps through what is open, end the child by its pidfd.
 *
 * Of a child with a memory of its own the end comes before the maps are written.
 */
#include <errno.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>

#include "lib/base/cancel.h"
#include "lib/base/copy-struct.h"
#include "lib/base/error.h"
#include "lib/base/macros.h"
#include "lib/idmap/idmap.h"
#include "lib/idmap/own-mappings.h"
#include "lib/sys/capability.h"
#include "lib/sys/fail-errno.h"
#include "lib/sys/procfs.h"
#include "lib/sys/raw-syscall.h"
#include "lib/sys/reaped-diag.h"
#include "lib/sys/refused.h"
#include "lib/sys/seccomp-probe.h"
#include "lib/sys/syscall.h"
#include "userns-child.h"
#include "userns-diag.h"

static const enum idm_error_step step_open = IDM_STEP_OPEN_CHILD_MAPS;

/* What is open of the child. */
struct files {
	int process; /* its directory in /proc */
	int uid_map, gid_map, setgroups, ns;
};

static void close_child_files(struct files *f)
{
	idm_close_fd(&f->process);
	idm_close_fd(&f->uid_map);
	idm_close_fd(&f->gid_map);
	idm_close_fd(&f->setgroups);
	idm_close_fd(&f->ns);
}

static int open_child_file(int process, const char *name, int flags, int *fd, struct idm_error *err)
{
	*fd = idm_procfs_openat(process, name, flags);
	if (*fd >= 0)
		return 0;
	idm_fail_because(err, *fd, step_open, name,
			 *fd == -EXDEV ? "another mount covers that part of the child's /proc directory"
				       : NULL);
	if (*fd == -EXDEV)
		idm_hint(err, "/proc/self/mountinfo lists the mounts below /proc");
	return *fd;
}

static int open_setgroups(struct files *f, struct idm_error *err)
{
	return open_child_file(f->process, "setgroups", O_WRONLY, &f->setgroups, err);
}

static int open_child_files(const struct idm_userns_child *child, int initial, struct files *f,
			    struct idm_error *err)
{
	int r;

	f->process = initial < 0 ? initial : idm_procfs_process(initial, child->number);
	if (f->process < 0) /* also if it is hidden or covered there: a private procfs may do */
		f->process = idm_procfs_open(child->pidfd, true, err);
	if (f->process < 0)
		return f->process;
	r = open_child_file(f->process, "uid_map", O_WRONLY, &f->uid_map, err);
	if (r == 0)
		r = open_child_file(f->process, "gid_map", O_WRONLY, &f->gid_map, err);
	/* What belongs to a live child's user before it is killed does not afterwards. */
	if (r == 0 && child->way == IDM_USERNS_CHILD_OWN && !idm_has_capability(CAP_SETGID))
		r = open_setgroups(f, err);
	if (r == 0)
		r = open_child_file(f->process, "ns/user", O_RDONLY, &f->ns, err);
	return r;
}

/* Signal 0 asks only. It reaches a zombie, but no process that has been reaped. */
static int prove_child_alive(const struct idm_userns_child *child, struct idm_error *err)
{
	int r = idm_sys_pidfd_send_signal(child->pidfd, 0);

	if (r == -ESRCH)
		return idm_fail(err, r, IDM_STEP_HOLD_CHILD, NULL, "another thread reaped it");
	return r < 0 ? idm_fail_errno(err, r, IDM_STEP_HOLD_CHILD, NULL) : 0;
}

#define IDM_USERNS_WAYS (IDM_USERNS_ZOMBIE | IDM_USERNS_LIVE | IDM_USERNS_OWN_MEMORY)

struct request {
	const struct idm_map *map;
	struct idm_kernel_text *uid, *gid; /* the map as text */
	enum idm_userns_child_way way;
	bool of_zombie;	  /* the verdict on a zombie is wanted */
	int initial;	  /* see idm_procfs_of_initial(), or negative */
	bool not_started; /* the kernel has refused the child */
	struct idm_error *err;
};

/* The kernel accepts one write. */
static int write_map_side(const struct idm_kernel_text *text, int fd)
{
	ssize_t written = idm_sys_write(fd, text->bytes, text->n);

	return written == (ssize_t)text->n ? 0 : written < 0 ? (int)written : -EIO;
}

/*
 * Writes the side in lines that each lie in one mapping of this user namespace's own map. The kernel
 * refuses others with EPERM, and accepts a second write after that. Only a caller with such a map pays
 * for it.
 */
static int write_split_side(struct request *q, unsigned int kind, int fd)
{
	struct idm_kernel_text *text = kind == IDM_UID ? q->uid : q->gid;
	int r = idm_map_print_split(q->map, kind, text, q->err);

	if (r == -E2BIG || r == -ENOMEM)
		return r;
	r = r < 0 ? -EPERM : write_map_side(text, fd);
	return r < 0 ? idm_diagnose_map_refused(q->map, kind, r, q->err) : 0;
}

/*
 * Without CAP_SETGID the kernel requires that setgroups(2) is denied in the namespace first. The
 * directory belongs to the proven child for ever, and not to its number.
 */
static int write_gids_without_setgroups(const struct request *q, struct files *f)
{
	int r;

	if (idm_has_capability(CAP_SETGID))
		return -EPERM;
	r = f->setgroups < 0 ? open_setgroups(f, NULL) : 0;
	if (r < 0)
		return r == -EACCES ? r : -EPERM;
	return idm_sys_write(f->setgroups, "deny", 4) == 4 ? write_map_side(q->gid, f->gid_map) : -EPERM;
}

static int write_maps(struct request *q, struct files *f)
{
	int r = write_map_side(q->uid, f->uid_map);

	if (r == -EPERM)
		r = write_split_side(q, IDM_UID, f->uid_map);
	else if (r < 0)
		r = idm_diagnose_map_refused(q->map, IDM_UID, r, q->err);
	if (r < 0)
		return r;
	r = write_map_side(q->gid, f->gid_map);
	if (r == -EPERM)
		r = write_gids_without_setgroups(q, f);
	if (r == -EPERM)
		return write_split_side(q, IDM_GID, f->gid_map);
	return r < 0 ? idm_diagnose_map_refused(q->map, IDM_GID, r, q->err) : 0;
}

/* Reaps the child, however far it came. `r` is what came of it. */
static int end_child(struct idm_userns_child *child, int r, struct idm_error *err)
{
	int waited = idm_userns_child_end(child);

	if (r < 0 || waited == 0)
		return r;
	return idm_fail(err, waited, IDM_STEP_REAP_CHILD, NULL, "waitid(2) fails: %s",
			idm_errno_text(-waited));
}

static int write_through(struct request *q, struct idm_userns_child *child, struct files *f)
{
	int r = open_child_files(child, q->initial, f, q->err), alive;

	if (r == -EACCES && child->way == IDM_USERNS_CHILD_OWN && child->shared->full)
		r = idm_fail(
			q->err, -EPERM, step_open, NULL,
			"the caller has sealed memory, which its child can neither unmap nor empty");
	/* Also if that failed: there are many errnos for "it is gone", such as EINVAL and EACCES. */
	alive = prove_child_alive(child, q->err);
	/* Any process of its user may trace it: it is dead before it has an ID. */
	if (q->way == IDM_USERNS_CHILD_OWN) {
		idm_userns_child_kill(child);
		idm_userns_child_await_exit(child);
	}
	if (alive < 0)
		return alive;
	return r < 0 ? r : write_maps(q, f);
}

static int attempt_open(struct request *q)
{
	struct files f = { -1, -1, -1, -1, -1 };
	struct idm_userns_child child;
	int r = idm_userns_child_start(&child, q->way);

	q->not_started = r < 0;
	if (r < 0)
		return idm_diagnose_no_userns(r, q->err);
	/*
	 * As long as it has not exited, its maps belong to its user. IDM_USERNS_ZOMBIE asks
	 * for the verdict on a zombie; without the flag the library does not wait.
	 */
	if (q->of_zombie)
		idm_userns_child_await_exit(&child);
	r = end_child(&child, write_through(q, &child, &f), q->err);
	if (r == 0)
		r = idm_steal_fd(&f.ns);
	close_child_files(&f);
	return r;
}

static int repeat_attempt(struct request *q, enum idm_userns_child_way way)
{
	int r = -ESRCH;

	q->way = way;
	for (int i = 0; i < IDM_CHILD_ATTEMPTS && r == -ESRCH; i++)
		r = attempt_open(q);
	return r == -ESRCH ? idm_diagnose_always_reaped(q->err) : r;
}

/* The child was dumpable, so its files belonged to the caller's user. */
static int open_by_own_memory(struct request *q)
{
	int r = repeat_attempt(q, IDM_USERNS_CHILD_OWN);

	return r == -EACCES ? idm_diagnose_closed_file(r, step_open, "/proc", q->err) : r;
}

/*
 * Before Linux 7.2 the maps of a zombie belong to the initial namespace's root, so without
 * CAP_DAC_OVERRIDE there they cannot be opened, unless that was done before the child had exited. A live
 * child's belong to its user, which is the caller's. That is not so if the caller is not dumpable: then
 * a child that shares its memory is not either.
 * EINVAL: after unshare(CLONE_NEWTIME) old kernels refuse a child that shares memory.
 */
static int open_any_way(struct request *q)
{
	int r = repeat_attempt(q, IDM_USERNS_CHILD_ZOMBIE);

	if (r == -EACCES && idm_sys_prctl(PR_GET_DUMPABLE, 0, 0) == 1)
		r = repeat_attempt(q, IDM_USERNS_CHILD_LIVE);
	if (IDM_RAW_HAS_ASSEMBLY && (r == -EACCES || (r == -EINVAL && q->not_started)))
		return open_by_own_memory(q);
	return r;
}

static int open_one_way(struct request *q, unsigned int flags)
{
	q->of_zombie = flags == IDM_USERNS_ZOMBIE;
	if (flags == IDM_USERNS_OWN_MEMORY)
		return open_by_own_memory(q);
	return repeat_attempt(q, q->of_zombie ? IDM_USERNS_CHILD_ZOMBIE : IDM_USERNS_CHILD_LIVE);
}

static int print_both_sides(struct request *q, struct idm_kernel_text texts[2])
{
	int r;

	q->uid = &texts[0];
	q->gid = &texts[1];
	r = idm_map_print_kernel(q->map, IDM_UID, q->uid, q->err);
	return r < 0 ? r : idm_map_print_kernel(q->map, IDM_GID, q->gid, q->err);
}

static int check_init(enum idm_error_step step, struct idm_error *err)
{
	int r = idm_procfs_check_init();

	if (r < 0)
		r = idm_diagnose_no_init(r, step, err);
	if (r == -EBUSY)
		idm_hint(err, "make the user namespace before unshare(CLONE_NEWPID), or after the fork");
	return r;
}

int idm_userns_open(const struct idm_map *map, unsigned int flags, struct idm_error *err)
{
	HOLD_CANCEL;
	static const enum idm_error_step step = IDM_STEP_MAKE_USERNS;
	struct request q = { .map = map, .err = err };
	AUTO_FREE struct idm_kernel_text *texts = NULL;
	AUTO_CLOSE int initial = -1;
	int r = idm_check_flags(flags, IDM_USERNS_WAYS, step, NULL, err);

	if (r < 0)
		return r;
	if (flags & (flags - 1))
		return idm_fail(err, -EINVAL, step, NULL,
				"expected at most one of IDM_USERNS_ZOMBIE, IDM_USERNS_LIVE and "
				"IDM_USERNS_OWN_MEMORY, got 0x%x",
				flags);
	texts = malloc(2 * sizeof(*texts));
	if (!texts)
		return idm_fail_errno(err, -ENOMEM, step, NULL);
	r = print_both_sides(&q, texts);
	if (r < 0)
		return r;
	/* A child that could not be reaped is not started. */
	r = idm_check_waitid(step, err);
	if (r < 0)
		return r;
	initial = q.initial = idm_procfs_of_initial();
	r = initial < 0 ? check_init(step, err) : 0;
	if (r < 0)
		return r;
	return flags ? open_one_way(&q, flags) : open_any_way(&q);
}
