// SPDX-License-Identifier: MIT
/* A program is started as it was asked for, or not at all, and the caller stays as it was. */
#include "children.h"

#include <fcntl.h>
#include <pthread.h>
#include <pty.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/macros.h"
#include "tests/lib/maps.h"
#include "tests/lib/scratch.h"
#include "tests/lib/snapshot.h"

#define CGROUP SCRATCH "/cgroup"

/* ---- the program ---- */

TEST(a_program_is_started_and_waited_for)
{
	struct idm_child_options o = SCRIPT("exit 7");
	struct idm_exit_info exit;
	pid_t pid = 0;

	o.pid = &pid;
	exit = end_of(child_of(&o));
	assert_int_equal(exit.code, CLD_EXITED);
	assert_int_equal(exit.status, 7);
	assert_true(pid > 0);
	assert_int_equal(exit.pid, pid);
}

TEST(arguments_and_environment_are_as_given)
{
	struct idm_child_options o = SCRIPT("printf '%s|' \"$0\" \"$@\"; env");

	o.argv = ARGV("sh", "-c", "printf '%s|' \"$0\" \"$@\"; exec /usr/bin/env", "zero", "",
		      "two words");
	o.envp = ARGV("A=1", "B=with = in it", "EMPTY=");
	{
		AUTO_FREE char *text = output_of(&o);

		assert_contains(text, "zero||two words|");
		assert_contains(text, "A=1\n");
		assert_contains(text, "B=with = in it\n");
		assert_contains(text, "EMPTY=\n");
		assert_null(strstr(text, "IDM_CHILD_TEST"));
	}
	must(setenv("IDM_CHILD_TEST", "mine", 1));
	o = SCRIPT("echo $IDM_CHILD_TEST");
	assert_output(&o, "mine\n");
	clearenv();
	assert_output(&o, "\n");
}

TEST(the_working_directory_is_the_one_given)
{
	struct idm_child_options o = SCRIPT("pwd");

	must(chdir("/usr"));
	assert_output(&o, "/usr\n");
	o.cwd = "/proc/sys";
	assert_output(&o, "/proc/sys\n");
	o.cwd = "lib";
	assert_output(&o, "/usr/lib\n");
	o.cwd = "/no/such/directory";
	assert_no_child(&o, -ENOENT, "/no/such/directory", "set working directory", "No such file");
	o.cwd = "/etc/passwd";
	assert_no_child(&o, -ENOTDIR, "/etc/passwd", "set working directory", "Not a directory");
}

static char *new_directory(void)
{
	char *path = strdup("/tmp/idm-child-XXXXXX");

	assert_non_null(mkdtemp(path));
	return path;
}

