// SPDX-License-Identifier: MIT
/*
 * idm_explain_path(): facts that it collects about a process and a path. The verdict of idm_explain()
 * with these facts is the kernel's, whatever root directory, mount namespace and user namespace the
 * process has.
 */
#include <fcntl.h>
#include <grp.h>
#include <linux/fs.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "lib/base/macros.h"
#include "tests/lib/maps.h"
#include "tests/lib/scratch.h"

#define BOX SCRATCH "/box"

/* ---- files ---- */

static void make_file(const char *path, mode_t mode, uid_t uid, gid_t gid)
{
	scratch_file(path, "text\n");
	must(chown(path, uid, gid));
	must(chmod(path, mode));
}

static void make_dir(const char *path, mode_t mode, uid_t uid, gid_t gid)
{
	scratch_dir(path);
	must(chown(path, uid, gid));
	must(chmod(path, mode));
}

/* user::rw-, user:1003:rw-, group::r--, mask::rw-, other::--- */
static void set_acl(const char *path)
{
	static const struct {
		uint32_t version;
		struct {
			uint16_t tag, permissions;
			uint32_t id;
		} entries[5];
	} acl = { 2,
		  { { 0x01, 6, UINT32_MAX },
		    { 0x02, 6, 1003 },
		    { 0x04, 4, UINT32_MAX },
		    { 0x10, 6, UINT32_MAX },
		    { 0x20, 0, UINT32_MAX } } };

	must(setxattr(path, "system.posix_acl_access", &acl, sizeof(acl), 0));
}

static void set_immutable(const char *path, bool immutable)
{
	int fd = (int)must(open(path, O_RDONLY | O_CLOEXEC)), flags;

	must(ioctl(fd, FS_IOC_GETFLAGS, &flags));
	flags = immutable ? flags | FS_IMMUTABLE_FL : flags & ~FS_IMMUTABLE_FL;
	must(ioctl(fd, FS_IOC_SETFLAGS, &flags));
	close(fd);
}

static void attach_mapped(const char *source, const char *target, const char *map, uint32_t attr)
{
	struct idm_tree_options o = IDM_TREE_OPTIONS_INIT;
	AUTO_CLOSE int userns = map ? userns_of(map) : -1, tree = -1;
	struct idm_error err;

	o.attr_set = attr;
	scratch_dir(target);
	tree = (int)assert_ok(idm_tree_open(AT_FDCWD, source, userns, &o, &err), &err);
	assert_ok(idm_tree_attach(tree, AT_FDCWD, target, NULL, &err), &err);
}

static const char *const paths[] = {
	"/own",
	"/of-group",
	"/of-root",
	"/acl",
	"/program",
	"/private/file",
	"/search-only/file",
	"/link",
	"/long/way/../../up",
	"/sticky/file",
	"/share",
	"/share/new-here",
	"/immutable",
	"/mapped/zero",
	"/mapped/thousand",
	"/mapped/left-out",
	"/mapped/secret/file",
	"/readonly/own",
	"/noexec/program",
	"/search-only",
	"/mapped",
	"/private",
};

