// SPDX-License-Identifier: MIT
/* Makes a reaper and adds children to it. deliver.c waits for them. */
#include "internal.h"

#include <errno.h>

#include "lib/base/cancel.h"
#include "lib/base/copy-struct.h"
#include "lib/base/error.h"
#include "lib/base/macros.h"
#include "lib/sys/fail-errno.h"
#include "lib/sys/pidfd.h"
#include "lib/sys/syscall.h"

static const enum idm_error_step step_new = IDM_STEP_MAKE_REAPER;
static const enum idm_error_step step_add = IDM_STEP_WATCH_CHILD;

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

/* Only closes descriptors: in a forked child the epoll still belongs to the parent, too. */
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

/* The epoll, the pidfds and the children belong to the process that made the reaper. */
int idm_reaper_refuse_fork(const struct idm_reaper *reaper, enum idm_error_step step,
			   struct idm_error *err)
{
	if (reaper->owner == getpid())
		return 0;
	return idm_fail(err, -ECHILD, step, NULL,
			"the reaper belongs to process %d, which forked this one", (int)reaper->owner);
}

int idm_reaper_refuse_name(struct idm_reaper *reaper, unsigned int flags, void *data,
			   enum idm_error_step step, struct idm_error *err)
{
	if (!(flags & IDM_REAPER_ADD_HOLD) || !idm_watch_of_name(reaper, data))
		return 0;
	return idm_fail(err, -EEXIST, step, NULL, "the reaper holds another child by the same data");
}

static int diagnose_add(int r, int pidfd, struct idm_error *err)
{
	bool open = (r != -EBADF && r != -EINVAL) || idm_sys_fd_flags(pidfd) >= 0;

	if (!open)
		return idm_fail(err, -EBADF, step_add, NULL, "descriptor %d is not open", pidfd);
	if (r == -EBADF || r == -EINVAL)
		return idm_fail(err, -EINVAL, step_add, NULL, "descriptor %d is not a pidfd of a process", pidfd);
	if (r == -ECHILD)
		return idm_fail(err, r, step_add, NULL, "it is not a child of this process");
	if (r != -ESRCH)
		return idm_fail_errno(err, r, step_add, NULL);
	idm_fail(err, r, step_add, NULL,
		 "it has exited, and another wait in this process consumed its status");
	idm_hint(err,
		 "before Linux 6.15, start children by idm_reaper_start() if this process waits for any "
		 "child (waitpid(-1)) or ignores SIGCHLD");
	return r;
}

static int add_child(struct idm_reaper *reaper, int pidfd, const struct idm_pidref *process,
		     unsigned int flags, void *data, struct idm_error *err)
{
	int r = idm_reaper_refuse_name(reaper, flags, data, step_add, err);

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
		return idm_fail(err, -EINVAL, step_add, NULL,
				"IDM_REAPER_ADD_HOLD and IDM_REAPER_ADD_SPARE exclude each other");
	return r;
}

/*
 * Without HOLD_CANCEL: it writes to a page of the thread, which the kernel copies after each fork. Where
 * a call below is a cancellation point, that is held off there.
 */
int idm_reaper_add(struct idm_reaper *reaper, int pidfd, unsigned int flags, void *data,
		   struct idm_error *err)
{
	int r = idm_reaper_refuse_fork(reaper, step_add, err);
	struct idm_pidref process;

	if (r == 0)
		r = check_add_flags(flags, err);
	if (r < 0)
		return r;
	r = idm_pidfd_check_child(pidfd, &process);
	if (r < 0)
		return diagnose_add(r, pidfd, err);
	pthread_mutex_lock(&reaper->lock);
	r = add_child(reaper, pidfd, &process, flags, data, err);
	pthread_mutex_unlock(&reaper->lock);
	return r;
}
