// SPDX-License-Identifier: MIT
/*
 * The fork server's children: on any kernel no other thread of the program can reap them, and their
 * exits are reported.
 */
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/macros.h"
#include "lib/sys/raw-message.h"
#include "tests/lib/ends.h"
#include "tests/lib/scratch.h"
#include "tests/lib/snapshot.h"

#define SHELL(text) ((char *[]){ (char *)"/bin/sh", (char *)"-c", (char *)(text), NULL })

static char *const no_environment[] = { NULL };

static struct idm_reaper *keeping(unsigned int flags, void *data)
{
	struct idm_reaper *reaper = reaper_new();
	struct idm_error err;

	assert_ok(idm_reaper_start_forkserver(reaper, flags, data, &err), &err);
	return reaper;
}

/* fds[i] becomes descriptor i, -1: it has none; those of 0, 1 and 2 that are not among them are closed.
 */
static struct idm_child_options program(char *const argv[], const int *fds, size_t n)
{
	static struct idm_child_fd table[300];
	struct idm_child_options o = IDM_CHILD_OPTIONS_INIT;

	o.path = argv[0];
	o.argv = (const char *const *)argv;
	o.envp = (const char *const *)no_environment;
	o.fds = table;
	o.n_fds = n < 3 ? 3 : n;
	for (size_t i = 0; i < o.n_fds; i++)
		table[i] = (struct idm_child_fd){ i < n ? fds[i] : -1, (int)i };
	return o;
}

static int start_as(struct idm_reaper *reaper, char *const argv[], const int *fds, size_t n,
		    unsigned int flags, void *data, struct idm_error *err)
{
	struct idm_child_options o = program(argv, fds, n);

	return idm_reaper_start(reaper, &o, flags, data, err);
}

static int start_with(struct idm_reaper *reaper, char *const argv[], const int *fds, size_t n,
		      void *data)
{
	struct idm_error err;

	return (int)assert_ok(start_as(reaper, argv, fds, n, 0, data, &err), &err);
}

static int start(struct idm_reaper *reaper, const char *text, void *data)
{
	return start_with(reaper, SHELL(text), NULL, 0, data);
}

/* What a program says on its standard output, without the final newline. */
static void assert_program_says_at(const char *file, int line, struct idm_reaper *reaper,
				   char *const argv[], const char *expected)
{
	char text[4096];
	size_t n = 0;
	ssize_t r;
	int out[2], pidfd;

	must(pipe2(out, O_CLOEXEC));
	pidfd = start_with(reaper, argv, (int[]){ -1, out[1], STDERR_FILENO }, 3, NULL);
	close(out[1]);
	while ((r = must(read(out[0], text + n, sizeof(text) - 1 - n))) > 0)
		n += (size_t)r;
	text[n && text[n - 1] == '\n' ? n - 1 : n] = '\0';
	assert_string_at(file, line, "what the program says", text, expected);
	assert_next(reaper, NULL, 0, CLD_EXITED, 0);
	close(out[0]);
	close(pidfd);
}
#define assert_program_says(reaper, argv, expected) assert_program_says_at(HERE, reaper, argv, expected)
#define assert_says(reaper, script, expected) assert_program_says(reaper, SHELL(script), expected)

TEST(ends_are_reported)
{
	AUTO_REAPER struct idm_reaper *reaper = keeping(0, NULL);
	int a, b, first = start(reaper, "exit 3", &a), second = start(reaper, "kill -9 $$", &b), status;

	for (int i = 0; i < 2; i++) {
		struct idm_exit_info exit;
		struct idm_error err;
		void *data;

		assert_ok(idm_reaper_next(reaper, -1, &exit, &data, &err), &err);
		assert_true(exit.pid > 0);
		if (data == &a)
			assert_exit(&exit, 0, CLD_EXITED, 3);
		else
			assert_exit(&exit, 0, CLD_KILLED, SIGKILL);
	}
	assert_nothing(reaper);
	assert_int_equal(waitpid(-1, &status, WNOHANG),
			 -1); /* they are not children of this process, nor is the fork server seen */
	assert_int_equal(errno, ECHILD);
	close(first);
	close(second);
}

TEST(the_pidfd_is_the_childs_and_its_number_too)
{
	AUTO_REAPER struct idm_reaper *reaper = keeping(0, NULL);
	int in[2], out[2], pidfd;
	char text[32] = "";
	struct pollfd end;

	must(pipe2(in, O_CLOEXEC));
	must(pipe2(out, O_CLOEXEC));
	pidfd = start_with(reaper, SHELL("echo $$; read x"), (int[]){ in[0], out[1] }, 2, &end);
	must(read(out[0], text, sizeof(text) - 1));
	end = (struct pollfd){ .fd = pidfd, .events = POLLIN };
	assert_int_equal(must(poll(&end, 1, 0)), 0);
	assert_nothing(reaper);
	must(syscall(SYS_pidfd_send_signal, pidfd, SIGTERM, NULL, 0));
	assert_next(reaper, &end, atoi(text), CLD_KILLED, SIGTERM);
	assert_nothing(reaper);
	for (int i = 0; i < 2; i++) {
		close(in[i]);
		close(out[i]);
	}
	close(pidfd);
}

