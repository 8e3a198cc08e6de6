// SPDX-License-Identifier: MIT
/*
 * Random files, mounts and processes: the verdict of idm_explain() is the kernel's, with the same errno.
 * When a refused case is cured by changing what the result names, that rule no longer refuses it.
 */
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/fs.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "lib/base/macros.h"
#include "lib/sys/syscall.h"
#include "tests/lib/maps.h"
#include "tests/lib/scratch.h"

#define CASES (test_is_long() ? 10000 : test_is_slow() ? 300 : 1200)

/* Few IDs, so that they meet often. */
static const uint32_t ids[] = { 0, 1, 2, 3, 1000, 1001, 1002, 1003 };
#define UPPER SCRATCH "/upper"
#define INSIDE 6 /* 0 to 5: the IDs of a user namespace */

static const int all_capabilities[] = { CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, CAP_FOWNER,
					CAP_FSETID };

static void tmpfs_is_not_mapped(void)
{
	untried("a tmpfs cannot be mapped before Linux 6.3");
}

static uint32_t pick_id(struct rng *rng)
{
	return ids[rng_below(rng, ARRAY_SIZE(ids))];
}

static bool one_in(struct rng *rng, uint32_t n)
{
	return rng_below(rng, n) == 0;
}

/* ---- maps and namespaces ---- */

/* Some of the numbers in `from`, or of 0 to `n` - 1, each to another one of the list above. */
static void add_random_side(struct rng *rng, struct idm_map *map, unsigned int kind,
			    const uint32_t *from, uint32_t n)
{
	uint32_t to[ARRAY_SIZE(ids)];

	memcpy(to, ids, sizeof(to));
	for (uint32_t i = 0; i < n; i++) {
		uint32_t other = i + rng_below(rng, (uint32_t)ARRAY_SIZE(to) - i), kept = to[i];
		struct idm_entry entry = { from ? from[i] : i, to[other], 1 };

		to[i] = to[other];
		to[other] = kept;
		if (i == 0 || rng_below(rng, 4))
			assert_ok(idm_map_add(map, kind, &entry, 1, NULL), NULL);
	}
}

static struct idm_map *random_pairs(struct rng *rng, const uint32_t *from, uint32_t n)
{
	struct idm_map *map = map_of("");

	add_random_side(rng, map, IDM_UID, from, n);
	add_random_side(rng, map, IDM_GID, from, n);
	return map;
}

struct namespace
{
	int fd;		     /* -1: the initial one */
	struct idm_map *map; /* inside to the initial one; NULL: the initial one */
};