static void make_files(void)
{
	make_dir(BOX, 0755, 0, 0);
	make_file(BOX "/own", 0640, 1000, 1000);
	make_file(BOX "/of-group", 0664, 0, 1001);
	make_file(BOX "/of-root", 0600, 0, 0);
	make_file(BOX "/acl", 0660, 1000, 1000);
	set_acl(BOX "/acl");
	make_file(BOX "/program", 0755, 0, 0);
	make_dir(BOX "/private", 0700, 1000, 1000);
	make_file(BOX "/private/file", 0666, 0, 0);
	make_dir(BOX "/search-only", 0711, 0, 0);
	make_file(BOX "/search-only/file", 0644, 0, 0);
	must(symlink("/private/../search-only/file", BOX "/link"));
	make_dir(BOX "/long/way", 0755, 0, 0);
	make_file(BOX "/up", 0606, 0, 0);
	must(symlink("up", BOX "/long/up"));
	make_dir(BOX "/sticky", 01777, 0, 0);
	make_file(BOX "/sticky/file", 0666, 1002, 1002);
	make_dir(BOX "/share", 02775, 0, 1001);
	make_file(BOX "/share/new-here", 0664, 1002, 1001);
	make_file(BOX "/immutable", 0666, 0, 0);
	make_dir(SCRATCH "/data", 0777, 0, 0);
	make_file(SCRATCH "/data/zero", 0640, 0, 0);
	make_file(SCRATCH "/data/thousand", 0640, 1000, 1000);
	make_file(SCRATCH "/data/left-out", 0640, 5000, 5000);
	make_dir(SCRATCH "/data/secret", 0700, 5000, 5000);
	make_file(SCRATCH "/data/secret/file", 0666, 5000, 5000);
	attach_mapped(SCRATCH "/data", BOX "/mapped", "0:1000:1,1000:100000:4", 0);
	attach_mapped(BOX, SCRATCH "/again", NULL, IDM_ATTR_RDONLY);
	attach_mapped(SCRATCH "/again", BOX "/readonly", NULL, IDM_ATTR_RDONLY);
	attach_mapped(SCRATCH "/again", BOX "/noexec", NULL, IDM_ATTR_NOEXEC);
	set_immutable(BOX "/immutable", true);
}

/* ---- processes ---- */

struct kind {
	const char *name;
	uid_t uid;
	gid_t gid, group;
	const char *userns; /* uid_map and gid_map */
	bool own_mounts;
};

static const struct kind kinds[] = {
	{ "root", 0, 0, 0, NULL, false },
	{ "user", 1000, 1000, 1000, NULL, false },
	{ "member", 1002, 1002, 1001, NULL, true },
	{ "named by the list", 1003, 1003, 1003, NULL, true },
	{ "root of a container", 0, 0, 0, "0 100000 1000\n", true },
	{ "user of a container", 1, 1, 1, "0 1000 4\n", true },
};

static void become_kind(const struct kind *kind)
{
	const gid_t group = kind->group;

	must(setgroups(1, &group));
	must(setresgid(kind->gid, kind->gid, kind->gid));
	must(setresuid(kind->uid, kind->uid, kind->uid));
	must(prctl(PR_SET_DUMPABLE, 1));
}

enum { READ, WRITE, EXECUTE, ACCESSES };

/* Shared with the process of which the path is explained. */
struct shared {
	int codes[ARRAY_SIZE(paths)][ACCESSES];
};

static int code_of(long r)
{
	return r < 0 ? errno : 0;
}

static int try_mode(const char *path, int mode)
{
	return code_of(faccessat(AT_FDCWD, path, mode, AT_EACCESS));
}

static void try_paths(struct shared *shared)
{
	static const int modes[ACCESSES] = { R_OK, W_OK, X_OK };

	for (size_t i = 0; i < ARRAY_SIZE(paths); i++)
		for (int access = 0; access < ACCESSES; access++)
			shared->codes[i][access] = try_mode(paths[i], modes[access]);
}

static void write_pid_map(pid_t pid, const char *map)
{
	write_id_map(pid, "uid_map", map);
	write_id_map(pid, "gid_map", map);
}

/* A process that waits until the other end of the pipe is closed. */
struct subject {
	pid_t pid;
	int fd;
};

static void run_subject(const struct kind *kind, struct shared *shared, const int ready[2],
			const int go[2])
{
	char byte = 0;

	close(ready[0]);
	close(go[1]);
	if (kind->own_mounts)
		must(unshare(CLONE_NEWNS));
	/* Not in a chroot. */
	if (kind->userns)
		must(unshare(CLONE_NEWUSER));
	must(chroot(BOX));
	must(chdir("/"));
	must(write(ready[1], &byte, 1));
	must(read(go[0], &byte, 1));
	become_kind(kind);
	try_paths(shared);
	must(write(ready[1], &byte, 1));
	must(read(go[0], &byte, 1));
	_exit(0);
}

static struct subject start_subject(const struct kind *kind, struct shared *shared)
{
	int ready[2], go[2];
	struct subject subject;
	char byte = 0;

