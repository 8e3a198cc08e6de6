// SPDX-License-Identifier: MIT
/*
 * idm_check_path(), idm_features() and the explanations behind them tell the truth about real
 * filesystems, and leave nothing behind.
 *
 * Needs root, and mkfs.ext4, mkfs.xfs, mkfs.btrfs, mkfs.erofs, mksquashfs. Everything happens in a mount
 * namespace of its own.
 */
#include <errno.h>
#include <dirent.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/fuse.h>
#include <linux/magic.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "idmount.h"
#include "probe.h"
#include "tree-why.h"
#include "util.h"

#ifndef SYS_open_tree_attr
#define SYS_open_tree_attr 467
#endif
#ifndef FUSE_ALLOW_IDMAP
#define FUSE_ALLOW_IDMAP (1ULL << 40) /* Linux 6.12 */
#endif

static char scratch[] = "/tmp/idmount-check-XXXXXX";
static bool tmpfs_can; /* be ID-mapped: Linux 6.3 */

/* ---- the harness ---- */

static bool must_run(void)
{
	const char *s = getenv("IDM_MUST_RUN");

	return s && strcmp(s, "1") == 0;
}

static bool kernel_is_before(unsigned int major, unsigned int minor)
{
	struct utsname name;
	unsigned int have[2];

	assert_int_equal(uname(&name), 0);
	assert_int_equal(sscanf(name.release, "%u.%u", &have[0], &have[1]), 2);
	return have[0] < major || (have[0] == major && have[1] < minor);
}

/* What this machine has not, the test cannot show. */
static void need(bool there, const char *what)
{
	if (there)
		return;
	print_message("needs %s\n", what);
	if (must_run())
		fail();
	skip();
}

__attribute__((format(printf, 1, 2))) static int run(const char *format, ...)
{
	char command[1024];
	va_list args;
	int n = snprintf(command, sizeof(command), "exec >/dev/null 2>&1; cd %s && ", scratch);

	va_start(args, format);
	vsnprintf(command + n, sizeof(command) - (size_t)n, format, args);
	va_end(args);
	return system(command);
}

static const char *in_scratch(const char *name)
{
	static char path[32][128]; /* more than any test holds */
	static unsigned int next;
	char *p = path[next++ % ARRAY_SIZE(path)];

	snprintf(p, 128, "%s/%s", scratch, name);
	return p;
}

static int find_feature(const struct idm_feature *f, void *data)
{
	struct idm_feature *wanted = data;

	if (strcmp(f->name, wanted->name) != 0)
		return 0;
	*wanted = *f;
	return 1;
}

static bool feature_is(const char *name, bool available, int errnum)
{
	struct idm_feature f = { .name = name };

	return idm_features(find_feature, &f) == 1 && f.available == available && f.errnum == errnum;
}

static bool has(const char *name)
{
	return feature_is(name, true, 0);
}

/* A new mount at scratch/NAME. */
static const char *mounted(const char *type, const char *name, const char *options)
{
	const char *path = in_scratch(name);

	assert_int_equal(mkdir(path, 0755), 0);
	assert_int_equal(mount(type, path, type, 0, options), 0);
	return path;
}

/* The type of a filesystem that this kernel can map, and a new one at scratch/NAME. */
static const char *mappable_type(void)
{
	return tmpfs_can ? "tmpfs" : "ext4";
}

static const char *mounted_mappable(const char *name)
{
	const char *path = in_scratch(name);

	if (tmpfs_can)
		return mounted("tmpfs", name, "");
	assert_int_equal(mkdir(path, 0755), 0);
	need(run("truncate -s 8M %s.img && mkfs.ext4 -q %s.img", name, name) == 0, "mkfs.ext4");
	assert_int_equal(run("mount -t ext4 -o loop %s.img %s", name, name), 0);
	return path;
}

static void unmounted(const char *path)
{
	assert_int_equal(umount2(path, 0), 0); /* not lazily: nobody may hold it */
	assert_int_equal(rmdir(path), 0);
}

/* ---- before and after ---- */

static void append_directory(char *text, size_t size, const char *path, bool links)
{
	DIR *d = opendir(path);
	struct dirent *e;

	while (d && (e = readdir(d))) {
		char target[256] = "";
		size_t used = strlen(text);

		if (links && (e->d_type != DT_LNK || atoi(e->d_name) == dirfd(d)))
			continue;
		if (links && readlinkat(dirfd(d), e->d_name, target, sizeof(target) - 1) < 0)
			continue;
		snprintf(text + used, size - used, "%s %s\n", e->d_name, target);
	}
	if (d)
		closedir(d);
}

static void append_file(char *text, size_t size, const char *path)
{
	FILE *f = fopen(path, "re");
	size_t used = strlen(text);

	if (!f)
		return;
	used += fread(text + used, 1, size - used - 1, f);
	text[used] = '\0';
	fclose(f);
}

/* Descriptors, mounts, and the names in the directory. */
static char *snapshot(const char *path)
{
	size_t size = 1 << 18;
	struct statfs fs;
	char *text = calloc(1, size);

	append_directory(text, size, "/proc/self/fd", true);
	append_file(text, size, "/proc/self/mountinfo");
	if (path && statfs(path, &fs) == 0 && fs.f_type != PROC_SUPER_MAGIC) /* where pids come and go */
		append_directory(text, size, path, false);
	return text;
}

/* Prints the lines of one text that are not in the other. */
static void print_missing(const char *what, const char *text, const char *other)
{
	for (const char *line = text; *line; line += strcspn(line, "\n") + 1) {
		int length = (int)strcspn(line, "\n") + 1;
		char copy[1024];

		snprintf(copy, sizeof(copy), "%.*s", length, line);
		if (!strstr(other, copy))
			print_message("%s: %s", what, copy);
	}
}