/* Runs `body` in a process that shares only the descriptors: it may leave one here. */
static int open_elsewhere(int (*body)(void *), void *arg)
{
	struct clone_args args = { .flags = CLONE_FILES, .exit_signal = SIGCHLD };
	int *fd = mmap(NULL, sizeof(*fd), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t pid = (pid_t)must(syscall(SYS_clone3, &args, sizeof(args)));
	int opened;

	if (pid == 0) {
		*fd = body(arg);
		_exit(0);
	}
	await_child(pid);
	opened = *fd;
	munmap(fd, sizeof(*fd));
	return opened;
}

static void join_as_root(const struct namespace *ns)
{
	must(setns(ns->fd, CLONE_NEWUSER));
	must(syscall(SYS_setresgid, 0, 0, 0));
	must(syscall(SYS_setresuid, 0, 0, 0));
	must(prctl(PR_SET_DUMPABLE, 1));
}

static void free_namespace(struct namespace *ns)
{
	idm_map_free(ns->map);
	close(ns->fd);
}

static struct namespace new_namespace(struct rng *rng)
{
	struct namespace ns = { -1, random_pairs(rng, NULL, INSIDE) };
	struct idm_error err;

	ns.fd = (int)assert_ok(idm_userns_open(ns.map, 0, &err), &err);
	return ns;
}

/* Root of the initial namespace can create files in a filesystem of this one. */
static struct namespace new_namespace_with_root(struct rng *rng)
{
	for (;;) {
		struct namespace ns = new_namespace(rng);
		uint32_t inside;

		if (idm_map_to_disk(ns.map, IDM_UID, 0, &inside) == 0 &&
		    idm_map_to_disk(ns.map, IDM_GID, 0, &inside) == 0)
			return ns;
		free_namespace(&ns);
	}
}

struct nested {
	const struct namespace *outer;
	const struct idm_map *map;
};

static int open_nested(void *arg)
{
	const struct nested *nested = arg;
	struct idm_error err;

	join_as_root(nested->outer);
	return (int)assert_ok(idm_userns_open(nested->map, 0, &err), &err);
}

/* Inside IDs to those of `outer`: some of the same numbers, rotated. */
static struct namespace new_nested(struct rng *rng, const struct namespace *outer)
{
	struct namespace ns = { -1, NULL };
	AUTO_MAP struct idm_map *map = map_of("");
	struct nested nested = { outer, map };

	for (unsigned int kind = IDM_UID; kind <= IDM_GID; kind++) {
		uint32_t turn = rng_below(rng, INSIDE), ignored;

		for (uint32_t i = 0; i < INSIDE; i++) {
			struct idm_entry entry = { i, (i + turn) % INSIDE, 1 };

			if (idm_map_to_seen(outer->map, kind, entry.seen, &ignored) == 0 &&
			    (entry.seen == 0 || rng_below(rng, 4)))
				assert_ok(idm_map_add(map, kind, &entry, 1, NULL), NULL);
		}
	}
	ns.fd = open_elsewhere(open_nested, &nested);
	assert_ok(idm_map_copy(map, &ns.map), NULL);
	assert_ok(idm_map_compose(ns.map, outer->map), NULL);
	return ns;
}

/* ---- filesystems ---- */

struct filesystem {
	const char *path;
	const struct namespace *ns; /* that has mounted it */
	bool layered;		    /* the files are in the lower layer of an overlay, which is mapped */
};

static int open_tmpfs(void *arg)
{
	int fs, fd;

	join_as_root(arg);
	must(unshare(CLONE_NEWNS));
	fs = (int)must(syscall(SYS_fsopen, "tmpfs", FSOPEN_CLOEXEC));
	must(syscall(SYS_fsconfig, fs, FSCONFIG_SET_STRING, "mode", "0777", 0));
	must(syscall(SYS_fsconfig, fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0));
	fd = (int)must(syscall(SYS_fsmount, fs, FSMOUNT_CLOEXEC, 0));
	close(fs);
	return fd;
}

static void mount_tmpfs_of(const struct filesystem *fs)
{
	int fd = open_elsewhere(open_tmpfs, (void *)fs->ns);

	must(syscall(SYS_move_mount, fd, "", AT_FDCWD, fs->path, MOVE_MOUNT_F_EMPTY_PATH));
	close(fd);
}

/* ---- cases ---- */

#define NAMED 3

struct file {
	uint32_t mode, uid, gid, flags, acl_group;
	struct idm_acl_entry acl[NAMED];
	size_t n_acl;
};

struct process {
	const struct namespace *ns;
	uint32_t uid, gid, groups[2]; /* inside */
	size_t n_groups;
	uint64_t capabilities;
};

struct random_case {
	const struct filesystem *fs;
	struct file file, directory, victim;
	struct idm_map *mount_map; /* NULL: none */
	uint32_t attr;
	bool fs_readonly;
	struct process process;
	uint32_t new_uid, new_gid;
};

static uint32_t random_outside(struct rng *rng, const struct namespace *ns, unsigned int kind)
{
	const struct idm_entry *entries;
	size_t n = ns->map ? idm_map_entries(ns->map, kind, &entries) : 0;
	const struct idm_entry *entry = n ? &entries[rng_below(rng, (uint32_t)n)] : NULL;

	return entry ? entry->seen + rng_below(rng, entry->count) : pick_id(rng);
}

static uint32_t random_inside(struct rng *rng, const struct namespace *ns, unsigned int kind)
{
	uint32_t id = random_outside(rng, ns, kind);

	if (ns->map)
		assert_ok(idm_map_to_disk(ns->map, kind, id, &id), NULL);
	return id;
}

static uint32_t random_permissions(struct rng *rng)
{
	return one_in(rng, 3) ? 7 : rng_below(rng, 8);
}

static void add_random_acl(struct rng *rng, const struct filesystem *fs, struct file *file)
{
	file->flags |= IDM_INODE_ACL;
	file->acl_group = rng_below(rng, 8);
	for (uint32_t n = rng_below(rng, NAMED + 1); file->n_acl < n; file->n_acl++) {
		struct idm_acl_entry *e = &file->acl[file->n_acl];

		*e = (struct idm_acl_entry){ one_in(rng, 2) ? IDM_UID : IDM_GID, 0, rng_below(rng, 8) };
		e->id = random_outside(rng, fs->ns, e->kind);
		for (size_t i = 0; i < file->n_acl; i++)
			if (file->acl[i].kind == e->kind && file->acl[i].id == e->id)
				return;
	}
}

static struct file random_file(struct rng *rng, const struct filesystem *fs, uint32_t type)
{
	struct file file = { .mode = type };

	for (int i = 0; i < 3; i++)
		file.mode |= random_permissions(rng) << (3 * i);
	file.uid = random_outside(rng, fs->ns, IDM_UID);
	file.gid = random_outside(rng, fs->ns, IDM_GID);
	if (one_in(rng, 2))
		file.mode |= rng_below(rng, 8) << 9;
	/* An ACL with an ID that the layer does not map cannot be copied up. */
	if (one_in(rng, 3) && !fs->layered)
		add_random_acl(rng, fs, &file);
	if (one_in(rng, 10) && (S_ISREG(type) || S_ISDIR(type)))
		file.flags |= one_in(rng, 2) ? IDM_INODE_IMMUTABLE : IDM_INODE_APPEND;
	return file;
}

static struct process random_process(struct rng *rng, const struct namespace *ns)
{
	struct process p = { .ns = ns, .n_groups = rng_below(rng, 3) };
	bool none = one_in(rng, 3);

	p.uid = random_inside(rng, ns, IDM_UID);
	p.gid = random_inside(rng, ns, IDM_GID);
	for (size_t i = 0; i < p.n_groups; i++)
		p.groups[i] = random_inside(rng, ns, IDM_GID);
	for (size_t i = 0; i < ARRAY_SIZE(all_capabilities) && !none; i++)
		if (one_in(rng, 2))
			p.capabilities |= 1ULL << all_capabilities[i];
	return p;
}

static struct idm_map *random_mount_map(struct rng *rng, const struct filesystem *fs)
{
	return fs->ns->map ? random_pairs(rng, NULL, INSIDE)
			   : random_pairs(rng, ids, (uint32_t)ARRAY_SIZE(ids));
}

static uint32_t random_type(struct rng *rng)
{
	return !one_in(rng, 5) ? S_IFREG : one_in(rng, 2) ? S_IFCHR : S_IFIFO;
}

static struct random_case new_case(struct rng *rng, const struct filesystem *fs,
				   const struct namespace *ns)
{
	struct random_case c = { .fs = fs };

	c.file = random_file(rng, fs, random_type(rng));
	c.directory = random_file(rng, fs, S_IFDIR);
	c.victim = random_file(rng, fs, S_IFREG);
	c.mount_map = one_in(rng, 3) ? NULL : random_mount_map(rng, fs);
	c.attr = (one_in(rng, 12) ? IDM_ATTR_RDONLY : 0) | (one_in(rng, 8) ? IDM_ATTR_NOEXEC : 0) |
		 (fs->ns->map || one_in(rng, 2) ? IDM_ATTR_NODEV : 0);
	c.fs_readonly = !fs->layered && one_in(rng, 25);
	c.process = random_process(rng, ns);
	c.new_uid = one_in(rng, 4) ? IDM_EXPLAIN_NO_ID : rng_below(rng, INSIDE + 1);
	c.new_gid = one_in(rng, 2) && c.new_uid != IDM_EXPLAIN_NO_ID ? IDM_EXPLAIN_NO_ID
								     : rng_below(rng, INSIDE + 1);
	return c;
}

/* ---- the files ---- */

struct stored_acl {
	uint32_t version;
	struct {
		uint16_t tag, permissions;
		uint32_t id;
	} entries[4 + NAMED];
};

static void add_entry(struct stored_acl *acl, size_t *n, uint16_t tag, uint32_t permissions, uint32_t id)
{
	acl->entries[*n].tag = tag;
	acl->entries[*n].permissions = (uint16_t)permissions;
	acl->entries[*n].id = id;
	++*n;
}

static void add_named(struct stored_acl *acl, size_t *n, const struct file *file, unsigned int kind)
{
	for (size_t i = 0; i < file->n_acl; i++)
		if (file->acl[i].kind == kind)
			add_entry(acl, n, kind == IDM_UID ? 0x02 : 0x08, file->acl[i].permissions,
				  file->acl[i].id);
}

static void set_acl(const char *path, const struct file *file)
{
	struct stored_acl acl = { .version = 2 };
	size_t n = 0;

	add_entry(&acl, &n, 0x01, file->mode >> 6 & 7, UINT32_MAX);
	add_named(&acl, &n, file, IDM_UID);
	add_entry(&acl, &n, 0x04, file->acl_group, UINT32_MAX);
	add_named(&acl, &n, file, IDM_GID);
	add_entry(&acl, &n, 0x10, file->mode >> 3 & 7, UINT32_MAX);
	add_entry(&acl, &n, 0x20, file->mode & 7, UINT32_MAX);
	must(setxattr(path, "system.posix_acl_access", &acl, 4 + 8 * n, 0));
}

/* ext4 has other flags in there, which stay. */
static void set_flags(const char *path, uint32_t flags)
{
	int fd = (int)must(open(path, O_RDONLY | O_CLOEXEC)), value;

	must(ioctl(fd, FS_IOC_GETFLAGS, &value));
	value &= ~(FS_IMMUTABLE_FL | FS_APPEND_FL);
	value |= (flags & IDM_INODE_IMMUTABLE ? FS_IMMUTABLE_FL : 0) |
		 (flags & IDM_INODE_APPEND ? FS_APPEND_FL : 0);
	must(ioctl(fd, FS_IOC_SETFLAGS, &value));
	close(fd);
}

static void make_file(const char *path, const struct file *file)
{
	uint32_t type = file->mode & S_IFMT;

	if (S_ISDIR(type))
		must(mkdir(path, 0700));
	else
		must(mknod(path, type | 0600, S_ISCHR(type) ? makedev(1, 3) : 0));
	if (S_ISREG(type))
		scratch_file(path, "text\n");
	must(chown(path, file->uid, file->gid));
	if (file->flags & IDM_INODE_ACL)
		set_acl(path, file);
	must(chmod(path, file->mode & 07777));
}

static void make_files(const struct random_case *c)
{
	must(chdir(c->fs->path));
	make_file("file", &c->file);
	make_file("other", &c->file);
	make_file("directory", &c->directory);
	make_file("directory/victim", &c->victim);
	if (c->file.flags & (IDM_INODE_IMMUTABLE | IDM_INODE_APPEND)) {
		set_flags("file", c->file.flags);
		set_flags("other", c->file.flags);
	}
	set_flags("directory/victim", c->victim.flags);
	set_flags("directory", c->directory.flags);
}

static void remove_files(void)
{
	static const char *const names[] = { "directory", "directory/new", "directory/victim", "file",
					     "other" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		struct stat st;

		if (lstat(names[i], &st) < 0)
			continue;
		if (S_ISREG(st.st_mode) || S_ISDIR(st.st_mode))
			set_flags(names[i], 0);
		if (S_ISDIR(st.st_mode))
			continue;
		must(unlink(names[i]));
	}
	must(rmdir("directory"));
	must(chdir("/"));
}

/* ---- the kernel's verdicts ---- */

enum {
	FILE_READ,
	FILE_WRITE,
	FILE_EXECUTE,
	FILE_CHMOD,
	DIRECTORY_READ,
	DIRECTORY_WRITE,
	DIRECTORY_EXECUTE,
	DIRECTORY_CHMOD,
	CREATE,
	UNLINK,
	FILE_CHOWN,
	DIRECTORY_CHOWN,
	TRIES
};

static const char *const try_names[] = { "read file",	     "write file",	"execute file",
					 "chmod file",	     "read directory",	"write directory",
					 "search directory", "chmod directory", "create",
					 "unlink",	     "chown file",	"chown directory" };

static int errno_of(long r)
{
	return r < 0 ? errno : 0;
}

static int try_open(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC | O_NONBLOCK, 0644), code = errno_of(fd);

	if (fd >= 0)
		close(fd);
	return code == ENXIO ? 0 : code; /* a pipe without a reader */
}

