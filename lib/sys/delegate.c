// SPDX-License-Identifier: MIT
/*
 * A delegate, as the caller sees it. docs/design.md has the proof.
 *
 *   caller       request in shared memory, program and request as memory files
 *   subprocess   shares the caller's memory and descriptors; clones the child, waits for it, looks at it
 *   child        shares the memory until it executes the program; has a new, empty descriptor table
 *   program      has its own memory; does the work, and answers in the request
 *
 * The child has CLONE_VFORK: when clone(2) returns in the subprocess, the child has left the memory. The
 * subprocess may be killed before that. So the kernel itself notes in a word, from the clone on, whether
 * the child is in the memory (CLONE_PARENT_SETTID, CLONE_CHILD_CLEARTID).
 */
#include "delegate.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "delegate-request.h"
#include "lib/base/macros.h"
#include "pidfd.h"
#include "procfs.h"
#include "raw-message.h"
#include "raw-syscall.h"
#include "subprocess.h"
#include "syscall.h"

#define SPACE_SIZE 65536 /* at least a page, on every machine */

/* ---- the request ---- */

static size_t string_size(const char *s)
{
	return s ? strlen(s) + 1 : 0;
}

static size_t request_size(const struct idm_delegate_work *work)
{
	return sizeof(struct idm_delegate_request) + string_size(work->name) +
	       string_size(work->source) + string_size(work->options);
}

static uint32_t append_string(struct idm_delegate_request *request, size_t *end, const char *s)
{
	uint32_t at = (uint32_t)*end;

	if (!s)
		return 0;
	memcpy((char *)request + *end, s, string_size(s));
	*end += string_size(s);
	return at;
}

static void write_request(struct idm_delegate_request *request, const struct idm_delegate_work *work)
{
	size_t end = sizeof(*request);

	*request = (struct idm_delegate_request){
		.operation = work->operation,
		.uid = work->uid,
		.gid = work->gid,
		.fd = work->fd,
		.name = append_string(request, &end, work->name),
		.source = append_string(request, &end, work->source),
		.options = append_string(request, &end, work->options),
	};
}

static int get_answer(const struct idm_delegate_request *request)
{
	return __atomic_load_n(&request->done, __ATOMIC_ACQUIRE) ? request->result : -ESRCH;
}

/* Each descriptor is noted at once, since another process may kill this one. */
struct idm_delegate_nest {
	int socket, program_socket; /* ends of one socket */
	int program, first;	    /* pidfds: of the program, and of the process in the new namespace */
	int process;		    /* directory in /proc of the latter */
	int userns;
};

#if IDM_RAW_HAS_ASSEMBLY

/* ---- the files ---- */

static int map_request_file(struct idm_delegate *d)
{
	void *memory = idm_sys_map_file(d->request_fd, d->size);

	if (!memory)
		return -ENOMEM;
	idm_subprocess_memory_free(d->request, d->size);
	d->request = memory;
	return 0;
}

/*
 * A seccomp filter may kill for pidfd_getfd(2). Before Linux 5.16, a signal that dumps core kills every
 * process that shares the memory, so the caller, too.
 */
static bool may_die_for_a_call(void)
{
	return idm_kernel_is_before(5, 16) && idm_sys_prctl(PR_GET_SECCOMP, 0, 0) > 0;
}

static int open_files(struct idm_delegate *d)
{
	int r = d->request_fd = idm_sys_memfd("idm-delegate-request", false);

	if (r >= 0)
		r = idm_sys_write_all(d->request_fd, d->request, d->size);
	if (r >= 0)
		r = d->program_fd = idm_sys_memfd_program("idm-delegate", idm_delegate_program,
							  idm_delegate_program_size);
	return r < 0 ? r : map_request_file(d);
}

static void prepare_program(struct idm_delegate *d)
{
	struct idm_delegate_space *space;

	if (open_files(d) < 0)
		return;
	space = idm_subprocess_memory(SPACE_SIZE);
	if (!space)
		return;
	*space = (struct idm_delegate_space){ .request = d->request,
					      .program_fd = d->program_fd,
					      .request_fd = d->request_fd,
					      .copy_table = may_die_for_a_call() };
	d->space = space;
}

/* ---- in the subprocess ---- */

/* Its exit signal is 0 until it executes the program, and SIGCHLD from then on. Returns its number. */
static int clone_child(struct idm_delegate_space *space)
{
	const long flags = CLONE_VM | CLONE_VFORK | CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID |
			   (space->copy_table ? 0 : CLONE_FILES);
	const long call[5] =
		IDM_CLONE_ARGS(flags, (char *)space + SPACE_SIZE, &space->inside, &space->inside);

	return (int)idm_raw_clone(SYS_clone, call, idm_delegate_child, space);
}

