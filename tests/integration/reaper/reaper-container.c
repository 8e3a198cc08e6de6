// SPDX-License-Identifier: MIT
/*
 * The fork server starts a container's first process: with all that idm_child_start() does, in a program
 * of many threads that waits for any child and ignores SIGCHLD.
 */
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/macros.h"
#include "tests/integration/check/fuse-server.h"
#include "tests/integration/spawn/children.h"
#include "tests/lib/ends.h"
#include "tests/lib/maps.h"
#include "tests/lib/neighbour.h"
#include "tests/lib/scratch.h"
#include "tests/lib/snapshot.h"

/* ---- a program that waits for any child ---- */

static struct {
	pthread_t thread;
	bool over;
	unsigned int stolen;
} thief;

static void *steal(void *unused)
{
	(void)unused;
	while (!__atomic_load_n(&thief.over, __ATOMIC_ACQUIRE))
		if (waitpid(-1, NULL, WNOHANG) > 0)
			thief.stolen++;
		else
			sched_yield();
	return NULL;
}

static void start_thief(void)
{
	signal(SIGCHLD, SIG_IGN);
	assert_int_equal(pthread_create(&thief.thread, NULL, steal, NULL), 0);
}

static void stop_thief(void)
{
	__atomic_store_n(&thief.over, true, __ATOMIC_RELEASE);
	pthread_join(thief.thread, NULL);
	assert_int_equal(thief.stolen, 0);
	signal(SIGCHLD, SIG_DFL);
}

/* ---- the fork server ---- */

static int orphans;

static struct idm_reaper *serving(void)
{
	struct idm_reaper *reaper = reaper_new();
	struct idm_error err;

	assert_ok(idm_reaper_start_forkserver(reaper, IDM_REAPER_FORKSERVER_ORPHANS, &orphans, &err),
		  &err);
	return reaper;
}

/* The exit status of a shell. */
static int ask_shell(const char *format, pid_t pid)
{
	char command[128];

	snprintf(command, sizeof(command), format, (int)pid, (int)pid);
	return RUN("sh", "-c", command);
}

/* The helpers of a start may be on their way out when it returns. */
static void await_no_children(pid_t server)
{
	while (ask_shell("test -z \"$(cat /proc/%d/task/%d/children)\"", server) != 0)
		usleep(1000);
}

/* For signals, orphans, requests. */
static void assert_holds_nothing(pid_t server)
{
	await_no_children(server);
	assert_int_equal(ask_shell("set -- /proc/%d/fd/*; exit $#", server), 3);
	assert_int_equal(ask_shell("grep -c memfd:idm-request /proc/%d/maps >/dev/null", server), 1);
}

static void start(struct idm_reaper *reaper, const struct idm_child_options *o, void *data)
{
	struct idm_error err;

	close((int)assert_ok(idm_reaper_start(reaper, o, 0, data, &err), &err));
}

/* What does not start, says why, and leaves nothing. */
static void assert_not_started_at(const char *file, int line, struct idm_reaper *reaper,
				  const struct idm_child_options *o, int code, const char *subject,
				  const char *step, const char *reason)
{
	struct snapshot *before = snapshot_take(SNAPSHOT_ALL);
	struct idm_error err;

	assert_error_at(file, line, "idm_reaper_start", idm_reaper_start(reaper, o, 0, NULL, &err), code,
			&err, subject, step, reason);
	snapshot_assert_same(before);
	assert_nothing(reaper);
}
#define assert_not_started(...) assert_not_started_at(HERE, __VA_ARGS__)

/* ---- a container ---- */

static const struct idm_child_mount mounts[] = {
	{ .target = "/proc", .fstype = "proc", .tree_fd = -1 },
	{ .target = "/put", .fstype = "tmpfs", .options = "size=64k,mode=700", .tree_fd = -1 },
};

/* A root is used up by a start. Good until the end of the block that it is called in. */
static struct idm_child_options container(const char *const *argv, const struct idm_map *map)
{
	struct idm_child_options o = script_options(argv);

