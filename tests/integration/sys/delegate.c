// SPDX-License-Identifier: MIT
/*
 * A delegate does with other credentials what the caller cannot, by a program with its own memory. The
 * caller stays as it is, nothing of it gets into the program, and no other wait or kill makes it wrong.
 */
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/nsfs.h>
#include <linux/seccomp.h>
#include <linux/securebits.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/macros.h"
#include "lib/sys/delegate-request.h"
#include "lib/sys/raw-syscall.h"
#include "lib/sys/subprocess.h"
#include "tests/lib/maps.h"
#include "tests/lib/scratch.h"
#include "tests/lib/snapshot.h"

#define SOME_MAP "0:100000:65536"
#define UID 100000
#define GID 100001

/* ---- what did it ---- */

/* Written in the subprocess. */
struct seen {
	char comm[32];
	bool failed;
};

static struct seen *seen;

static int look_at_name(int pidfd, void *data, struct idm_error *err)
{
	struct seen *to = data;
	char path[64], text[512], *line;
	int fd;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", pidfd);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	text[fd < 0 ? 0 : read(fd, text, sizeof(text) - 1)] = '\0';
	close(fd);
	(void)err;
	line = strstr(text, "\nPid:");
	snprintf(path, sizeof(path), "/proc/%d/comm", line ? atoi(line + 5) : 0);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	to->failed = fd < 0 || read(fd, to->comm, sizeof(to->comm) - 1) < 0;
	close(fd);
	return 0;
}

static struct idm_delegate_work work_of(enum idm_delegate_operation operation, int fd, const char *name)
{
	return (struct idm_delegate_work){
		.operation = operation, .uid = UID, .gid = GID, .fd = fd, .name = name
	};
}

static int delegate(enum idm_delegate_operation operation, int fd, const char *name)
{
	const struct idm_delegate_work work = work_of(operation, fd, name);

	if (!seen)
		seen = idm_subprocess_memory(sizeof(*seen));
	assert_non_null(seen);
	memset(seen, 0, sizeof(*seen));
	return idm_delegate(&work, look_at_name, seen, NULL);
}

static void assert_program(bool expected)
{
	assert_false(seen->failed);
	assert_int_equal(strcmp(seen->comm, "idm-delegate\n") == 0, expected && IDM_RAW_HAS_ASSEMBLY);
}

static void assert_created(int dirfd, const char *name, mode_t type)
{
	struct stat st;

	must(fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW));
	assert_int_equal(st.st_uid, UID);
	assert_int_equal(st.st_gid, GID);
	assert_int_equal(st.st_mode & S_IFMT, type);
	must(unlinkat(dirfd, name, type == S_IFDIR ? AT_REMOVEDIR : 0));
}

static int scratch_fd(void)
{
	scratch_enter();
	scratch_dir(SCRATCH "/dir");
	return (int)must(open(SCRATCH "/dir", O_PATH | O_CLOEXEC));
}

static void creates(int dir, bool by_program)
{
	assert_int_equal(delegate(IDM_DELEGATE_MKDIR, dir, "new"), 0);
	assert_program(by_program);
	assert_int_equal(delegate(IDM_DELEGATE_MKDIR, dir, "new"), -EEXIST);
	assert_created(dir, "new", S_IFDIR);
	assert_int_equal(delegate(IDM_DELEGATE_CREATE_FILE, dir, "new"), 0);
	assert_program(by_program);
	assert_int_equal(delegate(IDM_DELEGATE_CREATE_FILE, dir, "new"), -EEXIST);
	assert_created(dir, "new", S_IFREG);
}