	must(pipe2(ready, O_CLOEXEC));
	must(pipe2(go, O_CLOEXEC));
	subject.pid = (pid_t)must(fork());
	if (subject.pid == 0)
		run_subject(kind, shared, ready, go);
	close(ready[1]);
	close(go[0]);
	must(read(ready[0], &byte, 1));
	if (kind->userns)
		write_pid_map(subject.pid, kind->userns);
	must(write(go[1], &byte, 1));
	assert_int_equal(must(read(ready[0], &byte, 1)), 1);
	close(ready[0]);
	subject.fd = go[1];
	return subject;
}

static void end_subject(struct subject *subject)
{
	char byte = 0;

	must(write(subject->fd, &byte, 1));
	close(subject->fd);
	await_child(subject->pid);
}

/* ---- the library's verdict ---- */

struct verdict {
	enum idm_access access;
	struct idm_explain_result result;
	char path[256]; /* of the last place */
	uint32_t unseen;
	unsigned int places;
};

static int judge_place(const struct idm_explain_info *place, void *data)
{
	struct verdict *v = data;
	struct idm_explain_options facts = IDM_EXPLAIN_OPTIONS_INIT;
	struct idm_error err;

	idm_explain_copy(place->facts, &facts);
	assert_int_equal(place->size, sizeof(*place));
	v->places++;
	v->unseen |= place->unseen;
	snprintf(v->path, sizeof(v->path), "%s", place->path);
	v->result = (struct idm_explain_result)IDM_EXPLAIN_RESULT_INIT;
	if (place->is_last)
		facts.access = v->access;
	assert_ok(idm_explain(&facts, &v->result, &err), &err);
	return v->result.rule != IDM_RULE_NONE;
}

static struct verdict explain(pid_t pid, const char *path, enum idm_access access)
{
	struct verdict v = { .access = access };
	struct idm_error err;
	int r = idm_explain_path(pid, path, 0, judge_place, &v, &err);

	assert_ok(r, &err);
	assert_int_equal(r, v.result.rule != IDM_RULE_NONE);
	return v;
}

static void compare_with_kernel(const struct kind *kind, pid_t pid, const struct shared *shared)
{
	static const enum idm_access accesses[ACCESSES] = { IDM_ACCESS_READ, IDM_ACCESS_WRITE,
							    IDM_ACCESS_EXECUTE };

	for (size_t i = 0; i < ARRAY_SIZE(paths); i++)
		for (int access = 0; access < ACCESSES; access++) {
			struct verdict v = explain(pid, paths[i], accesses[access]);

			if (v.result.errnum == shared->codes[i][access])
				continue;
			fail_msg("%s, %s, access %d: the kernel: %s, the library: %s (rule %d at %s)",
				 kind->name, paths[i], access, strerror(shared->codes[i][access]),
				 strerror(v.result.errnum), (int)v.result.rule, v.path);
		}
}

static struct shared *new_shared(void)
{
	struct shared *shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
				     MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	assert_true(shared != MAP_FAILED);
	return shared;
}

TEST_SINCE(6, 15, maps_are_not_read, the_verdict_about_each_process_is_the_kernels)
{
	struct shared *shared = new_shared();

	scratch_enter();
	make_files();
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		struct subject subject = start_subject(&kinds[i], shared);

		compare_with_kernel(&kinds[i], subject.pid, shared);
		end_subject(&subject);
	}
	set_immutable(BOX "/immutable", false);
	munmap(shared, sizeof(*shared));
}

/* ---- single facts ---- */

static int note_unseen(const struct idm_explain_info *place, void *unseen)
{
	*(uint32_t *)unseen = place->unseen;
	return 0;
}

/* Of the path itself, not of the way. */
static uint32_t unseen_of(pid_t pid, const char *path)
{
	uint32_t unseen = 0;
	struct idm_error err;

	assert_ok(idm_explain_path(pid, path, 0, note_unseen, &unseen, &err), &err);
	return unseen;
}