	o.flags = IDM_CHILD_UNDER_INIT | IDM_CHILD_SESSION;
	o.namespaces = IDM_NS_MOUNT | IDM_NS_PID | IDM_NS_UTS | IDM_NS_IPC;
	o.map = map;
	o.root_fd = new_root();
	o.mounts = mounts;
	o.n_mounts = ARRAY_SIZE(mounts);
	o.hostname = "inside";
	return o;
}
#define CONTAINER(script, map) container(ARGV("sh", "-c", script), map)

/* Its output, to free(); it must exit with 7. */
static char *output_of_container(struct idm_reaper *reaper, struct idm_child_options *o)
{
	AUTO_CLOSE int output = (int)must(memfd_create("output", MFD_CLOEXEC));
	char *text = calloc(1, 4096);

	o->fds = (struct idm_child_fd[]){ { output, 1 }, { output, 2 } };
	o->n_fds = 2;
	start(reaper, o, o);
	assert_next(reaper, o, 0, CLD_EXITED, 7);
	assert_non_null(text);
	must(pread(output, text, 4095, 0));
	return text;
}

TEST_SINCE(5, 12, trees_are_refused, a_containers_first_process_beside_a_thief)
{
	AUTO_MAP struct idm_map *map = map_of("0:100000:65536");
	AUTO_REAPER struct idm_reaper *reaper = NULL;
	AUTO_FREE char *text = NULL;
	struct idm_child_options o;
	pid_t server;

	make_root();
	o = CONTAINER("echo $$; id -u; cat /proc/sys/kernel/hostname; echo /*; cat /proc/self/uid_map; "
		      "grep -c ' /put ' /proc/self/mountinfo; umount /put || exit 7",
		      map);
	reaper = serving();
	server = forkserver_of(reaper);
	start_thief();
	text = output_of_container(reaper, &o);
	assert_contains(text, "2\n0\ninside\n/bin ");
	assert_contains(text, " 0     100000      65536\n1\n");
	assert_contains(text, "umount: "); /* the mounts are locked */
	assert_nothing(reaper);		   /* no helper is taken for an orphan */
	stop_thief();
	assert_holds_nothing(server);
	assert_nothing(reaper);
	close(o.root_fd);
}

/* With a second process, and without one; with an assembler, and without one. */
TEST(every_kind_of_first_process_is_the_one_that_is_reported)
{
	AUTO_MAP struct idm_map *map = map_of("0:100000:65536");
	AUTO_REAPER struct idm_reaper *reaper = NULL;
	pid_t server;

	make_root();
	reaper = serving();
	server = forkserver_of(reaper);
	for (unsigned int way = 0; way < 16; way++) {
		struct idm_child_options o = SCRIPT("exit 5");
		struct idm_exit_info exit;
		struct idm_error err;
		pid_t pid = 0;
		void *data;

		o.namespaces = (way & 1 ? IDM_NS_PID : 0) | (way & 2 ? IDM_NS_MOUNT : 0);
		o.map = way & 4 ? map : NULL;
		o.flags = way & 8 && way & 1 ? IDM_CHILD_UNDER_INIT : 0;
		o.pid = &pid;
		start(reaper, &o, &o);
		assert_ok(idm_reaper_next(reaper, -1, &exit, &data, &err), &err);
		assert_exit(&exit, pid, CLD_EXITED, 5);
		assert_true(pid > 0 && data == &o);
		assert_holds_nothing(server);
		assert_nothing(reaper);
	}
}

