// SPDX-License-Identifier: MIT
/*
 * A caller that is not dumpable may not open the maps of a child that shares its memory. It gets its
 * user namespaces by a child with a memory of its own, in which nothing of the caller's is left.
 */
#include <endian.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "lib/base/macros.h"
#include "lib/sys/syscall.h"
#include "lib/sys/raw-syscall.h"
#include "lib/userns/userns-child.h"
#include "tests/integration/mount/trees.h"

static const char secret[] = "unreadable text";

static void assert_opens(const char *text, unsigned int flags)
{
	AUTO_MAP struct idm_map *map = map_of(text), *read = map_of("");
	struct idm_error err;
	AUTO_CLOSE int fd = -1;

	fd = (int)assert_ok(idm_userns_open(map, flags, &err), &err);
	/* The IDs that are read are those of this namespace. */
	assert_ok(idm_map_add_userns(read, fd, &err), &err);
	assert_same_map(read, map);
}

static void assert_not_dumpable(void)
{
	assert_int_not_equal(prctl(PR_GET_DUMPABLE, 0, 0, 0, 0), 1);
}

static void keep_capabilities_from(uint64_t lost)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];

	must(syscall(SYS_capget, &header, data));
	for (int i = 0; i < 2; i++) {
		data[i].effective &= ~(uint32_t)(lost >> 32 * i);
		data[i].permitted &= ~(uint32_t)(lost >> 32 * i);
	}
	must(syscall(SYS_capset, &header, data));
}

/* Runs in a process of its own, since it changes that for good. */
static void be_user(void *flags)
{
	become_user(1000, 1000);
	must(prctl(PR_SET_DUMPABLE, 0, 0, 0, 0));
	assert_opens("u:5:1000:1,g:6:1000:1", (unsigned int)(uintptr_t)flags);
	assert_not_dumpable();
}

TEST_ANYWHERE(an_ordinary_user)
{
	need_root();
	in_child(be_user, NULL);
	in_child(be_user, (void *)(uintptr_t)IDM_USERNS_OWN_MEMORY);
}

static void be_root_without_ptrace(void *unused)
{
	(void)unused;
	keep_capabilities_from(1ULL << CAP_SYS_PTRACE);
	must(seteuid(1000));
	must(seteuid(0));
	assert_not_dumpable();
	for (int i = 0; i < 20; i++)
		assert_opens("0:100000:65536", 0);
	assert_opens("0:100000:65536", IDM_USERNS_OWN_MEMORY);
	assert_not_dumpable();
}

TEST_ANYWHERE(root_without_cap_sys_ptrace)
{
	need_root();
	in_child(be_root_without_ptrace, NULL);
}

/* The other ways stay what they are. */
static void be_user_in_one_way(void *unused)
{
	AUTO_MAP struct idm_map *map = map_of("u:5:1000:1,g:6:1000:1");
	struct idm_error err;

	(void)unused;
	become_user(1000, 1000);
	must(prctl(PR_SET_DUMPABLE, 0, 0, 0, 0));
	assert_error(idm_userns_open(map, IDM_USERNS_LIVE, &err), -EACCES, &err, NULL,
		     "open the child's maps", NULL);
}

TEST_ANYWHERE(the_live_child_alone)
{
	need_root();
	in_child(be_user_in_one_way, NULL);
}

TEST_ANYWHERE(who_is_dumpable_may_have_it_too)
{
	AUTO_MAP struct idm_map *map = map_of("0:0:1");
	struct idm_error err;

	need_root();
	assert_opens("0:100000:65536", IDM_USERNS_OWN_MEMORY);
	assert_opens("u:0:100000:65536,g:5:2:3,g:9:20:1", IDM_USERNS_OWN_MEMORY);
	assert_error(idm_userns_open(map, IDM_USERNS_OWN_MEMORY | IDM_USERNS_LIVE, &err), -EINVAL, &err,
		     NULL, "make user namespace",
		     "expected at most one of IDM_USERNS_ZOMBIE, IDM_USERNS_LIVE and");
}

/* ---- in a user namespace that others are in ---- */

static struct start {
	pthread_t thread;
	int listener, pidfd;
	bool by_copy;
} start;

