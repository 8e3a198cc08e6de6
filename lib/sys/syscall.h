/* SPDX-License-Identifier: MIT */
/*
 * The only place that makes system calls. Every wrapper returns what the system call returns, or -errno:
 * negative errnos are born here and nowhere else. Interrupted calls that can be repeated are repeated.
 * errno is left as it was.
 *
 * Names newer than Debian 12's headers (Linux 6.1) are declared here, each with the kernel it came in.
 * <sys/mount.h> and <linux/mount.h> do not go together, so no other file includes either.
 */
#ifndef IDM_SYS_SYSCALL_H
#define IDM_SYS_SYSCALL_H

#include <fcntl.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <time.h>

#ifndef STATX_TYPE
#include <linux/stat.h> /* musl before 1.2.5 has no statx(2) */
#endif

#ifndef MOVE_MOUNT_SET_GROUP
#define MOVE_MOUNT_SET_GROUP 0x00000100 /* Linux 5.15 */
#endif
#ifndef MOVE_MOUNT_BENEATH
#define MOVE_MOUNT_BENEATH 0x00000200 /* Linux 6.5 */
#endif
#ifndef STATX_MNT_ID_UNIQUE
#define STATX_MNT_ID_UNIQUE 0x00004000U /* Linux 6.8 */
#endif
#ifndef STATX_MNT_ID
#define STATX_MNT_ID 0x00001000U /* Linux 5.8 */
#endif
#ifndef P_PIDFD
#define P_PIDFD 3 /* Linux 5.4 */
#endif
#ifndef MNT_DETACH
#define MNT_DETACH 2 /* <sys/mount.h> */
#endif
#ifndef UMOUNT_NOFOLLOW
#define UMOUNT_NOFOLLOW 8 /* <sys/mount.h> */
#endif
#ifndef AT_HANDLE_FID
#define AT_HANDLE_FID 0x200 /* Linux 6.5: a handle to compare, not to open */
#endif
#ifndef AT_EMPTY_PATH
#define AT_EMPTY_PATH 0x1000
#endif
#ifndef AT_RECURSIVE
#define AT_RECURSIVE 0x8000
#endif

/* The same numbers on every architecture. */
#ifndef SYS_faccessat2
#define SYS_faccessat2 439 /* Linux 5.8 */
#endif
#ifndef SYS_statmount
#define SYS_statmount 457 /* Linux 6.8 */
#endif
#ifndef SYS_listmount
#define SYS_listmount 458 /* Linux 6.8 */
#endif
#ifndef SYS_open_tree_attr
#define SYS_open_tree_attr 467 /* Linux 6.15 */
#endif

/* statmount(2) and listmount(2), Linux 6.8 */
struct idm_mnt_id_req {
	uint32_t size;
	uint32_t mnt_fd; /* Linux 7.0, instead of mnt_id: idm_sys_statmount_fd() */
	uint64_t mnt_id;
	uint64_t param;
	uint64_t mnt_ns_id; /* Linux 6.11; a size of 24 leaves it out */
};
#define IDM_MNT_ID_REQ_SIZE_VER0 24U

struct idm_statmount {
	uint32_t size;
	uint32_t mnt_opts;
	uint64_t mask;
	uint32_t sb_dev_major;
	uint32_t sb_dev_minor;
	uint64_t sb_magic;
	uint32_t sb_flags;
	uint32_t fs_type; /* this and the other strings: offsets into str */
	uint64_t mnt_id;
	uint64_t mnt_parent_id;
	uint32_t mnt_id_old;
	uint32_t mnt_parent_id_old;
	uint64_t mnt_attr;
	uint64_t mnt_propagation;
	uint64_t mnt_peer_group;
	uint64_t mnt_master;
	uint64_t propagate_from;
	uint32_t mnt_root;
	uint32_t mnt_point;
	uint64_t mnt_ns_id;
	uint32_t fs_subtype;
	uint32_t sb_source;
	uint32_t opt_num;
	uint32_t opt_array;
	uint32_t opt_sec_num;
	uint32_t opt_sec_array;
	uint64_t supported_mask;
	uint32_t mnt_uidmap_num;
	uint32_t mnt_uidmap;
	uint32_t mnt_gidmap_num;
	uint32_t mnt_gidmap;
	uint64_t spare2[43];
	char str[];
};