TEST(a_child_can_be_held)
{
	AUTO_REAPER struct idm_reaper *reaper = keeping(0, NULL);
	struct idm_exit_info exit;
	struct idm_error err;
	int x, pidfd = (int)assert_ok(
		       start_as(reaper, SHELL("exit 4"), NULL, 0, IDM_REAPER_ADD_HOLD, &x, &err), &err);

	assert_error(start_as(reaper, SHELL("exit 4"), NULL, 0, IDM_REAPER_ADD_HOLD, &x, &err), -EEXIST,
		     &err, "", "start program", "same data");
	assert_ok(idm_reaper_wait(reaper, &x, -1, &exit, &err), &err);
	assert_exit(&exit, 0, CLD_EXITED, 4);
	assert_nothing(reaper);
	close(pidfd);
}

TEST(the_program_gets_what_it_was_given)
{
	AUTO_REAPER struct idm_reaper *reaper = keeping(0, NULL);
	char *environment[] = { (char *)"A=1", (char *)"B=x y", NULL };
	char *argv[] = { (char *)"/bin/sh",
			 (char *)"-c",
			 (char *)"test $# = 2 && test \"$1\" = '' && "
				 "test \"$2\" = ' a b ' && test $A = 1 && test \"$B\" = 'x y'",
			 (char *)"sh",
			 (char *)"",
			 (char *)" a b ",
			 NULL };
	struct idm_child_options o = program(argv, NULL, 0);
	struct idm_error err;
	int pidfd;

	o.envp = (const char *const *)environment;
	pidfd = (int)assert_ok(idm_reaper_start(reaper, &o, 0, NULL, &err), &err);

	assert_next(reaper, NULL, 0, CLD_EXITED, 0);
	close(pidfd);
}

TEST(working_directory_and_signal_mask_are_the_callers)
{
	char *sed[] = { (char *)"/bin/sed", (char *)"-nE", (char *)"s/Sig(Blk|Ign|Cgt):.*(....)$/\\2/p",
			(char *)"self/status", NULL };
	AUTO_REAPER struct idm_reaper *reaper = NULL;
	sigset_t set;

	signal(SIGUSR2, SIG_IGN);
	signal(SIGCHLD, SIG_IGN); /* the fork server could not do its work with that */
	reaper = keeping(0, NULL);
	must(chdir("/usr"));
	assert_says(reaper, "pwd -P", "/usr");
	must(chdir("/proc"));
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGTERM);
	must(sigprocmask(SIG_BLOCK, &set, NULL));
	assert_program_says(reaper, sed, "4200\n0800\n0000");
	signal(SIGCHLD, SIG_DFL);
}

/* fds[i] becomes i, also where they are in each other's way; nothing else gets through. */
TEST(descriptors_are_those_that_were_given)
{
	AUTO_REAPER struct idm_reaper *reaper = keeping(0, NULL);
	int a[2], b[2], not_close_on_exec = (int)must(open("/dev/null", O_RDONLY)), pidfd;
	char text[64] = "";

	must(pipe2(a, O_CLOEXEC));
	must(pipe2(b, O_CLOEXEC));
	assert_says(reaper, "cd /proc/$$/fd && echo *", "0 1 2"); /* 0 is the directory */
	pidfd = start_with(reaper, SHELL("echo one >&3; echo four >&4; [ ! -e /proc/self/fd/0 ]"),
			   (int[]){ -1, -1, -1, a[1], b[1] }, 5, NULL);
	assert_next(reaper, NULL, 0, CLD_EXITED, 0);
	close(pidfd);
	must(read(a[0], text, sizeof(text) - 1));
	assert_string_equal(text, "one\n");
	must(read(b[0], text, sizeof(text) - 1));
	assert_string_equal(text, "four\n");
	close(not_close_on_exec);
	for (int i = 0; i < 2; i++) {
		close(a[i]);
		close(b[i]);
	}
}

/* What is on its way must not be where something else is wanted, or nothing. */
TEST(few_descriptors_with_high_numbers)
{
	AUTO_REAPER struct idm_reaper *reaper = keeping(0, NULL);
	int fds[60], out[2], pidfd;
	char text[64] = "";

	must(pipe2(out, O_CLOEXEC));
	for (int i = 0; i < 60; i++)
		fds[i] = i == 58 ? STDERR_FILENO : i == 2 || i == 59 ? out[1] : -1;
	pidfd = start_with(reaper, SHELL("cd /proc/self/fd; echo * >&2"), fds, 60, NULL);
	assert_next(reaper, NULL, 0, CLD_EXITED, 0);
	must(read(out[0], text, sizeof(text) - 1));
	assert_string_equal(text, "0 2 58 59\n"); /* 0 is the directory */
	close(pidfd);
	close(out[0]);
	close(out[1]);
}

