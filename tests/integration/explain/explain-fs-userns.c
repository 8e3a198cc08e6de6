// SPDX-License-Identifier: MIT
/*
 * Filesystems that a user namespace mounted: idm_explain_path() finds out which one, and the verdict is
 * the kernel's. Also of a process of the initial user namespace, whose IDs such a filesystem does not
 * have.
 */
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/fsuid.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/macros.h"
#include "tests/lib/maps.h"
#include "tests/lib/scratch.h"

#define MAP "0 100000 1000\n"
#define INSIDE SCRATCH "/inside"
#define MAPPED SCRATCH "/mapped"
#define OVER SCRATCH "/over"

/* ---- the container ---- */

static void make_owned(const char *path, mode_t type, mode_t mode, uid_t id)
{
	if (S_ISDIR(type))
		must(mkdir(path, 0700));
	else
		scratch_file(path, "");
	must(chown(path, id, id));
	must(chmod(path, mode));
}

static void make_files(void)
{
	make_owned(INSIDE "/open", S_IFDIR, 0777, 0);
	make_owned(INSIDE "/file", S_IFREG, 0640, 0);
	make_owned(INSIDE "/other", S_IFREG, 0606, 9);
	make_owned(INSIDE "/private", S_IFDIR, 0700, 7);
}

static void attach_mapped(void)
{
	AUTO_CLOSE int userns = userns_of("0:5:1,1:6:2"), tree = -1;
	struct idm_error err;

	tree = (int)assert_ok(idm_tree_open(AT_FDCWD, INSIDE, userns, NULL, &err), &err);
	assert_ok(idm_tree_attach(tree, AT_FDCWD, MAPPED, NULL, &err), &err);
}

static void mount_overlay(void)
{
	must(mkdir(INSIDE "/upper", 0777));
	must(mkdir(INSIDE "/work", 0777));
	make_owned(INSIDE "/upper/open", S_IFDIR, 0777, 0);
	must(chmod(INSIDE "/upper", 0777));
	do_mount("none", OVER, "overlay", 0,
		 "userxattr,lowerdir=" INSIDE "/open,upperdir=" INSIDE "/upper,workdir=" INSIDE "/work");
}

static void run_container(int ready)
{
	enter_userns(MAP);
	must(unshare(CLONE_NEWNS));
	do_mount("none", INSIDE, "tmpfs", 0, "mode=0755");
	make_files();
	attach_mapped();
	mount_overlay();
	must(write(ready, "", 1));
	pause();
	_exit(0);
}

struct process {
	pid_t pid;
	int ready;
};

/* Returns when the child has written a byte. */
static pid_t start(void (*run)(int ready, const void *data), const void *data)
{
	int ready[2];
	pid_t pid;
	char byte;

	must(pipe2(ready, O_CLOEXEC));
	pid = (pid_t)must(fork());
	if (pid == 0) {
		umask(0);
		run(ready[1], data);
	}
	close(ready[1]);
	assert_int_equal(must(read(ready[0], &byte, 1)), 1);
	close(ready[0]);
	return pid;
}

static void run_as_container(int ready, const void *data)
{
	(void)data;
	run_container(ready);
}

static void stop(pid_t pid)
{
	must(kill(pid, SIGKILL));
	must(waitpid(pid, NULL, 0));
}

static pid_t start_container(void)
{
	scratch_dir(INSIDE);
	scratch_dir(MAPPED);
	scratch_dir(OVER);
	return start(run_as_container, NULL);
}

/* ---- processes in its mount namespace ---- */

struct kind {
	const char *name;
	uid_t id, fsuid; /* in its user namespace */
	bool is_initial;
	bool keeps_capabilities;
};

/* Root made the container. The kernel compares the owner of a user namespace with the effective ID. */
static const struct kind kinds[] = {
	{ "root of the container", 0, 0, false, true },
	{ "user of the container", 5, 5, false, false },
	{ "another user of the container", 9, 9, false, true },
	{ "root", 0, 0, true, true },
	{ "user", 1000, 1000, true, false },
	{ "user with the number of one inside", 100005, 100005, true, false },
	{ "the same, with capabilities", 100007, 100007, true, true },
	{ "root without capabilities", 0, 0, true, false },
	{ "root for all but files", 0, 1000, true, false },
	{ "root for files only", 1000, 0, true, false },
};

static const char *const paths[] = { INSIDE "/open",	  INSIDE "/file",   INSIDE "/other",
				     INSIDE "/private",	  INSIDE "/device", MAPPED "/open",
				     MAPPED "/file",	  MAPPED "/other",  MAPPED "/private",
				     MAPPED "/device",	  OVER "/open",	    SCRATCH "/host",
				     SCRATCH "/host-file" };

enum { READ, WRITE, EXECUTE, CREATE, CHOWN, TRIES };