#define IDM_STATMOUNT_SB_BASIC 0x00000001U
#define IDM_STATMOUNT_MNT_BASIC 0x00000002U
#define IDM_STATMOUNT_PROPAGATE_FROM 0x00000004U
#define IDM_STATMOUNT_MNT_ROOT 0x00000008U
#define IDM_STATMOUNT_MNT_POINT 0x00000010U
#define IDM_STATMOUNT_FS_TYPE 0x00000020U
#define IDM_STATMOUNT_MNT_NS_ID 0x00000040U	 /* Linux 6.11 */
#define IDM_STATMOUNT_MNT_OPTS 0x00000080U	 /* Linux 6.11 */
#define IDM_STATMOUNT_FS_SUBTYPE 0x00000100U	 /* Linux 6.13 */
#define IDM_STATMOUNT_SB_SOURCE 0x00000200U	 /* Linux 6.13 */
#define IDM_STATMOUNT_SUPPORTED_MASK 0x00001000U /* Linux 6.15 */
#define IDM_STATMOUNT_MNT_UIDMAP 0x00002000U	 /* Linux 6.15 */
#define IDM_STATMOUNT_MNT_GIDMAP 0x00004000U	 /* Linux 6.15 */
#define IDM_LSMT_ROOT 0xffffffffffffffffULL	 /* listmount: from the namespace's root mount on */

/* ioctls on a namespace */
#define IDM_NS_GET_USERNS _IO(0xb7, 0x1)
#define IDM_NS_GET_PARENT _IO(0xb7, 0x2)
#define IDM_NS_GET_NSTYPE _IO(0xb7, 0x3)
#define IDM_NS_GET_OWNER_UID _IO(0xb7, 0x4)
#define IDM_NS_GET_PID_FROM_PIDNS _IOR(0xb7, 0x6, int) /* Linux 6.11 */

/* ioctls on a mount namespace, Linux 6.12 */
struct idm_mnt_ns_info {
	uint32_t size;
	uint32_t nr_mounts;
	uint64_t mnt_ns_id;
};
#define IDM_NS_MNT_GET_INFO _IOR(0xb7, 10, struct idm_mnt_ns_info)
#define IDM_NS_MNT_GET_NEXT _IOR(0xb7, 11, struct idm_mnt_ns_info)
#define IDM_NS_MNT_GET_PREV _IOR(0xb7, 12, struct idm_mnt_ns_info)

/* What a pidfd reports about its process: Linux 6.13. The caller sets `mask` to what it wants. */
struct idm_pidfd_info {
	uint64_t mask;
	uint64_t cgroupid;
	uint32_t pid;
	uint32_t tgid;
	uint32_t ppid;
	uint32_t ids[8];
	int32_t exit_code; /* as wait(2) returns it */
};
#define IDM_PIDFD_GET_INFO _IOWR(0xff, 11, struct idm_pidfd_info)
#define IDM_PIDFD_GET_PID_NAMESPACE _IO(0xff, 5)
#define IDM_PIDFD_GET_PID_FOR_CHILDREN_NAMESPACE _IO(0xff, 6)
#define IDM_PIDFD_GET_USER_NAMESPACE _IO(0xff, 9) /* Linux 6.11 */
#define IDM_PIDFD_INFO_PID 1U
#define IDM_PIDFD_INFO_EXIT 8U	   /* Linux 6.15: once the process has been reaped, by whomever */
#define IDM_PIDFS_MAGIC 0x50494446 /* Linux 6.9: each process has an inode number, for ever its own */

/* files */
int idm_sys_openat(int dirfd, const char *path, int flags, unsigned int mode);
int idm_sys_openat2(int dirfd, const char *path, int flags, unsigned int mode, uint64_t resolve);
int idm_sys_openat2_size(size_t size); /* no file: the errno for a struct of that size */
int idm_sys_fstatat(int dirfd, const char *path, struct stat *st, int flags);
int idm_sys_faccessat2(int dirfd, const char *path, int mode, int flags);
int idm_sys_statx(int dirfd, const char *path, int flags, unsigned int mask, struct statx *st);
int idm_is_mount_point(int fd); /* whether fd is the root of the mount that it is in (Linux 5.8) */
/*
 * Finds the ID of a mount by a path on it, or by the descriptor `dirfd` if the path is empty. Before
 * Linux 6.8 it is the short ID, and *unique is false. EACCES: a FUSE filesystem does not admit the
 * caller. EOPNOTSUPP: Linux before 5.8.
 */
int idm_mount_id(int dirfd, const char *path, uint64_t *id, bool *unique);
/* The short ID, as in mountinfo. A later mount can get the same one. FUSE does not refuse this. */
int idm_short_mount_id(int fd, uint64_t *id);
bool idm_is_same_inode(int a, int b);
/*
 * The same of the roots of two mounts. A FUSE filesystem can keep its inodes from all but its own user,
 * also from root. Then the filesystem counts alone.
 */
