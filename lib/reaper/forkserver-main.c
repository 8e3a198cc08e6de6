// SPDX-License-Identifier: MIT
/*
 * The fork server's side. It is a copy of one thread of a program that may have had many: what they were
 * doing, to the heap for instance, is never finished here. So it makes system calls, and has memory of
 * its own.
 */
#include "forkserver-main.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "forkserver.h"
#include "idmount.h"
#include "lib/base/macros.h"
#include "lib/spawn/server.h"
#include "lib/sys/pidfd.h"
#include "lib/sys/syscall.h"

#define NONE 0
#define REAPED (-1)

/* A program, and the processes that come of its request. Their numbers, NONE or REAPED. */
struct child {
	pid_t first; /* becomes the program, unless there is a second one */
	pid_t second;
	pid_t assembler; /* helps, and exits */
	int report;
	struct idm_exit_info exit;   /* of the program */
	struct idm_request *request; /* the memory that they say their numbers in; NULL: all are known */
	size_t size;
};

/* Grows by mremap(2). */
struct array {
	void *at;
	size_t n, bytes;
};

struct server {
	struct idm_forkserver_ends ends;
	int signals;
	struct array children; /* of struct child: those that it was told to start */
	struct array orphans;  /* of struct idm_exit_info: not reported yet */
	char *stack;	       /* for a first process until it has called exec */
	bool behind;	       /* there are zombies that there was no memory for */
};

/* ---- packets ---- */

/* Whether it is worth another try; and a pause before that. */
static bool pause_if_short(ssize_t r, int tries)
{
	if ((r != -ENOMEM && r != -ENOBUFS) || tries == 100)
		return false;
	idm_sys_sleep(10);
	return true;
}

ssize_t idm_forkserver_send(int fd, const void *buf, size_t size, const int *fds, size_t n_fds)
{
	ssize_t r;

	for (int tries = 0; pause_if_short(r = idm_sys_send(fd, buf, size, fds, n_fds), tries); tries++)
		;
	return r;
}

ssize_t idm_forkserver_receive(int fd, void *buf, size_t size, int *fds, size_t *n_fds)
{
	ssize_t r;

	for (int tries = 0; pause_if_short(r = idm_sys_receive(fd, buf, size, fds, n_fds), tries);
	     tries++)
		;
	return r;
}

/* ---- memory ---- */

/* Makes room for one more. */
static int grow_mapping(struct array *array, size_t size)
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

/* ---- commands ---- */

/* The kernel writes the numbers before the processes run. No process but the first one starts them. */
static void look_up_helpers(struct child *c)
{
	if (!c->request)
		return;
	if (c->second == NONE)
		c->second = __atomic_load_n(&c->request->report.pid, __ATOMIC_ACQUIRE);
	if (c->assembler == NONE)
		c->assembler = __atomic_load_n(&c->request->report.assembler, __ATOMIC_ACQUIRE);
}

static void unmap_request(struct child *c)
{
	if (c->request)
		munmap(c->request, c->size);
	c->request = NULL;
}

/* Only as long as the first process may still start others. */
static void unmap_request_if_done(struct child *c)
{
	if (c->first == REAPED || (c->request && !idm_child_has_second(c->request) &&
				   (c->assembler == REAPED || !idm_child_has_assembler(c->request))))
		unmap_request(c);
}

/* The memory of the request becomes the child's. The pidfd, or -errno. */
static int start_child(struct server *s, struct child *c, const struct idm_forkserver_command *command,
		       int cgroup)
{
	struct idm_child child = {
		.request = c->request, .pidfd = -1, .exit_signal = SIGCHLD, .stack = s->stack
	};
	int r = idm_child_clone(&child, command->clone_flags, cgroup);

	if (r < 0)
		return r;
	idm_child_await_leaving(&child);
	c->first = child.pid;
	unmap_request_if_done(c);
	((struct child *)s->children.at)[s->children.n++] = *c;
	return child.pidfd;
}

/* A descriptor that is -1 afterwards is not to be closed. */
static int start_program(struct server *s, struct child *c, const struct idm_forkserver_command *command,
			 int *fds, size_t n_fds)
{
	size_t cgroup = (size_t)command->cgroup;
	int r = idm_child_unpack(c->request, fds, n_fds);

	if (r == 0 && command->cgroup >= 0 && cgroup >= n_fds)
		r = -EMFILE;
	if (r == 0)
		r = grow_mapping(&s->children, sizeof(struct child));
	if (r == 0)
		r = start_child(s, c, command, command->cgroup < 0 ? -1 : fds[cgroup]);
	if (r < 0)
		unmap_request(c);
	else
		fds[COMMAND_REPORT] = -1;
	return r;
}

