// SPDX-License-Identifier: MIT
/* Bad files and filesystems: garbage in files of subordinate IDs, targets that cannot be created, and
 * lists that lead out of the root filesystem. */
#include <sched.h>
#include <sys/sysmacros.h>

#include "config.h"
#include "tests/integration/rootfs/plans.h"

/* ---- /etc/subuid ---- */

#define GOOD "alice:300:3\n"

static void enter_etc(void)
{
	if (!HAVE_LIBSUBID)
		skip_test("the library was built without libsubid");
	scratch_enter();
	scratch_dir(SCRATCH "/etc");
	assert_int_equal(RUN("cp", "-a", "/etc/.", SCRATCH "/etc"), 0);
	do_mount(SCRATCH "/etc", "/etc", NULL, MS_BIND, NULL);
	do_mount(NULL, "/etc", NULL, MS_REMOUNT | MS_BIND, NULL); /* with devices */
	scratch_file("/etc/nsswitch.conf", "passwd: files\ngroup: files\n");
	scratch_file("/etc/passwd", "root:x:0:0::/:/bin/sh\nalice:x:4001:4001::/:/bin/sh\n");
	scratch_file("/etc/subgid", "alice:200000:10\n");
	unlink("/etc/subuid");
}

static void write_subuid(const char *text, size_t length)
{
	AUTO_FD int fd = (int)must(open("/etc/subuid", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));

	assert_int_equal(must(write(fd, text, length)), length);
}

static unsigned long tried;

/* If `expected` is NULL the library refuses it, with a message that names the file or the range. */
static void assert_subuid(const char *expected)
{
	AUTO_MAP struct idm_map *map = map_of("");
	struct idm_error err;
	int r = idm_map_add_subid(map, "alice", &err);

	tried++;
	if (expected) {
		assert_ok(r, &err);
		assert_map(map, expected);
		return;
	}
	assert_true(r == -ENOENT || r == -EINVAL);
	assert_error(r, r, &err, NULL, NULL, NULL);
	if (!strstr(PART(err, reason), "count"))
		assert_contains(PART(err, reason), "/etc/subuid");
	assert_map(map, "");
}

/* The library ignores an invalid range, or fails. It never returns another range. */
TEST_ANYWHERE(lines_that_are_garbage)
{
	static const char *const skipped[] = {
		"alice::",
		"alice:1",
		"alice:1x:5",
		"alice:x:y",
		"#alice:1:2",
		":1:2",
		"::",
		":",
		"alice",
		"alice:1:",
		"alice:1:2 ",
		"alice:99999999999999999999:10",
		"alice:1:99999999999999999999999",
	};
	static const char *const refused[] = {
		"alice:4294967296:1",
		"alice:-1:5",
		"alice:4294967295:1",
		"alice:1:4294967295",
		"alice:18446744073709551615:2",
		"alice:1:18446744073709551615",
		"alice:1:0",
	};
	char text[256];

	enter_etc();
	for (size_t i = 0; i < ARRAY_SIZE(skipped); i++) {
		write_subuid(skipped[i], strlen(skipped[i]));
		assert_subuid(NULL);
		snprintf(text, sizeof(text), "%s\n" GOOD, skipped[i]);
		write_subuid(text, strlen(text));
		assert_subuid("u:0:300:3,g:0:200000:10");
	}
	for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
		write_subuid(refused[i], strlen(refused[i]));
		assert_subuid(NULL);
		snprintf(text, sizeof(text), "%s\n" GOOD, refused[i]);
		write_subuid(text, strlen(text));
		assert_subuid(NULL);
	}
	/* A missing line end and a NUL both end the line. */
	write_subuid("alice:300:3", 11);
	assert_subuid("u:0:300:3,g:0:200000:10");
	write_subuid("\0\0\0\n" GOOD, 4 + strlen(GOOD));
	assert_subuid("u:0:300:3,g:0:200000:10");
	write_subuid("alice\0:5:5\nbob:7:7\n", 19);
	assert_subuid(NULL);
	write_subuid("", 0);
	assert_subuid(NULL);
	proof("hostile", tried, "files of subordinate IDs with garbage");
}

