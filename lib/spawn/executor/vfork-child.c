// SPDX-License-Identifier: MIT
/*
 * The child while it is in the caller's memory. It has its own descriptor table, handlers and stack, but
 * the caller's credentials and namespaces. If these differed, a process that may trace the child could
 * read and write the caller's memory. The kernel prevents that by clearing the *caller's* dumpable
 * attribute: setresuid and setresgid do so at once. So a child with other credentials or namespaces
 * executes the executor.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <signal.h>

#include "executor.h"

/* The argument of rt_sigaction on all supported architectures; only the handler matters. */
struct kernel_sigaction {
	uintptr_t handler;
	unsigned long flags;
	uintptr_t restorer;
	uint64_t mask;
};

static void reset_signals(int handled, int ignored)
{
	static const struct kernel_sigaction default_action;
	struct kernel_sigaction now;

	for (int s = 1; s <= 64 && (handled || ignored); s++) {
		if (raw(SYS_rt_sigaction, s, 0, &now, sizeof(now.mask)) < 0)
			continue;
		if (now.handler == (uintptr_t)SIG_IGN ? ignored : handled && now.handler)
			raw(SYS_rt_sigaction, s, &default_action, 0, sizeof(now.mask));
	}
}

/* ---- descriptors ---- */

/* The number `from` is needed for another descriptor: every entry with it gets the number `to`. */
struct moved {
	int32_t from, to;
};

static void follow_moved_fd(int32_t *fd, long arg)
{
	const struct moved *moved = (const struct moved *)arg;

	if (*fd == moved->from)
		*fd = moved->to;
}

static void count_moved_fd(int32_t *fd, long arg)
{
	struct moved *moved = (struct moved *)arg;

	moved->to += *fd == moved->from;
}

void idm_request_each_source(struct idm_request *request, uint32_t first,
			     void (*each)(int32_t *fd, long arg), long arg)
{
	struct idm_request_fd *fds = idm_request_array(request, request->fds);

	for (uint32_t i = first; i < request->n_fds; i++)
		if (fds[i].from >= 0)
			each(&fds[i].from, arg);
}

/* Visits all that still needs its number when entry `done` overwrites a descriptor. */
static void visit_later_fds(struct idm_request *request, uint32_t done,
			    void (*each)(int32_t *fd, long arg), struct moved *moved)
{
	const struct idm_request_fd *fds = idm_request_array(request, request->fds);

	idm_request_each_fd(request, each, (long)moved);
	if (fds[done].from != fds[done].to)
		idm_request_each_source(request, done + 1, each, (long)moved);
}

static long free_number(struct idm_request *request, uint32_t done)
{
	const struct idm_request_fd *fds = idm_request_array(request, request->fds);
	struct moved moved = { fds[done].to, 0 };
	long other;

	visit_later_fds(request, done, count_moved_fd, &moved);
	if (!moved.to)
		return 0;
	other = raw(SYS_fcntl, moved.from, F_DUPFD_CLOEXEC, 0);
	if (other < 0)
		return other;
	moved.to = (int32_t)other;
	visit_later_fds(request, done, follow_moved_fd, &moved);
	return 0;
}

/* Overwrites no descriptor that a later entry needs: 3 to 4 together with 4 to 3 works. */
static long place_fd(struct idm_request *request, uint32_t i)
{
	struct idm_request_fd *fd = (struct idm_request_fd *)idm_request_array(request, request->fds) +
				    i;
	long r;

	idm_request_begin(request, IDM_CHILD_STEP_DESCRIPTORS, (uint32_t)fd->to, 0);
	r = free_number(request, i);
	if (r < 0)
		return r;
	if (fd->from < 0) {
		raw(SYS_close, fd->to); /* which may not be open */
		return 0;
	}
	if (fd->from == fd->to)
		r = raw(SYS_fcntl, fd->to, F_SETFD, 0);
	else
		r = raw(SYS_dup3, fd->from, fd->to, 0);
	return r < 0 ? r : 0;
}

struct list {
	int32_t *fds;
	uint32_t n;
};

/* Insertion sort: the numbers are usually sorted. */
static void insert_number(struct list *list, int32_t fd)
{
	uint32_t i = list->n++;

	for (; i > 0 && list->fds[i - 1] > fd; i--)
		list->fds[i] = list->fds[i - 1];
	list->fds[i] = fd;
}

static void insert_fd(int32_t *fd, long list)
{
	insert_number((struct list *)list, *fd);
}

/*
 * Closes the caller's other descriptors: the child's copies would keep their mounts and pipes busy while
 * the executor runs.
 */
static long close_unneeded_fds(struct idm_request *request)
{
	struct list list = { idm_request_array(request, request->kept), 0 };
	const struct idm_request_fd *fds = idm_request_array(request, request->fds);
	unsigned int next = 0;
	long r = 0;

	for (uint32_t i = 0; i < request->n_fds; i++)
		if (fds[i].from >= 0)
			insert_number(&list, fds[i].to);
	idm_request_each_fd(request, insert_fd, (long)&list);
	for (uint32_t i = 0; i < list.n && r >= 0; i++) {
		if ((unsigned int)list.fds[i] > next)
			r = raw(SYS_close_range, next, list.fds[i] - 1, 0); /* Linux 5.9 */
		next = (unsigned int)list.fds[i] + 1;
	}
	return r < 0 ? r : raw(SYS_close_range, next, ~0U, 0);
}