static const char *make_file(const char *directory, const char *name, const char *text, mode_t mode)
{
	static char path[256];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	fd = (int)must(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	must(write(fd, text, strlen(text)));
	must(fchmod(fd, mode));
	close(fd);
	return path;
}

static void remove_directory(char *path)
{
	assert_int_equal(RUN("rm", "-r", path), 0);
	free(path);
}

TEST(what_cannot_be_executed_is_an_error_with_its_own_number)
{
	struct idm_child_options o = SCRIPT("true");
	char *directory = new_directory();
	struct idm_error err;

	o.path = make_file(directory, "no-program", "", 0600);
	assert_no_child(&o, -EACCES, o.path, "execute", "Permission denied");
	o.path = directory;
	assert_no_child(&o, -EACCES, directory, "execute", "Permission denied");
	o.path = make_file(directory, "data", "no program\n", 0700);
	assert_no_child(&o, -ENOEXEC, o.path, "execute", "not a program that this machine");
	o.path = make_file(directory, "no-interpreter", "#!/no/such/interpreter\n", 0700);
	assert_no_child(&o, -ENOENT, o.path, "execute", "No such file");
	assert_int_equal(idm_child_start(&o, &err), -ENOENT);
	assert_contains(err.hint, "interpreter");
	o.path = "/no/such/program";
	assert_no_child(&o, -ENOENT, "/no/such/program", "execute", "No such file");
	o.path = "/etc/passwd/program";
	assert_no_child(&o, -ENOTDIR, o.path, "execute", "Not a directory");
	remove_directory(directory);
}

TEST(arguments_that_are_too_long_are_refused_by_the_kernel)
{
	struct idm_child_options o = SCRIPT("true");
	AUTO_FREE char *longest = malloc(1 << 20);

	assert_non_null(longest);
	memset(longest, 'x', (1 << 20) - 1);
	longest[(1 << 20) - 1] = '\0';
	o.argv = ARGV("sh", longest);
	assert_no_child(&o, -E2BIG, "/bin/sh", "execute", "too long");
}

TEST(a_name_without_a_slash_is_looked_up_in_the_path_of_the_child)
{
	struct idm_child_options o = SCRIPT("echo $0");
	char *directory = new_directory(), path[512];

	o.flags = IDM_CHILD_SEARCH_PATH;
	o.path = "sh";
	assert_output(&o, "sh\n");
	o.envp = ARGV("A=1");
	assert_output(&o, "sh\n");
	o.path = "/bin/sh";
	assert_output(&o, "sh\n");

	o.path = "idm-program";
	make_file(directory, "idm-program", "#!/bin/sh\necho found $0\n", 0700);
	snprintf(path, sizeof(path), "PATH=/no/such:/etc/passwd:%s:/bin", directory);
	o.envp = ARGV(path);
	o.argv = ARGV("idm-program");
	{
		AUTO_FREE char *text = output_of(&o);

		assert_contains(text, "/idm-program\n");
		assert_contains(text, "found /tmp/");
	}
	o.envp = ARGV("PATH=/bin:");
	o.cwd = directory;
	assert_output(&o, "found ./idm-program\n");
	o.cwd = NULL;
	o.envp = ARGV("PATH=/bin:/no/such");
	assert_no_child(&o, -ENOENT, "idm-program", "execute", "not found in PATH");
	o.envp = ARGV("PATH=/bin");
	assert_no_child(&o, -ENOENT, "idm-program", "execute", NULL);
	o.flags = 0;
	assert_no_child(&o, -ENOENT, "idm-program", "execute", "No such file");
	remove_directory(directory);
}

TEST(what_is_forbidden_in_the_path_is_remembered)
{
	struct idm_child_options o = SCRIPT("true");
	char *directory = new_directory(), path[512];

	make_file(directory, "idm-program", "#!/bin/sh\n", 0600);
	snprintf(path, sizeof(path), "PATH=%s:/no/such", directory);
	o.envp = ARGV(path);
	o.flags = IDM_CHILD_SEARCH_PATH;
	o.path = "idm-program";
	assert_no_child(&o, -EACCES, "/idm-program", "execute", "Permission denied");
	remove_directory(directory);
}

TEST(a_program_can_be_a_descriptor)
{
	struct idm_child_options o = SCRIPT(
		"n=0; for f in /proc/$$/fd/*; do [ -e $f ] && n=$((n + 1)); done; "
		"echo by descriptor $n");

	o.program_fd = (int)must(open("/bin/sh", O_PATH | O_CLOEXEC));
	o.path = "the shell";
	assert_output(&o, "by descriptor 3\n");
	close(o.program_fd);
	o.program_fd = 77;
	assert_no_child(&o, -EBADF, "", "execute a descriptor", "descriptor 77 is not open");
	o.program_fd = (int)must(open("/etc/passwd", O_RDONLY | O_CLOEXEC));
	assert_no_child(&o, -EACCES, "the shell", "execute", "Permission denied");
	close(o.program_fd);
}

/* ---- descriptors ---- */

/* "NUMBER NAME" of every descriptor that is a memory file. */
static const char list_files[] = "cd /proc/$$/fd; for f in *; do n=$(readlink $f) && "
				 "case $n in */memfd:x*) n=${n#*:x}; echo $f ${n%% *};; esac; done";

/* A memory file called "x<number>" at that very number, which is its text, too. */
static void put_file(int number, bool cloexec)
{
	char name[16];
	int fd;

	snprintf(name, sizeof(name), "x%d", number);
	fd = (int)must(memfd_create(name, 0));
	must(dprintf(fd, "%d\n", number));
	if (fd != number) {
		must(dup2(fd, number));
		close(fd);
	}
	must(fcntl(number, F_SETFD, cloexec ? FD_CLOEXEC : 0));
}

TEST(descriptors_are_where_the_table_says_and_nowhere_else)
{
	struct idm_child_options o = SCRIPT(list_files);
	const struct idm_child_fd swap[] = { { 13, 14 }, { 14, 13 } };
	const struct idm_child_fd ring[] = { { 13, 14 }, { 14, 15 }, { 15, 16 }, { 16, 13 } };
	const struct idm_child_fd twice[] = { { 13, 3 }, { 13, 4 }, { 13, 13 }, { 14, 15 } };
	const struct idm_child_fd taken[] = { { -1, 13 }, { 13, 20 }, { 14, 14 }, { -1, 21 } };

	for (int fd = 13; fd < 17; fd++)
		put_file(fd, fd % 2);
	assert_output(&o, "");
	o.fds = swap;
	o.n_fds = ARRAY_SIZE(swap);
	assert_output(&o, "13 14\n14 13\n");
	o.fds = ring;
	o.n_fds = ARRAY_SIZE(ring);
	assert_output(&o, "13 16\n14 13\n15 14\n16 15\n");
	o.fds = twice;
	o.n_fds = ARRAY_SIZE(twice);
	assert_output(&o, "13 13\n15 14\n3 13\n4 13\n");
	o.fds = taken;
	o.n_fds = ARRAY_SIZE(taken);
	assert_output(&o, "14 14\n20 13\n");
	for (int fd = 13; fd < 17; fd++)
		close(fd);
}

/* "NUMBER TEXT" of every descriptor from 3 on, without another process for each. */
static const char read_files[] = "cd /proc/$$/fd; for f in *; do [ $f -lt 3 ] || [ ! -e $f ] || "
				 "{ read -r text <$f; echo $f $text; }; done";

/* Numbers that overlap with each other and with the library's own, in both memories. */
TEST(descriptors_are_right_in_any_order)
{
	struct idm_child_options o = SCRIPT(read_files);
	struct rng rng = rng_new(1);

	need_root();
	for (int fd = 40; fd < 60; fd++)
		put_file(fd, fd % 2);
	for (int round = 0; round < (test_is_slow() ? 10 : 30); round++) {
		struct idm_child_fd fds[16];
		size_t length = 0;
		int source[64];

		memset(source, -1, sizeof(source));
		o.n_fds = 0;
		for (int to = 3; to < 64 && o.n_fds < ARRAY_SIZE(fds); to++) {
			if (rng_below(&rng, 4))
				continue;
			source[to] = 40 + (int)rng_below(&rng, 20);
			fds[o.n_fds++] = (struct idm_child_fd){ source[to], to };
		}
		for (size_t i = 1; i < o.n_fds; i++) {
			size_t j = rng_below(&rng, (uint32_t)i + 1);
			struct idm_child_fd swap = fds[i];

			fds[i] = fds[j];
			fds[j] = swap;
		}
		o.fds = fds;
		o.uid = round % 2 ? 0 : IDM_CHILD_KEEP_ID;
		{
			AUTO_FREE char *text = output_of(&o);

			for (int to = 3; to < 64; to++) {
				char line[32];

				if (source[to] < 0)
					continue;
				length += (size_t)sprintf(line, "%d %d\n", to, source[to]);
				assert_contains(text, line);
			}
			assert_int_equal(strlen(text), length);
		}
	}
	for (int fd = 40; fd < 60; fd++)
		close(fd);
}

TEST(the_standard_ones_are_the_callers_unless_the_table_says_otherwise)
{
	struct idm_child_options o =
		SCRIPT("for f in 0 1 2; do [ -e /proc/$$/fd/$f ] || echo $f; done >&9");
	const struct idm_child_fd closed[] = { { -1, 0 }, { 9, 9 }, { -1, 2 } };
	AUTO_CLOSE int output = (int)must(memfd_create("output", MFD_CLOEXEC));
	char text[16] = "";

	must(dup3(output, 9, O_CLOEXEC));
	o.fds = closed;
	o.n_fds = ARRAY_SIZE(closed);
	assert_ends(child_of(&o), CLD_EXITED, 0);
	must(pread(output, text, sizeof(text) - 1, 0));
	assert_string_equal(text, "0\n2\n");

	must(ftruncate(output, 0));
	must(lseek(output, 0, SEEK_SET));
	must(dup3(0, 20, O_CLOEXEC));
	close(0);
	o.fds = closed + 1;
	o.n_fds = 1;
	assert_ends(child_of(&o), CLD_EXITED, 0);
	must(dup2(20, 0));
	memset(text, 0, sizeof(text));
	must(pread(output, text, sizeof(text) - 1, 0));
	assert_string_equal(text, "0\n");
	close(9);
	close(20);
}

/* What the options hold is the library's and the child's, whatever number it has. */
static void with_an_internal_descriptor_in_front(void *which)
{
	AUTO_MAP struct idm_map *map = map_of("0:5000:10");
	struct idm_child_options o =
		SCRIPT("for f in 0 1 2; do [ -e /proc/$$/fd/$f ] || echo $f; done >&9");
	struct idm_child_fd fds[] = { { 9, 9 }, { -1, 0 } };
	struct idm_tree_options tree = IDM_TREE_OPTIONS_INIT;
	int output = (int)must(memfd_create("output", MFD_CLOEXEC)), join;
	char text[16] = "";

	must(dup3(output, 9, O_CLOEXEC));
	o.fds = fds;
	o.n_fds = 1;
	close(0);
	switch (*(int *)which) {
	case 0: /* the library's own: it gets the number that is free */
		o.map = map;
		break;
	case 1:
		tree.flags = IDM_TREE_RECURSIVE;
		o.root_fd = (int)must(idm_tree_open(AT_FDCWD, "/", -1, &tree, NULL));
		o.namespaces = IDM_NS_MOUNT;
		assert_int_equal(o.root_fd, 0);
		break;
	case 2:
		join = (int)must(open("/proc/self/ns/uts", O_RDONLY | O_CLOEXEC));
		o.join_fds = &join;
		o.n_join_fds = 1;
		assert_int_equal(join, 0);
		break;
	default: /* but what is named is passed on */
		join = (int)must(open("/proc/self/ns/uts", O_RDONLY | O_CLOEXEC));
		o.join_fds = &join;
		o.n_join_fds = 1;
		fds[1].from = 0;
		o.n_fds = 2;
	}
	assert_ends(child_of(&o), CLD_EXITED, 0);
	must(pread(output, text, sizeof(text) - 1, 0));
	assert_string_equal(text, *(int *)which < 3 ? "0\n" : "");
}

/* The root is a detached tree, which Linux 5.12 brought. */
static void without_a_root(void)
{
	need_root();
	for (int which = 0; which < 4; which++)
		if (which != 1)
			in_child(with_an_internal_descriptor_in_front, &which);
}

TEST_SINCE(5, 12, without_a_root, what_the_options_hold_is_no_standard_input)
{
	need_root();
	for (int which = 0; which < 4; which++)
		in_child(with_an_internal_descriptor_in_front, &which);
}

TEST(open_descriptors_can_be_kept)
{
	struct idm_child_options o = SCRIPT(list_files);
	const struct idm_child_fd fds[] = { { 15, 13 } };

	need_root();
	for (int fd = 13; fd < 17; fd++)
		put_file(fd, fd == 15 || fd == 16);
	o.flags = IDM_CHILD_KEEP_FDS;
	assert_output(&o, "13 13\n14 14\n");
	o.fds = fds;
	o.n_fds = 1;
	assert_output(&o, "13 15\n14 14\n");
	o.uid = 0; /* by way of the stage */
	assert_output(&o, "13 15\n14 14\n");
	for (int fd = 13; fd < 17; fd++)
		close(fd);
}

TEST(descriptors_that_cannot_be_passed_are_named)
{
	struct idm_child_options o = SCRIPT("true");
	struct idm_child_fd fds[] = { { 77, 3 }, { 1, 3 } };
	struct rlimit limit;

	o.fds = fds;
	o.n_fds = 1;
	assert_no_child(&o, -EBADF, "", "pass descriptors", "descriptor 77 is not open");
	must(getrlimit(RLIMIT_NOFILE, &limit));
	fds[0] = (struct idm_child_fd){ 1, (int)limit.rlim_cur };
	assert_no_child(&o, -EBADF, "", "pass descriptors", "over the limit RLIMIT_NOFILE");
	fds[0] = (struct idm_child_fd){ 1, -1 };
	assert_no_child(&o, -EBADF, "", "start program", "fds[0].to: expected a descriptor, got -1");
	fds[0] = (struct idm_child_fd){ 1, 3 };
	o.n_fds = 2;
	assert_no_child(&o, -EINVAL, "", "start program", "got 3 twice");
}

/* ---- signals ---- */

static char *signals_of(const struct idm_child_options *o)
{
	struct idm_child_options own = *o;

	own.path = "/bin/cat";
	own.argv = ARGV("cat", "/proc/self/status");
	return output_of(&own);
}

static void do_nothing(int signal)
{
	(void)signal;
}

TEST(signals_are_as_after_an_exec_or_reset)
{
	struct idm_child_options o = SCRIPT("true");
	sigset_t set;

	need_root();
	signal(SIGUSR1, SIG_IGN);
	signal(SIGUSR2, do_nothing);
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_SETMASK, &set, NULL);
	for (int stage = 0; stage < 2; stage++) {
		AUTO_FREE char *inherited = NULL, *reset = NULL;

		o.uid = stage ? 0 : IDM_CHILD_KEEP_ID;
		o.flags = 0;
		inherited = signals_of(&o);
		assert_contains(inherited, "SigBlk:\t0000000000004000\nSigIgn:\t0000000000000200\n"
					   "SigCgt:\t0000000000000000\n");
		o.flags = IDM_CHILD_RESET_SIGNALS;
		reset = signals_of(&o);
		assert_contains(reset, "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n"
				       "SigCgt:\t0000000000000000\n");
	}
	sigprocmask(SIG_BLOCK, NULL, &set);
	assert_true(sigismember(&set, SIGTERM));
	assert_false(sigismember(&set, SIGINT));
}

