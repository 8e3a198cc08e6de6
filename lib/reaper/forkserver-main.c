// SPDX-License-Identifier: MIT
/*
 * The fork server: a program without libc, which the library carries in itself and executes from memory.
 * So it has no copy of the caller's memory. A child that it starts shares its memory until that child
 * executes something.
 */
#include "forkserver-main.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/prctl.h>
#include <poll.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include "idmount.h"
#include "lib/base/macros.h"
#include "lib/spawn/executor/executor.h"
#include "lib/spawn/server.h"
#include "lib/sys/child-stack.h"
#include "lib/sys/raw-message.h"

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
	uint64_t size;
};

/* Grows by mremap(2). */
struct array {
	void *at;
	size_t n, bytes;
};

struct server {
	int signals;
	int orphans_fd;	       /* where their exits are reported; -1: they are not wanted */
	struct array children; /* of struct child: those that it was told to start */
	struct array orphans;  /* of struct idm_exit_info: not reported yet */
	char *stack;	       /* for a first process until it has called exec */
	bool behind;	       /* there are zombies that there was no memory for */
};

/* ---- memory ---- */

/* Makes room for one more. */
static int grow_mapping(struct array *array, size_t size)
{
	size_t bytes = array->bytes ? 2 * array->bytes : 4096;
	long more;

	if ((array->n + 1) * size <= array->bytes)
		return 0;
	more = array->at ? raw(SYS_mremap, array->at, array->bytes, bytes, MREMAP_MAYMOVE)
			 : idm_raw_mmap(bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	if (idm_raw_map_failed(more))
		return -ENOMEM;
	array->at = (void *)more;
	array->bytes = bytes;
	return 0;
}

/* Makes the stack of children, with a guard below it. lib/sys/child-stack.c needs libc. */
static long make_stack(struct server *s)
{
	long memory = idm_raw_mmap(2 * IDM_CHILD_STACK_SIZE, PROT_READ | PROT_WRITE,
				   MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1);

	if (idm_raw_map_failed(memory))
		return -ENOMEM;
	s->stack = (char *)memory + IDM_CHILD_STACK_SIZE;
	return raw(SYS_mprotect, memory, IDM_CHILD_STACK_SIZE, PROT_NONE);
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
		raw(SYS_munmap, c->request, c->size);
	c->request = NULL;
}

/* Only as long as the first process may still start others. */
static void unmap_request_if_done(struct child *c)
{
	if (c->first == REAPED || (c->request && !idm_child_has_second(c->request) &&
				   (c->assembler == REAPED || !idm_child_has_assembler(c->request))))
		unmap_request(c);
}

static void close_if_open(int fd)
{
	if (fd >= 0)
		raw(SYS_close, fd);
}

/* What an answer says. */
struct started {
	int r; /* the number, or -errno */
	int fds[ANSWER_FDS];
};

/* The memory of the request becomes the child's. */
static int clone_first(struct server *s, struct child *c, const struct idm_forkserver_command *command,
		       int cgroup, int *pidfd)
{
	struct idm_child child = {
		.request = c->request, .pidfd = -1, .exit_signal = SIGCHLD, .stack = s->stack
	};
	int r = idm_child_clone(&child, command->clone_flags, cgroup);

	if (r < 0)
		return r;
	idm_child_await_leaving(&child);
	*pidfd = child.pidfd;
	c->first = child.pid;
	unmap_request_if_done(c);
	((struct child *)s->children.at)[s->children.n++] = *c;
	return c->first;
}

/* The fork server keeps the other end of the pipe. */
static int start_child(struct server *s, struct child *c, const struct idm_forkserver_command *command,
		       int cgroup, int fds[ANSWER_FDS])
{
	int ends[2], r = (int)raw(SYS_pipe2, ends, O_CLOEXEC | O_NONBLOCK);

	if (r < 0)
		return r;
	fds[ANSWER_REPORT] = ends[0];
	c->report = ends[1];
	r = clone_first(s, c, command, cgroup, &fds[ANSWER_PIDFD]);
	if (r < 0)
		raw(SYS_close, ends[1]);
	return r;
}

static void start_program(struct server *s, struct child *c,
			  const struct idm_forkserver_command *command, int *fds, size_t n_fds,
			  struct started *started)
{
	size_t cgroup = (size_t)command->cgroup;
	int r = idm_child_unpack(c->request, fds, n_fds);

	if (r == 0 && command->cgroup >= 0 && cgroup >= n_fds)
		r = -EMFILE;
	if (r == 0)
		r = grow_mapping(&s->children, sizeof(struct child));
	if (r == 0)
		r = start_child(s, c, command, command->cgroup < 0 ? -1 : fds[cgroup], started->fds);
	if (r < 0)
		unmap_request(c);
	started->r = r;
}

/* Less descriptors than were sent: the process had no free numbers. */
static void serve_command(struct server *s, const struct idm_forkserver_command *command, int *fds,
			  size_t n_fds, struct started *started)
{
	struct child c = { 0 };
	long r = -EMFILE;

	if (n_fds >= COMMAND_FDS)
		r = idm_raw_map_file(fds[COMMAND_FILE], &c.size);
	started->r = (int)r;
	if (idm_raw_map_failed(r))
		return;
	c.request = (struct idm_request *)r;
	start_program(s, &c, command, fds, n_fds, started);
}

/*
 * The child that the process belongs to. To be asked before it is reaped: a process has its number for
 * itself until then. From then on the kernel may give the number to a helper that is starting.
 */
static struct child *find_child_of(struct server *s, pid_t pid)
{
	struct child *c = s->children.at;

	for (struct child *end = c + s->children.n; c < end; c++) {
		look_up_helpers(c);
		if (pid == c->first || pid == c->second || pid == c->assembler)
			return c;
	}
	return NULL;
}

static void mark_reaped(pid_t *number, pid_t pid)
{
	if (*number == pid)
		*number = REAPED;
}

/* The exit is the program's, or of what would have become it. */
static void note_exit(struct child *c, const struct idm_exit_info *exit)
{
	if (exit->pid == (c->second == NONE ? c->first : c->second))
		c->exit = *exit;
	mark_reaped(&c->first, exit->pid);
	mark_reaped(&c->second, exit->pid);
	mark_reaped(&c->assembler, exit->pid);
}

static bool are_all_reaped(const struct child *c)
{
	return c->first == REAPED && c->second <= NONE && c->assembler <= NONE;
}

/* If the program is gone, the child keeps running without it, as its other children do. */
static bool is_accepted(void)
{
	int fds[IDM_SEND_FDS];
	size_t n_fds;
	char taken;

	return idm_raw_receive(FORKSERVER_CONTROL, &taken, sizeof(taken), fds, &n_fds) <= 0 || taken;
}

/* False: the program is gone. */
static bool send_answer(const struct started *started)
{
	const struct idm_forkserver_answer answer = { started->r };
	ssize_t n = idm_raw_send(FORKSERVER_CONTROL, &answer, sizeof(answer), started->fds,
				 started->r < 0 ? 0 : ANSWER_FDS);

	if (n >= 0 && started->r >= 0 && !is_accepted())
		raw(SYS_pidfd_send_signal, started->fds[ANSWER_PIDFD], SIGKILL);
	return n >= 0;
}

/* False: the program is gone. */
static bool answer_command(struct server *s)
{
	int fds[IDM_SEND_FDS];
	struct started started = { .fds = { -1, -1 } };
	size_t n_fds;
	struct idm_forkserver_command command;
	ssize_t n = idm_raw_receive(FORKSERVER_CONTROL, &command, sizeof(command), fds, &n_fds);
	bool sent;

	if (n <= 0)
		return false;
	serve_command(s, &command, fds, n_fds, &started);
	sent = send_answer(&started);
	close_if_open(started.fds[ANSWER_REPORT]);
	close_if_open(started.fds[ANSWER_PIDFD]);
	for (size_t i = 0; i < n_fds; i++)
		raw(SYS_close, fds[i]);
	return sent;
}

/* ---- reports ---- */

static bool can_write(int fd)
{
	static const struct timespec at_once;
	struct pollfd p = { .fd = fd, .events = POLLOUT };

	return raw(SYS_ppoll, &p, 1, &at_once) > 0 && p.revents & POLLOUT;
}

/* If a report were lost for lack of memory, no process would know how the child exited. */
static void write_report(int fd, const struct idm_exit_info *exit)
{
	static const struct timespec pause = { .tv_nsec = 10000000 };
	long r;

	for (int i = 0; i < 100; i++) {
		r = raw(SYS_write, fd, exit, sizeof(*exit));
		if (r == sizeof(*exit) || r == -EPIPE || !can_write(fd)) /* it has no reader any more */
			return;
		raw(SYS_clock_nanosleep, CLOCK_MONOTONIC, 0, &pause, 0);
	}
}

/* The program's exit, when its helpers have been reaped, too. A pipe for one report always has space. */
static void report_if_over(struct server *s, struct child *c)
{
	if (!are_all_reaped(c)) {
		unmap_request_if_done(c);
		return;
	}
	write_report(c->report, &c->exit);
	raw(SYS_close, c->report);
	unmap_request(c);
	*c = ((struct child *)s->children.at)[--s->children.n];
}

static void report_exit(struct server *s, struct child *c, const struct idm_exit_info *exit)
{
	if (c) {
		note_exit(c, exit);
		report_if_over(s, c);
	} else if (s->orphans_fd >= 0) {
		((struct idm_exit_info *)s->orphans.at)[s->orphans.n++] = *exit;
	}
}

/* As idm_exit_is_end(). */
static bool is_end(const siginfo_t *info)
{
	return info->si_code == CLD_EXITED || info->si_code == CLD_KILLED || info->si_code == CLD_DUMPED;
}

/* Whether there was one. */
static bool wait_for(idtype_t which, pid_t pid, siginfo_t *info, int options)
{
	long r;

	info->si_pid = 0;
	do
		r = raw(SYS_waitid, which, pid, info, WEXITED | WNOHANG | __WALL | options);
	while (r == -EINTR);
	return r == 0 && info->si_pid;
}

/* Nothing else waits for it, and it is reaped once it is known whose it is. */
static void reap_process(struct server *s, pid_t pid)
{
	struct child *c = find_child_of(s, pid);
	siginfo_t info;

	if (wait_for(P_PID, pid, &info, 0) && is_end(&info))
		report_exit(s, c, &(struct idm_exit_info){ pid, info.si_code, info.si_status });
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
		if (s->behind || !wait_for(P_ALL, 0, &info, WNOWAIT))
			return;
		reap_process(s, info.si_pid);
	}
}