static long arrange_fds(struct idm_request *request)
{
	long r = 0;

	for (uint32_t i = 0; i < request->n_fds && r == 0; i++)
		r = place_fd(request, i);
	if (r < 0 || request->flags & IDM_REQUEST_KEEP_FDS)
		return r;
	idm_request_begin(request, IDM_CHILD_STEP_DESCRIPTORS, ~0U, 0);
	return close_unneeded_fds(request);
}

/* ---- the executor ---- */

/* Raises the capabilities as ambient: exec drops all others of a process that is not root. */
static long keep_capabilities(struct idm_request *request)
{
	struct idm_request_caps caps = request->own;
	long r;

	if (!(request->flags & IDM_REQUEST_RAISE_AMBIENT))
		return 0;
	idm_request_begin(request, IDM_CHILD_STEP_EXECUTOR, 0, 0);
	caps.inheritable |= caps.permitted;
	idm_child_capset(&caps, &r);
	return r < 0 ? r : idm_child_set_ambient(caps.permitted);
}

/*
 * A program that the library carries sets these again. No process may read its file without one of them.
 * A process that may not read what it executes is not dumpable from its first instruction on.
 */
static long lower_reading(struct idm_request *request)
{
	const uint64_t reading = 1ULL << CAP_DAC_OVERRIDE | 1ULL << CAP_DAC_READ_SEARCH;
	struct idm_request_caps caps = request->own;
	long r;

	if (!(request->flags & (IDM_REQUEST_EXECUTOR | IDM_REQUEST_CARRIED)) ||
	    !(caps.effective & reading))
		return 0;
	idm_request_begin(request, IDM_CHILD_STEP_EXECUTOR, 0, 0);
	if (request->flags & IDM_REQUEST_RAISE_AMBIENT)
		caps.inheritable |= caps.permitted;
	caps.effective &= ~reading;
	idm_child_capset(&caps, &r);
	return r;
}

static long write_request(const struct idm_request *request)
{
	long r;

	if (request->flags & IDM_REQUEST_IN_FILE)
		return 0;
	for (uint32_t done = 0; done < request->size; done += (uint32_t)r) {
		r = idm_raw_pwrite(request->request_fd, (const char *)request + done,
				   request->size - done, done);
		if (r <= 0)
			return r < 0 ? r : -EIO;
	}
	return 0;
}

static void print_number(char text[12], uint32_t n)
{
	char digits[12];
	int i = 0;

	do
		digits[i++] = (char)('0' + n % 10);
	while (n /= 10);
	while (i)
		*text++ = digits[--i];
	*text = '\0';
}

static long execute_executor(struct idm_request *request)
{
	static char child[] = "idm-child", init[] = "idm-init";
	char *argv[] = { request->flags & IDM_REQUEST_INIT ? init : child, 0 };
	char number[12], *envp[] = { number, 0 };
	long r;

	idm_request_begin(request, IDM_CHILD_STEP_EXECUTOR, 0, 0);
	r = write_request(request);
	if (r == 0)
		r = idm_request_lock(request, IDM_LOCK_FIRST, 0);
	if (r < 0)
		return r;
	idm_request_each_fd(request, idm_request_set_fd_flags, 0);
	idm_request_set_fd_flags(&request->executor_fd, FD_CLOEXEC);
	print_number(number, (uint32_t)request->request_fd);
	return raw(SYS_execveat, request->executor_fd, "", argv, envp, AT_EMPTY_PATH);
}

/* Enters the caller's working directory, if this process is not the caller's child. */
static long enter_caller_directory(struct idm_request *request)
{
	long r;

	if (request->cwd_fd < 0)
		return 0;
	idm_request_begin(request, IDM_CHILD_STEP_CWD, 0, 0);
	r = raw(SYS_fchdir, request->cwd_fd);
	raw(SYS_close, request->cwd_fd);
	request->cwd_fd = -1;
	return r;
}

void idm_vfork_child(void *data)
{
	struct idm_request *request = data;
	long r = enter_caller_directory(request);

	reset_signals(!!(request->flags & IDM_REQUEST_RESET_HANDLED),
		      !!(request->flags & IDM_REQUEST_RESET_IGNORED));
	if (r == 0 && request->process_group > 0) {
		idm_request_begin(request, IDM_CHILD_STEP_PROCESS_GROUP, 0, 0);
		r = raw(SYS_setpgid, 0, request->process_group);
	}
	if (r == 0)
		r = arrange_fds(request);
	if (r == 0)
		r = keep_capabilities(request);
	if (r == 0)
		r = lower_reading(request);
	if (r == 0 && request->flags & IDM_REQUEST_EXECUTOR)
		r = execute_executor(request);
	if (r == 0)
		r = idm_child_session(request);
	if (r == 0)
		r = idm_child_cwd(request);
	if (r == 0)
		r = idm_child_exec(request);
	idm_request_fail(request, r);
}