static struct {
	pid_t caller;
	volatile int *elsewhere;
	atomic_bool over;
} storm;

static void handler(int signal)
{
	(void)signal;
	if (syscall(SYS_getpid) != storm.caller)
		*storm.elsewhere = 1;
}

static void *send_signals(void *unused)
{
	(void)unused;
	while (!storm.over)
		must(kill(0, SIGUSR1));
	return NULL;
}

static void start_in_a_storm(void *how)
{
	struct idm_child_options o = SCRIPT("true");
	int *elsewhere = mmap(NULL, sizeof(int), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
			      0);
	pthread_t thread;

	if (*(int *)how == ENOSYS)
		refuse_call(SYS_clone3, ENOSYS);
	must(setpgid(0, 0));
	storm.caller = getpid();
	storm.elsewhere = elsewhere;
	signal(SIGUSR1, handler);
	assert_int_equal(pthread_create(&thread, NULL, send_signals, NULL), 0);
	for (int i = 0; i < 100; i++) {
		struct idm_exit_info exit;

		o.uid = i % 2 ? 0 : IDM_CHILD_KEEP_ID;
		exit = end_of(child_of(&o));
		if (exit.code == CLD_KILLED)
			assert_int_equal(exit.status, SIGUSR1);
		else
			assert_int_equal(exit.status, 0);
	}
	storm.over = true;
	pthread_join(thread, NULL);
	assert_int_equal(*elsewhere, 0);
	munmap(elsewhere, sizeof(int));
}

