// SPDX-License-Identifier: MIT
/*
 * Every child has a descriptor that is readable when it has ended: its pidfd or, if it is a fork
 * server's, a pipe. They are in one epoll, edge-triggered: a child that has ended, but is still traced
 * by another process, is readable for as long as that lasts, and cannot be waited for. It comes up anew
 * when the tracer lets go, and, where that matters (see sys/pidfd.c), when the wait of another thread is
 * over.
 *
 * A child that came up is looked at, waited for and removed under the lock. So no other thread has it at
 * the same time, and no event of a delivered child is left in the epoll.
 */
#include "internal.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/epoll.h>

#include "lib/base/cancel.h"
#include "lib/base/copy-struct.h"
#include "lib/base/error.h"
#include "lib/base/macros.h"
#include "lib/sys/fail-errno.h"
#include "lib/sys/pidfd.h"
#include "lib/sys/syscall.h"

static const enum idm_error_step step_new = IDM_STEP_MAKE_REAPER;
static const enum idm_error_step step_add = IDM_STEP_WATCH_CHILD;
static const enum idm_error_step step_next = IDM_STEP_WAIT_FOR_CHILDREN;
static const enum idm_error_step step_forkserver = IDM_STEP_START_FORKSERVER;
static const enum idm_error_step step_start = IDM_STEP_START_PROGRAM;

static const struct timespec at_once;

/* ---- the object ---- */

int idm_reaper_new(struct idm_reaper **reaper, struct idm_error *err)
{
	HOLD_CANCEL;
	struct idm_reaper *new = aligned_alloc(IDM_REAPER_PAGE, IDM_REAPER_PAGE);
	int r;

	*reaper = NULL;
	if (!new)
		return idm_fail_errno(err, -ENOMEM, step_new, NULL);
	memset(new, 0, sizeof(*new));
	idm_watch_begin(new);
	pthread_mutex_init(&new->lock, NULL);
	pthread_mutex_init(&new->starting, NULL);
	new->owner = getpid();
	new->orphans.signals = new->orphans.found = -1;
	new->forkserver = IDM_NO_FORKSERVER;
	r = new->fd = idm_sys_epoll_create();
	if (r < 0) {
		idm_reaper_free(new);
		return idm_fail_errno(err, r, step_new, NULL);
	}
	*reaper = new;
	return 0;
}

/* Only closes: in a forked child the epoll is still the parent's as well. */
void idm_reaper_free(struct idm_reaper *reaper)
{
	HOLD_CANCEL;

	if (!reaper)
		return;
	idm_close_fd(&reaper->fd);
	idm_watch_free_all(reaper);
	idm_orphans_free(reaper);
	idm_forkserver_end(&reaper->forkserver);
	pthread_mutex_destroy(&reaper->starting);
	pthread_mutex_destroy(&reaper->lock);
	free(reaper);
}

int idm_reaper_fd(const struct idm_reaper *reaper)
{
	return reaper->fd;
}

/* The epoll, the pidfds and the children are the other process's. */
static int refuse_fork(const struct idm_reaper *reaper, enum idm_error_step step, struct idm_error *err)
{
	if (reaper->owner == getpid())
		return 0;
	return idm_fail(err, -ECHILD, step, NULL,
			"the reaper belongs to process %d, which forked this one", (int)reaper->owner);
}

/* ---- adding ---- */

static int refuse_name(struct idm_reaper *reaper, unsigned int flags, void *data,
		       enum idm_error_step step, struct idm_error *err)
{
	if (!(flags & IDM_REAPER_ADD_HOLD) || !idm_watch_of_name(reaper, data))
		return 0;
	return idm_fail(err, -EEXIST, step, NULL, "another child is held by the same data");
}

static int diagnose_add(int r, struct idm_error *err)
{
	if (r == -ECHILD)
		return idm_fail(err, r, step_add, NULL, "it is not a child of this process");
	if (r != -ESRCH)
		return idm_fail_because(err, r, step_add, NULL,
					r == -EINVAL ? "it is not a pidfd" : NULL);
	idm_fail(err, r, step_add, NULL,
		 "it has ended, and another wait in this process has its status");
	idm_hint(err, "where another wait is for any child (waitpid(-1), SIGCHLD ignored), and Linux is "
		      "before 6.15, start children with idm_reaper_start()");
	return r;
}

