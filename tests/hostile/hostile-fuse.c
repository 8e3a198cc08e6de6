// SPDX-License-Identifier: MIT
/*
 * Filesystems whose server is dead or does not answer. Calls that require the server fail with a clear
 * error, or can be killed. Listing, unmounting, replacing and undoing mounts do not require the server,
 * and must not ask it.
 */
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "lib/sys/subprocess.h"
#include "tests/integration/check/fuse-server.h"
#include "tests/integration/rootfs/plans.h"

#define PLACE SCRATCH "/place"
#define SOURCE SCRATCH "/source"

/* ---- a server ---- */

/* In memory that test and server share. */
static struct state {
	volatile bool silent;	     /* it does not answer */
	volatile bool asleep;	     /* it does not even read */
	volatile unsigned int asked; /* it was asked nevertheless */
} * state;

static pid_t server = -1;

static struct fuse_attr directory(uint64_t node)
{
	return (struct fuse_attr){ .ino = node, .mode = S_IFDIR | 0755, .nlink = 1 };
}

/* The kernel may not cache anything, so it asks each time. Only the directory "dir" exists. */
static void serve(int dev, const struct fuse_in_header *in, const char *name)
{
	struct fuse_init_out init = {
		.major = FUSE_KERNEL_VERSION,
		.minor = 31,
		.max_write = 4096,
	};
	struct fuse_attr_out attr = { .attr = directory(in->nodeid) };
	struct fuse_entry_out entry = { .nodeid = 2, .attr = directory(2) };

	if (in->opcode == FUSE_INIT)
		fuse_answer(dev, in, 0, &init, sizeof(init));
	else if (in->opcode == FUSE_GETATTR)
		fuse_answer(dev, in, 0, &attr, sizeof(attr));
	else if (in->opcode == FUSE_LOOKUP && strcmp(name, "dir") == 0)
		fuse_answer(dev, in, 0, &entry, sizeof(entry));
	else if (in->opcode == FUSE_LOOKUP)
		fuse_answer(dev, in, -ENOENT, "", 0);
	else if (fuse_wants_answer(in))
		fuse_answer(dev, in, -ENOSYS, "", 0);
}

/* While asleep, it only detects that there is a request. */
static bool wait_to_be_asked(int dev)
{
	struct pollfd p = { .fd = dev, .events = POLLIN };

	must(poll(&p, 1, -1));
	while (state->asleep) {
		state->asked = 1;
		usleep(1000);
	}
	return p.revents & POLLIN;
}

static void serve_all(int dev)
{
	static union fuse_request request;

	must(prctl(PR_SET_PDEATHSIG, SIGKILL));
	while (wait_to_be_asked(dev) && fuse_next(dev, &request))
		if (!state->silent)
			serve(dev, &request.in, request.room + sizeof(request.in));
		else if (fuse_wants_answer(&request.in))
			state->asked++;
	_exit(0);
}

static void enter(void)
{
	int dev;

	enter_image();
	scratch_dir(SOURCE);
	owned_file(SOURCE "/file", 0, 0);
	state = idm_subprocess_memory(sizeof(*state));
	assert_non_null(state);
	dev = fuse_mount(PLACE, "");
	server = (pid_t)must(fork());
	if (server == 0)
		serve_all(dev);
	must(close(dev));
	must(access(PLACE "/dir", F_OK)); /* it works */
}

static void kill_server(void)
{
	must(kill(server, SIGKILL)); /* not reaped yet, so the number is still valid */
	must(waitpid(server, NULL, 0));
	server = -1;
}

/*
 * The body has to finish although the server is silent, so it must not ask the server. The test detects
 * a request at once, without a timeout.
 */
static void without_asking(const char *what, void (*body)(void))
{
	unsigned int before = state->asked;
	pid_t pid = (pid_t)must(fork());
	int status;

	if (pid == 0) {
		body();
		_exit(0);
	}
	while (waitpid(pid, &status, WNOHANG) == 0) {
		if (state->asked != before) {
			kill(pid, SIGKILL);
			waitpid(pid, NULL, 0);
			fail_msg("%s: the server was asked", what);
		}
		usleep(500);
	}
	if (status != 0)
		fail_msg("%s: status %x", what, status);
}

/* ---- dead ---- */

static void assert_refused(const char *target, unsigned int flags)
{
	AUTO_FD int tree = tree_of(SOURCE, "0:1:1");
	struct snapshot *before = snapshot_take(SNAPSHOT_ALL);
	struct idm_error err;

	assert_error(
		idm_tree_attach(tree, AT_FDCWD, target, ATTACH(flags, IDM_PROPAGATION_DEFAULT), &err),
		-ENOTCONN, &err, PLACE, NULL, "not connected");
	snapshot_assert_same(before);
}

TEST(a_target_on_a_dead_filesystem)
{
	enter();
	kill_server();
	assert_refused(PLACE "/dir", 0);
	assert_refused(PLACE "/dir", IDM_ATTACH_MKDIR);
	assert_refused(PLACE "/new/target", IDM_ATTACH_MKDIR);
	assert_refused(PLACE "/dir", IDM_ATTACH_REPLACE);
	do_umount_idle(PLACE);
}

TEST(a_source_on_a_dead_filesystem)
{
	AUTO_FD int userns = -1;
	struct snapshot *before;
	struct idm_error err;

	enter();
	kill_server();
	userns = userns_of("0:1:1");
	before = snapshot_take(SNAPSHOT_ALL);
	assert_error(idm_tree_open(AT_FDCWD, PLACE "/dir", userns, NULL, &err), -ENOTCONN, &err,
		     PLACE "/dir", NULL, NULL);
	assert_error(idm_tree_open(AT_FDCWD, PLACE, userns, NULL, &err), -EINVAL, &err, PLACE,
		     "map tree", "fuse.test");
	snapshot_assert_same(before);
	do_umount_idle(PLACE);
}