/* The pidfd or -errno. Less descriptors than were sent: the process had no free numbers. */
static int serve_command(struct server *s, const struct idm_forkserver_command *command, int *fds,
			 size_t n_fds, pid_t *pid)
{
	struct child c = { 0 };
	struct stat st;
	int r;

	if (n_fds < COMMAND_FDS)
		return -EMFILE;
	r = idm_sys_fstatat(fds[COMMAND_FILE], "", &st, AT_EMPTY_PATH);
	if (r < 0)
		return r;
	c.report = fds[COMMAND_REPORT];
	c.size = (size_t)st.st_size;
	c.request = mmap(NULL, c.size, PROT_READ | PROT_WRITE, MAP_SHARED, fds[COMMAND_FILE], 0);
	if (c.request == MAP_FAILED)
		return -ENOMEM;
	r = start_program(s, &c, command, fds, n_fds);
	*pid = c.first;
	return r;
}

/* Whether it is this one, which is reaped by now: from here on another process may get the number. */
static bool mark_reaped(pid_t *number, pid_t pid)
{
	if (*number != pid)
		return false;
	*number = REAPED;
	return true;
}

/* The child that the process belongs to. The exit is the program's, or of what would have become it. */
static struct child *find_child_of(struct server *s, const struct idm_exit_info *exit)
{
	struct child *c = s->children.at;

	for (struct child *end = c + s->children.n; c < end; c++) {
		look_up_helpers(c);
		if (exit->pid == (c->second == NONE ? c->first : c->second))
			c->exit = *exit;
		if (mark_reaped(&c->first, exit->pid) || mark_reaped(&c->second, exit->pid) ||
		    mark_reaped(&c->assembler, exit->pid))
			return c;
	}
	return NULL;
}

static bool are_all_reaped(const struct child *c)
{
	return c->first == REAPED && c->second <= NONE && c->assembler <= NONE;
}

/* If the program is gone, the child keeps running without it, as its other children do. */
static bool is_accepted(struct server *s)
{
	int fds[IDM_SEND_FDS];
	size_t n_fds;
	char taken;

	return idm_forkserver_receive(s->ends.control, &taken, sizeof(taken), fds, &n_fds) <= 0 || taken;
}

/* False: the program is gone. */
static bool answer_command(struct server *s)
{
	int fds[IDM_SEND_FDS];
	struct idm_forkserver_answer answer;
	size_t n_fds;
	pid_t pid = 0;
	struct idm_forkserver_command command;
	ssize_t n = idm_forkserver_receive(s->ends.control, &command, sizeof(command), fds, &n_fds);
	int pidfd;

	if (n <= 0)
		return false;
	pidfd = serve_command(s, &command, fds, n_fds, &pid);
	answer.r = pidfd < 0 ? pidfd : pid;
	n = idm_forkserver_send(s->ends.control, &answer, sizeof(answer), &pidfd, pidfd >= 0);
	if (n >= 0 && pidfd >= 0 && !is_accepted(s))
		idm_sys_pidfd_send_signal(pidfd, SIGKILL);
	idm_close_fd(&pidfd);
	for (size_t i = 0; i < n_fds; i++)
		idm_close_fd(&fds[i]);
	return n >= 0;
}

/* ---- reports ---- */

/* If a report were lost for lack of memory, no process would know how the child exited. */
static void write_report(int fd, const struct idm_exit_info *exit)
{
	for (int i = 0; i < 100 && idm_sys_write(fd, exit, sizeof(*exit)) != sizeof(*exit); i++) {
		if (!(idm_sys_poll(fd, POLLOUT) & POLLOUT)) /* it has no reader any more */
			return;
		idm_sys_sleep(10);
	}
}

/*
 * The program's exit, when its helpers have been reaped, too. A pipe for one report always has space.
 * No other thread starts children here, so no number is used twice.
 */
static void report_exit(struct server *s, const struct idm_exit_info *exit)
{
	struct child *c = find_child_of(s, exit);

	if (c && are_all_reaped(c)) {
		write_report(c->report, &c->exit);
		close(c->report);
		unmap_request(c);
		*c = ((struct child *)s->children.at)[--s->children.n];
	} else if (c) {
		unmap_request_if_done(c);
	} else if (s->ends.orphans >= 0) {
		((struct idm_exit_info *)s->orphans.at)[s->orphans.n++] = *exit;
	}
}