TEST(a_program_creates_as_the_owner)
{
	AUTO_CLOSE int dir = scratch_fd();
	char name[5000];

	creates(dir, true);
	assert_int_equal(delegate(IDM_DELEGATE_MKDIR, -1, "new"), -EBADF);
	memset(name, 'x', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	assert_int_equal(delegate(IDM_DELEGATE_MKDIR, dir, name), -ENAMETOOLONG);
	assert_int_equal(delegate(IDM_DELEGATE_MKDIR, dir, "not/there"), -ENOENT);
}

/* Wherever its descriptors are. */
TEST(a_program_gets_its_descriptors_from_any_place)
{
	AUTO_CLOSE int dir = scratch_fd();
	int saved[3];

	for (int i = 0; i < 3; i++)
		saved[i] = (int)must(fcntl(i, F_DUPFD_CLOEXEC, 100));
	for (int i = 0; i < 3; i++) {
		int r;

		for (int j = 0; j < 3; j++)
			close(j);
		r = (int)must(dup2(dir, i));
		r = delegate(IDM_DELEGATE_MKDIR, r, "new");
		for (int j = 0; j < 3; j++)
			must(dup2(saved[j], j));
		assert_int_equal(r, 0);
		assert_program(true);
		assert_created(dir, "new", S_IFDIR);
	}
	for (int i = 0; i < 3; i++)
		close(saved[i]);
}

/* ---- the caller stays as it is ---- */

static volatile sig_atomic_t n_sigchld;

static void count_sigchld(int number)
{
	(void)number;
	n_sigchld++;
}

TEST(the_caller_sees_no_child_and_stays_dumpable)
{
	AUTO_CLOSE int dir = scratch_fd(), userns = userns_of(SOME_MAP);

	delegate(IDM_DELEGATE_JOIN_USERNS, userns, NULL);
	for (int i = 0; i < 20; i++) {
		struct snapshot *before = snapshot_take(SNAPSHOT_ALL);

		must(signal(SIGCHLD, i % 4 < 2 ? count_sigchld : SIG_IGN) == SIG_ERR ? -1 : 0);
		must(prctl(PR_SET_DUMPABLE, i % 2));
		assert_int_equal(delegate(IDM_DELEGATE_JOIN_USERNS, userns, NULL), 0);
		assert_program(true);
		creates(dir, true);
		assert_int_equal(must(prctl(PR_GET_DUMPABLE)), i % 2);
		assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
		assert_int_equal(errno, ECHILD);
		snapshot_assert_same(before);
	}
	assert_int_equal(n_sigchld, 0);
	must(prctl(PR_SET_DUMPABLE, 1));
	must(signal(SIGCHLD, SIG_DFL) == SIG_ERR ? -1 : 0);
}

/* ---- capabilities ---- */

static void set_capabilities(uint64_t effective, uint64_t permitted)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = { 0 };

	for (int i = 0; i < 2; i++) {
		data[i].effective = (uint32_t)(effective >> 32 * i);
		data[i].permitted = (uint32_t)(permitted >> 32 * i);
	}
	must(syscall(SYS_capset, &header, data));
}

#define SOME_CAPABILITIES \
	(1ULL << CAP_SYS_ADMIN | 1ULL << CAP_DAC_OVERRIDE | 1ULL << CAP_SETUID | 1ULL << CAP_SETGID)

static void as_user_with_capabilities(void *fds)
{
	must(prctl(PR_SET_KEEPCAPS, 1));
	must(setresgid(1000, 1000, 1000));
	must(setresuid(1000, 1000, 1000));
	set_capabilities(SOME_CAPABILITIES, SOME_CAPABILITIES);
	assert_int_equal(delegate(IDM_DELEGATE_JOIN_USERNS, ((int *)fds)[1], NULL), 0);
	assert_program(true);
	assert_int_equal(delegate(IDM_DELEGATE_MKDIR, ((int *)fds)[0], "user"), 0);
	assert_program(true);
	/* Those that are not effective stay so, unless it becomes an owner. */
	set_capabilities(0, SOME_CAPABILITIES);
	assert_int_equal(delegate(IDM_DELEGATE_JOIN_USERNS, ((int *)fds)[1], NULL), -EPERM);
}

