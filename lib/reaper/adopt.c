// SPDX-License-Identifier: MIT
/* Starts the adoption of orphans. orphans.c finds them. */
#include <errno.h>

#include "children.h"
#include "internal.h"
#include "lib/base/cancel.h"
#include "lib/base/copy-struct.h"
#include "lib/base/error.h"
#include "lib/base/macros.h"
#include "lib/sys/fail-errno.h"
#include "lib/sys/pidfd.h"
#include "lib/sys/procfs.h"
#include "lib/sys/syscall.h"

static const enum idm_error_step step_adopt = IDM_STEP_ADOPT_ORPHANS;

/* Spares a child that existed before the adoption. */
static int spare_child(struct idm_reaper *reaper, pid_t pid)
{
	AUTO_CLOSE int fd = idm_sys_pidfd_open(pid);
	int r = fd == -ESRCH ? 0 : fd;
	struct idm_pidref process;

	if (fd >= 0 && idm_pidfd_check_child(fd, &process) == 0)
		r = idm_watch_process(reaper, fd, &process, IDM_REAPER_ADD_SPARE, reaper);
	else if (fd >= 0)
		r = 0;
	return r == -EEXIST ? 0 : r;
}

static void unspare_child(struct idm_hash_link *link, void *reaper)
{
	struct idm_watch *watch = idm_container_of(struct idm_watch, by_process, link);

	if (watch->flags & IDM_REAPER_ADD_SPARE && idm_watch_data(watch) == reaper)
		idm_watch_drop(reaper, watch);
}

/* Also checks that the kernel lists children at all. */
static int spare_children(struct idm_reaper *reaper, unsigned int flags, struct idm_error *err)
{
	AUTO_NUMBERS struct idm_numbers children = { NULL, 0 };
	AUTO_CLOSE int proc = idm_procfs_own(err), list = -1;
	int r;

	if (proc < 0)
		return proc;
	r = list = idm_children_open(proc);
	if (r >= 0)
		r = idm_children_list(list, &children);
	if (r == -ENOENT)
		return idm_fail(err, r, step_adopt, NULL,
				"/proc/PID/task/TID/children is not supported by this kernel "
				"(needs CONFIG_PROC_CHILDREN)");
	for (size_t i = 0; i < children.n && r == 0 && !(flags & IDM_REAPER_ADOPT_INHERIT); i++)
		r = spare_child(reaper, children.pids[i]);
	if (r < 0) {
		idm_hashtable_each(&reaper->by_process, unspare_child, reaper);
		return idm_fail_errno(err, r, step_adopt, NULL);
	}
	return 0;
}

static int refuse_adoption(const struct idm_reaper *reaper, unsigned int flags, struct idm_error *err)
{
	int r = idm_check_flags(flags, IDM_REAPER_ADOPT_INHERIT, step_adopt, NULL, err);

	if (r < 0)
		return r;
	if (reaper->orphans.wanted)
		return idm_fail(err, -EALREADY, step_adopt, NULL, "this reaper adopts orphans already");
	if (!idm_is_subreaper()) {
		idm_fail(err, -EINVAL, step_adopt, NULL, "this process gets no orphans");
		idm_hint(err,
			 "run as process 1, or become a subreaper: prctl(PR_SET_CHILD_SUBREAPER, 1)");
		return -EINVAL;
	}
	if (idm_is_sigchld_ignored())
		return idm_fail(err, -EINVAL, step_adopt, NULL,
				"SIGCHLD is ignored, so the kernel discards exit statuses");
	if (!idm_is_signal_blocked(SIGCHLD)) {
		idm_fail(err, -EINVAL, step_adopt, NULL, "SIGCHLD is not blocked, so it would be lost");
		idm_hint(err, "block it by pthread_sigmask(3) before starting threads");
		return -EINVAL;
	}
	return 0;
}

static int open_orphan_fds(struct idm_reaper *reaper)
{
	AUTO_CLOSE int signals = idm_sys_signalfd(1ULL << (SIGCHLD - 1)), found = -1;
	int r = signals;

	if (r >= 0)
		r = found = idm_sys_eventfd();
	if (r >= 0)
		r = idm_reaper_also(reaper, signals);
	if (r >= 0)
		r = idm_reaper_also(reaper, found);
	if (r < 0)
		return r;
	reaper->orphans.signals = idm_steal_fd(&signals);
	reaper->orphans.found = idm_steal_fd(&found);
	return 0;
}

static int begin_adoption(struct idm_reaper *reaper, unsigned int flags, void *data,
			  struct idm_error *err)
{
	struct idm_orphans *orphans = &reaper->orphans;
	int r = refuse_adoption(reaper, flags, err);

	if (r == 0)
		r = spare_children(reaper, flags, err);
	if (r < 0)
		return r;
	r = open_orphan_fds(reaper);
	if (r < 0) {
		idm_hashtable_each(&reaper->by_process, unspare_child, reaper);
		return idm_fail_errno(err, r, step_adopt, NULL);
	}
	orphans->last = &orphans->first;
	orphans->data = data;
	orphans->wanted = true;
	orphans->due = true; /* one may have exited before the signalfd existed */
	idm_orphans_set_found(orphans);
	return 0;
}

int idm_reaper_adopt(struct idm_reaper *reaper, unsigned int flags, void *data, struct idm_error *err)
{
	HOLD_CANCEL;
	int r = idm_reaper_refuse_fork(reaper, step_adopt, err);

	if (r < 0)
		return r;
	pthread_mutex_lock(&reaper->lock);
	r = begin_adoption(reaper, flags, data, err);
	pthread_mutex_unlock(&reaper->lock);
	return r;
}
