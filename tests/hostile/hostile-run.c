// SPDX-License-Identifier: MIT
/*
 * Starts programs in a root filesystem that another user has made, and changes at the same time. No link
 * in it leads out: neither mounts, nor their created targets, nor the lookup of users in its /etc.
 */
#include <spawn.h>
#include <sys/sysmacros.h>

#include "hostile.h"

#define BOX SCRATCH "/box"
#define OUTSIDE SCRATCH "/outside"

static uid_t user;

static void enter(void)
{
	scratch_enter();
	user = unused_uid();
	must(chmod(SCRATCH, 0755));
	users_dir(BOX, user);
	users_dir(BOX "/etc", user);
	scratch_dir(OUTSIDE "/etc");
	scratch_dir(OUTSIDE "/dev");
	scratch_file(OUTSIDE "/etc/passwd", "evil:x:77:77::/:/bin/sh\n");
	scratch_dir(SCRATCH "/honest");
}

/* ---- the command ---- */

struct ran {
	int status;
	char words[512]; /* its standard error */
};

static struct ran run_command(const char *const *words)
{
	const char *argv[32] = { getenv("IDMOUNT"),	    "run",     "--rootfs", BOX, "-m",
				 "0:2000000000:2000000000", "--no-tty" };
	AUTO_FD int output = (int)must(memfd_create("output", MFD_CLOEXEC));
	posix_spawn_file_actions_t actions;
	struct ran ran = { 0 };
	size_t n = 7;
	pid_t pid;

	if (!argv[0])
		skip_test("IDMOUNT is not set: the command to be tried");
	while ((argv[n] = *words++))
		n++;
	argv[n++] = "--";
	argv[n++] = "/none";
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&actions, output, STDERR_FILENO);
	assert_int_equal(posix_spawn(&pid, argv[0], &actions, NULL, (char *const *)argv, environ), 0);
	posix_spawn_file_actions_destroy(&actions);
	must(waitpid(pid, &ran.status, 0));
	assert_true(WIFEXITED(ran.status));
	ran.status = WEXITSTATUS(ran.status);
	must(pread(output, ran.words, sizeof(ran.words) - 1, 0));
	return ran;
}
#define RUN_COMMAND(...) run_command((const char *const[]){ __VA_ARGS__ __VA_OPT__(, ) NULL })

/* The command fails only when it executes the program, which does not exist. */
static void assert_works(struct ran ran)
{
	if (ran.status != 127)
		fail_msg("status %d: %s", ran.status, ran.words);
	assert_contains(ran.words, "/none: execute");
}

static void assert_refused(struct ran ran, const char *words)
{
	if (ran.status != 125)
		fail_msg("status %d: %s", ran.status, ran.words);
	assert_contains(ran.words, words);
}

TEST(system_directories_that_are_links)
{
	static const char *const names[] = { "dev", "proc", "sys" };
	static const char *const links[] = { OUTSIDE, "../outside", "/proc/self/root" OUTSIDE, "/etc" };
	unsigned long n = 0;

	enter();
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		for (size_t k = 0; k < ARRAY_SIZE(links); k++, n++) {
			struct snapshot *before;
			char path[64];

			snprintf(path, sizeof(path), BOX "/%s", names[i]);
			rmdir(path);
			must(symlink(links[k], path));
			before = snapshot_take(SNAPSHOT_ALL);
			assert_refused(RUN_COMMAND(), "ymbolic link");
			snapshot_assert_same(before);
			must(unlink(path));
		}
	assert_works(RUN_COMMAND());
	/* Nothing was mounted there, or created. */
	must(rmdir(OUTSIDE "/dev"));
	must(unlink(OUTSIDE "/etc/passwd"));
	must(rmdir(OUTSIDE "/etc"));
	must(rmdir(OUTSIDE));
	proof("hostile", n, "root filesystems with links that lead out");
}

TEST(an_etc_that_is_a_link)
{
	static const char *const links[] = { OUTSIDE "/etc", "../outside/etc",
					     "/proc/self/root" OUTSIDE "/etc" };

	enter();
	must(rmdir(BOX "/etc"));
	for (size_t i = 0; i < ARRAY_SIZE(links); i++) {
		must(symlink(links[i], BOX "/etc"));
		assert_refused(RUN_COMMAND("--user", "evil"), "has no user evil");
		must(unlink(BOX "/etc"));
	}
	/* A link to another directory inside is followed. */
	scratch_dir(BOX "/real");
	scratch_file(BOX "/real/passwd", "good:x:78:78::/:/bin/sh\n");
	must(symlink("/real", BOX "/etc"));
	assert_works(RUN_COMMAND("--user", "good"));
	proof("hostile", ARRAY_SIZE(links) + 1, "root filesystems with links that lead out");
}