TEST(exchanged_and_repeated_descriptors)
{
	AUTO_REAPER struct idm_reaper *reaper = keeping(0, NULL);
	enum { N = IDM_SEND_FDS - 3 };
	int fds[N], out[2], pidfd;
	char text[64] = "";

	must(pipe2(out, O_CLOEXEC));
	for (int i = 0; i < N; i++)
		fds[i] = i % 2 ? STDOUT_FILENO : out[1];
	pidfd = start_with(reaper,
			   SHELL("cd /proc/self/fd && [ -e 249 ] && [ ! -e 250 ] && echo yes >&2"), fds,
			   N, NULL);
	assert_next(reaper, NULL, 0, CLD_EXITED, 0);
	must(read(out[0], text, sizeof(text) - 1));
	assert_string_equal(text, "yes\n"); /* 2 is an even one */
	close(pidfd);
	close(out[0]);
	close(out[1]);
}

/* So many different ones. */
static void open_many(int *fds, int n)
{
	for (int i = 0; i < n; i++)
		fds[i] = (int)must(open("/dev/null", O_RDONLY | O_CLOEXEC));
}

static void close_many(const int *fds, int n)
{
	for (int i = 0; i < n; i++)
		close(fds[i]);
}

TEST(what_cannot_be_started)
{
	AUTO_REAPER struct idm_reaper *reaper = keeping(0, NULL), *plain = reaper_new();
	struct snapshot *before = snapshot_take(SNAPSHOT_FDS);
	char *none[] = { NULL }, *missing[] = { (char *)"/no/such/program", NULL },
	     *directory[] = { (char *)"/usr", NULL }, *many[] = { (char *)"/bin/true", NULL, NULL };
	int fds[300];
	struct idm_error err;

#define assert_refused(what, flags, argv, n, code, subject, step, reason) \
	assert_error(start_as(what, argv, fds, n, flags, NULL, &err), code, &err, subject, step, reason)
	assert_refused(plain, 0, missing, 0, -ECHILD, "", "start program", "no fork server");
	assert_refused(reaper, 0, missing, 0, -ENOENT, "/no/such/program", "execute", NULL);
	assert_refused(reaper, 0, directory, 0, -EACCES, "/usr", "execute", NULL);
	assert_refused(reaper, 0, none, 0, -EINVAL, "", "start program", "path, got none");
	assert_refused(reaper, IDM_REAPER_ADD_SPARE, missing, 0, -EINVAL, "", "start program",
		       "unknown flags 0x80000");
	open_many(fds, 251);
	assert_refused(reaper, 0, missing, 251, -EINVAL, "", "start program", "over 250");
	close_many(fds, 251);
	fds[0] = 9999;
	assert_refused(reaper, 0, missing, 1, -EBADF, "", "pass descriptors", "9999");
	many[1] = malloc(200000); /* a single string is 128 KiB at most */
	memset(many[1], 'x', 199999);
	many[1][199999] = '\0';
	assert_refused(reaper, 0, many, 0, -E2BIG, "/bin/true", "execute", NULL);
	free(many[1]);
	assert_error(idm_reaper_start_forkserver(reaper, 0, NULL, &err), -EALREADY, &err, "",
		     "start fork server", "has a fork server already");
	assert_error(idm_reaper_start_forkserver(plain, 2, NULL, &err), -EINVAL, &err, "",
		     "start fork server", "0x2");
	snapshot_assert_same(before);
	assert_nothing(reaper);
}

/* The fork server has limits of its own. */
TEST(without_descriptors_in_the_forkserver_nothing_is_started)
{
	AUTO_REAPER struct idm_reaper *reaper = NULL;
	struct rlimit limit, tight;
	struct idm_error err;
	int fds[20], pidfd;

	must(getrlimit(RLIMIT_NOFILE, &limit));
	tight = (struct rlimit){ 16, limit.rlim_max };
	must(setrlimit(RLIMIT_NOFILE, &tight));
	reaper = keeping(0, NULL);
	must(setrlimit(RLIMIT_NOFILE, &limit));
	open_many(fds, 20);
	assert_error(start_as(reaper, SHELL("exit 1"), fds, 20, 0, NULL, &err), -EMFILE, &err, "",
		     "start program", NULL);
	close_many(fds, 20);
	pidfd = start(reaper, "exit 2", NULL);
	assert_next(reaper, NULL, 0, CLD_EXITED, 2);
	assert_nothing(reaper);
	close(pidfd);
}

/* The children of a process, as the kernel lists them. */
static void read_children(pid_t pid, char *text, size_t size)
{
	AUTO_CLOSE int fd = -1;
	char path[64];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)pid, (int)pid);
	fd = (int)must(open(path, O_RDONLY | O_CLOEXEC));
	n = must(read(fd, text, size - 1));
	text[n] = '\0';
}