static int add_child(struct idm_reaper *reaper, int pidfd, const struct idm_pidref *process,
		     unsigned int flags, void *data, struct idm_error *err)
{
	int r = refuse_name(reaper, flags, data, step_add, err);

	if (r < 0)
		return r;
	r = idm_watch_process(reaper, pidfd, process, flags, data);
	if (r == 0)
		return 0;
	return idm_fail_because(err, r, step_add, NULL,
				r == -EEXIST   ? "this reaper watches it already"
				: r == -ENOSPC ? "the limit fs.epoll.max_user_watches is reached"
					       : NULL);
}

static int check_add_flags(unsigned int flags, struct idm_error *err)
{
	const unsigned int known = IDM_REAPER_ADD_HOLD | IDM_REAPER_ADD_SPARE;
	int r = idm_check_flags(flags, known, step_add, NULL, err);

	if (r == 0 && flags == known)
		return idm_fail(err, -EINVAL, step_add, NULL, "a child is held or spared, not both");
	return r;
}

int idm_reaper_add(struct idm_reaper *reaper, int pidfd, unsigned int flags, void *data,
		   struct idm_error *err)
{
	HOLD_CANCEL;
	int r = refuse_fork(reaper, step_add, err);
	struct idm_pidref process;

	if (r == 0)
		r = check_add_flags(flags, err);
	if (r < 0)
		return r;
	r = idm_pidfd_check_child(pidfd, &process);
	if (r < 0)
		return diagnose_add(r, err);
	pthread_mutex_lock(&reaper->lock);
	r = add_child(reaper, pidfd, &process, flags, data, err);
	pthread_mutex_unlock(&reaper->lock);
	return r;
}

/* ---- delivering ---- */

static int deliver_exit(struct idm_reaper *reaper, struct idm_watch *watch, struct idm_exit_info *exit,
			void **data)
{
	int r = watch->by_forkserver ? idm_forkserver_take(watch->fd, watch->pid, exit)
				     : idm_pidfd_reap(watch->fd, watch->pid, exit);

	if (r <= 0)
		return r;
	if (data)
		*data = idm_watch_data(watch);
	idm_watch_drop(reaper, watch);
	return r;
}

/*
 * What is not a child stays readable, and moves behind all others each time that it comes up. Where only
 * such have come up, one more than there are, there is no child.
 */
static int deliver_child(struct idm_reaper *reaper, struct idm_exit_info *exit, void **data)
{
	unsigned int others = 0;
	void *watch;
	int r = 0, fd;

	while (others <= IDM_REAPER_ALSO && (r = idm_sys_epoll_take(reaper->fd, &watch)) > 0) {
		if (!watch) {
			others++;
			continue;
		}
		fd = ((struct idm_watch *)watch)->fd;
		r = deliver_exit(reaper, watch, exit, data);
		if (r < 0) /* or it would not come up again */
			idm_sys_epoll_again(reaper->fd, fd, EPOLLIN | EPOLLET, watch);
		if (r != 0)
			return r;
	}
	return r < 0 ? r : 0;
}

static int deliver_forkserver_orphan(struct idm_reaper *reaper, struct idm_exit_info *exit, void **data)
{
	struct idm_forkserver *forkserver = &reaper->forkserver;
	int r = forkserver->orphans < 0 ? 0 : idm_forkserver_take(forkserver->orphans, 0, exit);

	if (r == 1 && exit->code == IDM_EXIT_LOST) { /* the fork server is gone: no more will come */
		idm_sys_epoll_delete(reaper->fd, forkserver->orphans);
		close(idm_steal_fd(&forkserver->orphans));
		return 0;
	}
	if (r == 1 && data)
		*data = reaper->forkserver_orphans;
	return r;
}

/* Children first: one that is left over after that, and was never added, is an orphan. */
static int deliver_any(struct idm_reaper *reaper, struct idm_exit_info *exit, void **data,
		       struct idm_error *err)
{
	int r = deliver_child(reaper, exit, data);

	if (r == 0)
		r = deliver_forkserver_orphan(reaper, exit, data);
	if (r < 0)
		return idm_fail_errno(err, r, step_next, NULL);
	return r == 0 ? idm_orphans_take(reaper, exit, data, err) : r;
}

