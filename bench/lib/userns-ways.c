// SPDX-License-Identifier: MIT
#include "userns-ways.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "measure.h"

#define MAP_KERNEL "0 100000 65536\n"

static struct idm_map *map;
static struct idm_userns_cache *cache;

/* ---- the library ---- */

int userns_ours(void)
{
	struct idm_error err;

	return check_idm(idm_userns_open(map, 0, &err), &err);
}

int userns_cached(void)
{
	struct idm_error err;

	return check_idm(idm_userns_cache_open(cache, map, &err), &err);
}

/* ---- what all children are used for, by number, as other programs do ---- */

static int proc_open(pid_t pid, const char *name, int flags)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	return (int)check(open(path, flags | O_CLOEXEC), path);
}

static void put_map(int fd)
{
	check(write(fd, MAP_KERNEL, strlen(MAP_KERNEL)), "write map");
	close(fd);
}

static void signal_child(int pidfd, int signal)
{
	check(syscall(SYS_pidfd_send_signal, pidfd, signal, NULL, 0), "pidfd_send_signal");
}

static void reap(int pidfd, int options)
{
	siginfo_t info;

	check(waitid((idtype_t)P_PIDFD, (id_t)pidfd, &info, options), "waitid");
	close(pidfd);
}

/* ---- bare: a child that exits at once ---- */

#if defined(__x86_64__)
static pid_t clone_and_exit(struct clone_args *args)
{
	long r;

	__asm__ volatile("syscall\n\t"
			 "test %%rax, %%rax\n\t"
			 "jnz 1f\n\t"
			 "xor %%edi, %%edi\n\t"
			 "mov %[exit], %%eax\n\t"
			 "syscall\n"
			 "1:"
			 : "=a"(r)
			 : "a"(SYS_clone3), "D"(args), "S"(sizeof(*args)), [exit] "i"(SYS_exit)
			 : "rcx", "r11", "memory", "cc");
	return (pid_t)r;
}

static pid_t clone_into_userns(int *pidfd)
{
	struct clone_args args = {
		.flags = CLONE_VM | CLONE_FILES | CLONE_NEWUSER | CLONE_PIDFD,
		.pidfd = (uint64_t)(uintptr_t)pidfd,
	};

	return (pid_t)check(clone_and_exit(&args), "clone3");
}

int userns_bare(void)
{
	int pidfd, uid_map, gid_map, ns;
	pid_t pid = clone_into_userns(&pidfd);

	uid_map = proc_open(pid, "uid_map", O_WRONLY);
	gid_map = proc_open(pid, "gid_map", O_WRONLY);
	ns = proc_open(pid, "ns/user", O_RDONLY);
	put_map(uid_map);
	put_map(gid_map);
	reap(pidfd, WEXITED | __WALL);
	return ns;
}

/* ---- the same, with nothing but the calls without which it can go wrong (docs/design.md) ---- */

static int open_inside(int dirfd, const char *name, int flags)
{
	struct open_how how = {
		.flags = (unsigned int)flags | O_CLOEXEC,
		.resolve = RESOLVE_NO_XDEV | RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
	};

	return (int)check(syscall(SYS_openat2, dirfd, name, &how, sizeof(how)), name);
}

/* What the name of a namespace has in brackets. */
static unsigned long namespace_inode(int link)
{
	char text[64] = "";
	const char *number;

	check(readlinkat(link, "", text, sizeof(text) - 1), "readlinkat");
	number = strchr(text, '[');
	return number ? strtoul(number + 1, NULL, 10) : 0;
}

/* That /proc is one, not covered, and of the PID namespace that the number will be of. */
static int open_proc(void)
{
	int proc = (int)check(open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC), "/proc"), link;
	struct statfs fs;

	check(fstatfs(proc, &fs), "fstatfs");
	if (fs.f_type != PROC_SUPER_MAGIC)
		die("/proc");
	link = open_inside(proc, "thread-self/ns/pid_for_children", O_PATH | O_NOFOLLOW);
	namespace_inode(link);
	close(link);
	return proc;
}