static void *start_child(void *text)
{
	AUTO_MAP struct idm_map *map = map_of(text);
	struct idm_child_options o = IDM_CHILD_OPTIONS_INIT;
	struct idm_error err;

	o.path = "/bin/true";
	o.argv = (const char *const[]){ "true", NULL };
	o.map = map;
	o.namespaces = IDM_NS_MOUNT;
	__atomic_store_n(&start.listener, hold_call(SYS_setresgid), __ATOMIC_RELEASE);
	__atomic_store_n(&start.pidfd, (int)assert_ok(idm_child_start(&o, &err), &err),
			 __ATOMIC_RELEASE);
	return NULL;
}

/* A program of the library's, and no copy of the caller, which may have much memory. */
static bool is_program(pid_t pid)
{
	char name[COMM_SIZE];

	read_comm(pid, name);
	return strncmp(name, "idm-", 4) == 0;
}

/* Every process that joins the namespace becomes its root then. */
static void look_at_join(const struct seccomp_notif *call, void *unused)
{
	(void)unused;
	assert_int_equal(owner_of_status((pid_t)call->pid), 0);
	start.by_copy |= !is_program((pid_t)call->pid);
}

/* The call by which a delegate waits for the process below. */
static void refuse_to_wait(void)
{
	refuse_call_where(SYS_waitid, 3, WNOHANG | WSTOPPED | WEXITED | WNOWAIT | __WALL, EPERM);
}

static void start_below(void *by_copy)
{
	struct idm_exit_info exit;
	struct idm_error err;
	int n = 0;

	become_user(1000, 1000);
	if (by_copy)
		refuse_to_wait();
	start = (struct start){ .listener = -1, .pidfd = -1 };
	assert_int_equal(pthread_create(&start.thread, NULL, start_child, (void *)"0:1000"), 0);
	while (__atomic_load_n(&start.listener, __ATOMIC_ACQUIRE) < 0)
		sched_yield();
	while (__atomic_load_n(&start.pidfd, __ATOMIC_ACQUIRE) < 0)
		n += answer_call(start.listener, 10, look_at_join, NULL);
	assert_int_equal(pthread_join(start.thread, NULL), 0);
	assert_ok(idm_child_wait(start.pidfd, -1, &exit, &err), &err);
	assert_int_equal(exit.status, 0);
	assert_true(n >= 2);
	assert_int_equal(start.by_copy, !!by_copy);
	close(start.pidfd);
	close(start.listener);
}

/* The owners of a process's files in /proc tell whether it is dumpable. */
TEST(no_process_of_a_user_namespace_traces_one_that_joins)
{
	need_root();
	in_child(start_below, NULL);
	in_child(start_below, &start);
}

/* ---- a program with file capabilities ---- */

#define PROGRAM SCRATCH "/program/idmount"

/* As "setcap cap_sys_admin,cap_setuid,cap_setgid=ep" writes them. */
static void set_file_capabilities(const char *path)
{
	struct vfs_cap_data data = {
		.magic_etc = htole32(VFS_CAP_REVISION_2 | VFS_CAP_FLAGS_EFFECTIVE),
		.data[0].permitted = htole32(1U << CAP_SYS_ADMIN | 1U << CAP_SETUID | 1U << CAP_SETGID),
	};

	must(setxattr(path, "security.capability", &data, sizeof(data), 0));
}

static void be_users_program(void *unused)
{
	(void)unused;
	must(setresgid(1000, 1000, 1000));
	must(setresuid(1000, 1000, 1000));
	execl(PROGRAM, "idmount", "mount", "-m", "1000:2000", SCRATCH "/source", SCRATCH "/target",
	      NULL);
	fail_msg("execute: %s", strerror(errno));
}

TEST(a_program_with_file_capabilities)
{
	const char *idmount = getenv("IDMOUNT");
	pid_t pid;
	int status;

	if (!idmount)
		skip_test("IDMOUNT is not set");
	scratch_enter();
	mount_mappable(SCRATCH "/source");
	owned_file(SCRATCH "/source/file", 1000, 1000);
	scratch_dir(SCRATCH "/target");
	scratch_dir(SCRATCH "/program");
	do_mount("program", SCRATCH "/program", "tmpfs", 0, "mode=0755");
	assert_int_equal(RUN("cp", idmount, PROGRAM), 0);
	set_file_capabilities(PROGRAM);
	pid = (pid_t)must(fork());
	if (pid == 0)
		be_users_program(NULL);
	must(waitpid(pid, &status, 0));
	assert_int_equal(status, 0);
	assert_owner(SCRATCH "/target/file", 2000, 2000);
}