/* NULL for ever, else a point in time in *at. */
static const struct timespec *make_deadline(int timeout_ms, struct timespec *at)
{
	if (timeout_ms <= 0)
		return timeout_ms < 0 ? NULL : &at_once;
	clock_gettime(CLOCK_MONOTONIC, at);
	at->tv_sec += timeout_ms / 1000;
	at->tv_nsec += timeout_ms % 1000 * 1000000L;
	if (at->tv_nsec >= 1000000000) {
		at->tv_nsec -= 1000000000;
		at->tv_sec++;
	}
	return at;
}

static int refuse_wait(const struct idm_reaper *reaper, int timeout_ms, struct idm_error *err)
{
	if (timeout_ms < -1)
		return idm_fail(err, -EINVAL, step_next, NULL, "the timeout is %d", timeout_ms);
	return refuse_fork(reaper, step_next, err);
}

static int report_no_exit(struct idm_error *err)
{
	return idm_fail(err, -ETIMEDOUT, step_next, NULL, "no child has exited");
}

/* 1: *exit is one. 0: none came until then. */
static int await_any(struct idm_reaper *reaper, const struct timespec *deadline,
		     struct idm_exit_info *exit, void **data, struct idm_error *err)
{
	int r;

	do {
		pthread_mutex_lock(&reaper->lock);
		r = deliver_any(reaper, exit, data, err);
		pthread_mutex_unlock(&reaper->lock);
		if (r != 0 || deadline == &at_once)
			return r;
		/* This only waits: the first thread with the lock gets the child. */
		r = idm_sys_poll_until(reaper->fd, POLLIN, deadline);
	} while (r > 0);
	return r < 0 ? idm_fail_errno(err, r, step_next, NULL) : 0;
}

int idm_reaper_next(struct idm_reaper *reaper, int timeout_ms, struct idm_exit_info *exit, void **data,
		    struct idm_error *err)
{
	HOLD_CANCEL;
	int r = refuse_wait(reaper, timeout_ms, err);
	struct timespec at;

	if (r < 0)
		return r;
	r = await_any(reaper, make_deadline(timeout_ms, &at), exit, data, err);
	return r == 0 ? report_no_exit(err) : r < 0 ? r : 0;
}

/* ---- one child ---- */

static int claim_watch(struct idm_reaper *reaper, void *data, struct idm_watch **watch,
		       struct idm_error *err)
{
	*watch = idm_watch_of_name(reaper, data);
	if (!*watch)
		return idm_fail(err, -ESRCH, step_next, NULL,
				"no child is held by this data, or not any more");
	if ((*watch)->waited)
		return idm_fail(err, -EBUSY, step_next, NULL, "another thread is waiting for it");
	(*watch)->waited = true;
	return 0;
}

/* In an epoll of its own, edge-triggered for the same reason as the others. */
static int await_watch(struct idm_reaper *reaper, struct idm_watch *watch,
		       const struct timespec *deadline, struct idm_exit_info *exit)
{
	AUTO_CLOSE int epoll = idm_sys_epoll_create();
	int r = epoll < 0 ? epoll : idm_sys_epoll_add(epoll, watch->fd, EPOLLIN | EPOLLET, NULL);
	void *unused;

	if (r < 0)
		return r;
	while ((r = idm_sys_poll_until(epoll, POLLIN, deadline)) > 0) {
		if (idm_sys_epoll_take(epoll, &unused) <=
		    0) /* it is edge-triggered: wait for the next */
			continue;
		pthread_mutex_lock(&reaper->lock);
		r = deliver_exit(reaper, watch, exit, NULL);
		pthread_mutex_unlock(&reaper->lock);
		if (r != 0)
			break;
	}
	return r;
}

int idm_reaper_wait(struct idm_reaper *reaper, void *data, int timeout_ms, struct idm_exit_info *exit,
		    struct idm_error *err)
{
	HOLD_CANCEL;
	int r = refuse_wait(reaper, timeout_ms, err);
	struct idm_watch *watch = NULL;
	struct timespec at;

	if (r < 0)
		return r;
	pthread_mutex_lock(&reaper->lock);
	r = claim_watch(reaper, data, &watch, err);
	pthread_mutex_unlock(&reaper->lock);
	if (r < 0)
		return r;
	r = await_watch(reaper, watch, make_deadline(timeout_ms, &at), exit);
	if (r > 0)
		return 0;
	pthread_mutex_lock(&reaper->lock);
	watch->waited = false;
	pthread_mutex_unlock(&reaper->lock);
	return r < 0 ? idm_fail_errno(err, r, step_next, NULL) : report_no_exit(err);
}

/* ---- by a fork server ---- */