/* A text file: the permission is checked before the format. */
static int try_execute(void)
{
	char name[] = "file";
	char *const argv[] = { name, NULL };
	int code = errno_of(execve(name, argv, &argv[1]));

	return code == ENOEXEC ? 0 : code;
}

static int try_search(void)
{
	struct stat st;
	int code = errno_of(stat("directory/none", &st));

	return code == ENOENT ? 0 : code;
}

/* The changes of the owner come last, since they would change other verdicts. */
static void try_all(const struct random_case *c, int *codes)
{
	codes[FILE_READ] = try_open("file", O_RDONLY);
	codes[FILE_WRITE] = try_open("file", O_WRONLY);
	codes[FILE_EXECUTE] = try_execute();
	codes[FILE_CHMOD] = errno_of(chmod("file", c->file.mode & 07777));
	codes[DIRECTORY_READ] = try_open("directory", O_RDONLY);
	codes[DIRECTORY_WRITE] = errno_of(faccessat(AT_FDCWD, "directory", W_OK, AT_EACCESS));
	codes[DIRECTORY_EXECUTE] = try_search();
	codes[DIRECTORY_CHMOD] = errno_of(chmod("directory", c->directory.mode & 07777));
	codes[CREATE] = try_open("directory/new", O_CREAT | O_EXCL | O_WRONLY);
	codes[UNLINK] = errno_of(unlink("directory/victim"));
	codes[FILE_CHOWN] = errno_of(chown("other", c->new_uid, c->new_gid));
	codes[DIRECTORY_CHOWN] = errno_of(chown("directory", c->new_uid, c->new_gid));
}