static const enum idm_access accesses[TRIES] = { IDM_ACCESS_READ, IDM_ACCESS_WRITE, IDM_ACCESS_EXECUTE,
						 IDM_ACCESS_CREATE, IDM_ACCESS_CHOWN };

static int (*codes)[TRIES]; /* of each path; shared */

static int open_ns(pid_t pid, const char *name)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/ns/%s", (int)pid, name);
	return (int)must(open(path, O_RDONLY | O_CLOEXEC));
}

static void drop_capabilities(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	const struct __user_cap_data_struct none[2] = { { 0 } };

	must(syscall(SYS_capset, &header, none));
}

static void become_kind(const struct kind *kind)
{
	must(prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP));
	must(syscall(SYS_setgroups, 0, NULL));
	must(syscall(SYS_setresgid, kind->id, kind->id, kind->id));
	must(syscall(SYS_setresuid, kind->id, kind->id, kind->fsuid));
	setfsuid(kind->fsuid);
	if (!kind->keeps_capabilities)
		drop_capabilities();
	must(prctl(PR_SET_DUMPABLE, 1));
}

static int errno_of(long r)
{
	return r < 0 ? errno : 0;
}

static bool is_directory(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static int try_create(const char *directory)
{
	char path[128];
	int code;

	snprintf(path, sizeof(path), "%s/new", directory);
	code = errno_of(mknod(path, S_IFREG | 0600, 0));
	unlink(path);
	return code;
}

/* The errno of an open(2), since access(2) does not look at nodev. */
static int try_device(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC), code = errno_of(fd);

	if (fd >= 0)
		close(fd);
	return code;
}

/* The owner that it has on most of these: nothing changes. The mapped mount shows that one as 5. */
static uid_t new_owner_of(const struct kind *kind, const char *path)
{
	if (strstr(path, MAPPED))
		return kind->is_initial ? 100005 : 5;
	return kind->is_initial && strstr(path, INSIDE) ? 100000 : 0;
}

/* A new owner of these changes what the mapped mount shows. That is tried on that mount. */
static bool is_tried(const char *path, enum idm_access access)
{
	return access != IDM_ACCESS_CHOWN ||
	       (strcmp(path, INSIDE "/other") != 0 && strcmp(path, INSIDE "/private") != 0);
}

static int try_chown(const struct kind *kind, const char *path)
{
	uid_t id = new_owner_of(kind, path);

	return is_tried(path, IDM_ACCESS_CHOWN) ? errno_of(chown(path, id, (gid_t)id)) : 0;
}

static void try_path(const struct kind *kind, const char *path, int result[TRIES])
{
	bool device = strstr(path, "device");

	result[READ] = device ? try_device(path, O_RDONLY)
			      : errno_of(faccessat(AT_FDCWD, path, R_OK, AT_EACCESS));
	result[WRITE] = device ? try_device(path, O_WRONLY)
			       : errno_of(faccessat(AT_FDCWD, path, W_OK, AT_EACCESS));
	result[EXECUTE] = errno_of(faccessat(AT_FDCWD, path, X_OK, AT_EACCESS));
	result[CREATE] = is_directory(path) ? try_create(path) : 0;
	result[CHOWN] = try_chown(kind, path);
}

struct place {
	pid_t container;
	const struct kind *kind;
};

static void run_subject(int ready, const void *data)
{
	const struct place *place = data;
	AUTO_CLOSE int userns = open_ns(place->container, "user"),
		       mntns = open_ns(place->container, "mnt");

	if (!place->kind->is_initial)
		must(setns(userns, CLONE_NEWUSER));
	must(setns(mntns, CLONE_NEWNS));
	become_kind(place->kind);
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++)
		try_path(place->kind, paths[i], codes[i]);
	must(write(ready, "", 1));
	pause();
	_exit(0);
}

/* ---- the library's verdict ---- */

struct verdict {
	enum idm_access access;
	uid_t new_owner;
	struct idm_explain_result result;
	bool has_fs_map, is_directory;
	uint32_t unseen;
};

static int judge_place(const struct idm_explain_info *place, void *data)
{
	struct idm_explain_options facts = IDM_EXPLAIN_OPTIONS_INIT;
	struct verdict *v = data;
	struct idm_error err;

	idm_explain_copy(place->facts, &facts);
	if (place->is_last)
		facts.access = v->access;
	v->is_directory = S_ISDIR(facts.inode->mode);
	v->has_fs_map = facts.fs_map;
	v->unseen = place->unseen;
	facts.new_uid = facts.new_gid = v->new_owner;
	if (facts.access == IDM_ACCESS_CREATE && !v->is_directory)
		return 1;
	v->result = (struct idm_explain_result)IDM_EXPLAIN_RESULT_INIT;
	assert_ok(idm_explain(&facts, &v->result, &err), &err);
	return v->result.rule != IDM_RULE_NONE;
}