/* Says what has changed, and whether anything has. */
static bool nothing_left(char *before, const char *path)
{
	char *after = snapshot(path);
	bool same = strcmp(before, after) == 0;

	print_missing("gone", before, after);
	print_missing("left behind", after, before);
	free(before);
	free(after);
	/* No child, not even one that wait(-1) does not see. */
	return same && waitpid(-1, NULL, WNOHANG | __WALL) == -1 && errno == ECHILD;
}

struct result {
	struct idm_check c;
	struct idm_error e;
	int r;
};

static struct result check_quietly(int dirfd, const char *path, unsigned int flags)
{
	struct result x = { .c.size = sizeof(x.c) };

	x.r = idm_check_path(dirfd, path, flags, &x.c, &x.e);
	return x;
}

static struct result check_at(int dirfd, const char *path, unsigned int flags)
{
	char *before = snapshot(path);
	struct result x = check_quietly(dirfd, path, flags);

	assert_true(nothing_left(before, path));
	assert_int_equal(x.c.size, sizeof(x.c));
	return x;
}

static struct result check(const char *path, unsigned int flags)
{
	return check_at(AT_FDCWD, path, flags);
}

static void show(const char *what, const struct result *x)
{
	print_message("%s: %d %s mappable %d mapped %d writable %d disk %d: %s [%s]\n", what, x->r,
		      x->c.fstype, x->c.mappable, x->c.mapped, x->c.writable, x->c.disk_id_checked,
		      x->e.message, x->e.hint);
}

#define assert_contains(text, part) assert_non_null(strstr(text, part))

static void assert_mappable(const struct result *x, const char *fstype)
{
	show("expected to be mappable", x);
	assert_int_equal(x->r, 0);
	assert_string_equal(x->c.fstype, fstype);
	assert_true(x->c.mappable);
}

/* Mappable and writable, seen from both ends, with nothing to complain about. */
static void assert_all_well(const struct result *x, const char *fstype)
{
	assert_mappable(x, fstype);
	assert_true(x->c.writable);
	assert_true(x->c.disk_id_checked);
	assert_int_equal(x->e.errnum, 0);
	assert_string_equal(x->e.message, "");
}

static void assert_refused(const struct result *x, int errnum, const char *reason)
{
	show("expected to be refused", x);
	assert_int_equal(x->r, 0);
	assert_false(x->c.mappable);
	assert_false(x->c.writable);
	assert_false(x->c.disk_id_checked);
	assert_int_equal(x->e.errnum, errnum);
	assert_string_equal(x->e.step, "map tree");
	assert_contains(x->e.reason, reason);
}

static void assert_not_writable(const struct result *x, int errnum, const char *reason)
{
	show("expected not to be writable", x);
	assert_int_equal(x->r, 0);
	assert_true(x->c.mappable);
	assert_false(x->c.writable);
	assert_int_equal(x->e.errnum, errnum);
	assert_string_equal(x->e.step, "make file");
	assert_contains(x->e.reason, reason);
}

/* ---- filesystems that can ---- */

static void test_tmpfs(void **state)
{
	const char *path = mounted("tmpfs", "t", "");
	struct result x;

	(void)state;
	x = check(path, 0);
	if (!tmpfs_can) {
		assert_refused(&x, EINVAL, "the filesystem (tmpfs) cannot be ID-mapped");
		assert_string_equal(x.e.hint, "tmpfs can from Linux 6.3 on");
		unmounted(path);
		return;
	}
	assert_mappable(&x, "tmpfs");
	assert_false(x.c.mapped);
	assert_false(x.c.writable); /* not asked */
	x = check(path, IDM_CHECK_WRITE);
	assert_all_well(&x, "tmpfs");

	/* Another owner, and a directory that gives its group to what is made in it. */
	assert_int_equal(chown(path, 1234, 4321), 0);
	assert_int_equal(chmod(path, 02755), 0);
	x = check(path, IDM_CHECK_WRITE);
	assert_all_well(&x, "tmpfs");
	assert_int_equal(chown(path, 0, 4321), 0);
	assert_int_equal(chmod(path, 02700), 0);
	x = check(path, IDM_CHECK_WRITE);
	assert_all_well(&x, "tmpfs");

	/* From inside, by descriptor. */
	int fd = open(path, O_PATH | O_CLOEXEC);

	x = check_at(fd, "", IDM_CHECK_WRITE);
	assert_all_well(&x, "tmpfs");
	x = check_at(fd, ".", IDM_CHECK_WRITE);
	assert_all_well(&x, "tmpfs");
	close(fd);
	unmounted(path);
}

/* The image is made by a command that gets its file name. */
static void on_image(const char *fstype, const char *make, unsigned int megabytes, const char *expected)
{
	const char *path = in_scratch("fs");
	struct result x;

	need(run("truncate -s %uM image && %s", megabytes, make) == 0, make);
	assert_int_equal(mkdir(path, 0755), 0);
	assert_int_equal(run("mount -t %s -o loop image fs", fstype), 0);
	x = check(path, IDM_CHECK_WRITE);
	if (!expected) {
		assert_all_well(&x, fstype);
		assert_int_equal(run("chown 77:78 fs"), 0);
		x = check(path, IDM_CHECK_WRITE);
		assert_all_well(&x, fstype);
	} else {
		assert_mappable(&x, fstype);
		assert_not_writable(&x, EROFS, expected);
	}
	unmounted(path);
	assert_int_equal(run("rm image"), 0);
}