static void set_capabilities(uint64_t capabilities)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = { { 0 } };

	data[0].effective = data[0].permitted = (uint32_t)capabilities;
	must(syscall(SYS_capset, &header, data));
}

static void become(const struct process *p)
{
	if (p->ns->fd >= 0)
		must(setns(p->ns->fd, CLONE_NEWUSER));
	must(syscall(SYS_setgroups, p->n_groups, p->groups));
	must(prctl(PR_SET_KEEPCAPS, 1));
	must(syscall(SYS_setresgid, p->gid, p->gid, p->gid));
	must(syscall(SYS_setresuid, p->uid, p->uid, p->uid));
	set_capabilities(p->capabilities);
}

/* The overlay's root directory is the upper one. The mount of that disappears together with the overlay.
 */
static int open_overlay(const struct random_case *c)
{
	const struct idm_path lower = { AT_FDCWD, c->fs->path };
	const struct idm_path upper = { AT_FDCWD, UPPER "/upper" }, work = { AT_FDCWD, UPPER "/work" };
	struct idm_overlay_options o = IDM_OVERLAY_OPTIONS_INIT;
	struct idm_error err;
	int fd;

	do_mount("none", UPPER, "tmpfs", 0, "mode=0755");
	must(mkdir(UPPER "/upper", 0777));
	must(mkdir(UPPER "/work", 0777));
	o.lower = &lower;
	o.n_lower = 1;
	o.upper = &upper;
	o.work = &work;
	o.map = c->mount_map;
	o.attr = c->attr;
	fd = idm_overlay_open(&o, &err);
	do_umount(UPPER);
	return (int)assert_ok(fd, &err);
}