static void report_orphans(struct server *s)
{
	struct idm_exit_info *orphans = s->orphans.at;
	size_t done = 0;

	while (done < s->orphans.n &&
	       raw(SYS_write, s->orphans_fd, &orphans[done], sizeof(*orphans)) == sizeof(*orphans))
		done++;
	s->orphans.n -= done;
	for (size_t i = 0; done && i < s->orphans.n; i++)
		orphans[i] = orphans[i + done];
}

/* ---- life ---- */

/* If SIGCHLD were ignored, statuses would be lost. The children inherit all other ignored signals. */
static void reset_sigchld(void)
{
	static const uintptr_t none[8]; /* what comes first is the handler */

	raw(SYS_rt_sigaction, SIGCHLD, none, 0, sizeof(uint64_t));
}

/* An exec removes the capabilities of an ordinary user, and adds all others to root's. */
static long restore_capabilities(const struct idm_request_caps *caps)
{
	long r;

	idm_child_capset(caps, &r);
	return r < 0 ? r : idm_child_set_ambient(caps->ambient);
}

static long open_signals(struct server *s)
{
	static const uint64_t sigchld = 1ULL << (SIGCHLD - 1);

	s->signals = (int)raw(SYS_signalfd4, -1, &sigchld, sizeof(sigchld), O_CLOEXEC | O_NONBLOCK);
	return s->signals < 0 ? s->signals : 0;
}