static void test_ext4(void **state)
{
	(void)state;
	on_image("ext4", "mkfs.ext4 -q image", 16, NULL);
}

static void test_xfs(void **state)
{
	(void)state;
	on_image("xfs", "mkfs.xfs -q image", 300, NULL);
}

static void test_btrfs(void **state)
{
	(void)state;
	on_image("btrfs", "mkfs.btrfs -q image", 120, NULL);
}

static void test_squashfs(void **state)
{
	(void)state;
	on_image("squashfs", "mkdir d && mksquashfs d image -noappend && rmdir d", 0, "read-only");
}

static void test_erofs(void **state)
{
	(void)state;
	on_image("erofs", "mkdir d && mkfs.erofs image d && rmdir d", 0, "read-only");
}

/* ---- filesystems that cannot ---- */

static void test_no_idmap(void **state)
{
	static const char *const types[] = { "ramfs", "proc", "sysfs", "devpts", "cgroup2", "mqueue" };
	struct result x;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		const char *path = mounted(types[i], "no", "");
		char reason[64];

		snprintf(reason, sizeof(reason), "the filesystem (%s) cannot be ID-mapped", types[i]);
		x = check(path, IDM_CHECK_WRITE);
		assert_refused(&x, EINVAL, reason);
		assert_string_equal(x.c.fstype, types[i]);
		assert_string_equal(x.e.subject, path);
		assert_string_not_equal(x.e.hint, "");
		unmounted(path);
	}
}

static void test_overlay(void **state)
{
	const char *path;
	struct result x;

	(void)state;
	assert_int_equal(run("mkdir l1 l2"), 0);
	assert_int_equal(chdir(scratch), 0);
	path = mounted("overlay", "ov", "lowerdir=l1:l2");
	assert_int_equal(chdir("/"), 0);
	x = check(path, 0);
	assert_refused(&x, EINVAL, "the filesystem (overlay) cannot be ID-mapped");
	assert_contains(x.e.hint, "map its layers instead");
	unmounted(path);
	assert_int_equal(run("rmdir l1 l2"), 0);
}

/* The ext4 driver can, but not under its old names. */
static void test_ext2_name(void **state)
{
	const char *path = in_scratch("fs");
	struct result x;

	(void)state;
	need(run("truncate -s 8M image && mkfs.ext2 -q image") == 0, "mkfs.ext2");
	assert_int_equal(mkdir(path, 0755), 0);
	need(run("mount -t ext2 -o loop image fs") == 0, "ext2");
	x = check(path, 0);
	assert_refused(&x, EINVAL, "the filesystem (ext2) cannot be ID-mapped");
	assert_contains(x.e.hint, "-t ext4");
	unmounted(path);
	assert_int_equal(run("rm image"), 0);
}

/* ---- a FUSE server ---- */

struct server {
	int dev;
	uint64_t flags;	     /* that it asks for */
	bool tmpfile, wrong; /* it makes nameless files; with an owner of its own choice */
	pthread_t thread;
};

static void answer(int dev, uint64_t unique, int error, const void *body, size_t size)
{
	char buf[512];
	struct fuse_out_header out = {
		.len = (uint32_t)(sizeof(out) + size),
		.error = error,
		.unique = unique,
	};

	memcpy(buf, &out, sizeof(out));
	memcpy(buf + sizeof(out), body, size);
	if (write(dev, buf, out.len) < 0)
		abort();
}

/* Nodes: 1 is the root, 2 the file that has no name. */
static struct fuse_attr attr_of(uint64_t node, uint32_t uid, uint32_t gid)
{
	return (struct fuse_attr){
		.ino = node,
		.mode = node == 1 ? S_IFDIR | 0755 : S_IFREG | 0600,
		.nlink = 1,
		.uid = uid,
		.gid = gid,
	};
}

static void serve_getattr(const struct server *s, const struct fuse_in_header *in)
{
	struct fuse_attr_out out = { .attr = attr_of(in->nodeid, 500, 600) };

	answer(s->dev, in->unique, 0, &out, sizeof(out));
}

static void serve_tmpfile(const struct server *s, const struct fuse_in_header *in)
{
	struct {
		struct fuse_entry_out entry;
		struct fuse_open_out open;
	} out = {
		.entry = {
			.nodeid = 2,
			.attr_valid = 1000, /* seconds, in which it is not asked again */
			.attr = attr_of(2, s->wrong ? 12345 : in->uid, in->gid),
		},
	};

	if (s->tmpfile)
		answer(s->dev, in->unique, 0, &out, sizeof(out));
	else
		answer(s->dev, in->unique, -ENOSYS, "", 0);
}

static void *serve(void *data)
{
	const struct server *s = data;
	struct fuse_init_out init = {
		.major = FUSE_KERNEL_VERSION,
		.minor = 41,
		.flags = (uint32_t)s->flags | FUSE_INIT_EXT,
		.flags2 = (uint32_t)(s->flags >> 32),
		.max_write = 4096,
	};
	union {
		struct fuse_in_header in;
		char room[FUSE_MIN_READ_BUFFER + 65536];
	} buf;

	while (read(s->dev, &buf, sizeof(buf)) > 0) { /* ENODEV: it was unmounted */
		switch (buf.in.opcode) {
		case FUSE_INIT:
			answer(s->dev, buf.in.unique, 0, &init, sizeof(init));
			break;
		case FUSE_GETATTR:
			serve_getattr(s, &buf.in);
			break;
		case FUSE_TMPFILE:
			serve_tmpfile(s, &buf.in);
			break;
		case FUSE_RELEASE:
			answer(s->dev, buf.in.unique, 0, "", 0);
			break;
		case FUSE_FORGET:
		case FUSE_BATCH_FORGET:
			break; /* wants no answer */
		default:
			answer(s->dev, buf.in.unique, -ENOSYS, "", 0);
		}
	}
	return NULL;
}