/* Also if the last descriptor to be had is the one for its pidfd: it would be lost. */
TEST(a_program_that_cannot_be_held_is_not_started)
{
	AUTO_REAPER struct idm_reaper *reaper = keeping(0, NULL);
	struct rlimit limit, tight;
	char text[64];
	pid_t forkserver;
	int r = -1;

	forkserver = forkserver_of(reaper);
	must(getrlimit(RLIMIT_NOFILE, &limit));
	for (rlim_t n = 3; r < 0; n++) {
		struct idm_error err;

		tight = (struct rlimit){ n, limit.rlim_max };
		must(setrlimit(RLIMIT_NOFILE, &tight));
		r = start_as(reaper, SHELL("exec sleep 1000"), NULL, 0, 0, NULL, &err);
		must(setrlimit(RLIMIT_NOFILE, &limit));
		if (r >= 0)
			break;
		assert_error(r, -EMFILE, &err, "", NULL, NULL);
		read_children(forkserver, text, sizeof(text));
		assert_string_equal(text, "");
	}
	must(idm_child_signal(r, SIGKILL, NULL));
	assert_next(reaper, NULL, 0, CLD_KILLED, SIGKILL);
	close(r);
}

/* ---- orphans of the fork server ---- */

TEST(orphans_below_the_forkserver_come_with_their_own_data)
{
	int orphans, child;
	AUTO_REAPER struct idm_reaper *reaper = keeping(IDM_REAPER_FORKSERVER_ORPHANS, &orphans);
	int ends = 0, pidfd = start(reaper, "(/bin/sh -c 'exit 9' & exec /bin/true); exit 1", &child);

	while (ends < 2) {
		struct idm_exit_info exit;
		void *data;

		assert_int_equal(idm_reaper_next(reaper, -1, &exit, &data, NULL), 0);
		if (data == &child)
			assert_exit(&exit, 0, CLD_EXITED, 1);
		else if (data == &orphans)
			assert_exit(&exit, 0, CLD_EXITED, 9);
		else
			fail_msg("whose is %d?", (int)exit.pid);
		ends++;
	}
	assert_nothing(reaper);
	close(pidfd);
}

/* More than a pipe holds. The fork server has to do its other work all the same. */
TEST(many_orphans_that_nobody_asks_for)
{
	const int most = test_is_slow() ? 500 : 7000;
	int orphans, child;
	AUTO_REAPER struct idm_reaper *reaper = keeping(IDM_REAPER_FORKSERVER_ORPHANS, &orphans);
	char script[256];
	int n = 0, pidfd;
	struct idm_exit_info exit;
	struct idm_error err;

	snprintf(script, sizeof(script),
		 "i=0; while [ $i -lt %d ]; do (: & exec 2>&1); i=$((i + 1)); done; exit 5", most);
	pidfd = (int)assert_ok(
		start_as(reaper, SHELL(script), NULL, 0, IDM_REAPER_ADD_HOLD, &child, &err), &err);
	assert_ok(idm_reaper_wait(reaper, &child, -1, &exit, &err), &err);
	assert_exit(&exit, 0, CLD_EXITED, 5);
	while (n < most) {
		void *data = NULL;

		assert_ok(idm_reaper_next(reaper, -1, &exit, &data, &err), &err);
		assert_exit(&exit, 0, CLD_EXITED, 0);
		assert_true(data == &orphans);
		n++;
	}
	assert_nothing(reaper);
	close(pidfd);
}

/* The fork server adopts none unless asked: this one is reparented to the process that runs the tests.
 */
TEST(orphans_pass_the_forkserver_by_unless_wanted)
{
	AUTO_REAPER struct idm_reaper *reaper = NULL;
	int in[2], out[2], pidfd;
	char text[32] = "";
	pid_t orphan;

	must(prctl(PR_SET_CHILD_SUBREAPER, 1));
	reaper = keeping(0, NULL);
	must(pipe2(in, O_CLOEXEC));
	must(pipe2(out, O_CLOEXEC));
	pidfd = start_with(reaper, SHELL("(exec 3<&0; (read x <&3; exit 6) & echo $!)"),
			   (int[]){ in[0], out[1] }, 2, NULL);
	must(read(out[0], text, sizeof(text) - 1));
	orphan = atoi(text);
	assert_next(reaper, NULL, 0, CLD_EXITED, 0);
	must(write(in[1], "\n", 1));
	{
		int status;

		assert_int_equal(must(waitpid(orphan, &status, 0)), orphan);
		assert_int_equal(WEXITSTATUS(status), 6);
	}
	assert_nothing(reaper);
	for (int i = 0; i < 2; i++) {
		close(in[i]);
		close(out[i]);
	}
	close(pidfd);
}

/* ---- the fork server's own life ---- */