/* ---- calls that do not require the server ---- */

static int count(const struct idm_mount_info *mount, void *data)
{
	*(int *)data += strcmp(mount->target, PLACE) == 0;
	return 0;
}

static void list(void)
{
	struct idm_error err;
	int n = 0;

	assert_ok(idm_list(IDM_LIST_UNMAPPED, count, &n, &err), &err);
	assert_int_equal(n, 1);
	assert_string_equal(mount_at(PLACE).id ? "found" : "", "found");
}

static void map_it(void)
{
	AUTO_FD int userns = userns_of("0:1:1");
	struct idm_error err;

	assert_error(idm_tree_open(AT_FDCWD, PLACE, userns, NULL, &err), -EINVAL, &err, PLACE,
		     "map tree", "fuse.test");
}

static void unmount_recursively(void)
{
	struct idm_error err;

	assert_ok(idm_umount(AT_FDCWD, PLACE, IDM_UMOUNT_RECURSIVE, &err), &err);
}

static void replace_it(void)
{
	AUTO_FD int tree = tree_of(SOURCE, "0:1:1");
	struct idm_error err;

	if (kernel_is_before(6, 5)) {
		assert_error(idm_tree_attach(tree, AT_FDCWD, PLACE,
					     ATTACH(IDM_ATTACH_REPLACE, IDM_PROPAGATION_DEFAULT), &err),
			     -EOPNOTSUPP, &err, PLACE, NULL, "Linux 6.5");
		return;
	}
	assert_ok(idm_tree_attach(tree, AT_FDCWD, PLACE,
				  ATTACH(IDM_ATTACH_REPLACE, IDM_PROPAGATION_DEFAULT), &err),
		  &err);
	assert_owner(PLACE "/file", 1, 1);
}

static void apply_with_it(void)
{
	AUTO_PLAN struct idm_plan *plan = plan_new();
	struct idm_plan_apply_options o = IDM_PLAN_APPLY_OPTIONS_INIT;
	struct idm_error err;

	plan_step(plan, "bind", ROOT, "/", NULL);
	plan_step(plan, "bind", PLACE, "/etc", NULL);
	o.journal = SCRATCH "/journal";
	assert_ok(idm_plan_apply(plan, AT_FDCWD, TARGET, &o, &err), &err);
}

static void undo_it(void)
{
	struct idm_error err;

	assert_ok(idm_plan_undo(SCRATCH "/journal", 0, &err), &err);
}

TEST(what_need_not_ask_does_not_when_the_server_is_silent)
{
	struct snapshot *before;

	enter();
	state->silent = true;
	without_asking("listing", list);
	without_asking("refusing to map it", map_it);
	state->silent = false;
	before = snapshot_take(SNAPSHOT_MOUNTS);
	apply_with_it();
	state->silent = true;
	without_asking("undoing", undo_it);
	snapshot_assert_same(before);
	without_asking("unmounting", unmount_recursively);
	must(waitpid(server, NULL, 0)); /* it exits after the unmount */
}

TEST(what_need_not_ask_does_not_when_the_server_is_dead)
{
	enter();
	apply_with_it();
	kill_server();
	undo_it();
	list();
	map_it();
	unmount_recursively();
}

TEST(a_silent_one_is_replaced)
{
	enter();
	state->silent = true;
	without_asking("replacing", replace_it);
	if (kernel_is_before(6, 5))
		do_umount_idle(PLACE);
	must(waitpid(server, NULL, 0));
}

TEST(a_dead_one_is_replaced)
{
	enter();
	kill_server();
	replace_it();
}

/* ---- calls that require the server ---- */

static const struct waiting {
	const char *target;
	unsigned int flags;
} waiting[] = {
	{ PLACE "/dir", 0 },
	{ PLACE "/dir", IDM_ATTACH_MKDIR },
	{ PLACE "/new/target", IDM_ATTACH_MKDIR },
};

/*
 * The call waits in the kernel, where it can be killed, and leaves nothing. (If the server has already
 * read the request, the kernel waits for its answer, and no signal helps.)
 */
static void kill_who_waits(void *data)
{
	const struct waiting *w = data;
	struct snapshot *before;
	int status;
	pid_t pid;

	enter();
	state->asleep = true;
	before = snapshot_take(SNAPSHOT_ALL);
	pid = (pid_t)must(fork());
	if (pid == 0) {
		AUTO_FD int tree = tree_of(SOURCE, "0:1:1");

		idm_tree_attach(tree, AT_FDCWD, w->target, ATTACH(w->flags, IDM_PROPAGATION_DEFAULT),
				NULL);
		_exit(0);
	}
	while (!state->asked) {
		assert_int_equal(waitpid(pid, &status, WNOHANG), 0);
		usleep(200);
	}
	must(kill(pid, SIGKILL));
	must(waitpid(pid, &status, 0));
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	snapshot_assert_same(before);
	kill_server();
	do_umount(PLACE);
}

TEST(who_waits_for_a_server_that_sleeps_can_be_killed)
{
	for (size_t i = 0; i < ARRAY_SIZE(waiting); i++)
		in_child(kill_who_waits, (void *)&waiting[i]);
	proof("hostile", 19, "calls on filesystems that are dead or do not answer");
}