static int start_own_forkserver(struct idm_reaper *reaper, unsigned int flags, void *data,
				struct idm_error *err)
{
	int r;

	if (reaper->forkserver.pidfd >= 0)
		return idm_fail(err, -EALREADY, step_forkserver, NULL, "this reaper has one");
	r = idm_forkserver_begin(&reaper->forkserver, flags & IDM_REAPER_FORKSERVER_ORPHANS, err);
	if (r < 0 || !(flags & IDM_REAPER_FORKSERVER_ORPHANS))
		return r;
	reaper->forkserver_orphans = data;
	r = idm_reaper_also(reaper, reaper->forkserver.orphans);
	if (r < 0) {
		idm_forkserver_end(&reaper->forkserver);
		idm_fail_errno(err, r, step_forkserver, NULL);
	}
	return r;
}

int idm_reaper_start_forkserver(struct idm_reaper *reaper, unsigned int flags, void *data,
				struct idm_error *err)
{
	HOLD_CANCEL;
	int r = refuse_fork(reaper, step_forkserver, err);

	if (r == 0)
		r = idm_check_flags(flags, IDM_REAPER_FORKSERVER_ORPHANS, step_forkserver, NULL, err);
	if (r < 0)
		return r;
	pthread_mutex_lock(&reaper->starting);
	pthread_mutex_lock(&reaper->lock);
	r = start_own_forkserver(reaper, flags, data, err);
	pthread_mutex_unlock(&reaper->lock);
	pthread_mutex_unlock(&reaper->starting);
	return r;
}

/* From now on its exit would not be reported to any process. */
static int kill_unwatched(int pidfd, int report, int r, const char *path, struct idm_error *err)
{
	if (idm_sys_pidfd_send_signal(pidfd, SIGKILL) == 0)
		idm_forkserver_await_end(report);
	return r == -EEXIST ? r : idm_fail_errno(err, r, step_start, path);
}

static int watch_started(struct idm_reaper *reaper, const struct idm_watch *watch, struct idm_error *err)
{
	int r;

	pthread_mutex_lock(&reaper->lock);
	r = refuse_name(reaper, watch->flags, idm_watch_data(watch), step_start, err);
	if (r == 0)
		r = idm_watch_add(reaper, watch);
	pthread_mutex_unlock(&reaper->lock);
	return r;
}

static int start_watched(struct idm_reaper *reaper, const struct idm_child_options *options,
			 unsigned int flags, void *data, struct idm_error *err)
{
	struct idm_watch watch = { .by_name.key = (uintptr_t)data,
				   .flags = flags,
				   .by_forkserver = true };
	AUTO_CLOSE int pidfd = -1, report = -1;
	int r;

	pidfd = idm_forkserver_start(&reaper->forkserver, &reaper->starting, options, &report,
				     &watch.pid, err);
	if (pidfd < 0)
		return pidfd;
	watch.fd = report;
	r = watch_started(reaper, &watch, err);
	if (r < 0)
		return kill_unwatched(pidfd, report, r, options->path, err);
	idm_steal_fd(&report);
	return idm_steal_fd(&pidfd);
}

static int require_forkserver(const struct idm_reaper *reaper, struct idm_error *err)
{
	if (reaper->forkserver.pidfd >= 0)
		return 0;
	return idm_fail(err, -ECHILD, step_start, NULL,
			"the reaper has no fork server: call idm_reaper_start_forkserver() before");
}

/* Refuses a name in use before anything is started. Once more after that: another thread may be faster.
 */
static int refuse_start(struct idm_reaper *reaper, unsigned int flags, void *data, struct idm_error *err)
{
	int r = refuse_fork(reaper, step_start, err);

	if (r == 0)
		r = idm_check_flags(flags, IDM_REAPER_ADD_HOLD, step_start, NULL, err);
	if (r < 0)
		return r;
	pthread_mutex_lock(&reaper->lock);
	r = require_forkserver(reaper, err);
	if (r == 0)
		r = refuse_name(reaper, flags, data, step_start, err);
	pthread_mutex_unlock(&reaper->lock);
	return r;
}

int idm_reaper_start(struct idm_reaper *reaper, const struct idm_child_options *options,
		     unsigned int flags, void *data, struct idm_error *err)
{
	HOLD_CANCEL;
	int r = refuse_start(reaper, flags, data, err);

	return r < 0 ? r : start_watched(reaper, options, flags, data, err);
}