/* Root alone sees its descriptors. */
TEST(it_holds_nothing_of_the_programs)
{
	int held = -1; /* not close-on-exec */
	AUTO_REAPER struct idm_reaper *reaper = NULL;
	char command[256];

	need_root();
	held = (int)must(open("/dev/null", O_RDONLY));
	reaper = keeping(IDM_REAPER_FORKSERVER_ORPHANS, NULL);
	/* The descriptor of the request is closed when the program runs, or soon after. */
	snprintf(command, sizeof(command),
		 "cd /proc/%d/fd && while /bin/readlink * | /bin/grep -q ^/memfd; do :; done; "
		 "for fd in *; do /bin/readlink $fd; done | /bin/sed 's/[:[].*//' | "
		 "/usr/bin/sort",
		 (int)forkserver_of(reaper));
	/* for signals; the orphans' and this shell's pipe; the way to us */
	assert_says(reaper, command, "anon_inode\npipe\npipe\nsocket");
	close(held);
}

/* Nor the working directory that the program had when it started it. */
TEST(it_keeps_no_mount_busy)
{
	AUTO_REAPER struct idm_reaper *reaper = NULL;

	scratch_enter();
	scratch_dir(SCRATCH "/left");
	must(mount("none", SCRATCH "/left", "tmpfs", 0, NULL));
	must(chdir(SCRATCH "/left"));
	reaper = keeping(0, NULL);
	assert_says(reaper, "pwd -P", SCRATCH "/left");
	must(chdir("/"));
	must(umount(SCRATCH "/left"));
	assert_says(reaper, "pwd -P", "/");
}

/* ---- its memory, and what else is its own ---- */

/* The number behind `name` in /proc/PID/status. */
static unsigned long status_number(pid_t pid, const char *name)
{
	char path[64], line[256];
	unsigned long n = ~0UL;
	size_t length = strlen(name);
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	f = fopen(path, "re");
	assert_non_null(f);
	while (fgets(line, sizeof(line), f))
		if (strncmp(line, name, length) == 0 && line[length] == ':')
			n = strtoul(line + length + 1, NULL, 10);
	fclose(f);
	return n;
}

static int count_mappings(pid_t pid, const char *what)
{
	char command[128];

	snprintf(command, sizeof(command), "exit $(grep -c '%s' /proc/%d/maps)", what, (int)pid);
	return RUN("sh", "-c", command);
}

/* 64 MiB in pages of 4 KiB need 128 KiB of page tables. */
TEST(the_programs_memory_is_not_in_it)
{
	const size_t size = 64 << 20;
	char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	AUTO_REAPER struct idm_reaper *reaper = NULL;
	pid_t server;

	assert_true(memory != MAP_FAILED);
	madvise(memory, size, MADV_NOHUGEPAGE);
	for (size_t i = 0; i < size; i += 4096)
		memory[i] = 1;
	assert_true(status_number(getpid(), "VmPTE") >= 128);
	reaper = keeping(IDM_REAPER_FORKSERVER_ORPHANS, NULL);
	server = forkserver_of(reaper);
	assert_true(status_number(server, "VmPTE") < 128);
	assert_true(status_number(server, "VmSize") < 1024);
	assert_int_equal(count_mappings(server, "heap"), 0);
	assert_int_equal(count_mappings(server, "test-reaper"), 0);
	assert_int_equal(count_mappings(server, "libc"), 0);
	/* Itself; the stack of first processes, its guard, orphans, children. */
	assert_true(count_mappings(server, ".") <= 12);
	munmap(memory, size);
}

/* Neither when it starts, nor when it is killed, nor when it exits. */
TEST(no_wait_sees_it_and_no_signal_reports_it)
{
	struct idm_reaper *reaper;
	sigset_t set, pending;
	pid_t server;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	must(sigprocmask(SIG_BLOCK, &set, NULL));
	for (int killed = 0; killed < 2; killed++) {
		int pidfd;

		reaper = keeping(IDM_REAPER_FORKSERVER_ORPHANS, NULL);
		server = forkserver_of(reaper);
		pidfd = (int)must(syscall(SYS_pidfd_open, server, 0));
		assert_int_equal(waitpid(-1, NULL, WNOHANG | __WALL), -1);
		assert_int_equal(errno, ECHILD);
		if (killed)
			must(kill(server, SIGKILL));
		else
			idm_reaper_free(reaper);
		assert_int_equal(must(poll(&(struct pollfd){ .fd = pidfd, .events = POLLIN }, 1, -1)),
				 1);
		assert_int_equal(waitpid(-1, NULL, WNOHANG | __WALL), -1);
		assert_int_equal(errno, ECHILD);
		must(sigpending(&pending));
		assert_false(sigismember(&pending, SIGCHLD));
		if (killed)
			idm_reaper_free(reaper);
		close(pidfd);
	}
}

/* It is an orphan. */
TEST(a_subreaper_gets_it_as_a_child)
{
	struct idm_reaper *reaper;
	pid_t server;

	must(prctl(PR_SET_CHILD_SUBREAPER, 1));
	reaper = keeping(0, NULL);
	server = forkserver_of(reaper);
	assert_int_equal(must(waitpid(server, NULL, WNOHANG)), 0);
	idm_reaper_free(reaper); /* reaps it */
	assert_int_equal(waitpid(-1, NULL, WNOHANG | __WALL), -1);
	assert_int_equal(errno, ECHILD);
}