static struct result check_fuse(struct server s)
{
	char options[128];
	const char *path;
	struct result x;

	s.dev = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	need(s.dev >= 0, "/dev/fuse");
	snprintf(
		options, sizeof(options),
		"fd=%d,rootmode=40000,user_id=0,group_id=0,allow_other,default_permissions,subtype=test",
		s.dev);
	path = mounted("fuse", "fuse", options);
	assert_int_equal(pthread_create(&s.thread, NULL, serve, &s), 0);
	x = check(path, IDM_CHECK_WRITE);
	unmounted(path);
	pthread_join(s.thread, NULL);
	close(s.dev);
	return x;
}

static void test_fuse(void **state)
{
	struct result x = check_fuse((struct server){ .tmpfile = true });

	(void)state;
	assert_refused(&x, EINVAL, "the filesystem (fuse.test) cannot be ID-mapped");
	if (kernel_is_before(6, 12)) {
		assert_string_equal(x.e.hint, "fuse can from Linux 6.12 on");
		return;
	}
	assert_contains(x.e.hint, "FUSE_ALLOW_IDMAP");

	x = check_fuse((struct server){ .flags = FUSE_ALLOW_IDMAP, .tmpfile = true });
	assert_mappable(&x, "fuse.test");
	assert_true(x.c.writable);
	assert_string_equal(x.e.message, "");

	x = check_fuse((struct server){ .flags = FUSE_ALLOW_IDMAP });
	assert_not_writable(&x, EOPNOTSUPP, "cannot make nameless files");

	x = check_fuse((struct server){ .flags = FUSE_ALLOW_IDMAP, .tmpfile = true, .wrong = true });
	assert_not_writable(&x, EIO, "a file made through the map by 0:0 is seen as owned by");
}

/* ---- mounts that cannot, or not be written ---- */

static void test_unbindable(void **state)
{
	const char *path = mounted("tmpfs", "un", "");
	struct result x;

	(void)state;
	assert_int_equal(mount(NULL, path, NULL, MS_UNBINDABLE, NULL), 0);
	x = check(path, 0);
	assert_refused(&x, EINVAL, "unbindable");
	unmounted(path);
}

static void test_read_only(void **state)
{
	const char *path = mounted_mappable("ro");
	struct result x;

	(void)state;
	x = check(path, IDM_CHECK_WRITE);
	assert_all_well(&x, mappable_type());
	assert_int_equal(mount(NULL, path, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL), 0);
	x = check(path, 0);
	assert_mappable(&x, mappable_type());
	assert_int_equal(x.e.errnum, 0); /* writing was not asked for */
	x = check(path, IDM_CHECK_WRITE);
	assert_not_writable(&x, EROFS, "the mount is read-only");
	unmounted(path);
}

static void test_no_room(void **state)
{
	const char *path = mounted_mappable("t");
	struct result x;

	(void)state;
	if (tmpfs_can)
		assert_int_equal(mount(NULL, path, NULL, MS_REMOUNT, "nr_inodes=10"), 0);
	assert_int_equal(run("cd t; n=0; while touch $n; do n=$((n+1)); done; [ $n -gt 0 ]"), 0);
	x = check(path, IDM_CHECK_WRITE);
	assert_not_writable(&x, ENOSPC, "has no room");
	unmounted(path);
}

static void test_file(void **state)
{
	const char *path = mounted_mappable("t");
	struct result x;

	(void)state;
	assert_int_equal(run("touch t/file"), 0);
	x = check(in_scratch("t/file"), 0);
	assert_mappable(&x, mappable_type());
	x = check(in_scratch("t/file"), IDM_CHECK_WRITE);
	assert_not_writable(&x, ENOTDIR, "not a directory");
	unmounted(path);
}

static void test_mapped_source(void **state)
{
	const char *from = mounted_mappable("from"), *to = in_scratch("to");
	int userns = idm_probe_userns(NULL), source = open(from, O_PATH | O_CLOEXEC), tree;
	struct result x;

	(void)state;
	assert_int_equal(chown(from, 3, 4), 0);
	assert_int_equal(mkdir(to, 0755), 0);
	tree = idm_probe_clone(source, userns, false);
	assert_true(tree >= 0);

	x = check_at(tree, "", IDM_CHECK_WRITE); /* before it is attached */
	if (has("open-tree-attr")) {
		assert_all_well(&x, mappable_type());
		assert_true(x.c.mapped);
	} else {
		assert_refused(&x, EINVAL, "attached nowhere");
	}

	assert_int_equal(move_mount(tree, "", AT_FDCWD, to, MOVE_MOUNT_F_EMPTY_PATH), 0);
	close(tree);
	close(source);
	close(userns);
	x = check(to, IDM_CHECK_WRITE);
	assert_true(x.c.mapped);
	if (has("open-tree-attr"))
		assert_all_well(&x, mappable_type());
	else
		assert_refused(&x, EPERM, "ID-mapped already");
	x = check(from, 0);
	assert_false(x.c.mapped);
	unmounted(to);
	unmounted(from);
}

/* ---- processes ---- */