/* A security bit that refuses ambient capabilities leaves the program without any. */
static void as_user_without_ambient(void *fds)
{
	must(prctl(PR_SET_SECUREBITS, SECBIT_NO_CAP_AMBIENT_RAISE | SECBIT_KEEP_CAPS));
	must(setresuid(1000, 1000, 1000));
	set_capabilities(SOME_CAPABILITIES, SOME_CAPABILITIES);
	assert_int_equal(delegate(IDM_DELEGATE_JOIN_USERNS, ((int *)fds)[1], NULL), 0);
	assert_program(false);
}

/* execve(2) would return them. */
static void as_root_without_capabilities(void *fds)
{
	set_capabilities(1ULL << CAP_SETUID, 1ULL << CAP_SETUID);
	assert_int_equal(delegate(IDM_DELEGATE_MKDIR, ((int *)fds)[0], "other"), -EACCES);
}

TEST(a_program_has_the_callers_capabilities)
{
	int fds[2] = { scratch_fd(), userns_of(SOME_MAP) };

	must(chmod(SCRATCH "/dir", 0700));
	in_child(as_user_with_capabilities, fds);
	assert_created(fds[0], "user", S_IFDIR);
	in_child(as_user_without_ambient, fds);
	in_child(as_root_without_capabilities, fds);
	close(fds[0]);
	close(fds[1]);
}

/* ---- where no program can be executed ---- */

static void without_execveat(void *fds)
{
	refuse_call(SYS_execveat, EPERM);
	creates(*(int *)fds, false);
	refuse_call(SYS_execveat, ENOSYS);
	creates(*(int *)fds, false);
}

static void without_memfd(void *fds)
{
	refuse_call(SYS_memfd_create, ENOSYS);
	creates(*(int *)fds, false);
	refuse_call(SYS_memfd_create, EPERM);
	creates(*(int *)fds, false);
}

static void without_room_in_files(void *fds)
{
	const struct rlimit none = { 100, 100 };

	must(setrlimit(RLIMIT_FSIZE, &none));
	creates(*(int *)fds, false);
}

static void without_shared_memory(void *fds)
{
	refuse_call_with(SYS_clone, CLONE_VM, EINVAL);
	creates(*(int *)fds, false);
}

static void without_lock(void *fds)
{
	refuse_call_where(SYS_fcntl, 1, F_SETLK, ENOLCK);
	creates(*(int *)fds, false);
}

static void without_executable_memory(void *fds)
{
	scratch_file("/proc/sys/vm/memfd_noexec", "2");
	creates(*(int *)fds, false);
}

static void without_close_range(void *fds)
{
	refuse_call(SYS_close_range, ENOSYS);
	creates(*(int *)fds, true);
}

static void without_pidfd_getfd(void *fds)
{
	refuse_call(SYS_pidfd_getfd, EPERM);
	creates(*(int *)fds, true);
}

TEST(a_copy_does_the_same)
{
	AUTO_CLOSE int dir = scratch_fd();

	in_child(without_execveat, &dir);
	in_child(without_memfd, &dir);
	in_child(without_room_in_files, &dir);
	in_child(without_shared_memory, &dir);
	in_child(without_lock, &dir);
	in_child(without_close_range, &dir);
	in_child(without_pidfd_getfd, &dir);
}

static void no_such_sysctl(void)
{
	untried("the kernel lets every memory file be executed");
}

TEST_AS(where_memory_files_cannot_be_executed, 60, 6, 3, no_such_sysctl)
{
	AUTO_CLOSE int dir = scratch_fd();

	in_pid_namespace(without_executable_memory, &dir);
}

static void without_proc(void *fds)
{
	const struct idm_delegate_work work = work_of(IDM_DELEGATE_MKDIR, *(int *)fds, "new");

	must(fchdir(*(int *)fds));
	must(chroot("."));
	assert_int_equal(idm_delegate(&work, NULL, NULL, NULL), 0);
	assert_created(*(int *)fds, "new", S_IFDIR);
}

TEST(a_program_needs_no_proc)
{
	AUTO_CLOSE int dir = scratch_fd();

	in_child(without_proc, &dir);
}

/* ---- one that is held at a system call ---- */

static struct held {
	const struct idm_delegate_work *work;
	pthread_t thread;
	int listener;
	int result;
	bool over;
} held;