TEST(a_reaper_that_adopts_does_not_take_it_for_an_orphan)
{
	AUTO_REAPER struct idm_reaper *reaper = reaper_new();
	struct idm_error err;
	pid_t server;
	sigset_t set;
	int pidfd;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	must(sigprocmask(SIG_BLOCK, &set, NULL));
	must(prctl(PR_SET_CHILD_SUBREAPER, 1));
	assert_ok(idm_reaper_adopt(reaper, 0, NULL, &err), &err);
	assert_ok(idm_reaper_start_forkserver(reaper, 0, NULL, &err), &err);
	server = forkserver_of(reaper);
	pidfd = (int)must(syscall(SYS_pidfd_open, server, 0));
	must(kill(server, SIGKILL));
	child_await_zombie(&(struct child){ server, pidfd });
	assert_nothing(reaper);
	assert_int_equal(must(waitpid(server, NULL, WNOHANG)), server);
	close(pidfd);
}

/* All lines that name IDs, capabilities, limits of privilege and masks. */
static void read_identity(pid_t pid, char *text, size_t size)
{
	char command[256], *argv[] = { (char *)"/bin/sh", (char *)"-c", command, NULL };
	int out[2];
	ssize_t n;

	snprintf(command, sizeof(command),
		 "grep -E '^(Uid|Gid|Groups|Cap|NoNewPrivs|Seccomp|Umask)' /proc/%d/status >&9",
		 (int)pid);
	must(pipe2(out, O_CLOEXEC));
	if (must(fork()) == 0) {
		must(dup2(out[1], 9));
		execv(argv[0], argv);
		_exit(1);
	}
	must(wait(NULL));
	n = must(read(out[0], text, size - 1));
	text[n] = '\0';
	close(out[0]);
	close(out[1]);
}

static void assert_as_the_caller(void)
{
	AUTO_REAPER struct idm_reaper *reaper = keeping(IDM_REAPER_FORKSERVER_ORPHANS, NULL);
	char own[1024], its[1024];

	read_identity(getpid(), own, sizeof(own));
	read_identity(forkserver_of(reaper), its, sizeof(its));
	assert_contains(own, "CapAmb");
	assert_string_equal(its, own);
}

static void set_capabilities(uint64_t permitted, uint64_t inheritable)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = { 0 };

	data[0] = (struct __user_cap_data_struct){ (uint32_t)permitted, (uint32_t)permitted,
						   (uint32_t)inheritable };
	must(syscall(SYS_capset, &header, data));
}

static void drop_some(void *unused)
{
	(void)unused;
	umask(027);
	set_capabilities(1 << CAP_CHOWN | 1 << CAP_SETUID, 1 << CAP_CHOWN);
	must(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_CHOWN, 0, 0));
	assert_as_the_caller();
}