static int open_mount(const struct random_case *c)
{
	struct idm_tree_options o = IDM_TREE_OPTIONS_INIT;
	AUTO_CLOSE int userns = -1;
	struct idm_error err;

	if (c->mount_map)
		userns = (int)assert_ok(idm_userns_open(c->mount_map, 0, &err), &err);
	o.attr_set = c->attr;
	o.attr_clear = IDM_ATTR_RDONLY | IDM_ATTR_NOEXEC | IDM_ATTR_NODEV;
	return (int)assert_ok(idm_tree_open(AT_FDCWD, c->fs->path, userns, &o, &err), &err);
}

static void ask_kernel(const struct random_case *c, int *codes)
{
	AUTO_CLOSE int mount = c->fs->layered ? open_overlay(c) : open_mount(c);
	pid_t pid;

	if (c->fs_readonly)
		do_mount(NULL, c->fs->path, NULL, 32 | 1 /* MS_REMOUNT, MS_RDONLY */, NULL);
	pid = (pid_t)must(fork());
	if (pid == 0) {
		must(fchdir(mount));
		become(&c->process);
		try_all(c, codes);
		_exit(0);
	}
	await_child(pid);
	if (c->fs_readonly)
		do_mount(NULL, c->fs->path, NULL, 32 /* MS_REMOUNT */, NULL);
}

/* ---- the library's ---- */

static uint32_t show_in_layer(const struct random_case *c, unsigned int kind, uint32_t id)
{
	if (c->mount_map && idm_map_to_seen(c->mount_map, kind, id, &id) < 0)
		return IDM_EXPLAIN_NO_ID;
	return id;
}

/* An overlay has the IDs that its layers show. */
static struct file show_file_in(const struct random_case *c, const struct file *file)
{
	struct file shown = *file;

	if (!c->fs->layered)
		return shown;
	shown.uid = show_in_layer(c, IDM_UID, file->uid);
	shown.gid = show_in_layer(c, IDM_GID, file->gid);
	for (size_t i = 0; i < file->n_acl; i++)
		shown.acl[i].id = show_in_layer(c, file->acl[i].kind, file->acl[i].id);
	return shown;
}

static struct idm_explain_inode facts_of(const struct file *file)
{
	struct idm_explain_inode inode = IDM_EXPLAIN_INODE_INIT;

	inode.mode = file->mode;
	inode.uid = file->uid;
	inode.gid = file->gid;
	inode.flags = file->flags;
	inode.acl_group = file->acl_group;
	inode.acl = file->acl;
	inode.n_acl = file->n_acl;
	return inode;
}

static uint32_t to_outside(const struct process *p, unsigned int kind, uint32_t id)
{
	if (p->ns->map)
		assert_ok(idm_map_to_seen(p->ns->map, kind, id, &id), NULL);
	return id;
}

/* The owner of a user namespace has all capabilities in it, from the namespace above. It is root here.
 */
static uint64_t capabilities_in(const struct namespace *target, const struct process *p)
{
	if (p->ns == target)
		return p->capabilities;
	if (p->ns->map)
		return 0;
	return p->uid == 0 ? ~0ULL : p->capabilities;
}

static struct idm_explain_result explain(const struct random_case *c, int try)
{
	static const enum idm_access accesses[] = {
		IDM_ACCESS_READ,   IDM_ACCESS_WRITE,  IDM_ACCESS_EXECUTE, IDM_ACCESS_CHMOD,
		IDM_ACCESS_READ,   IDM_ACCESS_WRITE,  IDM_ACCESS_EXECUTE, IDM_ACCESS_CHMOD,
		IDM_ACCESS_CREATE, IDM_ACCESS_UNLINK, IDM_ACCESS_CHOWN,	  IDM_ACCESS_CHOWN
	};
	const struct file files[] = { show_file_in(c, &c->file), show_file_in(c, &c->directory),
				      show_file_in(c, &c->victim) };
	struct idm_explain_inode file = facts_of(&files[0]), directory = facts_of(&files[1]),
				 victim = facts_of(&files[2]);
	struct idm_explain_options o = IDM_EXPLAIN_OPTIONS_INIT;
	struct idm_explain_result result = IDM_EXPLAIN_RESULT_INIT;
	const struct process *p = &c->process;
	uint32_t groups[ARRAY_SIZE(p->groups)];
	struct idm_error err;