bool idm_is_same_mount_root(int a, int b);
/* Whether it is a file of a namespace, of any kind. */
bool idm_is_namespace(int fd);
/* The inode number of the initial user namespace's file; a number that the kernel promises to keep. */
#define IDM_INITIAL_USERNS_INODE 0xEFFFFFFDU
/* False for any other file. */
bool idm_is_initial_userns(int fd);
int idm_sys_fstatfs(int fd, struct statfs *st);
ssize_t idm_sys_readlinkat(int dirfd, const char *path, char *buf, size_t size); /* no final NUL */
int idm_sys_name_to_handle(int dirfd, const char *path, struct file_handle *handle, int flags);
int idm_sys_open_by_handle(int mount_fd, struct file_handle *handle, int flags);
int idm_sys_mkdirat(int dirfd, const char *path, unsigned int mode);
int idm_sys_symlinkat(const char *target, int dirfd, const char *path);
int idm_sys_fchdir(int fd);
int idm_sys_unlinkat(int dirfd, const char *path, int flags);
ssize_t idm_sys_read(int fd, void *buf, size_t size);
ssize_t idm_sys_write(int fd, const void *buf, size_t size);
/* All of it, to a file that RLIMIT_FSIZE can limit: 0 or -errno. -EFBIG comes without a signal. */
int idm_sys_write_all(int fd, const void *buf, size_t size);
int idm_sys_fsync(int fd);
int idm_sys_flock(int fd, int operation);
int idm_sys_dup(int fd); /* close-on-exec */
int idm_sys_dup_to(int fd, int number);
int idm_sys_fd_flags(int fd);
int idm_sys_open_flags(int fd); /* those of open(2) */
int idm_sys_ioctl(int fd, unsigned long request, void *arg);
int idm_sys_poll(int fd, short events); /* without waiting: the events that are there */
int idm_sys_rewind(int fd);
ssize_t idm_sys_getdents(int fd, void *buf, size_t size); /* struct dirent64 */
/*
 * Reads an extended attribute of the file that `fd` refers to, which may be O_PATH. Requires /proc:
 * fgetxattr(2) and getxattrat(2) reject such a descriptor. Returns the length or -errno.
 */
ssize_t idm_sys_getxattr(int fd, const char *name, void *buf, size_t size);

/* mounts */
int idm_sys_open_tree(int dirfd, const char *path, unsigned int flags);
int idm_sys_open_tree_attr(int dirfd, const char *path, unsigned int flags, struct mount_attr *attr);
int idm_sys_mount_setattr(int dirfd, const char *path, unsigned int flags, struct mount_attr *attr);
int idm_sys_move_mount(int from, const char *from_path, int to, const char *to_path, unsigned int flags);
/* From a detached tree's descriptor to a target's. `flags` are more flags of move_mount(2). */
int idm_sys_move_mount_fd(int tree_fd, int to_fd, unsigned int flags);
int idm_sys_mount(const char *source, const char *target, const char *type, unsigned long flags,
		  const char *options);
int idm_sys_umount(const char *path, int flags);
int idm_sys_pivot_root(const char *root, const char *old);
int idm_sys_fsopen(const char *type, unsigned int flags);
int idm_sys_fsconfig(int fd, unsigned int command, const char *key, const void *value, int aux);
int idm_sys_fsmount(int fd, unsigned int flags, unsigned int attributes);
ssize_t idm_sys_listmount(const struct idm_mnt_id_req *req, uint64_t *ids, size_t n);
int idm_sys_statmount(const struct idm_mnt_id_req *req, struct idm_statmount *buf, size_t size);
int idm_sys_statmount_fd(const struct idm_mnt_id_req *req, struct idm_statmount *buf, size_t size);

/*
 * By its number, for explanations only: distributions add to their kernels, filters take away. What a
 * kernel can is found out by trying.
 */
bool idm_kernel_is_before(unsigned int major, unsigned int minor);

/*
 * The following are asked by every call that makes a mount, so a "yes" is remembered: what a kernel can
 * it can for as long as it runs, whatever a filter may refuse later.
 */

/*
 * Whether detached mounts can be layers of an overlay, and can have mounts attached to them. Both came
 * in the release of open_tree_attr(2), Linux 6.15, which can be asked for without trying to make
 * anything.
 */
bool idm_kernel_takes_detached(void);

/* Whether it reports a mount by a descriptor, STATMOUNT_BY_FD (Linux 7.0). */
bool idm_kernel_reports_fd(void);

/* Whether it has ID-mapped mounts (Linux 5.12), even if a filter refuses to make them. */
bool idm_kernel_maps_mounts(void);

/* Whether a call failed for a lack of descriptors or memory, which says nothing about what it asked. */
bool idm_is_shortage(int code);

/* processes */
long idm_sys_clone3(struct clone_args *args, size_t size);
int idm_sys_clone(int (*child)(void *), void *stack_top, int flags, void *arg, int *pidfd);
/*
 * Every signal, also those two that pthread_sigmask(3) never blocks because glibc needs them: a child
 * that shares anything with the caller must run none of its handlers.
 */
