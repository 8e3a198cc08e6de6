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
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>

#include "internal.h"
#include "lib/base/array.h"
#include "lib/base/cancel.h"
#include "lib/base/copy-struct.h"
#include "lib/base/error.h"
#include "lib/base/macros.h"
#include "lib/sys/fail-errno.h"
#include "lib/sys/pidfd.h"
#include "lib/sys/procfs.h"
#include "lib/sys/syscall.h"

static const enum idm_error_step step_adopt = IDM_STEP_ADOPT_ORPHANS;
static const enum idm_error_step step_find = IDM_STEP_FIND_ORPHANS;

/* At most so many pidfds are open at once. */
#define BATCH 64

struct idm_orphan {
	struct idm_orphan *next;
	struct idm_exit_info exit;
};

struct numbers {
	pid_t *pids; /* ascending */
	size_t n;
};

static void free_numbers(struct numbers *numbers)
{
	free(numbers->pids);
}

#define AUTO_NUMBERS __attribute__((cleanup(free_numbers)))

static int compare_numbers(const void *a, const void *b)
{
	pid_t x = *(const pid_t *)a, y = *(const pid_t *)b;

	return (x > y) - (x < y);
}

static bool has_number(const struct numbers *numbers, pid_t pid)
{
	return numbers->n && bsearch(&pid, numbers->pids, numbers->n, sizeof(pid), compare_numbers);
}

static int append_number(struct numbers *numbers, pid_t pid)
{
	pid_t *new = idm_array_append(&numbers->pids, &numbers->n, sizeof(pid));

	if (!new)
		return -ENOMEM;
	*new = pid;
	return 0;
}

static void sort_numbers(struct numbers *numbers)
{
	if (numbers->n)
		qsort(numbers->pids, numbers->n, sizeof(*numbers->pids), compare_numbers);
}

/* ---- the list of the first thread's children ---- */

/* Whether a thread is not about to end; -errno if it cannot be read. */
static int is_thread_alive(int tasks, const char *tid)
{
	char name[48], text[512], *end;
	AUTO_CLOSE int fd = -1;
	ssize_t n;

	snprintf(name, sizeof(name), "%.20s/stat", tid);
	fd = idm_procfs_openat(tasks, name, O_RDONLY);
	n = fd < 0 ? fd : idm_sys_read(fd, text, sizeof(text) - 1);
	if (n < 0)
		return n == -ENOENT || n == -ESRCH ? 0 : (int)n;
	text[n] = '\0';
	end = strrchr(text, ')'); /* "tid (name) state …": a name may hold anything */
	return end && end[1] == ' ' && end[2] != 'Z' && end[2] != 'X';
}

struct entry {
	uint64_t inode, offset;
	uint16_t length;
	uint8_t type;
	char name[];
};

/*
 * Opens the list. The directory has threads in the kernel's own order, in which it looks for one that
 * gets orphans.
 */
static int open_children(int proc)
{
	AUTO_CLOSE int tasks = idm_procfs_openat(proc, "self/task", O_RDONLY | O_DIRECTORY);
	char buf[1024] __attribute__((aligned(8))), name[48];
	ssize_t n = tasks;

	while (n >= 0 && (n = idm_sys_getdents(tasks, buf, sizeof(buf))) > 0)
		for (char *p = buf; p < buf + n; p += ((struct entry *)(void *)p)->length) {
			const struct entry *e = (const struct entry *)(void *)p;
			int r = e->name[0] == '.' ? 0 : is_thread_alive(tasks, e->name);

			if (r < 0)
				return r;
			if (r == 0)
				continue;
			snprintf(name, sizeof(name), "%.20s/children", e->name);
			return idm_procfs_openat(tasks, name, O_RDONLY);
		}
	return n < 0 ? (int)n : -ENOENT;
}

/* Numbers may be cut by the end of the buffer: `pid` is the one that is being read, 0 if none is. */
static int read_numbers(int fd, struct numbers *numbers)
{
	char buf[4096];
	pid_t pid = 0;
	ssize_t n;
	int r = 0;

	while ((n = idm_sys_read(fd, buf, sizeof(buf))) > 0)
		for (ssize_t i = 0; i < n; i++) {
			if (buf[i] >= '0' && buf[i] <= '9') {
				pid = 10 * pid + (buf[i] - '0');
				continue;
			}
			r = pid ? append_number(numbers, pid) : 0;
			if (r < 0)
				return r;
			pid = 0;
		}
	return (int)n;
}

/*
 * The kernel looks for its place in the list anew when the child at which it was has gone meanwhile, and
 * can pass others over. So one look may miss some, see find_orphans().
 */
