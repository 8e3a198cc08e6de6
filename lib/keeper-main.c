// SPDX-License-Identifier: MIT
/*
 * The keeper's side. It is a copy of one thread of a program that may have had many: what they were
 * doing, to the heap for instance, is never finished here. So it makes system calls, and has memory of
 * its own.
 */
#include "keeper-main.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "exit.h"
#include "idmount.h"
#include "keeper.h"
#include "kernel.h"
#include "util.h"

#define STACK_SIZE 65536

struct child {
	pid_t pid;
	int report;
};

/* Grows by mremap(2). */
struct array {
	void *at;
	size_t n, bytes;
};

struct keeper {
	struct idm_keeper_ends ends;
	int signals;
	struct array children; /* of struct child: those that it was told to start */
	struct array orphans;  /* of struct idm_exit: not reported yet */
	char *stack;	       /* for a child until it has called exec */
	bool behind;	       /* there are zombies that there was no memory for */
};

/* ---- packets ---- */

/* Whether it is worth another try; and a pause before that. */
static bool may_pass(ssize_t r, int tries)
{
	if ((r != -ENOMEM && r != -ENOBUFS) || tries == 100)
		return false;
	idm_sys_sleep(10);
	return true;
}

ssize_t idm_keeper_send(int fd, const void *buf, size_t size, const int *fds, size_t n_fds)
{
	ssize_t r;

	for (int tries = 0; may_pass(r = idm_sys_send(fd, buf, size, fds, n_fds), tries); tries++)
		;
	return r;
}

ssize_t idm_keeper_receive(int fd, void *buf, size_t size, int *fds, size_t *n_fds)
{
	ssize_t r;

	for (int tries = 0; may_pass(r = idm_sys_receive(fd, buf, size, fds, n_fds), tries); tries++)
		;
	return r;
}

/* ---- memory ---- */

/* Makes room for one more. */
static int grow(struct array *array, size_t size)
{
	size_t bytes = array->bytes ? 2 * array->bytes : 4096;
	void *more;

	if ((array->n + 1) * size <= array->bytes)
		return 0;
	more = array->at ? mremap(array->at, array->bytes, bytes, MREMAP_MAYMOVE)
			 : mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (more == MAP_FAILED)
		return -ENOMEM;
	array->at = more;
	array->bytes = bytes;
	return 0;
}

/* ---- the child that is to become the program ---- */

struct launch {
	char **argv, **envp;
	const int *places; /* in `fds` */
	int n;
	const int *fds;
	uint64_t signals;
	int error; /* of what failed */
};

/*
 * It shares our memory, and what ThreadSanitizer knows of us, until it has called exec; we wait for
 * that. So it only makes system calls, and those as they are. Its descriptors are its own.
 */
#define AS_THEY_ARE __attribute__((no_sanitize("thread")))

/* Copies of those that are wanted, out of the way of where they are wanted. */
AS_THEY_ARE static long move_away(const struct launch *l, int *away)
{
	for (int i = 0; i < l->n; i++) {
		away[i] = -1;
		if (l->places[i] < 0)
			continue;
		away[i] = (int)syscall(SYS_fcntl, l->fds[l->places[i]], F_DUPFD_CLOEXEC, l->n);
		if (away[i] < 0)
			return -1;
	}
	return 0;
}

AS_THEY_ARE static long put_in_place(const struct launch *l, const int *away)
{
	for (int i = 0; i < l->n; i++)
		if (away[i] < 0)
			syscall(SYS_close, i);
		else if (syscall(SYS_dup3, away[i], i, 0) < 0)
			return -1;
	return 0;
}

/* All other descriptors are close-on-exec. */
AS_THEY_ARE static int launch(void *arg)
{
	struct launch *l = arg;
	int away[IDM_KEEPER_FDS];

	if (move_away(l, away) == 0 && syscall(SYS_fchdir, l->fds[REQUEST_DIRECTORY]) == 0 &&
	    put_in_place(l, away) == 0) {
		syscall(SYS_rt_sigprocmask, SIG_SETMASK, &l->signals, NULL, sizeof(l->signals));
		syscall(SYS_execve, l->argv[0], l->argv, l->envp);
	}
	l->error = errno;
	syscall(SYS_exit, 127);
	__builtin_unreachable();
}

/* As vfork(2): comes back when the child has called exec, or failed to. The pidfd or -errno. */
static int start_child(struct keeper *k, struct launch *l, pid_t *pid)
{
	siginfo_t info;
	int pidfd = -1;

	*pid = idm_sys_clone(launch, k->stack + STACK_SIZE,
			     CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD, l, &pidfd);
	if (*pid < 0)
		return *pid;
	if (!l->error)
		return pidfd;
	idm_sys_waitid_pidfd(pidfd, &info, WEXITED | __WALL);
	close(pidfd);
	return -l->error;
}

