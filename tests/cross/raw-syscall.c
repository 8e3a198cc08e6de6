// SPDX-License-Identifier: MIT
/*
 * The assembly of lib/sys/: system calls with all their arguments, and children. run.sh also runs this for
 * other architectures, in emulators that have no namespaces. So it is a program without the other tests'
 * code. Prints TAP.
 */
#include "lib/sys/raw-syscall.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define STACK_SIZE 65536

static int number, failed;

static void expect(const char *what, bool is_so)
{
	printf("%s %d - %s\n", is_so ? "ok" : "not ok", ++number, what);
	fflush(stdout); /* before a fork */
	failed |= !is_so;
}

static void test_errors(void)
{
	errno = 7;
	expect("an error is a negative number", raw(SYS_close, -1) == -EBADF);
	expect("of each kind", raw(SYS_openat, AT_FDCWD, "/no/such/file", O_RDONLY) == -ENOENT);
	expect("errno is unchanged", errno == 7);
}

static void test_memory(void)
{
	const int flags = MAP_PRIVATE | MAP_ANONYMOUS;
	long r = idm_raw_mmap(STACK_SIZE, PROT_READ | PROT_WRITE, flags, -1);

	expect("memory is mapped", !idm_raw_map_failed(r));
	if (!idm_raw_map_failed(r))
		memset((void *)r, 7, STACK_SIZE);
	expect("and unmapped", raw(SYS_munmap, r, STACK_SIZE) == 0);
	expect("but not without a size", idm_raw_map_failed(idm_raw_mmap(0, PROT_READ, flags, -1)));
}

/* An offset has two registers on some machines. */
static void test_offsets(void)
{
	char name[] = "/tmp/idm-raw-XXXXXX", text[8] = "";
	int fd = mkstemp(name);
	uint64_t size = 0;
	long r;

	unlink(name);
	expect("a file is written at an offset", idm_raw_pwrite(fd, "abc", 3, 70000) == 3);
	expect("where it is read", pread(fd, text, 3, 70000) == 3 && strcmp(text, "abc") == 0);
	r = idm_raw_map_file(fd, &size);
	expect("it is mapped", !idm_raw_map_failed(r) && size == 70003 && ((char *)r)[70001] == 'b');
	close(fd);
}

static int make_file(const char *text)
{
	char name[] = "/tmp/idm-raw-XXXXXX";
	int fd = mkstemp(name);

	unlink(name);
	return write(fd, text, strlen(text)) == (ssize_t)strlen(text) ? fd : -1;
}

/* The fifth is the size, and the sixth must be 0. */
static void test_six_arguments(void)
{
	int from = make_file("abcdef"), to = make_file("");
	uint64_t at = 1;

	expect("five arguments arrive", raw(SYS_copy_file_range, from, &at, to, 0, 3, 0) == 3);
	expect("six arguments arrive", raw(SYS_copy_file_range, from, &at, to, 0, 1, 1) == -EINVAL);
	close(from);
	close(to);
}

/* ---- children ---- */

struct seen_child {
	int argument;
	uintptr_t place; /* of a variable on the child's stack */
};

static void run_raw_child(void *data)
{
	struct seen_child *seen = data;
	volatile int here = 0;

	seen->argument += 1;
	seen->place = (uintptr_t)&here;
	idm_raw_exit(seen->argument);
}

static int get_exit_status(long pid)
{
	int status;

	if (pid <= 0 || waitpid((pid_t)pid, &status, 0) != pid || !WIFEXITED(status))
		return -1;
	return WEXITSTATUS(status);
}

static void *map_shared(size_t size)
{
	return mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
}

/* An emulator forks for these flags. So what the child writes is in shared memory. */
static void test_child(void)
{
	struct seen_child *seen = map_shared(sizeof(*seen));
	char *stack = map_shared(STACK_SIZE);
	const long args[5] =
		IDM_CLONE_ARGS(CLONE_VM | CLONE_VFORK | SIGCHLD, stack + STACK_SIZE, 0, 0);

	seen->argument = 41;
	expect("a child runs",
	       get_exit_status(idm_raw_clone(SYS_clone, args, run_raw_child, seen)) == 42);
	expect("with its argument", seen->argument == 42);
	expect("on its own stack",
	       seen->place > (uintptr_t)stack && seen->place < (uintptr_t)stack + STACK_SIZE);
}

static void test_fork(void)
{
	int32_t *child = map_shared(sizeof(*child)); /* an emulator writes it in the child */
	long pid = idm_raw_fork(CLONE_PARENT_SETTID | SIGCHLD, child);

	if (pid == 0)
		idm_raw_exit(3);
	expect("a fork returns twice", get_exit_status(pid) == 3);
	expect("the kernel writes the number", *child == pid);
}

/* A shared signal table requires shared memory. */
static void test_failed_clone(void)
{
	struct seen_child seen = { 0 };
	const long args[5] = IDM_CLONE_ARGS(CLONE_SIGHAND | SIGCHLD, 0, 0, 0);

	expect("a clone that fails is an error",
	       idm_raw_clone(SYS_clone, args, run_raw_child, &seen) == -EINVAL && seen.argument == 0);
}

int main(void)
{
	test_errors();
	test_memory();
	test_offsets();
	test_six_arguments();
	test_child();
	test_fork();
	test_failed_clone();
	printf("1..%d\n", number);
	return failed;
}
