// SPDX-License-Identifier: MIT
/*
 * "/proc/<pid>" is right only if that procfs belongs to the PID namespace in which <pid> was counted. A
 * program in a new PID namespace that still has the outer /proc gets another process without any error:
 * clone3 says 2, and /proc/2/ns/user is kthreadd's. So the number is not taken from clone or fork. It
 * is read from that very procfs, out of the fdinfo of the pidfd: unless procfs itself has told that it
 * is the initial PID namespace's, and so are the caller and the child.
 *
 * No descriptor is kept between two calls: a program that closes what it does not know would turn it
 * into a trap, and one that forks or enters another PID namespace would need to be told.
 */
#include "procfs.h"

#include <errno.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

#include "fail-errno.h"
#include "lib/base/error.h"
#include "lib/base/macros.h"
#include "pidns.h"
#include "refused.h"
#include "seccomp-probe.h"
#include "syscall.h"

/* The root of every procfs has this inode number (PROC_ROOT_INO); a bind mount of a part has another. */
#define PROCFS_ROOT_INODE 1

/* The initial PID namespace, as a link of /proc/PID/ns names it: the same on every Linux. */
#define INITIAL_PIDNS "pid:[4026531836]"

/* The process behind the pidfd is gone, and its number may be another process's by now. */
#define REAPED (-ESRCH)

/* Nothing mounted over a part of procfs, no way out of it. Symbolic links such as "self" are allowed. */
#define INSIDE (RESOLVE_NO_XDEV | RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS)

static bool is_procfs(int fd, bool to_write)
{
	struct statfs fs;

	return idm_sys_fstatfs(fd, &fs) == 0 && fs.f_type == PROC_SUPER_MAGIC &&
	       !(to_write && fs.f_flags & ST_RDONLY);
}

static bool is_procfs_root(int fd, bool to_write)
{
	struct stat st;

	return is_procfs(fd, to_write) && idm_sys_fstatat(fd, "", &st, AT_EMPTY_PATH) == 0 &&
	       st.st_ino == PROCFS_ROOT_INODE;
}

/* Without stdio: a subprocess may be killed in the middle, and stdio leaves marks in a thread's memory.
 */
static void append_number(char *text, unsigned int number)
{
	char digits[12], *d = digits + sizeof(digits) - 1;

	*d = '\0';
	do
		*--d = (char)('0' + number % 10);
	while (number /= 10);
	strcat(text, d);
}

/*
 * The number of the pidfd's process in the PID namespace of this procfs. -ESRCH: reaped. -ENOENT: the
 * caller or the process is not visible there.
 */
static int read_pid_in(int proc, int pidfd)
{
	char path[64] = "thread-self/fdinfo/", text[512], *line;
	AUTO_CLOSE int fd = -1;
	ssize_t n;
	int pid;

	append_number(path, (unsigned int)pidfd);
	fd = idm_sys_openat2(proc, path, O_RDONLY, 0, INSIDE);
	if (fd < 0)
		return fd == -ESRCH ? -ENOENT : fd;
	n = idm_sys_read(fd, text, sizeof(text) - 1);
	if (n < 0)
		return (int)n;
	text[n] = '\0';
	line = strstr(text, "\nPid:");
	pid = line ? (int)strtol(line + strlen("\nPid:"), NULL, 10) : 0;
	if (pid == 0)
		return -ENOENT;
	return pid < 0 ? REAPED : pid;
}

/*
 * The number of a child that has exited and was not reaped, as this PID namespace counts. -ECHILD: not
 * such a child. -ENOENT: it is running.
 */
static int ask_for_number_of_dead(int pidfd)
{
	siginfo_t info = { 0 };
	int r = idm_sys_waitid_pidfd(pidfd, &info, WEXITED | WNOHANG | WNOWAIT | __WALL);

	if (r < 0)
		return r;
	return info.si_pid ? info.si_pid : -ENOENT;
}

/*
 * Before Linux 5.14 the fdinfo of a process that is not dumpable is root's. If the procfs is the initial
 * PID namespace's, as the caller is, then the kernel's other answers count as it does.
 */