/* ---- what the child has of the caller's: nothing ---- */

static void path_in_proc(char path[64], const struct idm_userns_child *child, const char *name)
{
	snprintf(path, 64, "/proc/%d/%s", child->number, name);
}

static unsigned int count_lines(const char *path, char text[8192])
{
	unsigned int lines = 0;
	size_t n = 0;
	FILE *f = fopen(path, "re");

	assert_non_null(f);
	for (int c; (c = fgetc(f)) != EOF && n < 8191; lines += c == '\n')
		text[n++] = (char)c;
	text[n] = '\0';
	fclose(f);
	return lines;
}

static void assert_no_descriptor(const char *path)
{
	AUTO_CLOSE int fd = (int)must(open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	char entries[1024];
	ssize_t n = must(syscall(SYS_getdents64, fd, entries, sizeof(entries)));

	assert_int_equal(n, 48); /* "." and ".." */
}

static void assert_unreadable(const struct idm_userns_child *child, const void *at)
{
	char text[sizeof(secret)];
	struct iovec here = { text, sizeof(text) }, there = { (void *)(uintptr_t)at, sizeof(text) };

	assert_int_equal(process_vm_readv(child->number, &here, 1, &there, 1, 0), -1);
	assert_int_equal(errno, EFAULT);
}

static void assert_not_mapped(const struct idm_userns_child *child, const void *at)
{
	char path[64], text[8192], start_of_line[32];

	path_in_proc(path, child, "maps");
	count_lines(path, text);
	snprintf(start_of_line, sizeof(start_of_line), "%lx-", (unsigned long)(uintptr_t)at);
	assert_null(strstr(text, start_of_line));
}

static void assert_empty(const struct idm_userns_child *child, const void *shared)
{
	/* No constant: the page of the child's code can end with those of the program's file. */
	static char in_data[sizeof(secret)];
	char path[64], text[8192], link[64];
	char on_stack[sizeof(secret)];

	memcpy(on_stack, secret, sizeof(secret));
	path_in_proc(path, child, "maps");
	count_lines(path, text);
	if (strstr(text, "[heap]") || strstr(text, "[stack]") || strstr(text, "libc"))
		fail_msg("the child has memory of the caller's");
	assert_unreadable(child, in_data);
	assert_unreadable(child, on_stack);
	assert_unreadable(child, shared);
	path_in_proc(path, child, "fd");
	assert_no_descriptor(path);
	path_in_proc(path, child, "cwd");
	link[must(readlink(path, link, sizeof(link) - 1))] = '\0';
	assert_string_equal(link, "/");
}

TEST_ANYWHERE(nothing_of_the_caller_is_in_the_child)
{
	char *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct idm_userns_child child;

	need_root();
	if (!IDM_RAW_HAS_ASSEMBLY)
		skip_test("not on this architecture");
	assert_true(shared != MAP_FAILED);
	memcpy(shared, secret, sizeof(secret));
	must(chdir("/proc"));
	assert_ok(idm_userns_child_start(&child, IDM_USERNS_CHILD_OWN), NULL);
	assert_true(child.shared->ready);
	assert_empty(&child, shared);
	assert_int_equal(idm_userns_child_end(&child), 0);
	must(munmap(shared, 4096));
}

/* What is mapped very high, or sealed, or locked. */
TEST_ANYWHERE(whatever_the_caller_has_mapped)
{
	char *locked = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *sealed = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *in_sealed = sealed + 65536 - sizeof(secret), text[sizeof(secret)] = "";
	struct iovec here = { text, sizeof(text) }, there = { in_sealed, sizeof(text) };
	struct idm_userns_child child;
	bool is_sealed;

	need_root();
	if (!IDM_RAW_HAS_ASSEMBLY)
		skip_test("not on this architecture");
	assert_true(locked != MAP_FAILED && sealed != MAP_FAILED);
	memcpy(locked, secret, sizeof(secret));
	memcpy(in_sealed, secret, sizeof(secret));
	must(mlock(locked, 4096));
	is_sealed = syscall(462 /* mseal, Linux 6.10 */, sealed, 65536, 0) == 0;
	assert_ok(idm_userns_child_start(&child, IDM_USERNS_CHILD_OWN), NULL);
	assert_true(child.shared->ready);
	assert_unreadable(&child, locked);
	/* It cannot be unmapped, but its content is gone. */
	if (process_vm_readv(child.number, &here, 1, &there, 1, 0) > 0) {
		assert_true(is_sealed);
		assert_string_equal(text, "");
	}
	assert_int_equal(idm_userns_child_end(&child), 0);
	assert_string_equal(in_sealed, secret);
}

static void *start_own(void *unused)
{
	struct idm_userns_child child;

	(void)unused;
	__atomic_store_n(&start.listener, hold_call(SYS_munmap), __ATOMIC_RELEASE);
	assert_ok(idm_userns_child_start(&child, IDM_USERNS_CHILD_OWN), NULL);
	assert_true(child.shared->ready);
	__atomic_store_n(&start.pidfd, child.pidfd, __ATOMIC_RELEASE);
	assert_int_equal(idm_userns_child_end(&child), 0);
	return NULL;
}

static void *reserve_memory(size_t size)
{
	void *memory = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	assert_true(memory != MAP_FAILED);
	return memory;
}

/* Maps it anew at that place, and seals it where the kernel can. */
static void seal_pages(char *at, size_t n)
{
	const size_t size = n * (size_t)sysconf(_SC_PAGESIZE);
	char *pages = mmap(at, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
			   0);

	assert_true(pages == at);
	if (syscall(462 /* mseal, Linux 6.10 */, pages, size, 0) < 0)
		note("no memory is sealed: %s", strerror(errno));
}

/* Returns how often a child calls munmap(2). */
static int count_unmapping_calls(void)
{
	int n = 0;

	start = (struct start){ .listener = -1, .pidfd = -1 };
	assert_int_equal(pthread_create(&start.thread, NULL, start_own, NULL), 0);
	while (__atomic_load_n(&start.listener, __ATOMIC_ACQUIRE) < 0)
		sched_yield();
	while (__atomic_load_n(&start.pidfd, __ATOMIC_ACQUIRE) < 0 && n < 1000)
		n += answer_call(start.listener, 10, NULL, NULL);
	assert_true(n < 1000);
	while (pthread_tryjoin_np(start.thread, NULL) != 0)
		answer_call(start.listener, 10, NULL, NULL);
	close(start.listener);
	note("%d calls", n);
	return n;
}

/*
 * A sealed page makes the pieces small, and one that ends inside of the vDSO's data is refused like one
 * beyond the end of the memory. Behind them, up to the stack, a page at a time would be millions of
 * calls.
 */
TEST_ANYWHERE(the_calls_are_few_whatever_the_kernel_refuses_to_unmap)
{
	need_root();
	if (!IDM_RAW_HAS_ASSEMBLY)
		skip_test("not on this architecture");
	seal_pages(reserve_memory(1), 1);
	count_unmapping_calls();
}

/* Linux 6.11 tells where a mapping ends. */
static void each_sealed_page_is_asked_for(void)
{
	skip_test("the kernel does not tell where a mapping ends");
}

TEST_SINCE(6, 11, each_sealed_page_is_asked_for, the_calls_are_as_few_for_a_large_sealed_mapping)
{
	const size_t n = 100000, page = (size_t)sysconf(_SC_PAGESIZE);

	need_root();
	if (!IDM_RAW_HAS_ASSEMBLY)
		skip_test("not on this architecture");
	seal_pages(reserve_memory(n * page), n);
	count_unmapping_calls();
}

/* The kernel unmaps huge pages as a whole only. None of them is in use, so that none has to be free. */
static bool map_huge_page(char *at, size_t size)
{
	return mmap(at, size, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | MAP_NORESERVE | MAP_FIXED, -1,
		    0) != MAP_FAILED;
}

TEST_ANYWHERE(huge_pages_between_what_is_sealed_are_unmapped)
{
	const size_t page = (size_t)sysconf(_SC_PAGESIZE), huge = 2UL << 20;
	struct idm_userns_child child;
	char *memory, *aligned;

	need_root();
	if (!IDM_RAW_HAS_ASSEMBLY)
		skip_test("not on this architecture");
	memory = reserve_memory(8 * huge);
	aligned = (char *)(((uintptr_t)memory + 2 * huge - 1) & -huge);
	if (!map_huge_page(aligned, 3 * huge))
		skip_test("no huge pages of 2 MiB");
	seal_pages(aligned - 5 * page, 1);
	seal_pages(aligned + 3 * huge, 1);
	assert_ok(idm_userns_child_start(&child, IDM_USERNS_CHILD_OWN), NULL);
	assert_true(child.shared->ready);
	assert_not_mapped(&child, aligned);
	assert_int_equal(idm_userns_child_end(&child), 0);
}

static void seal_secret(void)
{
	char *sealed = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_true(sealed != MAP_FAILED);
	memcpy(sealed, secret, sizeof(secret));
	must(mprotect(sealed, 4096, PROT_READ));
	must(syscall(462 /* mseal */, sealed, 4096, 0));
}

static void have_sealed_secret(void *unused)
{
	AUTO_MAP struct idm_map *map = map_of("u:5:1000:1,g:6:1000:1");
	struct idm_userns_child child;
	struct idm_error err;

	(void)unused;
	become_user(1000, 1000);
	must(prctl(PR_SET_DUMPABLE, 0, 0, 0, 0));
	seal_secret();
	assert_ok(idm_userns_child_start(&child, IDM_USERNS_CHILD_OWN), NULL);
	assert_false(child.shared->ready);
	assert_int_equal(idm_userns_child_end(&child), 0);
	assert_error(idm_userns_open(map, IDM_USERNS_OWN_MEMORY, &err), -EPERM, &err, "", NULL,
		     "sealed memory");
}

static void no_memory_is_sealed(void)
{
	assert_int_equal(syscall(462 /* mseal */, NULL, 0, 0), -1);
}

TEST_SINCE(6, 10, no_memory_is_sealed, a_secret_that_cannot_be_dropped_is_shown_to_no_other_process)
{
	need_root();
	if (!IDM_RAW_HAS_ASSEMBLY)
		skip_test("not on this architecture");
	in_child(have_sealed_secret, NULL);
}

/* ---- in a PID namespace that the thread has unshared, where getppid(2) returns 0 ---- */

static const enum idm_userns_child_way living[] = { IDM_USERNS_CHILD_LIVE, IDM_USERNS_CHILD_OWN };

static void wait_for_ever(void)
{
	for (;;)
		pause();
}

/* A sanitizer's search for leaks fails where its own child is in another PID namespace. */
static void leave_pid_namespace(void)
{
	AUTO_CLOSE int own = (int)must(open("/proc/self/ns/pid", O_RDONLY | O_CLOEXEC));

	must(setns(own, CLONE_NEWPID));
}

/* Returns the init of that namespace. */
static pid_t enter_pid_namespace(void)
{
	pid_t init;

	must(unshare(CLONE_NEWPID));
	init = (pid_t)must(fork());
	if (init == 0)
		wait_for_ever();
	return init;
}

static bool has_exited(int pidfd, int milliseconds)
{
	struct pollfd p = { .fd = pidfd, .events = POLLIN };

	return must(poll(&p, 1, milliseconds)) > 0;
}

TEST_ANYWHERE(a_child_in_another_pid_namespace_stays)
{
	pid_t init;

	need_root();
	if (!IDM_RAW_HAS_ASSEMBLY)
		skip_test("not on this architecture");
	init = enter_pid_namespace();
	for (size_t i = 0; i < ARRAY_SIZE(living); i++) {
		struct idm_userns_child child;

		assert_ok(idm_userns_child_start(&child, living[i]), NULL);
		assert_false(has_exited(child.pidfd, 100));
		assert_int_equal(idm_userns_child_end(&child), 0);
	}
	leave_pid_namespace();
	must(kill(init, SIGKILL));
	must(waitpid(init, NULL, 0));
}

/* In memory that the processes share. */
struct killed_caller {
	enum idm_userns_child_way way;
	pid_t caller, init;
	int listener, child;
};

static void start_and_be_killed(struct killed_caller *k)
{
	struct idm_userns_child child;

	k->init = enter_pid_namespace();
	__atomic_store_n(&k->listener, hold_call(SYS_prctl), __ATOMIC_RELEASE);
	idm_userns_child_start(&child, k->way);
	wait_for_ever();
}

/* Before the child is to be killed at the caller's exit. */
static void kill_caller(const struct seccomp_notif *call, void *data)
{
	struct killed_caller *k = data;

	k->child = idm_sys_pidfd_open((pid_t)call->pid);
	must(kill(k->caller, SIGKILL));
	must(waitpid(k->caller, NULL, 0));
}

static void outlive_caller(void *data)
{
	struct killed_caller *k = data;
	pid_t caller;

	must(prctl(PR_SET_CHILD_SUBREAPER, 1));
	/* Its descriptors stay open in this process. */
	caller = (pid_t)must(syscall(SYS_clone, CLONE_FILES | SIGCHLD, 0, 0, 0, 0));
	if (caller == 0)
		start_and_be_killed(k);
	k->caller = caller;
	while (__atomic_load_n(&k->listener, __ATOMIC_ACQUIRE) < 0)
		sched_yield();
	assert_true(answer_call(k->listener, 30000, kill_caller, k));
	assert_true(has_exited(k->child, 30000));
	must(kill(k->init, SIGKILL));
	while (waitpid(-1, NULL, __WALL) > 0)
		;
}

TEST_ANYWHERE(a_child_in_another_pid_namespace_exits_with_a_killed_caller)
{
	struct killed_caller *k = mmap(NULL, sizeof(*k), PROT_READ | PROT_WRITE,
				       MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	need_root();
	if (!IDM_RAW_HAS_ASSEMBLY)
		skip_test("not on this architecture");
	assert_true(k != MAP_FAILED);
	for (size_t i = 0; i < ARRAY_SIZE(living); i++) {
		*k = (struct killed_caller){ .way = living[i], .listener = -1, .child = -1 };
		in_child(outlive_caller, k);
	}
}

/* ---- where the kernel refuses a child that shares memory ---- */

static void refuse_shared_memory(void)
{
	refuse_call(SYS_clone3, ENOSYS);
	refuse_call_with(SYS_clone, CLONE_VM, EINVAL);
}

static void without_shared_memory(void *unused)
{
	AUTO_MAP struct idm_map *map = map_of("0:0:1");
	struct idm_error err;

	(void)unused;
	refuse_shared_memory();
	assert_opens("0:100000:65536", 0);
	assert_error(idm_userns_open(map, IDM_USERNS_LIVE, &err), -EINVAL, &err, NULL,
		     "make user namespace", "refuses a child that shares the caller's memory");
	assert_contains(err.hint, "CLONE_NEWTIME");
}

/* As Linux 5.10 and 6.1 do after unshare(CLONE_NEWTIME). */
TEST_ANYWHERE(the_kernel_refuses_shared_memory)
{
	need_root();
	in_child(without_shared_memory, NULL);
}

static void in_time_namespace(void *unused)
{
	(void)unused;
	if (unshare(0x80 /* CLONE_NEWTIME */) < 0)
		skip_test("no time namespaces: %s", strerror(errno));
	assert_opens("0:100000:65536", 0);
}

TEST_ANYWHERE(after_unsharing_a_time_namespace)
{
	need_root();
	in_child(in_time_namespace, NULL);
}

/* ---- children that are taken away ---- */

static bool over;

static void *take_all(void *unused)
{
	(void)unused;
	while (!__atomic_load_n(&over, __ATOMIC_RELAXED))
		waitpid(-1, NULL, __WALL | WNOHANG);
	return NULL;
}

/* Right, or -ESRCH: never another process's namespace. */
TEST_ANYWHERE(beside_a_thread_that_takes_all_children)
{
	AUTO_MAP struct idm_map *map = map_of("0:100000:65536");
	struct idm_error err;
	unsigned int n = 0;
	pthread_t thief;
	int fds[200];

	need_root();
	assert_int_equal(pthread_create(&thief, NULL, take_all, NULL), 0);
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
		int fd = idm_userns_open(map, IDM_USERNS_OWN_MEMORY, &err);

		assert_true(fd >= 0 || fd == -ESRCH);
		if (fd >= 0)
			fds[n++] = fd;
	}
	__atomic_store_n(&over, true, __ATOMIC_RELAXED);
	pthread_join(thief, NULL);
	note("%u of %zu calls got a namespace", n, ARRAY_SIZE(fds));
	assert_true(n > 0);
	for (unsigned int i = 0; i < n; i++) {
		assert_userns(fds[i], map);
		close(fds[i]);
	}
}
