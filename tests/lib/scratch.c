// SPDX-License-Identifier: MIT
#include "scratch.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sched.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/macros.h"
#include "test.h"

void do_mount(const char *source, const char *target, const char *type, unsigned long flags,
	      const char *data)
{
	if (mount(source, target, type, flags, data) < 0)
		fail_msg("mount %s at %s (%s): %s", source, target, type ? type : "-", strerror(errno));
}

void do_umount(const char *target)
{
	must(umount2(target, MNT_DETACH));
}

void do_umount_idle(const char *target)
{
	must(umount2(target, 0));
}

/* An ext4 over the scratch tmpfs that holds its image. */
static void cover_with_ext4(void)
{
	static const char image[] = SCRATCH "/image";

	scratch_file(image, "");
	must(truncate(image, 960 << 20));
	/* Without a journal, and without what is written in the background: nothing has to last here. */
	if (RUN("mkfs.ext4", "-q", "-F", "-O", "^has_journal", "-E", "lazy_itable_init=1,nodiscard",
		image) != 0 ||
	    RUN("mount", "-o", "loop,nosuid,nodev,noinit_itable", image, SCRATCH) != 0)
		fail_msg("no ext4 at " SCRATCH);
	must(rmdir(SCRATCH "/lost+found"));
}

void scratch_enter(void)
{
	need_root();
	must(unshare(CLONE_NEWNS));
	/* Everything: what is mounted from here on stays here. */
	do_mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL);
	do_mount("scratch", SCRATCH, "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755,size=1g");
	if (!kernel_is_before(5, 12) && kernel_is_before(6, 3))
		cover_with_ext4();
}

void scratch_dir(const char *path)
{
	char part[512];

	for (const char *p = strchr(path + 1, '/');; p = strchr(p + 1, '/')) {
		snprintf(part, sizeof(part), "%.*s", p ? (int)(p - path) : (int)strlen(path), path);
		if (mkdir(part, 0755) < 0 && errno != EEXIST)
			fail_msg("mkdir %s: %s", part, strerror(errno));
		if (!p)
			return;
	}
}

void scratch_file(const char *path, const char *text)
{
	AUTO_CLOSE int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		fail_msg("write %s: %s", path, strerror(errno));
}

/* ---- programs ---- */

static int wait_for_exit(pid_t pid)
{
	int status;

	must(TEMP_FAILURE_RETRY(waitpid(pid, &status, 0)));
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void show_output(int fd)
{
	char text[3000];
	ssize_t n = pread(fd, text, sizeof(text) - 1, 0);

	if (n > 0) {
		text[n] = '\0';
		note("%s", text);
	}
}

int run_program(const char *const argv[])
{
	AUTO_CLOSE int output = (int)must(memfd_create("output", MFD_CLOEXEC));
	posix_spawn_file_actions_t actions;
	pid_t pid;
	int r, status;

	need_command(argv[0]);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
	posix_spawn_file_actions_adddup2(&actions, output, STDERR_FILENO);
	r = posix_spawnp(&pid, argv[0], &actions, NULL, (char *const *)argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	if (r != 0)
		fail_msg("start %s: %s", argv[0], strerror(r));
	status = wait_for_exit(pid);
	if (status != 0)
		show_output(output);
	return status;
}

/* ---- filesystems ---- */

static bool kernel_has(const char *type)
{
	FILE *file = fopen("/proc/filesystems", "re");
	char line[128], name[64];
	bool found = false;

	assert_non_null(file);
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "%63s", name) == 1)
			found |= strcmp(name, type) == 0;
	fclose(file);
	return found;
}

static const struct filesystem {
	const char *type;
	const char *make[8]; /* the tool and its options; the image, or the content and it, follow */
	off_t size;	     /* of the image to make it in, sparse; 0: the tool makes the image */
	bool image_first;    /* the tool wants the image before the content */
} filesystems[] = {
	{ "ext2", { "mkfs.ext2", "-q", "-F" }, 16 << 20, false },
	{ "ext4", { "mkfs.ext4", "-q", "-F" }, 64 << 20, false },
	{ "xfs", { "mkfs.xfs", "-q", "-f" }, 512 << 20, false },
	{ "btrfs", { "mkfs.btrfs", "-q", "-f" }, 256 << 20, false },
	{ "erofs", { "mkfs.erofs", "-E", "force-inode-extended" }, 0, true },
	{ "squashfs", { "mksquashfs" }, 0, false },
};