/* Until it is a zombie, or (without WNOWAIT) reaped. */
static int await_child(int number, int options)
{
	siginfo_t info;

	return idm_sys_waitid(P_PID, (id_t)number, &info, WEXITED | __WALL | options);
}

/*
 * In an empty descriptor table, so that a kill at that time leaves nothing open in the caller's.
 * Before Linux 5.9 it is the caller's.
 */
static void look_at_child(const struct idm_delegate *d, int number)
{
	AUTO_CLOSE int pidfd = -1;

	idm_sys_new_fd_table();
	pidfd = idm_sys_pidfd_open(number);
	d->space->looked = pidfd >= 0 && d->look(pidfd, d->look_data, NULL) == 0;
}

/* False: the program has exited. Another process may have its end of the socket. */
static bool await_message(const struct idm_delegate_nest *nest)
{
	struct pollfd p[] = { { .fd = nest->socket, .events = POLLIN },
			      { .fd = nest->program, .events = POLLIN } };
	long r;

	do
		r = raw(SYS_ppoll, p, ARRAY_SIZE(p));
	while (r == -EINTR);
	return r > 0 && p[0].revents & POLLIN;
}

static int receive_fd(int socket)
{
	int fds[IDM_SEND_FDS];
	size_t n_fds;
	char byte;
	ssize_t r = idm_raw_receive(socket, &byte, 1, fds, &n_fds);

	return r < 0 ? (int)r : n_fds ? fds[0] : -ECONNRESET;
}

/* Finds the process that the program has started, and opens its namespace. As in userns.c. */
static int find_nested(struct idm_delegate_nest *nest)
{
	if (!await_message(nest))
		return -ESRCH;
	nest->first = receive_fd(nest->socket);
	if (nest->first < 0)
		return nest->first;
	nest->process = idm_procfs_open(nest->first, true, NULL);
	if (nest->process < 0)
		return nest->process;
	nest->userns = idm_procfs_openat(nest->process, "ns/user", O_RDONLY);
	return nest->userns < 0 || !idm_pidfd_is_reaped(nest->first) ? nest->userns : -ESRCH;
}

/* Without an answer the program gives up. */
static void help_to_nest(struct idm_delegate_nest *nest, int number)
{
	int r = nest->program = idm_sys_pidfd_open(number);

	if (r >= 0)
		r = find_nested(nest);
	if (r >= 0)
		idm_raw_send(nest->socket, "", 1, &nest->process, 1);
	else
		raw(SYS_shutdown, nest->socket, SHUT_RDWR);
}

/* No process but this one can reap the child. So its number is the child's until the last line. */
static int execute_once(struct idm_delegate *d)
{
	int number = clone_child(d->space), r;

	if (number < 0)
		return number;
	if (d->nest)
		help_to_nest(d->nest, number);
	r = await_child(number, WNOWAIT);
	if (r == 0)
		r = get_answer(d->request);
	if (r == 0 && d->look)
		look_at_child(d, number);
	return await_child(number, 0) == 0 ? 0 : -ECHILD;
}

/* The child may get its descriptors from this process: this and its children may trace it then. */
static void let_child_fetch(struct idm_delegate_space *space)
{
	space->parent = getpid();
	idm_sys_prctl(PR_SET_PTRACER, (unsigned long)space->parent, 0);
}

/* The caller finds the answer in the request. */
static int execute_program(void *data)
{
	struct idm_delegate *d = data;
	int r;

	if (!d->space)
		return 0;
	/* Ignored by the caller, it would let the kernel reap the program. Handlers are not shared. */
	idm_sys_default_sigchld();
	let_child_fetch(d->space);
	r = execute_once(d);
	if (r == 0 && !d->request->begun && !d->space->copy_table) {
		d->space->copy_table = 1;
		r = execute_once(d);
	}
	d->space->is_over = r == 0;
	return 0;
}

/* ---- in the caller ---- */

/*
 * The subprocess was killed, so the program may still work. It holds a lock as long as it does. If it
 * has not begun to, it never will: it asks whether it is cancelled when it has the lock.
 */
static void cancel_program(struct idm_delegate *d)
{
	uint32_t inside;

	while ((inside = __atomic_load_n(&d->space->inside, __ATOMIC_ACQUIRE)))
		idm_sys_futex_wait(&d->space->inside, inside);
	for (int i = 0; idm_sys_lock(d->request_fd, 0, F_WRLCK, true) < 0 && i < 100; i++)
		idm_sys_sleep(10);
	__atomic_store_n(&d->request->cancelled, 1, __ATOMIC_RELEASE);
}

/* From here on no program begins the work any more. */
static bool has_begun(struct idm_delegate *d)
{
	if (d->space && !d->space->is_over)
		cancel_program(d);
	return __atomic_load_n(&d->request->begun, __ATOMIC_ACQUIRE);
}

static bool has_looked(const struct idm_delegate *d)
{
	return d->space && d->space->looked;
}

#else

static void prepare_program(struct idm_delegate *d)
{
	(void)d;
}

