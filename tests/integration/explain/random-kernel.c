// SPDX-License-Identifier: MIT
/* Filesystems, files and mounts of random cases, and a process that tries them. */
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/fs.h>
#include <sched.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "lib/base/macros.h"
#include "lib/sys/syscall.h"
#include "random-case.h"

/* ---- filesystems ---- */

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

void make_filesystems(const struct filesystem filesystems[5])
{
	scratch_dir(filesystems[0].path);
	do_mount("none", filesystems[0].path, "tmpfs", 0, "mode=0777");
	scratch_filesystem("ext4", filesystems[1].path, NULL);
	must(chmod(filesystems[1].path, 0777));
	scratch_dir(filesystems[2].path);
	mount_tmpfs_of(&filesystems[2]);
	scratch_dir(filesystems[3].path);
	must(chmod(filesystems[3].path, 0777));
	scratch_dir(filesystems[4].path);
	must(chmod(filesystems[4].path, 0777));
	scratch_dir(UPPER);
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

void make_files(const struct random_case *c)
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

void remove_files(void)
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

/* By root of a user namespace. Its upper layer is on a filesystem of that, too. */
static int open_overlay_inside(void *arg)
{
	const struct random_case *c = arg;
	int fs, fd;

	join_as_root(c->fs->ns);
	must(unshare(CLONE_NEWNS));
	do_mount("none", UPPER, "tmpfs", 0, "mode=0755");
	must(mkdir(UPPER "/upper", 0777));
	must(mkdir(UPPER "/work", 0777));
	fs = (int)must(syscall(SYS_fsopen, "overlay", FSOPEN_CLOEXEC));
	must(syscall(SYS_fsconfig, fs, FSCONFIG_SET_FLAG, "userxattr", NULL, 0));
	must(syscall(SYS_fsconfig, fs, FSCONFIG_SET_STRING, "lowerdir", c->fs->path, 0));
	must(syscall(SYS_fsconfig, fs, FSCONFIG_SET_STRING, "upperdir", UPPER "/upper", 0));
	must(syscall(SYS_fsconfig, fs, FSCONFIG_SET_STRING, "workdir", UPPER "/work", 0));
	must(syscall(SYS_fsconfig, fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0));
	fd = (int)must(syscall(SYS_fsmount, fs, FSMOUNT_CLOEXEC, c->attr));
	close(fs);
	return fd;
}

static int open_layered(const struct random_case *c)
{
	return c->fs->ns->map ? open_elsewhere(open_overlay_inside, (void *)c) : open_overlay(c);
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

static int keep_owner(const struct idm_explain_info *place, void *data)
{
	struct collected *file = data;

	if (place->is_last)
		*file = (struct collected){ place->facts->inode->uid, place->facts->inode->gid,
					    !(place->unseen & IDM_UNSEEN_OWNER) };
	return 0;
}

static void collect_owners(struct collected *files)
{
	static const char *const names[COLLECTED_FILES] = { "file", "directory", "directory/victim" };
	struct idm_error err;

	for (int i = 0; i < COLLECTED_FILES; i++) {
		int r = idm_explain_path(0, names[i], 0, keep_owner, &files[i], &err);

		/* A map that leaves the directory out keeps root out of it, too. */
		if (r != -EACCES)
			assert_ok(r, &err);
		files[i].is_certain &= r == 0;
	}
}

void ask_kernel(const struct random_case *c, struct answers *answers)
{
	AUTO_CLOSE int mount = c->fs->layered ? open_layered(c) : open_mount(c);
	pid_t pid;

	if (c->fs_readonly)
		do_mount(NULL, c->fs->path, NULL, 32 | 1 /* MS_REMOUNT, MS_RDONLY */, NULL);
	pid = (pid_t)must(fork());
	if (pid == 0) {
		must(fchdir(mount));
		collect_owners(answers->files);
		become(&c->process);
		try_all(c, answers->codes);
		_exit(0);
	}
	await_child(pid);
	if (c->fs_readonly)
		do_mount(NULL, c->fs->path, NULL, 32 /* MS_REMOUNT */, NULL);
}