static void become_a_user(void *unused)
{
	(void)unused;
	must(prctl(PR_SET_KEEPCAPS, 1));
	must(setresgid(1234, 1234, 1234));
	must(setresuid(1234, 1234, 1234));
	set_capabilities(1 << CAP_CHOWN | 1 << CAP_SETUID, 0);
	must(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	assert_as_the_caller();
	set_capabilities(0, 0);
	assert_as_the_caller();
}

/* An exec adds capabilities to those of root, and removes those of a user. */
TEST(its_capabilities_are_the_callers)
{
	need_root();
	in_child(drop_some, NULL);
	in_child(become_a_user, NULL);
}

static void refuse_programs_in_memory(void *unused)
{
	AUTO_REAPER struct idm_reaper *reaper = reaper_new();
	struct snapshot *before = snapshot_take(SNAPSHOT_FDS | SNAPSHOT_PROCESSES);
	int fd = (int)must(open("/proc/sys/vm/memfd_noexec", O_WRONLY | O_CLOEXEC));
	struct idm_error err;

	(void)unused;
	must(write(fd, "2", 1));
	close(fd);
	assert_error(idm_reaper_start_forkserver(reaper, 0, NULL, &err), -EACCES, &err, "",
		     "make a program in memory", "the kernel permits no executable file in memory");
	assert_contains(err.hint, "vm.memfd_noexec");
	snapshot_assert_same(before);
}

static void nothing_to_refuse(void)
{
	assert_int_equal(access("/proc/sys/vm/memfd_noexec", F_OK), -1);
}

TEST_SINCE(6, 3, nothing_to_refuse, a_system_without_programs_in_memory_has_no_forkserver)
{
	scratch_enter();
	in_pid_namespace(refuse_programs_in_memory, NULL);
}

TEST(what_a_killed_forkserver_knew_is_lost_but_not_silently)
{
	int x, y, orphans;
	AUTO_REAPER struct idm_reaper *reaper = NULL;
	struct idm_exit_info exit;
	struct idm_error err;
	struct child copy;
	int first, second;
	pid_t forkserver;

	must(prctl(PR_SET_CHILD_SUBREAPER, 1));
	reaper = keeping(IDM_REAPER_FORKSERVER_ORPHANS, &orphans);
	first = start(reaper, "exec /bin/sleep 1000", &x);
	second = (int)assert_ok(
		start_as(reaper, SHELL("exec /bin/sleep 1000"), NULL, 0, IDM_REAPER_ADD_HOLD, &y, &err),
		&err);
	forkserver = forkserver_of(reaper);
	copy = child_staying(); /* of all descriptors */
	must(kill(forkserver, SIGKILL));
	assert_next(reaper, &x, 0, IDM_EXIT_LOST, -1);
	assert_ok(idm_reaper_wait(reaper, &y, -1, &exit, &err), &err);
	assert_exit(&exit, 0, IDM_EXIT_LOST, -1);
	assert_nothing(reaper);
	assert_error(start_as(reaper, SHELL("exit 1"), NULL, 0, 0, NULL, &err), -ECONNRESET, &err, "",
		     "start program", "fork server has exited");
	must(syscall(SYS_pidfd_send_signal, first, SIGKILL, NULL, 0));
	must(syscall(SYS_pidfd_send_signal, second, SIGKILL, NULL, 0));
	for (int i = 0; i < 3; i++) /* the fork server and they were reparented to this process */
		must(wait(NULL));
	child_kill(&copy);
	must(wait(NULL));
	child_close(&copy);
	close(first);
	close(second);
}

/* Of all waits that reap whatever has exited. Others name a process. */
static void refuse_to_reap_any(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_waitid, 0, 5),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0])),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, P_ALL, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[3])),
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, WNOWAIT, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog filter = { ARRAY_SIZE(code), code };

	must(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	must(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter));
}

static void reap_by_number(void *unused)
{
	int orphans, n = 0, pidfd;
	AUTO_REAPER struct idm_reaper *reaper = NULL;
	struct idm_exit_info exit;
	struct idm_error err;

	(void)unused;
	refuse_to_reap_any();
	reaper = keeping(IDM_REAPER_FORKSERVER_ORPHANS, &orphans);
	pidfd = start(reaper, "(: & exec 2>&1); exit 3", NULL);
	for (; n < 2; n++)
		assert_ok(idm_reaper_next(reaper, 20000, &exit, NULL, &err), &err);
	close(pidfd);
}

/* When a process has been reaped, its number may be that of another one, which is starting. */
TEST(it_knows_whose_an_exit_is_before_it_reaps)
{
	in_child(reap_by_number, NULL);
}

/* ---- other threads fork at the worst moments ---- */

/* A thread, and all that it starts, wait for an answer before they send. */
static struct sender {
	pthread_t thread;
	int listener;
	struct idm_reaper *reaper;
	pid_t forkserver;
	int pidfd;
	struct child copies[16]; /* of all descriptors, from these moments */
	int n_copies;
} sender;

static void *start_held(void *unused)
{
	(void)unused;
	__atomic_store_n(&sender.listener, hold_call(SYS_sendmsg), __ATOMIC_RELEASE);
	sender.reaper = keeping(0, NULL);
	sender.forkserver = forkserver_of(sender.reaper);
	__atomic_store_n(&sender.pidfd, start(sender.reaper, "exec /bin/sleep 1000", NULL),
			 __ATOMIC_RELEASE);
	return NULL;
}

static struct seccomp_notif await_call(void)
{
	struct seccomp_notif call = { 0 };

	must(TEMP_FAILURE_RETRY(ioctl(sender.listener, SECCOMP_IOCTL_NOTIF_RECV, &call)));
	return call;
}

static void let_go(const struct seccomp_notif *call)
{
	struct seccomp_notif_resp answer = { .id = call->id, .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE };

	must(ioctl(sender.listener, SECCOMP_IOCTL_NOTIF_SEND, &answer));
}

static void fork_at_next_sending(void)
{
	struct pollfd next = { .fd = sender.listener, .events = POLLIN };
	struct seccomp_notif call;

	if (must(poll(&next, 1, 10)) == 0)
		return;
	call = await_call();
	assert_true((size_t)sender.n_copies < ARRAY_SIZE(sender.copies));
	sender.copies[sender.n_copies++] = child_staying();
	let_go(&call);
}

static void start_thread(void *(*run)(void *))
{
	sender = (struct sender){ .listener = -1, .pidfd = -1 };
	assert_int_equal(pthread_create(&sender.thread, NULL, run, NULL), 0);
	while (__atomic_load_n(&sender.listener, __ATOMIC_ACQUIRE) < 0)
		sched_yield();
}

