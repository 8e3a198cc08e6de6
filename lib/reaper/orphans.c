// SPDX-License-Identifier: MIT
/*
 * Finds orphans among the children that no caller added.
 *
 * The kernel keeps no record of who started a process: once its parent is dead and this process has
 * adopted it, it looks like any other child. But children belong to threads. The kernel adds an orphan
 * to the first thread of the new parent that is not about to exit, which is the main thread as a rule.
 * /proc/self/task/TID/children lists the children of each thread. So a child in another thread's list is
 * not an orphan. An exited child in the first thread's list is an orphan, except for these:
 *
 *  - a child that was added. This includes spared children, and children from before the adoption.
 *  - a child without SIGCHLD, which waits without __WALL do not see. An orphan always has SIGCHLD. The
 *    library's own children have no exit signal.
 *
 * SIGCHLD only starts a search. Then waitid(P_ALL, WNOWAIT) reports whether there is a zombie at all. It
 * cannot skip a first zombie that another wait is responsible for. The list can.
 *
 * Pidfds verify the numbers: a pidfd is opened by its number, then the number must still be in the list,
 * and then the pidfd must not be reaped. So the number belonged to that process all the time, and that
 * process is in the list.
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

/*
 * Collects the numbers of the added children. The number of a reaped child may belong to another
 * process, so it is skipped, and a spared child is removed. A child without flags is about to be
 * delivered, so its number counts.
 */
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

/* Does not reap it. */
static bool is_zombie(int pidfd)
{
	siginfo_t info = { 0 };

	return idm_sys_waitid_pidfd(pidfd, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
	       idm_exit_is_end(&info);
}

/* Whether this process has any zombie that a plain wait can see. */
static bool is_any_zombie(void)
{
	siginfo_t info = { 0 };

	return idm_sys_waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid;
}

/* Collects exited children that were not added. */
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

/* Returns 1 if it reaped the orphan, 0 if it could not be reaped. */
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

/* Returns the number of orphans that it found. */
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
 * Searches until no zombie is left, which is certain. If other waits leave zombies unreaped, it stops
 * after two searches in a row without a result.
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
	char info[128]; /* struct signalfd_siginfo; SIGCHLD does not queue, so there is one at most */

	while (idm_sys_read(orphans->signals, info, sizeof(info)) > 0)
		orphans->due = true;
}

/* Makes idm_reaper_fd() readable while there is more, also after a failed search. */
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

int idm_orphans_deliver(struct idm_reaper *reaper, struct idm_exit_info *exit, void **data,
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
