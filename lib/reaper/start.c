// SPDX-License-Identifier: MIT
/* Starts children by the reaper's fork server. */
#include <errno.h>

#include "internal.h"
#include "lib/base/cancel.h"
#include "lib/base/copy-struct.h"
#include "lib/base/error.h"
#include "lib/base/macros.h"
#include "lib/sys/fail-errno.h"
#include "lib/sys/pidfd.h"
#include "lib/sys/syscall.h"

static const enum idm_error_step step_forkserver = IDM_STEP_START_FORKSERVER;
static const enum idm_error_step step_start = IDM_STEP_START_PROGRAM;

/* A subreaper gets the fork server as a child with SIGCHLD. It is no orphan to deliver. */
static int spare_forkserver(struct idm_reaper *reaper)
{
	struct idm_pidref process;

	if (idm_pidfd_check_child(reaper->forkserver.pidfd, &process) < 0)
		return 0;
	return idm_watch_process(reaper, reaper->forkserver.pidfd, &process, IDM_REAPER_ADD_SPARE, NULL);
}

static int watch_forkserver(struct idm_reaper *reaper, void *data, struct idm_error *err)
{
	int r = spare_forkserver(reaper);

	reaper->forkserver_orphans = data;
	if (r == 0 && reaper->forkserver.orphans >= 0)
		r = idm_reaper_also(reaper, reaper->forkserver.orphans);
	if (r < 0) {
		idm_forkserver_end(&reaper->forkserver);
		idm_fail_errno(err, r, step_forkserver, NULL);
	}
	return r;
}

static int start_own_forkserver(struct idm_reaper *reaper, unsigned int flags, void *data,
				struct idm_error *err)
{
	int r;

	if (reaper->forkserver.pidfd >= 0)
		return idm_fail(err, -EALREADY, step_forkserver, NULL,
				"this reaper has a fork server already");
	r = idm_forkserver_begin(&reaper->forkserver, flags & IDM_REAPER_FORKSERVER_ORPHANS, err);
	return r < 0 ? r : watch_forkserver(reaper, data, err);
}

int idm_reaper_start_forkserver(struct idm_reaper *reaper, unsigned int flags, void *data,
				struct idm_error *err)
{
	HOLD_CANCEL;
	int r = idm_reaper_refuse_fork(reaper, step_forkserver, err);

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

/* Kills a started child that the reaper cannot watch: no process would learn of its exit. */
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
	r = idm_reaper_refuse_name(reaper, watch->flags, idm_watch_data(watch), step_start, err);
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
			"the reaper has no fork server: call idm_reaper_start_forkserver() first");
}

/*
 * Rejects data in use before anything is started. watch_started() checks again: another thread may be
 * faster.
 */
static int refuse_start(struct idm_reaper *reaper, unsigned int flags, void *data, struct idm_error *err)
{
	int r = idm_reaper_refuse_fork(reaper, step_start, err);

	if (r == 0)
		r = idm_check_flags(flags, IDM_REAPER_ADD_HOLD, step_start, NULL, err);
	if (r < 0)
		return r;
	pthread_mutex_lock(&reaper->lock);
	r = require_forkserver(reaper, err);
	if (r == 0)
		r = idm_reaper_refuse_name(reaper, flags, data, step_start, err);
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