static const struct filesystem *find_filesystem(const char *type)
{
	for (size_t i = 0; i < ARRAY_SIZE(filesystems); i++)
		if (strcmp(filesystems[i].type, type) == 0)
			return &filesystems[i];
	fail_msg("no way to make %s is known here", type);
}

static void make_image(const struct filesystem *fs, const char *image, const char *content)
{
	const char *argv[12] = { 0 };
	size_t n = 0;

	while (fs->make[n]) {
		argv[n] = fs->make[n];
		n++;
	}
	if (fs->size) {
		scratch_file(image, "");
		must(truncate(image, fs->size));
		argv[n] = image;
	} else {
		argv[n + fs->image_first] = content;
		argv[n + !fs->image_first] = image;
	}
	if (run_program(argv) != 0)
		fail_msg("%s failed", argv[0]);
}

void scratch_filesystem(const char *type, const char *target, const char *content)
{
	const struct filesystem *fs = find_filesystem(type);
	char image[512], from[514], empty[512];

	need_command(fs->make[0]);
	snprintf(image, sizeof(image), "%s.%s", target, type);
	snprintf(empty, sizeof(empty), "%s.empty", target);
	snprintf(from, sizeof(from), "%s/.", content ? content : empty);
	scratch_dir(target);
	if (!content)
		scratch_dir(empty);
	make_image(fs, image, content ? content : empty);
	/* mount(2) loads the kernel's module, if there is one. */
	if (RUN("mount", "-t", type, "-o", fs->size ? "loop" : "loop,ro", image, target) != 0) {
		if (!kernel_has(type))
			skip_test("this kernel has no %s", type);
		fail_msg("cannot mount the new %s", type);
	}
	if (fs->size && content && RUN("cp", "-a", from, target) != 0)
		fail_msg("cannot fill the new %s", type);
}

/* ---- other surroundings ---- */

/*
 * Not by libc's functions, which change all threads. This process may be a forked child. There, libc may
 * wait for a thread that its parent had just begun: that of ThreadSanitizer, for instance.
 */
static void set_ids(uid_t uid, gid_t gid)
{
	must(syscall(SYS_setresgid, gid, gid, gid));
	must(syscall(SYS_setresuid, uid, uid, uid));
}

void become_user(uid_t uid, gid_t gid)
{
	need_root();
	must(syscall(SYS_setgroups, 0, NULL));
	set_ids(uid, gid);
	/* Without that its /proc files would belong to root: not what an ordinary user has. */
	must(prctl(PR_SET_DUMPABLE, 1));
}

uid_t unused_uid(void)
{
	return 1500000000U + (uid_t)getpid();
}

void write_id_map(pid_t pid, const char *name, const char *text)
{
	char path[64];
	AUTO_CLOSE int fd = -1;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	fd = (int)must(open(path, O_WRONLY | O_CLOEXEC));
	must(write(fd, text, strlen(text)));
}

/* The maps are written by a child that stays outside: it has the privileges that they need. */
void enter_userns(const char *map)
{
	pid_t us = getpid(), child;
	int go[2];

	must(pipe2(go, O_CLOEXEC));
	child = (pid_t)must(fork());
	if (child == 0) {
		char byte;

		must(read(go[0], &byte, 1));
		write_id_map(us, "uid_map", map);
		write_id_map(us, "gid_map", map);
		_exit(0);
	}
	must(unshare(CLONE_NEWUSER));
	must(write(go[1], "", 1));
	assert_int_equal(wait_for_exit(child), 0);
	close(go[0]);
	close(go[1]);
	set_ids(0, 0);
	must(prctl(PR_SET_DUMPABLE, 1));
}

struct errand {
	void (*body)(void *);
	void *arg;
};

static void with_own_proc(void *data)
{
	const struct errand *e = data;

	must(unshare(CLONE_NEWNS));
	do_mount("proc", "/proc", "proc", 0, NULL);
	e->body(e->arg);
}