/* By a descriptor for each namespace, of which the PID namespace takes a second process. */
TEST(namespaces_are_joined)
{
	AUTO_MAP struct idm_map *map = map_of("0:100000:65536");
	struct idm_child_options o = SCRIPT("read x"), p = SCRIPT("test $$ = 2 && id -u && exit 7");
	AUTO_REAPER struct idm_reaper *reaper = NULL;
	AUTO_FREE char *text = NULL;
	int pipe[2], join[2];
	char path[64];
	pid_t pid;

	scratch_enter();
	reaper = serving();
	must(pipe2(pipe, O_CLOEXEC));
	o.namespaces = IDM_NS_PID;
	o.map = map;
	o.pid = &pid;
	o.fds = &(struct idm_child_fd){ pipe[0], 0 };
	o.n_fds = 1;
	start(reaper, &o, &o);
	for (int i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), "/proc/%d/ns/%s", (int)pid, i ? "pid" : "user");
		join[i] = (int)must(open(path, O_RDONLY | O_CLOEXEC));
	}
	p.join_fds = join;
	p.n_join_fds = 2;
	text = output_of_container(reaper, &p);
	assert_string_equal(text, "0\n");
	close(pipe[0]);
	close(pipe[1]);
	assert_next(reaper, &o, pid, CLD_EXITED, 1);
	assert_nothing(reaper);
	close(join[0]);
	close(join[1]);
}

static bool has_keyrings(void)
{
	return access("/proc/keys", F_OK) == 0;
}

TEST(ids_capabilities_and_signals_are_as_asked_for)
{
	const uint64_t chown = 1;
	const struct idm_capabilities capabilities = { chown, chown, chown, chown, chown };
	struct idm_child_options o = SCRIPT(
		"grep -E '^(Uid|Gid|Groups|CapEff|NoNewPrivs|SigBlk)' /proc/self/status | "
		"tr -s '\\t ' ' '; exit 7");
	AUTO_REAPER struct idm_reaper *reaper = NULL;
	AUTO_FREE char *text = NULL;
	sigset_t set;

	need_root();
	reaper = serving();
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	must(sigprocmask(SIG_BLOCK, &set, NULL));
	o.flags = IDM_CHILD_SET_GROUPS | IDM_CHILD_NO_NEW_PRIVS |
		  (has_keyrings() ? IDM_CHILD_NEW_KEYRING : 0);
	o.uid = 1234;
	o.gid = 5678;
	o.groups = (const uint32_t[]){ 11, 12 };
	o.n_groups = 2;
	o.capabilities = &capabilities;
	text = output_of_container(reaper, &o);
	assert_string_equal(text, "Uid: 1234 1234 1234 1234\nGid: 5678 5678 5678 5678\nGroups: 11 12 \n"
				  "SigBlk: 0000000000000200\nCapEff: 0000000000000001\nNoNewPrivs: 1\n");
	must(sigprocmask(SIG_UNBLOCK, &set, NULL));
}

TEST(a_terminal_controls_it)
{
	AUTO_CLOSE int master = (int)must(posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC)), slave = -1;
	struct idm_child_options o = SCRIPT("exec cat"); /* a shell could miss it while it forks */
	AUTO_REAPER struct idm_reaper *reaper = serving();
	pid_t pid, session = 0;

	must(grantpt(master));
	must(unlockpt(master));
	slave = (int)must(open(ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC));
	o.flags = IDM_CHILD_SESSION;
	o.terminal_fd = slave;
	o.pid = &pid;
	o.fds = (struct idm_child_fd[]){ { slave, 0 }, { slave, 1 } };
	o.n_fds = 2;
	start(reaper, &o, &o);
	must(ioctl(master, TIOCGSID, &session));
	assert_int_equal(session, pid);
	must(write(master, "\003", 1)); /* ^C */
	assert_next(reaper, &o, pid, CLD_KILLED, SIGINT);
}

TEST(it_joins_a_process_group_of_the_session)
{
	struct idm_child_options leader = SCRIPT("exec sleep 1000"), o = SCRIPT("exec sleep 1000");
	AUTO_REAPER struct idm_reaper *reaper = serving();
	pid_t group, pid;

	leader.process_group = -1;
	leader.pid = &group;
	start(reaper, &leader, &leader);
	o.process_group = group;
	o.pid = &pid;
	start(reaper, &o, &o);
	assert_int_equal(must(getpgid(pid)), group);
	must(kill(-group, SIGKILL));
	for (int i = 0; i < 2; i++) {
		struct idm_exit_info exit;

		assert_int_equal(idm_reaper_next(reaper, -1, &exit, NULL, NULL), 0);
		assert_int_equal(exit.status, SIGKILL);
	}
	o.process_group = group; /* it is gone */
	assert_not_started(reaper, &o, -EPERM, "", "set process group", NULL);
}

