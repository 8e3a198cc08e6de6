// SPDX-License-Identifier: MIT
/* System calls on files, and on files in memory. */
#include <errno.h>
#include <linux/magic.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/base/macros.h"
#include "syscall-numbers.h"
#include "syscall-result.h"
#include "syscall.h"

#ifndef MFD_EXEC
#define MFD_NOEXEC_SEAL 8U /* Linux 6.3 */
#define MFD_EXEC 16U	   /* Linux 6.3 */
#endif

int idm_sys_openat(int dirfd, const char *path, int flags, unsigned int mode)
{
	return (int)CALL(openat(dirfd, path, flags | O_CLOEXEC, mode));
}

/*
 * EAGAIN: while the kernel went through a ".." below a root, something was renamed or mounted, whatever
 * and wherever on the machine. A machine that is busy with that leaves a gap soon.
 * EXDEV, where mounts may be crossed: what the kernel was in has been unmounted, so that it is not below
 * the root any more. A magic link would give that too, but wherever we have a root these are ELOOP.
 */
static bool was_disturbed(int r, uint64_t resolve)
{
	return r == -EAGAIN || (r == -EXDEV && !(resolve & RESOLVE_NO_XDEV));
}

/*
 * RESOLVE_CACHED adds a cause that stays: the path is not in the kernel's cache. A few tries are for the
 * others.
 */
static int most_tries(uint64_t resolve)
{
	return resolve & RESOLVE_CACHED ? 10 : 1000;
}

int idm_sys_openat2(int dirfd, const char *path, int flags, unsigned int mode, uint64_t resolve)
{
	struct open_how how = {
		.flags = (unsigned int)flags | O_CLOEXEC,
		.mode = mode,
		.resolve = resolve,
	};
	int r = -EAGAIN;

	for (int tries = 0; was_disturbed(r, resolve) && tries < most_tries(resolve); tries++)
		r = (int)CALL(syscall(SYS_openat2, dirfd, path, &how, sizeof(how)));
	return r;
}

int idm_sys_openat2_size(size_t size)
{
	struct open_how how = { 0 };

	return (int)CALL(syscall(SYS_openat2, -1, "", &how, size));
}

bool idm_is_shortage(int code)
{
	return code == -EMFILE || code == -ENFILE || code == -ENOMEM;
}

int idm_sys_fstatat(int dirfd, const char *path, struct stat *st, int flags)
{
	return (int)CALL(fstatat(dirfd, path, st, flags));
}

int idm_sys_faccessat2(int dirfd, const char *path, int mode, int flags)
{
	return (int)CALL(syscall(SYS_faccessat2, dirfd, path, mode, flags));
}

int idm_sys_statx(int dirfd, const char *path, int flags, unsigned int mask, struct statx *st)
{
	return (int)CALL(syscall(SYS_statx, dirfd, path, flags, mask, st));
}

/* No filesystem is asked: its server may be dead. */
static int find_inode(int fd, unsigned int wanted, struct statx *st)
{
	return idm_sys_statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, wanted, st);
}

static bool is_same_device(const struct statx *a, const struct statx *b)
{
	return a->stx_dev_major == b->stx_dev_major && a->stx_dev_minor == b->stx_dev_minor;
}

bool idm_is_same_inode(int a, int b)
{
	struct statx x, y;

	return find_inode(a, STATX_INO, &x) == 0 && find_inode(b, STATX_INO, &y) == 0 &&
	       is_same_device(&x, &y) && x.stx_ino == y.stx_ino;
}

bool idm_is_same_mount_root(int a, int b)
{
	struct statx x, y;

	if (find_inode(a, STATX_INO, &x) != -EACCES)
		return idm_is_same_inode(a, b);
	return find_inode(a, 0, &x) == 0 && find_inode(b, 0, &y) == 0 && is_same_device(&x, &y);
}

bool idm_is_namespace(int fd)
{
	struct statfs fs;

	return idm_sys_fstatfs(fd, &fs) == 0 && fs.f_type == NSFS_MAGIC;
}

bool idm_is_initial_userns(int fd)
{
	struct stat st;

	return idm_is_namespace(fd) && idm_sys_fstatat(fd, "", &st, AT_EMPTY_PATH) == 0 &&
	       st.st_ino == IDM_INITIAL_USERNS_INODE;
}

int idm_sys_fstatfs(int fd, struct statfs *st)
{
	return (int)CALL(fstatfs(fd, st));
}

ssize_t idm_sys_readlinkat(int dirfd, const char *path, char *buf, size_t size)
{
	return CALL(readlinkat(dirfd, path, buf, size));
}

int idm_sys_name_to_handle(int dirfd, const char *path, struct file_handle *handle, int flags)
{
	int mount_id;

	return (int)CALL(name_to_handle_at(dirfd, path, handle, &mount_id, flags));
}

int idm_sys_open_by_handle(int mount_fd, struct file_handle *handle, int flags)
{
	return (int)CALL(open_by_handle_at(mount_fd, handle, flags | O_CLOEXEC));
}

int idm_sys_mkdirat(int dirfd, const char *path, unsigned int mode)
{
	return (int)CALL(mkdirat(dirfd, path, mode));
}