/* Its calls of these numbers wait for an answer. */
static int hold_calls(int first, int second)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)first, 1, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)second, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { ARRAY_SIZE(code), code };

	return (int)must(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER,
				 &program));
}

static void *run_held(void *calls)
{
	int listener = hold_calls(((int *)calls)[0], ((int *)calls)[1]);

	__atomic_store_n(&held.listener, listener, __ATOMIC_RELEASE);
	held.result = idm_delegate(held.work, NULL, NULL, NULL);
	__atomic_store_n(&held.over, true, __ATOMIC_RELEASE);
	return NULL;
}

static void start_held(const struct idm_delegate_work *work, int calls[2])
{
	held = (struct held){ .work = work, .listener = -1 };
	assert_int_equal(pthread_create(&held.thread, NULL, run_held, calls), 0);
	while (__atomic_load_n(&held.listener, __ATOMIC_ACQUIRE) < 0)
		sched_yield();
}

static struct seccomp_notif await_call(int number)
{
	struct seccomp_notif call = { 0 };

	must(TEMP_FAILURE_RETRY(ioctl(held.listener, SECCOMP_IOCTL_NOTIF_RECV, &call)));
	assert_int_equal(call.data.nr, number);
	return call;
}

static void let_go(const struct seccomp_notif *call)
{
	struct seccomp_notif_resp answer = { .id = call->id, .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE };

	if (ioctl(held.listener, SECCOMP_IOCTL_NOTIF_SEND, &answer) < 0)
		assert_int_equal(errno, ENOENT);
}

static int end_held(void)
{
	assert_int_equal(pthread_join(held.thread, NULL), 0);
	close(held.listener);
	return held.result;
}

static pid_t parent_of(pid_t pid)
{
	char path[64], text[1024], *line;
	AUTO_CLOSE int fd = -1;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	fd = (int)must(open(path, O_RDONLY | O_CLOEXEC));
	text[must(read(fd, text, sizeof(text) - 1))] = '\0';
	line = strstr(text, "\nPPid:");
	assert_non_null(line);
	return atoi(line + 6);
}

static void assert_link(pid_t pid, int fd, const char *expected)
{
	char path[64], text[256];

	snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)pid, fd);
	text[must(readlink(path, text, sizeof(text) - 1))] = '\0';
	assert_contains(text, expected);
}

static unsigned int count_descriptors(pid_t pid)
{
	unsigned int n = 0;
	char path[64];

	for (int fd = 0; fd < 256; fd++) {
		snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)pid, fd);
		n += faccessat(AT_FDCWD, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
	}
	return n;
}

static void need_program(void)
{
	if (!IDM_RAW_HAS_ASSEMBLY)
		skip_test("not on this architecture");
}

static void trace(void *data)
{
	const int *pid_and_userns = data;

	must(setns(pid_and_userns[1], CLONE_NEWUSER));
	assert_int_equal(ptrace(PTRACE_SEIZE, pid_and_userns[0], NULL, NULL), -1);
	assert_int_equal(errno, EPERM);
}

/* Not even root of the namespace that it has joined. */
TEST(nothing_of_the_caller_gets_into_the_program)
{
	AUTO_CLOSE int dir = scratch_fd(), userns = userns_of(SOME_MAP);
	AUTO_CLOSE int inherited = (int)must(fcntl(dir, F_DUPFD, 50));
	const struct idm_delegate_work work = { .operation = IDM_DELEGATE_JOIN_USERNS, .fd = userns };
	int calls[2] = { SYS_setns, SYS_exit_group }, pid_and_userns[2];
	struct seccomp_notif call;

	need_program();
	assert_true(inherited >= 50); /* not close-on-exec */
	start_held(&work, calls);
	call = await_call(SYS_setns);
	assert_int_equal(count_descriptors((pid_t)call.pid), kernel_is_before(5, 9) ? 3 : 2);
	assert_link((pid_t)call.pid, IDM_DELEGATE_REQUEST_FD, "memfd:idm-delegate-request");
	assert_link((pid_t)call.pid, IDM_DELEGATE_OPERAND_FD, "user:[");
	let_go(&call);
	call = await_call(SYS_exit_group);
	assert_int_equal(count_descriptors((pid_t)call.pid), kernel_is_before(5, 9) ? 1 : 0);
	pid_and_userns[0] = (int)call.pid;
	pid_and_userns[1] = userns;
	in_child(trace, pid_and_userns);
	let_go(&call);
	assert_int_equal(end_held(), 0);
}