	for (size_t i = 0; i < p->n_groups; i++)
		groups[i] = to_outside(p, IDM_GID, p->groups[i]);
	o.access = accesses[try];
	o.attr = c->attr;
	o.inode = try <= FILE_CHMOD || try == FILE_CHOWN ? &file : try == UNLINK ? &victim : &directory;
	o.directory = &directory;
	o.mount_map = c->fs->layered ? NULL : c->mount_map;
	o.fs_map = c->fs->ns->map;
	o.userns_map = p->ns->map;
	o.capabilities = p->capabilities;
	o.fs_capabilities = capabilities_in(c->fs->ns, p);
	o.groups = groups;
	o.n_groups = p->n_groups;
	o.fsuid = to_outside(p, IDM_UID, p->uid);
	o.fsgid = to_outside(p, IDM_GID, p->gid);
	o.new_uid = c->new_uid;
	o.new_gid = c->new_gid;
	o.fs_readonly = c->fs_readonly;
	assert_ok(idm_explain(&o, &result, &err), &err);
	return result;
}

/* ---- overlays ---- */

/* The verdict about the process that mounted the overlay, in the layer. It is root. */
static struct idm_explain_result explain_as_mounter(const struct random_case *c, int try)
{
	struct filesystem layer = *c->fs;
	struct random_case mounter = *c;

	layer.layered = false;
	mounter.fs = &layer;
	mounter.attr = 0;
	mounter.process = (struct process){ .ns = layer.ns, .capabilities = ~0ULL };
	return explain(&mounter, try);
}

/*
 * An overlay asks for each permission twice: the process in the overlay, and the mounter in the layer.
 * The mounter opens a program to read it.
 */
static struct idm_explain_result explain_twice(const struct random_case *c, int try)
{
	struct idm_explain_result result = explain(c, try);

	if (!result.rule)
		result = explain_as_mounter(c, try);
	if (!result.rule && try == FILE_EXECUTE)
		result = explain_as_mounter(c, FILE_READ);
	return result;
}

/* An owner that the layer does not map cannot be copied up, even if it is to be changed. */
static struct idm_explain_result explain_chown_in_overlay(const struct random_case *c, int try)
{
	struct idm_explain_result result = explain(c, try);

	if (!result.rule && (result.uid == IDM_EXPLAIN_NO_ID || result.gid == IDM_EXPLAIN_NO_ID)) {
		result.rule = IDM_RULE_UNMAPPED_OWNER;
		result.errnum = EOVERFLOW;
	}
	return result;
}

static struct idm_explain_result predict(const struct random_case *c, int try)
{
	struct idm_explain_result search;

	if (!c->fs->layered || try == FILE_CHMOD || try == DIRECTORY_CHMOD)
		return explain(c, try);
	if (try == FILE_CHOWN || try == DIRECTORY_CHOWN)
		return explain_chown_in_overlay(c, try);
	if (try != CREATE && try != UNLINK)
		return explain_twice(c, try);
	search = explain_twice(c, DIRECTORY_EXECUTE);
	return search.rule ? search : explain(c, try);
}

/* ---- both ---- */

static void show_file(const char *name, const struct file *f)
{
	note("%s: mode %o, %u:%u, flags %x, acl group %o", name, f->mode, f->uid, f->gid, f->flags,
	     f->acl_group);
	for (size_t i = 0; i < f->n_acl; i++)
		note("  %s %u: %o", f->acl[i].kind == IDM_UID ? "user" : "group", f->acl[i].id,
		     f->acl[i].permissions);
}

static void show_map(const char *name, const struct idm_map *map)
{
	char *text = map ? map_text(map, IDM_FORMAT_TEXT, IDM_BOTH) : NULL;

	note("%s: %s", name, text ? text : "none");
	free(text);
}

static void show_case(const struct random_case *c)
{
	const struct process *p = &c->process;

	note("%s, attr %x, read-only %d", c->fs->path, c->attr, c->fs_readonly);
	show_file("file", &c->file);
	show_file("directory", &c->directory);
	show_file("victim", &c->victim);
	show_map("mount", c->mount_map);
	show_map("filesystem", c->fs->ns->map);
	show_map("process", p->ns->map);
	note("process %u:%u, capabilities %llx, new owner %u:%u", p->uid, p->gid,
	     (unsigned long long)p->capabilities, c->new_uid, c->new_gid);
	for (size_t i = 0; i < p->n_groups; i++)
		note("  group %u", p->groups[i]);
}