/* The library's own descriptors can have their numbers: above all the socket to the fork server. */
TEST(what_the_reaper_holds_is_no_standard_input)
{
	struct idm_child_options o = SCRIPT("cd /proc/$$/fd && echo * && exit 7");
	AUTO_REAPER struct idm_reaper *reaper = NULL;
	AUTO_FREE char *text = NULL;
	int input = (int)must(fcntl(0, F_DUPFD_CLOEXEC, 20));

	close(0);
	reaper = reaper_new();
	assert_int_equal(idm_reaper_fd(reaper), 0);
	assert_ok(idm_reaper_start_forkserver(reaper, 0, NULL, NULL), NULL);
	text = output_of_container(reaper, &o);
	assert_string_equal(text, "0 1 2\n"); /* 0 is the directory */
	idm_reaper_free(reaper);
	reaper = NULL;
	must(dup2(input, 0));
	close(input);
	assert_ok(idm_reaper_new(&reaper, NULL), NULL);
}

/* ---- what fails ---- */

TEST_SINCE(5, 12, trees_are_refused, what_fails_inside_says_where_and_why)
{
	AUTO_MAP struct idm_map *map = map_of("0:100000:65536");
	struct idm_child_mount bad = { .target = "/put", .fstype = "tmpfs", .tree_fd = -1 };
	AUTO_REAPER struct idm_reaper *reaper = NULL;
	struct idm_child_options o;
	struct idm_error err;
	pid_t server;

	make_root();
	reaper = serving();
	server = forkserver_of(reaper);
	o = CONTAINER("true", map);
	o.path = "/no/such/program";
	assert_not_started(reaper, &o, -ENOENT, "/no/such/program", "execute", "No such file");
	close(o.root_fd);
	o = CONTAINER("true", map);
	o.cwd = "/no/such/directory";
	assert_not_started(reaper, &o, -ENOENT, o.cwd, "set working directory", "No such file");
	close(o.root_fd);
	o = CONTAINER("true", map);
	o.mounts = &bad;
	o.n_mounts = 1;
	bad.options = "mode=755,colour=blue";
	assert_error(idm_reaper_start(reaper, &o, 0, NULL, &err), -EINVAL, &err, "colour",
		     "set mount option", NULL);
	assert_contains(PART(err, kernel), "Unknown parameter 'colour'");
	bad.options = NULL;
	bad.target = "/no/such/target";
	assert_not_started(reaper, &o, -ENOENT, bad.target, "mount", "No such file");
	bad.target = "/put";
	bad.fstype = NULL;
	bad.tree_fd = 77;
	assert_not_started(reaper, &o, -EBADF, "/put", "start program", "descriptor 77 is not open");
	close(o.root_fd);
	o = SCRIPT("true");
	o.gid = IDM_CHILD_KEEP_ID - 1;
	o.map = map;
	assert_not_started(reaper, &o, -EINVAL, "", "set gid", "does not map this ID");
	o = SCRIPT("true");
	o.cgroup_fd = (int)must(open("/usr", O_PATH | O_DIRECTORY | O_CLOEXEC));
	assert_not_started(reaper, &o, -EBADF, "", "put into cgroup", "not a directory of a cgroup2");
	close(o.cgroup_fd);
	assert_holds_nothing(server);
	assert_nothing(reaper);
}