/* Runs `body` in a child; it returns whether all is well. */
static bool in_child(bool (*body)(void))
{
	pid_t pid = fork();
	int status;

	if (pid == 0)
		_exit(body() ? 0 : 1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static bool result_is(const struct result *x, bool mappable, int errnum, const char *reason)
{
	show("in a child", x);
	return x->r == 0 && x->c.mappable == mappable && x->e.errnum == errnum &&
	       strstr(x->e.reason, reason);
}

static bool become_nobody(void)
{
	return setgid(65534) == 0 && setuid(65534) == 0 && prctl(PR_SET_DUMPABLE, 1) == 0;
}

static int expect_eperm(const struct idm_feature *f, void *data)
{
	static const char *const free[] = { "clone3",	 "pidfd",	 "openat2",
					    "statmount", "mount-ns-ids", "statmount-idmap" };
	bool *all_well = data;

	if (strcmp(f->name, "userns") == 0) /* a sysctl may forbid it */
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(free); i++)
		if (strcmp(f->name, free[i]) == 0)
			return 0;
	if (strcmp(f->name, "open-tree-attr") == 0 && kernel_is_before(6, 15))
		*all_well &= !f->available && f->errnum == ENOSYS;
	else
		*all_well &= !f->available && f->errnum == EPERM;
	return 0;
}

static bool as_nobody(void)
{
	char *before;
	struct result x;
	bool well = true;

	if (!become_nobody())
		return false;
	before = snapshot(scratch);
	x = check_quietly(AT_FDCWD, scratch, IDM_CHECK_WRITE);
	well &= result_is(&x, false, EPERM, "CAP_SYS_ADMIN");
	well &= idm_features(expect_eperm, &well) == 0;
	return nothing_left(before, scratch) && well;
}

static void test_unprivileged(void **state)
{
	(void)state;
	assert_true(in_child(as_nobody));
}

/* Goes on as root of a user namespace with `count` ids, and a mount namespace in it. */
static bool enter_userns(unsigned int count)
{
	struct idm_entry ids = { 0, 0, count };
	struct idm_map *map;
	int fd;

	if (idm_map_new(&map) < 0 || idm_map_add(map, IDM_BOTH, &ids, 1, NULL) < 0)
		return false;
	fd = idm_userns_open(map, 0, NULL);
	idm_map_free(map);
	if (fd < 0 || setns(fd, CLONE_NEWUSER) < 0 || unshare(CLONE_NEWNS) < 0)
		return false;
	close(fd);
	return prctl(PR_SET_DUMPABLE, 1) == 0;
}

static bool mount_own_tmpfs(void)
{
	return mount("tmpfs", in_scratch("own"), "tmpfs", 0, "") == 0;
}

static bool inside_userns(void)
{
	struct result host, own;

	if (!enter_userns(65536) || !mount_own_tmpfs())
		return false;
	host = check_quietly(AT_FDCWD, in_scratch("host"), 0);
	own = check_quietly(AT_FDCWD, in_scratch("own"), IDM_CHECK_WRITE);
	if (!result_is(&host, false, EPERM, "user namespace that mounted the filesystem"))
		return false;
	if (!tmpfs_can)
		return result_is(&own, false, EINVAL, "the filesystem (tmpfs) cannot");
	return result_is(&own, true, 0, "") && own.c.writable;
}

/* There is no second id for the caller's to be exchanged with. */
static bool inside_small_userns(void)
{
	struct result x;

	if (!enter_userns(1) || !mount_own_tmpfs())
		return false;
	x = check_quietly(AT_FDCWD, in_scratch("own"), 0);
	if (!tmpfs_can)
		return result_is(&x, false, EINVAL, "the filesystem (tmpfs) cannot");
	if (!result_is(&x, true, 0, ""))
		return false;
	x = check_quietly(AT_FDCWD, in_scratch("own"), IDM_CHECK_WRITE);
	return result_is(&x, true, EOVERFLOW, "cannot store the id") && !x.c.writable;
}

/* A copy of only the top would show what a locked mount covers. */
static bool with_locked_mounts(void)
{
	struct result x;

	if (!enter_userns(65536))
		return false;
	x = check_quietly(AT_FDCWD, scratch, 0);
	return result_is(&x, false, EINVAL, "locked by another user namespace");
}

static void test_in_userns(void **state)
{
	(void)state;
	mounted_mappable("host");
	assert_int_equal(run("mkdir own"), 0);
	assert_true(in_child(inside_userns));
	assert_true(in_child(inside_small_userns));
	assert_true(in_child(with_locked_mounts));
	assert_int_equal(run("rmdir own"), 0);
	unmounted(in_scratch("host"));
}

/* A child with something of its own, that lives until its pipe is closed. */
struct neighbour {
	pid_t pid;
	int pipe;
};

static struct neighbour start_neighbour(bool (*prepare)(void))
{
	int ready[2], stay[2];
	struct neighbour n;
	char c;

	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	assert_int_equal(pipe2(stay, O_CLOEXEC), 0);
	n.pid = fork();
	if (n.pid == 0) {
		close(stay[1]);
		if (!prepare() || write(ready[1], "x", 1) != 1)
			_exit(1);
		_exit(read(stay[0], &c, 1) == 0 ? 0 : 1);
	}
	close(ready[1]);
	close(stay[0]);
	assert_int_equal(read(ready[0], &c, 1), 1);
	close(ready[0]);
	n.pipe = stay[1];
	return n;
}

static void end_neighbour(struct neighbour n)
{
	int status;

	close(n.pipe);
	assert_int_equal(waitpid(n.pid, &status, 0), n.pid);
	assert_int_equal(status, 0);
}

static bool other_mount_namespace(void)
{
	return unshare(CLONE_NEWNS) == 0 && mount_own_tmpfs();
}

static void test_foreign_mount(void **state)
{
	struct neighbour n;
	struct result x;
	char path[256];
	int fd;

	(void)state;
	assert_int_equal(run("mkdir own"), 0);
	n = start_neighbour(other_mount_namespace);
	snprintf(path, sizeof(path), "/proc/%d/root/%s/own", n.pid, scratch);
	fd = open(path, O_PATH | O_CLOEXEC);
	assert_true(fd >= 0);
	end_neighbour(n);
	x = check_at(fd, "", 0);
	assert_refused(&x, EINVAL, "another mount namespace");
	assert_string_equal(x.c.fstype, "tmpfs");
	close(fd);
	assert_int_equal(run("rmdir own"), 0);
}

/* ---- seccomp ---- */

/* From now on, system call `number` fails with `errnum` in this process. */
static bool take_away(unsigned int number, unsigned int errnum)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | errnum),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog filter = { ARRAY_SIZE(code), code };

	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
}

