// SPDX-License-Identifier: MIT
/*
 * Children that no caller added, and which of them are orphans.
 *
 * The kernel keeps no record of who started a process: once its parent is dead and it has been given to
 * this process, it looks like any other child. But children belong to threads, and an orphan is given to
 * the first thread of the new parent that is not about to end, that is the main thread as a rule. Each
 * thread's children are listed in /proc/self/task/TID/children. So what is in another thread's list is
 * no orphan. A child in the first thread's list that has exited is one, unless it is known to be:
 *  - a child that was added, which includes the spared ones, and those that were there before;
 *  - a child without SIGCHLD, which waits without __WALL do not see: an orphan is always given SIGCHLD.
 *    The library's own children are of that kind.
 *
 * A SIGCHLD says that it is worth looking, nothing more. Then waitid(P_ALL, WNOWAIT) says whether there
 * is a zombie at all. It cannot be asked for the next one, if the first is another's to wait for; the
 * list can.
 *
 * Numbers are made sure of by pidfds: one is opened by the number, then the number must still be in the
 * list, and then the pidfd not yet reaped. So the number was that process's all the time, and it is in
 * the list.
 */
#include <errno.h>

#include "children.h"
#include "internal.h"
#include "lib/base/error.h"
#include "lib/base/macros.h"
#include "lib/sys/fail-errno.h"
#include "lib/sys/pidfd.h"
#include "lib/sys/procfs.h"
#include "lib/sys/syscall.h"

static const enum idm_error_step step_find = IDM_STEP_FIND_ORPHANS;

/* At most so many pidfds are open at once. */
#define BATCH 64

struct idm_orphan {
	struct idm_orphan *next;
	struct idm_exit_info exit;
};

struct known {
	struct idm_reaper *reaper;
	struct idm_numbers numbers;
	int r;
};

/* Others that are not their number's any more are about to be delivered. */
static void note_known(struct idm_hash_link *link, void *data)
{
	struct idm_watch *watch = idm_container_of(struct idm_watch, by_process, link);
	struct known *known = data;

	if (watch->by_forkserver || !watch->pid)
		return;
	if (watch->flags && idm_pidfd_is_reaped(watch->fd)) {
		if (watch->flags & IDM_REAPER_ADD_SPARE)
			idm_watch_drop(known->reaper, watch);
		return;
	}
	if (known->r == 0)
		known->r = idm_numbers_append(&known->numbers, watch->pid);
}

static int list_known(struct idm_reaper *reaper, struct idm_numbers *numbers)
{
	struct known known = { .reaper = reaper };

	idm_hashtable_each(&reaper->by_process, note_known, &known);
	idm_numbers_sort(&known.numbers);
	*numbers = known.numbers;
	return known.r;
}

/* ---- finding ---- */

struct batch {
	struct {
		pid_t pid;
		int fd;
	} processes[BATCH];
	size_t n;
};

static void close_batch(struct batch *batch)
{
	for (size_t i = 0; i < batch->n; i++)
		close(batch->processes[i].fd);
}