int idm_sys_symlinkat(const char *target, int dirfd, const char *path)
{
	return (int)CALL(symlinkat(target, dirfd, path));
}

int idm_sys_fchdir(int fd)
{
	return (int)CALL(fchdir(fd));
}

int idm_sys_unlinkat(int dirfd, const char *path, int flags)
{
	return (int)CALL(unlinkat(dirfd, path, flags));
}

ssize_t idm_sys_read(int fd, void *buf, size_t size)
{
	return CALL(read(fd, buf, size));
}

ssize_t idm_sys_write(int fd, const void *buf, size_t size)
{
	return CALL(write(fd, buf, size));
}

static bool is_signal_pending(uint64_t signals)
{
	uint64_t pending = 0;

	CALL(syscall(SYS_rt_sigpending, &pending, sizeof(pending)));
	return pending & signals;
}

/*
 * With EFBIG the kernel sends SIGXFSZ to this thread, which ends a process that does not expect it. So
 * it is blocked, and taken out of the queue again. A signal that was pending before is the caller's.
 */
int idm_sys_write_all(int fd, const void *buf, size_t size)
{
	static const uint64_t xfsz = 1ULL << (SIGXFSZ - 1);
	const struct timespec at_once = { 0 };
	uint64_t mask = 0;
	ssize_t n = 0;
	bool callers;

	CALL(syscall(SYS_rt_sigprocmask, SIG_BLOCK, &xfsz, &mask, sizeof(xfsz)));
	callers = mask & xfsz && is_signal_pending(xfsz);
	for (size_t done = 0; done < size && n >= 0; done += (size_t)n) {
		n = idm_sys_write(fd, (const char *)buf + done, size - done);
		if (n == 0)
			n = -EIO;
	}
	if (n == -EFBIG && !callers)
		CALL(syscall(SYS_rt_sigtimedwait, &xfsz, NULL, &at_once, sizeof(xfsz)));
	idm_sys_restore_signals(&mask);
	return n < 0 ? (int)n : 0;
}

int idm_sys_fsync(int fd)
{
	return (int)CALL(fsync(fd));
}

int idm_sys_flock(int fd, int operation)
{
	return (int)CALL(flock(fd, operation));
}

int idm_sys_dup(int fd)
{
	return (int)CALL(fcntl(fd, F_DUPFD_CLOEXEC, 3));
}

int idm_sys_dup_to(int fd, int number)
{
	return (int)CALL(dup3(fd, number, O_CLOEXEC));
}

int idm_sys_fd_flags(int fd)
{
	return (int)CALL(fcntl(fd, F_GETFD));
}

int idm_sys_open_flags(int fd)
{
	return (int)CALL(fcntl(fd, F_GETFL));
}

int idm_sys_ioctl(int fd, unsigned long request, void *arg)
{
	return (int)CALL(syscall(SYS_ioctl, fd, request, arg));
}

int idm_sys_rewind(int fd)
{
	return (int)CALL(lseek(fd, 0, SEEK_SET));
}

ssize_t idm_sys_getdents(int fd, void *buf, size_t size)
{
	return CALL(syscall(SYS_getdents64, fd, buf, size));
}

uint64_t idm_file_time(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME_COARSE, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* Before Linux 6.3 the kernel does not want to be told what it is for; from then on it does. */
int idm_sys_memfd(const char *name, bool to_execute)
{
	unsigned int flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
	int r = (int)CALL(memfd_create(name, flags | (to_execute ? MFD_EXEC : MFD_NOEXEC_SEAL)));

	return r == -EINVAL ? (int)CALL(memfd_create(name, flags)) : r;
}

static int seal_memfd(int memfd)
{
	return (int)CALL(
		fcntl(memfd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE));
}

/*
 * It is sealed, because a process in a container could open it as /proc/PID/exe. A process that executes
 * a file that it may not read is not dumpable, before it does so itself.
 */
int idm_sys_memfd_program(const char *name, const void *program, size_t size)
{
	AUTO_CLOSE int fd = idm_sys_memfd(name, true);
	int r = fd < 0 ? fd : idm_sys_write_all(fd, program, size);

	if (r == 0) {
		CALL(fchmod(fd, 0111));
		r = seal_memfd(fd);
	}
	return r < 0 ? r : idm_steal_fd(&fd);
}

ssize_t idm_sys_pread(int fd, void *buf, size_t size, off_t at)
{
	return CALL(syscall(SYS_pread64, fd, buf, size, IDM_OFFSET_ARGS(at)));
}

ssize_t idm_sys_pwrite(int fd, const void *buf, size_t size, off_t at)
{
	return CALL(syscall(SYS_pwrite64, fd, buf, size, IDM_OFFSET_ARGS(at)));
}

int idm_sys_lock(int fd, int byte, short type, bool wait)
{
	struct flock range = { .l_type = type, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1 };

	/* Not fcntl(3), which is a place where a thread can be cancelled. */
	return (int)CALL(syscall(SYS_fcntl, fd, wait ? F_SETLKW : F_SETLK, &range));
}

pid_t idm_sys_lock_holder(int fd, int byte)
{
	struct flock range = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1 };

	if (CALL(syscall(SYS_fcntl, fd, F_GETLK, &range)) < 0 || range.l_type == F_UNLCK)
		return 0;
	return range.l_pid;
}