static int find_pid_in(int proc, int pidfd)
{
	AUTO_CLOSE int initial = -1;
	int pid = read_pid_in(proc, pidfd);

	if (pid != -EACCES)
		return pid;
	initial = idm_procfs_of_initial();
	pid = initial < 0 ? initial : ask_for_number_of_dead(pidfd);
	return pid < 0 ? -EACCES : pid;
}

static int open_process_in(int proc, int pidfd)
{
	int pid = find_pid_in(proc, pidfd), fd;

	if (pid < 0)
		return pid;
	fd = idm_procfs_process(proc, pid);
	return fd == -ENOENT ? REAPED : fd;
}

/* A procfs of the caller's own PID namespace that no other process can see or cover. */
static int make_private_procfs(void)
{
	AUTO_CLOSE int fs = idm_sys_fsopen("proc", 0);
	int r;

	if (fs < 0)
		return fs;
	/* Linux 5.8. Leaves out /proc/sys and the like, which makes it cheap. */
	r = idm_sys_fsconfig(fs, FSCONFIG_SET_STRING, "subset", "pid", 0);
	if (r == 0)
		r = idm_sys_fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0);
	if (r < 0)
		return r;
	/* Not read-only: a map is written through it. */
	return idm_sys_fsmount(fs, 0, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
}

/* Not there, hidden (hidepid), or covered by another mount. Anything else is a failure of its own. */
static bool means_wrong_procfs(int r)
{
	return r == -ENOENT || r == -EACCES || r == -EPERM || r == -EXDEV || r == -ELOOP ||
	       r == -ENOTDIR;
}

int idm_procfs_open(int pidfd, bool to_write, struct idm_error *err)
{
	static const enum idm_error_step step = IDM_STEP_FIND_CHILD;
	AUTO_CLOSE int proc = -1, own = -1;
	int r = -ENOENT;

	proc = idm_sys_openat(AT_FDCWD, "/proc", O_PATH | O_DIRECTORY, 0);
	if (proc >= 0 && is_procfs_root(proc, to_write))
		r = open_process_in(proc, pidfd);
	if (r >= 0)
		return r;
	if (r == REAPED)
		return idm_fail(err, r, step, NULL, "another thread reaped the child");
	if ((r == -EPERM || r == -ENOSYS) && idm_refused_call())
		return idm_fail_errno(err, r, step, "/proc");
	if (proc < 0 ? proc != -ENOENT : !means_wrong_procfs(r))
		return idm_fail_errno(err, proc < 0 ? proc : r, step, "/proc");

	own = make_private_procfs();
	r = own < 0 ? own : open_process_in(own, pidfd);
	if (r >= 0)
		return r;
	if (idm_is_shortage(r))
		return idm_fail_errno(err, r, step, "/proc");
	if (own >= 0 && r == -EACCES)
		return idm_diagnose_closed_file(r, step, "/proc", err);
	if (own >= 0)
		return idm_fail(err, r, step, "/proc", "a private procfs does not show it either: %s",
				idm_errno_text(-r));
	if (own == -EPERM)
		r = -ENOENT;
	idm_fail(err, r, step, "/proc",
		 "expected a %sprocfs of this PID namespace, and a private one cannot be created: %s",
		 to_write ? "writable " : "", idm_errno_text(-own));
	idm_hint(err, "mount a procfs of this PID namespace at /proc, and no other mount on its files");
	return r;
}

static bool shows_caller(int proc)
{
	AUTO_CLOSE int self = idm_sys_openat2(proc, "thread-self", O_PATH | O_DIRECTORY, 0, INSIDE);

	return self >= 0;
}

/* From outside, a process has a number in each of the namespaces that it is in: "NSpid: 4711 1". */
static bool is_own_pidns(int proc)
{
	AUTO_CLOSE int fd = idm_sys_openat2(proc, "self/status", O_RDONLY, 0, INSIDE);
	char text[2048], *line, end;
	ssize_t n = fd < 0 ? fd : idm_sys_read(fd, text, sizeof(text) - 1);
	int pid;

	if (n < 0)
		return false;
	text[n] = '\0';
	line = strstr(text, "\nNSpid:");
	return line && sscanf(line, "\nNSpid:%d%c", &pid, &end) == 2 && end == '\n';
}