static int list_children(int list, struct numbers *children)
{
	int r = idm_sys_rewind(list);

	if (r == 0)
		r = read_numbers(list, children);
	sort_numbers(children);
	return r;
}

/* ---- what is known ---- */

struct known {
	struct idm_reaper *reaper;
	struct numbers numbers;
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
		known->r = append_number(&known->numbers, watch->pid);
}

static int list_known(struct idm_reaper *reaper, struct numbers *numbers)
{
	struct known known = { .reaper = reaper };

	idm_hashtable_each(&reaper->by_process, note_known, &known);
	sort_numbers(&known.numbers);
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
static int collect_zombies(const struct numbers *children, const struct numbers *known,
			   struct batch *batch)
{
	for (size_t i = 0; i < children->n && batch->n < BATCH; i++) {
		pid_t pid = children->pids[i];
		AUTO_CLOSE int fd = -1;

		if (has_number(known, pid))
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

static int reap_batch(struct idm_orphans *orphans, const struct numbers *children,
		      const struct batch *batch)
{
	int n = 0;

	for (size_t i = 0; i < batch->n; i++) {
		pid_t pid = batch->processes[i].pid;
		int fd = batch->processes[i].fd, r;

		if (!has_number(children, pid) || idm_pidfd_is_reaped(fd))
			continue;
		r = reap_orphan(orphans, fd, pid);
		if (r < 0)
			return r;
		n += r;
	}
	return n;
}

/* How many were found. */
static int find_orphans_once(struct idm_orphans *orphans, int list, const struct numbers *known)
{
	AUTO_NUMBERS struct numbers before = { NULL, 0 }, after = { NULL, 0 };
	struct batch batch = { .n = 0 };
	int r = list_children(list, &before);

	if (r == 0)
		r = collect_zombies(&before, known, &batch);
	if (r == 0 && batch.n)
		r = list_children(list, &after);
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
	AUTO_NUMBERS struct numbers known = { NULL, 0 };
	AUTO_CLOSE int proc = -1, list = -1;
	int r;

	if (!is_any_zombie())
		return 0;
	proc = idm_procfs_own(err);
	if (proc < 0)
		return proc;
	r = list = open_children(proc);
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
static void set_found(const struct idm_orphans *orphans)
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
	set_found(orphans);
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

/* ---- beginning ---- */

/* Spares a child that is there already. */
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

/* Also finds out whether orphans can be found at all. */
static int spare_children(struct idm_reaper *reaper, unsigned int flags, struct idm_error *err)
{
	AUTO_NUMBERS struct numbers children = { NULL, 0 };
	AUTO_CLOSE int proc = idm_procfs_own(err), list = -1;
	int r;

	if (proc < 0)
		return proc;
	r = list = open_children(proc);
	if (r >= 0)
		r = list_children(list, &children);
	if (r == -ENOENT)
		return idm_fail(err, r, step_adopt, NULL,
				"this kernel lists no children (CONFIG_PROC_CHILDREN)");
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
		return idm_fail(err, -EALREADY, step_adopt, NULL, "this reaper adopts already");
	if (!idm_is_subreaper()) {
		idm_fail(err, -EINVAL, step_adopt, NULL, "this process is given no orphans");
		idm_hint(err, "be process 1 or a subreaper: prctl(PR_SET_CHILD_SUBREAPER, 1)");
		return -EINVAL;
	}
	if (idm_is_sigchld_ignored())
		return idm_fail(err, -EINVAL, step_adopt, NULL,
				"SIGCHLD is ignored: the kernel throws away how orphans end");
	if (!idm_is_signal_blocked(SIGCHLD)) {
		idm_fail(err, -EINVAL, step_adopt, NULL, "SIGCHLD is not blocked, so it gets lost");
		idm_hint(err, "block it by pthread_sigmask(3) before any thread is started");
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
	orphans->due = true; /* one may have ended before the descriptor was there */
	set_found(orphans);
	return 0;
}

int idm_reaper_adopt(struct idm_reaper *reaper, unsigned int flags, void *data, struct idm_error *err)
{
	HOLD_CANCEL;
	int r;

	if (reaper->owner != getpid())
		return idm_fail(err, -ECHILD, step_adopt, NULL,
				"the reaper belongs to process %d, which forked this one",
				(int)reaper->owner);
	pthread_mutex_lock(&reaper->lock);
	r = begin_adoption(reaper, flags, data, err);
	pthread_mutex_unlock(&reaper->lock);
	return r;
}