static long prepare_orphans(struct server *s, bool wanted)
{
	s->orphans_fd = wanted ? FORKSERVER_ORPHANS : -1;
	if (!wanted)
		return 0;
	raw(SYS_fcntl, FORKSERVER_ORPHANS, F_SETFD, FD_CLOEXEC);
	return raw(SYS_prctl, PR_SET_CHILD_SUBREAPER, 1);
}

/*
 * It is not dumpable: it receives private data, such as the environments of programs. It keeps no mount
 * busy by its working directory: a child enters the caller's directory, or a root.
 */
static long prepare_forkserver(struct server *s, const struct idm_forkserver_setup *setup)
{
	long r = restore_capabilities(&setup->caps);

	raw(SYS_prctl, PR_SET_DUMPABLE, 0);
	raw(SYS_prctl, PR_SET_NAME, "idm-forkserver");
	raw(SYS_chdir, "/");
	raw(SYS_fcntl, FORKSERVER_CONTROL, F_SETFD, FD_CLOEXEC);
	reset_sigchld();
	if (r == 0)
		r = make_stack(s);
	if (r == 0)
		r = prepare_orphans(s, setup->orphans);
	return r < 0 ? r : open_signals(s);
}

static void handle_sigchld(struct server *s)
{
	char info[128]; /* struct signalfd_siginfo */

	while (raw(SYS_read, s->signals, info, sizeof(info)) > 0)
		;
	reap_exited(s);
}

static void serve_commands(struct server *s)
{
	static const struct timespec soon = { .tv_nsec = 100000000 };

	for (;;) {
		struct timespec timeout = soon; /* the kernel writes to it */
		struct pollfd p[] = {
			{ .fd = FORKSERVER_CONTROL, .events = POLLIN },
			{ .fd = s->signals, .events = POLLIN },
			{ .fd = s->orphans.n ? s->orphans_fd : -1, .events = POLLOUT },
		};

		raw(SYS_ppoll, p, ARRAY_SIZE(p), s->behind ? &timeout : NULL);
		if (p[1].revents || s->behind)
			handle_sigchld(s);
		if (s->orphans.n)
			report_orphans(s);
		if (p[0].revents && !answer_command(s))
			return;
	}
}

void idm_raw_main(const uintptr_t *stack)
{
	struct server s = { 0 };
	struct idm_forkserver_setup setup;
	struct idm_forkserver_answer ready;
	int fds[IDM_SEND_FDS];
	size_t n_fds;

	(void)stack;
	/* Without this packet another process has executed this program. */
	if (idm_raw_receive(FORKSERVER_CONTROL, &setup, sizeof(setup), fds, &n_fds) != sizeof(setup))
		idm_raw_exit(126);
	ready.r = (int)prepare_forkserver(&s, &setup);
	if (idm_raw_send(FORKSERVER_CONTROL, &ready, sizeof(ready), NULL, 0) > 0 && ready.r >= 0)
		serve_commands(&s);
	idm_raw_exit(0);
}