/* ---- requests ---- */

static char *set_pointers(char **pointers, uint32_t n, char *strings)
{
	for (uint32_t i = 0; i < n; i++) {
		pointers[i] = strings;
		strings += strlen(strings) + 1;
	}
	pointers[n] = NULL;
	return strings;
}

static int remember(struct keeper *k, pid_t pid, int report)
{
	((struct child *)k->children.at)[k->children.n++] = (struct child){ pid, report };
	return report;
}

/* A descriptor that is -1 afterwards is not to be closed. */
static int start_program(struct keeper *k, char *text, int *fds, pid_t *pid)
{
	struct idm_keeper_request *head = (struct idm_keeper_request *)(void *)text;
	struct launch l = { .fds = fds, .n = (int)head->n_fds, .signals = head->signals };
	int pidfd;

	l.places = (int *)(void *)(head + 1);
	l.argv = (char **)(void *)(text + head->pointers);
	l.envp = l.argv + head->argc + 1;
	set_pointers(l.envp, head->envc, set_pointers(l.argv, head->argc, text + head->strings));
	if (grow(&k->children, sizeof(struct child)) < 0)
		return -ENOMEM;
	pidfd = start_child(k, &l, pid);
	if (pidfd >= 0) {
		remember(k, *pid, fds[REQUEST_REPORT]);
		fds[REQUEST_REPORT] = -1;
	}
	return pidfd;
}

/* The pidfd or -errno. Less descriptors than were sent: there was no room for them. */
static int serve(struct keeper *k, int *fds, size_t n_fds, pid_t *pid)
{
	struct idm_keeper_request *head;
	struct stat st;
	size_t wanted = REQUEST_FDS;
	void *text;
	int r;

	if (n_fds < REQUEST_FDS)
		return -EMFILE;
	r = idm_sys_fstatat(fds[REQUEST_FILE], "", &st, AT_EMPTY_PATH);
	if (r < 0)
		return r;
	text = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_PRIVATE, fds[REQUEST_FILE], 0);
	if (text == MAP_FAILED)
		return -ENOMEM;
	head = text;
	for (uint32_t i = 0; i < head->n_fds; i++)
		wanted += ((int *)(void *)(head + 1))[i] >= 0;
	r = n_fds < wanted ? -EMFILE : start_program(k, text, fds, pid);
	munmap(text, (size_t)st.st_size);
	return r;
}

/* The child's pipe; -1: it was not started here. */
static int forget(struct keeper *k, pid_t pid)
{
	struct child *children = k->children.at;

	for (size_t i = 0; i < k->children.n; i++)
		if (children[i].pid == pid) {
			int report = children[i].report;

			children[i] = children[--k->children.n];
			return report;
		}
	return -1;
}

/* If the program is gone, the child goes on without it, as its others do. */
static bool is_taken(struct keeper *k)
{
	int fds[IDM_SEND_FDS];
	size_t n_fds;
	char taken;

	return idm_keeper_receive(k->ends.control, &taken, sizeof(taken), fds, &n_fds) <= 0 || taken;
}

static void end_child(struct keeper *k, int pidfd, pid_t pid)
{
	int report = forget(k, pid);
	siginfo_t info;

	idm_sys_pidfd_send_signal(pidfd, SIGKILL);
	idm_sys_waitid_pidfd(pidfd, &info, WEXITED | __WALL);
	idm_close_fd(&report);
}

/* False: the program is gone. */
static bool answer_request(struct keeper *k)
{
	int fds[IDM_SEND_FDS];
	struct idm_keeper_answer answer;
	size_t n_fds;
	pid_t pid = 0;
	char start;
	ssize_t n = idm_keeper_receive(k->ends.control, &start, sizeof(start), fds, &n_fds);
	int pidfd;

	if (n <= 0)
		return false;
	pidfd = serve(k, fds, n_fds, &pid);
	answer.r = pidfd < 0 ? pidfd : pid;
	n = idm_keeper_send(k->ends.control, &answer, sizeof(answer), &pidfd, pidfd >= 0);
	if (n >= 0 && pidfd >= 0 && !is_taken(k))
		end_child(k, pidfd, pid);
	idm_close_fd(&pidfd);
	for (size_t i = 0; i < n_fds; i++)
		idm_close_fd(&fds[i]);
	return n >= 0;
}

/* ---- reports ---- */

/* A report that is lost for want of memory would be a child that nobody knows the end of. */
static void write_report(int fd, const struct idm_exit *exit)
{
	for (int i = 0; i < 100 && idm_sys_write(fd, exit, sizeof(*exit)) != sizeof(*exit); i++) {
		if (!(idm_sys_poll(fd, POLLOUT) & POLLOUT)) /* nobody reads it any more */
			return;
		idm_sys_sleep(10);
	}
}