static int execute_program(void *d)
{
	(void)d;
	return 0;
}

static bool has_begun(struct idm_delegate *d)
{
	return d->request->begun;
}

static bool has_looked(const struct idm_delegate *d)
{
	(void)d;
	return false;
}

#endif

/* ---- both ways ---- */

int idm_delegate_prepare(struct idm_delegate *d, const struct idm_delegate_work *work)
{
	*d = (struct idm_delegate){ .request_fd = -1, .program_fd = -1, .size = request_size(work) };
	d->request = idm_subprocess_memory(d->size);
	if (!d->request)
		return -ENOMEM;
	write_request(d->request, work);
	prepare_program(d);
	return 0;
}

void idm_delegate_release(struct idm_delegate *d)
{
	has_begun(d); /* should the subprocess have been killed */
	if (d->space)
		idm_subprocess_memory_free(d->space, SPACE_SIZE);
	idm_subprocess_memory_free(d->request, d->size);
	idm_close_fd(&d->program_fd);
	idm_close_fd(&d->request_fd);
}

static int work_in_copy(void *data)
{
	struct idm_delegate_request *request = data;

	/* Its memory is a copy of the caller's: no process of a namespace that it joins may trace it. */
	raw(SYS_prctl, PR_SET_DUMPABLE, 0);
	idm_delegate_do_work(request, request->fd);
	return request->result;
}

static int run_copy(struct idm_delegate *d)
{
	struct idm_subprocess process;
	int r = idm_subprocess_run(&process, work_in_copy, d->request);

	if (r == 0 && d->look)
		r = d->look(process.pidfd, d->look_data, d->look_err);
	idm_subprocess_end(&process);
	return r;
}

/* A copy does what the program did not do. */
static int finish(struct idm_delegate *d)
{
	int r;

	if (!has_begun(d))
		return run_copy(d);
	r = get_answer(d->request);
	return r < 0 || !d->look || has_looked(d) ? r : run_copy(d);
}

int idm_delegate_run(struct idm_delegate *d)
{
	execute_program(d);
	return finish(d);
}

bool idm_delegate_is_owner(const struct idm_delegate *d)
{
	return d->request->is_owner;
}

int idm_delegate(const struct idm_delegate_work *work, idm_delegate_look *look, void *data,
		 struct idm_error *err)
{
	struct idm_delegate d;
	int r = idm_delegate_prepare(&d, work);

	if (r < 0)
		return r;
	d.look = look;
	d.look_data = data;
	d.look_err = err;
	if (d.space)
		idm_subprocess_shared(execute_program, &d, sizeof(d));
	r = finish(&d);
	idm_delegate_release(&d);
	return r;
}

/* ---- a user namespace below another one ---- */

static int open_nest(struct idm_delegate_nest *nest, int outer)
{
	int ends[2], r = idm_sys_socketpair(ends);

	*nest = (struct idm_delegate_nest){ -1, -1, -1, -1, -1, -1 };
	if (r < 0)
		return r;
	nest->socket = ends[0];
	nest->program_socket = ends[1];
	r = (int)idm_raw_send(nest->socket, "", 1, &outer, 1);
	return r < 0 ? r : 0;
}

static void close_nest(struct idm_delegate_nest *nest)
{
	idm_close_fd(&nest->socket);
	idm_close_fd(&nest->program_socket);
	idm_close_fd(&nest->program);
	idm_close_fd(&nest->first);
	idm_close_fd(&nest->process);
	idm_close_fd(&nest->userns);
}

/* The caller has no program, or no copy could do the same: it would be dumpable. */
static int run_nest(struct idm_delegate_nest *nest, const struct idm_delegate_work *work)
{
	struct idm_delegate d;
	int r = idm_delegate_prepare(&d, work);

	if (r < 0)
		return r;
	d.nest = nest;
	if (d.space)
		idm_subprocess_shared(execute_program, &d, sizeof(d));
	raw(SYS_shutdown, nest->socket, SHUT_RDWR); /* or it might still wait for an answer */
	r = has_begun(&d) ? get_answer(d.request) : -EOPNOTSUPP;
	idm_delegate_release(&d);
	return r < 0 ? r : idm_steal_fd(&nest->userns);
}

int idm_delegate_nest(int outer, const char *uid_map, const char *gid_map)
{
	struct idm_delegate_work work = { .operation = IDM_DELEGATE_NEST_USERNS,
					  .name = uid_map,
					  .source = gid_map };
	struct idm_delegate_nest *nest = idm_subprocess_memory(sizeof(*nest));
	int r;

	if (!nest)
		return -ENOMEM;
	r = open_nest(nest, outer);
	work.fd = nest->program_socket;
	if (r == 0)
		r = run_nest(nest, &work);
	close_nest(nest);
	idm_subprocess_memory_free(nest, sizeof(*nest));
	return r;
}