/* The files of a process in /proc belong to root when it is not dumpable. */
static void execute_as_user(void *capabilities)
{
	const struct idm_delegate_work work = work_of(IDM_DELEGATE_CREATE_FILE, -1, "none");
	int calls[2] = { SYS_prctl, SYS_prctl };
	struct seccomp_notif call;

	must(prctl(PR_SET_KEEPCAPS, 1));
	must(setresgid(1000, 1000, 1000));
	must(setresuid(1000, 1000, 1000));
	set_capabilities(*(uint64_t *)capabilities, *(uint64_t *)capabilities);
	must(prctl(PR_SET_DUMPABLE, 1));
	start_held(&work, calls);
	for (;;) {
		call = await_call(SYS_prctl);
		if (call.data.args[0] == PR_SET_DUMPABLE)
			break;
		let_go(&call);
	}
	assert_int_equal(owner_of_status(getpid()), 1000);
	assert_int_equal(owner_of_status((pid_t)call.pid), 0);
	let_go(&call);
	call = await_call(SYS_prctl); /* its name */
	let_go(&call);
	call = await_call(SYS_prctl); /* the IDs of the owner may have made it dumpable */
	assert_int_equal(call.data.args[0], PR_SET_DUMPABLE);
	assert_int_equal(call.data.args[1], 0);
	let_go(&call);
	assert_int_equal(end_held(), -EBADF);
}

/* Not even before its first instruction, with capabilities that let it read every file, or without. */
TEST(the_program_is_never_dumpable)
{
	need_program();
	need_root();
	in_child(execute_as_user, &(uint64_t){ SOME_CAPABILITIES });
	in_child(execute_as_user, &(uint64_t){ SOME_CAPABILITIES & ~(1ULL << CAP_DAC_OVERRIDE) });
}

static void no_empty_table(void)
{
	untried("a kill by a seccomp filter would be the caller's, and the table is copied");
}

/* A copy of them would keep a mount busy, or a pipe open. */
TEST_AS(no_descriptor_of_the_caller_is_copied, 60, 5, 16, no_empty_table)
{
	AUTO_CLOSE int dir = scratch_fd();
	const struct idm_delegate_work work = work_of(IDM_DELEGATE_MKDIR, dir, "new");
	int calls[2] = { SYS_pidfd_getfd, SYS_execveat };
	struct seccomp_notif call;

	need_program();
	start_held(&work, calls);
	call = await_call(SYS_pidfd_getfd);
	assert_link((pid_t)call.pid, IDM_DELEGATE_FDS, "pidfd");
	assert_int_equal(count_descriptors((pid_t)call.pid), 2); /* twice the same */
	for (int i = 0; i < IDM_DELEGATE_FDS; i++) {
		let_go(&call);
		call = await_call(i < IDM_DELEGATE_FDS - 1 ? SYS_pidfd_getfd : SYS_execveat);
	}
	assert_link((pid_t)call.pid, IDM_DELEGATE_OPERAND_FD, SCRATCH "/dir");
	assert_link((pid_t)call.pid, IDM_DELEGATE_PROGRAM_FD, "memfd:idm-delegate");
	let_go(&call);
	assert_int_equal(end_held(), 0);
	assert_created(dir, "new", S_IFDIR);
}

