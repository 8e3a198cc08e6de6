// SPDX-License-Identifier: MIT
/*
 * What starts and exits of children cost in a process that has much memory, and the start of a container
 * on a host with many mounts.
 */
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/lib/measure.h"
#include "bench/lib/workers.h"

/* ---- the start of a fork server, and of a child ---- */

static struct idm_map *map;
static int child;

static void start_forkserver(void)
{
	struct idm_reaper *serving;
	struct idm_error err;

	check_idm(idm_reaper_new(&serving, &err), &err);
	check_idm(idm_reaper_start_forkserver(serving, 0, NULL, &err), &err);
	idm_reaper_free(serving);
}

/* In namespaces that make the kernel copy most. The reaping is not measured. */
static void start_with(struct idm_child_options o)
{
	static const char *const argv[] = { "true", NULL };
	struct idm_error err;

	o.path = "/bin/true";
	o.argv = argv;
	o.map = map;
	o.namespaces = IDM_NS_MOUNT | IDM_NS_PID | IDM_NS_UTS | IDM_NS_IPC;
	child = check_idm(idm_child_start(&o, &err), &err);
}

static void start_child(void)
{
	start_with((struct idm_child_options)IDM_CHILD_OPTIONS_INIT);
}

/* As a container starts: below a root of its own, with a new procfs. */
static void start_container_in(int staging)
{
	static const struct idm_child_mount proc = { .target = "/proc",
						     .fstype = "proc",
						     .tree_fd = -1 };
	struct idm_child_options o = IDM_CHILD_OPTIONS_INIT;
	struct idm_error err;

	o.root_fd = check_idm(idm_tree_open(AT_FDCWD, "/", -1, NULL, &err), &err);
	o.mounts = &proc;
	o.n_mounts = 1;
	o.staging_fd = staging;
	start_with(o);
	close(o.root_fd);
}

/* By the fork server of a reaper, which each process starts once. */
static void start_by_forkserver(void)
{
	static const char *const argv[] = { "true", NULL };
	static struct idm_reaper *serving;
	struct idm_child_options o = IDM_CHILD_OPTIONS_INIT;
	struct idm_exit_info info;
	struct idm_error err;
	int pidfd;

	if (!serving) {
		check_idm(idm_reaper_new(&serving, &err), &err);
		check_idm(idm_reaper_start_forkserver(serving, 0, NULL, &err), &err);
	}
	o.path = "/bin/true";
	o.argv = argv;
	pidfd = check_idm(idm_reaper_start(serving, &o, 0, NULL, &err), &err);
	check_idm(idm_reaper_next(serving, -1, &info, NULL, &err), &err);
	close(pidfd);
}

static void start_container(void)
{
	start_container_in(-1);
}

static void start_container_in_staging(void)
{
	start_container_in(kept_staging());
}

/* The root of a container is a copy of this one mount. */
static bool is_on_root(const char *path)
{
	struct stat root, st;

	return stat("/", &root) == 0 && stat(path, &st) == 0 && st.st_dev == root.st_dev;
}

static void reap_child(void)
{
	siginfo_t info;

	check(waitid((idtype_t)P_PIDFD, (id_t)child, &info, WEXITED), "waitid");
	close(child);
}

static void measure_containers(void)
{
	bool absent = !is_on_root("/bin/true");
	const struct grown_host hosts[] = {
		{ .way = { .name = "start of a container, kept staging namespace",
			   .go = start_container_in_staging,
			   .undo = reap_child,
			   .times = times(8),
			   .absent = absent },
		  .at_most = 1.2 },
		{ .way = { .name = "the same, without a staging namespace",
			   .go = start_container,
			   .undo = reap_child,
			   .absent = absent } },
	};

	measure_mounts(hosts, COUNT(hosts), rounds(61));
}

/* ---- the exit of a child ---- */

/* A program that stays, so that nothing of the caller's memory is in it. It leads a process group. */
static int start_sleeper(void)
{
	static const char *const argv[] = { "sleep", "1000", NULL };
	struct idm_child_options o = IDM_CHILD_OPTIONS_INIT;
	struct idm_error err;

	o.path = "/bin/sleep";
	o.argv = argv;
	o.process_group = -1;
	return check_idm(idm_child_start(&o, &err), &err);
}

static struct idm_reaper *watch_and_kill(int pidfd, unsigned int flags)
{
	static struct idm_reaper *watching;
	struct idm_error err;

	if (!watching)
		check_idm(idm_reaper_new(&watching, &err), &err);
	check_idm(idm_reaper_add(watching, pidfd, flags, NULL, &err), &err);
	check(syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0), "pidfd_send_signal");
	return watching;
}