/* A pipe of one's own always has room. Nobody else starts children here, so no number is used twice. */
static void report(struct keeper *k, const struct idm_exit *exit)
{
	int fd = forget(k, exit->pid);

	if (fd >= 0) {
		write_report(fd, exit);
		close(fd);
	} else if (k->ends.orphans >= 0) {
		((struct idm_exit *)k->orphans.at)[k->orphans.n++] = *exit;
	}
}

/*
 * There is room for an orphan before one is waited for: otherwise it stays a zombie for now, and no
 * signal will tell of it again.
 */
static void reap(struct keeper *k)
{
	siginfo_t info;

	for (;;) {
		k->behind = grow(&k->orphans, sizeof(struct idm_exit)) < 0;
		if (k->behind)
			return;
		info.si_pid = 0;
		if (idm_sys_waitid(P_ALL, 0, &info, WEXITED | WNOHANG | __WALL) < 0 || info.si_pid == 0)
			return;
		if (idm_exit_is_end(&info))
			report(k, &(struct idm_exit){ info.si_pid, info.si_code, info.si_status });
	}
}

static void report_orphans(struct keeper *k)
{
	struct idm_exit *orphans = k->orphans.at;
	size_t done = 0;

	while (done < k->orphans.n &&
	       idm_sys_write(k->ends.orphans, &orphans[done], sizeof(*orphans)) == sizeof(*orphans))
		done++;
	k->orphans.n -= done;
	if (done)
		memmove(orphans, orphans + done, k->orphans.n * sizeof(*orphans));
}

/* ---- life ---- */

/* Of the program's handlers none may run here, and ignoring SIGCHLD would throw statuses away. */
static void default_signals(void)
{
	for (int signal = 1; signal <= 64; signal++) {
		uintptr_t action[8] = { 0 }, none[8] = { 0 }; /* what comes first is the handler */

		syscall(SYS_rt_sigaction, signal, NULL, action, sizeof(uint64_t));
		if (action[0] != (uintptr_t)SIG_IGN || signal == SIGCHLD)
			syscall(SYS_rt_sigaction, signal, none, NULL, sizeof(uint64_t));
	}
}

static void close_between(unsigned int first, unsigned int last)
{
	struct rlimit limit;

	if (first > last || syscall(SYS_close_range, first, last, 0) == 0)
		return;
	getrlimit(RLIMIT_NOFILE, &limit); /* a filter refuses it */
	for (unsigned int fd = first; fd <= last && fd < limit.rlim_max; fd++)
		close((int)fd);
}

static void close_others(const int keep[2])
{
	if (keep[0] >= 0) {
		close_between(0, (unsigned int)keep[0] - 1);
		close_between((unsigned int)keep[0] + 1, (unsigned int)keep[1] - 1);
	} else if (keep[1] > 0) {
		close_between(0, (unsigned int)keep[1] - 1);
	}
	close_between((unsigned int)keep[1] + 1, ~0U);
}

static int settle_in(struct keeper *k)
{
	default_signals();
	close_others(k->ends.keep);
	prctl(PR_SET_NAME, "idm-keeper");
	k->stack = mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
	if (k->stack == MAP_FAILED)
		return -ENOMEM;
	k->signals = idm_sys_signalfd(1ULL << (SIGCHLD - 1));
	if (k->signals < 0)
		return k->signals;
	return k->ends.orphans >= 0 && prctl(PR_SET_CHILD_SUBREAPER, 1) < 0 ? -errno : 0;
}

static void look_after_children(struct keeper *k)
{
	char info[128]; /* struct signalfd_siginfo */

	while (idm_sys_read(k->signals, info, sizeof(info)) > 0)
		;
	reap(k);
}

static void live(struct keeper *k)
{
	for (;;) {
		struct pollfd p[] = {
			{ .fd = k->ends.control, .events = POLLIN },
			{ .fd = k->signals, .events = POLLIN },
			{ .fd = k->orphans.n ? k->ends.orphans : -1, .events = POLLOUT },
		};

		poll(p, ARRAY_SIZE(p), k->behind ? 100 : -1);
		if (p[1].revents || k->behind)
			look_after_children(k);
		if (k->orphans.n)
			report_orphans(k);
		if (p[0].revents && !answer_request(k))
			return;
	}
}

int idm_keeper_main(void *ends)
{
	struct keeper k = { .ends = *(const struct idm_keeper_ends *)ends };
	struct idm_keeper_answer ready = { settle_in(&k) };

	if (idm_keeper_send(k.ends.control, &ready, sizeof(ready), NULL, 0) > 0 && ready.r == 0)
		live(&k);
	return 0;
}
