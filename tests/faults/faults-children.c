// SPDX-License-Identifier: MIT
/*
 * Starting children, waiting for them, and reapers survive the failure of every system call. They
 * survive the death of their process at every system call, too: see faults.h.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/error.h"
#include "lib/base/macros.h"
#include "lib/sys/fail-errno.h"
#include "tests/lib/ends.h"
#include "tests/lib/faults.h"
#include "tests/lib/maps.h"
#include "tests/lib/scratch.h"
#include "tests/lib/snapshot.h"

static void survive(const struct operation *op)
{
	faults_survived(op);
	kills_survived(op);
}

/* The shell runs `text` without another program. The shell's own calls are not counted. */
#define SHELL(text) ((const char *const[]){ "sh", "-c", text, NULL })

static struct idm_map *map;

/* ---- children ---- */

static const struct idm_child_options *options;
static struct idm_exit_info ended;

/* If a wait fails, the child is still there: waits again. */
static int await(int pidfd, struct idm_error *err)
{
	int r = idm_child_wait(pidfd, -1, &ended, err);

	if (r < 0)
		assert_ok(idm_child_wait(pidfd, -1, NULL, NULL), NULL);
	close(pidfd);
	return r;
}

static int start_and_await(struct idm_error *err)
{
	int pidfd = idm_child_start(options, err);

	return pidfd < 0 ? pidfd : await(pidfd, err);
}

static void assert_ended_well(int unused)
{
	(void)unused;
	/* After execve(2) the kill hits the program. */
	if (ended.code == CLD_KILLED && ended.status == SIGKILL && faults_are_kills())
		return;
	if (ended.status == 128 + SIGKILL && faults_are_kills()) /* as an init reports it */
		return;
	if (ended.code == IDM_EXIT_LOST && faults_are_kills()) /* the fork server may have been killed */
		return;
	assert_int_equal(ended.code, CLD_EXITED);
	assert_int_equal(ended.status, 0);
}

static void children(const char *name, const struct idm_child_options *o)
{
	options = o;
	survive(&(struct operation){ name, .go = start_and_await, .check = assert_ended_well,
				     .ignore = "sh" });
}

static struct idm_child_options shell(const char *const *argv)
{
	struct idm_child_options o = IDM_CHILD_OPTIONS_INIT;
	static const char *const envp[] = { "PATH=/none:/usr/sbin:/bin", NULL };

	o.path = "sh";
	o.argv = argv;
	o.envp = envp;
	o.flags = IDM_CHILD_SEARCH_PATH;
	return o;
}

/* Descriptors are open or closed as requested, whatever fails: 0 is closed, 7 is open. */
TEST_OF_RUNS(a_child)
{
	static const struct idm_child_fd fds[] = { { -1, 0 }, { 1, 7 } };
	struct idm_child_options o =
		shell(SHELL("[ ! -e /proc/self/fd/0 ] && [ -e /proc/self/fd/7 ] && [ $PWD = /proc ]"));

	faults_enter();
	o.fds = fds;
	o.n_fds = ARRAY_SIZE(fds);
	o.cwd = "/proc";
	o.process_group = -1;
	children("child", &o);
}

static const char in_a_container[] =
	"read -r disk seen count </proc/self/uid_map && [ \"$disk $seen $count\" = '0 100000 65536' ] && "
	"read -r name </proc/sys/kernel/hostname && [ $name = box ] && [ -d /tmp/made ]";

static struct idm_child_options container(unsigned int flags)
{
	static const char *const argv[] = { "sh", "-c", in_a_container, NULL };
	static const struct idm_child_mount mounts[] = {
		{ .target = "/proc", .fstype = "proc", .tree_fd = -1 },
		{ .target = "/tmp", .fstype = "tmpfs", .options = "mode=755", .tree_fd = -1 },
		{ .target = "/tmp/made",
		  .fstype = "tmpfs",
		  .flags = IDM_CHILD_MOUNT_MKDIR,
		  .tree_fd = -1 },
	};
	struct idm_child_options o = shell(argv);

