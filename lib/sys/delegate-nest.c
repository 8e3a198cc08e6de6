// SPDX-License-Identifier: MIT
/*
 * A delegate that makes a user namespace below another one, and writes its maps. A process in the outer
 * one must do that. The process in the new one must be dumpable, or the delegate may not open its maps.
 * A process of the outer namespace may trace it then, so it has nothing: no descriptors, no memory of
 * the caller's, and a filter that lets it do nothing. The delegate itself is not dumpable.
 *
 * The parent of the delegate finds the process in /proc, since it has the library's code for that.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/openat2.h>
#include <linux/prctl.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <sys/wait.h>
#include <time.h>

#include "audit-arch.h"
#include "delegate-request.h"
#include "raw-message.h"
#include "raw-syscall.h"

#define N(array) (sizeof(array) / sizeof((array)[0]))

/* ---- the process in the new namespace ---- */

/* Another process may trace it, and choose its system calls. Without seccomp it stays as it is. */
static void allow_nothing(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IDM_AUDIT_ARCH, 0, 5),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_prctl, 4, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_kill, 3, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getppid, 2, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit_group, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog filter = { N(code), code };

	raw(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1);
	raw(SYS_prctl, PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter);
}

/* Stops when its files in /proc can be opened. */
__attribute__((noreturn)) static void stay(const struct idm_delegate_request *request, long number,
					   long parent)
{
	long end = raw(SYS_lseek, IDM_DELEGATE_REQUEST_FD, 0, 2 /* SEEK_END */);

	raw(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL);
	if (end < 0 || raw(SYS_munmap, request, end) < 0 || raw(SYS_close_range, 0, ~0U, 0) < 0 ||
	    raw(SYS_chdir, "/") < 0)
		idm_raw_exit(1);
	allow_nothing();
	raw(SYS_prctl, PR_SET_DUMPABLE, 1);
	while (raw(SYS_getppid) == parent)
		raw(SYS_kill, number, SIGSTOP);
	idm_raw_exit(0);
}

/* ---- the delegate ---- */

/* A tracer of the process can delay these. The caller must not wait for ever. */
static long await_first(long number, int options)
{
	static const struct timespec pause = { .tv_nsec = 50000 };
	siginfo_t info;
	long r = 0;

	for (int i = 0; i < 20000 && r == 0; i++) {
		info.si_pid = 0;
		r = raw(SYS_waitid, P_PID, number, &info, WNOHANG | __WALL | options);
		if (r == 0 && info.si_pid)
			return info.si_code == CLD_STOPPED ? 0 : -ESRCH;
		raw(SYS_clock_nanosleep, CLOCK_MONOTONIC, 0, &pause, 0);
	}
	return r < 0 ? r : -ETIMEDOUT;
}

static long receive_passed_fd(int socket)
{
	int fds[IDM_SEND_FDS];
	size_t n_fds;
	char byte;
	long r = idm_raw_receive(socket, &byte, 1, fds, &n_fds);

	return r < 0 ? r : n_fds ? fds[0] : -ECONNRESET;
}

static long write_map(int process, const char *name, const char *text)
{
	const struct open_how how = { .flags = O_WRONLY | O_CLOEXEC,
				      .resolve = RESOLVE_NO_XDEV | RESOLVE_BENEATH };
	long fd = raw(SYS_openat2, process, name, &how, sizeof(how)), size = 0, r;

	if (fd < 0)
		return fd;
	while (text[size])
		size++;
	r = raw(SYS_write, fd, text, size);
	raw(SYS_close, fd);
	return r < 0 ? r : r == size ? 0 : -EIO;
}

static long write_both_maps(const struct idm_delegate_request *request, int socket, int pidfd)
{
	long process = idm_raw_send(socket, "", 1, &pidfd, 1), r;

	if (process >= 0)
		process = receive_passed_fd(socket);
	if (process < 0)
		return process;
	r = write_map((int)process, "uid_map", (const char *)request + request->name);
	return r < 0 ? r : write_map((int)process, "gid_map", (const char *)request + request->source);
}

/* As the namespace's root, if it has one: that is the owner of the new one, which needs a number here.
 */
static long join_as_root(int socket)
{
	long outer = receive_passed_fd(socket), r;

	if (outer < 0)
		return outer;
	r = raw(SYS_setns, outer, CLONE_NEWUSER);
	raw(SYS_close, outer);
	if (r < 0)
		return r;
	raw(SYS_setresgid, 0, 0, 0);
	raw(SYS_setresuid, 0, 0, 0);
	raw(SYS_prctl, PR_SET_DUMPABLE, 0); /* the sysctl fs.suid_dumpable may have changed that */
	return 0;
}

long idm_delegate_nest_userns(const struct idm_delegate_request *request, int socket)
{
	long r = join_as_root(socket), first, parent = raw(SYS_getpid);
	int pidfd;

	if (r < 0)
		return r;
	first = idm_raw_fork(CLONE_NEWUSER | CLONE_PIDFD /* exit_signal 0 */, &pidfd);
	if (first == 0)
		stay(request, raw(SYS_getpid), parent);
	if (first < 0)
		return first;
	r = await_first(first, WSTOPPED | WEXITED | WNOWAIT);
	if (r == 0)
		r = write_both_maps(request, socket, pidfd);
	raw(SYS_kill, first, SIGKILL);
	await_first(first, WEXITED);
	raw(SYS_close, pidfd);
	return r;
}
