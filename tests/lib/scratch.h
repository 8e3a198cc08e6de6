/* SPDX-License-Identifier: MIT */
/* A place for mounts that no other process sees, and other environments for tests. */
#ifndef IDM_LIB_SCRATCH_H
#define IDM_LIB_SCRATCH_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * Where a test works after scratch_enter(): the root of an empty filesystem in a mount namespace of its
 * own: a tmpfs or, where the kernel can map mounts, but not that (Linux 5.12 to 6.2), an ext4. All of it
 * disappears with the test's process.
 */
#define SCRATCH "/mnt"

/* Needs root (else the test is skipped). */
void scratch_enter(void);

/* A directory with all that lead to it, or an empty file with some text. The path is below SCRATCH. */
void scratch_dir(const char *path);
void scratch_file(const char *path, const char *text);

/*
 * Makes a filesystem with the tools of its type (ext2, ext4, xfs, btrfs, erofs, squashfs) and mounts it
 * at the new directory `target`, through a loop device that the kernel frees together with the mount.
 * `content` (a directory, may be NULL) is copied into it. Skips the test where the tool or the kernel
 * lacks it.
 */
void scratch_filesystem(const char *type, const char *target, const char *content);

/* Runs a program (looked up in the usual places) and returns its exit status; prints what it printed. */
int run_program(const char *const argv[]);
#define RUN(...) run_program((const char *const[]){ __VA_ARGS__, NULL })

/* Becomes an ordinary user: no capability, dumpable as any program that a user has started. */
void become_user(uid_t uid, gid_t gid);

/* A user that no account has, the same all through one process. */
uid_t unused_uid(void);

/* Enters a new user namespace with the given text in uid_map and gid_map, as its root if that has a 0.
 */
void enter_userns(const char *map);

/*
 * Runs `body` in a forked child in a PID namespace of its own, with its own /proc: what is found there
 * does not depend on the machine. After scratch_enter(). Fails or skips with it.
 */
void in_pid_namespace(void (*body)(void *), void *arg);

/* Writes "uid_map" or "gid_map" of a process. */
void write_id_map(pid_t pid, const char *name, const char *text);

/*
 * From here on a system call fails in this process, as a seccomp filter makes it fail; in the second
 * form only with one of these flags in its first argument, in the third only with this value in an
 * argument, counted from 0.
 */
void refuse_call(long number, int errnum);
void refuse_call_with(long number, uint32_t flags, int errnum);
void refuse_call_where(long number, unsigned int argument, uint32_t value, int errnum);

/* From here on this call waits for an answer of the listener that it returns. */
int hold_call(long number);

/*
 * Runs a program below a filter that holds all calls of it and its children. Returns its listener, and
 * the program's number. The caller answers with answer_call() from then on.
 */
int start_program_held(char *const argv[], void (*before)(void), pid_t *pid);

/*
 * Waits for a held call, and lets it happen after `act` has seen it. Returns false if no call came in
 * this time. `act` may be NULL.
 */
struct seccomp_notif;
bool answer_call(int listener, int milliseconds,
		 void (*act)(const struct seccomp_notif *call, void *data), void *data);

/* The same as long as this child runs, which must succeed. */
void answer_calls_until_exit(int listener, pid_t pid,
			     void (*act)(const struct seccomp_notif *call, void *data), void *data);

/* Of /proc/PID/status. It is root's where the process is not dumpable. */
uid_t owner_of_status(pid_t pid);

/* The name of a process, with the newline. */
#define COMM_SIZE 32
void read_comm(pid_t pid, char name[COMM_SIZE]);

/* By its version. */
bool kernel_is_before(unsigned int major, unsigned int minor);

/* Mounts as mount(2), for files that cannot include <sys/mount.h>; fails the test if it fails. */
void do_mount(const char *source, const char *target, const char *type, unsigned long flags,
	      const char *data);
void do_umount(const char *target);	 /* lazily */
void do_umount_idle(const char *target); /* fails the test if the mount is in use */

#endif
