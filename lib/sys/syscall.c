// SPDX-License-Identifier: MIT
#include "syscall.h"

#include <errno.h>
#include <linux/capability.h>
#include <linux/futex.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "lib/base/macros.h"

#ifndef MFD_EXEC
#define MFD_NOEXEC_SEAL 8U /* Linux 6.3 */
#define MFD_EXEC 16U	   /* Linux 6.3 */
#endif

/*
 * The call's result, or -errno; again while a signal handler interrupts it; errno stays as it was. It is
 * not even written where it need not be: in a program that has just forked, its page would have to be
 * copied.
 */
#define CALL(expression)                          \
	({                                        \
		int saved_ = errno;               \
		long r_;                          \
		do                                \
			r_ = (long)(expression);  \
		while (r_ < 0 && errno == EINTR); \
		if (r_ < 0)                       \
			r_ = -errno;              \
		if (errno != saved_)              \
			errno = saved_;           \
		r_;                               \
	})

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

int idm_sys_openat2(int dirfd, const char *path, int flags, unsigned int mode, uint64_t resolve)
{
	struct open_how how = {
		.flags = (unsigned int)flags | O_CLOEXEC,
		.mode = mode,
		.resolve = resolve,
	};
	int r = -EAGAIN;

	for (int tries = 0; was_disturbed(r, resolve) && tries < 1000; tries++)
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

int idm_sys_statx(int dirfd, const char *path, int flags, unsigned int mask, struct statx *st)
{
	return (int)CALL(syscall(SYS_statx, dirfd, path, flags, mask, st));
}

int idm_is_mount_point(int fd)
{
	struct statx st;
	/* The filesystem need not be asked, and if its server is dead it could not be. */
	int r = idm_sys_statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE, &st);

	return r < 0 ? r : !!(st.stx_attributes & STATX_ATTR_MOUNT_ROOT);
}

int idm_mount_id(int fd, uint64_t *id, bool *unique)
{
	struct statx st;
	const int flags = AT_EMPTY_PATH | AT_STATX_DONT_SYNC; /* a dead server has nothing to say here */
	int r = idm_sys_statx(fd, "", flags, STATX_MNT_ID_UNIQUE, &st);

	*unique = r == 0 && st.stx_mask & STATX_MNT_ID_UNIQUE;
	if (r == 0 && !*unique)
		r = idm_sys_statx(fd, "", flags, STATX_MNT_ID, &st);
	*id = r < 0 ? 0 : st.stx_mnt_id;
	return r;
}