TEST(no_handler_of_the_callers_runs_in_a_child)
{
	need_root();
	in_child(start_in_a_storm, &(int){ 0 });
}

TEST(nor_where_clone3_is_refused)
{
	need_root();
	in_child(start_in_a_storm, &(int){ ENOSYS });
}

/* ---- session, group, terminal, cgroup ---- */

/* Of /proc/PID/stat: process group, session and terminal; the child says its own number first. */
static void ids_of(const struct idm_child_options *o, int ids[4])
{
	struct idm_child_options own = *o;
	AUTO_FREE char *text = NULL;

	own.argv = ARGV("sh", "-c", "cat /proc/$$/stat");
	text = output_of(&own);
	assert_int_equal(sscanf(text, "%d (sh) %*c %*d %d %d %d", &ids[0], &ids[1], &ids[2], &ids[3]),
			 4);
}

TEST(process_group_and_session_are_as_asked_for)
{
	struct idm_child_options o = SCRIPT("");
	int ids[4];

	ids_of(&o, ids);
	assert_int_equal(ids[1], getpgrp());
	assert_int_equal(ids[2], getsid(0));
	o.process_group = -1;
	ids_of(&o, ids);
	assert_int_equal(ids[1], ids[0]);
	assert_int_equal(ids[2], getsid(0));
	o.process_group = 0;
	o.flags = IDM_CHILD_SESSION;
	ids_of(&o, ids);
	assert_int_equal(ids[1], ids[0]);
	assert_int_equal(ids[2], ids[0]);
	assert_int_equal(ids[3], 0);
}