static void leave_the_user_namespace(void *reaper)
{
	struct idm_child_options o = SCRIPT("true");
	struct idm_error err;

	(void)reaper;
	reaper = serving();
	enter_userns("0 0 1000");
	o.namespaces = IDM_NS_UTS;
	assert_error(idm_reaper_start(reaper, &o, 0, NULL, &err), -EINVAL, &err, "", "start program",
		     "require a fork server in this user namespace");
	o.namespaces = 0;
	o.uid = 5;
	assert_error(idm_reaper_start(reaper, &o, 0, NULL, &err), -EINVAL, &err, "", "start program",
		     "require a fork server in this user namespace");
	o.uid = IDM_CHILD_KEEP_ID;
	start(reaper, &o, &o); /* nothing depends on it */
	assert_next(reaper, &o, 0, CLD_EXITED, 0);
	idm_reaper_free(reaper);
}

static void stay(void *unused)
{
	(void)unused;
	pause();
}

/* What other threads of the program make from now on is in the new PID namespace. */
static void serve_from_another_pid_namespace(void *unused)
{
	struct idm_child_options o = SCRIPT("true");
	struct idm_reaper *reaper;
	struct idm_error err;
	struct child init;

	(void)unused;
	must(unshare(CLONE_NEWPID));
	init = child_start(stay, NULL);
	reaper = serving();
	o.process_group = getpid();
	assert_error(idm_reaper_start(reaper, &o, 0, NULL, &err), -EINVAL, &err, "", "start program",
		     "requires a fork server in the caller's PID namespace");
	o.process_group = -1;
	start(reaper, &o, &o);
	assert_next(reaper, &o, 0, CLD_EXITED, 0);
	idm_reaper_free(reaper);
	child_kill(&init);
	must(waitpid(init.pid, NULL, 0));
	child_close(&init);
}

TEST(what_only_a_child_of_the_caller_can_be_is_refused)
{
	AUTO_REAPER struct idm_reaper *reaper = NULL;
	struct idm_child_options o = SCRIPT("true");

	need_root();
	in_child(leave_the_user_namespace, NULL);
	in_child(serve_from_another_pid_namespace, NULL);
	reaper = serving();
	o.flags = IDM_CHILD_KEEP_FDS;
	assert_not_started(reaper, &o, -EINVAL, "", "start program",
			   "IDM_CHILD_KEEP_FDS requires a child with the caller's descriptor table");
	o.flags = IDM_CHILD_DIE_WITH_THREAD;
	assert_not_started(reaper, &o, -EINVAL, "", "start program",
			   "IDM_CHILD_DIE_WITH_THREAD requires a child of the calling thread");
	o.flags = IDM_CHILD_UNDER_INIT; /* as idm_child_start() */
	assert_not_started(reaper, &o, -EINVAL, "", "start program", "an init requires");
}

/* ---- many, and at the same time ---- */

#define THREADS 4
#define STARTS (test_is_slow() ? 5 : 50) /* of each */

static struct {
	struct idm_reaper *reaper;
	const struct idm_map *map;
	bool may_fail;
	unsigned int started, lost;
} shared;

static const char *const exit_argv[] = { "sh", "-c", "exit 9", NULL };

static void start_and_wait(void *name)
{
	struct idm_child_options o = container(exit_argv, shared.map);
	struct idm_error err;
	struct idm_exit_info exit;
	int pidfd;

	pidfd = idm_reaper_start(shared.reaper, &o, IDM_REAPER_ADD_HOLD, name, &err);
	close(o.root_fd);
	if (pidfd < 0 && shared.may_fail) {
		assert_error(pidfd, -ECONNRESET, &err, "", "start program", "fork server has exited");
		return;
	}
	assert_ok(pidfd, &err);
	__atomic_add_fetch(&shared.started, 1, __ATOMIC_RELAXED);
	assert_ok(idm_reaper_wait(shared.reaper, name, -1, &exit, &err), &err);
	if (shared.may_fail && exit.code == IDM_EXIT_LOST)
		__atomic_add_fetch(&shared.lost, 1, __ATOMIC_RELAXED);
	else
		assert_exit(&exit, 0, CLD_EXITED, 9);
	close(pidfd);
}