TEST(a_killed_program_is_told)
{
	AUTO_CLOSE int dir = scratch_fd();
	const struct idm_delegate_work work = work_of(IDM_DELEGATE_MKDIR, dir, "new");
	int calls[2] = { SYS_mkdirat, SYS_mkdirat };
	struct seccomp_notif call;

	need_program();
	start_held(&work, calls);
	call = await_call(SYS_mkdirat);
	must(kill((pid_t)call.pid, SIGKILL));
	assert_int_equal(end_held(), -ESRCH);
	assert_int_equal(faccessat(dir, "new", F_OK, 0), -1);
}

/* As init does. */
static void reap_orphans(void)
{
	while (waitpid(-1, NULL, __WALL) > 0)
		;
	assert_int_equal(errno, ECHILD);
}

/* The program is held at this call. Its parent is killed, so that the test's process gets it. */
static struct seccomp_notif lose_subprocess_at(int number, const struct idm_delegate_work *work)
{
	int calls[2] = { number, number };
	struct seccomp_notif call;

	need_program();
	must(prctl(PR_SET_CHILD_SUBREAPER, 1));
	start_held(work, calls);
	call = await_call(number);
	must(kill(parent_of((pid_t)call.pid), SIGKILL));
	return call;
}

/* The caller waits for the program, though nothing else does. */
TEST(a_killed_subprocess_does_not_matter)
{
	AUTO_CLOSE int dir = scratch_fd();
	const struct idm_delegate_work work = work_of(IDM_DELEGATE_MKDIR, dir, "new");
	struct seccomp_notif call = lose_subprocess_at(SYS_mkdirat, &work);

	while (parent_of((pid_t)call.pid) != getpid())
		usleep(1000);
	usleep(20000);
	assert_false(__atomic_load_n(&held.over, __ATOMIC_ACQUIRE));
	let_go(&call);
	assert_int_equal(end_held(), 0);
	assert_created(dir, "new", S_IFDIR);
	reap_orphans();
}

/* Before it has the lock it has not begun: it never does, and a copy does the work. */
TEST(a_cancelled_program_never_begins)
{
	AUTO_CLOSE int dir = scratch_fd();
	const struct idm_delegate_work work = work_of(IDM_DELEGATE_MKDIR, dir, "new");
	struct seccomp_notif call = lose_subprocess_at(SYS_lseek, &work);

	assert_int_equal(pthread_join(held.thread, NULL), 0);
	assert_int_equal(held.result, 0);
	assert_created(dir, "new", S_IFDIR);
	let_go(&call);
	reap_orphans();
	assert_int_equal(faccessat(dir, "new", F_OK, 0), -1);
	close(held.listener);
}

/* ---- a user namespace below another one ---- */

static void assert_nests(int outer, const char *text)
{
	AUTO_MAP struct idm_map *map = map_of("");
	struct idm_error err;
	AUTO_CLOSE int nested = idm_delegate_nest(outer, text, text), parent = -1;
	struct stat st[2];

	assert_true(nested >= 0);
	parent = (int)must(ioctl(nested, NS_GET_PARENT));
	must(fstat(parent, &st[0]));
	must(fstat(outer, &st[1]));
	assert_int_equal(st[0].st_ino, st[1].st_ino);
	/* As it looks from here. */
	assert_ok(idm_map_add_userns(map, nested, &err), &err);
	assert_map(map, SOME_MAP);
}

TEST(a_user_namespace_below_another_one)
{
	AUTO_CLOSE int outer = -1;
	struct snapshot *before;

	need_program();
	need_root();
	outer = userns_of(SOME_MAP);
	assert_nests(outer, "0 0 65536\n");
	before = snapshot_take(SNAPSHOT_ALL);
	for (int i = 0; i < 10; i++)
		assert_nests(outer, "0 0 65536\n");
	assert_int_equal(idm_delegate_nest(outer, "0 0 65537\n", "0 0 65536\n"), -EPERM);
	assert_int_equal(idm_delegate_nest(outer, "0 0 65536\n", "0 0 65537\n"), -EPERM);
	assert_int_equal(idm_delegate_nest(STDERR_FILENO, "0 0 1\n", "0 0 1\n"), -EINVAL);
	snapshot_assert_same(before);
}