static struct verdict explain(pid_t pid, const char *path, enum idm_access access, uid_t new_owner)
{
	struct verdict v = { .access = access, .new_owner = new_owner };
	struct idm_error err;

	assert_true(idm_explain_path(pid, path, 0, judge_place, &v, &err) >= 0);
	return v;
}

static void compare(const struct kind *kind, pid_t pid)
{
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++)
		for (int try = 0; try < TRIES && is_tried(paths[i], accesses[try]); try++) {
			struct verdict v = explain(pid, paths[i], accesses[try],
						   new_owner_of(kind, paths[i]));

			if (v.result.errnum == codes[i][try])
				continue;
			/* The layer of an overlay refuses the rest. */
			if (!v.result.errnum && v.unseen & IDM_UNSEEN_LAYERS)
				continue;
			fail_msg("%s, %s, access %d: the kernel: %s, the library: %s (rule %d)",
				 kind->name, paths[i], (int)accesses[try], strerror(codes[i][try]),
				 strerror(v.result.errnum), (int)v.result.rule);
		}
}

/* Root of the initial namespace, as the owner that the filesystem has. */
static void make_device(void *container)
{
	AUTO_CLOSE int mntns = open_ns(*(pid_t *)container, "mnt");

	must(setns(mntns, CLONE_NEWNS));
	umask(0);
	must(prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP));
	setfsuid(100000);
	setfsgid(100000);
	must(mknod(INSIDE "/device", S_IFCHR | 0666, makedev(1, 3)));
}

/* A process that may change an owner has done so. */
static void restore_owners(void *container)
{
	AUTO_CLOSE int mntns = open_ns(*(pid_t *)container, "mnt");

	must(setns(mntns, CLONE_NEWNS));
	must(chown(INSIDE "/other", 100009, 100009));
	must(chown(INSIDE "/private", 100007, 100007));
}

static pid_t prepare(void)
{
	pid_t container;

	scratch_enter();
	make_owned(SCRATCH "/host", S_IFDIR, 0777, 0);
	make_owned(SCRATCH "/host-file", S_IFREG, 0666, 0);
	container = start_container();
	in_child(make_device, &container);
	return container;
}

TEST_SINCE(6, 15, maps_are_not_read, the_verdict_on_a_filesystem_of_a_user_namespace_is_the_kernels)
{
	const size_t size = sizeof(int[ARRAY_SIZE(paths)][TRIES]);
	pid_t container = prepare();

	codes = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(codes != MAP_FAILED);
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		const struct place place = { container, &kinds[i] };
		pid_t pid = start(run_subject, &place);

		in_child(restore_owners, &container);
		compare(&kinds[i], pid);
		stop(pid);
	}
	munmap(codes, size);
	stop(container);
}

/* ---- single facts ---- */

static void assert_found(pid_t pid, const char *path, bool has_fs_map, bool is_unseen)
{
	struct verdict v = explain(pid, path, IDM_ACCESS_READ, 0);

	assert_int_equal(v.has_fs_map, has_fs_map);
	assert_int_equal(!!(v.unseen & IDM_UNSEEN_FS_USERNS), is_unseen);
}

static void assert_found_inside(void *container)
{
	AUTO_CLOSE int userns = open_ns(*(pid_t *)container, "user"),
		       mntns = open_ns(*(pid_t *)container, "mnt");

	must(setns(userns, CLONE_NEWUSER));
	must(setns(mntns, CLONE_NEWNS));
	must(syscall(SYS_setresgid, 0, 0, 0));
	must(syscall(SYS_setresuid, 0, 0, 0));
	assert_found(0, INSIDE "/file", true, false);
	assert_found(0, MAPPED "/file", true, false);
	assert_found(0, SCRATCH "/host", false, false);
	assert_found(0, OVER "/open", true, false);
}

TEST_SINCE(6, 15, maps_are_not_read, the_user_namespace_is_found_where_the_kernel_maps_the_filesystem)
{
	pid_t container = prepare();

	assert_found(container, INSIDE "/file", true, false);
	assert_found(container, MAPPED "/file", true, false);
	assert_found(container, SCRATCH "/host", false, false);
	assert_found(container, OVER "/open", true, false);
	assert_found(0, SCRATCH "/host", false, false);
	assert_found(0, "/proc", false, false);
	in_child(assert_found_inside, &container);
	stop(container);
}

static void assert_unseen(void *container)
{
	become_user(1000, 1000);
	assert_found(*(pid_t *)container, SCRATCH "/host", false, true);
	assert_found(0, SCRATCH "/host", false, false);
}

static void untried_before_tmpfs_is_mapped(void)
{
	untried("the kernel maps no tmpfs");
}

TEST_SINCE(6, 3, untried_before_tmpfs_is_mapped,
	   an_ordinary_user_learns_that_the_user_namespace_is_not_seen)
{
	pid_t container = prepare();

	in_child(assert_unseen, &container);
	stop(container);
}