void idm_sys_block_signals(uint64_t *saved);
void idm_sys_restore_signals(const uint64_t *saved);
void idm_sys_default_sigchld(void);   /* SIGCHLD is neither handled nor ignored any more */
int idm_sys_new_fd_table(void);	      /* an empty one, if it was shared (Linux 5.9) */
int idm_sys_keep_fds(unsigned int n); /* the first ones, in a table of its own (Linux 5.9) */
int idm_sys_setns(int fd, int type);
int idm_sys_unshare(int flags);
int idm_sys_pidfd_open(pid_t pid);
int idm_sys_pidfd_open_thread(void); /* of this thread: PIDFD_THREAD, Linux 6.9 */
int idm_sys_pidfd_send_signal(int pidfd, int signal);
#define IDM_PIDFD_SIGNAL_PROCESS_GROUP 4U /* Linux 6.9 */
int idm_sys_pidfd_send_siginfo(int pidfd, siginfo_t *info, unsigned int flags);
int idm_sys_waitid_pidfd(int pidfd, siginfo_t *info, int options);
void idm_sys_sleep(unsigned int milliseconds); /* or shorter, if a signal comes */
/* Until one of the events, POLLHUP or the time (NULL: no limit): 1, or 0 if that is over. */
int idm_sys_poll_until(int fd, short events, const struct timespec *deadline);
uint64_t
idm_file_time(void); /* as files have it: nanoseconds of the epoch, not after what is made next */
void idm_sys_deadline(struct timespec *deadline, int timeout_ms);
void idm_sys_futex_wait(const uint32_t *word, uint32_t value); /* may also come back for no reason */
void idm_sys_futex_wait_ms(const uint32_t *word, uint32_t value, unsigned int milliseconds);
void idm_sys_futex_wake(const uint32_t *word); /* all waiting threads */
int idm_sys_memfd(const char *name, bool to_execute);
int idm_sys_memfd_program(const char *name, const void *program, size_t size); /* sealed */
ssize_t idm_sys_pread(int fd, void *buf, size_t size, off_t at);
ssize_t idm_sys_pwrite(int fd, const void *buf, size_t size, off_t at);
/* POSIX locks of one byte, which belong to the process: IDM_LOCK_* in spawn/executor/request.h */
int idm_sys_lock(int fd, int byte, short type, bool wait);
pid_t idm_sys_lock_holder(int fd, int byte); /* 0: no process */
int idm_sys_capget(uint64_t *effective, uint64_t *permitted, uint64_t *inheritable);
uint64_t idm_sys_limit(int resource);	       /* RLIMIT_*, as it is now */
void *idm_sys_map(size_t size, int flags);     /* MAP_SHARED or MAP_PRIVATE; NULL: no memory */
void idm_sys_unmap(void *memory, size_t size); /* that of either */
void *idm_sys_map_file(int fd, size_t size);   /* MAP_SHARED */
int idm_sys_prctl(int option, unsigned long a, unsigned long b);

/* waiting for what happens to processes */
int idm_sys_waitid(idtype_t type, id_t id, siginfo_t *info, int options);
int idm_sys_epoll_create(void);
int idm_sys_epoll_add(int epoll, int fd, uint32_t events, void *data);
int idm_sys_epoll_again(int epoll, int fd, uint32_t events, void *data); /* a new edge, if it is there */
int idm_sys_epoll_delete(int epoll, int fd);
int idm_sys_epoll_take(int epoll, void **data); /* what came first: 1 and its data, or 0: nothing */
int idm_sys_signalfd(uint64_t signals);		/* does not block */
int idm_sys_eventfd(void);			/* does not block */
int idm_sys_pipe(int fds[2]);			/* does not block */
int idm_sys_socketpair(int fds[2]);		/* of packets */
int idm_sys_packet_socket(void);		/* the same, not connected */
/* -ETIMEDOUT: too many others wait there. */
int idm_sys_connect_unix(int fd, const char *path, const struct timespec *deadline);
/*
 * One packet, without waiting and without SIGPIPE. A received one can be longer than the buffer: the
 * result is its whole length. Descriptors that come with it are dropped.
 */
struct idm_packet {
	const void *data;
	size_t size;
	size_t n_fds;
	int fds[2];
	bool as_sender;	   /* with this process's number and these IDs: EPERM without the privilege */
	uint32_t uid, gid; /* in this process's user namespace */
};
int idm_sys_send_packet(int fd, const struct idm_packet *packet);
ssize_t idm_sys_receive_packet(int fd, void *buf, size_t size);
bool idm_is_signal_blocked(int signal);
bool idm_is_sigchld_ignored(void); /* so that the kernel keeps no zombies */
bool idm_is_subreaper(void);	   /* or process 1 of its namespace */

#endif