TEST_SINCE(6, 15, maps_are_not_read, an_owner_that_the_mount_does_not_map_is_found_on_disk)
{
	struct verdict v;

	scratch_enter();
	make_files();
	set_immutable(BOX "/immutable", false);
	v = explain(0, BOX "/mapped/left-out", IDM_ACCESS_WRITE);
	assert_int_equal(v.result.rule, IDM_RULE_UNMAPPED_OWNER);
	assert_int_equal(v.unseen & IDM_UNSEEN_OWNER, 0);
	assert_int_equal(v.result.uid, IDM_EXPLAIN_NO_ID);
}

static void stop_at_root(void *pid)
{
	struct verdict v;

	become_user(1000, 1000);
	v = explain(*(pid_t *)pid, "/", IDM_ACCESS_READ);
	assert_true(v.unseen & IDM_UNSEEN_ROOT);
	v = explain(0, SCRATCH "/own", IDM_ACCESS_WRITE);
	assert_int_equal(v.result.rule, IDM_RULE_NONE);
	v = explain(0, SCRATCH "/private/file", IDM_ACCESS_READ);
	assert_int_equal(v.result.rule, IDM_RULE_PERMISSION);
	assert_string_equal(v.path, SCRATCH "/private");
}

TEST(an_ordinary_user_learns_which_facts_are_missing)
{
	pid_t root = getpid();

	scratch_enter();
	make_file(SCRATCH "/own", 0600, 1000, 1000);
	make_dir(SCRATCH "/private", 0700, 0, 0);
	make_file(SCRATCH "/private/file", 0666, 0, 0);
	in_child(stop_at_root, &root);
}

TEST_SINCE(6, 15, maps_are_not_read, the_initial_user_namespace_mounts_block_devices)
{
	const struct kind *container = &kinds[4];
	struct shared *shared = new_shared();
	struct subject subject;

	scratch_enter();
	make_files();
	set_immutable(BOX "/immutable", false);
	scratch_filesystem("ext4", BOX "/disk", NULL);
	must(chmod(BOX "/disk", 0755));
	scratch_dir(BOX "/overlay");
	do_mount("none", BOX "/overlay", "overlay", 0, "lowerdir=" BOX "/share:" BOX "/sticky");
	subject = start_subject(container, shared);
	assert_int_equal(explain(subject.pid, "/disk", IDM_ACCESS_EXECUTE).result.rule, IDM_RULE_NONE);
	assert_false(unseen_of(subject.pid, "/overlay") & IDM_UNSEEN_FS_USERNS);
	assert_false(unseen_of(subject.pid, "/own") & IDM_UNSEEN_FS_USERNS);
	assert_false(unseen_of(subject.pid, "/disk") & IDM_UNSEEN_FS_USERNS);
	end_subject(&subject);
	munmap(shared, sizeof(*shared));
}

static int count_places(const struct idm_explain_info *place, void *data)
{
	++*(unsigned int *)data;
	return place->is_last ? 7 : 0;
}

TEST(the_way_has_each_directory_once_and_the_callback_stops_it)
{
	unsigned int places = 0;
	struct idm_error err;

	scratch_enter();
	make_dir(SCRATCH "/a/b", 0755, 0, 0);
	must(symlink("b", SCRATCH "/a/link"));
	assert_int_equal(idm_explain_path(0, SCRATCH "/a/./link", 0, count_places, &places, &err), 7);
	/* "/", "/mnt", "/mnt/a", the link and "/mnt/a/b" */
	assert_int_equal(places, 5);
	must(chdir(SCRATCH "/a/b"));
	assert_string_equal(explain(0, "../link/..", IDM_ACCESS_READ).path, "..");
	assert_string_equal(explain(0, "../../../../..", IDM_ACCESS_READ).path, "/");
}

/* Of each link: its path, whether the kernel protects it, and the directory that it is in. */
static int describe_links(const struct idm_explain_info *place, void *data)
{
	const struct idm_explain_options *facts = place->facts;
	char *text = data;
	size_t n = strlen(text);

	if (facts->access == IDM_ACCESS_FOLLOW)
		snprintf(text + n, 256 - n, "%s%s in %o;", place->path,
			 facts->protected_symlinks ? " at the end" : "", facts->directory->mode);
	return 0;
}