static void *start_many(void *name)
{
	for (int i = 0; i < STARTS; i++)
		start_and_wait(name);
	return NULL;
}

static void run_threads(pthread_t threads[THREADS], char names[THREADS])
{
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, start_many, &names[i]), 0);
}

static void join_threads(const pthread_t threads[THREADS])
{
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
}

TEST_AS(two_hundred_containers_from_four_threads, 300, 5, 12, trees_are_refused)
{
	AUTO_MAP struct idm_map *map = map_of("0:100000:65536");
	struct snapshot *before;
	pthread_t threads[THREADS];
	char names[THREADS];
	pid_t server;

	make_root();
	shared.reaper = serving();
	shared.map = map;
	server = forkserver_of(shared.reaper);
	start_thief();
	before = snapshot_take(SNAPSHOT_FDS);
	run_threads(threads, names);
	join_threads(threads);
	snapshot_assert_same(before);
	stop_thief();
	assert_int_equal(shared.started, THREADS * STARTS);
	assert_holds_nothing(server);
	assert_nothing(shared.reaper);
	idm_reaper_free(shared.reaper);
}

/* Each start succeeds or says that the fork server has exited; each end comes, or is lost. */
TEST_AS(the_fork_server_is_killed_during_a_start, 300, 5, 12, trees_are_refused)
{
	AUTO_MAP struct idm_map *map = map_of("0:100000:65536");
	struct snapshot *before;
	pthread_t threads[THREADS];
	char names[THREADS];

	make_root();
	must(prctl(PR_SET_CHILD_SUBREAPER, 1));
	shared.map = map;
	shared.may_fail = true;
	before = snapshot_take(SNAPSHOT_FDS);
	for (int round = 0; round < (test_is_slow() ? 2 : 10); round++) {
		pid_t server;

		shared.reaper = serving();
		server = forkserver_of(shared.reaper);
		shared.started = 0;
		run_threads(threads, names);
		while (__atomic_load_n(&shared.started, __ATOMIC_RELAXED) <= (unsigned int)round)
			usleep(100);
		must(kill(server, SIGKILL));
		join_threads(threads);
		assert_true(shared.started < THREADS * (unsigned int)STARTS);
		assert_nothing(shared.reaper);
		idm_reaper_free(shared.reaper);
		while (waitpid(-1, NULL, __WALL) > 0) /* they were reparented to this process */
			;
	}
	snapshot_assert_same(before);
}

static void *start_held_up(void *map)
{
	const struct idm_child_mount m = { .target = SCRATCH "/silent/x",
					   .fstype = "tmpfs",
					   .tree_fd = -1 };
	struct idm_child_options o = SCRIPT("exit 9");
	struct idm_error err;
	int r;

	o.namespaces = IDM_NS_MOUNT | IDM_NS_PID;
	o.map = map;
	o.mounts = &m;
	o.n_mounts = 1;
	r = idm_reaper_start(shared.reaper, &o, 0, NULL, &err);
	assert_true(r < 0);
	assert_string_equal(PART(err, subject), m.target);
	return NULL;
}

/* The fork server waits for nothing that a container waits for: here, a filesystem that does not answer.
 */
TEST(a_container_that_cannot_be_put_together_holds_up_no_other)
{
	AUTO_MAP struct idm_map *map = map_of("0:100000:65536");
	struct idm_child_options o = SCRIPT("exit 3");
	pthread_t thread;
	int silent;

	scratch_enter();
	silent = fuse_mount(SCRATCH "/silent", "");
	shared.reaper = serving();
	assert_int_equal(pthread_create(&thread, NULL, start_held_up, map), 0);
	for (int i = 0; i < 20; i++) {
		start(shared.reaper, &o, &o);
		assert_next(shared.reaper, &o, 0, CLD_EXITED, 3);
		usleep(5000);
	}
	close(silent);
	pthread_join(thread, NULL);
	assert_nothing(shared.reaper);
	idm_reaper_free(shared.reaper);
	do_umount(SCRATCH "/silent");
}