/*
 * Gets memory for an orphan before it waits for one. Without memory the orphan stays a zombie for now,
 * and no signal will report it again.
 */
static void reap_exited(struct server *s)
{
	siginfo_t info;

	for (;;) {
		s->behind = grow_mapping(&s->orphans, sizeof(struct idm_exit_info)) < 0;
		if (s->behind)
			return;
		info.si_pid = 0;
		if (idm_sys_waitid(P_ALL, 0, &info, WEXITED | WNOHANG | __WALL) < 0 || info.si_pid == 0)
			return;
		if (idm_exit_is_end(&info))
			report_exit(
				s, &(struct idm_exit_info){ info.si_pid, info.si_code, info.si_status });
	}
}

static void report_orphans(struct server *s)
{
	struct idm_exit_info *orphans = s->orphans.at;
	size_t done = 0;

	while (done < s->orphans.n &&
	       idm_sys_write(s->ends.orphans, &orphans[done], sizeof(*orphans)) == sizeof(*orphans))
		done++;
	s->orphans.n -= done;
	if (done)
		memmove(orphans, orphans + done, s->orphans.n * sizeof(*orphans));
}

/* ---- life ---- */

/* Of the program's handlers none may run here, and ignoring SIGCHLD would throw statuses away. */
static void reset_handlers(void)
{
	for (int signal = 1; signal <= 64; signal++) {
		uintptr_t action[8] = { 0 }, none[8] = { 0 }; /* what comes first is the handler */

		syscall(SYS_rt_sigaction, signal, NULL, action, sizeof(uint64_t));
		if (action[0] != (uintptr_t)SIG_IGN || signal == SIGCHLD)
			syscall(SYS_rt_sigaction, signal, none, NULL, sizeof(uint64_t));
	}
}

static void close_fd_range(unsigned int first, unsigned int last)
{
	struct rlimit limit;

	if (first > last || syscall(SYS_close_range, first, last, 0) == 0)
		return;
	getrlimit(RLIMIT_NOFILE, &limit); /* a filter refuses it */
	for (unsigned int fd = first; fd <= last && fd < limit.rlim_max; fd++)
		close((int)fd);
}

static void close_program_fds(const int keep[2])
{
	if (keep[0] >= 0) {
		close_fd_range(0, (unsigned int)keep[0] - 1);
		close_fd_range((unsigned int)keep[0] + 1, (unsigned int)keep[1] - 1);
	} else if (keep[1] > 0) {
		close_fd_range(0, (unsigned int)keep[1] - 1);
	}
	close_fd_range((unsigned int)keep[1] + 1, ~0U);
}

/* 0, or 1: the parent is in another PID namespace. */
static int prepare_forkserver(struct server *s)
{
	struct idm_child child = { 0 };

	reset_handlers();
	close_program_fds(s->ends.keep);
	prctl(PR_SET_NAME, "idm-forkserver");
	if (idm_child_make_stack(&child) < 0)
		return -ENOMEM;
	s->stack = child.stack;
	s->signals = idm_sys_signalfd(1ULL << (SIGCHLD - 1));
	if (s->signals < 0)
		return s->signals;
	if (s->ends.orphans >= 0 && prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
		return -errno;
	return getppid() == 0;
}

static void handle_sigchld(struct server *s)
{
	char info[128]; /* struct signalfd_siginfo */

	while (idm_sys_read(s->signals, info, sizeof(info)) > 0)
		;
	reap_exited(s);
}

static void serve_commands(struct server *s)
{
	for (;;) {
		struct pollfd p[] = {
			{ .fd = s->ends.control, .events = POLLIN },
			{ .fd = s->signals, .events = POLLIN },
			{ .fd = s->orphans.n ? s->ends.orphans : -1, .events = POLLOUT },
		};

		poll(p, ARRAY_SIZE(p), s->behind ? 100 : -1);
		if (p[1].revents || s->behind)
			handle_sigchld(s);
		if (s->orphans.n)
			report_orphans(s);
		if (p[0].revents && !answer_command(s))
			return;
	}
}

int idm_forkserver_main(void *ends)
{
	struct server s = { .ends = *(const struct idm_forkserver_ends *)ends };
	struct idm_forkserver_answer ready = { prepare_forkserver(&s) };

	if (idm_forkserver_send(s.ends.control, &ready, sizeof(ready), NULL, 0) > 0 && ready.r >= 0)
		serve_commands(&s);
	return 0;
}