TEST(links_on_the_way_and_at_the_end_of_it)
{
	AUTO_CLOSE int settings = (int)must(open("/proc/sys/fs/protected_symlinks", O_RDONLY | O_CLOEXEC));
	char text[256] = "", value;
	struct idm_error err;

	scratch_enter();
	make_dir(SCRATCH "/a/b", 0750, 0, 0);
	must(symlink("a", SCRATCH "/first"));
	must(symlink("../first/b", SCRATCH "/a/second"));
	/* The settings are the machine's, so that this process sees others. */
	scratch_file(SCRATCH "/setting", "1\n");
	do_mount(SCRATCH "/setting", "/proc/sys/fs/protected_symlinks", NULL, MS_BIND, NULL);
	assert_ok(idm_explain_path(0, SCRATCH "/first/second/", 0, describe_links, text, &err), &err);
	assert_string_equal(text, "/mnt/first in 40755;/mnt/a/second at the end in 40755;/mnt/first in 40755;");
	do_umount("/proc/sys/fs/protected_symlinks");
	assert_int_equal(must(read(settings, &value, 1)), 1);
}

TEST(bad_paths)
{
	unsigned int places = 0;
	struct idm_error err;

	scratch_enter();
	scratch_file(SCRATCH "/file", "");
	must(symlink("loop", SCRATCH "/loop"));
#define EXPLAIN(path, flags) idm_explain_path(0, path, flags, count_places, &places, &err)
	assert_error(EXPLAIN("", 0), -ENOENT, &err, NULL, "explain", NULL);
	assert_error(EXPLAIN(SCRATCH "/none", 0), -ENOENT, &err, SCRATCH "/none", "explain", NULL);
	assert_error(EXPLAIN(SCRATCH "/file/x", 0), -ENOTDIR, &err, SCRATCH "/file", "explain", NULL);
	assert_error(EXPLAIN(SCRATCH "/file/", 0), -ENOTDIR, &err, SCRATCH "/file", "explain", NULL);
	assert_error(EXPLAIN(SCRATCH "/loop", 0), -ELOOP, &err, SCRATCH "/loop", "explain", NULL);
	assert_error(EXPLAIN("/proc/self/status", 0), -EOPNOTSUPP, &err, "self", "explain", "procfs");
	assert_error(EXPLAIN("/", 2), -EINVAL, &err, "/", "explain", "0x2");
	assert_int_equal(EXPLAIN(SCRATCH "/loop", IDM_EXPLAIN_NOFOLLOW), 7);
	assert_error(idm_explain_path(-1, "/", 0, count_places, &places, &err), -EINVAL, &err, NULL,
		     "explain", "-1");
}

static struct statx times_of(const char *path)
{
	struct statx st;

	must(statx(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, STATX_ATIME | STATX_CTIME | STATX_MTIME, &st));
	return st;
}

static void assert_same_time(const struct statx_timestamp *a, const struct statx_timestamp *b)
{
	assert_int_equal(a->tv_sec, b->tv_sec);
	assert_int_equal(a->tv_nsec, b->tv_nsec);
}

TEST(no_time_of_a_file_or_directory_changes)
{
	static const char *const names[] = { SCRATCH "/strict/dir", SCRATCH "/strict/dir/file" };
	struct statx before[ARRAY_SIZE(names)], after;

	scratch_enter();
	scratch_dir(SCRATCH "/strict");
	do_mount("none", SCRATCH "/strict", "tmpfs", 1 << 24 /* MS_STRICTATIME */, NULL);
	make_dir(SCRATCH "/strict/dir", 0755, 0, 0);
	make_file(SCRATCH "/strict/dir/file", 0644, 0, 0);
	set_acl(SCRATCH "/strict/dir/file");
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		before[i] = times_of(names[i]);
	explain(0, SCRATCH "/strict/dir/file", IDM_ACCESS_READ);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		after = times_of(names[i]);
		assert_same_time(&before[i].stx_atime, &after.stx_atime);
		assert_same_time(&before[i].stx_mtime, &after.stx_mtime);
		assert_same_time(&before[i].stx_ctime, &after.stx_ctime);
	}
}