TEST_ANYWHERE(files_that_are_huge_or_binary)
{
	const size_t size = test_is_slow() ? 1 << 16 : 1 << 20, good = strlen(GOOD);
	AUTO_FREE char *text = malloc(size);
	struct rng rng = rng_new(7);
	FILE *file;

	assert_non_null(text);
	enter_etc();
	memset(text, 'x', size);
	memcpy(text + size - good - 1, "\n" GOOD, good + 1);
	write_subuid(text, size);
	assert_subuid("u:0:300:3,g:0:200000:10");
	for (size_t i = 0; i < size / 8; i++)
		((uint64_t *)text)[i] = rng_next(&rng);
	memcpy(text + size - good - 1, "\n" GOOD, good + 1);
	write_subuid(text, size);
	{
		AUTO_MAP struct idm_map *map = map_of("");
		struct idm_error err;

		/* The end of a line with a NUL depends on libsubid. */
		if (idm_map_add_subid(map, "alice", &err) == 0)
			assert_subuid("u:0:300:3,g:0:200000:10");
		else
			assert_subuid(NULL);
	}
	file = fopen("/etc/subuid", "we");
	assert_non_null(file);
	for (unsigned int i = 0; i < (test_is_slow() ? 1000 : 20000); i++)
		fprintf(file, "user%u:%u:10\n", i, 10 * i + 1000);
	fputs(GOOD, file);
	fclose(file);
	assert_subuid("u:0:300:3,g:0:200000:10");
	proof("hostile", tried, "files of subordinate IDs with garbage");
}

TEST_ANYWHERE(files_that_are_none)
{
	enter_etc();
	assert_subuid(NULL); /* missing */
	must(mkdir("/etc/subuid", 0755));
	assert_subuid(NULL);
	must(rmdir("/etc/subuid"));
	must(mkfifo("/etc/subuid", 0644));
	assert_subuid(NULL);
	must(unlink("/etc/subuid"));
	must(mknod("/etc/subuid", S_IFCHR | 0644, makedev(1, 5))); /* endless zeros */
	assert_subuid(NULL);
	must(unlink("/etc/subuid"));
	must(symlink("/dev/zero", "/etc/subuid"));
	assert_subuid(NULL);
	must(unlink("/etc/subuid"));
	must(symlink("subuid", "/etc/subuid"));
	assert_subuid(NULL);
	proof("hostile", tried, "files of subordinate IDs with garbage");
}

/* ---- targets that cannot be created ---- */

#define SOURCE SCRATCH "/source"
#define PLACE SCRATCH "/place"

static void assert_not_created(const char *target, bool file, int code)
{
	AUTO_FD int tree = tree_of(file ? SOURCE "/file" : SOURCE, "0:1:1");
	struct snapshot *before = snapshot_take(SNAPSHOT_ALL | SNAPSHOT_FILES);
	struct idm_error err;

	assert_error(idm_tree_attach(tree, AT_FDCWD, target,
				     ATTACH(IDM_ATTACH_MKDIR, IDM_PROPAGATION_DEFAULT), &err),
		     code, &err, PLACE, "create target", strerrordesc_np(-code));
	snapshot_assert_same(before);
	tried++;
}

/* A plan cannot create it either, in its root or as its own target. */
static void assert_no_plan(const char *target, int code)
{
	AUTO_PLAN struct idm_plan *plan = plan_new(), *inside = plan_new();
	struct snapshot *before = snapshot_take(SNAPSHOT_ALL | SNAPSHOT_FILES);
	struct idm_plan_apply_options o = IDM_PLAN_APPLY_OPTIONS_INIT;
	struct idm_error err;

	plan_step(plan, "bind", ROOT, "/", NULL);
	o.flags = IDM_PLAN_APPLY_MKDIR;
	o.journal = SCRATCH "/journal";
	assert_error(idm_plan_apply(plan, AT_FDCWD, target, &o, &err), code, &err, NULL, "create target",
		     NULL);
	snapshot_assert_same(before);
	before = snapshot_take(SNAPSHOT_ALL | SNAPSHOT_FILES);
	plan_step(inside, "bind", PLACE, "/", NULL);
	plan_step(inside, "tmpfs", NULL, "/several/new/directories", NULL);
	assert_error(idm_plan_apply(inside, AT_FDCWD, TARGET, &o, &err), code, &err, NULL,
		     "create target", NULL);
	snapshot_assert_same(before);
	tried += 2;
}

static void enter_place(void)
{
	enter_image();
	scratch_dir(SOURCE);
	owned_file(SOURCE "/file", 0, 0);
	scratch_dir(PLACE);
}

/* Only the first ones of these directories and files fit. */
TEST(a_target_on_a_filesystem_that_is_nearly_full)
{
	char options[64];

	enter_place();
	for (int inodes = 1; inodes <= 3; inodes++) {
		snprintf(options, sizeof(options), "mode=0755,nr_inodes=%d", inodes);
		do_mount("small", PLACE, "tmpfs", 0, options);
		assert_not_created(PLACE "/several/new/directories", false, -ENOSPC);
		assert_not_created(PLACE "/several/new/file", true, -ENOSPC);
		assert_no_plan(PLACE "/several/new/directories", -ENOSPC);
		do_umount_idle(PLACE);
	}
	proof("hostile", tried, "targets that cannot be created");
}