/* A mapped mount below a source that is not. */
static bool mapped_below_is_named(void)
{
	int userns = idm_probe_userns(NULL), source = open(in_scratch("plain"), O_PATH | O_CLOEXEC);
	int r = idm_probe_clone(source, userns, true);
	struct idm_error e;

	return r == -EPERM && idm_why_not_mapped(r, source, "plain", userns, true, &e) == -EPERM &&
	       strcmp(e.subject, in_scratch("plain/below")) == 0 &&
	       strstr(e.reason, "ID-mapped already");
}

static bool without_open_tree_attr(void)
{
	struct result x;

	if (!take_away(SYS_open_tree_attr, ENOSYS) || !feature_is("open-tree-attr", false, ENOSYS) ||
	    !has("idmapped-mounts"))
		return false;
	x = check_quietly(AT_FDCWD, in_scratch("plain"), IDM_CHECK_WRITE); /* in two calls */
	if (!result_is(&x, true, 0, "") || !x.c.writable)
		return false;
	x = check_quietly(AT_FDCWD, in_scratch("mapped"), 0);
	return result_is(&x, false, EPERM, "ID-mapped already") && x.c.mapped &&
	       strstr(x.e.hint, "open_tree_attr") && mapped_below_is_named();
}

static bool without_mount_setattr(void)
{
	struct result x;

	if (!take_away(SYS_open_tree_attr, EPERM) || !take_away(SYS_mount_setattr, EPERM))
		return false;
	x = check_quietly(AT_FDCWD, in_scratch("plain"), 0);
	return result_is(&x, false, EPERM, "a seccomp filter refuses mount_setattr(2)") &&
	       feature_is("idmapped-mounts", false, EPERM) && has("mount-api");
}

static bool without_open_tree(void)
{
	struct result x;

	if (!take_away(SYS_open_tree, ENOSYS))
		return false;
	x = check_quietly(AT_FDCWD, in_scratch("plain"), 0);
	return result_is(&x, false, ENOSYS, "a seccomp filter refuses open_tree(2)") &&
	       feature_is("mount-api", false, ENOSYS);
}

/* The listing goes by mountinfo then. */
static bool without_statmount(void)
{
	struct result x;

	if (!take_away(457, ENOSYS) || !feature_is("statmount", false, ENOSYS) ||
	    !feature_is("statmount-idmap", false, ENOSYS))
		return false;
	x = check_quietly(AT_FDCWD, in_scratch("mapped"), 0);
	if (!x.c.mapped || strcmp(x.c.fstype, mappable_type()) != 0)
		return false;
	x = check_quietly(AT_FDCWD, "/proc", 0);
	return result_is(&x, false, EINVAL, "the filesystem (proc) cannot be ID-mapped") && !x.c.mapped;
}