bool idm_is_same_inode(int a, int b)
{
	struct stat x, y;

	return idm_sys_fstatat(a, "", &x, AT_EMPTY_PATH) == 0 &&
	       idm_sys_fstatat(b, "", &y, AT_EMPTY_PATH) == 0 && x.st_dev == y.st_dev &&
	       x.st_ino == y.st_ino;
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

ssize_t idm_sys_read_all(int fd, void *buf, size_t size)
{
	size_t length = 0;
	ssize_t n = 1;

	while (length < size && n > 0) {
		n = idm_sys_read(fd, (char *)buf + length, size - length);
		if (n < 0)
			return n;
		length += (size_t)n;
	}
	return (ssize_t)length;
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

uint64_t idm_sys_limit(int resource)
{
	uint64_t limit[2] = { UINT64_MAX, UINT64_MAX }; /* struct rlimit64: now, and at most */

	CALL(syscall(SYS_prlimit64, 0, resource, NULL, limit));
	return limit[0];
}

void *idm_sys_map(size_t size, int flags)
{
	long r = CALL(mmap(NULL, size, PROT_READ | PROT_WRITE, flags | MAP_ANONYMOUS, -1, 0));

	return r < 0 && r > -4096 ? NULL : (void *)r;
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

int idm_sys_fd_flags(int fd)
{
	return (int)CALL(fcntl(fd, F_GETFD));
}

int idm_sys_ioctl(int fd, unsigned long request, void *arg)
{
	return (int)CALL(syscall(SYS_ioctl, fd, request, arg));
}

int idm_sys_poll(int fd, short events)
{
	struct pollfd p = { .fd = fd, .events = events };
	int r = (int)CALL(poll(&p, 1, 0));

	return r < 0 ? r : p.revents;
}

int idm_sys_rewind(int fd)
{
	return (int)CALL(lseek(fd, 0, SEEK_SET));
}

ssize_t idm_sys_getdents(int fd, void *buf, size_t size)
{
	return CALL(syscall(SYS_getdents64, fd, buf, size));
}

int idm_sys_open_tree(int dirfd, const char *path, unsigned int flags)
{
	return (int)CALL(syscall(SYS_open_tree, dirfd, path, flags | OPEN_TREE_CLOEXEC));
}

int idm_sys_open_tree_attr(int dirfd, const char *path, unsigned int flags, struct mount_attr *attr)
{
	return (int)CALL(syscall(SYS_open_tree_attr, dirfd, path, flags | OPEN_TREE_CLOEXEC, attr,
				 sizeof(*attr)));
}

int idm_sys_mount_setattr(int dirfd, const char *path, unsigned int flags, struct mount_attr *attr)
{
	return (int)CALL(syscall(SYS_mount_setattr, dirfd, path, flags, attr, sizeof(*attr)));
}

int idm_sys_move_mount(int from, const char *from_path, int to, const char *to_path, unsigned int flags)
{
	return (int)CALL(syscall(SYS_move_mount, from, from_path, to, to_path, flags));
}

int idm_sys_move_mount_fd(int tree_fd, int to_fd, unsigned int flags)
{
	return idm_sys_move_mount(tree_fd, "", to_fd, "",
				  flags | MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
}

int idm_sys_mount(const char *source, const char *target, const char *type, unsigned long flags,
		  const char *options)
{
	return (int)CALL(syscall(SYS_mount, source, target, type, flags, options));
}

int idm_sys_pivot_root(const char *root, const char *old)
{
	return (int)CALL(syscall(SYS_pivot_root, root, old));
}

int idm_sys_umount(const char *path, int flags)
{
	return (int)CALL(syscall(SYS_umount2, path, flags));
}

int idm_sys_fsopen(const char *type, unsigned int flags)
{
	return (int)CALL(syscall(SYS_fsopen, type, flags | FSOPEN_CLOEXEC));
}

int idm_sys_fsconfig(int fd, unsigned int command, const char *key, const void *value, int aux)
{
	return (int)CALL(syscall(SYS_fsconfig, fd, command, key, value, aux));
}

int idm_sys_fsmount(int fd, unsigned int flags, unsigned int attributes)
{
	return (int)CALL(syscall(SYS_fsmount, fd, flags | FSMOUNT_CLOEXEC, attributes));
}

ssize_t idm_sys_listmount(const struct idm_mnt_id_req *req, uint64_t *ids, size_t n)
{
	return CALL(syscall(SYS_listmount, req, ids, n, 0U));
}

int idm_sys_statmount(const struct idm_mnt_id_req *req, struct idm_statmount *buf, size_t size)
{
	return (int)CALL(syscall(SYS_statmount, req, buf, size, 0U));
}

bool idm_kernel_is_before(unsigned int major, unsigned int minor)
{
	unsigned int have_major, have_minor;
	struct utsname name;

	if (uname(&name) < 0 || sscanf(name.release, "%u.%u", &have_major, &have_minor) != 2)
		return false;
	return have_major < major || (have_major == major && have_minor < minor);
}

bool idm_kernel_takes_detached(void)
{
	static bool it_does;
	struct mount_attr none = { 0 };

	if (!__atomic_load_n(&it_does, __ATOMIC_RELAXED) &&
	    idm_sys_open_tree_attr(-1, "", ~0U, &none) == -EINVAL)
		__atomic_store_n(&it_does, true, __ATOMIC_RELAXED);
	return __atomic_load_n(&it_does, __ATOMIC_RELAXED);
}

bool idm_kernel_maps_mounts(void)
{
	static bool it_does;
	struct mount_attr none = { 0 };

	if (!__atomic_load_n(&it_does, __ATOMIC_RELAXED) &&
	    (idm_sys_mount_setattr(-1, "", ~0U, &none) != -ENOSYS || !idm_kernel_is_before(5, 12)))
		__atomic_store_n(&it_does, true, __ATOMIC_RELAXED);
	return __atomic_load_n(&it_does, __ATOMIC_RELAXED);
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

int idm_sys_setns(int fd, int type)
{
	return (int)CALL(syscall(SYS_setns, fd, type));
}

int idm_sys_unshare(int flags)
{
	return (int)CALL(syscall(SYS_unshare, flags));
}

int idm_sys_pidfd_open(pid_t pid)
{
	return (int)CALL(syscall(SYS_pidfd_open, pid, 0U)); /* always close-on-exec */
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

void idm_sys_deadline(struct timespec *deadline, int timeout_ms)
{
	clock_gettime(CLOCK_MONOTONIC, deadline);
	deadline->tv_sec += timeout_ms / 1000;
	deadline->tv_nsec += timeout_ms % 1000 * 1000000L;
	if (deadline->tv_nsec >= 1000000000L) {
		deadline->tv_nsec -= 1000000000L;
		deadline->tv_sec++;
	}
}

uint64_t idm_file_time(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME_COARSE, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* What is left of the time; nothing once it is over. */
static struct timespec get_time_left(const struct timespec *deadline)
{
	struct timespec left;

	clock_gettime(CLOCK_MONOTONIC, &left);
	left.tv_sec = deadline->tv_sec - left.tv_sec;
	left.tv_nsec = deadline->tv_nsec - left.tv_nsec;
	if (left.tv_nsec < 0) {
		left.tv_nsec += 1000000000L;
		left.tv_sec--;
	}
	if (left.tv_sec < 0)
		left = (struct timespec){ 0 };
	return left;
}

/* Not nanosleep(2) and ppoll(2) of libc, which are places where a thread can be cancelled. */
void idm_sys_sleep(unsigned int milliseconds)
{
	struct timespec t = { milliseconds / 1000, milliseconds % 1000 * 1000000L };

	CALL(syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC, 0, &t, NULL));
}

int idm_sys_poll_until(int fd, short events, const struct timespec *deadline)
{
	struct pollfd p = { .fd = fd, .events = events };
	int saved = errno;
	long r;

	do {
		struct timespec left = deadline ? get_time_left(deadline) : (struct timespec){ 0 };

		r = syscall(SYS_ppoll, &p, 1, deadline ? &left : NULL, NULL, 0);
	} while (r < 0 && errno == EINTR);
	if (r < 0)
		r = -errno;
	if (errno != saved)
		errno = saved;
	return (int)r;
}

void idm_sys_futex_wait(const uint32_t *word, uint32_t value)
{
	CALL(syscall(SYS_futex, word, FUTEX_WAIT, value, NULL, NULL, 0));
}

void idm_sys_futex_wait_ms(const uint32_t *word, uint32_t value, unsigned int milliseconds)
{
	struct timespec t = { milliseconds / 1000, milliseconds % 1000 * 1000000L };

	CALL(syscall(SYS_futex, word, FUTEX_WAIT, value, &t, NULL, 0));
}

void idm_sys_futex_wake(const uint32_t *word)
{
	CALL(syscall(SYS_futex, word, FUTEX_WAKE, INT32_MAX, NULL, NULL, 0));
}

/* Before Linux 6.3 the kernel does not want to be told what it is for; from then on it does. */
int idm_sys_memfd(const char *name, bool to_execute)
{
	unsigned int flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
	int r = (int)CALL(memfd_create(name, flags | (to_execute ? MFD_EXEC : MFD_NOEXEC_SEAL)));

	return r == -EINVAL ? (int)CALL(memfd_create(name, flags)) : r;
}

int idm_sys_seal(int memfd)
{
	return (int)CALL(
		fcntl(memfd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE));
}

ssize_t idm_sys_pread(int fd, void *buf, size_t size, off_t at)
{
	return CALL(syscall(SYS_pread64, fd, buf, size, at));
}

ssize_t idm_sys_pwrite(int fd, const void *buf, size_t size, off_t at)
{
	return CALL(syscall(SYS_pwrite64, fd, buf, size, at));
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

int idm_sys_epoll_create(void)
{
	return (int)CALL(epoll_create1(EPOLL_CLOEXEC));
}

int idm_sys_epoll_add(int epoll, int fd, uint32_t events, void *data)
{
	struct epoll_event event = { .events = events, .data.ptr = data };

	return (int)CALL(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event));
}

int idm_sys_epoll_again(int epoll, int fd, uint32_t events, void *data)
{
	struct epoll_event event = { .events = events, .data.ptr = data };

	return (int)CALL(epoll_ctl(epoll, EPOLL_CTL_MOD, fd, &event));
}

int idm_sys_epoll_delete(int epoll, int fd)
{
	return (int)CALL(epoll_ctl(epoll, EPOLL_CTL_DEL, fd, NULL));
}

int idm_sys_epoll_take(int epoll, void **data)
{
	struct epoll_event event;
	int r = (int)CALL(epoll_wait(epoll, &event, 1, 0));

	if (r > 0)
		*data = event.data.ptr;
	return r;
}

int idm_sys_signalfd(uint64_t signals)
{
	return (int)CALL(syscall(SYS_signalfd4, -1, &signals, sizeof(signals), O_CLOEXEC | O_NONBLOCK));
}

int idm_sys_eventfd(void)
{
	return (int)CALL(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
}

int idm_sys_pipe(int fds[2])
{
	return (int)CALL(pipe2(fds, O_CLOEXEC | O_NONBLOCK));
}

int idm_sys_socketpair(int fds[2])
{
	return (int)CALL(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds));
}

union ancillary {
	struct cmsghdr header;
	char room[CMSG_SPACE(sizeof(int) * IDM_SEND_FDS)];
};

ssize_t idm_sys_send(int fd, const void *buf, size_t size, const int *fds, size_t n_fds)
{
	struct iovec data = { (void *)buf, size };
	union ancillary a = { .header = { .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS } };
	struct msghdr message = { .msg_iov = &data, .msg_iovlen = 1 };

	if (n_fds) {
		a.header.cmsg_len = (socklen_t)CMSG_LEN(sizeof(int) * n_fds);
		memcpy(CMSG_DATA(&a.header), fds, sizeof(int) * n_fds);
		message.msg_control = &a;
		message.msg_controllen = (socklen_t)CMSG_SPACE(sizeof(int) * n_fds);
	}
	return CALL(sendmsg(fd, &message, MSG_NOSIGNAL));
}

ssize_t idm_sys_receive(int fd, void *buf, size_t size, int fds[IDM_SEND_FDS], size_t *n_fds)
{
	struct iovec data = { buf, size };
	union ancillary a;
	struct msghdr message = {
		.msg_iov = &data,
		.msg_iovlen = 1,
		.msg_control = &a,
		.msg_controllen = sizeof(a),
	};
	ssize_t n = CALL(recvmsg(fd, &message, MSG_CMSG_CLOEXEC));
	struct cmsghdr *c = n < 0 ? NULL : CMSG_FIRSTHDR(&message);

	*n_fds = 0;
	if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS) {
		*n_fds = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		memcpy(fds, CMSG_DATA(c), sizeof(int) * *n_fds);
	}
	return n;
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