	o.flags |= flags;
	o.namespaces = IDM_NS_MOUNT | IDM_NS_CGROUP | IDM_NS_UTS | IDM_NS_IPC | IDM_NS_PID | IDM_NS_NET;
	o.map = map;
	o.mounts = mounts;
	o.n_mounts = ARRAY_SIZE(mounts);
	o.hostname = "box";
	o.uid = o.gid = 0;
	return o;
}

static void containers(const char *name, unsigned int flags)
{
	struct idm_child_options o;

	faults_enter();
	map = map_of("0:100000:65536");
	o = container(flags);
	children(name, &o);
	idm_map_free(map);
}

TEST_OF_RUNS(a_child_in_namespaces)
{
	containers("container", 0);
}

TEST_OF_RUNS(a_child_below_an_init)
{
	containers("container, init", IDM_CHILD_UNDER_INIT | IDM_CHILD_DIE_WITH_THREAD |
					      IDM_CHILD_SET_GROUPS | IDM_CHILD_RESET_SIGNALS |
					      IDM_CHILD_SESSION);
}

static int staging = -1;

/* Each run opens the root again, because a start uses it up. */
static int start_in_root(struct idm_error *err)
{
	struct idm_tree_options t = IDM_TREE_OPTIONS_INIT;
	struct idm_child_options o = container(0);
	int pidfd;

	t.flags = IDM_TREE_RECURSIVE;
	o.root_fd = idm_tree_open(AT_FDCWD, "/", -1, &t, err);
	if (o.root_fd < 0)
		return o.root_fd;
	o.staging_fd = staging;
	pidfd = idm_child_start(&o, err);
	close(o.root_fd);
	return pidfd < 0 ? pidfd : await(pidfd, err);
}

static void no_trees(void)
{
	struct snapshot *before;
	struct idm_error err;

	scratch_enter();
	before = snapshot_take(SNAPSHOT_ALL);
	map = map_of("0:100000:65536");
	assert_error(start_in_root(&err), -ENOSYS, &err, "/", NULL, "needs Linux 5.12");
	idm_map_free(map);
	snapshot_assert_same(before);
}

TEST_OF_RUNS_SINCE(5, 12, no_trees, a_child_in_a_root)
{
	faults_enter();
	map = map_of("0:100000:65536");
	survive(&(struct operation){ "container, root", .go = start_in_root, .check = assert_ended_well,
				     .ignore = "sh" });
	idm_map_free(map);
}

TEST_OF_RUNS_SINCE(5, 12, no_trees, a_child_in_a_root_with_a_staging_namespace)
{
	struct idm_error err;

	faults_enter();
	map = map_of("0:100000:65536");
	staging = (int)assert_ok(idm_staging_open(0, &err), &err);
	survive(&(struct operation){ "container, staging", .go = start_in_root,
				     .check = assert_ended_well, .ignore = "sh" });
	close(staging);
	idm_map_free(map);
}

/* ---- reapers ---- */

static int child_data, orphan_data;
static void *got_data;

/* A failure loses nothing: the next call tries again. */
static int take_next(struct idm_reaper *reaper, struct idm_error *err)
{
	int r = idm_reaper_next(reaper, -1, &ended, &got_data, err);

	if (r < 0)
		assert_int_equal(idm_reaper_next(reaper, -1, &ended, &got_data, NULL), 0);
	return r;
}

static int add_and_take(struct idm_reaper *reaper, struct idm_error *err)
{
	struct idm_child_options o = shell(SHELL("exit 0"));
	int pidfd = idm_child_start(&o, err), r;

	if (pidfd < 0)
		return pidfd;
	r = idm_reaper_add(reaper, pidfd, 0, &child_data, err);
	if (r < 0) /* the test still has to wait for it */
		assert_ok(idm_child_wait(pidfd, -1, NULL, NULL), NULL);
	else
		r = take_next(reaper, err);
	close(pidfd);
	return r;
}

static int reap_child(struct idm_error *err)
{
	struct idm_reaper *reaper;
	int r = idm_reaper_new(&reaper, err);

	if (r < 0) {
		assert_null(reaper);
		return r;
	}
	r = add_and_take(reaper, err);
	idm_reaper_free(reaper);
	return r;
}

static void assert_child(int unused)
{
	assert_ended_well(unused);
	assert_true(got_data == &child_data);
}

