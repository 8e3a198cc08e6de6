// SPDX-License-Identifier: MIT
/* System calls on processes: their namespaces, signals, privileges and limits. */
#include <errno.h>
#include <linux/capability.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "lib/base/macros.h"
#if IDM_ASAN
#include <sanitizer/asan_interface.h>
#endif
#include "syscall-result.h"
#include "syscall.h"

#ifndef CLOSE_RANGE_UNSHARE
#define CLOSE_RANGE_UNSHARE 2U /* Linux 5.9 */
#endif

uint64_t idm_sys_limit(int resource)
{
	uint64_t limit[2] = { UINT64_MAX, UINT64_MAX }; /* struct rlimit64: now, and at most */

	CALL(syscall(SYS_prlimit64, 0, resource, NULL, limit));
	return limit[0];
}

/* Not by CALL(): on a 32-bit machine a good address can look like a negative number. */
static void *map_memory(size_t size, int flags, int fd)
{
	int saved = errno;
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, flags, fd, 0);

	if (memory != MAP_FAILED)
		return memory;
	errno = saved;
	return NULL;
}

void *idm_sys_map(size_t size, int flags)
{
	return map_memory(size, flags | MAP_ANONYMOUS, -1);
}

void *idm_sys_map_file(int fd, size_t size)
{
	return map_memory(size, MAP_SHARED, fd);
}

/*
 * A child that ran in this memory may have been killed inside of a function. AddressSanitizer then still
 * has notes on the variables of that function. They would be wrong for what is mapped here next.
 */
void idm_sys_unmap(void *memory, size_t size)
{
#if IDM_ASAN
	__asan_unpoison_memory_region(memory, size);
#endif
	(void)CALL(munmap(memory, size));
}

long idm_sys_clone3(struct clone_args *args, size_t size)
{
	return CALL(syscall(SYS_clone3, args, size));
}

/*
 * ThreadSanitizer's own clone() assumes that every child has a copy of the memory, and corrupts memory
 * that is shared. Behind this name is glibc's.
 */
#if IDM_TSAN
int __clone(int (*child)(void *), void *stack_top, int flags, void *arg, ...);
#define clone __clone
#endif

int idm_sys_clone(int (*child)(void *), void *stack_top, int flags, void *arg, int *pidfd)
{
	return (int)CALL(clone(child, stack_top, flags, arg, pidfd));
}

void idm_sys_block_signals(uint64_t *saved)
{
	static const uint64_t all = ~0ULL;

	CALL(syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, saved, sizeof(all)));
}

void idm_sys_restore_signals(const uint64_t *saved)
{
	CALL(syscall(SYS_rt_sigprocmask, SIG_SETMASK, saved, NULL, sizeof(*saved)));
}

/* Not sigaction(2) of libc: sanitizers note what it does, and this is for a child that shares memory. */
void idm_sys_default_sigchld(void)
{
	static const uint64_t action[4]; /* at least as large as the kernel's on every architecture */

	CALL(syscall(SYS_rt_sigaction, SIGCHLD, action, NULL, sizeof(uint64_t)));
}

int idm_sys_new_fd_table(void)
{
	return (int)CALL(syscall(SYS_close_range, 0, ~0U, CLOSE_RANGE_UNSHARE));
}

int idm_sys_keep_fds(unsigned int n)
{
	return (int)CALL(syscall(SYS_close_range, n, ~0U, CLOSE_RANGE_UNSHARE));
}

int idm_sys_setns(int fd, int type)
{
	return (int)CALL(syscall(SYS_setns, fd, type));
}

int idm_sys_unshare(int flags)
{
	return (int)CALL(syscall(SYS_unshare, flags));
}

/*
 * Before Linux 6.15 the call fails with EINVAL for a process that is reaped at this moment, and for the
 * number of a thread. Later it fails with ENOENT for a thread. There is no such process in each case.
 */
int idm_sys_pidfd_open(pid_t pid)
{
	int fd = (int)CALL(syscall(SYS_pidfd_open, pid, 0U)); /* always close-on-exec */

	return pid > 0 && (fd == -EINVAL || fd == -ENOENT) ? -ESRCH : fd;
}

int idm_sys_pidfd_open_thread(void)
{
	return (int)CALL(syscall(SYS_pidfd_open, syscall(SYS_gettid), O_EXCL));
}

int idm_sys_pidfd_send_signal(int pidfd, int signal)
{
	return (int)CALL(syscall(SYS_pidfd_send_signal, pidfd, signal, NULL, 0U));
}

int idm_sys_pidfd_send_siginfo(int pidfd, siginfo_t *info, unsigned int flags)
{
	return (int)CALL(syscall(SYS_pidfd_send_signal, pidfd, info->si_signo, info, flags));
}

int idm_sys_waitid_pidfd(int pidfd, siginfo_t *info, int options)
{
	return idm_sys_waitid((idtype_t)P_PIDFD, (id_t)pidfd, info, options);
}

int idm_sys_capget(uint64_t *effective, uint64_t *permitted, uint64_t *inheritable)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = { 0 };
	int r = (int)CALL(syscall(SYS_capget, &header, data));

	*effective = (uint64_t)data[1].effective << 32 | data[0].effective;
	*permitted = (uint64_t)data[1].permitted << 32 | data[0].permitted;
	*inheritable = (uint64_t)data[1].inheritable << 32 | data[0].inheritable;
	return r;
}

int idm_sys_prctl(int option, unsigned long a, unsigned long b)
{
	return (int)CALL(syscall(SYS_prctl, option, a, b, 0, 0));
}

int idm_sys_waitid(idtype_t type, id_t id, siginfo_t *info, int options)
{
	return (int)CALL(syscall(SYS_waitid, type, id, info, options, NULL));
}

bool idm_is_signal_blocked(int signal)
{
	uint64_t mask = 0;

	CALL(syscall(SYS_rt_sigprocmask, SIG_BLOCK, NULL, &mask, sizeof(mask)));
	return mask & 1ULL << (signal - 1);
}

bool idm_is_sigchld_ignored(void)
{
	struct sigaction action;

	return CALL(sigaction(SIGCHLD, NULL, &action)) == 0 &&
	       (action.sa_handler == SIG_IGN || action.sa_flags & SA_NOCLDWAIT);
}

bool idm_is_subreaper(void)
{
	int is = 0;

	return getpid() == 1 || (CALL(prctl(PR_GET_CHILD_SUBREAPER, &is)) == 0 && is);
}