TEST(a_process_group_can_be_joined_as_long_as_there_is_one)
{
	struct idm_child_options leader = SCRIPT("read x"), o = SCRIPT("");
	int pipe[2], pidfd, ids[4];
	pid_t group;

	need_root();
	must(pipe2(pipe, O_CLOEXEC));
	leader.fds = &(struct idm_child_fd){ pipe[0], 0 };
	leader.n_fds = 1;
	leader.process_group = -1;
	leader.pid = &group;
	pidfd = child_of(&leader);
	o.process_group = group;
	for (int stage = 0; stage < 2; stage++) {
		o.uid = stage ? 0 : IDM_CHILD_KEEP_ID;
		ids_of(&o, ids);
		assert_int_equal(ids[1], group);
	}
	assert_ok(idm_child_signal(pidfd, SIGKILL, NULL), NULL);
	assert_ends(pidfd, CLD_KILLED, SIGKILL);
	assert_no_child(&o, -EPERM, "", "set process group", "not permitted");
	close(pipe[0]);
	close(pipe[1]);
}

TEST(a_terminal_becomes_the_controlling_one)
{
	struct idm_child_options o = SCRIPT("");
	int master, slave, ids[4];
	struct stat st;

	need_root();
	must(openpty(&master, &slave, NULL, NULL, NULL));
	must(fstat(slave, &st));
	o.flags = IDM_CHILD_SESSION;
	o.terminal_fd = slave;
	ids_of(&o, ids);
	assert_int_equal(ids[2], ids[0]);
	assert_int_equal(ids[3], (int)st.st_rdev);
	/* It may be the program's standard input at the same time. */
	o.fds = &(struct idm_child_fd){ slave, 0 };
	o.n_fds = 1;
	o.uid = 0;
	ids_of(&o, ids);
	assert_int_equal(ids[3], (int)st.st_rdev);
	o.terminal_fd = (int)must(open("/dev/null", O_RDWR | O_CLOEXEC));
	assert_no_child(&o, -ENOTTY, "", "set controlling terminal", "not a terminal");
	close(o.terminal_fd);
	close(master);
	close(slave);
}

TEST(a_child_is_born_in_its_cgroup)
{
	struct idm_child_options o = SCRIPT("grep ^0: /proc/self/cgroup");
	char path[128], line[128];

	/* Two programs have this test, and can run at once. */
	snprintf(path, sizeof(path), CGROUP "/idm-%s", program_invocation_short_name);
	snprintf(line, sizeof(line), "0::/idm-%s\n", program_invocation_short_name);
	scratch_enter();
	scratch_dir(CGROUP);
	do_mount("none", CGROUP, "cgroup2", 0, NULL);
	if (rmdir(path) < 0)
		assert_int_equal(errno, ENOENT);
	must(mkdir(path, 0755));
	o.cgroup_fd = (int)must(open(path, O_PATH | O_CLOEXEC));
	assert_output(&o, line);
	o.uid = 0;
	assert_output(&o, line);
	must(rmdir(path));
	assert_no_child(&o, -ENOENT, "", "put into cgroup", "has been removed");
	close(o.cgroup_fd);
	o.cgroup_fd = (int)must(open("/", O_PATH | O_CLOEXEC));
	assert_no_child(&o, -EBADF, "", "put into cgroup", "not a directory of a cgroup2");
	refuse_call(SYS_clone3, ENOSYS);
	assert_no_child(&o, -ENOSYS, "", "put into cgroup", "Linux 5.7");
	close(o.cgroup_fd);
}

TEST(no_new_privs_is_set_for_the_program_alone)
{
	struct idm_child_options o = SCRIPT("grep NoNewPrivs /proc/self/status");

	assert_output(&o, "NoNewPrivs:\t0\n");
	o.flags = IDM_CHILD_NO_NEW_PRIVS;
	assert_output(&o, "NoNewPrivs:\t1\n");
	assert_int_equal(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), 0);
}

/* ---- the caller ---- */

