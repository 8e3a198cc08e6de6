// SPDX-License-Identifier: MIT
/*
 * Waits for children. Every child has a descriptor that is readable after its exit: its pidfd or, if the
 * fork server is its parent, a pipe. They are in one epoll, edge-triggered. A child that has exited, but
 * is still traced by another process, stays readable for that time, and cannot be waited for. The epoll
 * reports it again when the tracer releases it. Where that matters (see sys/pidfd.c), it also does so
 * when the wait of another thread is over.
 *
 * The child that an event names is checked, waited for and removed under the lock. So no other thread
 * has it at the same time, and no event of a delivered child stays in the epoll.
 */
#include "internal.h"

#include <errno.h>
#include <poll.h>
#include <sys/epoll.h>

#include "lib/base/cancel.h"
#include "lib/base/error.h"
#include "lib/base/macros.h"
#include "lib/sys/fail-errno.h"
#include "lib/sys/pidfd.h"
#include "lib/sys/syscall.h"

static const enum idm_error_step step_next = IDM_STEP_WAIT_FOR_CHILDREN;

static const struct timespec at_once;

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
 * A descriptor that is not a child's stays readable, and each event moves it behind all others. If the
 * first events are of such descriptors only, one more than exist, no child is ready.
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
		if (r < 0) /* or the epoll would not report it again */
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

	if (r == 1 && exit->code == IDM_EXIT_LOST) { /* the fork server has exited: no more follow */
		idm_sys_epoll_delete(reaper->fd, forkserver->orphans);
		close(idm_steal_fd(&forkserver->orphans));
		return 0;
	}
	if (r == 1 && data)
		*data = reaper->forkserver_orphans;
	return r;
}

/* Children first: an exited child that remains and was never added is an orphan. */
static int deliver_any(struct idm_reaper *reaper, struct idm_exit_info *exit, void **data,
		       struct idm_error *err)
{
	int r = deliver_child(reaper, exit, data);

	if (r == 0)
		r = deliver_forkserver_orphan(reaper, exit, data);
	if (r < 0)
		return idm_fail_errno(err, r, step_next, NULL);
	return r == 0 ? idm_orphans_deliver(reaper, exit, data, err) : r;
}

/* Returns NULL for no deadline, else *at. */
static const struct timespec *make_deadline(int timeout_ms, struct timespec *at)
{
	if (timeout_ms <= 0)
		return timeout_ms < 0 ? NULL : &at_once;
	idm_sys_deadline(at, timeout_ms);
	return at;
}

static int refuse_wait(const struct idm_reaper *reaper, int timeout_ms, struct idm_error *err)
{
	if (timeout_ms < -1)
		return idm_fail(err, -EINVAL, step_next, NULL,
				"expected a timeout of -1 or more, got %d", timeout_ms);
	return idm_reaper_refuse_fork(reaper, step_next, err);
}

static int report_no_exit(struct idm_error *err)
{
	return idm_fail(err, -ETIMEDOUT, step_next, NULL, "no child has exited");
}

/* Returns 1 with an exit in *exit, or 0 after the deadline. */
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
				"the reaper holds no child by this data, or has delivered its exit");
	if ((*watch)->waited)
		return idm_fail(err, -EBUSY, step_next, NULL, "another thread waits for this child");
	(*watch)->waited = true;
	return 0;
}

/* Uses a separate epoll, edge-triggered for the same reason as the reaper's. */
static int await_watch(struct idm_reaper *reaper, struct idm_watch *watch,
		       const struct timespec *deadline, struct idm_exit_info *exit)
{
	AUTO_CLOSE int epoll = idm_sys_epoll_create();
	int r = epoll < 0 ? epoll : idm_sys_epoll_add(epoll, watch->fd, EPOLLIN | EPOLLET, NULL);
	void *unused;

	if (r < 0)
		return r;
	while ((r = idm_sys_poll_until(epoll, POLLIN, deadline)) > 0) {
		if (idm_sys_epoll_take(epoll, &unused) <= 0) /* edge-triggered: the next event follows */
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