/* The one at /proc if it will do, else a private one; `what` it should have been. */
static int open_procfs_root(bool (*will_do)(int proc), const char *what, struct idm_error *err)
{
	AUTO_CLOSE int proc = idm_sys_openat(AT_FDCWD, "/proc", O_PATH | O_DIRECTORY, 0);

	if (proc >= 0 && is_procfs_root(proc, false) && will_do(proc))
		return idm_steal_fd(&proc);
	idm_close_fd(&proc);
	proc = make_private_procfs();
	if (proc >= 0)
		return idm_steal_fd(&proc);
	if (idm_is_shortage(proc))
		return idm_fail_errno(err, proc, IDM_STEP_OPEN_PROCFS, "/proc");
	idm_fail(err, proc, IDM_STEP_OPEN_PROCFS, "/proc",
		 "expected a procfs %s, and a private one cannot be created: %s", what,
		 idm_errno_text(-proc));
	idm_hint(err, "mount a procfs of this PID namespace at /proc");
	return proc;
}

int idm_procfs_root(struct idm_error *err)
{
	return open_procfs_root(shows_caller, "that shows this process", err);
}

int idm_procfs_own(struct idm_error *err)
{
	return open_procfs_root(is_own_pidns, "of this PID namespace", err);
}

int idm_procfs_number(int proc, int pidfd)
{
	return read_pid_in(proc, pidfd);
}

static bool names_initial_pidns(int dirfd, const char *link)
{
	char name[sizeof(INITIAL_PIDNS)];

	return idm_sys_readlinkat(dirfd, link, name, sizeof(name)) == sizeof(INITIAL_PIDNS) - 1 &&
	       memcmp(name, INITIAL_PIDNS, sizeof(INITIAL_PIDNS) - 1) == 0;
}

/*
 * A thread that makes children in the initial PID namespace is in that itself, and so it is shown, as
 * "thread-self", by procfs's of that namespace only. And that name is in the root of a procfs only.
 */
int idm_procfs_of_initial(void)
{
	AUTO_CLOSE int proc = idm_sys_openat(AT_FDCWD, "/proc", O_PATH | O_DIRECTORY, 0), link = -1;

	if (proc < 0 || !is_procfs(proc, true))
		return -ENOENT;
	link = idm_sys_openat2(proc, "thread-self/ns/pid_for_children", O_PATH | O_NOFOLLOW, 0, INSIDE);
	return link >= 0 && names_initial_pidns(link, "") ? idm_steal_fd(&proc) : -ENOENT;
}

int idm_procfs_process(int proc, pid_t number)
{
	char name[16] = "";

	append_number(name, (unsigned int)number);
	return idm_sys_openat2(proc, name, O_PATH | O_DIRECTORY, 0, INSIDE);
}

/* Other mounts can cover them. */
static bool shows_pid_namespaces(int proc)
{
	AUTO_CLOSE int own = idm_sys_openat2(proc, "thread-self/ns/pid", O_PATH | O_NOFOLLOW, 0, INSIDE);

	return own >= 0;
}

static int check_init_in(int proc)
{
	struct stat own, children;
	AUTO_CLOSE int fd = -1;
	int r = idm_sys_fstatat(proc, "thread-self/ns/pid_for_children", &children, 0);

	if (idm_sys_fstatat(proc, "thread-self/ns/pid", &own, 0) < 0)
		return -EBUSY; /* not known */
	/* Linux 4.12. The link has no target as long as the namespace has no init ... */
	if (r == -ENOENT)
		return -EBUSY;
	if (r < 0 || children.st_ino == own.st_ino)
		return 0;
	/* ... but in 7.2 it has. Since 6.11 one can ask for process 1 of the namespace. */
	fd = idm_sys_openat(proc, "thread-self/ns/pid_for_children", O_RDONLY, 0);
	if (idm_is_shortage(fd))
		return fd;
	return fd >= 0 && idm_sys_ioctl(fd, IDM_NS_GET_PID_FROM_PIDNS, (void *)1) == -ESRCH ? -EBUSY : 0;
}