static void hear_of_exit(int pidfd)
{
	struct idm_exit_info info;
	struct idm_error err;

	check_idm(idm_reaper_next(watch_and_kill(pidfd, 0), -1, &info, NULL, &err), &err);
}

static void hear_of_held_exit(int pidfd)
{
	struct idm_reaper *reaper = watch_and_kill(pidfd, IDM_REAPER_ADD_HOLD);
	struct idm_exit_info info;
	struct idm_error err;

	check_idm(idm_reaper_wait(reaper, NULL, -1, &info, &err), &err);
}

static void wait_for_exit(int pidfd)
{
	struct idm_exit_info info;
	struct idm_error err;

	check_idm(idm_child_signal(pidfd, SIGKILL, &err), &err);
	check_idm(idm_child_wait(pidfd, -1, &info, &err), &err);
}

static void wait_for_group(int pidfd)
{
	struct idm_exit_info info;
	struct idm_error err;

	check_idm(idm_child_signal_group(pidfd, SIGKILL, &err), &err);
	check_idm(idm_child_wait(pidfd, -1, &info, &err), &err);
}

/* The start is not measured. */
static double microseconds_to_exit(const struct way *way)
{
	void (*const exits)(int pidfd) = *(void (*const *)(int))way->data;
	double sum = 0;

	for (int i = 0; i < way->times; i++) {
		int pidfd = start_sleeper();
		double begin = now();

		exits(pidfd);
		sum += now() - begin;
		close(pidfd);
	}
	return sum / way->times;
}

/*
 * A child, and an orphan that the child leaves, until the reaper has delivered both exits. The process
 * is a subreaper only here, since it is to get no orphans of other ways.
 */
static void adopt_orphan(void)
{
	static const char *const argv[] = { "sh", "-c", "true &", NULL };
	struct idm_child_options o = IDM_CHILD_OPTIONS_INIT;
	struct idm_exit_info info;
	struct idm_reaper *adopting;
	struct idm_error err;
	int pidfd;

	check(prctl(PR_SET_CHILD_SUBREAPER, 1), "PR_SET_CHILD_SUBREAPER");
	check_idm(idm_reaper_new(&adopting, &err), &err);
	check_idm(idm_reaper_adopt(adopting, 0, NULL, &err), &err);
	o.path = "/bin/sh";
	o.argv = argv;
	pidfd = check_idm(idm_child_start(&o, &err), &err);
	check_idm(idm_reaper_add(adopting, pidfd, 0, NULL, &err), &err);
	for (int i = 0; i < 2; i++)
		check_idm(idm_reaper_next(adopting, -1, &info, NULL, &err), &err);
	close(pidfd);
	idm_reaper_free(adopting);
	check(prctl(PR_SET_CHILD_SUBREAPER, 0), "PR_SET_CHILD_SUBREAPER");
}

static void measure_starts(void)
{
	static void (*const by_reaper)(int) = hear_of_exit, (*const by_hold)(int) = hear_of_held_exit;
	static void (*const by_wait)(int) = wait_for_exit, (*const by_group)(int) = wait_for_group;
	const struct way ways[] = {
		{ .name = "reaper with fork server", .go = start_forkserver, .times = times(10) },
		{ .name = "start of a child in namespaces",
		  .go = start_child,
		  .undo = reap_child,
		  .times = times(4) },
		{ .name = "start of a container",
		  .go = start_container,
		  .undo = reap_child,
		  .times = times(4),
		  .absent = !is_on_root("/bin/true") },
		{ .name = "start and exit of a child of the fork server",
		  .go = start_by_forkserver,
		  .times = times(4) },
		{ .name = "exit of a child, by the reaper",
		  .sample = microseconds_to_exit,
		  .data = &by_reaper,
		  .times = times(4) },
		{ .name = "exit of a child, by idm_reaper_wait",
		  .sample = microseconds_to_exit,
		  .data = &by_hold,
		  .times = times(4) },
		{ .name = "exit of a child, by idm_child_wait",
		  .sample = microseconds_to_exit,
		  .data = &by_wait,
		  .times = times(4) },
		{ .name = "exit of a process group, by a signal",
		  .sample = microseconds_to_exit,
		  .data = &by_group,
		  .times = times(4) },
		{ .name = "start and exit of a child and its orphan",
		  .go = adopt_orphan,
		  .times = times(4) },
	};

	measure_memory(ways, COUNT(ways), rounds(41));
}

/* The adoption of orphans requires a blocked SIGCHLD. */
static void block_sigchld(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
}

int main(void)
{
	block_sigchld();
	enter_place();
	map = new_map("0:100000:65536");
	measure_starts();
	measure_containers();
	idm_map_free(map);
	return 0;
}