/* Reading such files could hang, or affect the machine. */
TEST(an_account_file_that_is_none)
{
	AUTO_FD int writer = -1;

	enter();
	must(mknod(BOX "/etc/passwd", S_IFIFO | 0666, 0));
	assert_refused(RUN_COMMAND("--user", "evil"), "has no user evil");
	must(unlink(BOX "/etc/passwd"));
	do_mount(NULL, SCRATCH, NULL, 32 /* MS_REMOUNT, without nodev */, NULL);
	must(mknod(BOX "/etc/passwd", S_IFCHR | 0666, makedev(1, 5))); /* endless zeros */
	assert_refused(RUN_COMMAND("--user", "evil"), "has no user evil");
	must(unlink(BOX "/etc/passwd"));
	must(mkdir(BOX "/etc/passwd", 0755));
	assert_refused(RUN_COMMAND("--user", "evil"), "has no user evil");
	must(rmdir(BOX "/etc/passwd"));
	writer = (int)must(open(BOX "/etc/passwd", O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
	must(ftruncate(writer, 1L << 40)); /* one line of NULs */
	assert_refused(RUN_COMMAND("--user", "evil"), "has no user evil");
	proof("hostile", 4, "root filesystems with invalid account files");
}

static const struct pair pairs[] = {
	{ BOX "/dev", BOX "/to-dev" },
	{ BOX "/proc", BOX "/to-proc" },
	{ BOX "/way", BOX "/to-way" },
	{ BOX "/etc", BOX "/to-etc" },
};

TEST_WITHIN(a_root_filesystem_that_changes_during_the_start, 300)
{
	unsigned int n = attempts(100) / (test_is_long() ? 50 : 1), went = 0;
	struct attack attack;

	enter();
	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++) {
		users_link(i % 2 ? OUTSIDE "/etc" : "../outside/dev", pairs[i].b, user);
		users_dir(pairs[i].a, user);
	}
	attack = attack_start(pairs, ARRAY_SIZE(pairs), user);
	for (unsigned int i = 0; i < n || !went; i++) {
		struct ran ran = RUN_COMMAND("--bind", SCRATCH "/honest:/way/new/point");

		went += ran.status == 127;
		assert_true(ran.status == 127 || ran.status == 125);
		assert_refused(RUN_COMMAND("--user", "evil"), "has no user evil");
	}
	attack_end(&attack);
	note("%u runs of at least %u reached the execution of the program", went, n);
	must(rmdir(OUTSIDE "/dev"));
	must(unlink(OUTSIDE "/etc/passwd"));
	must(rmdir(OUTSIDE "/etc"));
	proof("hostile", 2 * n, "runs in a root filesystem that an attacker changes");
}

/* ---- the library ---- */

/*
 * Without a user namespace of its own the child may follow the links of a bound host's /proc. Those of
 * processes lead to other root directories.
 */
TEST(links_of_the_hosts_proc)
{
	static const char *const argv[] = { "none", NULL };
	struct idm_child_options o = IDM_CHILD_OPTIONS_INIT;
	struct idm_tree_options recursive = IDM_TREE_OPTIONS_INIT;
	struct idm_child_mount mounts[2] = { 0 };
	AUTO_FD int tree = -1, proc = -1;
	struct idm_error err;
	char out[64];

	enter();
	recursive.flags = IDM_TREE_RECURSIVE;
	snprintf(out, sizeof(out), "/proc/%d/root" OUTSIDE, (int)getpid());
	must(symlink(out, BOX "/way"));
	tree = (int)assert_ok(idm_tree_open(AT_FDCWD, BOX, -1, NULL, &err), &err);
	proc = (int)assert_ok(idm_tree_open(AT_FDCWD, "/proc", -1, &recursive, &err), &err);
	mounts[0] = (struct idm_child_mount){ .target = "/proc",
					      .tree_fd = proc,
					      .flags = IDM_CHILD_MOUNT_MKDIR };
	mounts[1] = (struct idm_child_mount){ .target = "/way/new/point",
					      .fstype = "tmpfs",
					      .tree_fd = -1,
					      .flags = IDM_CHILD_MOUNT_MKDIR };
	o.path = "/none";
	o.argv = argv;
	o.namespaces = IDM_NS_MOUNT;
	o.root_fd = tree;
	o.mounts = mounts;
	o.n_mounts = 2;
	assert_error(idm_child_start(&o, &err), -ELOOP, &err, "/way/new/point", "make mount point",
		     "a magic link of a procfs");
	assert_int_equal(access(OUTSIDE "/new", F_OK), -1);
	proof("hostile", 1, "root filesystems with links that lead out");
}