int idm_procfs_check_init(void)
{
	AUTO_CLOSE int proc = -1;

	/* Most callers' children are there. Reading the link costs half as much as following it. */
	if (names_initial_pidns(AT_FDCWD, "/proc/thread-self/ns/pid_for_children"))
		return 0;
	proc = open_procfs_root(shows_pid_namespaces, "", NULL);
	if (proc >= 0)
		return check_init_in(proc);
	if (idm_is_shortage(proc))
		return proc;
	return idm_pidns_is_for_children() == 1 ? 0 : -EBUSY;
}

int idm_diagnose_no_init(int code, enum idm_error_step step, struct idm_error *err)
{
	AUTO_CLOSE int proc = code == -EBUSY ? open_procfs_root(shows_pid_namespaces, "", NULL) : code;

	if (idm_is_shortage(proc))
		return idm_fail_errno(err, proc, step, "/proc");
	if (proc < 0) {
		idm_fail(
			err, -ENOENT, IDM_STEP_FIND_CHILD, "/proc",
			"expected a procfs that shows the PID namespace of the child, and a private one "
			"cannot be created: %s",
			idm_errno_text(-proc));
		idm_hint(err, "mount a procfs of this PID namespace at /proc, and no other mount on its "
			      "files");
		return -ENOENT;
	}
	return idm_fail(
		err, -EBUSY, step, NULL,
		"the child would become the init of the PID namespace that this thread unshared");
}

/* The inode number of the namespace that the link says it leads to: "user:[4026531837]". */
static int read_namespace_inode(int link, unsigned long *inode)
{
	char text[64], *number;
	ssize_t n = idm_sys_readlinkat(link, "", text, sizeof(text) - 1);

	if (n < 0)
		return (int)n;
	text[n] = '\0';
	number = strchr(text, '[');
	*inode = number ? strtoul(number + 1, NULL, 10) : 0;
	return *inode ? 0 : -EXDEV;
}

/*
 * What the link itself leads to. The kernel lets files be mounted over it, which opening it would find;
 * and going through it leaves procfs, so opening cannot be told to stay inside.
 */
static int open_namespace_link(int process, const char *name, int flags)
{
	AUTO_CLOSE int link = idm_sys_openat2(process, name, O_PATH | O_NOFOLLOW, 0, INSIDE), fd = -1;
	unsigned long inode = 0;
	struct stat st;
	int r = link < 0 ? link : read_namespace_inode(link, &inode);

	if (r < 0)
		return r;
	fd = idm_sys_openat(process, name, flags, 0);
	if (fd < 0)
		return fd;
	if (!idm_is_namespace(fd) || idm_sys_fstatat(fd, "", &st, AT_EMPTY_PATH) < 0 ||
	    st.st_ino != inode)
		return -EXDEV;
	return idm_steal_fd(&fd);
}

int idm_procfs_openat(int process, const char *name, int flags)
{
	return strncmp(name, "ns/", 3) == 0 ? open_namespace_link(process, name, flags)
					    : idm_sys_openat2(process, name, flags, 0, INSIDE);
}

ssize_t idm_procfs_fd_path(int proc, int fd, char *path, size_t size)
{
	char link[40];
	ssize_t n;

	snprintf(link, sizeof(link), "thread-self/fd/%d", fd);
	n = idm_sys_readlinkat(proc, link, path, size);
	if (n >= 0 && (size_t)n == size)
		return -ENAMETOOLONG;
	if (n >= 0)
		path[n] = '\0';
	return n;
}

int idm_procfs_open_self(const char *name, enum idm_error_step step, struct idm_error *err)
{
	AUTO_CLOSE int proc = idm_procfs_root(err);

	return proc < 0 ? proc : idm_procfs_open_self_in(proc, name, step, err);
}

int idm_procfs_open_self_in(int proc, const char *name, enum idm_error_step step, struct idm_error *err)
{
	AUTO_CLOSE int self = idm_procfs_openat(proc, "thread-self", O_PATH | O_DIRECTORY);
	int fd;

	fd = self < 0 ? self : idm_procfs_openat(self, name, O_RDONLY);
	if (fd == -EACCES)
		return idm_diagnose_closed_file(fd, step, name, err);
	return fd < 0 ? idm_fail_errno(err, fd, step, name) : fd;
}

const char *idm_procfs_find_line(const char *status, const char *name)
{
	const char *line = strstr(status, name);

	return line ? line + strlen(name) : "";
}