static bool without_others(void)
{
	static const struct {
		unsigned int number;
		const char *feature;
	} calls[] = {
		{ SYS_clone3, "clone3" },
		{ SYS_pidfd_send_signal, "pidfd" },
		{ SYS_openat2, "openat2" },
		{ SYS_move_mount, "mount-api" },
		{ SYS_fsopen, "overlay-fd-layers" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(calls); i++)
		if (!take_away(calls[i].number, ENOSYS) || !feature_is(calls[i].feature, false, ENOSYS))
			return false;
	return true;
}

static void test_seccomp(void **state)
{
	const char *plain = mounted_mappable("plain"), *mapped = in_scratch("mapped");
	int userns = idm_probe_userns(NULL), source = open(plain, O_PATH | O_CLOEXEC), tree;

	(void)state;
	assert_int_equal(mkdir(mapped, 0755), 0);
	tree = idm_probe_clone(source, userns, false);
	assert_int_equal(move_mount(tree, "", AT_FDCWD, mapped, MOVE_MOUNT_F_EMPTY_PATH), 0);
	close(tree);
	close(source);
	close(userns);
	assert_int_equal(run("mkdir plain/below && mount --bind mapped plain/below"), 0);
	assert_true(in_child(without_open_tree_attr));
	assert_true(in_child(without_mount_setattr));
	assert_true(in_child(without_open_tree));
	assert_true(in_child(without_statmount));
	assert_true(in_child(without_others));
	assert_int_equal(umount(in_scratch("plain/below")), 0);
	unmounted(mapped);
	unmounted(plain);
}

/* ---- features ---- */

static int collect(const struct idm_feature *f, void *data)
{
	char *text = data;
	unsigned int since[2];
	size_t used = strlen(text);

	snprintf(text + used, 4096 - used, "%s %d\n", f->name, f->errnum);
	assert_true(*f->name && *f->what && !strchr(f->what, '\n'));
	assert_int_equal(f->available, f->errnum == 0);
	/* A kernel may have more than its number says, but not less; root may try it all. */
	assert_int_equal(sscanf(f->since, "%u.%u", &since[0], &since[1]), 2);
	if (!f->available && f->errnum != ENODEV) /* built without overlay */
		assert_true(kernel_is_before(since[0], since[1]));
	return 0;
}

static int count_to_three(const struct idm_feature *f, void *data)
{
	int *n = data;

	(void)f;
	return ++*n == 3 ? 42 : 0;
}

static void test_features(void **state)
{
	char first[4096] = "", second[4096] = "", *before = snapshot(NULL);
	int n = 0;

	(void)state;
	assert_int_equal(idm_features(collect, first), 0);
	assert_int_equal(idm_features(collect, second), 0);
	assert_string_equal(first, second);
	assert_int_equal(idm_features(count_to_three, &n), 42);
	assert_int_equal(n, 3);
	assert_true(nothing_left(before, NULL));
}

/* ---- whose fault ---- */

/* The code and words for a map of `source` that must fail. */
static struct idm_error why(const char *path, int userns, bool recursive)
{
	int source = open(path, O_PATH | O_CLOEXEC), tree = idm_probe_clone(source, userns, recursive);
	struct idm_error e = { 0 };
	char *before = snapshot(path);

	assert_true(tree < 0);
	assert_int_equal(idm_why_not_mapped(tree, source, path, userns, recursive, NULL), tree);
	assert_int_equal(idm_why_not_mapped(tree, source, path, userns, recursive, &e), tree);
	assert_int_equal(e.errnum, -tree);
	assert_string_equal(e.step, "map tree");
	assert_true(nothing_left(before, path));
	close(source);
	print_message("%s [%s]\n", e.message, e.hint);
	return e;
}

static void assert_why(const char *path, int userns, int errnum, const char *reason)
{
	struct idm_error e = why(path, userns, false);

	assert_int_equal(e.errnum, errnum);
	assert_string_equal(e.subject, path);
	assert_contains(e.reason, reason);
}

static bool new_userns(void)
{
	return unshare(CLONE_NEWUSER) == 0;
}

static void write_map(pid_t pid, const char *file)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, file);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	assert_int_equal(write(fd, "0 1000 1\n", 9), 9);
	close(fd);
}

static int userns_of(pid_t pid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/ns/user", pid);
	return open(path, O_RDONLY | O_CLOEXEC);
}

static void assert_mapped_by(const char *path, int userns)
{
	int source = open(path, O_PATH | O_CLOEXEC), tree = idm_probe_clone(source, userns, false);

	assert_true(tree >= 0);
	close(tree);
	close(source);
}

static void test_incomplete_map(void **state)
{
	static const struct {
		const char *write, *reason;
	} cases[] = {
		{ NULL, "no uid map and no gid map" },
		{ "uid_map", "the user namespace has no gid map" },
		{ "gid_map", "the user namespace has no uid map" },
	};
	const char *path = mounted_mappable("t");

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct neighbour n = start_neighbour(new_userns);
		int userns = userns_of(n.pid);

		if (cases[i].write)
			write_map(n.pid, cases[i].write);
		end_neighbour(n);
		if (kernel_is_before(6, 9)) /* what is missing is nobody's */
			assert_mapped_by(path, userns);
		else
			assert_why(path, userns, EINVAL, cases[i].reason);
		/* Were it complete, this would still not work. */
		assert_why("/proc", userns, EINVAL, "the filesystem (proc)");
		close(userns);
	}
	unmounted(path);
}

static void test_no_userns(void **state)
{
	static const struct {
		const char *path;
		int flags, errnum;
		const char *reason;
	} cases[] = {
		{ "/proc/self/ns/user", O_RDONLY, EPERM, "the initial user namespace" },
		{ "/proc/self/ns/user", O_PATH, EBADF, "is O_PATH" },
		{ "/proc/self/ns/mnt", O_RDONLY, EINVAL, "a namespace, but not a user namespace" },
		{ "/dev/null", O_RDONLY, EINVAL, "is not a user namespace" },
		{ "/", O_RDONLY, EINVAL, "is not a user namespace" },
	};
	const char *path = mounted_mappable("t");

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int userns = open(cases[i].path, cases[i].flags | O_CLOEXEC);

		assert_true(userns >= 0);
		assert_why(path, userns, cases[i].errnum, cases[i].reason);
		close(userns);
	}
	assert_why(path, 1000000, EBADF, "is not open");
	unmounted(path);
}

/* The map and the filesystem of one user namespace. */
static bool own_namespace_as_map(void)
{
	struct idm_error e;
	int source, userns, r;

	if (!enter_userns(65536) || !mount_own_tmpfs())
		return false;
	source = open(in_scratch("own"), O_PATH | O_CLOEXEC);
	userns = open("/proc/self/ns/user", O_RDONLY | O_CLOEXEC);
	r = idm_probe_clone(source, userns, false);
	return r == -EINVAL && idm_why_not_mapped(r, source, "own", userns, false, &e) == -EINVAL &&
	       strstr(e.reason, "the one that mounted the filesystem");
}

/* A map that belongs to a namespace above the caller's. */
static int foreign_userns;

static bool map_of_another(void)
{
	struct idm_error e;
	int source, r;

	if (!enter_userns(65536) || !mount_own_tmpfs())
		return false;
	source = open(in_scratch("own"), O_PATH | O_CLOEXEC);
	r = idm_probe_clone(source, foreign_userns, false);
	return r == -EPERM &&
	       idm_why_not_mapped(r, source, "own", foreign_userns, false, &e) == -EPERM &&
	       strstr(e.reason, "no CAP_SYS_ADMIN in the user namespace that is the map");
}