static long faults(void)
{
	struct rusage usage;

	must(getrusage(RUSAGE_SELF, &usage));
	return usage.ru_minflt;
}

/* How many pages have to be made anew when the caller writes to its memory. */
static long faults_of_touching(volatile char *memory, size_t size)
{
	long before = faults();

	for (size_t i = 0; i < size; i += 4096)
		memory[i]++;
	return faults() - before;
}

TEST(the_callers_memory_is_not_copied)
{
	struct idm_child_options o = SCRIPT("true");
	struct sysinfo info;
	size_t size;
	char *memory;
	pid_t pid;

	need_root();
	must(sysinfo(&info));
	size = info.freeram * info.mem_unit > 3UL << 30 ? 1UL << 30 : 1UL << 28;
	memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_true(memory != MAP_FAILED);
	must(madvise(memory, size, MADV_NOHUGEPAGE));
	faults_of_touching(memory, size);
	for (int stage = 0; stage < 2; stage++) {
		o.uid = stage ? 0 : IDM_CHILD_KEEP_ID;
		assert_ends(child_of(&o), CLD_EXITED, 0);
		assert_true(faults_of_touching(memory, size) < 1000);
	}
	/* This is how it is seen. */
	pid = (pid_t)must(fork());
	if (pid == 0)
		_exit(0);
	assert_true(faults_of_touching(memory, size) >= (long)(size / 4096));
	await_child(pid);
	munmap(memory, size);
}

static atomic_bool watching;

static void *watch_dumpable(void *unused)
{
	long lowest = 1;

	(void)unused;
	while (watching) {
		int now = prctl(PR_GET_DUMPABLE);

		lowest = now < lowest ? now : lowest;
	}
	return (void *)lowest;
}

/* Other threads' access to /proc/self depends on it, and their core dumps. */
TEST(the_caller_is_dumpable_at_every_moment)
{
	struct idm_child_options o = SCRIPT("true");
	pthread_t thread;
	void *lowest;

	need_root();
	watching = true;
	assert_int_equal(prctl(PR_GET_DUMPABLE), 1);
	assert_int_equal(pthread_create(&thread, NULL, watch_dumpable, NULL), 0);
	o.uid = 1;
	o.gid = 1;
	for (int i = 0; i < 100; i++)
		assert_ends(child_of(&o), CLD_EXITED, 0);
	watching = false;
	pthread_join(thread, &lowest);
	assert_int_equal((long)lowest, 1);
	/* And a caller that is not, stays so. */
	must(prctl(PR_SET_DUMPABLE, 0));
	assert_ends(child_of(&o), CLD_EXITED, 0);
	assert_int_equal(prctl(PR_GET_DUMPABLE), 0);
}

TEST(nothing_is_left_behind)
{
	struct idm_child_options o = SCRIPT("true");
	struct snapshot *before = snapshot_take(SNAPSHOT_ALL);

	need_root();
	for (int stage = 0; stage < 2; stage++) {
		o.uid = stage ? 0 : IDM_CHILD_KEEP_ID;
		for (int i = 0; i < 20; i++)
			assert_ends(child_of(&o), CLD_EXITED, 0);
	}
	snapshot_assert_same(before);
}

static atomic_bool reaping;

static void *reap_all(void *unused)
{
	long seen = 0;

	(void)unused;
	while (reaping)
		seen += waitpid(-1, NULL, WNOHANG) > 0;
	return (void *)seen;
}

TEST(nobody_sees_a_child_that_has_executed_nothing)
{
	struct idm_child_options o = SCRIPT("true");
	struct idm_error err;
	pthread_t thread;
	void *seen;

	o.path = "/no/such/program";
	reaping = true;
	assert_int_equal(pthread_create(&thread, NULL, reap_all, NULL), 0);
	for (int i = 0; i < 300; i++)
		assert_error(idm_child_start(&o, &err), -ENOENT, &err, o.path, "execute", NULL);
	reaping = false;
	pthread_join(thread, &seen);
	assert_int_equal((long)seen, 0);
}

/* A caller that reaps everything may reap the vfork child. The result does not depend on that. */
TEST(the_answer_is_right_whoever_reaps)
{
	struct idm_child_options o = SCRIPT("exit 5");
	struct idm_error err;
	pthread_t thread;
	void *seen;

	need_root();
	o.uid = 0;
	reaping = true;
	assert_int_equal(pthread_create(&thread, NULL, reap_all, NULL), 0);
	for (int i = 0; i < 100; i++) {
		int pidfd;

		o.path = "/no/such/program";
		assert_error(idm_child_start(&o, &err), -ENOENT, &err, o.path, "execute", NULL);
		o.path = "/bin/sh";
		pidfd = child_of(&o);
		if (kernel_is_before(6, 15)) {
			int r = idm_child_wait(pidfd, -1, NULL, &err);

			assert_true(r == 0 || r == -ECHILD);
			close(pidfd);
		} else {
			assert_ends(pidfd, CLD_EXITED, 5);
		}
	}
	reaping = false;
	pthread_join(thread, &seen);
}

/* Of child-by-server.c, where it is linked. */
extern const bool children_have_a_server __attribute__((weak));