TEST_OF_RUNS(a_reaper)
{
	faults_enter();
	survive(&(struct operation){ "reaper", .go = reap_child, .check = assert_child,
				     .ignore = "sh" });
}

static int hold_and_wait(struct idm_error *err)
{
	AUTO_REAPER struct idm_reaper *reaper = NULL;
	struct idm_child_options o = shell(SHELL("exit 0"));
	AUTO_CLOSE int pidfd = -1;
	int r = idm_reaper_new(&reaper, err);

	if (r < 0)
		return r;
	pidfd = idm_child_start(&o, err);
	if (pidfd < 0)
		return pidfd;
	r = idm_reaper_add(reaper, pidfd, IDM_REAPER_ADD_HOLD, &child_data, err);
	if (r == 0)
		r = idm_reaper_wait(reaper, &child_data, -1, &ended, err);
	if (r < 0)
		assert_ok(idm_child_wait(pidfd, -1, NULL, NULL), NULL);
	return r;
}

TEST_OF_RUNS(a_reaper_that_holds)
{
	faults_enter();
	survive(&(struct operation){ "reaper, hold", .go = hold_and_wait, .check = assert_ended_well,
				     .ignore = "sh" });
}

/* Runs a child that has a child, and exits. -ECHILD: the child failed to fork. */
static int make_orphan(void)
{
	pid_t middle = fork();
	int status;

	if (middle < 0)
		return -errno;
	if (middle == 0) {
		pid_t pid = fork();

		_exit(pid < 0 ? 1 : 0);
	}
	while (waitpid(middle, &status, 0) < 0)
		;
	return status == 0 ? 0 : -ECHILD;
}

static int adopt_and_take(struct idm_reaper *reaper, struct idm_error *err)
{
	int r = idm_reaper_adopt(reaper, 0, &orphan_data, err);

	if (r < 0)
		return r;
	r = make_orphan();
	return r < 0 ? idm_fail_errno(err, r, IDM_STEP_START_PROGRAM, NULL) : take_next(reaper, err);
}

static int reap_orphan(struct idm_error *err)
{
	struct idm_reaper *reaper;
	sigset_t set;
	int r;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	must(sigprocmask(SIG_BLOCK, &set, NULL));
	must(prctl(PR_SET_CHILD_SUBREAPER, 1));
	r = idm_reaper_new(&reaper, err);
	if (r < 0)
		return r;
	r = adopt_and_take(reaper, err);
	idm_reaper_free(reaper);
	return r;
}

static void assert_orphan(int unused)
{
	assert_ended_well(unused);
	assert_true(got_data == &orphan_data);
}

TEST_OF_RUNS(a_reaper_that_adopts)
{
	faults_enter();
	survive(&(struct operation){ "adoption", .go = reap_orphan, .check = assert_orphan });
}

static int keep_and_take(struct idm_reaper *reaper, struct idm_error *err)
{
	int pidfd, r = idm_reaper_start_forkserver(reaper, IDM_REAPER_FORKSERVER_ORPHANS, &orphan_data,
						   err);

	if (r < 0)
		return r;
	pidfd = idm_reaper_start(reaper, options, 0, &child_data, err);
	if (pidfd < 0)
		return pidfd;
	close(pidfd);
	return take_next(reaper, err);
}

static int reap_by_forkserver(struct idm_error *err)
{
	struct idm_reaper *reaper;
	int r = idm_reaper_new(&reaper, err);

	if (r < 0)
		return r;
	r = keep_and_take(reaper, err);
	idm_reaper_free(reaper);
	return r;
}

TEST_OF_RUNS(a_forkserver)
{
	struct idm_child_options o = shell(SHELL("exit 0"));

	faults_enter();
	options = &o;
	survive(&(struct operation){ "fork server", .go = reap_by_forkserver, .check = assert_child,
				     .ignore = "sh" });
}

TEST_OF_RUNS(a_container_by_a_fork_server)
{
	struct idm_child_options o;

	faults_enter();
	map = map_of("0:100000:65536");
	o = container(IDM_CHILD_UNDER_INIT);
	options = &o;
	survive(&(struct operation){ "container, fork server", .go = reap_by_forkserver,
				     .check = assert_child, .ignore = "sh" });
	idm_map_free(map);
}