static void leave_pid_namespace(void *errand)
{
	must(unshare(CLONE_NEWPID));
	in_child(with_own_proc, errand);
}

void in_pid_namespace(void (*body)(void *), void *arg)
{
	in_child(leave_pid_namespace, &(struct errand){ body, arg });
}

static void add_filter(struct sock_filter *code, unsigned short n)
{
	struct sock_fprog filter = { n, code };

	must(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)); /* so that ordinary users may */
	must(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter));
}

void refuse_call(long number, int errnum)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)number, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (uint32_t)errnum),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};

	add_filter(code, ARRAY_SIZE(code));
}

void refuse_call_with(long number, uint32_t flags, int errnum)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)number, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0])),
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, flags, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (uint32_t)errnum),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};

	add_filter(code, ARRAY_SIZE(code));
}

void refuse_call_where(long number, unsigned int argument, uint32_t value, int errnum)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)number, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 (uint32_t)(offsetof(struct seccomp_data, args) + argument * sizeof(uint64_t))),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (uint32_t)errnum),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};

	add_filter(code, ARRAY_SIZE(code));
}

int hold_call(long number)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)number, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog filter = { ARRAY_SIZE(code), code };

	must(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	return (int)must(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER,
				 &filter));
}

#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5) /* Linux 5.19 */
#endif

static int hold_all_calls(void)
{
	struct sock_filter code[] = { BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF) };
	const struct sock_fprog filter = { ARRAY_SIZE(code), code };
	const long with = SECCOMP_FILTER_FLAG_NEW_LISTENER;
	long fd = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
			  with | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, &filter);

	return (int)(fd < 0 ? syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, with, &filter) : fd);
}

int start_program_held(char *const argv[], void (*before)(void), pid_t *pid)
{
	/* No call can report the listener: each one is held. */
	volatile int *shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
				    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	AUTO_CLOSE int pidfd = -1;
	int listener;

	*shared = -1;
	*pid = (pid_t)must(fork());
	if (*pid == 0) {
		if (before)
			before();
		*shared = hold_all_calls();
		execv(argv[0], argv);
		_exit(127);
	}
	while (*shared == -1)
		usleep(100);
	assert_true(*shared >= 0);
	pidfd = (int)must(syscall(SYS_pidfd_open, *pid, 0));
	listener = (int)must(syscall(SYS_pidfd_getfd, pidfd, *shared, 0));
	munmap((void *)shared, sizeof(*shared));
	return listener;
}

bool answer_call(int listener, int milliseconds,
		 void (*act)(const struct seccomp_notif *call, void *data), void *data)
{
	struct seccomp_notif_resp response = { .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE };
	struct pollfd p = { .fd = listener, .events = POLLIN };
	struct seccomp_notif call = { 0 };

	if (must(TEMP_FAILURE_RETRY(poll(&p, 1, milliseconds))) == 0 || !(p.revents & POLLIN))
		return false;
	if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &call) < 0)
		return false; /* its caller is gone */
	if (act)
		act(&call, data);
	response.id = call.id;
	ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &response);
	return true;
}

static bool is_over(pid_t pid)
{
	siginfo_t info = { .si_pid = 0 };

	must(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT));
	return info.si_pid != 0;
}

void answer_calls_until_exit(int listener, pid_t pid,
			     void (*act)(const struct seccomp_notif *call, void *data), void *data)
{
	while (!is_over(pid))
		answer_call(listener, 1, act, data);
	await_child(pid);
}

bool kernel_is_before(unsigned int major, unsigned int minor)
{
	struct utsname name;
	unsigned int have[2];

	must(uname(&name));
	assert_int_equal(sscanf(name.release, "%u.%u", &have[0], &have[1]), 2);
	return have[0] < major || (have[0] == major && have[1] < minor);
}

uid_t owner_of_status(pid_t pid)
{
	struct stat st;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	must(stat(path, &st));
	return st.st_uid;
}

void read_comm(pid_t pid, char name[COMM_SIZE])
{
	char path[64];
	AUTO_CLOSE int fd = -1;

	snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
	fd = (int)must(open(path, O_RDONLY | O_CLOEXEC));
	name[must(read(fd, name, COMM_SIZE - 1))] = '\0';
}