static void ignored_before_the_status_can_be_read(void)
{
	struct idm_child_options o = SCRIPT("exit 5");
	struct idm_error err;
	int pidfd;

	signal(SIGCHLD, SIG_IGN);
	o.flags = IDM_CHILD_RESET_SIGNALS;
	pidfd = child_of(&o);
	/* A fork server does not ignore what its caller ignores. */
	if (&children_have_a_server)
		assert_ok(idm_child_wait(pidfd, -1, NULL, &err), &err);
	else
		assert_error(idm_child_wait(pidfd, -1, NULL, &err), -ECHILD, &err, "", "wait for child",
			     "another wait consumed its status");
	close(pidfd);
}

TEST_SINCE(6, 15, ignored_before_the_status_can_be_read, sigchld_may_be_ignored)
{
	struct idm_child_options o = SCRIPT("exit 5");
	struct idm_exit_info exit;

	need_root();
	signal(SIGCHLD, SIG_IGN);
	for (int stage = 0; stage < 2; stage++) {
		o.uid = stage ? 0 : IDM_CHILD_KEEP_ID;
		for (int i = 0; i < 20; i++) {
			exit = end_of(child_of(&o));
			assert_int_equal(exit.code, CLD_EXITED);
			assert_int_equal(exit.status, 5);
		}
		o.path = "/no/such/program";
		assert_no_child(&o, -ENOENT, o.path, "execute", NULL);
		o.path = "/bin/sh";
	}
}

/* ---- what the kernel does not let us ---- */

static void refused_in_memory(void *unused)
{
	struct idm_child_options o = SCRIPT("true");
	struct idm_error err;
	int fd = open("/proc/sys/vm/memfd_noexec", O_WRONLY | O_CLOEXEC);

	(void)unused;
	must(fd);
	must(write(fd, "2", 1));
	close(fd);
	assert_ends(child_of(&o), CLD_EXITED, 0);
	o.uid = 0;
	assert_no_child(&o, -EACCES, "", "make a program in memory",
			"the kernel permits no executable file");
	assert_int_equal(idm_child_start(&o, &err), -EACCES);
	assert_contains(err.hint, "vm.memfd_noexec");
}

static void nothing_to_refuse(void)
{
	assert_int_equal(access("/proc/sys/vm/memfd_noexec", F_OK), -1);
}

TEST_SINCE(6, 3, nothing_to_refuse, a_system_without_programs_in_memory_is_told_about)
{
	scratch_enter();
	in_pid_namespace(refused_in_memory, NULL);
}

TEST(no_more_processes_is_said_in_words)
{
	struct idm_child_options o = SCRIPT("true");
	struct idm_error err;

	refuse_call(SYS_clone3, EAGAIN);
	assert_no_child(&o, -EAGAIN, "", "start program", "the limit on processes is reached");
	assert_int_equal(idm_child_start(&o, &err), -EAGAIN);
	assert_contains(err.hint, "ulimit -u");
}

TEST(no_more_descriptors_is_an_error)
{
	struct idm_child_options o = SCRIPT("true");
	struct rlimit limit, none;
	int next = (int)must(dup(0));

	close(next);
	must(getrlimit(RLIMIT_NOFILE, &limit));
	for (rlim_t more = 0; more < 3; more++) {
		struct idm_error err;
		int r;

		none = (struct rlimit){ (rlim_t)next + more, limit.rlim_max };
		must(setrlimit(RLIMIT_NOFILE, &none));
		o.uid = 0;
		r = idm_child_start(&o, &err);
		must(setrlimit(RLIMIT_NOFILE, &limit));
		assert_int_equal(r, -EMFILE);
	}
}

/* ---- options ---- */

#define REFUSED(change, reason)                                              \
	do {                                                                 \
		struct idm_child_options o = SCRIPT("true");                 \
		change;                                                      \
		assert_no_child(&o, -EINVAL, NULL, "start program", reason); \
	} while (0)