TEST(a_target_on_an_ext4_without_a_free_inode)
{
	char path[64];
	int n = 0;

	enter_place();
	scratch_filesystem("ext4", SCRATCH "/ext4", NULL);
	do_mount(SCRATCH "/ext4", PLACE, NULL, MS_BIND, NULL);
	for (;; n++) {
		snprintf(path, sizeof(path), PLACE "/%d", n);
		if (mknod(path, S_IFREG | 0600, 0) < 0)
			break;
	}
	assert_int_equal(errno, ENOSPC);
	assert_not_created(PLACE "/new", false, -ENOSPC);
	must(unlink(PLACE "/0"));
	assert_not_created(PLACE "/several/new", false, -ENOSPC); /* the first one can be created */
	assert_not_created(PLACE "/several/file", true, -ENOSPC);
	assert_no_plan(PLACE "/several/new", -ENOSPC);
	proof("hostile", tried, "targets that cannot be created");
}

TEST(a_target_on_a_read_only_filesystem)
{
	enter_place();
	do_mount("fixed", PLACE, "tmpfs", MS_RDONLY, NULL);
	assert_not_created(PLACE "/new", false, -EROFS);
	assert_not_created(PLACE "/several/new/file", true, -EROFS);
	assert_no_plan(PLACE "/several/new", -EROFS);
	proof("hostile", tried, "targets that cannot be created");
}

/* ---- lists of mounts ---- */

/* Tries every way in which a list could lead out of the root filesystem. Files outside stay unchanged.
 */
TEST(lists_that_lead_out)
{
	static const struct {
		const char *target;
		bool good;
	} targets[] = {
		{ "/../../outside/point", false },
		{ "/etc/../../outside/point", false },
		{ "../outside/point", false },
		{ "/etc/..", false },
		{ "/absolute/point", true },
		{ "/relative/point", true },
		{ "/magic/point", false },
		{ "/absolute", false },
		{ "/relative", false },
		{ "/loop/point", false },
		{ "/etc/passwd/point", false },
		{ "//outside//./point", true },
		{ "/absolute/made/point", true },
	};
	struct snapshot *before;
	char text[512], out[64];

	enter_image();
	scratch_dir(SCRATCH "/outside/point");
	must(symlink(SCRATCH "/outside", ROOT "/absolute"));
	must(symlink("../../outside", ROOT "/relative"));
	snprintf(out, sizeof(out), "/proc/%d/root" SCRATCH "/outside", (int)getpid());
	must(symlink(out, ROOT "/magic"));
	must(symlink("loop", ROOT "/loop"));
	scratch_dir(ROOT SCRATCH "/outside"); /* the targets of the links inside */
	scratch_dir(ROOT "/outside");
	before = snapshot_take(SNAPSHOT_ALL | SNAPSHOT_FILES);
	for (size_t i = 0; i < ARRAY_SIZE(targets); i++) {
		AUTO_PLAN struct idm_plan *plan = plan_new();
		struct idm_plan_read_options how = IDM_PLAN_READ_OPTIONS_INIT;
		struct idm_plan_apply_options o = IDM_PLAN_APPLY_OPTIONS_INIT;
		struct idm_error err;
		int r;

		snprintf(text, sizeof(text),
			 "[{\"Type\":\"bind\",\"Source\":\"" ROOT "\",\"Options\":[\"rbind\"]},"
			 "{\"Type\":\"tmpfs\",\"Source\":\"evil\",\"Target\":\"%s\"}]",
			 targets[i].target);
		o.flags = IDM_PLAN_APPLY_MKDIR;
		o.journal = SCRATCH "/journal";
		r = idm_plan_read(plan, text, strlen(text), &how, &err);
		if (r == 0)
			r = idm_plan_apply(plan, AT_FDCWD, TARGET, &o, &err);
		if ((r == 0) != targets[i].good)
			fail_msg("%s: %s", targets[i].target, r < 0 ? err.message : "mounted");
		if (r == 0) {
			assert_int_equal(access(SCRATCH "/outside/made", F_OK), -1);
			assert_false(mount_at(SCRATCH "/outside/point").id !=
				     mount_at(SCRATCH "/outside").id);
			assert_ok(idm_plan_undo(SCRATCH "/journal", 0, &err), &err);
		}
		snapshot_assert_same(before);
		before = snapshot_take(SNAPSHOT_ALL | SNAPSHOT_FILES);
		tried++;
	}
	snapshot_free(before);
	proof("hostile", tried, "targets in lists that lead out of the root filesystem");
}