static void *run_nest(void *calls)
{
	int listener = hold_calls(((int *)calls)[0], ((int *)calls)[1]);

	__atomic_store_n(&held.listener, listener, __ATOMIC_RELEASE);
	held.result = idm_delegate_nest(((int *)calls)[2], "0 0 1\n", "0 0 1\n");
	return NULL;
}

/* A call of the process in the new namespace, as it is when it shows its maps. */
static struct seccomp_notif await_shown(int outer)
{
	static int calls[3] = { SYS_kill, SYS_kill };

	calls[2] = outer;
	held = (struct held){ .listener = -1 };
	assert_int_equal(pthread_create(&held.thread, NULL, run_nest, calls), 0);
	while (__atomic_load_n(&held.listener, __ATOMIC_ACQUIRE) < 0)
		sched_yield();
	return await_call(SYS_kill);
}

static unsigned int status_number(pid_t pid, const char *name)
{
	char path[64], text[4096], *line;
	AUTO_CLOSE int fd = -1;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	fd = (int)must(open(path, O_RDONLY | O_CLOEXEC));
	text[must(read(fd, text, sizeof(text) - 1))] = '\0';
	line = strstr(text, name);
	assert_non_null(line);
	return (unsigned int)strtoul(line + strlen(name), NULL, 10);
}

/* Root of the outer namespace may trace it. It gets nothing by that. */
TEST(what_shows_the_maps_has_nothing_and_may_do_nothing)
{
	AUTO_CLOSE int outer = -1;
	struct seccomp_notif call;
	char memory[64];
	int nested;

	need_program();
	need_root();
	outer = userns_of(SOME_MAP);
	call = await_shown(outer);
	assert_int_equal(call.data.args[1], SIGSTOP);
	assert_int_equal(owner_of_status((pid_t)call.pid), 100000);
	assert_int_equal(owner_of_status(parent_of((pid_t)call.pid)), 0);
	assert_int_equal(count_descriptors((pid_t)call.pid), 0);
	assert_int_equal(status_number((pid_t)call.pid, "\nSeccomp:"), SECCOMP_MODE_FILTER);
	assert_int_equal(status_number((pid_t)call.pid, "\nSeccomp_filters:"), 2);
	snprintf(memory, sizeof(memory), "/proc/%d/maps", (int)call.pid);
	assert_int_not_equal(RUN("grep", "-q", "idm-delegate-request", memory), 0);
	let_go(&call);
	call = await_call(SYS_kill); /* the delegate's */
	assert_int_equal(call.data.args[1], SIGKILL);
	let_go(&call);
	nested = end_held();
	assert_true(nested >= 0);
	close(nested);
}

/* No process is left, and the caller does not wait for one. */
TEST(a_killed_delegate_nests_nothing)
{
	AUTO_CLOSE int outer = -1;
	struct seccomp_notif call;

	need_program();
	need_root();
	outer = userns_of(SOME_MAP);
	must(prctl(PR_SET_CHILD_SUBREAPER, 1));
	call = await_shown(outer);
	must(kill(parent_of((pid_t)call.pid), SIGKILL));
	assert_int_equal(end_held(), -ESRCH);
	reap_orphans();
}

/* ---- a foreign wait ---- */

static bool stop;

static void *take_all(void *unused)
{
	(void)unused;
	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED))
		waitpid(-1, NULL, __WALL | WNOHANG);
	return NULL;
}

TEST(a_foreign_wait_does_no_harm)
{
	AUTO_CLOSE int dir = scratch_fd(), userns = userns_of(SOME_MAP);
	pthread_t thief;

	assert_int_equal(pthread_create(&thief, NULL, take_all, NULL), 0);
	for (int i = 0; i < 200; i++) {
		assert_int_equal(delegate(IDM_DELEGATE_MKDIR, dir, "new"), 0);
		assert_program(true);
		assert_created(dir, "new", S_IFDIR);
		assert_int_equal(delegate(IDM_DELEGATE_JOIN_USERNS, userns, NULL), 0);
		assert_program(true);
	}
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	pthread_join(thief, NULL);
}