TEST(options_that_do_not_go_together_are_refused_by_name)
{
	struct idm_child_mount m = { .tree_fd = -1 };
	const uint32_t groups[] = { 0 };

	REFUSED(o.size = 0, "size is not set");
	REFUSED(o.path = NULL, "path, got none");
	REFUSED(o.path = "", "path, got an empty string");
	REFUSED(o.argv = NULL, "name, got none");
	REFUSED(o.argv = (const char *const[]){ NULL }, "name, got none");
	REFUSED(o.flags = 0x80, "unknown flags 0x80");
	REFUSED(o.namespaces = 0x10000000, "unknown namespaces 0x10000000");
	REFUSED(o.namespaces = IDM_NS_TIME | IDM_NS_UTS, "a time namespace can only be joined");
	REFUSED(o.cwd = "", "empty path");
	REFUSED((o.program_fd = 0, o.flags = IDM_CHILD_SEARCH_PATH), "program_fd exclude each other");
	REFUSED(o.flags = IDM_CHILD_UNDER_INIT, "requires a new PID namespace");
	REFUSED(o.hostname = "x", "requires a new UTS namespace");
	REFUSED(o.root_fd = 0, "a root requires a new mount namespace");
	REFUSED((o.mounts = &m, o.n_mounts = 1), "mounts require a new mount namespace");
	REFUSED(o.propagation = IDM_PROPAGATION_SLAVE, "propagation requires a new mount namespace");
	REFUSED((o.namespaces = IDM_NS_MOUNT, o.propagation = IDM_PROPAGATION_SHARED),
		"expected IDM_PROPAGATION_PRIVATE or IDM_PROPAGATION_SLAVE, got ");
	REFUSED((o.groups = groups, o.n_groups = 1), "groups require IDM_CHILD_SET_GROUPS");
	REFUSED(o.terminal_fd = 0, "requires a new session");
	REFUSED((o.process_group = 1, o.flags = IDM_CHILD_SESSION),
		"IDM_CHILD_SESSION exclude each other");
	REFUSED(o.process_group = -2, "expected a process group, 0 or -1, got -2");
#define MOUNT (o.namespaces = IDM_NS_MOUNT, o.mounts = &m, o.n_mounts = 1)
	REFUSED(MOUNT, "mounts[0]: expected an absolute target, got NULL");
	m.target = "proc";
	REFUSED(MOUNT, "mounts[0]: expected an absolute target, got \"proc\"");
	m.target = "";
	REFUSED(MOUNT, "mounts[0]: expected an absolute target, got \"\"");
	m.target = "/proc";
	REFUSED(MOUNT, "expected one of a filesystem, a tree and a rebind");
	m.fstype = "proc";
	m.tree_fd = 0;
	REFUSED(MOUNT, "expected one of a filesystem, a tree and a rebind");
	m.tree_fd = -1;
	m.attr = IDM_ATTR_IDMAP;
	REFUSED(MOUNT, "unknown attributes 0x100000");
	m.attr = IDM_ATTR_NOATIME | IDM_ATTR_STRICTATIME;
	REFUSED(MOUNT, "expected at most one attribute for access times");
	m.attr = 0;
	m.flags = IDM_ATTACH_REPLACE;
	REFUSED(MOUNT, "unknown flags 0x80000");
	m.flags = 0;
	m.options = "a,,b";
	REFUSED(MOUNT, "an option without a name");
	m.options = "=b";
	REFUSED(MOUNT, "an option without a name");
	m = (struct idm_child_mount){ .target = "/proc", .tree_fd = 0, .options = "a" };
	REFUSED(MOUNT, "a source and options require a filesystem");
}

/* A negative number other than -1 is often another call's -errno: to ignore it would confine less. */
TEST(negative_descriptors_are_refused_by_name)
{
	struct idm_child_mount m = { .target = "/proc", .fstype = "proc", .tree_fd = -2 };
	const struct idm_child_fd fds[] = { { -1, 3 }, { -9, 4 } };
	const int join_fds[] = { 0, -1 };

#define BAD_FD(change, reason)                                            \
	do {                                                              \
		struct idm_child_options o = SCRIPT("true");              \
		change;                                                   \
		assert_no_child(&o, -EBADF, "", "start program", reason); \
	} while (0)
	BAD_FD(o.program_fd = -2, "program_fd: expected a descriptor or -1, got -2");
	BAD_FD(o.root_fd = -2, "root_fd: expected a descriptor or -1, got -2");
	BAD_FD(o.terminal_fd = -22, "terminal_fd: expected a descriptor or -1, got -22");
	BAD_FD(o.cgroup_fd = -2, "cgroup_fd: expected a descriptor or -1, got -2");
	BAD_FD(o.seccomp_fd = -2, "seccomp_fd: expected a descriptor or -1, got -2");
	BAD_FD((o.namespaces = IDM_NS_MOUNT, o.mounts = &m, o.n_mounts = 1),
	       "mounts[0].tree_fd: expected a descriptor or -1, got -2");
	BAD_FD((o.fds = fds, o.n_fds = 2), "fds[1].from: expected a descriptor or -1, got -9");
	BAD_FD((o.join_fds = join_fds, o.n_join_fds = 2), "join_fds[1]: expected a descriptor, got -1");
	BAD_FD((o.join_fds = join_fds + 1, o.n_join_fds = 1),
	       "join_fds[0]: expected a descriptor, got -1");
}

TEST(arrays_that_are_missing_are_refused_by_name)
{
	REFUSED(o.n_fds = 3, "fds: expected 3 descriptors, got NULL");
	REFUSED(o.n_join_fds = 1, "join_fds: expected 1 descriptors, got NULL");
	REFUSED((o.namespaces = IDM_NS_MOUNT, o.n_mounts = 2), "mounts: expected 2 mounts, got NULL");
	REFUSED((o.flags = IDM_CHILD_SET_GROUPS, o.n_groups = 4), "groups: expected 4 groups, got NULL");
}

TEST(the_size_of_the_options_tells_old_from_new)
{
	struct {
		struct idm_child_options o;
		unsigned char more[16];
	} newer = { .o = SCRIPT("true") };

	newer.o.size = sizeof(newer);
	assert_ends(child_of(&newer.o), CLD_EXITED, 0);
	newer.more[3] = 1;
	assert_no_child(&newer.o, -E2BIG, "", "start program", "require a newer library");
}