static void start_with_copies(void)
{
	must(prctl(PR_SET_CHILD_SUBREAPER, 1));
	start_thread(start_held);
	while (__atomic_load_n(&sender.pidfd, __ATOMIC_ACQUIRE) < 0)
		fork_at_next_sending();
	assert_int_equal(pthread_join(sender.thread, NULL), 0);
}

static void release_copies(void)
{
	must(syscall(SYS_pidfd_send_signal, sender.pidfd, SIGKILL, NULL, 0));
	for (int i = 0; i < sender.n_copies; i++) {
		child_kill(&sender.copies[i]);
		child_close(&sender.copies[i]);
	}
	for (int i = 0; i < sender.n_copies + 2; i++) /* also the fork server and its child */
		must(wait(NULL));
	close(sender.pidfd);
	close(sender.listener);
	idm_reaper_free(sender.reaper);
}

/* Whatever of the reaper's a forked child has. */
TEST(no_other_process_hides_the_exit_of_the_forkserver)
{
	struct idm_exit_info exit;
	struct idm_error err;

	start_with_copies();
	must(kill(sender.forkserver, SIGKILL));
	assert_ok(idm_reaper_next(sender.reaper, 20000, &exit, NULL, &err), &err);
	assert_exit(&exit, 0, IDM_EXIT_LOST, -1);
	release_copies();
}

TEST(no_start_waits_for_a_forkserver_that_has_exited)
{
	struct idm_error err;

	start_with_copies();
	must(kill(sender.forkserver, SIGKILL));
	alarm(20);
	for (int i = 0; i < 1000; i++)
		assert_error(start_as(sender.reaper, SHELL("exit 1"), NULL, 0, 0, NULL, &err),
			     -ECONNRESET, &err, "", "start program", "fork server has exited");
	alarm(0);
	release_copies();
}

/* ---- the parent of the fork server is killed ---- */

static void *start_by_clone(void *unused)
{
	AUTO_REAPER struct idm_reaper *reaper = reaper_new();
	struct idm_error err;

	(void)unused;
	refuse_call(SYS_clone3, ENOSYS);
	__atomic_store_n(&sender.listener, hold_call(SYS_clone), __ATOMIC_RELEASE);
	assert_error(idm_reaper_start_forkserver(reaper, 0, NULL, &err), -ESRCH, &err, "",
		     "start fork server", NULL);
	return NULL;
}

/* The kernel writes the number of the pidfd, notices the kill, and does not clone. */
TEST(a_kill_in_the_middle_of_a_clone_does_not_hang)
{
	struct snapshot *before = snapshot_take(SNAPSHOT_FDS | SNAPSHOT_PROCESSES);
	struct seccomp_notif call;

	start_thread(start_by_clone);
	call = await_call(); /* of the thread: the parent */
	let_go(&call);
	call = await_call();
	*(int *)(uintptr_t)call.data.args[2] = 9999;
	must(kill((pid_t)call.pid, SIGKILL));
	alarm(20);
	assert_int_equal(pthread_join(sender.thread, NULL), 0);
	alarm(0);
	close(sender.listener);
	snapshot_assert_same(before);
}

TEST(it_goes_with_the_reaper)
{
	struct snapshot *before = snapshot_take(SNAPSHOT_FDS | SNAPSHOT_PROCESSES);
	struct idm_reaper *reaper = keeping(IDM_REAPER_FORKSERVER_ORPHANS, NULL);
	int pidfd = (int)must(syscall(SYS_pidfd_open, forkserver_of(reaper), 0));

	assert_false(is_readable(pidfd));
	idm_reaper_free(reaper);
	assert_true(is_readable(pidfd));
	close(pidfd);
	snapshot_assert_same(before);
}

static void tell_forkserver_and_die(void *tell)
{
	struct idm_reaper *reaper = keeping(0, NULL);
	pid_t forkserver = forkserver_of(reaper);

	(void)reaper;
	must(write(*(int *)tell, &forkserver, sizeof(forkserver)));
	syscall(SYS_exit_group, 0); /* as if killed: nothing is released */
}

TEST(it_goes_with_the_program)
{
	int tell[2];
	pid_t forkserver;

	must(prctl(PR_SET_CHILD_SUBREAPER, 1));
	must(pipe2(tell, O_CLOEXEC));
	in_child(tell_forkserver_and_die, &tell[1]);
	must(read(tell[0], &forkserver, sizeof(forkserver)));
	assert_int_equal(must(waitpid(forkserver, NULL, __WALL)),
			 forkserver); /* an orphan, that ends by itself */
	close(tell[0]);
	close(tell[1]);
}

TEST(a_forked_child_does_not_end_it)
{
	AUTO_REAPER struct idm_reaper *reaper = keeping(0, NULL);
	pid_t pid = (pid_t)must(fork());
	int pidfd;

	if (pid == 0) {
		idm_reaper_free(reaper);
		_exit(0);
	}
	await_child(pid);
	pidfd = start(reaper, "exit 7", reaper);
	assert_next(reaper, reaper, 0, CLD_EXITED, 7);
	close(pidfd);
}