/* Looks, and leaves it as it is. */
static bool is_zombie(int pidfd)
{
	siginfo_t info = { 0 };

	return idm_sys_waitid_pidfd(pidfd, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
	       idm_exit_is_end(&info);
}

/* Whether there may be any. */
static bool is_any_zombie(void)
{
	siginfo_t info = { 0 };

	return idm_sys_waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid;
}

/* Those children that are not known and have ended. */
static int collect_zombies(const struct idm_numbers *children, const struct idm_numbers *known,
			   struct batch *batch)
{
	for (size_t i = 0; i < children->n && batch->n < BATCH; i++) {
		pid_t pid = children->pids[i];
		AUTO_CLOSE int fd = -1;

		if (idm_numbers_have(known, pid))
			continue;
		fd = idm_sys_pidfd_open(pid);
		if ((fd == -EMFILE || fd == -ENFILE) && batch->n)
			return 0; /* these first */
		if (fd < 0 && fd != -ESRCH)
			return fd;
		if (fd < 0 || !is_zombie(fd))
			continue;
		batch->processes[batch->n].pid = pid;
		batch->processes[batch->n++].fd = idm_steal_fd(&fd);
	}
	return 0;
}

/* 1 if it was there to be taken. */
static int reap_orphan(struct idm_orphans *orphans, int pidfd, pid_t pid)
{
	struct idm_orphan *orphan = malloc(sizeof(*orphan));
	int r = -ENOMEM;

	if (orphan)
		r = idm_pidfd_reap(pidfd, pid, &orphan->exit);
	if (r <= 0) {
		free(orphan);
		return r;
	}
	orphan->next = NULL;
	*orphans->last = orphan;
	orphans->last = &orphan->next;
	return 1;
}

static int reap_batch(struct idm_orphans *orphans, const struct idm_numbers *children,
		      const struct batch *batch)
{
	int n = 0;

	for (size_t i = 0; i < batch->n; i++) {
		pid_t pid = batch->processes[i].pid;
		int fd = batch->processes[i].fd, r;

		if (!idm_numbers_have(children, pid) || idm_pidfd_is_reaped(fd))
			continue;
		r = reap_orphan(orphans, fd, pid);
		if (r < 0)
			return r;
		n += r;
	}
	return n;
}

/* How many were found. */
static int find_orphans_once(struct idm_orphans *orphans, int list, const struct idm_numbers *known)
{
	AUTO_NUMBERS struct idm_numbers before = { NULL, 0 }, after = { NULL, 0 };
	struct batch batch = { .n = 0 };
	int r = idm_children_list(list, &before);

	if (r == 0)
		r = collect_zombies(&before, known, &batch);
	if (r == 0 && batch.n)
		r = idm_children_list(list, &after);
	if (r == 0)
		r = reap_batch(orphans, &after, &batch);
	close_batch(&batch);
	return r;
}

/*
 * Until there is no zombie left, which is certain; or, if others leave some lying about, two looks in
 * succession have found nothing.
 */
static int find_orphans(struct idm_reaper *reaper, struct idm_error *err)
{
	AUTO_NUMBERS struct idm_numbers known = { NULL, 0 };
	AUTO_CLOSE int proc = -1, list = -1;
	int r;

	if (!is_any_zombie())
		return 0;
	proc = idm_procfs_own(err);
	if (proc < 0)
		return proc;
	r = list = idm_children_open(proc);
	if (r >= 0)
		r = list_known(reaper, &known);
	for (int idle = 0; r >= 0 && idle < 2 && is_any_zombie();) {
		r = find_orphans_once(&reaper->orphans, list, &known);
		idle = r > 0 ? 0 : idle + 1;
	}
	return r < 0 ? idm_fail_errno(err, r, step_find, NULL) : 0;
}

/* ---- delivering ---- */

static void drain_signals(struct idm_orphans *orphans)
{
	char info[128]; /* struct signalfd_siginfo; SIGCHLD is no queue, so there is one at most */

	while (idm_sys_read(orphans->signals, info, sizeof(info)) > 0)
		orphans->due = true;
}

/* Lets idm_reaper_fd() say whether there is more, also if finding it has failed. */
void idm_orphans_set_found(const struct idm_orphans *orphans)
{
	uint64_t one = 1;

	if (orphans->first || orphans->due)
		idm_sys_write(orphans->found, &one, sizeof(one));
	else
		idm_sys_read(orphans->found, &one, sizeof(one));
}

static bool deliver_first_orphan(struct idm_orphans *orphans, struct idm_exit_info *exit)
{
	struct idm_orphan *orphan = orphans->first;

	if (!orphan)
		return false;
	*exit = orphan->exit;
	orphans->first = orphan->next;
	if (!orphans->first)
		orphans->last = &orphans->first;
	free(orphan);
	return true;
}

int idm_orphans_take(struct idm_reaper *reaper, struct idm_exit_info *exit, void **data,
		     struct idm_error *err)
{
	struct idm_orphans *orphans = &reaper->orphans;
	int r = 0;

	if (!orphans->wanted)
		return 0;
	if (!orphans->first) {
		drain_signals(orphans);
		r = orphans->due ? find_orphans(reaper, err) : 0;
		orphans->due = r < 0;
	}
	if (deliver_first_orphan(orphans, exit)) {
		if (data)
			*data = orphans->data;
		r = 1;
	}
	idm_orphans_set_found(orphans);
	return r;
}

void idm_orphans_free(struct idm_reaper *reaper)
{
	struct idm_exit_info exit;

	while (deliver_first_orphan(&reaper->orphans, &exit))
		;
	idm_close_fd(&reaper->orphans.signals);
	idm_close_fd(&reaper->orphans.found);
}