struct counts {
	unsigned long verdicts, cured;
	unsigned int by_rule[IDM_RULE_CHANGE_GROUP + 1];
	int *codes; /* shared with the process that tries */
};

static void compare(const struct random_case *c, struct counts *counts)
{
	make_files(c);
	ask_kernel(c, counts->codes);
	remove_files();
	for (int try = 0; try < TRIES; try++) {
		struct idm_explain_result result = predict(c, try);

		counts->verdicts++;
		counts->by_rule[result.rule]++;
		if (result.errnum == counts->codes[try] && !result.errnum == !result.rule)
			continue;
		show_case(c);
		fail_msg("%s: the kernel: %s, the library: %s (rule %d)", try_names[try],
			 strerror(counts->codes[try]), strerror(result.errnum), (int)result.rule);
	}
}

/* ---- cures ---- */

static void add_acl_bits(struct file *file, const struct idm_explain_result *result)
{
	unsigned int kind = result->entry == IDM_CLASS_ACL_USER ? IDM_UID : IDM_GID;

	if (result->entry == IDM_CLASS_GROUP && file->flags & IDM_INODE_ACL)
		file->acl_group |= result->missing;
	if (result->entry != IDM_CLASS_ACL_USER && result->entry != IDM_CLASS_ACL_GROUP)
		return;
	for (size_t i = 0; i < file->n_acl; i++)
		if (file->acl[i].kind == kind)
			file->acl[i].permissions |= result->missing;
}

/* The group bits are the mask of an ACL. */
static void add_bits(struct file *file, const struct idm_explain_result *result)
{
	unsigned int shift = result->entry == IDM_CLASS_OWNER	? 6
			     : result->entry == IDM_CLASS_OTHER ? 0
								: 3;

	file->mode |= result->missing << shift;
	add_acl_bits(file, result);
}

/* Without a map, a mount maps every ID. */
static bool drop_map(struct random_case *c)
{
	bool had = c->mount_map && !c->fs->ns->map;

	if (had)
		idm_map_free(c->mount_map);
	if (had)
		c->mount_map = NULL;
	return had;
}

/* Makes the process the owner, as the filesystem stores it. */
static bool own(struct random_case *c, struct file *file)
{
	uint32_t id = to_outside(&c->process, IDM_UID, c->process.uid);

	if (c->fs->ns->map || (c->mount_map && idm_map_to_disk(c->mount_map, IDM_UID, id, &id) < 0))
		return false;
	file->uid = id;
	return true;
}

static bool add_capability(struct random_case *c, const struct idm_explain_result *result)
{
	if (result->capable)
		return false;
	c->process.capabilities |= 1ULL << result->capability;
	return true;
}

static bool cure_permission(struct rng *rng, struct random_case *c, struct file *file,
			    const struct idm_explain_result *result)
{
	if (one_in(rng, 2) && result->capability >= 0)
		return add_capability(c, result);
	add_bits(file, result);
	return true;
}

static bool cure_new_owner(struct random_case *c, const struct idm_explain_result *result)
{
	c->new_uid = result->kinds & IDM_UID ? c->process.uid : c->new_uid;
	c->new_gid = result->kinds & IDM_GID ? c->process.gid : c->new_gid;
	return true;
}

static bool cure_mount(struct random_case *c, const struct idm_explain_result *result)
{
	c->fs_readonly &= result->rule != IDM_RULE_FILESYSTEM_READONLY;
	c->attr &= result->rule == IDM_RULE_MOUNT_READONLY ? ~IDM_ATTR_RDONLY
		   : result->rule == IDM_RULE_NOEXEC	   ? ~IDM_ATTR_NOEXEC
		   : result->rule == IDM_RULE_NODEV	   ? ~IDM_ATTR_NODEV
							   : ~0U;
	/* A filesystem of a user namespace has no devices, whatever the mount has. */
	return result->rule != IDM_RULE_NODEV || !c->fs->ns->map;
}

static bool cure_flags(struct file *file, const struct idm_explain_result *result)
{
	file->flags &= result->rule == IDM_RULE_IMMUTABLE ? ~IDM_INODE_IMMUTABLE : ~IDM_INODE_APPEND;
	return true;
}

/* Changes what the result names. False: there is no simple cure. */
static bool cure(struct rng *rng, struct random_case *c, struct file *file,
		 const struct idm_explain_result *result)
{
	switch (result->rule) {
	case IDM_RULE_PERMISSION:
		return cure_permission(rng, c, file, result);
	case IDM_RULE_FILESYSTEM_READONLY:
	case IDM_RULE_MOUNT_READONLY:
	case IDM_RULE_NOEXEC:
	case IDM_RULE_NODEV:
		return cure_mount(c, result);
	case IDM_RULE_IMMUTABLE:
	case IDM_RULE_APPEND_ONLY:
		return cure_flags(file, result);
	case IDM_RULE_UNMAPPED_OWNER:
	case IDM_RULE_UNMAPPED_NEW_ID:
		return drop_map(c);
	case IDM_RULE_UNKNOWN_NEW_ID:
		return cure_new_owner(c, result);
	case IDM_RULE_STICKY:
	case IDM_RULE_NOT_OWNER:
		return own(c, file);
	case IDM_RULE_CHANGE_OWNER:
	case IDM_RULE_CHANGE_GROUP:
		return add_capability(c, result);
	default:
		return false;
	}
}