/* That nothing is mounted over the link. */
static int open_user(int process)
{
	int link = open_inside(process, "ns/user", O_PATH | O_NOFOLLOW);
	int ns = (int)check(openat(process, "ns/user", O_RDONLY | O_CLOEXEC), "ns/user");
	struct statfs fs;
	struct stat st;

	check(fstatfs(ns, &fs), "fstatfs");
	check(fstat(ns, &st), "fstat");
	if (fs.f_type != NSFS_MAGIC || st.st_ino != namespace_inode(link))
		die("ns/user");
	close(link);
	return ns;
}

/* With all signals blocked: a dump of the child's memory is one of the caller's. */
static pid_t clone_blocked(int *pidfd)
{
	sigset_t all, before;
	pid_t pid;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &before);
	pid = clone_into_userns(pidfd);
	sigprocmask(SIG_SETMASK, &before, NULL);
	return pid;
}

int userns_checked(void)
{
	int proc = open_proc(), pidfd, process, uid_map, gid_map, ns;
	char number[16];

	snprintf(number, sizeof(number), "%d", (int)clone_blocked(&pidfd));
	process = open_inside(proc, number, O_PATH | O_DIRECTORY);
	uid_map = open_inside(process, "uid_map", O_WRONLY);
	gid_map = open_inside(process, "gid_map", O_WRONLY);
	ns = open_user(process);
	signal_child(pidfd, 0);
	put_map(uid_map);
	put_map(gid_map);
	reap(pidfd, WEXITED | __WALL);
	close(process);
	close(proc);
	return ns;
}

bool userns_has_bare(void)
{
	return true;
}
#else
int userns_checked(void)
{
	return -1;
}

int userns_bare(void)
{
	return -1;
}

bool userns_has_bare(void)
{
	return false;
}
#endif

/* ---- a child that is there until it is killed ---- */

static pid_t fork_into_userns(int *pidfd)
{
	struct clone_args args = {
		.flags = CLONE_NEWUSER | CLONE_PIDFD,
		.pidfd = (uint64_t)(uintptr_t)pidfd,
		.exit_signal = SIGCHLD,
	};

	return (pid_t)check(syscall(SYS_clone3, &args, sizeof(args)), "clone3");
}

/* Signal 0 asks only: whether what has just been opened by number was the child's. */
static int use_and_kill(pid_t pid, int pidfd)
{
	int uid_map = proc_open(pid, "uid_map", O_WRONLY), gid_map = proc_open(pid, "gid_map", O_WRONLY);
	int ns = proc_open(pid, "ns/user", O_RDONLY);

	signal_child(pidfd, 0);
	put_map(uid_map);
	put_map(gid_map);
	signal_child(pidfd, SIGKILL);
	return ns;
}

int userns_fork_pause_kill(void)
{
	int pidfd, ns;
	pid_t pid = fork_into_userns(&pidfd);

	while (pid == 0)
		pause();
	ns = use_and_kill(pid, pidfd);
	reap(pidfd, WEXITED);
	return ns;
}

/*
 * Go cannot run Go code in a child of fork, so it starts the program again: with PTRACE_TRACEME before
 * the exec, behind which the child then stops. With CLONE_NEWUSER it does not share memory until then.
 */
int userns_reexec(void)
{
	static char self[] = "/proc/self/exe", again[] = "IDM_BENCH_REEXEC=1";
	char *argv[] = { self, NULL }, *envp[] = { again, NULL };
	int pidfd, status, ns;
	pid_t pid = fork_into_userns(&pidfd);

	if (pid == 0) {
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		execve(self, argv, envp);
		_exit(127);
	}
	/* Only the thread that it is traced by hears of the stop. */
	check(waitpid(pid, &status, 0), "waitpid");
	if (!WIFSTOPPED(status)) {
		fprintf(stderr, "the child did not stop: status 0x%x\n", status);
		exit(1);
	}
	ns = use_and_kill(pid, pidfd);
	reap(pidfd, WEXITED);
	return ns;
}

/* ---- at the beginning ---- */

void userns_begin(void)
{
	if (getenv("IDM_BENCH_REEXEC"))
		_exit(0); /* it is killed while it is stopped, and does not come here */
	map = new_map(USERNS_MAP);
	check(idm_userns_cache_new(4, &cache, NULL), "cache");
	close(userns_cached());
}