static void test_wrong_userns(void **state)
{
	(void)state;
	if (!tmpfs_can)
		return; /* then nothing that is mounted in a user namespace can */
	assert_int_equal(run("mkdir own"), 0);
	assert_true(in_child(own_namespace_as_map));
	foreign_userns = idm_probe_userns(NULL);
	assert_true(in_child(map_of_another));
	close(foreign_userns);
	assert_int_equal(run("rmdir own"), 0);
}

static void test_recursive(void **state)
{
	const char *top = mounted_mappable("top"), *can;
	int userns = idm_probe_userns(NULL);
	struct idm_error e;

	(void)state;
	mounted_mappable("can");
	/* One that can, one that the kernel leaves out, one with a blank in its name that cannot. */
	assert_int_equal(run("mkdir top/can top/not && mount --move can top/can && rmdir can && "
			     "mount -t ramfs r top/not && mkdir 'top/can/the one' && "
			     "mount -t ramfs r 'top/can/the one'"),
			 0);
	assert_int_equal(mount(NULL, in_scratch("top/not"), NULL, MS_UNBINDABLE, NULL), 0);
	e = why(top, userns, true);
	assert_int_equal(e.errnum, EINVAL);
	assert_string_equal(e.subject, in_scratch("top/can/the one"));
	assert_contains(e.reason, "the filesystem (ramfs) cannot be ID-mapped");
	assert_contains(e.hint, top);

	/* Covered by one that can, it has no name any more. */
	can = mounted_mappable("cover");
	assert_int_equal(mount(can, in_scratch("top/can/the one"), NULL, MS_MOVE, NULL), 0);
	assert_int_equal(rmdir(can), 0);
	e = why(top, userns, true);
	assert_string_equal(e.subject, top);
	assert_contains(e.reason, "covered by another");

	assert_int_equal(run("umount 'top/can/the one' && umount 'top/can/the one' && umount top/can && "
			     "umount top/not && umount top && rmdir top"),
			 0);
	close(userns);
}

/* ---- arguments ---- */

static void test_arguments(void **state)
{
	struct idm_check c = { .size = sizeof(c) };
	struct idm_error e;
	struct result x;

	(void)state;
	assert_int_equal(idm_check_path(AT_FDCWD, "/", 2, &c, &e), -EINVAL);
	assert_contains(e.message, "unknown flags 0x2");
	c.size = 0;
	assert_int_equal(idm_check_path(AT_FDCWD, "/", 0, &c, &e), -EINVAL);
	c.size = sizeof(c) + 8;
	assert_int_equal(idm_check_path(AT_FDCWD, "/", 0, &c, &e), -E2BIG);
	assert_int_equal(e.errnum, E2BIG);
	assert_int_equal(idm_check_path(AT_FDCWD, "/", 0, &c, NULL), -E2BIG);
	x = check(in_scratch("missing"), 0);
	assert_int_equal(x.r, -ENOENT);
	assert_string_equal(x.e.subject, in_scratch("missing"));
	assert_int_equal(check(in_scratch(""), 0).r, 0);
	assert_int_equal(check_at(AT_FDCWD, "", 0).r, -ENOENT);
	assert_int_equal(check_at(1000000, "", 0).r, -EBADF);
	assert_int_equal(check("/dev/null/x", 0).r, -ENOTDIR);
	/* Without an error to fill in. */
	c.size = sizeof(c);
	assert_int_equal(idm_check_path(AT_FDCWD, "/proc", IDM_CHECK_WRITE, &c, NULL), 0);
	assert_false(c.mappable);
}

/* ---- all of them ---- */

static int begin(void **state)
{
	(void)state;
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return -1;
	tmpfs_can = has("tmpfs-idmap");
	return mkdtemp(scratch) && mount("tmpfs", scratch, "tmpfs", 0, "mode=755") == 0 ? 0 : -1;
}

static int end(void **state)
{
	(void)state;
	bool busy = umount(scratch) < 0;

	if (busy) /* a test has failed half-way, or left something */
		umount2(scratch, MNT_DETACH);
	return rmdir(scratch) == 0 && !busy ? 0 : -1;
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tmpfs),
		cmocka_unit_test(test_ext4),
		cmocka_unit_test(test_xfs),
		cmocka_unit_test(test_btrfs),
		cmocka_unit_test(test_squashfs),
		cmocka_unit_test(test_erofs),
		cmocka_unit_test(test_no_idmap),
		cmocka_unit_test(test_overlay),
		cmocka_unit_test(test_ext2_name),
		cmocka_unit_test(test_fuse),
		cmocka_unit_test(test_unbindable),
		cmocka_unit_test(test_read_only),
		cmocka_unit_test(test_no_room),
		cmocka_unit_test(test_file),
		cmocka_unit_test(test_mapped_source),
		cmocka_unit_test(test_unprivileged),
		cmocka_unit_test(test_in_userns),
		cmocka_unit_test(test_foreign_mount),
		cmocka_unit_test(test_seccomp),
		cmocka_unit_test(test_features),
		cmocka_unit_test(test_incomplete_map),
		cmocka_unit_test(test_no_userns),
		cmocka_unit_test(test_wrong_userns),
		cmocka_unit_test(test_recursive),
		cmocka_unit_test(test_arguments),
	};

	if (geteuid() != 0) {
		puts("needs root");
		return must_run() ? 1 : 77;
	}
	return cmocka_run_group_tests(tests, begin, end);
}