static struct file *subject_of(struct random_case *c, int try, bool on_directory)
{
	if (try <= FILE_CHMOD || try == FILE_CHOWN)
		return &c->file;
	return try == UNLINK && !on_directory ? &c->victim : &c->directory;
}

static bool is_same_refusal(const struct idm_explain_result *a, const struct idm_explain_result *b)
{
	return a->rule == b->rule && a->on_directory == b->on_directory && a->missing == b->missing &&
	       a->entry == b->entry && a->entry_id == b->entry_id && a->capability == b->capability &&
	       a->capable == b->capable;
}

static void cure_and_compare(struct rng *rng, struct random_case *c, struct counts *counts)
{
	int try = (int)rng_below(rng, TRIES);
	struct idm_explain_result before = explain(c, try), after;

	if (!before.rule || !cure(rng, c, subject_of(c, try, before.on_directory), &before))
		return;
	counts->cured++;
	after = explain(c, try);
	if (is_same_refusal(&before, &after)) {
		show_case(c);
		fail_msg("%s: rule %d refuses it still", try_names[try], (int)before.rule);
	}
	compare(c, counts);
}

/* ---- the test ---- */

static void try_cases(const struct filesystem *filesystems, uint32_t n_filesystems,
		      const struct namespace *namespaces, uint32_t n_namespaces, struct counts *counts)
{
	struct rng rng = rng_new(41);

	for (int i = 0; i < CASES; i++) {
		const struct filesystem *fs = &filesystems[rng_below(&rng, n_filesystems)];
		struct random_case c = new_case(
			&rng, fs, one_in(&rng, 3) ? fs->ns : &namespaces[rng_below(&rng, n_namespaces)]);

		compare(&c, counts);
		cure_and_compare(&rng, &c, counts);
		idm_map_free(c.mount_map);
	}
}

static void make_namespaces(struct rng *rng, struct namespace *namespaces, size_t n)
{
	namespaces[0] = (struct namespace){ -1, NULL };
	namespaces[1] = new_namespace_with_root(rng);
	for (size_t i = 2; i < n; i++)
		namespaces[i] = i < 5 ? new_namespace(rng) : new_nested(rng, &namespaces[i - 4]);
}

static void make_filesystems(const struct filesystem filesystems[4])
{
	scratch_dir(filesystems[0].path);
	do_mount("none", filesystems[0].path, "tmpfs", 0, "mode=0777");
	scratch_filesystem("ext4", filesystems[1].path, NULL);
	must(chmod(filesystems[1].path, 0777));
	scratch_dir(filesystems[2].path);
	mount_tmpfs_of(&filesystems[2]);
	scratch_dir(filesystems[3].path);
	must(chmod(filesystems[3].path, 0777));
	scratch_dir(UPPER);
}

static void report(const struct counts *counts)
{
	proof("verdicts", counts->verdicts, "verdicts of idm_explain() beside the kernel's");
	proof("verdicts", counts->cured, "refused cases, cured by what the verdict names");
	for (size_t rule = 0; rule < ARRAY_SIZE(counts->by_rule); rule++)
		if (!counts->by_rule[rule])
			fail_msg("rule %zu has never refused anything", rule);
}

TEST_AS(the_verdict_is_the_kernels, 300, 6, 3, tmpfs_is_not_mapped)
{
	struct rng rng = rng_new(40);
	struct namespace namespaces[8];
	const struct filesystem filesystems[] = { { SCRATCH "/tmpfs", &namespaces[0], false },
						  { SCRATCH "/ext4", &namespaces[0], false },
						  { SCRATCH "/inside", &namespaces[1], false },
						  { SCRATCH "/layer", &namespaces[0], true } };
	struct counts counts = { 0 };

	scratch_enter();
	umask(0);
	counts.codes = mmap(NULL, TRIES * sizeof(int), PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	make_namespaces(&rng, namespaces, ARRAY_SIZE(namespaces));
	make_filesystems(filesystems);
	try_cases(filesystems, ARRAY_SIZE(filesystems), namespaces, ARRAY_SIZE(namespaces), &counts);
	report(&counts);
	for (size_t i = 1; i < ARRAY_SIZE(namespaces); i++)
		free_namespace(&namespaces[i]);
	munmap(counts.codes, TRIES * sizeof(int));
}
